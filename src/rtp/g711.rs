//! G.711: μ-law and A-law to linear samples and to each other (ITU-T G.711; RFC 3551 4.5.14).
//!
//! Decoding and changing laws are tables made at compile time; encoding finds its segment by counting leading zeros. A-law has its
//! even bits inverted on the wire (0x55), so that silence is not a row of zeros.

/// One of the two laws.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Law {
    /// μ-law: PCMU.
    Mu,
    /// A-law: PCMA.
    A,
}

/// What μ-law adds to a magnitude before it looks for the segment, in 16-bit samples.
const MU_BIAS: i32 = 0x84;
const MU_CLIP: i32 = 32_635;
const A_INVERSION: u8 = 0x55;

const fn mu_to_linear(code: u8) -> i16 {
    let code = !code;
    let (segment, step) = ((code >> 4) & 7, (code & 0x0f) as i32);
    let magnitude = (((step << 3) + MU_BIAS) << segment) - MU_BIAS;
    (if code & 0x80 != 0 { -magnitude } else { magnitude }) as i16
}

const fn a_to_linear(code: u8) -> i16 {
    let code = code ^ A_INVERSION;
    let (segment, step) = ((code >> 4) & 7, (code & 0x0f) as i32);
    let magnitude = if segment == 0 { (step << 4) + 8 } else { ((step << 4) + 0x108) << (segment - 1) };
    (if code & 0x80 != 0 { magnitude } else { -magnitude }) as i16
}

const fn linear_to_mu(sample: i16) -> u8 {
    let sign = if sample < 0 { 0x80 } else { 0 };
    let mut magnitude = (sample as i32).abs();
    if magnitude > MU_CLIP {
        magnitude = MU_CLIP;
    }
    magnitude += MU_BIAS;
    // 132 to 32,767: the segment is the place of the highest bit above bit 7.
    let segment = 24 - magnitude.leading_zeros() as i32;
    let step = (magnitude >> (segment + 3)) & 0x0f;
    !(sign | (segment << 4 | step) as u8)
}

const fn linear_to_a(sample: i16) -> u8 {
    // G.711 decides on 13 bits, and the negative half mirrors the positive one: -1 is the first below zero.
    let (sign, magnitude) = if sample >= 0 { (0x80, sample as i32) } else { (0, -(sample as i32) - 1) };
    let code = if magnitude < 256 {
        magnitude >> 4
    } else {
        let segment = 24 - magnitude.leading_zeros() as i32;
        segment << 4 | (magnitude >> (segment + 3)) & 0x0f
    };
    (sign | code as u8) ^ A_INVERSION
}

const fn linear_table(law: Law) -> [i16; 256] {
    let mut table = [0; 256];
    let mut code = 0;
    while code < 256 {
        table[code] = match law {
            Law::Mu => mu_to_linear(code as u8),
            Law::A => a_to_linear(code as u8),
        };
        code += 1;
    }
    table
}

const fn law_table(from: Law) -> [u8; 256] {
    let mut table = [0; 256];
    let mut code = 0;
    while code < 256 {
        table[code] = match from {
            Law::Mu => linear_to_a(mu_to_linear(code as u8)),
            Law::A => linear_to_mu(a_to_linear(code as u8)),
        };
        code += 1;
    }
    table
}

static MU_TO_LINEAR: [i16; 256] = linear_table(Law::Mu);
static A_TO_LINEAR: [i16; 256] = linear_table(Law::A);
static MU_TO_A: [u8; 256] = law_table(Law::Mu);
static A_TO_MU: [u8; 256] = law_table(Law::A);

impl Law {
    /// A code as a 16-bit sample.
    #[must_use]
    pub fn decode(self, code: u8) -> i16 {
        match self {
            Law::Mu => MU_TO_LINEAR[usize::from(code)],
            Law::A => A_TO_LINEAR[usize::from(code)],
        }
    }

    /// The code of a 16-bit sample.
    #[must_use]
    pub const fn encode(self, sample: i16) -> u8 {
        match self {
            Law::Mu => linear_to_mu(sample),
            Law::A => linear_to_a(sample),
        }
    }

    /// The table from this law's codes to the other's.
    #[must_use]
    pub const fn to_other(self) -> &'static [u8; 256] {
        match self {
            Law::Mu => &MU_TO_A,
            Law::A => &A_TO_MU,
        }
    }
}
