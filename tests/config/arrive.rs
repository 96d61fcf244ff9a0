//! What is written arrives in the settings.

use std::net::SocketAddr;
use std::path::Path;
use std::time::Duration;

use hotline::acd::loan::Lending;
use hotline::acd::policy::ChoiceRule;
use hotline::acd::queue::{Announce, AnswerWhen, Overflow, WhenEmpty};
use hotline::base::words::Transport;
use hotline::base::{AgencyId, AgentId, EntryId, PoolId, QueueId, SkillId};
use hotline::call::menu::{Destination, Then};
use hotline::call::numbers::Format;
use hotline::call::trunk::{DialledIn, NumberTarget};
use hotline::config::{Config, LogFormat, LogLevel, Problems};

use crate::city::CITY;
use crate::parse;

fn seconds(n: u64) -> Duration {
    Duration::from_secs(n)
}

#[test]
fn what_is_written_arrives() {
    let Config { settings, server, warnings } = parse(CITY).unwrap_or_else(|problems| panic!("{problems}"));
    assert!(warnings.is_empty(), "{}", Problems(warnings));

    let address = |text: &str| text.parse::<SocketAddr>().unwrap();
    assert_eq!(server.listeners[0].bind, address("127.0.0.1:5062"));
    assert_eq!(server.listeners[1].transport, Transport::Tcp);
    assert_eq!(server.listeners[1].advertised, Some(address("203.0.113.9:5070")));
    assert_eq!((server.drain_max, server.shards), (seconds(600), 1));
    assert_eq!(server.media.addresses[1], ([10, 0, 0, 2].into(), [203, 0, 113, 10].into()));
    assert_eq!((server.media.ports, server.media.threads), (30_000..=30_999, 2));
    assert_eq!((server.media.rest, server.media.silence), (seconds(3), seconds(40)));
    assert_eq!((server.http.bind, server.http.token.as_deref()), (address("0.0.0.0:8200"), Some("a-long-token-for-tests")));
    assert_eq!(server.events.directory.as_deref(), Some(Path::new("events")));
    assert_eq!((server.events.rotate_mb, server.events.sync_every), (32, Duration::from_millis(500)));
    assert_eq!(server.store.as_deref(), Some(Path::new("/var/lib/city.db")));
    assert_eq!((server.log.level, server.log.format, server.log.recent_sip_mb), (LogLevel::Debug, LogFormat::Json, 16));

    assert_eq!((settings.version, settings.realm(), &*settings.default_prompts), (1, "city.example", "ko"));
    assert_eq!((settings.limits.contacts, settings.limits.emergency_contacts), (5000, 50));
    assert_eq!((settings.registration.expires_min, settings.registration.expires_max), (seconds(120), seconds(1200)));
    assert_eq!(settings.phone.call_info.as_deref(), Some("<sip:city.example>;answer-after=0"));
    assert_eq!(settings.directory.lending, [None, Some(Lending { at_most: 2, own_percent: 34 })]);
    assert_eq!((&*settings.agencies[0].number, &settings.agencies[0].dial[..]), ("+82221200001", &["+822".to_owned()][..]));
    assert_eq!(settings.directory.languages, [SkillId(0), SkillId(1)]);
    assert_eq!(settings.prompts_for(Some(SkillId(1))), "en");
    assert_eq!((&*settings.pools[1].name, settings.pools[1].agency), ("back", AgencyId(1)));
}

#[test]
fn agents_arrive() {
    let settings = parse(CITY).unwrap().settings;
    let anna = settings.agent_named("anna").unwrap();
    let profile = settings.directory.agents[anna.index()].as_ref().unwrap();
    assert_eq!((profile.agency, &profile.pools[..]), (AgencyId(0), &[PoolId(0)][..]));
    assert_eq!(profile.skills, [(SkillId(0), 10), (SkillId(1), 5), (SkillId(2), 7)]);
    let account = settings.account(anna).unwrap();
    assert_eq!(&*account.login.as_ref().unwrap().password, "a-good-password");
    assert!(account.ready_on_register && account.fixed.is_none());
    assert_eq!(account.wrap_up, Some(seconds(5)));

    let desk = settings.account(settings.agent_named("desk9").unwrap()).unwrap();
    let fixed = desk.fixed.as_ref().unwrap();
    assert_eq!((fixed.address, fixed.transport), (([192, 0, 2, 7], 7090).into(), Transport::Tcp));
    assert!(desk.ready_at_start && !desk.ready_on_register);
    assert_eq!(settings.agent_named("desk10"), None);
}

#[test]
fn queues_arrive() {
    let settings = parse(CITY).unwrap().settings;
    let general = settings.queue(settings.queue_named("general").unwrap()).unwrap();
    assert_eq!((general.ring_timeout, general.announce_every, general.wait_max), (seconds(12), None, Some(seconds(300))));
    assert_eq!(general.overflow, Overflow::Number("+82221200009".into()));

    let tax = settings.queue(QueueId(1)).unwrap();
    assert_eq!((&*tax.name, tax.agency, tax.language_level), ("tax", AgencyId(1), 3));
    assert_eq!((&tax.skills[..], tax.priority_boost, tax.emergency), (&[(SkillId(2), 6)][..], seconds(15), true));
    assert_eq!((tax.choice, tax.answer, tax.announce_every), (ChoiceRule::MostSkilled, AnswerWhen::Late, Some(seconds(20))));
    assert_eq!((general.announce, tax.announce), (Announce::Place, Announce::PlaceAndWait));
    assert_eq!((general.prefer_last, tax.prefer_last), (None, Some(seconds(25))));
    assert_eq!((general.prefer_agent, tax.prefer_agent), (Some((AgentId(0), seconds(20))), None));
    assert_eq!((general.ring_several, tax.ring_several), (1, 3));
    assert_eq!((tax.ring_timeout, tax.refused_pause, tax.wrap_up), (seconds(12), seconds(7), seconds(9)));
    assert_eq!((tax.wait_max, tax.length_max, &tax.overflow), (None, 12, &Overflow::Queue(QueueId(0))));
    assert_eq!((&tax.join_empty, &tax.leave_when_empty), (&WhenEmpty::Overflow, &WhenEmpty::Goodbye));
    assert_eq!((tax.service_target, tax.short_abandon, tax.talk_max), (seconds(15), seconds(4), seconds(2700)));
    assert_eq!(tax.requirement(None, 1), [(SkillId(2), 4)]);
    assert_eq!(tax.pools_at(2).collect::<Vec<_>>(), [PoolId(0), PoolId(1)]);
}

#[test]
fn entries_and_trunks_arrive() {
    let settings = parse(CITY).unwrap().settings;
    let entry = settings.entry(EntryId(0)).unwrap();
    let tax = Destination { queue: QueueId(1), language: Some(SkillId(0)) };
    let general = Destination { queue: QueueId(0), language: None };
    let Then::Ask(choice) = &entry.then else { panic!("{entry:?}") };
    assert_eq!((&choice.keys[..], choice.default), (&[('1', tax), ('2', general)][..], general));
    assert_eq!((choice.timeout, choice.tries, choice.prompts.len()), (seconds(6), 3, 2));
    assert_eq!(entry.when_closed.queue, Some(Destination { queue: QueueId(0), language: Some(SkillId(0)) }));
    let hours = entry.hours.as_ref().unwrap();
    assert_eq!((hours.week.len(), hours.exceptions.len(), hours.zone.iana_name()), (5, 1, Some("Asia/Seoul")));

    let trunk = settings.trunks[0].as_ref().unwrap();
    assert_eq!((trunk.from.len(), trunk.from[0].bits, trunk.trusted), (2, 25, true));
    assert_eq!((trunk.dialled_in, trunk.plan.outgoing), (DialledIn::Diversion, Format::National));
    assert_eq!(trunk.target("+82221200005"), Some(NumberTarget::Queue(QueueId(1))), "kept as it is normalised");
    assert_eq!((trunk.target("120"), trunk.target("7")), (trunk.other_numbers, Some(NumberTarget::Entry(EntryId(0)))));
    assert_eq!((trunk.calls_max, trunk.emergency_reserve, trunk.calls_per_second_max), (77, 5, 11));
    assert_eq!(trunk.probe_every, Some(seconds(30)));
    let out = trunk.outbound.as_ref().unwrap();
    assert_eq!((out.address, out.transport, &*out.host), (([203, 0, 113, 1], 5060).into(), Transport::Tcp, "carrier.example"));
    assert!(trunk.takes("+8210") && !trunk.takes("+49"));
}
