//! Framer: what is cut where, bounds, and that a broken stream stays broken. Agreement with the reader is in tests/wire.rs.

use super::*;

const ONE: &[u8] = b"OPTIONS sip:a SIP/2.0\r\nCall-ID: 1\r\nl : 3\r\n\r\nabc";
const TWO: &[u8] = b"SIP/2.0 200 OK\r\nContent-Length:\r\n 0\r\n\r\n";

fn frames(chunks: &[&[u8]]) -> Result<Vec<Frame>, FramingError> {
    let mut framer = Framer::new(1000);
    let mut frames = Vec::new();
    for chunk in chunks {
        framer.push(chunk);
        while let Some(frame) = framer.next()? {
            frames.push(frame);
        }
    }
    Ok(frames)
}

fn message(bytes: &[u8]) -> Frame {
    Frame::Message(bytes.to_vec())
}

#[test]
fn messages_keepalives_and_line_ends_between_them() {
    let stream = [b"\r\n\r\n", ONE, b"\r\n", TWO, b"\r\n\r\n", b"\r\n", ONE].concat();
    let expected = [Frame::Ping, message(ONE), message(TWO), Frame::Ping, message(ONE)];
    assert_eq!(frames(&[&stream]).unwrap(), expected);
    let bytes: Vec<_> = stream.chunks(1).collect();
    assert_eq!(frames(&bytes).unwrap(), expected);
    for cut in 0..stream.len() {
        assert_eq!(frames(&[&stream[..cut], &stream[cut..]]).unwrap(), expected, "cut at {cut}");
    }
}

#[test]
fn a_ping_is_answered_at_once_and_half_a_ping_waits() {
    assert_eq!(frames(&[b"\r\n"]).unwrap(), []);
    assert_eq!(frames(&[b"\r\n", b"\r"]).unwrap(), []);
    assert_eq!(frames(&[b"\r\n", b"\r", b"\n"]).unwrap(), [Frame::Ping]);
}

#[test]
fn what_ends_a_stream() {
    let error = |head: &str| frames(&[format!("BYE sip:a SIP/2.0\r\n{head}\r\n\r\n").as_bytes()]).unwrap_err();
    assert_eq!(error("Call-ID: 1"), FramingError::NoLength);
    assert_eq!(error("l: 1\r\nContent-Length: 2"), FramingError::Head(Fault::LengthConflict));
    assert_eq!(error("l: -1"), FramingError::Head(Fault::LengthMalformed));
    assert_eq!(error("l: 99999999999999999999"), FramingError::Head(Fault::LengthMalformed));
    assert_eq!(error("a: b\nl: 5\r\nl: 0"), FramingError::Head(Fault::LineEnd));
    assert_eq!(error("l: 1000"), FramingError::MessageTooLong { bytes: 1030, max: 1000 });
    assert_eq!(frames(&[&[b'x'; 1001]]), Err(FramingError::HeadTooLong { max: 1000 }));
    assert_eq!(frames(&[&[b'x'; 1000]]), Ok(vec![]));
}

#[test]
fn after_an_error_nothing_is_read_or_kept() {
    let mut framer = Framer::new(1000);
    framer.push(b"BYE sip:a SIP/2.0\r\n\r\n");
    framer.push(ONE);
    assert_eq!(framer.next(), Err(FramingError::NoLength));
    framer.push(ONE);
    assert_eq!(framer.next(), Err(FramingError::NoLength));
    assert!(framer.buf.is_empty());
}

/// A line that the reader refuses does not lose the stream, as long as the message's end is certain.
#[test]
fn a_line_without_a_colon_is_left_to_the_reader() {
    let bytes = b"BYE sip:a SIP/2.0\r\nnonsense\r\nl: 0\r\n\r\n";
    assert_eq!(frames(&[bytes]).unwrap(), [message(bytes)]);
    assert_eq!(super::super::Message::read(bytes).unwrap_err().fault, Fault::HeaderLine);
}

/// Bytes that look like the beginning of a keep-alive for ever are searched once only, too.
#[test]
fn stray_line_ends_are_bounded() {
    for byte in [b"\r", b"\n"] {
        let mut framer = Framer::new(1 << 20);
        for _ in 0..1 << 20 {
            framer.push(byte);
            assert_eq!(framer.next(), Ok(None));
        }
        framer.push(byte);
        assert_eq!(framer.next(), Err(FramingError::HeadTooLong { max: 1 << 20 }));
    }
}

/// Ten megabytes in single bytes, in messages of a megabyte: seconds if any step looked at all bytes again.
#[test]
fn work_is_linear_in_the_bytes() {
    let mut message = b"MESSAGE sip:a SIP/2.0\r\nX: ".to_vec();
    message.resize(1 << 20, b'x');
    message.extend_from_slice(b"\r\nl: 9\r\n\r\n123456789");
    let mut framer = Framer::new(2 << 20);
    let mut seen = 0;
    for byte in std::iter::repeat_n(&message, 10).flatten() {
        framer.push(std::slice::from_ref(byte));
        seen += usize::from(framer.next().unwrap().is_some());
    }
    assert_eq!(seen, 10);
}
