//! Each kind of mistake is found where it is, with what to write instead, and hides no other.

use hotline::config::{Kind, Problems, Severity};

use crate::city::CITY;
use crate::parse;

use Kind::{BadValue, Conflict, Duplicate, Missing, Syntax, UnknownKey, UnknownName, Unreadable, WrongType};
use Severity::{Error, Warning};

/// A change of [`CITY`] that makes it wrong: what is replaced, by what, and the problem that this is: its severity, its kind, its key,
/// and a part of its text.
type Mistake = (&'static str, &'static str, Severity, Kind, &'static str, &'static str);

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
    ("shards = 1", "shards = 257", Error, BadValue, "server.shards", "write a whole number from 1 to 256"),
    ("30000-30999", "30999-30000", Error, BadValue, "media.ports", "\"30000-30999\""),
    ("30000-30999", "30001-31000", Error, BadValue, "media.ports", "\"30000-31001\""),
    ("30000-30999", "30000-30003", Error, Conflict, "media.ports", "wider range"),
    ("10.0.0.2\", advertised = \"203.0.113.10\"", "0.0.0.0\"", Error, BadValue, "media.addresses[1]", "advertised ="),
    ("token = \"a-long-token-for-tests\"", "", Error, Conflict, "http.bind", "token_file"),
    ("token = \"a-long-token-for-tests\"", "token = \"short\"", Warning, BadValue, "http.token", "openssl"),
    ("token = \"a-long-token-for-tests\"", "token = \"no blanks please, thanks\"", Error, BadValue, "http.token", "header"),
    ("token = \"a-long-token-for-tests\"", "token_file = \"no/such\"", Error, Unreadable, "http.token_file", "no/such"),
    ("emergency_contacts = 50", "emergency_contacts = 5000", Error, Conflict, "limits.emergency_contacts", "= 50"),
    ("contacts = 5000", "contacts = 2_000_000", Error, BadValue, "limits.contacts", "to 800000"),
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
    ("name = \"works\"", "name = \"hall\"", Error, Duplicate, "agency.hall.name", "called \"hall\" already, at line 58"),
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
    ("at_once = [{ voice = 1 }", "at_once = [{ voice = 2 }", Error, BadValue, "agent.anna.at_once[0].voice", "out of range"),
    ("at_once = [{ voice = 1 }, ", "at_once = [", Error, BadValue, "agent.anna.at_once", "takes no calls"),
    ("[{ voice = 1 }, { chat = 3 }]", "[]", Error, BadValue, "agent.anna.at_once", "{ chat = 3 }"),
    ("[{ voice = 1 }, { chat = 3 }]", "[{ voice = 1 }, {}]", Error, BadValue, "agent.anna.at_once[1]", "is empty"),
    ("{ chat = 3 }", "{ chatt = 3 }", Error, UnknownKey, "agent.anna.at_once[1].chatt", "write chat instead"),
    // Queues.
    ("name = \"tax\"\nagency", "name = \"tax\"\nchannel = \"mail\"\nagency", Error, BadValue, "queue.tax.channel", "chat"),
    (
        "name = \"tax\"\nagency",
        "name = \"tax\"\nchannel = \"chat\"\nagency",
        Error,
        Conflict,
        "queue.tax.overflow",
        "its own channel",
    ),
    (
        "name = \"tax\"\nagency",
        "name = \"tax\"\nchannel = \"chat\"\nagency",
        Error,
        Conflict,
        "queue.tax.ring_several",
        "one agent at a time",
    ),
    (
        "name = \"tax\"\nagency",
        "name = \"tax\"\nchannel = \"chat\"\nagency",
        Error,
        Conflict,
        "trunk.carrier.numbers.02-2120-0005",
        "calls cannot come to it",
    ),
    (
        "name = \"general\"\nagency",
        "name = \"general\"\nchannel = \"chat\"\nagency",
        Error,
        Conflict,
        "entry.main.choice.keys.2",
        "calls cannot come to it",
    ),
    (
        "name = \"general\"\nagency",
        "name = \"general\"\nchannel = \"chat\"\nagency",
        Error,
        Conflict,
        "queue.general.prefer_agent",
        "only callers wait",
    ),
    ("name = \"anna\", wait", "name = \"anne\", wait", Error, UnknownName, "queue.general.prefer_agent.name", "anna"),
    ("wait = \"20s\"", "wait = \"2d\"", Error, BadValue, "queue.general.prefer_agent.wait", "\"1h\""),
    ("own_share = \"34%\"", "own_share = \"134%\"", Error, BadValue, "agency.works.own_share", "\"60%\""),
    ("ring = \"12s\"", "ring = \"12s\"\nring_several = 11", Error, BadValue, "queue_defaults.ring_several", "out of range"),
    ("ring = \"12s\"", "ring = \"0s\"", Error, BadValue, "queue_defaults.ring", "out of range"),
    ("ring = \"12s\"", "pools = []", Error, UnknownKey, "queue_defaults.pools", "means nothing here"),
    ("overflow = \"queue:general\"", "overflow = \"general\"", Error, BadValue, "queue.tax.overflow", "queue:NAME"),
    ("overflow = \"queue:general\"", "overflow = \"queue:genral\"", Error, UnknownName, "queue.tax.overflow", "\"general\""),
    ("overflow = \"queue:general\"", "overflow = \"queue:tax\"", Error, Conflict, "queue.tax.overflow", "tax -> tax"),
    ("number:+82221200009", "queue:tax", Error, Conflict, "queue.general.overflow", "general -> tax -> general"),
    ("number:+82221200009", "number:+49301234567", Error, Conflict, "queue.general.overflow", "no trunk takes"),
    ("number:+82221200009", "number:0212345678", Error, BadValue, "queue.general.overflow", "E.164"),
    ("music = \"music/default\"", "music = \"music/defualt\"", Error, UnknownName, "queue.tax.music", "\"music/default\""),
    ("length_max = 12", "length_max = -1", Error, BadValue, "queue.tax.length_max", "from 0"),
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
fn a_queue_of_chats_stands_empty_until_something_brings_them_and_stays_one() {
    let letters = format!("{CITY}\n[[queue]]\nname = \"letters\"\nchannel = \"chat\"\nagency = \"hall\"\npools = [\"front\"]\n");
    let config = parse(&letters).unwrap();
    let warnings = Problems(config.warnings);
    assert_eq!((warnings.0.len(), &*warnings.0[0].key), (1, "queue.letters.channel"), "{warnings}");
    let calls = letters.replace("channel = \"chat\"", "channel = \"voice\"");
    let problems = hotline::config::reload(&calls, "city.toml", &config.settings).unwrap_err();
    assert!(problems.0[0].message.contains("is a queue of channel chat"), "{problems}");
    // Anna alone is in the pool who may have chats.
    let nobody = parse(&letters.replace("{ chat = 3 }", "")).unwrap().warnings;
    assert!(nobody.iter().any(|problem| problem.message.contains("no agent can ever serve queue \"letters\"")), "{nobody:?}");
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
fn there_is_room_for_so_many_contacts_of_agents() {
    let many = |chats: u32| {
        let agents = (0..60).map(|roster| {
            format!(
                "\n[[agents]]\ncount = 1000\nname = \"many{roster}-{{n}}\"\nagency = \"works\"\npools = [\"back\"]\n\
                 password = \"a-long-secret-{{n}}\"\nat_once = [{{ voice = 1, chat = {chats} }}]\n"
            )
        });
        CITY.to_owned() + &agents.collect::<String>()
    };
    let told = |text: &str| {
        let problems = parse(text).map_or_else(|problems| problems, |config| Problems(config.warnings));
        let room = |problem: &&hotline::config::Problem| problem.to_string().contains("contacts at once");
        (problems.0.len(), problems.0.iter().filter(room).count())
    };
    assert_eq!(told(&many(15)), (0, 0), "960,000");
    assert_eq!(told(&many(16)), (1, 1), "1,020,000");
}
