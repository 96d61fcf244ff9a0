//! The fields of a line of the log: a flat JSON object (RFC 8259), read without copying.
//!
//! It is several times faster than a general reader. Values other than texts, whole numbers and booleans are left to
//! `serde_json`.

use arrayvec::ArrayVec;
use serde::de::IgnoredAny;

use super::decode::BadLine;
use super::family::Text;

/// The greatest number of fields of a line.
const FIELDS_MAX: usize = 32;

/// A value. Other values are of no use to this version.
#[derive(Clone, PartialEq, Debug)]
enum Json<'a> {
    Text(Text<'a>),
    Number(u64),
    Flag(bool),
    Other,
}

/// The fields of one line, in their order.
pub(super) struct Fields<'a>(ArrayVec<(&'a str, Json<'a>), FIELDS_MAX>);

impl<'a> Fields<'a> {
    /// Reads the fields of a line.
    pub(super) fn of(line: &'a [u8]) -> Result<Self, BadLine> {
        let text = str::from_utf8(line).map_err(|_| BadLine::Json)?;
        let mut scanner = Scanner { text, at: 0 };
        let mut fields = ArrayVec::new();
        scanner.expect(b'{')?;
        if !scanner.follows(b'}') {
            loop {
                let key = scanner.plain_string()?;
                scanner.expect(b':')?;
                let value = scanner.value()?;
                fields.try_push((key, value)).map_err(|_| BadLine::Json)?;
                if !scanner.follows(b',') {
                    break;
                }
            }
            scanner.expect(b'}')?;
        }
        scanner.end()?;
        Ok(Fields(fields))
    }

    fn take(&mut self, name: &str) -> Option<Json<'a>> {
        let (_, value) = self.0.iter_mut().find(|(known, _)| *known == name)?;
        Some(std::mem::replace(value, Json::Other))
    }

    /// A text or a name, if it is there.
    pub(super) fn text(&mut self, name: &str) -> Option<Text<'a>> {
        match self.take(name) {
            Some(Json::Text(text)) => Some(text),
            _ => None,
        }
    }

    /// A number, if it is there.
    pub(super) fn number<T: TryFrom<u64>>(&mut self, name: &str) -> Option<T> {
        match self.take(name) {
            Some(Json::Number(number)) => T::try_from(number).ok(),
            _ => None,
        }
    }

    /// A boolean, if it is there.
    pub(super) fn flag(&mut self, name: &str) -> Option<bool> {
        match self.take(name) {
            Some(Json::Flag(flag)) => Some(flag),
            _ => None,
        }
    }
}

struct Scanner<'a> {
    text: &'a str,
    at: usize,
}

impl<'a> Scanner<'a> {
    fn rest(&self) -> &'a [u8] {
        &self.text.as_bytes()[self.at..]
    }

    /// The next byte that is not white space; it is not consumed.
    fn peek(&mut self) -> Option<u8> {
        while let Some(b' ' | b'\t' | b'\r' | b'\n') = self.rest().first() {
            self.at += 1;
        }
        self.rest().first().copied()
    }

    fn follows(&mut self, byte: u8) -> bool {
        let follows = self.peek() == Some(byte);
        self.at += usize::from(follows);
        follows
    }

    fn expect(&mut self, byte: u8) -> Result<(), BadLine> {
        if self.follows(byte) { Ok(()) } else { Err(BadLine::Json) }
    }

    fn end(&mut self) -> Result<(), BadLine> {
        if self.peek().is_none() { Ok(()) } else { Err(BadLine::Json) }
    }

    /// A string without escapes, which all keys of ours are.
    fn plain_string(&mut self) -> Result<&'a str, BadLine> {
        self.expect(b'"')?;
        let length = memchr::memchr2(b'"', b'\\', self.rest()).ok_or(BadLine::Json)?;
        let string = &self.text[self.at..self.at + length];
        self.at += length;
        self.expect(b'"')?;
        Ok(string)
    }

    fn value(&mut self) -> Result<Json<'a>, BadLine> {
        let begin = self.peek();
        let from = self.at;
        match begin {
            Some(b'"') => match self.plain_string() {
                Ok(string) => Ok(Json::Text(Text::Borrowed(string))),
                Err(_) => {
                    self.at = from;
                    self.general::<String>().map(|string| Json::Text(Text::Owned(string)))
                }
            },
            Some(b'0'..=b'9') => {
                let digits = self.rest().iter().take_while(|byte| byte.is_ascii_digit()).count();
                match self.text[from..from + digits].parse() {
                    Ok(number) if !matches!(self.rest().get(digits), Some(b'.' | b'e' | b'E')) => {
                        self.at += digits;
                        Ok(Json::Number(number))
                    }
                    _ => self.general::<IgnoredAny>().map(|_| Json::Other),
                }
            }
            Some(b't' | b'f') => self.general().map(Json::Flag),
            _ => self.general::<IgnoredAny>().map(|_| Json::Other),
        }
    }

    /// Any value of JSON.
    fn general<T: serde::de::DeserializeOwned>(&mut self) -> Result<T, BadLine> {
        let mut stream = serde_json::Deserializer::from_slice(self.rest()).into_iter::<T>();
        let value = stream.next().and_then(Result::ok).ok_or(BadLine::Json)?;
        self.at += stream.byte_offset();
        Ok(value)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whatever_is_json_is_taken_apart() {
        let line = r#" { "a" : "x" , "b":12,"c":true,"d":"q\"\u00e9\\","e":{"f":[1,"}"]},"g":null,"h":-1,"i":1.5,"j":"" } "#;
        let mut fields = Fields::of(line.as_bytes()).unwrap();
        assert!(matches!(fields.text("a"), Some(Text::Borrowed("x"))));
        assert_eq!((fields.number("b"), fields.flag("c")), (Some(12u8), Some(true)));
        assert_eq!(fields.text("d").unwrap(), "q\"é\\");
        assert_eq!(fields.text("j").unwrap(), "");
        for name in ["e", "g", "h", "i", "z"] {
            assert!(fields.text(name).is_none() && fields.number::<u64>(name).is_none());
        }
        assert!(Fields::of(b"{}").is_ok());
    }

    #[test]
    fn what_is_no_object_is_refused() {
        for line in [
            "",
            "{",
            "}",
            "[]",
            "1",
            "{\"a\"}",
            "{\"a\":}",
            "{\"a\":1",
            "{\"a\":1,}",
            "{a:1}",
            "{\"a\":1}x",
            "{\"a\":\"x}",
            "{\"a\":tru}",
            "{\"a\":1 2}",
            "{\"a\":\"\\x\"}",
            "{,}",
        ] {
            assert!(Fields::of(line.as_bytes()).is_err(), "{line}");
        }
        assert!(Fields::of(b"{\"a\":\"\xff\"}").is_err());
    }
}
