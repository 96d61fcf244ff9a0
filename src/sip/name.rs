//! Header field names: which ones hotline knows, and how they are written.
//!
//! Owns the list of names with their full and compact forms (RFC 3261 7.3.3 and the RFC of each extension). It never looks at values.
//! A name that is not listed is [`Name::Other`]: the message keeps it byte for byte.

use std::fmt;

macro_rules! names {
    ($($variant:ident = $full:literal $($compact:literal)?, $doc:literal;)+) => {
        /// The name of a header field that hotline knows, or [`Name::Other`].
        #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
        #[repr(u8)]
        pub enum Name {
            $(#[doc = $doc] $variant,)+
            /// Any other name: the field's `raw_name` tells which.
            Other,
        }

        impl Name {
            /// Every name but [`Name::Other`].
            pub const ALL: &'static [Name] = &[$(Name::$variant,)+];

            /// The full form as it is written; empty for [`Name::Other`].
            #[must_use]
            pub const fn full(self) -> &'static str {
                match self {
                    $(Name::$variant => $full,)+
                    Name::Other => "",
                }
            }

            /// The compact form, a lower-case letter, where one is registered.
            #[must_use]
            pub const fn compact(self) -> Option<u8> {
                match self {
                    $($(Name::$variant => Some($compact),)?)+
                    _ => None,
                }
            }
        }
    };
}

names! {
    Via = "Via" b'v', "RFC 3261 20.42: the way that responses take back.";
    From = "From" b'f', "RFC 3261 20.20: who asks.";
    To = "To" b't', "RFC 3261 20.39: who is asked.";
    CallId = "Call-ID" b'i', "RFC 3261 20.8: the call, or a phone's registrations.";
    CSeq = "CSeq", "RFC 3261 20.16: the order of requests, and the request's method again.";
    Contact = "Contact" b'm', "RFC 3261 20.10: where to reach the sender directly.";
    Route = "Route", "RFC 3261 20.34: proxies that the request has yet to visit.";
    RecordRoute = "Record-Route", "RFC 3261 20.30: proxies that want the dialog's further requests.";
    MaxForwards = "Max-Forwards", "RFC 3261 20.22: hops left.";
    ContentLength = "Content-Length" b'l', "RFC 3261 20.14: the body's length in octets.";
    ContentType = "Content-Type" b'c', "RFC 3261 20.15: the body's media type.";
    Expires = "Expires", "RFC 3261 20.19: seconds until it lapses.";
    MinExpires = "Min-Expires", "RFC 3261 20.23: the shortest registration granted.";
    Authorization = "Authorization", "RFC 3261 20.7: credentials for a server.";
    WwwAuthenticate = "WWW-Authenticate", "RFC 3261 20.44: a server's challenge.";
    ProxyAuthorization = "Proxy-Authorization", "RFC 3261 20.28: credentials for a proxy.";
    ProxyAuthenticate = "Proxy-Authenticate", "RFC 3261 20.27: a proxy's challenge.";
    AuthenticationInfo = "Authentication-Info", "RFC 3261 20.6: the next nonce.";
    Require = "Require", "RFC 3261 20.32: extensions without which the request makes no sense.";
    ProxyRequire = "Proxy-Require", "RFC 3261 20.29: the same for proxies.";
    Supported = "Supported" b'k', "RFC 3261 20.37: extensions that the sender has.";
    Unsupported = "Unsupported", "RFC 3261 20.40: extensions that the answer (420) lacks.";
    Allow = "Allow", "RFC 3261 20.5: methods that the sender takes.";
    Accept = "Accept", "RFC 3261 20.1: media types that the sender takes.";
    AcceptEncoding = "Accept-Encoding", "RFC 3261 20.2: content codings that the sender takes.";
    AcceptLanguage = "Accept-Language", "RFC 3261 20.3: languages that the sender reads.";
    ContentEncoding = "Content-Encoding" b'e', "RFC 3261 20.12: how the body is coded.";
    RetryAfter = "Retry-After", "RFC 3261 20.33: seconds after which to try again.";
    Reason = "Reason", "RFC 3326: why a request was sent.";
    Replaces = "Replaces", "RFC 3891: the dialog whose place is taken.";
    ReferTo = "Refer-To" b'r', "RFC 3515: whom to call.";
    ReferredBy = "Referred-By" b'b', "RFC 3892: who referred.";
    ReferSub = "Refer-Sub", "RFC 4488: whether a REFER makes a subscription.";
    Event = "Event" b'o', "RFC 6665: the event package.";
    SubscriptionState = "Subscription-State", "RFC 6665: how a subscription stands.";
    Subject = "Subject" b's', "RFC 3261 20.36: what the call is about.";
    Server = "Server", "RFC 3261 20.35: the answering software.";
    UserAgent = "User-Agent", "RFC 3261 20.41: the asking software.";
    Diversion = "Diversion", "RFC 5806: from whom the call was diverted.";
    HistoryInfo = "History-Info", "RFC 7044: the way that the call took.";
    PAssertedIdentity = "P-Asserted-Identity", "RFC 3325: who calls, by the word of a trusted network.";
    PPreferredIdentity = "P-Preferred-Identity", "RFC 3325: who the caller would like to be.";
    Privacy = "Privacy", "RFC 3323: what is to be hidden.";
    AlertInfo = "Alert-Info", "RFC 3261 20.4: how to ring.";
    CallInfo = "Call-Info", "RFC 3261 20.9: more about the caller or the called.";
    Path = "Path", "RFC 3327: proxies between a registrar and a phone.";
    Warning = "Warning", "RFC 3261 20.43: what went wrong, in words.";
    Date = "Date", "RFC 3261 20.17: when the message was first sent.";
    Timestamp = "Timestamp", "RFC 3261 20.38: the sender's clock, to be echoed.";
    SessionExpires = "Session-Expires" b'x', "RFC 4028: the session's refresh interval.";
    MinSe = "Min-SE", "RFC 4028: the shortest refresh interval granted.";
    RSeq = "RSeq", "RFC 3262: a reliable provisional response's number.";
    RAck = "RAck", "RFC 3262: which of them is acknowledged.";
    AllowEvents = "Allow-Events" b'u', "RFC 6665: event packages that the sender has.";
    Organization = "Organization", "RFC 3261 20.25: the sender's organisation.";
    MimeVersion = "MIME-Version", "RFC 3261 20.24: the version of MIME.";
}

/// A name's spelling beside it, so that a lookup touches one table only.
const fn entry(name: Name) -> (&'static [u8], Name) {
    (name.full().as_bytes(), name)
}

/// The names of each length, so that a lookup compares a handful of candidates only. Most frequent first.
static BY_LENGTH: [&[(&[u8], Name)]; 21] = {
    use Name::*;
    [
        &[],
        &[],
        &[entry(To)],
        &[entry(Via)],
        &[entry(From), entry(CSeq), entry(Path), entry(Date), entry(RSeq), entry(RAck)],
        &[entry(Allow), entry(Route), entry(Event)],
        &[entry(Accept), entry(Server), entry(Reason), entry(MinSe)],
        &[entry(CallId), entry(Contact), entry(Expires), entry(Require), entry(Privacy), entry(Subject), entry(Warning)],
        &[entry(ReferTo), entry(Replaces)],
        &[entry(Supported), entry(ReferSub), entry(Diversion), entry(Timestamp), entry(CallInfo)],
        &[entry(UserAgent), entry(AlertInfo)],
        &[entry(MinExpires), entry(RetryAfter), entry(ReferredBy), entry(Unsupported)],
        &[
            entry(MaxForwards),
            entry(ContentType),
            entry(RecordRoute),
            entry(HistoryInfo),
            entry(AllowEvents),
            entry(Organization),
            entry(MimeVersion),
        ],
        &[entry(Authorization), entry(ProxyRequire)],
        &[entry(ContentLength)],
        &[entry(SessionExpires), entry(AcceptEncoding), entry(AcceptLanguage)],
        &[entry(WwwAuthenticate), entry(ContentEncoding)],
        &[],
        &[entry(ProxyAuthenticate), entry(SubscriptionState)],
        &[entry(ProxyAuthorization), entry(AuthenticationInfo), entry(PAssertedIdentity)],
        &[entry(PPreferredIdentity)],
    ]
};

impl Name {
    /// The name that these bytes write, in full or compact form, in any case (RFC 3261 7.3.1).
    #[must_use]
    #[inline(always)]
    pub fn from_bytes(bytes: &[u8]) -> Name {
        let (first, last) = match bytes {
            [] => return Name::Other,
            [letter] => return Name::from_compact(*letter),
            [first, .., last] => (first, last),
        };
        let candidates = BY_LENGTH.get(bytes.len()).copied().unwrap_or_default();
        for (full, name) in candidates {
            // Both ends differ, case aside, for nearly all that are not it; the whole is compared for nearly none.
            let ends = (full[0] ^ first) | (full[full.len() - 1] ^ last);
            if ends & !0x20 == 0 && (*full == bytes || full.eq_ignore_ascii_case(bytes)) {
                return *name;
            }
        }
        Name::Other
    }

    fn from_compact(letter: u8) -> Name {
        match letter.to_ascii_lowercase() {
            b'v' => Name::Via,
            b'f' => Name::From,
            b't' => Name::To,
            b'i' => Name::CallId,
            b'm' => Name::Contact,
            b'l' => Name::ContentLength,
            b'c' => Name::ContentType,
            b'k' => Name::Supported,
            b'e' => Name::ContentEncoding,
            b'r' => Name::ReferTo,
            b'b' => Name::ReferredBy,
            b'o' => Name::Event,
            b's' => Name::Subject,
            b'x' => Name::SessionExpires,
            b'u' => Name::AllowEvents,
            _ => Name::Other,
        }
    }

    /// One bit per name, for sets of names.
    pub(super) const fn bit(self) -> u64 {
        1 << self as u8
    }
}

impl fmt::Display for Name {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.full())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_name_is_found_in_every_way_of_writing_it() {
        for name in Name::ALL {
            let full = name.full();
            assert_eq!(Name::from_bytes(full.as_bytes()), *name);
            assert_eq!(Name::from_bytes(full.to_ascii_uppercase().as_bytes()), *name);
            assert_eq!(Name::from_bytes(full.to_ascii_lowercase().as_bytes()), *name);
            if let Some(letter) = name.compact() {
                assert_eq!(Name::from_bytes(&[letter]), *name);
                assert_eq!(Name::from_bytes(&[letter.to_ascii_uppercase()]), *name);
            }
        }
        assert!(Name::ALL.len() < 64, "bit() needs a bit for each and for Other");
    }

    #[test]
    fn compact_letters_are_those_of_the_table() {
        for letter in 0..=u8::MAX {
            let name = Name::from_bytes(&[letter]);
            assert_eq!(name.compact(), if name == Name::Other { None } else { Some(letter.to_ascii_lowercase()) });
        }
    }

    #[test]
    fn what_is_not_known_is_other() {
        for text in ["", "Vi", "Vias", "X-Anything", "Content_Length", "C%6Fntact", "a-name-that-is-longer-than-all-of-them"] {
            assert_eq!(Name::from_bytes(text.as_bytes()), Name::Other, "{text}");
        }
    }
}
