//! rtp (being built).
