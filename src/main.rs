//! hotline (being built).
fn main() {}
