//! HTTP digest for SIP (RFC 3261 22, RFC 2617, RFC 7616, RFC 8760): the arithmetic and the headers, for both sides.
//!
//! Owns MD5 and SHA-256 with `qop=auth`, and the older form without qop that some phones still write. It offers neither the `-sess`
//! variants nor `auth-int`. It keeps no state ([`super::nonce`] does) and holds no password: a server needs HA1 only.

use std::fmt::{self, Write as _};

use md5::Md5;
use sha2::Sha256;

use super::text;

/// A hash that digest is made with.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum Algorithm {
    /// RFC 2617's, which every phone knows.
    Md5,
    /// RFC 8760's; preferred.
    Sha256,
}

impl Algorithm {
    /// As headers write it.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Algorithm::Md5 => "MD5",
            Algorithm::Sha256 => "SHA-256",
        }
    }

    /// The algorithm of this name, in any case.
    #[must_use]
    pub fn from_name(name: &str) -> Option<Algorithm> {
        [Algorithm::Md5, Algorithm::Sha256].into_iter().find(|algorithm| algorithm.name().eq_ignore_ascii_case(name))
    }

    /// The hash of the parts joined by colons, in lower-case hexadecimal.
    fn hash(self, parts: &[&str]) -> String {
        fn run<D: md5::Digest>(parts: &[&str]) -> String {
            let mut hasher = D::new();
            for (index, part) in parts.iter().enumerate() {
                if index > 0 {
                    hasher.update(b":");
                }
                hasher.update(part.as_bytes());
            }
            hex(&hasher.finalize())
        }
        match self {
            Algorithm::Md5 => run::<Md5>(parts),
            Algorithm::Sha256 => run::<Sha256>(parts),
        }
    }
}

/// Lower-case hexadecimal.
pub(super) fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::with_capacity(bytes.len() * 2), |mut text, byte| {
        let _ = write!(text, "{byte:02x}");
        text
    })
}

/// HA1: the hash of `user:realm:password`, all that a server need keep. Lower-case hexadecimal.
#[must_use]
pub fn ha1(algorithm: Algorithm, user: &str, realm: &str, password: &str) -> String {
    algorithm.hash(&[user, realm, password])
}

/// What `qop=auth` adds to the hash.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Auth<'a> {
    /// The nonce count as written: eight hexadecimal digits.
    pub nc: &'a str,
    /// The client's nonce.
    pub cnonce: &'a str,
}

/// The digest response (RFC 7616 3.4.1), in lower-case hexadecimal. Without `auth` in the older form (RFC 2617 3.2.2.1).
#[must_use]
pub fn response(algorithm: Algorithm, ha1: &str, method: &str, uri: &str, nonce: &str, auth: Option<Auth<'_>>) -> String {
    let ha2 = algorithm.hash(&[method, uri]);
    match auth {
        Some(Auth { nc, cnonce }) => algorithm.hash(&[ha1, nonce, nc, cnonce, "auth", &ha2]),
        None => algorithm.hash(&[ha1, nonce, &ha2]),
    }
}

/// Why a header is no digest that hotline can use. All are treated as if the header were not there (RFC 4475 3.3.7).
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
pub enum DigestError {
    /// Basic, Bearer or anything else.
    #[error("not the Digest scheme")]
    Scheme,
    /// An unterminated quote, a part without `=`, bytes that are not UTF-8, or a part that stands twice.
    #[error("malformed digest header")]
    Malformed,
    /// A part that must be there is not.
    #[error("no {0} in the digest header")]
    Missing(&'static str),
    /// `MD5-sess`, `SHA-512-256` and the like.
    #[error("an algorithm that is not offered")]
    Algorithm,
    /// A qop other than `auth`.
    #[error("a quality of protection that is not offered")]
    Qop,
}

/// The credentials of an Authorization or Proxy-Authorization header. Quoted values come without quotes, their escapes as they stand:
/// that is what both sides hash.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Credentials<'a> {
    /// The user name that the client gives.
    pub username: &'a str,
    /// The realm of the password.
    pub realm: &'a str,
    /// The server's nonce, to be checked.
    pub nonce: &'a str,
    /// The digest-uri, which the client hashed.
    pub uri: &'a str,
    /// The proof.
    pub response: &'a str,
    /// MD5 where none is written (RFC 2617 3.2.1).
    pub algorithm: Algorithm,
    /// nc and cnonce, if the client used `qop=auth`.
    pub auth: Option<Auth<'a>>,
    /// The server's opaque value, given back.
    pub opaque: Option<&'a str>,
}

impl<'a> Credentials<'a> {
    /// From a header's value.
    ///
    /// # Errors
    /// See [`DigestError`].
    pub fn parse(value: &'a [u8]) -> Result<Credentials<'a>, DigestError> {
        let parts = Parts::parse(value)?;
        let auth = match parts.get("qop") {
            None => None,
            Some(qop) if qop.eq_ignore_ascii_case("auth") => {
                let nc = parts.want("nc")?;
                if nc.len() != 8 || !nc.bytes().all(|b| b.is_ascii_hexdigit()) {
                    return Err(DigestError::Malformed);
                }
                Some(Auth { nc, cnonce: parts.want("cnonce")? })
            }
            Some(_) => return Err(DigestError::Qop),
        };
        Ok(Credentials {
            username: parts.want("username")?,
            realm: parts.want("realm")?,
            nonce: parts.want("nonce")?,
            uri: parts.want("uri")?,
            response: parts.want("response")?,
            algorithm: parts.algorithm()?,
            auth,
            opaque: parts.get("opaque"),
        })
    }

    /// The nonce count, if the client used `qop=auth`.
    #[must_use]
    pub fn nc(&self) -> Option<u32> {
        self.auth.and_then(|auth| u32::from_str_radix(auth.nc, 16).ok())
    }

    /// Whether the proof is right for this HA1 and the method of the request it came in, compared in constant time. Says nothing of the
    /// nonce, nor of whether [`Self::uri`] is what was asked for: it need not be equal to the Request-URI, for proxies rewrite that
    /// (RFC 3261 22.4).
    #[must_use]
    pub fn proves(&self, ha1: &str, method: &str) -> bool {
        let expected = response(self.algorithm, ha1, method, self.uri, self.nonce, self.auth);
        same_in_constant_time(expected.as_bytes(), self.response.as_bytes())
    }
}

/// Whether two byte strings are equal, ASCII case aside, in a time that depends on their lengths only.
pub(super) fn same_in_constant_time(one: &[u8], other: &[u8]) -> bool {
    let difference = one.iter().zip(other).fold(0, |all, (a, b)| all | (a.to_ascii_lowercase() ^ b.to_ascii_lowercase()));
    one.len() == other.len() && std::hint::black_box(difference) == 0
}

/// A challenge of a WWW-Authenticate or Proxy-Authenticate header.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Challenge<'a> {
    /// The realm of the password that is asked for.
    pub realm: &'a str,
    /// To be hashed and given back.
    pub nonce: &'a str,
    /// To be given back.
    pub opaque: Option<&'a str>,
    /// MD5 where none is written.
    pub algorithm: Algorithm,
    /// Whether `qop=auth` is offered; if no qop is, the older form is used.
    pub qop_auth: bool,
    /// Whether only the nonce was too old: the password need not be doubted.
    pub stale: bool,
}

/// Whose password answers a challenge.
#[derive(Clone, Copy)]
pub struct Account<'a> {
    /// The user name.
    pub user: &'a str,
    /// The password.
    pub password: &'a str,
}

impl fmt::Debug for Account<'_> {
    /// Without the password: debug output ends up in logs.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Account").field("user", &self.user).finish_non_exhaustive()
    }
}

impl<'a> Challenge<'a> {
    /// From a header's value.
    ///
    /// # Errors
    /// See [`DigestError`].
    pub fn parse(value: &'a [u8]) -> Result<Challenge<'a>, DigestError> {
        let parts = Parts::parse(value)?;
        let qop = parts.get("qop");
        let qop_auth = qop.is_some_and(|list| list.split(',').any(|one| one.trim().eq_ignore_ascii_case("auth")));
        if qop.is_some() && !qop_auth {
            return Err(DigestError::Qop);
        }
        Ok(Challenge {
            realm: parts.want("realm")?,
            nonce: parts.want("nonce")?,
            opaque: parts.get("opaque"),
            algorithm: parts.algorithm()?,
            qop_auth,
            stale: parts.get("stale").is_some_and(|stale| stale.eq_ignore_ascii_case("true")),
        })
    }

    /// The challenge to answer out of several: the topmost that can be (RFC 8760 2.4).
    #[must_use]
    pub fn choose(values: impl Iterator<Item = &'a [u8]>) -> Option<Challenge<'a>> {
        values.filter_map(|value| Challenge::parse(value).ok()).next()
    }

    /// The value of the Authorization or Proxy-Authorization header that answers this challenge.
    ///
    /// `nc` counts the answers to this nonce from 1; `cnonce` is ours, unguessable, of characters that need no escape.
    #[must_use]
    pub fn answer(&self, account: Account<'_>, method: &str, uri: &str, nc: u32, cnonce: &str) -> String {
        let user = quotable(account.user);
        let ha1 = ha1(self.algorithm, &user, self.realm, account.password);
        let nc = format!("{nc:08x}");
        let auth = self.qop_auth.then_some(Auth { nc: &nc, cnonce });
        let response = response(self.algorithm, &ha1, method, uri, self.nonce, auth);
        let mut value = format!(
            "Digest username=\"{user}\", realm=\"{}\", nonce=\"{}\", uri=\"{uri}\", response=\"{response}\", algorithm={}",
            self.realm,
            self.nonce,
            self.algorithm.name()
        );
        if let Some(Auth { nc, cnonce }) = auth {
            let _ = write!(value, ", qop=auth, nc={nc}, cnonce=\"{cnonce}\"");
        }
        if let Some(opaque) = self.opaque {
            let _ = write!(value, ", opaque=\"{opaque}\"");
        }
        value
    }
}

/// A value that may stand between quotes.
pub(super) fn quotable(text: &str) -> String {
    text.chars().fold(String::with_capacity(text.len()), |mut out, c| {
        if matches!(c, '"' | '\\') {
            out.push('\\');
        }
        out.push(if c.is_control() { ' ' } else { c });
        out
    })
}

/// The most parts that a digest header may have: those of the RFCs are twelve.
const PARTS_MAX: usize = 24;

/// The `name=value` parts of a digest header.
struct Parts<'a>(arrayvec::ArrayVec<(&'a str, &'a str), PARTS_MAX>);

impl<'a> Parts<'a> {
    fn parse(value: &'a [u8]) -> Result<Parts<'a>, DigestError> {
        let value = text::trim(value);
        let space = value.iter().position(|b| text::is_space(*b)).ok_or(DigestError::Scheme)?;
        let (scheme, rest) = value.split_at(space);
        if !scheme.eq_ignore_ascii_case(b"Digest") {
            return Err(DigestError::Scheme);
        }
        let mut parts = Parts(arrayvec::ArrayVec::new());
        for element in text::Elements::new(rest) {
            let equals = memchr::memchr(b'=', element).ok_or(DigestError::Malformed)?;
            let (name, value) = (text::trim(&element[..equals]), text::trim(&element[equals + 1..]));
            let value = match text::split_quoted(value) {
                Some((inside, b"")) => inside,
                Some(_) => return Err(DigestError::Malformed),
                None if value.contains(&b'"') => return Err(DigestError::Malformed),
                None => value,
            };
            let name = str::from_utf8(name).map_err(|_| DigestError::Malformed)?;
            let value = str::from_utf8(value).map_err(|_| DigestError::Malformed)?;
            // A second `username` or `uri` would let two readers see two requests.
            if parts.get(name).is_some() || parts.0.try_push((name, value)).is_err() {
                return Err(DigestError::Malformed);
            }
        }
        Ok(parts)
    }

    fn get(&self, name: &str) -> Option<&'a str> {
        self.0.iter().find(|(candidate, _)| candidate.eq_ignore_ascii_case(name)).map(|(_, value)| *value)
    }

    fn want(&self, name: &'static str) -> Result<&'a str, DigestError> {
        self.get(name).ok_or(DigestError::Missing(name))
    }

    fn algorithm(&self) -> Result<Algorithm, DigestError> {
        self.get("algorithm").map_or(Ok(Algorithm::Md5), |name| Algorithm::from_name(name).ok_or(DigestError::Algorithm))
    }
}

#[cfg(test)]
#[path = "digest_tests.rs"]
mod tests;
