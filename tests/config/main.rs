//! The configuration as a whole: files that come along are well, each kind of mistake is found where it is, all at once, and a reload
//! keeps what has kept its name.

mod arrive;
mod city;
mod day;
mod files;
mod mangled;
mod mistakes;
mod reload;

use hotline::config::{self, Config, Problems};

/// Checks a text as if it stood in `city.toml`.
fn parse(text: &str) -> Result<Config, Problems> {
    config::parse(text, "city.toml")
}
