//! sip (being built).
