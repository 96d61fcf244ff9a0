//! Messages for people to read: secrets are blanked.
//!
//! Owns what counts as a secret: credentials, passwords in URIs, keys of media, keys pressed, and whatever people write to each other. What is not
//! known to hold none is not shown: lines that are no header, bodies that are neither a session description (RFC 8866) nor the fragment of a
//! message by which a transfer is reported (RFC 3420), and parts of bodies likewise. It never judges a message, and takes any bytes, in time that
//! grows with their number alone. Lines end in CRLF in what it shows, and characters that would move a terminal's cursor are replaced.

use super::text::is_token;
use crate::base::plain::plain;

/// What stands in the place of a secret.
const BLANK: &str = "[blanked]";
/// Of credentials the scheme is shown, if it is one of these.
const SCHEMES: [&str; 3] = ["digest", "basic", "bearer"];
/// Headers with words of people's own, and data that ends pass each other (RFC 3261 20.36, RFC 7433).
const WORDS: [&str; 3] = ["subject", "s", "user-to-user"];
/// Headers are secrets if their name has one of these in it, but for the two that only ask for proof.
const SECRET_NAMES: [&str; 6] = ["auth", "password", "token", "secret", "cookie", "key"];
const ASKING: [&str; 2] = ["www-authenticate", "proxy-authenticate"];
/// Headers that hold no URI: what looks like a password in them is none.
const WITHOUT_URI: [&str; 5] = ["call-id", "i", "via", "v", "cseq"];
/// Lines of a description that hold one of these are secrets: keys of SRTP (RFC 4568, 4567, 5939) and ICE's password (RFC 8839).
const SECRET_LINES: [&str; 5] = ["inline:", "crypto", "key-mgmt", "mikey", "ice-pwd"];
/// How deep parts of parts are looked into.
const DEPTH_MAX: usize = 3;

/// A message without its secrets.
#[must_use]
pub fn blanked(message: &[u8]) -> String {
    // CR, LF and both end a line alike.
    let message = String::from_utf8_lossy(message).replace("\r\n", "\n").replace('\r', "\n");
    // Line ends before the start line are not part of it (RFC 3261 7.5).
    let mut lines: Vec<&str> = message.trim_start_matches('\n').split('\n').collect();
    if lines.last().is_some_and(|last| last.is_empty()) {
        lines.pop();
    }
    let mut shown = Shown(String::with_capacity(message.len()));
    let end = lines.iter().position(|line| line.is_empty()).unwrap_or(lines.len());
    let (head, body) = lines.split_at(end);
    let content = shown.head(head);
    if !body.is_empty() {
        shown.line("");
    }
    shown.body(&content, body.get(1..).unwrap_or(&[]), DEPTH_MAX);
    shown.0
}

/// What a head says of the body after it.
#[derive(Default)]
struct Content {
    kind: String,
    /// Whether what is meant is not what stands there: encoded, or of two types.
    obscure: bool,
}

/// What is shown so far.
struct Shown(String);

impl Shown {
    fn line(&mut self, line: &str) {
        self.0.push_str(&plain(line));
        self.0.push_str("\r\n");
    }

    fn blank(&mut self, lines: &[&str]) {
        let bytes: usize = lines.iter().map(|line| line.len() + 2).sum();
        if bytes > 0 {
            self.line(&format!("[{bytes} bytes blanked]"));
        }
    }

    /// The lines of a head, the first of which may be a start line.
    fn head(&mut self, lines: &[&str]) -> Content {
        let mut content = Content::default();
        let mut kinds = 0;
        let mut at = 0;
        while at < lines.len() {
            let folded = lines[at + 1..].iter().take_while(|line| line.starts_with([' ', '\t'])).count();
            let whole = &lines[at..=at + folded];
            at += 1 + folded;
            let value =
                |rest: &str| std::iter::once(rest).chain(whole[1..].iter().copied()).map(str::trim).collect::<Vec<_>>().join(" ");
            match whole[0].split_once(':') {
                Some((raw, rest)) if is_header_name(raw.trim()) => {
                    let (name, value) = (raw.trim().to_ascii_lowercase(), value(rest));
                    match &*name {
                        "content-type" | "c" => {
                            kinds += 1;
                            content.kind = value.to_ascii_lowercase();
                        }
                        "content-encoding" | "e" | "content-transfer-encoding" => {
                            let plain =
                                ["identity", "7bit", "8bit", "binary"].iter().any(|plain| value.eq_ignore_ascii_case(plain));
                            content.obscure |= !plain;
                        }
                        _ => {}
                    }
                    self.line(&format!("{raw}: {}", header(&name, &value)));
                }
                _ if at == 1 + folded && is_start_line(whole[0]) => self.line(&uris(&value(whole[0]))),
                _ => self.blank(whole),
            }
        }
        content.obscure |= kinds > 1;
        content
    }

    fn body(&mut self, content: &Content, body: &[&str], depth: usize) {
        let bare = content.kind.split(';').next().unwrap_or("").trim();
        match bare {
            _ if content.obscure || depth == 0 => self.blank(body),
            "application/sdp" => body.iter().for_each(|line| self.line(&description(line))),
            "message/sipfrag" => {
                let end = body.iter().position(|line| line.is_empty()).unwrap_or(body.len());
                self.head(&body[..end]);
                self.blank(&body[end..]);
            }
            _ if bare.starts_with("multipart/") => match boundary(&content.kind) {
                Some(boundary) => self.parts(&boundary, body, depth),
                None => self.blank(body),
            },
            _ => self.blank(body),
        }
    }

    /// The parts of a body. What stands before the first and after the last is for nobody (RFC 2046 5.1.1), and is not shown.
    fn parts(&mut self, boundary: &str, body: &[&str], depth: usize) {
        let last = format!("{boundary}--");
        let is_limit =
            |line: &&str| line.trim_end().eq_ignore_ascii_case(boundary) || line.trim_end().eq_ignore_ascii_case(&last);
        let mut inside = false;
        for part in body.split_inclusive(is_limit) {
            let (limit, lines) = match part.split_last() {
                Some((limit, lines)) if is_limit(limit) => (Some(*limit), lines),
                _ => (None, part),
            };
            match lines.iter().position(|line| line.is_empty()) {
                Some(end) if inside && end > 0 => {
                    let content = self.head(&lines[..end]);
                    self.line("");
                    self.body(&content, &lines[end + 1..], depth - 1);
                }
                _ => self.blank(lines),
            }
            if let Some(limit) = limit {
                self.line(limit);
                inside = !limit.trim_end().eq_ignore_ascii_case(&last);
            }
        }
    }
}

fn is_header_name(name: &str) -> bool {
    is_token(name.as_bytes())
}

/// Whether it is a request line or a status line (RFC 3261 7.1, 7.2).
fn is_start_line(line: &str) -> bool {
    let is_version = |word: &str| word.get(..4).is_some_and(|start| start.eq_ignore_ascii_case("sip/"));
    line.split(' ').next().is_some_and(is_version) || line.rsplit(' ').next().is_some_and(is_version)
}

/// A header's value.
fn header(name: &str, value: &str) -> String {
    if WORDS.contains(&name) {
        return BLANK.to_owned();
    }
    if SECRET_NAMES.iter().any(|secret| name.contains(secret)) && !ASKING.contains(&name) {
        let scheme = value.split_whitespace().next().unwrap_or("");
        let known = SCHEMES.iter().any(|known| scheme.eq_ignore_ascii_case(known));
        return if known { format!("{scheme} {BLANK}") } else { BLANK.to_owned() };
    }
    if WITHOUT_URI.contains(&name) { value.to_owned() } else { uris(value) }
}

/// The boundary of a multipart type with its two hyphens, if there is one and no doubt about it (RFC 2046 5.1.1).
fn boundary(kind: &str) -> Option<String> {
    let named = kind.split(';').skip(1).filter_map(|parameter| parameter.split_once('='));
    let mut values = named.filter(|(name, _)| name.trim() == "boundary").map(|(_, value)| value.trim());
    let (value, None) = (values.next()?, values.next()) else { return None };
    let value = value.strip_prefix('"').and_then(|value| value.strip_suffix('"')).unwrap_or(value);
    (!value.is_empty() && !value.contains(['\\', '"'])).then(|| format!("--{value}"))
}

/// A line of a session description.
fn description(line: &str) -> String {
    let line = line.trim();
    let mut letters = line.chars();
    if !(letters.next().is_some_and(|letter| letter.is_ascii_alphabetic()) && letters.next() == Some('=')) {
        return if line.is_empty() { String::new() } else { BLANK.to_owned() };
    }
    let lower = line.to_ascii_lowercase();
    if lower.starts_with("k=") || SECRET_LINES.iter().any(|secret| lower.contains(secret)) {
        let name = line.split_once(':').map_or(&line[..2], |(name, _)| name);
        return format!("{name}:{BLANK}");
    }
    line.to_owned()
}

/// A value, without the passwords of its URIs (RFC 3261 19.1.1: `sip:user:password@host`), and without the headers that a URI wants of who follows
/// it, but for Replaces.
fn uris(value: &str) -> String {
    let ends = ['<', '>', ' ', '\t', '"'];
    value
        .split_inclusive(ends)
        .map(|piece| {
            let text = piece.trim_end_matches(ends);
            uri(text) + &piece[text.len()..]
        })
        .collect()
}

fn uri(text: &str) -> String {
    let Some((scheme, rest)) = text.split_once(':').filter(|(scheme, _)| is_header_name(scheme)) else { return text.to_owned() };
    let (address, headers) = rest.split_once('?').map_or((rest, None), |(address, headers)| (address, Some(headers)));
    let shown =
        match address.rsplit_once('@').and_then(|(user, host)| Some((user.trim_start_matches('/').split_once(':')?, host))) {
            Some(((user, _), host)) => {
                let slashes = &address[..address.len() - address.trim_start_matches('/').len()];
                format!("{scheme}:{slashes}{user}:{BLANK}@{host}")
            }
            None => format!("{scheme}:{address}"),
        };
    let Some(headers) = headers else { return shown };
    let headers = headers.split('&').map(|header| match header.split_once('=') {
        Some((name, _)) if name.eq_ignore_ascii_case("replaces") => header.to_owned(),
        Some((name, _)) => format!("{name}={BLANK}"),
        None => BLANK.to_owned(),
    });
    format!("{shown}?{}", headers.collect::<Vec<_>>().join("&"))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What is shown, whichever way lines end.
    fn shows(message: &str, expected: &str) {
        for ending in ["\r\n", "\n", "\r"] {
            assert_eq!(blanked(message.replace("\r\n", ending).as_bytes()), expected, "lines end in {ending:?}");
        }
    }

    fn hides(message: &str) {
        for ending in ["\r\n", "\n", "\r"] {
            let shown = blanked(message.replace("\r\n", ending).as_bytes());
            assert!(!shown.to_ascii_lowercase().contains("secret") && shown.contains("blanked]"), "{shown}");
        }
    }

    #[test]
    fn what_is_no_secret_is_shown() {
        for message in [
            "INVITE sip:120@city.example:5060 SIP/2.0\r\nVia: SIP/2.0/UDP 192.0.2.1;branch=z9hG4bKa\r\nTo: \"a:b@c\" <sip:120@city.example>\r\nCall-ID: a:b:c@d\r\n\r\n",
            "SIP/2.0 200 OK\r\nContent-Type: application/sdp\r\n\r\nv=0\r\nm=audio 4000 RTP/AVP 0\r\na=rtpmap:0 PCMU/8000\r\n",
            "SIP/2.0 401 Unauthorized\r\nWWW-Authenticate: Digest realm=\"city\", nonce=\"1\"\r\n\r\n",
            "REFER sip:a@b SIP/2.0\r\nRefer-To: <sip:c@d;transport=tcp?Replaces=x%3Bto-tag%3D1>\r\n\r\n",
            "",
        ] {
            shows(message, message);
        }
        assert_eq!(blanked(b"\r\n\r\nSIP/2.0 100 Trying\r\n\r\n"), "SIP/2.0 100 Trying\r\n\r\n", "line ends before it");
    }

    #[test]
    fn credentials_are_blanked_folded_or_not_in_any_case() {
        shows(
            "REGISTER sip:city.example SIP/2.0\r\nauthorization : Digest username=\"kim\",\r\n response=\"deadbeef\"\r\nCSeq: 2 REGISTER\r\n\r\n",
            "REGISTER sip:city.example SIP/2.0\r\nauthorization : Digest [blanked]\r\nCSeq: 2 REGISTER\r\n\r\n",
        );
        for line in [
            "Authentication-Info: rspauth=\"secret\"",
            "Authorization: secret",
            "Proxy-Authorization: Basic:secret",
            "X-Api-Token: secret",
            "Subject: secret",
            "s: secret",
            "User-to-User: secret;encoding=hex",
            "no header and secret",
            "X-Cookie:\r\n secret",
        ] {
            hides(&format!("BYE sip:a@b SIP/2.0\r\n{line}\r\nCSeq: 2 BYE\r\n\r\n"));
        }
    }

    #[test]
    fn passwords_and_wishes_in_uris_are_blanked() {
        shows(
            "INVITE sip:kim:secret@city.example:5060 SIP/2.0\r\nContact: <SIPS:kim:pw@192.0.2.7>, <sip:a@b:5060>\r\n\r\n",
            "INVITE sip:kim:[blanked]@city.example:5060 SIP/2.0\r\nContact: <SIPS:kim:[blanked]@192.0.2.7>, <sip:a@b:5060>\r\n\r\n",
        );
        for uri in [
            "sip:kim:se,cret@h,sip:b:secret@h",
            "sip:kim:a@secret@h",
            "sip:kim:\r\n secret@h",
            "https://kim:secret@crm/x",
            "sip:x@h?Authorization=Digest%20secret",
            "sip:x@h?%41uthorization=secret&body=secret",
            "sip:x@h?secret",
        ] {
            let message = format!("REFER sip:a@b SIP/2.0\r\nRefer-To: <{uri}>\r\n\r\n");
            if uri.contains("\r\n") {
                // The password is folded: both of its lines are one value.
                assert!(!blanked(message.as_bytes()).contains("kim:secret"));
            } else {
                hides(&message);
            }
        }
    }

    #[test]
    fn keys_of_media_are_blanked() {
        for line in [
            "k=clear:secret",
            "a=crypto:1 AES_CM_128_HMAC_SHA1_80 inline:secret|2^20",
            " a=crypto:1 A inline:secret",
            "a=ice-pwd:secret",
            "a=key-mgmt:mikey secret",
            "a=acap:1 crypto:1 A inline:secret",
            "a=cryptoscale:1 client A inline:secret",
            "Signal=secret",
            "secret",
        ] {
            hides(&format!("SIP/2.0 200 OK\r\nc: application/sdp\r\n\r\nv=0\r\n{line}\r\na=rtpmap:0 PCMU/8000\r\n"));
        }
        hides("SIP/2.0 200 OK\r\nc: application/sdp\r\nContent-Encoding: gzip\r\n\r\ns=secret\r\n");
        hides("SIP/2.0 200 OK\r\nc: application/sdp\r\nc: text/plain\r\n\r\ns=secret\r\n");
    }

    #[test]
    fn keys_pressed_and_what_people_write_is_blanked() {
        for kind in
            ["application/dtmf-relay", "application/dtmf", "text/plain", "application/kpml-response+xml", "x", "application/sdpx"]
        {
            let shown = blanked(format!("INFO sip:a@b SIP/2.0\r\nContent-Type: {kind}\r\n\r\nSignal=5\r\n").as_bytes());
            assert!(shown.ends_with("\r\n\r\n[10 bytes blanked]\r\n"), "{shown}");
        }
        hides("MESSAGE sip:a@b SIP/2.0\r\n\r\nmy secret");
        hides("NOTIFY sip:a@b SIP/2.0\r\nContent-Type: message/sipfrag\r\n\r\nmy secret\r\n");
        hides("NOTIFY sip:a@b SIP/2.0\r\nContent-Type: message/sipfrag\r\n\r\n\r\nmy secret\r\n");
        shows(
            "NOTIFY sip:a@b SIP/2.0\r\nContent-Type: message/sipfrag;version=2.0\r\n\r\nSIP/2.0 200 OK\r\nAuthorization: Digest x=\"secret\"\r\n",
            "NOTIFY sip:a@b SIP/2.0\r\nContent-Type: message/sipfrag;version=2.0\r\n\r\nSIP/2.0 200 OK\r\nAuthorization: Digest [blanked]\r\n",
        );
    }

    #[test]
    fn parts_of_a_body_are_shown_by_their_own_types() {
        let of = |kind: &str, body: &str| format!("INVITE sip:a@b SIP/2.0\r\nContent-Type: {kind}\r\n\r\n{body}");
        let sdp = "--x\r\nContent-Type: application/sdp\r\n\r\nv=0\r\n";
        let shown = blanked(
            of("multipart/mixed; boundary=\"x\"", &format!("{sdp}--x\r\nContent-Type: text/plain\r\n\r\nsecret\r\n--x--\r\n"))
                .as_bytes(),
        );
        assert!(
            shown.contains("\r\nv=0\r\n--x\r\n") && shown.contains("[8 bytes blanked]") && !shown.contains("secret"),
            "{shown}"
        );
        for (kind, body) in [
            ("multipart/mixed;boundary=x", "--x\r\n\r\nmy secret\r\n--x--\r\n".to_owned()),
            ("multipart/mixed;boundary=x", format!("a secret\r\n{sdp}--x--\r\nb: secret\r\n\r\nsecret\r\n")),
            ("multipart/mixed;boundary=y", format!("{sdp}s=secret\r\n")),
            ("multipart/mixed;boundary=\"a\\-b\"", format!("{sdp}s=secret\r\n")),
            ("multipart/mixed;boundary=z;boundary=x", format!("{sdp}s=secret\r\n")),
            ("multipart/mixed", format!("{sdp}s=secret\r\n")),
            (
                "multipart/mixed;boundary=x",
                "--x\r\nContent-Type: text/plain\r\n\r\na --x\r\nb: secret\r\n\r\nsecret\r\n--x--\r\n".to_owned(),
            ),
            (
                "multipart/mixed;boundary=x",
                "--x\r\nContent-Type: multipart/mixed;boundary=x\r\n\r\nsecret\r\n--x--\r\n".to_owned(),
            ),
            ("multipart/mixed;boundary=x", format!("{}secret\r\n", "--x\r\nc: multipart/mixed;boundary=x\r\n\r\n".repeat(9))),
        ] {
            hides(&of(kind, &body));
        }
    }

    #[test]
    fn no_terminal_is_moved_and_no_bytes_take_long() {
        let shown = blanked("SIP/2.0 486 \u{1b}]0;x\u{7}\u{202e}\r\nX-A: \u{9b}2J\r\n\r\n".as_bytes());
        assert!(shown.lines().all(|line| line.chars().all(|c| !c.is_control())) && !shown.contains('\u{202e}'), "{shown:?}");
        // Each of these took time by the square of its length once, or might.
        for piece in ["sip:", "sip", "sip:a:b@", "?a=", "<", "--x\r\n", "\r\n ", "\r\n", ":", "é"] {
            let long = piece.repeat(200_000 / piece.len());
            for message in
                [format!("X: {long}"), format!("BYE sip:a SIP/2.0\r\nX: {long}\r\nc: multipart/a;boundary=x\r\n\r\n{long}")]
            {
                assert!(blanked(message.as_bytes()).len() <= 12 * message.len());
            }
        }
    }
}
