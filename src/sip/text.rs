//! The lexical layer of SIP's grammar (RFC 3261 25.1): tokens, white space and folding, quoted strings, comma lists, numbers.
//!
//! Owns what every header shares and no header's meaning. Works on bytes: a value may hold any encoding, and one stray Latin-1 byte
//! in a display name must not cost a call.

use std::borrow::Cow;

use arrayvec::ArrayString;

const fn token_table() -> [bool; 256] {
    let mut table = [false; 256];
    let mut byte = 0;
    while byte < 256 {
        let b = byte as u8;
        table[byte] =
            b.is_ascii_alphanumeric() || matches!(b, b'-' | b'.' | b'!' | b'%' | b'*' | b'_' | b'+' | b'`' | b'\'' | b'~');
        byte += 1;
    }
    table
}

static TOKEN: [bool; 256] = token_table();

/// Whether these bytes are a token: at least one, all of the token alphabet.
#[must_use]
pub fn is_token(bytes: &[u8]) -> bool {
    !bytes.is_empty() && bytes.iter().all(|b| TOKEN[*b as usize])
}

/// Whether a byte of a header value is white space. CR and LF are, for the reader lets them stand only where a line is folded.
#[must_use]
#[inline]
pub const fn is_space(byte: u8) -> bool {
    matches!(byte, b' ' | b'\t' | b'\r' | b'\n')
}

/// Without white space at the front.
#[must_use]
#[inline]
pub fn trim_start(mut bytes: &[u8]) -> &[u8] {
    while let [first, rest @ ..] = bytes
        && is_space(*first)
    {
        bytes = rest;
    }
    bytes
}

/// Without white space at both ends.
#[must_use]
#[inline]
pub fn trim(bytes: &[u8]) -> &[u8] {
    let mut bytes = trim_start(bytes);
    while let [rest @ .., last] = bytes
        && is_space(*last)
    {
        bytes = rest;
    }
    bytes
}

/// A value in one line: each fold (CRLF and the white space after it) becomes one space (RFC 3261 7.3.1).
#[must_use]
pub fn unfold(value: &[u8]) -> Cow<'_, [u8]> {
    if memchr::memchr(b'\n', value).is_none() {
        return Cow::Borrowed(value);
    }
    let mut line = Vec::with_capacity(value.len());
    let mut rest = value;
    while let Some(at) = memchr::memchr2(b'\r', b'\n', rest) {
        line.extend_from_slice(&rest[..at]);
        line.push(b' ');
        rest = trim_start(&rest[at..]);
    }
    line.extend_from_slice(rest);
    Cow::Owned(line)
}

/// The inside of a quoted string with its backslash escapes undone. A backslash at the very end stands for itself.
#[must_use]
pub fn unescape_quoted(inside: &[u8]) -> Cow<'_, [u8]> {
    if memchr::memchr(b'\\', inside).is_none() {
        return Cow::Borrowed(inside);
    }
    let mut out = Vec::with_capacity(inside.len());
    let mut bytes = inside.iter().copied();
    while let Some(byte) = bytes.next() {
        out.push(if byte == b'\\' { bytes.next().unwrap_or(b'\\') } else { byte });
    }
    Cow::Owned(out)
}

/// Splits after a quoted string at the front: its inside, still escaped, and what follows the closing quote.
/// `None` if the bytes do not begin with a quote or the string never ends.
#[must_use]
pub fn split_quoted(bytes: &[u8]) -> Option<(&[u8], &[u8])> {
    let inside = bytes.strip_prefix(b"\"")?;
    let mut at = 0;
    loop {
        at += memchr::memchr2(b'"', b'\\', inside.get(at..)?)?;
        if inside[at] == b'"' {
            return Some((&inside[..at], &inside[at + 1..]));
        }
        at += 2;
    }
}

/// The place of the first of `stops` that stands outside of quoted strings; `None` too if a quoted string never ends.
pub(super) fn find_unquoted(bytes: &[u8], stops: &[u8]) -> Option<usize> {
    let mut at = 0;
    while let Some(byte) = bytes.get(at) {
        if stops.contains(byte) {
            return Some(at);
        }
        at = if *byte == b'"' { bytes.len() - split_quoted(&bytes[at..])?.1.len() } else { at + 1 };
    }
    None
}

/// A whole decimal number without sign. `None` if it is empty, holds anything but digits, or exceeds 64 bits.
#[must_use]
pub fn number(bytes: &[u8]) -> Option<u64> {
    if bytes.is_empty() {
        return None;
    }
    bytes.iter().try_fold(0u64, |value, byte| {
        let digit = byte.wrapping_sub(b'0');
        if digit > 9 { None } else { value.checked_mul(10)?.checked_add(u64::from(digit)) }
    })
}

/// Writes a number in hexadecimal, with so many digits at least. By hand, for each message of ours with a tag or a branch needs it. What has no
/// room is left out: choose `N` for the largest.
pub(super) fn push_hex<const N: usize>(text: &mut ArrayString<N>, number: impl Into<u64>, digits_min: u32) {
    let number = number.into();
    let digits = (u64::BITS - number.leading_zeros()).div_ceil(4).max(digits_min);
    for place in (0..digits).rev() {
        let digit = char::from_digit((number >> (4 * place) & 0xf) as u32, 16);
        let pushed = text.try_push(digit.unwrap_or('0'));
        debug_assert!(pushed.is_ok(), "no room for all digits");
    }
}

/// The elements of a comma-separated value, trimmed. Commas within quotes and within `<>` separate nothing; empty elements are left out.
#[derive(Clone, Debug)]
pub struct Elements<'a> {
    rest: &'a [u8],
}

impl<'a> Elements<'a> {
    /// The elements of `value`.
    #[must_use]
    pub fn new(value: &'a [u8]) -> Self {
        Elements { rest: value }
    }

    /// Where the first element of `rest` ends. A quote or bracket that never closes reaches to the end, for its reader to refuse.
    fn end_of_first(&self) -> usize {
        let bytes = self.rest;
        let mut at = 0;
        while let Some(found) = bytes.get(at..).and_then(|rest| memchr::memchr3(b',', b'"', b'<', rest)) {
            at += found;
            let after = match bytes[at] {
                b',' => return at,
                b'"' => split_quoted(&bytes[at..]).map(|(_, after)| bytes.len() - after.len()),
                _ => memchr::memchr(b'>', &bytes[at..]).map(|close| at + close + 1),
            };
            let Some(after) = after else { return bytes.len() };
            at = after;
        }
        bytes.len()
    }
}

impl<'a> Iterator for Elements<'a> {
    type Item = &'a [u8];

    fn next(&mut self) -> Option<&'a [u8]> {
        while !self.rest.is_empty() {
            let end = self.end_of_first();
            let element = trim(&self.rest[..end]);
            self.rest = self.rest.get(end + 1..).unwrap_or_default();
            if !element.is_empty() {
                return Some(element);
            }
        }
        None
    }
}

/// Bytes of a URI with its `%` escapes undone (RFC 3261 25.1 `escaped`). What is no escape stays; what is not UTF-8 afterwards stays escaped.
#[must_use]
pub fn unescape_percent(text: &str) -> Cow<'_, str> {
    if !text.contains('%') {
        return Cow::Borrowed(text);
    }
    let mut out = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let Some((first, after)) = rest.split_first() {
        if *first == b'%'
            && let [high, low, after @ ..] = after
            && let (Some(high), Some(low)) = (hex_digit(*high), hex_digit(*low))
        {
            out.push(high << 4 | low);
            rest = after;
        } else {
            out.push(*first);
            rest = after;
        }
    }
    String::from_utf8(out).map_or(Cow::Borrowed(text), Cow::Owned)
}

/// The value of a hexadecimal digit of either case.
pub(super) fn hex_digit(byte: u8) -> Option<u8> {
    match byte {
        b'0'..=b'9' => Some(byte - b'0'),
        b'a'..=b'f' => Some(byte - b'a' + 10),
        b'A'..=b'F' => Some(byte - b'A' + 10),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn elements(value: &str) -> Vec<&str> {
        Elements::new(value.as_bytes()).map(|e| str::from_utf8(e).unwrap()).collect()
    }

    #[test]
    fn commas_in_quotes_and_brackets_separate_nothing() {
        assert_eq!(elements("a, b ,c"), ["a", "b", "c"]);
        assert_eq!(
            elements(r#""Bell, A \", B" <sip:a,b@c;x=","> , <sip:d>"#),
            [r#""Bell, A \", B" <sip:a,b@c;x=",">"#, "<sip:d>"]
        );
        assert_eq!(elements(" , ,,"), Vec::<&str>::new());
        assert_eq!(elements("\"open, b"), ["\"open, b"]);
        assert_eq!(elements("<open, b"), ["<open, b"]);
    }

    #[test]
    fn folds_become_one_space() {
        assert_eq!(&*unfold(b"a\r\n  b\r\n\tc"), b"a b c");
        assert_eq!(&*unfold(b"plain"), b"plain");
    }

    #[test]
    fn quoted_strings_end_at_an_unescaped_quote() {
        assert_eq!(split_quoted(br#""a\"b\\" c"#), Some((&br#"a\"b\\"#[..], &b" c"[..])));
        assert_eq!(split_quoted(br#""a\""#), None);
        assert_eq!(split_quoted(br#""a\"#), None);
        assert_eq!(&*unescape_quoted(br#"a\"b\\"#), br#"a"b\"#);
    }

    #[test]
    fn numbers_are_digits_only_and_bounded() {
        assert_eq!(number(b"0068"), Some(68));
        for bad in ["", "-1", "+1", "1 ", "0x1", "36893488147419103232"] {
            assert_eq!(number(bad.as_bytes()), None, "{bad}");
        }
    }

    #[test]
    fn percent_escapes() {
        assert_eq!(unescape_percent("%6C%72"), "lr");
        assert_eq!(unescape_percent("null-%00-null"), "null-\0-null");
        assert_eq!(unescape_percent("100%"), "100%");
        assert_eq!(unescape_percent("%ff"), "%ff");
        assert_eq!(unescape_percent("%Z%45"), "%ZE");
    }
}
