//! The RTP header: read, checked, and rewritten in place (RFC 3550 5.1, 5.3.1).

/// The length of a header without CSRCs and extension, in bytes.
pub const HEADER_LEN: usize = 12;

/// Why bytes are not an RTP packet.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
pub enum RtpError {
    /// Shorter than the header says.
    #[error("shorter than its header")]
    Short,
    /// Not version 2.
    #[error("not RTP version 2")]
    Version,
    /// More padding than payload, or none where some is announced.
    #[error("padding longer than the payload")]
    Padding,
}

/// What a packet's header says.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Header {
    /// The marker bit: the first packet after a silence, or of a key press.
    pub marker: bool,
    /// The payload type, 0 to 127.
    pub payload_type: u8,
    /// The sequence number.
    pub sequence: u16,
    /// The timestamp, in units of the codec's RTP clock.
    pub timestamp: u32,
    /// The synchronisation source.
    pub ssrc: u32,
    /// Where the payload begins, after CSRCs and extension.
    pub payload_start: u16,
    /// Where it ends, before the padding.
    pub payload_end: u16,
}

/// What a packet is given before it is sent on.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Outgoing {
    /// The marker bit.
    pub marker: bool,
    /// The payload type.
    pub payload_type: u8,
    /// The sequence number.
    pub sequence: u16,
    /// The timestamp.
    pub timestamp: u32,
    /// The synchronisation source.
    pub ssrc: u32,
}

impl Header {
    /// Reads the header of a packet of at most 65,535 bytes.
    ///
    /// # Errors
    /// When the packet is not RTP version 2 or shorter than it says.
    pub fn read(packet: &[u8]) -> Result<Header, RtpError> {
        let Some(fixed) = packet.first_chunk::<HEADER_LEN>() else { return Err(RtpError::Short) };
        if fixed[0] >> 6 != 2 {
            return Err(RtpError::Version);
        }
        let mut start = HEADER_LEN + 4 * usize::from(fixed[0] & 0x0f);
        if fixed[0] & 0x10 != 0 {
            let Some([_, _, high, low]) = packet.get(start..start + 4) else { return Err(RtpError::Short) };
            start += 4 + 4 * usize::from(u16::from_be_bytes([*high, *low]));
        }
        if start > packet.len() {
            return Err(RtpError::Short);
        }
        let mut end = packet.len();
        if fixed[0] & 0x20 != 0 {
            let padding = usize::from(packet[end - 1]);
            if padding == 0 || padding > end - start {
                return Err(RtpError::Padding);
            }
            end -= padding;
        }
        Ok(Header {
            marker: fixed[1] & 0x80 != 0,
            payload_type: fixed[1] & 0x7f,
            sequence: u16::from_be_bytes([fixed[2], fixed[3]]),
            timestamp: u32::from_be_bytes([fixed[4], fixed[5], fixed[6], fixed[7]]),
            ssrc: u32::from_be_bytes([fixed[8], fixed[9], fixed[10], fixed[11]]),
            payload_start: u16::try_from(start).map_err(|_| RtpError::Short)?,
            payload_end: u16::try_from(end).map_err(|_| RtpError::Short)?,
        })
    }

    /// The payload of the packet that this header was read from.
    #[must_use]
    pub fn payload<'a>(&self, packet: &'a [u8]) -> &'a [u8] {
        packet.get(usize::from(self.payload_start)..usize::from(self.payload_end)).unwrap_or(&[])
    }
}

impl Outgoing {
    /// Rewrites a packet's header where it stands; CSRCs, extension and padding stay as they are.
    pub fn rewrite(&self, packet: &mut [u8]) {
        if let Some(fixed) = packet.first_chunk_mut::<HEADER_LEN>() {
            let first = fixed[0];
            *fixed = self.bytes();
            fixed[0] = first;
        }
    }

    /// The twelve bytes of a plain header.
    #[must_use]
    pub fn bytes(&self) -> [u8; HEADER_LEN] {
        let ([s0, s1], [t0, t1, t2, t3]) = (self.sequence.to_be_bytes(), self.timestamp.to_be_bytes());
        let [r0, r1, r2, r3] = self.ssrc.to_be_bytes();
        [0x80, u8::from(self.marker) << 7 | self.payload_type & 0x7f, s0, s1, t0, t1, t2, t3, r0, r1, r2, r3]
    }
}

/// Whether a packet on a port that RTP and RTCP share is RTCP (RFC 5761 4).
#[must_use]
pub fn is_rtcp(packet: &[u8]) -> bool {
    matches!(packet, [_, 192..=223, ..])
}
