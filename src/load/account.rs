//! Agents' accounts, one by one or many by a pattern: `agent{1..20}@city.example`.

use std::fmt;

/// The account of an agent who registers.
#[derive(Clone, PartialEq, Eq)]
pub struct Account {
    /// The user part of its address.
    pub user: String,
    /// The domain.
    pub domain: String,
    /// The password.
    pub password: String,
}

impl fmt::Debug for Account {
    /// Without the password: debug output ends up in logs.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}@{}", self.user, self.domain)
    }
}

/// A text that names no accounts.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
pub enum AccountError {
    /// There is no domain.
    #[error("{0:?}: write user@domain, such as agent{{1..20}}@city.example")]
    NoDomain(String),
    /// The range cannot be read.
    #[error("{0:?}: write a range as {{1..20}}, at most 10,000 long")]
    Range(String),
    /// This line of a file has no password.
    #[error("line {0}: write user@domain and the password, with a space between them")]
    Line(usize),
}

/// The most accounts of one pattern.
const ACCOUNTS_MAX: u32 = 10_000;

/// The accounts of a pattern. `{1..20}` in it stands for each number in turn; `{n}` in the password stands for the same
/// number.
///
/// ```
/// let agents = hotline::load::expand("clerk{1..8}@city.example", "secret-{n}").unwrap();
/// assert_eq!((agents.len(), &*agents[7].user, &*agents[7].password), (8, "clerk8", "secret-8"));
/// ```
///
/// # Errors
/// When the pattern has no domain, or a range that cannot be read.
pub fn expand(pattern: &str, password: &str) -> Result<Vec<Account>, AccountError> {
    let (user, domain) = pattern.split_once('@').ok_or_else(|| AccountError::NoDomain(pattern.to_owned()))?;
    let account = |user: String, password: String| Account { user, domain: domain.to_owned(), password };
    let Some((before, rest)) = user.split_once('{') else {
        return Ok(vec![account(user.to_owned(), password.to_owned())]);
    };
    let range = || {
        let (range, after) = rest.split_once('}')?;
        let (from, to) = range.split_once("..")?;
        let (from, to): (u32, u32) = (from.parse().ok()?, to.parse().ok()?);
        (from <= to && to - from < ACCOUNTS_MAX).then_some((from, to, after))
    };
    let (from, to, after) = range().ok_or_else(|| AccountError::Range(pattern.to_owned()))?;
    Ok((from..=to).map(|n| account(format!("{before}{n}{after}"), password.replace("{n}", &n.to_string()))).collect())
}

impl Account {
    /// The accounts of a file. Each line has `user@domain password`, either of which may be a pattern; `#` begins a
    /// remark.
    ///
    /// # Errors
    /// When a line has no account.
    pub fn of_file(text: &str) -> Result<Vec<Account>, AccountError> {
        let mut accounts = Vec::new();
        for (number, line) in text.lines().enumerate() {
            let line = line.split('#').next().unwrap_or("").trim();
            if line.is_empty() {
                continue;
            }
            let (pattern, password) = line.split_once(char::is_whitespace).ok_or(AccountError::Line(number + 1))?;
            accounts.extend(expand(pattern, password.trim())?);
        }
        Ok(accounts)
    }
}
