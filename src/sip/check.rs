//! What every message must carry, checked once before anything else looks at it (RFC 3261 8.1.1, 8.2, 16.3, 20; RFC 4475).
//!
//! Owns the verdict on a single message: which status answers it if it is a request, or that it is to be discarded if it is a response.
//! It knows no transaction, dialog or configuration.

use super::head::Fault;
use super::header::HeaderError;
use super::message::{Message, Start};
use super::method::Method;
use super::name::Name;
use super::uri::{Scheme, Uri};

/// Why a message is refused. A response with a defect is dropped (RFC 3261 18.1.2); a request is answered, unless it is an ACK.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Defect {
    /// The status to answer with: 400, 416, 501 or 505.
    pub status: u16,
    /// The reason phrase to answer with: it says what is wrong, as RFC 3261 21.4.1 asks.
    pub reason: &'static str,
}

impl Defect {
    const fn bad(reason: &'static str) -> Defect {
        Defect { status: 400, reason }
    }

    pub(super) const fn of_fault(fault: Fault) -> Defect {
        Defect::bad(match fault {
            Fault::KeepAlive => "Empty Message",
            Fault::TooLong => "Message Too Long",
            Fault::NoHeadEnd => "No End Of Header",
            Fault::LineEnd => "Stray Line End",
            Fault::StartLine | Fault::StatusCode => "Malformed Start Line",
            Fault::HeaderLine => "Malformed Header Line",
            Fault::LengthMalformed => "Malformed Content-Length",
            Fault::LengthConflict => "Conflicting Content-Length",
            Fault::LengthBeyond => "Content-Length Beyond End Of Message",
        })
    }

    const fn of_header(error: HeaderError) -> Defect {
        Defect::bad(match error {
            HeaderError::Missing(Name::Via) => "Missing Via",
            HeaderError::Missing(Name::From) => "Missing From",
            HeaderError::Missing(Name::To) => "Missing To",
            HeaderError::Missing(Name::CallId) => "Missing Call-ID",
            HeaderError::Missing(Name::CSeq) => "Missing CSeq",
            HeaderError::Missing(_) => "Missing Header",
            HeaderError::Malformed(Name::Via) => "Malformed Via",
            HeaderError::Malformed(Name::From) => "Malformed From",
            HeaderError::Malformed(Name::To) => "Malformed To",
            HeaderError::Malformed(Name::CallId) => "Malformed Call-ID",
            HeaderError::Malformed(Name::CSeq) => "Malformed CSeq",
            HeaderError::Malformed(Name::MaxForwards) => "Malformed Max-Forwards",
            HeaderError::Malformed(Name::Contact) => "Malformed Contact",
            HeaderError::Malformed(Name::Route) => "Malformed Route",
            HeaderError::Malformed(Name::RecordRoute) => "Malformed Record-Route",
            HeaderError::Malformed(_) => "Malformed Header",
        })
    }
}

impl From<HeaderError> for Defect {
    fn from(error: HeaderError) -> Defect {
        Defect::of_header(error)
    }
}

/// Headers that may stand once only (RFC 3261 7.3.1: those whose grammar is no comma list).
const SINGLE: u64 = Name::From.bit()
    | Name::To.bit()
    | Name::CallId.bit()
    | Name::CSeq.bit()
    | Name::MaxForwards.bit()
    | Name::ContentLength.bit()
    | Name::ContentType.bit()
    | Name::Expires.bit()
    | Name::MinExpires.bit()
    | Name::Event.bit()
    | Name::SubscriptionState.bit()
    | Name::ReferTo.bit()
    | Name::ReferredBy.bit()
    | Name::Replaces.bit()
    | Name::SessionExpires.bit()
    | Name::MinSe.bit()
    | Name::RSeq.bit()
    | Name::RAck.bit();

/// The mark of a branch made by RFC 3261's rules (8.1.1.7).
const BRANCH_COOKIE: &str = "z9hG4bK";

impl Message<'_> {
    /// All that any request or response must carry.
    ///
    /// Both: SIP/2.0, the topmost Via, From, To, Call-ID, CSeq, Max-Forwards in range, single headers once. Requests: the Request-URI, the
    /// method in CSeq, a branch that is more than its cookie, Contact, Route and Record-Route. A missing Max-Forwards or From tag is
    /// let pass, for RFC 2543 elements write none.
    ///
    /// # Errors
    /// With the first defect found.
    pub fn check(&self) -> Result<(), Defect> {
        if !self.is_version_2() {
            return Err(Defect { status: 505, reason: "Version Not Supported" });
        }
        let via = self.top_via()?;
        let (_, repeated) = self.names();
        if repeated & SINGLE != 0 {
            return Err(Defect::bad("Repeated Header"));
        }
        self.call_id()?;
        let cseq = self.cseq()?;
        if self.from()?.uri().is_err() {
            return Err(HeaderError::Malformed(Name::From).into());
        }
        if self.to()?.uri().is_err() {
            return Err(HeaderError::Malformed(Name::To).into());
        }
        self.max_forwards()?;
        let Start::Request { method, uri } = self.start else { return Ok(()) };
        if cseq.method != method {
            // For a method that is not known, 501 says more than 400 (RFC 4475 3.1.2.18).
            return Err(match method {
                Method::Other(_) => Defect { status: 501, reason: "Not Implemented" },
                _ => Defect::bad("CSeq Method Mismatch"),
            });
        }
        if via.branch() == Some(BRANCH_COOKIE) {
            return Err(Defect::bad("Empty Branch"));
        }
        check_request_uri(uri)?;
        self.check_addresses()
    }

    fn check_addresses(&self) -> Result<(), Defect> {
        for contact in self.contacts() {
            if contact?.addr().is_some_and(|addr| addr.uri().is_err()) {
                return Err(HeaderError::Malformed(Name::Contact).into());
            }
        }
        for name in [Name::Route, Name::RecordRoute] {
            for route in self.addresses(name) {
                if route?.uri().is_err() {
                    return Err(HeaderError::Malformed(name).into());
                }
            }
        }
        Ok(())
    }
}

/// A Request-URI is sip, sips or tel (else 416) and has no headers (RFC 3261 19.1.1).
fn check_request_uri(uri: &str) -> Result<(), Defect> {
    let uri = Uri::parse(uri).map_err(|_| Defect::bad("Malformed Request-URI"))?;
    if matches!(uri.scheme, Scheme::Other(_)) {
        return Err(Defect { status: 416, reason: "Unsupported URI Scheme" });
    }
    if uri.headers.is_empty() { Ok(()) } else { Err(Defect::bad("Headers In Request-URI")) }
}
