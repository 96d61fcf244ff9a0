//! acd (being built).
