//! A configuration as plain data: the same settings follow from it on another machine and in another year.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::zones::{self, Zones};
use super::{Config, Problems, read};
use crate::engine::Settings;

/// The text of a configuration, and the data of the time zones that it names. It holds passwords.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ConfigText {
    text: String,
    /// Relative paths begin at its directory.
    file_name: String,
    /// By name, as TZif data (RFC 9636).
    zones: BTreeMap<String, Vec<u8>>,
}

impl std::fmt::Debug for ConfigText {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "ConfigText({}, {} bytes)", self.file_name, self.text.len())
    }
}

impl ConfigText {
    /// A text that follows `running`, with the time zones that are known to this program, not those of the machine.
    ///
    /// # Errors
    /// All mistakes of the text.
    pub fn new(text: &str, file_name: &str, running: &Settings) -> Result<Self, Problems> {
        let zones = zones::bundled(&read(text, file_name, running, Zones::OfTheMachine)?.settings);
        let text = ConfigText { text: text.to_owned(), file_name: file_name.to_owned(), zones };
        // A zone of the machine that this program does not know is a mistake here.
        text.read(running).map(|_| text)
    }

    /// What it says, where `running` holds before.
    ///
    /// # Errors
    /// All mistakes of the text.
    pub fn read(&self, running: &Settings) -> Result<Config, Problems> {
        read(&self.text, &self.file_name, running, Zones::Given(&self.zones))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEXT: &str = "[[agency]]\nname = \"city\"\n[[queue]]\nname = \"help\"\nagency = \"city\"\npools = [\"desk\"]\n\
        [[pool]]\nname = \"desk\"\nagency = \"city\"\n[[entry]]\nname = \"main\"\nqueue = \"help\"\n\
        hours = { zone = \"Asia/Seoul\", week = [\"mon-fri 09:00-18:00\"] }\nclosed = { prompts = [\"en/greeting\"] }\n";

    #[test]
    fn a_configuration_takes_its_time_zones_along() {
        let text = ConfigText::new(TEXT, "city.toml", &Settings::default()).unwrap_or_else(|problems| panic!("{problems}"));
        assert!(text.zones["Asia/Seoul"].starts_with(b"TZif"));
        let settings = text.read(&Settings::default()).unwrap().settings;
        let zone = |settings: &Settings| settings.entries[0].as_ref().unwrap().hours.as_ref().unwrap().zone.clone();
        assert_eq!(zone(&settings).iana_name(), Some("Asia/Seoul"));
        // Where the machine has no such zone, or another one, it is the same.
        let bytes = postcard::to_allocvec(&text).unwrap();
        let elsewhere: ConfigText = postcard::from_bytes(&bytes).unwrap();
        assert_eq!(zone(&elsewhere.read(&Settings::default()).unwrap().settings), zone(&settings));
        let without = ConfigText { zones: BTreeMap::new(), ..text };
        let problems = without.read(&Settings::default()).unwrap_err().to_string();
        assert!(problems.contains("has to come with the configuration"), "{problems}");
        assert!(!format!("{without:?}").contains("agency"), "passwords stand in it");
    }
}
