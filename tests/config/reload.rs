//! A reload keeps the indexes of what has kept its name.

use hotline::acd::queue::Overflow;
use hotline::base::{AgencyId, QueueId};
use hotline::config::{self, Kind};

use crate::city::CITY;
use crate::parse;

#[test]
fn a_reload_keeps_what_kept_its_name() {
    let running = parse(CITY).unwrap().settings;
    // anna and general are gone, a queue, an agent and a language came in front.
    let changed = CITY
        .replace("name = \"anna\"", "name = \"berta\"")
        .replace("name = \"general\"", "name = \"front-desk\"")
        .replace("queue:general", "queue:front-desk")
        .replace("\"general\"", "\"front-desk\"")
        .replace(
            "[[language]]\nname = \"korean\"",
            "[[language]]\nname = \"chinese\"\nprompts = \"zh\"\n\n[[language]]\nname = \"korean\"",
        )
        .replace("name = \"works\"", "name = \"yard\"")
        .replace("agency = \"works\"", "agency = \"yard\"");
    let reloaded = config::reload(&changed, "city.toml", &running).unwrap_or_else(|problems| panic!("{problems}")).settings;
    assert_eq!(reloaded.version, running.version + 1);
    assert_eq!(reloaded.queue_named("tax"), running.queue_named("tax"));
    assert_eq!(reloaded.queue_named("front-desk"), Some(QueueId(2)));
    assert!(reloaded.directory.queues[0].is_none(), "general's place stays empty");
    assert_eq!(reloaded.queue(QueueId(1)).unwrap().overflow, Overflow::Queue(QueueId(2)));
    assert_eq!(reloaded.agent_named("desk8"), running.agent_named("desk8"));
    assert_eq!(reloaded.agent_named("berta").unwrap().index(), running.directory.agents.len());
    assert!(reloaded.directory.agents[0].is_none() && reloaded.accounts[0].is_none());
    assert_eq!(reloaded.accounts.len(), reloaded.directory.agents.len());
    assert_eq!(&*reloaded.skills[0].name, "korean");
    assert_eq!((&*reloaded.skills[3].name, reloaded.directory.languages.len()), ("chinese", 3));
    assert_eq!((&*reloaded.agencies[1].name, &*reloaded.agencies[2].name), ("works", "yard"), "agencies just stay");
    assert_eq!(reloaded.pools[1].agency, AgencyId(2));

    // What comes back is new: its old index may still be someone's.
    let back = config::reload(CITY, "city.toml", &reloaded).unwrap().settings;
    assert_eq!((back.queue_named("general"), back.agent_named("anna").unwrap().index()), (Some(QueueId(3)), 5));
    assert_eq!(back.agencies.len(), 3);

    let broken = config::reload(&changed.replace("tries = 3", "tries = 0"), "city.toml", &running);
    assert_eq!(broken.unwrap_err().errors(), 1);
    // Names of what is gone mean nothing.
    let gone = changed.replace("name = \"back\"\nagency = \"yard\"", "name = \"back\"\nagency = \"works\"");
    assert_eq!(config::reload(&gone, "city.toml", &running).unwrap_err().0[0].kind, Kind::UnknownName);
}
