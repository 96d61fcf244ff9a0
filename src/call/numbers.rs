//! Telephone numbers: E.164 inside, and outside as each trunk writes them. Short codes stay as written.

/// How a trunk or a city writes numbers.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct NumberPlan {
    /// The country code without `+`, such as `82`. Empty: numbers are left as they come.
    pub country: String,
    /// The prefix of national numbers, such as `0`.
    pub national_prefix: String,
    /// The prefix of international numbers, such as `00`.
    pub international_prefix: String,
    /// How numbers are written in calls to the trunk.
    pub outgoing: Format,
}

/// A way to write a number.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum Format {
    /// `+82212345678`.
    #[default]
    E164,
    /// `0212345678` at home, `00` and the country code abroad.
    National,
    /// `82212345678`.
    Digits,
}

/// Shorter numbers, and those with `*` or `#`, are codes and not subscribers' numbers.
const SHORT_CODE_BELOW: usize = 6;

/// Whether it is a code (120, *1) and not a subscriber's number.
#[must_use]
pub fn is_short_code(number: &str) -> bool {
    number.contains(['*', '#']) || (!number.starts_with('+') && number.len() < SHORT_CODE_BELOW)
}

/// Whether all its characters may occur in a telephone number.
#[must_use]
pub fn is_number(text: &str) -> bool {
    let digits = text.strip_prefix('+').unwrap_or(text);
    !digits.is_empty() && digits.len() <= 32 && digits.bytes().all(|b| b.is_ascii_digit() || matches!(b, b'*' | b'#'))
}

impl NumberPlan {
    /// The number as hotline keeps it: E.164 with `+` where possible, without visual separators; short codes and names
    /// as they are.
    #[must_use]
    pub fn normalise(&self, number: &str) -> String {
        let bare: String = number.chars().filter(|c| !matches!(c, '-' | '.' | ' ' | '(' | ')')).collect();
        if !is_number(&bare) {
            return number.to_owned();
        }
        if bare.starts_with('+') || is_short_code(&bare) || self.country.is_empty() {
            return bare;
        }
        if !self.international_prefix.is_empty()
            && let Some(rest) = bare.strip_prefix(&self.international_prefix)
        {
            return format!("+{rest}");
        }
        if !self.national_prefix.is_empty()
            && let Some(rest) = bare.strip_prefix(&self.national_prefix)
        {
            return format!("+{}{rest}", self.country);
        }
        if bare.starts_with(&self.country) { format!("+{bare}") } else { bare }
    }

    /// The number as this plan writes it.
    #[must_use]
    pub fn write(&self, number: &str) -> String {
        let Some(digits) = number.strip_prefix('+') else { return number.to_owned() };
        match self.outgoing {
            Format::E164 => number.to_owned(),
            Format::Digits => digits.to_owned(),
            Format::National => match digits.strip_prefix(&self.country) {
                Some(rest) if !self.country.is_empty() => format!("{}{rest}", self.national_prefix),
                _ => format!("{}{digits}", self.international_prefix),
            },
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn korea(outgoing: Format) -> NumberPlan {
        NumberPlan { country: "82".into(), national_prefix: "0".into(), international_prefix: "00".into(), outgoing }
    }

    #[test]
    fn numbers_become_e164_and_codes_stay() {
        let plan = korea(Format::E164);
        for (written, kept) in [
            ("02-1234-5678", "+82212345678"),
            ("0082212345678", "+82212345678"),
            ("82212345678", "+82212345678"),
            ("+82 2 1234 5678", "+82212345678"),
            ("120", "120"),
            ("*1", "*1"),
            ("anonymous", "anonymous"),
            ("+120", "+120"),
        ] {
            assert_eq!(plan.normalise(written), kept, "{written}");
        }
        assert_eq!(NumberPlan::default().normalise("0212345678"), "0212345678");
    }

    #[test]
    fn numbers_leave_the_trunks_way() {
        assert_eq!(korea(Format::National).write("+82212345678"), "0212345678");
        assert_eq!(korea(Format::National).write("+4930123456"), "004930123456");
        assert_eq!(korea(Format::Digits).write("+82212345678"), "82212345678");
        assert_eq!(korea(Format::E164).write("120"), "120");
    }
}
