//! A city for one queue, and the words of its callers and phones.
#![allow(dead_code, reason = "not every bench has both cities")]

use hotline::config;
use hotline::engine::Settings;
use hotline::sip::{Message, Name};

pub(crate) const CALLER: &str = "192.0.2.1:5070";
pub(crate) const AGENT: &str = "203.0.113.2:7000";
pub(crate) const SDP: &str = "v=0\r\no=- 1 1 IN IP4 192.0.2.1\r\ns=-\r\nc=IN IP4 192.0.2.1\r\nt=0 0\r\nm=audio 30000 RTP/AVP 0\r\na=rtpmap:0 PCMU/8000\r\na=ptime:20\r\n";

/// A city of so many agents, who have one call at once.
pub(crate) fn settings(agents: u32) -> Settings {
    city(agents, false)
}

/// A city of so many agents, who may have one call, or beside it a chat: then their desks have to agree before they are rung.
pub(crate) fn city(agents: u32, several: bool) -> Settings {
    let at_once = if several { "at_once = [{ voice = 1, chat = 1 }]\n" } else { "" };
    let text = format!(
        "[server]\nlisten = [\"udp:127.0.0.1:5060\"]\nprobe_waiting = \"never\"\n[[agency]]\nname = \"city\"\n[[pool]]\nname = \"desk\"\nagency = \"city\"\n\
         [[agents]]\ncount = {agents}\nname = \"agent{{n}}\"\nagency = \"city\"\npools = [\"desk\"]\ncontact = \"sip:agent{{n}}@{AGENT}\"\nready = \"at_start\"\n{at_once}\
         [[queue]]\nname = \"q\"\nagency = \"city\"\npools = [\"desk\"]\nwrap_up = \"0s\"\nanswer = \"late\"\nannounce_every = \"never\"\n\
         [[trunk]]\nname = \"load\"\nfrom = [\"192.0.2.1/32\"]\ncalls_max = 100000\nnumbers = {{ q = \"queue:q\" }}\n"
    );
    config::parse(&text, "the bench's").unwrap_or_else(|problems| panic!("{problems}")).settings
}

/// A phone's 200 to a request of ours.
pub(crate) fn answer(request: &[u8], body: &str) -> String {
    let message = Message::read(request).expect("ours");
    let text = |name| message.text(name).unwrap_or_default();
    let tag = if body.is_empty() { "" } else { ";tag=phone" };
    let kind = if body.is_empty() { "" } else { "Content-Type: application/sdp\r\n" };
    format!(
        "SIP/2.0 200 OK\r\nVia: {}\r\nFrom: {}\r\nTo: {}{tag}\r\nCall-ID: {}\r\nCSeq: {}\r\nContact: <sip:agent@{AGENT}>\r\n{kind}Content-Length: {}\r\n\r\n{body}",
        text(Name::Via),
        text(Name::From),
        text(Name::To),
        text(Name::CallId),
        text(Name::CSeq),
        body.len()
    )
}
