//! The configuration as a whole: files that come along are well, each kind of mistake is found where it is, all at once, and a reload
//! keeps what has kept its name.

use std::net::SocketAddr;
use std::path::Path;
use std::process::Command;
use std::time::Duration;

use hotline::acd::policy::ChoiceRule;
use hotline::acd::queue::{Answer, Overflow, WhenEmpty};
use hotline::base::words::Transport;
use hotline::base::{AgencyId, EntryId, PoolId, QueueId, SkillId};
use hotline::call::menu::{Destination, Then};
use hotline::call::numbers::Format;
use hotline::call::trunk::{DialledIn, NumberTarget};
use hotline::config::{self, Config, Kind, LogFormat, LogLevel, Problems, Severity};

/// A small city in which everything is said once.
const CITY: &str = r#"[server]
listen = ["udp:127.0.0.1:5062", { transport = "tcp", bind = "10.0.0.1:5060", advertised = "203.0.113.9:5070" }]
domains = ["city.example", "alias.example"]
drain_max = "10m"
shards = 1

[media]
addresses = ["127.0.0.1", { bind = "10.0.0.2", advertised = "203.0.113.10" }]
ports = "30000-30999"
threads = 2
rest = "3s"
silence = "40s"

[http]
bind = "0.0.0.0:8200"
token = "a-long-token-for-tests"

[events]
directory = "events"
rotate_mb = 32
sync_every = "500ms"

[store]
file = "/var/lib/city.db"

[log]
level = "debug"
format = "json"

[limits]
contacts = 5000
emergency_contacts = 50

[registration]
expires_min = "2m"
expires_max = "20m"

[phone]
alert_info = "<urn:alert:service:auto-answer>"
call_info = "<sip:city.example>;answer-after=0"

[prompts]
default = "ko"

[[language]]
name = "korean"
prompts = "ko"

[[language]]
name = "english"
prompts = "en"

[[skill]]
name = "tax"

[[agency]]
name = "hall"
number = "+82221200001"
dial = ["+822"]

[[agency]]
name = "works"

[[pool]]
name = "front"
agency = "hall"

[[pool]]
name = "back"
agency = "works"

[[agent]]
name = "anna"
agency = "hall"
pools = ["front"]
skills = { korean = 10, english = 5, tax = 7 }
password = "a-good-password"
ready = "on_register"
wrap_up = "5s"

[[agents]]
count = 3
first = 7
name = "desk{n}"
agency = "works"
pools = ["back", "front"]
skills = { korean = 9 }
contact = "sip:desk{n}@192.0.2.7:70{n}0;transport=tcp"

[queue_defaults]
ring = "12s"
announce_every = "never"
wait_max = "5m"

[[queue]]
name = "general"
agency = "hall"
pools = ["front"]
overflow = "number:+82221200009"

[[queue]]
name = "tax"
agency = "works"
skills = { tax = 6 }
language_level = 3
pools = ["front"]
head_start = "15s"
emergency = true
widen = [{ after = "30s", lower_levels_by = 2 }, { after = "1m", more_pools = ["back"] }]
choose = "most_skilled"
answer = "late"
music = "music/default"
announce_every = "20s"
refused_pause = "7s"
wrap_up = "9s"
wait_max = "never"
length_max = 12
overflow = "queue:general"
join_empty = "overflow"
leave_when_empty = "goodbye"
service_target = "15s"
short_abandon = "4s"
talk_max = "45m"

[[entry]]
name = "main"
greeting = ["ko/greeting"]
hours = { zone = "Asia/Seoul", week = ["mon-fri 09:00-18:00"], exceptions = ["2026-12-25 closed"] }
closed = { prompts = ["en/closed"], queue = "general", language = "korean" }

[entry.choice]
prompts = ["ko/language", "en/language"]
timeout = "6s"
tries = 3
default = "2"
keys = { 1 = { queue = "tax", language = "korean" }, 2 = "general" }

[[trunk]]
name = "carrier"
from = ["203.0.113.0/25", "2001:db8::/32"]
user = "carrier"
password = "another-good-password"
trusted = true
dialled_in = "diversion"
numbers = { 120 = "entry:main", "02-2120-0005" = "queue:tax" }
other_numbers = "entry:main"
country = "82"
national_prefix = "0"
international_prefix = "00"
outgoing = "national"
calls_max = 77
emergency_reserve = 5
calls_per_second_max = 11
probe_every = "30s"
to = { address = "203.0.113.1", transport = "tcp", host = "carrier.example", prefixes = ["+82"], caller = "+82221200001" }
"#;

fn parse(text: &str) -> Result<Config, Problems> {
    config::parse(text, "city.toml")
}

fn seconds(n: u64) -> Duration {
    Duration::from_secs(n)
}

#[test]
fn files_that_come_along_are_well() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("configs");
    let mut seen = 0;
    for file in std::fs::read_dir(folder).unwrap() {
        let path = file.unwrap().path();
        let config = config::load(&path).unwrap_or_else(|problems| panic!("{problems}"));
        assert!(config.warnings.is_empty(), "{}", Problems(config.warnings));
        seen += 1;
    }
    assert!(seen >= 4);
    assert!(config::embedded().server.listeners.iter().all(|listener| listener.bind.ip().is_loopback()));
}

#[test]
fn the_files_hold_what_they_promise() {
    let load = |name: &str| config::load(&Path::new(env!("CARGO_MANIFEST_DIR")).join("configs").join(name)).unwrap();
    let seoul = load("seoul-120.toml").summary();
    assert!(seoul.starts_with("41 agencies, 69 queues, ") && seoul.contains(" 6 languages"), "{seoul}");
    let demo = load("demo.toml").summary();
    assert!(demo.starts_with("6 agencies, 12 queues, 41 agents, 3 languages"), "{demo}");

    let bench = load("bench.toml");
    let target = |number: &str| match bench.settings.trunks[0].as_ref().unwrap().target(number) {
        Some(NumberTarget::Queue(queue)) => bench.settings.queue(queue).unwrap(),
        other => panic!("{number}: {other:?}"),
    };
    assert_eq!(["q", "w", "m"].map(|number| target(number).answer), [Answer::Late, Answer::AtOnce, Answer::Late]);
    assert_eq!(target("q").wrap_up, Duration::ZERO);
    let last = bench.settings.agent_named("agent2000").unwrap();
    let account = bench.settings.account(last).unwrap();
    assert_eq!(&*account.fixed.as_ref().unwrap().uri, "sip:agent2000@127.0.0.2:7000");
    assert!(account.ready_at_start && account.login.is_none());
    assert!(bench.server.events.directory.is_none() && bench.server.store.is_none());
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
    assert_eq!((server.log.level, server.log.format), (LogLevel::Debug, LogFormat::Json));

    assert_eq!((settings.version, settings.realm(), &*settings.default_prompts), (1, "city.example", "ko"));
    assert_eq!((settings.limits.contacts, settings.limits.emergency_contacts), (5000, 50));
    assert_eq!((settings.registration.expires_min, settings.registration.expires_max), (seconds(120), seconds(1200)));
    assert_eq!(settings.phone.call_info.as_deref(), Some("<sip:city.example>;answer-after=0"));
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
    assert_eq!((&tax.skills[..], tax.head_start, tax.emergency), (&[(SkillId(2), 6)][..], seconds(15), true));
    assert_eq!((tax.choice, tax.answer, tax.announce_every), (ChoiceRule::MostSkilled, Answer::Late, Some(seconds(20))));
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

/// A change of [`CITY`] that makes it wrong: what is replaced, by what, and the problem that this is: its severity, its kind, its key,
/// and a part of its text.
type Mistake = (&'static str, &'static str, Severity, Kind, &'static str, &'static str);

use Kind::{BadValue, Conflict, Duplicate, Missing, Syntax, UnknownKey, UnknownName, Unreadable, WrongType};
use Severity::{Error, Warning};

const MISTAKES: &[Mistake] = &[
    // Words.
    ("shards = 1", "shards 1", Error, Syntax, "", "no TOML"),
    ("shards = 1", "shards = 1\nshards = 1", Error, Syntax, "", "duplicate key"),
    ("drain_max", "drain_maxx", Error, UnknownKey, "server.drain_maxx", "write drain_max instead"),
    ("drain_max = \"10m\"", "color = 1", Error, UnknownKey, "server.color", "leave it out"),
    ("[store]", "[sotre]", Error, UnknownKey, "sotre", "write store instead"),
    ("drain_max = \"10m\"", "drain_max = 600", Error, WrongType, "server.drain_max", "\"600s\""),
    ("threads = 2", "threads = \"two\"", Error, WrongType, "media.threads", "from 1 to 64"),
    ("threads = 2", "threads = 2.5", Error, WrongType, "media.threads", "a fraction"),
    ("trusted = true", "trusted = \"yes\"", Error, WrongType, "trunk.carrier.trusted", "true or false"),
    (
        "domains = [\"city.example\", \"alias.example\"]",
        "domains = \"a.example\"",
        Error,
        WrongType,
        "server.domains",
        "brackets",
    ),
    ("[[skill]]\nname = \"tax\"", "[skill]\nname = \"tax\"", Error, WrongType, "skill", "[[skill]]"),
    ("level = \"debug\"", "level = \"verbose\"", Error, BadValue, "log.level", "write one of: debug, error"),
    ("answer = \"late\"", "answer = \"latte\"", Error, BadValue, "queue.tax.answer", "write \"late\" instead"),
    // The server.
    ("udp:127.0.0.1:5062", "upd:127.0.0.1:5062", Error, BadValue, "server.listen[0]", "udp or tcp"),
    ("udp:127.0.0.1:5062", "tls:127.0.0.1:5062", Error, BadValue, "server.listen[0]", "not opened by this version"),
    ("udp:127.0.0.1:5062", "udp:localhost:5062", Error, BadValue, "server.listen[0]", "not looked up"),
    ("udp:127.0.0.1:5062", "udp:0.0.0.0:5062", Error, BadValue, "server.listen[0]", "advertised ="),
    ("[\"udp:127.0.0.1:5062\",", "[\"tcp:10.0.0.1:5060\",", Error, Duplicate, "server.listen[1]", "already"),
    ("[\"udp:127.0.0.1:5062\", {", "[\"udp:[::1]:5062\", {", Warning, Conflict, "media", "no IPv6 address"),
    ("domains = [\"city.example\", \"alias.example\"]", "domains = []", Error, BadValue, "server.domains", "need a domain"),
    ("\"alias.example\"", "\"sip:alias\"", Error, BadValue, "server.domains[1]", "host name"),
    ("drain_max = \"10m\"", "drain_max = \"10 minutes\"", Error, BadValue, "server.drain_max", "1m30s"),
    ("drain_max = \"10m\"", "drain_max = \"10d\"", Error, BadValue, "server.drain_max", "out of range"),
    ("shards = 1", "shards = 2", Error, BadValue, "server.shards", "write shards = 1"),
    ("30000-30999", "30999-30000", Error, BadValue, "media.ports", "\"30000-30999\""),
    ("30000-30999", "30001-31000", Error, BadValue, "media.ports", "\"30000-31001\""),
    ("30000-30999", "30000-30003", Error, Conflict, "media.ports", "wider range"),
    ("10.0.0.2\", advertised = \"203.0.113.10\"", "0.0.0.0\"", Error, BadValue, "media.addresses[1]", "advertised ="),
    ("token = \"a-long-token-for-tests\"", "", Error, Conflict, "http.bind", "token_file"),
    ("token = \"a-long-token-for-tests\"", "token = \"short\"", Warning, BadValue, "http.token", "openssl"),
    ("token = \"a-long-token-for-tests\"", "token = \"no blanks please, thanks\"", Error, BadValue, "http.token", "header"),
    ("token = \"a-long-token-for-tests\"", "token_file = \"no/such\"", Error, Unreadable, "http.token_file", "no/such"),
    ("emergency_contacts = 50", "emergency_contacts = 5000", Error, Conflict, "limits.emergency_contacts", "= 50"),
    ("contacts = 5000", "contacts = 2_000_000", Error, BadValue, "limits.contacts", "to 1048576"),
    ("expires_min = \"2m\"", "expires_min = \"30m\"", Error, Conflict, "registration.expires_min", "\"20m\""),
    ("answer-after=0", "answer-after=0\\r\\nX: y", Error, BadValue, "phone.call_info", "one line"),
    ("default = \"ko\"", "default = \"kr\"", Error, UnknownName, "prompts.default", "en, ko, music, zh"),
    (
        "default = \"ko\"",
        "default = \"ko\"\ndirectory = \"no/such\"",
        Error,
        Unreadable,
        "prompts.directory",
        "readable directory",
    ),
    // Names.
    ("name = \"works\"", "name = \"hall\"", Error, Duplicate, "agency.hall.name", "called \"hall\" already, at line 57"),
    ("name = \"works\"", "name = \"the works\"", Error, BadValue, "agency.\"the works\".name", "letters, digits"),
    ("[[agency]]\nname = \"works\"", "[[agency]]", Error, Missing, "agency[1].name", "add name ="),
    ("[[skill]]\nname = \"tax\"", "[[skill]]\nname = \"korean\"", Error, Duplicate, "skill.korean.name", "already"),
    ("[[queue]]\nname = \"general\"", "[[queue]]\nname = \"none\"", Error, BadValue, "queue.none.name", "metrics"),
    ("number = \"+82221200001\"", "number = \"02-120\"", Error, BadValue, "agency.hall.number", "E.164"),
    ("dial = [\"+822\"]", "dial = [\"seoul\"]", Error, BadValue, "agency.hall.dial[0]", "numbers begin"),
    ("agency = \"hall\"\n\n[[pool]]", "agency = \"hal\"\n\n[[pool]]", Error, UnknownName, "pool.front.agency", "write \"hall\""),
    (
        "pools = [\"back\", \"front\"]",
        "pools = [\"back\", \"font\"]",
        Error,
        UnknownName,
        "agents.\"desk{n}\".pools[1]",
        "\"front\"",
    ),
    (
        "pools = [\"back\", \"front\"]",
        "pools = [\"back\", \"back\"]",
        Error,
        Duplicate,
        "agents.\"desk{n}\".pools[1]",
        "leave it out",
    ),
    // Agents.
    ("skills = { korean = 9 }", "skills = { korean = 0 }", Error, BadValue, "agents.\"desk{n}\".skills.korean", "from 1 to 10"),
    ("skills = { korean = 9 }", "skills = { korean = 11 }", Error, BadValue, "agents.\"desk{n}\".skills.korean", "out of range"),
    ("skills = { korean = 9 }", "skills = { krean = 9 }", Error, UnknownName, "agents.\"desk{n}\".skills.krean", "\"korean\""),
    ("password = \"a-good-password\"", "", Error, Missing, "agent.anna", "no phone"),
    ("password = \"a-good-password\"", "password = \"anna\"", Warning, BadValue, "agent.anna.password", "soon guessed"),
    ("ready = \"on_register\"", "ready = \"at_start\"", Error, Conflict, "agent.anna.ready", "on_register"),
    ("count = 3", "count = 3\nready = \"on_register\"", Error, Conflict, "agents.\"desk{n}\".ready", "never registers"),
    ("count = 3", "count = 0", Error, BadValue, "agents.\"desk{n}\".count", "out of range"),
    ("name = \"desk{n}\"", "name = \"desk\"", Error, BadValue, "agents.desk.name", "\"desk{n}\""),
    ("@192.0.2.7:70{n}0", "@desk{n}.example", Error, BadValue, "agents.\"desk{n}\".contact", "not looked up"),
    // Queues.
    ("ring = \"12s\"", "ring = \"0s\"", Error, BadValue, "queue_defaults.ring", "out of range"),
    ("ring = \"12s\"", "pools = []", Error, UnknownKey, "queue_defaults.pools", "means nothing here"),
    ("overflow = \"queue:general\"", "overflow = \"general\"", Error, BadValue, "queue.tax.overflow", "queue:NAME"),
    ("overflow = \"queue:general\"", "overflow = \"queue:genral\"", Error, UnknownName, "queue.tax.overflow", "\"general\""),
    ("overflow = \"queue:general\"", "overflow = \"queue:tax\"", Error, Conflict, "queue.tax.overflow", "tax -> tax"),
    ("number:+82221200009", "queue:tax", Error, Conflict, "queue.general.overflow", "general -> tax -> general"),
    ("number:+82221200009", "number:+49301234567", Error, Conflict, "queue.general.overflow", "no trunk takes"),
    ("number:+82221200009", "number:0212345678", Error, BadValue, "queue.general.overflow", "E.164"),
    ("music = \"music/default\"", "music = \"music/defualt\"", Error, UnknownName, "queue.tax.music", "\"music/default\""),
    ("length_max = 12", "length_max = 0", Error, BadValue, "queue.tax.length_max", "from 1"),
    ("after = \"1m\", more_pools", "after = \"10s\", more_pools", Error, BadValue, "queue.tax.widen[1].after", "in order"),
    (", lower_levels_by = 2", "", Error, Missing, "queue.tax.widen[0]", "changes nothing"),
    ("wait_max = \"never\"", "wait_max = \"50s\"\n#", Warning, Conflict, "queue.tax.widen", "never reached"),
    ("skills = { tax = 6 }", "skills = { tax = 10 }", Warning, Conflict, "queue.tax.name", "no agent can ever serve"),
    // Entries.
    ("\"ko/greeting\"", "\"ko/greting\"", Error, UnknownName, "entry.main.greeting[0]", "\"ko/greeting\""),
    ("greeting = [\"ko/greeting\"]", "queue = \"tax\"", Error, Conflict, "entry.main.queue", "offers a choice"),
    ("default = \"2\"", "default = \"3\"", Error, UnknownName, "entry.main.choice.default", "one of the keys: 1, 2"),
    ("2 = \"general\"", "A = \"general\"", Error, BadValue, "entry.main.choice.keys.A", "0 to 9"),
    ("2 = \"general\"", "2 = \"generell\"", Error, UnknownName, "entry.main.choice.keys.2", "\"general\""),
    ("2 = \"general\"", "2 = { language = \"korean\" }", Error, Missing, "entry.main.choice.keys.2.queue", "add queue"),
    (
        "\"tax\", language = \"korean\"",
        "\"tax\", language = \"tax\"",
        Error,
        BadValue,
        "entry.main.choice.keys.1.language",
        "[[language]]",
    ),
    ("Asia/Seoul", "Asia/Soul", Error, BadValue, "entry.main.hours.zone", "\"Asia/Seoul\""),
    ("mon-fri 09:00-18:00", "mon-fri 22:00-06:00", Error, BadValue, "entry.main.hours.week[0]", "22:00-24:00"),
    ("[\"mon-fri 09:00-18:00\"]", "[]", Error, BadValue, "entry.main.hours.week", "never be open"),
    (
        "2026-12-25 closed\"",
        "2026-12-25 closed\", \"2026-12-25 closed\"",
        Error,
        Duplicate,
        "entry.main.hours.exceptions[1]",
        "already",
    ),
    ("2026-12-25 closed", "25.12. closed", Error, BadValue, "entry.main.hours.exceptions[0]", "write a date"),
    // Trunks.
    ("203.0.113.0/25", "203.0.113.9/25", Error, BadValue, "trunk.carrier.from[0]", "203.0.113.0/25"),
    ("\"203.0.113.0/25\"", "\"203.0.113.0/25\", \"203.0.113.7\"", Warning, Duplicate, "trunk.carrier.from[1]", "lies in"),
    ("user = \"carrier\"", "", Error, Missing, "trunk.carrier.password", "add user"),
    ("user = \"carrier\"", "user = \"anna\"", Error, Duplicate, "trunk.carrier.user", "agent's name"),
    ("120 = \"entry:main\"", "120 = \"main\"", Error, BadValue, "trunk.carrier.numbers.120", "\"entry:main\""),
    ("120 = \"entry:main\"", "120 = \"entry:mian\"", Error, UnknownName, "trunk.carrier.numbers.120", "\"main\""),
    (
        "120 = \"entry:main\"",
        "\"+82221200005\" = \"queue:tax\"",
        Error,
        Duplicate,
        "trunk.carrier.numbers.02-2120-0005",
        "already",
    ),
    ("country = \"82\"", "", Error, Conflict, "trunk.carrier.national_prefix", "add country"),
    ("caller = \"+82221200001\"", "caller = \"city\"", Error, BadValue, "trunk.carrier.to.caller", "no number"),
    ("to = { address", "#", Error, Conflict, "trunk.carrier.probe_every", "cannot be probed"),
];

#[test]
fn each_kind_of_mistake_is_found_where_it_is() {
    let mut wrong = Vec::new();
    for (from, to, severity, kind, key, part) in MISTAKES {
        assert!(CITY.contains(from), "{from:?} is not in the city");
        let problems = parse(&CITY.replacen(from, to, 1)).map_or_else(|problems| problems, |config| Problems(config.warnings));
        // Conflicts are blamed on one of the two places.
        let changed = CITY[..CITY.find(from).unwrap()].matches('\n').count() + 1;
        let near = |line: usize| line.abs_diff(changed) <= 2 || matches!(kind, Conflict | Duplicate | Missing);
        let found = problems.0.iter().any(|problem| {
            (problem.severity, problem.kind, &*problem.key) == (*severity, *kind, *key)
                && near(problem.line)
                && (problem.message.contains(part) || problem.remedy.contains(part))
        });
        if !found || problems.0.iter().any(|problem| problem.remedy.is_empty()) {
            wrong.push(format!("---- {to:?}: no {kind:?} at {key:?} near line {changed} with {part:?} in\n{problems}"));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n\n"));
}

#[test]
fn ten_mistakes_are_told_at_once_each_at_its_line() {
    let text = r#"[server]
lisen = ["udp:127.0.0.1:5060"]
[media]
ports = "20001-29999"
[[agency]]
name = "hall"
[[pool]]
name = "front"
agency = "haal"
[[agent]]
name = "anna"
agency = "hall"
pools = ["front"]
skills = { tax = 11 }
password = "long-enough-for-all"
[[skill]]
name = "tax"
[[queue]]
name = "a"
agency = "hall"
pools = ["front", "back"]
ring = 20
overflow = "queue:a"
[[trunk]]
name = "one"
from = ["10.0.0.0/8"]
other_numbers = "queue:b"
[[trunk]]
name = "two"
from = ["10.1.0.0/16"]
other_numbers = "queue:a"
colour = "red"
"#;
    let problems = parse(text).unwrap_err();
    let found: Vec<_> = problems.0.iter().map(|problem| (problem.line, problem.column, problem.kind)).collect();
    let expected = [
        (2, 1, UnknownKey),
        (4, 9, BadValue),
        (9, 10, UnknownName),
        (14, 18, BadValue),
        (21, 19, UnknownName),
        (22, 8, WrongType),
        (23, 12, Conflict),
        (27, 17, UnknownName),
        (30, 9, Conflict),
        (32, 1, UnknownKey),
    ];
    assert_eq!(found, expected, "\n{problems}");
    assert_eq!(problems.errors(), 10);
}

#[test]
fn a_broken_line_does_not_hide_the_next_mistake_nor_invent_others() {
    let text = CITY.replacen("name = \"works\"", "name = works", 1).replacen("threads = 2", "threads = 0", 1);
    let problems = parse(&text).unwrap_err();
    let kinds: Vec<_> = problems.0.iter().map(|problem| problem.kind).collect();
    assert_eq!(kinds, [BadValue, Syntax], "\n{problems}");
}

#[test]
fn a_problem_reads_like_a_compilers() {
    let problems = parse("[log]\nlevel = \"infos\"\n").unwrap_err();
    let expected = "error: \"infos\" cannot be used here\n --> city.toml:2:9  log.level\n  |\n2 | level = \"infos\"\n  |         ^^^^^^^\n  \
                    = write \"info\" instead";
    assert_eq!(problems.to_string(), expected);
}

#[test]
fn secrets_are_never_shown() {
    let text = CITY.replace("a-long-token-for-tests", "hush hush").replace("a-good-password", "hush");
    let problems = parse(&text).unwrap_err();
    assert_eq!(problems.0.len(), 2);
    assert!(!problems.to_string().contains("hush"), "{problems}");
    let server = parse(CITY).unwrap().server;
    assert!(!format!("{server:?}").contains("a-long-token"));
}

#[test]
fn trunks_that_overlap_and_lines_without_a_speaker_are_told() {
    let second = "\n[[trunk]]\nname = \"second\"\nfrom = [\"203.0.113.64/26\"]\nother_numbers = \"entry:main\"\n";
    let problems = parse(&format!("{CITY}{second}")).unwrap_err();
    assert!(problems.0[0].message.contains("203.0.113.64/26 overlaps with 203.0.113.0/25 of trunk \"carrier\""), "{problems}");

    let mute =
        CITY.replace("2 = \"general\"", "2 = { queue = \"tax\", language = \"english\" }").replace("english = 5", "english = 2");
    let warnings = Problems(parse(&mute).unwrap().warnings);
    assert_eq!(warnings.0.len(), 1, "{warnings}");
    assert!(warnings.0[0].message.contains("no agent of queue \"tax\" speaks english at level 3"), "{warnings}");
    assert_eq!(warnings.0[0].key, "entry.main.choice.keys.2.queue");

    let silent = CITY.replace("120 = \"entry:main\", ", "").replace("other_numbers = \"entry:main\"\n", "");
    let warnings = Problems(parse(&silent).unwrap().warnings);
    assert_eq!(warnings.0[0].message, "no number leads to entry \"main\"", "{warnings}");
}

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
    assert_eq!(config::reload(&gone, "city.toml", &running).unwrap_err().0[0].kind, UnknownName);
}

#[test]
fn files_are_found_beside_the_configuration() {
    let folder = tempfile::tempdir().unwrap();
    let write = |name: &str, text: &[u8]| std::fs::write(folder.path().join(name), text).unwrap();
    std::fs::create_dir_all(folder.path().join("own/en")).unwrap();
    write("token", b"  0123456789abcdef0123456789abcdef\n");
    write("own/en/hello.g722", &[0x55; 1600]);
    let text = CITY
        .replace("token = \"a-long-token-for-tests\"", "token_file = \"token\"")
        .replace("default = \"ko\"", "default = \"ko\"\ndirectory = \"own\"")
        .replace("\"ko/greeting\"", "\"en/hello\"");
    write("city.toml", text.as_bytes());
    let path = folder.path().join("city.toml");
    let config = config::load(&path).unwrap_or_else(|problems| panic!("{problems}"));
    assert_eq!(config.server.http.token.as_deref(), Some("0123456789abcdef0123456789abcdef"));
    assert_eq!(config.server.prompts, Some(folder.path().join("own")));
    assert_eq!(config.server.events.directory, Some(folder.path().join("events")));

    write("own/en/broken.wav", b"no audio");
    let problems = config::load(&path).unwrap_err();
    assert!(problems.0[0].kind == Unreadable && problems.0[0].message.contains("broken.wav"), "{problems}");
    write("city.toml", &[0xff, 0xfe]);
    assert_eq!(config::load(&path).unwrap_err().0[0].line, 0);
}

#[test]
fn the_check_command_says_so() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("city.toml");
    let run = |arguments: &[&str]| {
        let output = Command::new(env!("CARGO_BIN_EXE_hotline")).args(arguments).output().unwrap();
        let text = |bytes| String::from_utf8(bytes).unwrap();
        (output.status.code(), text(output.stdout), text(output.stderr))
    };
    let (code, out, err) = run(&["check"]);
    assert_eq!((code, err.as_str()), (Some(0), ""));
    assert!(out.contains("(embedded): 2 agencies, ") && out.ends_with(": well\n"), "{out}");

    std::fs::write(&path, CITY.replace("threads = 2", "threads = 0\nthread = 1")).unwrap();
    let (code, out, err) = run(&["check", "--config", path.to_str().unwrap()]);
    assert_eq!((code, out.as_str()), (Some(1), ""));
    assert!(err.contains("city.toml:10:11  media.threads") && err.trim_end().ends_with(": 2 errors"), "{err}");

    assert_eq!(run(&["check", "--confg", "x"]).0, Some(2));
    assert_eq!(run(&[]).0, Some(2));
    assert_eq!(run(&["--help"]).0, Some(0));
}

mod mangled {
    use super::*;
    use proptest::prelude::*;
    use proptest::sample::Index;

    fn cuts() -> impl Strategy<Value = Vec<(Index, usize, String)>> {
        let scrap = prop_oneof![
            "[\\[\\]{}=\",\\.\\n# ]{0,3}",
            "\\PC{0,4}",
            Just("[[queue]]\n".to_owned()),
            Just("name = \"tax\"\n".to_owned()),
            Just("= 99999999999999999999\n".to_owned()),
            Just("\u{feff}\0\r".to_owned()),
        ];
        prop::collection::vec((any::<Index>(), 0usize..40, scrap), 1..6)
    }

    proptest! {
        #[test]
        fn files_never_panic(cuts in cuts()) {
            let mut text: Vec<char> = CITY.chars().collect();
            for (at, length, scrap) in cuts {
                let at = at.index(text.len().max(1)).min(text.len());
                let end = (at + length).min(text.len());
                text.splice(at..end, scrap.chars());
            }
            let text: String = text.into_iter().collect();
            match parse(&text) {
                Ok(config) => prop_assert!(config.warnings.iter().all(|problem| problem.severity == Warning)),
                Err(problems) => {
                    prop_assert!(problems.errors() > 0);
                    let lines = text.matches('\n').count() + 1;
                    prop_assert!(problems.0.iter().all(|problem| (1..=lines).contains(&problem.line)));
                    prop_assert!(!problems.to_string().is_empty());
                }
            }
        }
    }
}
