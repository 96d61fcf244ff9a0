//! Addresses in headers: From, To, Contact, Route, Refer-To, P-Asserted-Identity, … (RFC 3261 20.10, 25.1 `name-addr`, `addr-spec`).
//!
//! Owns the split into display name, URI and header parameters. The URI itself is taken apart when asked for.

use std::borrow::Cow;

use super::params::Params;
use super::text;
use super::uri::{Uri, UriError};

/// `"Display" <uri>;params`, or a bare `uri;params`, whose parameters are the header's and not the URI's (RFC 3261 20.10).
#[derive(Clone, Copy, Debug)]
pub struct NameAddr<'a> {
    /// The display name without its quotes; backslash escapes and folding are as received. Empty if there is none.
    pub display: &'a [u8],
    uri: &'a str,
    /// The header's parameters: `tag`, `q`, `expires`.
    pub params: Params<'a>,
}

impl<'a> NameAddr<'a> {
    /// From a header's value or one element of its list.
    ///
    /// `None` if a quote or bracket never closes, the parameters are malformed, the URI is not UTF-8, or a bare URI holds a comma or a
    /// question mark (RFC 3261 20.10 wants brackets then). A display name need not be tokens: carriers write dots and commas into it.
    #[must_use]
    pub fn parse(value: &'a [u8]) -> Option<NameAddr<'a>> {
        let value = text::trim(value);
        let (display, rest) = if value.first() == Some(&b'"') {
            let (display, rest) = text::split_quoted(value)?;
            (display, text::trim_start(rest))
        } else {
            match memchr::memchr3(b'<', b'>', b'"', value) {
                Some(at) if value[at] == b'<' => (text::trim(&value[..at]), &value[at..]),
                Some(at) if value[at] == b'>' => return None,
                // A quote of a parameter, or no bracket at all.
                _ => return NameAddr::parse_bare(value),
            }
        };
        let rest = rest.strip_prefix(b"<")?;
        let close = memchr::memchr(b'>', rest)?;
        let uri = str::from_utf8(&rest[..close]).ok().filter(|uri| !uri.is_empty())?;
        Some(NameAddr { display, uri, params: Params::parse(&rest[close + 1..])? })
    }

    fn parse_bare(value: &'a [u8]) -> Option<NameAddr<'a>> {
        let semicolon = memchr::memchr(b';', value).unwrap_or(value.len());
        let uri = text::trim(&value[..semicolon]);
        if uri.is_empty() || memchr::memchr2(b',', b'?', uri).is_some() {
            return None;
        }
        Some(NameAddr { display: b"", uri: str::from_utf8(uri).ok()?, params: Params::parse(&value[semicolon..])? })
    }

    /// The URI as received, not yet validated.
    #[must_use]
    pub fn raw_uri(&self) -> &'a str {
        self.uri
    }

    /// The URI, taken apart.
    ///
    /// # Errors
    /// When the URI is malformed.
    pub fn uri(&self) -> Result<Uri<'a>, UriError> {
        Uri::parse(self.uri)
    }

    /// The display name as text: in one line, escapes undone, what is not UTF-8 replaced.
    #[must_use]
    pub fn display_text(&self) -> Cow<'a, str> {
        match text::unfold(self.display) {
            Cow::Borrowed(display) => match text::unescape_quoted(display) {
                Cow::Borrowed(display) => String::from_utf8_lossy(display),
                Cow::Owned(display) => Cow::Owned(String::from_utf8_lossy(&display).into_owned()),
            },
            Cow::Owned(display) => Cow::Owned(String::from_utf8_lossy(&text::unescape_quoted(&display)).into_owned()),
        }
    }

    /// The `tag` of a From or To (RFC 3261 19.3), if it has one.
    #[must_use]
    pub fn tag(&self) -> Option<&'a str> {
        self.params.value("tag")
    }

    /// A header parameter: `None` if it is absent, `Some(None)` if it has no value.
    #[must_use]
    pub fn param(&self, name: &str) -> Option<Option<&'a str>> {
        self.params.get(name)
    }
}

/// One element of a Contact header (RFC 3261 20.10).
#[derive(Clone, Copy, Debug)]
pub enum ContactHeader<'a> {
    /// `*`: all registrations, to be removed (RFC 3261 10.2.2).
    Star,
    /// An address.
    Addr(NameAddr<'a>),
}

impl<'a> ContactHeader<'a> {
    /// From one element of a Contact header. `None` if it is malformed.
    #[must_use]
    pub fn parse(element: &'a [u8]) -> Option<ContactHeader<'a>> {
        if text::trim(element) == b"*" { Some(ContactHeader::Star) } else { NameAddr::parse(element).map(ContactHeader::Addr) }
    }

    /// The address, unless it is the star.
    #[must_use]
    pub fn addr(self) -> Option<NameAddr<'a>> {
        match self {
            ContactHeader::Star => None,
            ContactHeader::Addr(addr) => Some(addr),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn addr(text: &str) -> NameAddr<'_> {
        NameAddr::parse(text.as_bytes()).unwrap_or_else(|| panic!("{text}"))
    }

    #[test]
    fn with_brackets_parameters_are_on_the_side_where_they_stand() {
        let a = addr("\"J \\\"R\\\" <x>\"  <sip:j@e.com;lr>;tag=1;q=0.3");
        assert_eq!(a.display_text(), "J \"R\" <x>");
        assert_eq!(a.raw_uri(), "sip:j@e.com;lr");
        assert_eq!(a.uri().unwrap().param("lr"), Some(None));
        assert_eq!((a.tag(), a.param("q"), a.param("lr")), (Some("1"), Some(Some("0.3")), None));
    }

    #[test]
    fn without_brackets_all_parameters_are_the_headers() {
        let a = addr(" sip:j@e.com ;   tag    = 19n ;lr");
        assert_eq!((a.raw_uri(), a.tag(), a.param("lr")), ("sip:j@e.com", Some("19n"), Some(None)));
        assert_eq!(addr("sip:j@e.com;x=\"<,>\"").param("x"), Some(Some("<,>")));
    }

    #[test]
    fn display_names_as_carriers_write_them() {
        assert_eq!(addr("Bell, Alexander <sip:a@b>").display, b"Bell, Alexander");
        assert_eq!(addr("caller<sip:a@b>").display, b"caller");
        assert_eq!(addr("\"\" <sip:a@b>").display, b"");
        assert_eq!(NameAddr::parse(b"\"M\xfcller\" <sip:a@b>").unwrap().display_text(), "M\u{fffd}ller");
        assert_eq!(addr("\"two\r\n lines\" <sip:a@b>").display_text(), "two lines");
    }

    #[test]
    fn what_is_refused() {
        for bad in [
            "",
            ";tag=1",
            "\"open <sip:a@b>",
            "\"a\" sip:a@b",
            "<sip:a@b",
            "sip:a@b>",
            "<>",
            "<sip:a@b>;;",
            "<sip:a@b> x",
            "sip:a@b?Route=x",
            "sip:a@b,c",
        ] {
            assert!(NameAddr::parse(bad.as_bytes()).is_none(), "{bad}");
        }
    }
}
