//! Parameters: `;name=value` after a URI or a header value (RFC 3261 7.3.1, 19.1.1, 25.1 `generic-param`).
//!
//! Owns their splitting. What a parameter means belongs to whoever asks for it. The grammar is checked once, when the owner is read, so
//! that every later look is infallible.

use super::text;

/// A validated run of parameters, possibly empty. Names are compared without case.
#[derive(Clone, Copy, Default, PartialEq, Eq, Debug)]
pub struct Params<'a> {
    /// Empty, or from the first semicolon on.
    raw: &'a [u8],
}

impl<'a> Params<'a> {
    /// Checks that `bytes` are parameters: nothing, or a semicolon before each. An empty parameter, a value that is neither one word
    /// nor a quoted string, or a name that is no word is refused.
    pub(super) fn parse(bytes: &'a [u8]) -> Option<Params<'a>> {
        let raw = text::trim(bytes);
        let mut rest = raw;
        while !rest.is_empty() {
            let (one, after) = split_first(rest)?;
            let (name, value) = split_value(one);
            if !is_word(name) || !name.is_ascii() {
                return None;
            }
            match value {
                Some(value) if value.first() == Some(&b'"') => {
                    let (_, after) = text::split_quoted(value)?;
                    if !after.is_empty() {
                        return None;
                    }
                }
                Some(value) if !value.is_empty() && !is_word(value) => return None,
                _ => {}
            }
            rest = after;
        }
        Some(Params { raw })
    }

    /// All of them in order: name, and the value if there is a `=`. A quoted value comes without its quotes, still escaped; one that
    /// is not UTF-8 is left out.
    pub fn iter(self) -> impl Iterator<Item = (&'a str, Option<&'a str>)> {
        self.iter_written().map(|one| {
            let (name, value) = split_value(one);
            (str::from_utf8(name).unwrap_or_default(), value.and_then(unquoted))
        })
    }

    /// All of them in order, each as written: `name`, `name=value`, `name="value"`.
    pub(super) fn iter_written(self) -> impl Iterator<Item = &'a [u8]> {
        let mut rest = self.raw;
        std::iter::from_fn(move || {
            let (one, after) = split_first(rest)?;
            rest = after;
            Some(one)
        })
    }

    /// The first parameter of this name: `None` if it is absent, `Some(None)` if it has no value.
    #[must_use]
    pub fn get(self, name: &str) -> Option<Option<&'a str>> {
        let mut all = self.iter_written().map(split_value);
        let (_, value) = all.find(|(candidate, _)| candidate.eq_ignore_ascii_case(name.as_bytes()))?;
        Some(value.and_then(unquoted))
    }

    /// The value of the first parameter of this name, if it has one that is not empty.
    #[must_use]
    pub fn value(self, name: &str) -> Option<&'a str> {
        self.get(name).flatten().filter(|value| !value.is_empty())
    }

    /// Whether there is a parameter of this name.
    #[must_use]
    pub fn has(self, name: &str) -> bool {
        self.get(name).is_some()
    }

    /// As received, from the first semicolon on.
    #[must_use]
    pub fn raw(self) -> &'a [u8] {
        self.raw
    }

    /// Whether there are none.
    #[must_use]
    pub fn is_empty(self) -> bool {
        self.raw.is_empty()
    }
}

/// `;one;rest` into `one` and `;rest`.
#[inline]
fn split_first(bytes: &[u8]) -> Option<(&[u8], &[u8])> {
    let bytes = bytes.strip_prefix(b";")?;
    let end = match memchr::memchr2(b';', b'"', bytes) {
        Some(at) if bytes[at] == b'"' => text::find_unquoted(bytes, b";").unwrap_or(bytes.len()),
        Some(at) => at,
        None => bytes.len(),
    };
    Some((text::trim(&bytes[..end]), &bytes[end..]))
}

fn split_value(one: &[u8]) -> (&[u8], Option<&[u8]>) {
    match memchr::memchr(b'=', one) {
        Some(at) => (text::trim(&one[..at]), Some(text::trim(&one[at + 1..]))),
        None => (one, None),
    }
}

/// A value without its quotes, if it has any; `None` if it is not UTF-8.
fn unquoted(value: &[u8]) -> Option<&str> {
    let inside = text::split_quoted(value).map_or(value, |(inside, _)| inside);
    str::from_utf8(inside).ok()
}

/// One word: wider than `token` (it takes what URI parameters and unquoted IPv6 addresses need), narrow enough that no value can hide
/// a separator.
fn is_word(bytes: &[u8]) -> bool {
    !bytes.is_empty() && bytes.iter().all(|b| *b > b' ' && !matches!(b, b'"' | b'<' | b'>' | b',' | b';' | 0x7f))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn all(text: &str) -> Option<Vec<(&str, Option<&str>)>> {
        Params::parse(text.as_bytes()).map(|params| params.iter().collect())
    }

    #[test]
    fn names_and_values() {
        assert_eq!(all(""), Some(vec![]));
        assert_eq!(all(" ;a ; B = c;d=\"x;\\\"y\" "), Some(vec![("a", None), ("B", Some("c")), ("d", Some("x;\\\"y"))]));
        assert_eq!(all(";received=[2001:db8::1];tag="), Some(vec![("received", Some("[2001:db8::1]")), ("tag", Some(""))]));
        let params = Params::parse(b";Tag=1;tag=2;lr").unwrap();
        assert_eq!(params.get("TAG"), Some(Some("1")));
        assert_eq!(params.get("lr"), Some(None));
        assert_eq!(params.get("maddr"), None);
        assert_eq!(Params::parse(b";x=\"\xff\"").unwrap().get("x"), Some(None));
    }

    #[test]
    fn what_is_refused() {
        for bad in [";", ";;", "a", ";a;", ";=b", ";a b", ";a=b c", ";a=\"b", ";a=\"b\"c", ";a=b,c", ";a=<b>"] {
            assert_eq!(all(bad), None, "{bad}");
        }
    }
}
