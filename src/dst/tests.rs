use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write;
use std::panic::catch_unwind;
use std::sync::LazyLock;
use std::time::Duration;

use super::city::{City, DeskPhone, Plan};
use super::net::Weather;
use super::phone::Account;
use crate::acd::matcher::Size;
use crate::base::words::{AgentState, Direction, EndedBy, TransferOutcome, Transport};
use crate::base::{ContactId, Estimate};
use crate::config::ConfigText;
use crate::engine::Settings;
use crate::engine::sabotage::{Moment, Payers, Rule};
use crate::report::{Fact, FactKind};

/// Two with desk phones, three who register by datagrams, two over connections.
const AGENTS: u16 = 7;
const CONTACTS: u32 = 200;

/// The configuration of every day.
pub(super) fn text() -> String {
    let mut agents = String::new();
    for n in 0..AGENTS {
        let (agency, pool) = if n < 5 { ("city", "desk") } else { ("water", "pipes") };
        let phone = match n {
            0 | 1 => format!("contact = \"sip:agent{n}@203.0.113.{}:5060\"\nready = \"at_start\"", n + 1),
            _ => "ready = \"on_register\"".to_owned(),
        };
        let at_once = if n % 3 == 0 { "at_once = [{ voice = 1 }, { chat = 2 }]\n" } else { "" };
        let _ = write!(
            agents,
            "[[agent]]\nname = \"agent{n}\"\nagency = \"{agency}\"\npools = [\"{pool}\"]\npassword = \"a-secret-of-agent-{n}\"\n{at_once}{phone}\n"
        );
    }
    format!(
        "[server]\nlisten = [\"udp:127.0.0.1:5060\"]\ndomains = [\"city.example\"]\nprobe_waiting = \"10s\"\n\
         [limits]\ncontacts = {CONTACTS}\nemergency_contacts = 10\n[registration]\nexpires_min = \"30s\"\n\
         [[agency]]\nname = \"city\"\nnumber = \"+8221200\"\ndial = [\"+822\"]\n[[agency]]\nname = \"water\"\nlend_at_most = 1\ndial = [\"+\"]\n\
         [[pool]]\nname = \"desk\"\nagency = \"city\"\n[[pool]]\nname = \"pipes\"\nagency = \"water\"\n\
         {agents}\
         [[queue]]\nname = \"help\"\nagency = \"city\"\nprefer_last = \"12s\"\npools = [\"desk\"]\nanswer = \"late\"\nwrap_up = \"3s\"\nring = \"10s\"\nwait_max = \"40s\"\noverflow = \"queue:water\"\ntalk_max = \"70s\"\n\
         widen = [{{ after = \"10s\", more_pools = [\"pipes\"] }}]\n\
         [[queue]]\nname = \"water\"\nagency = \"water\"\npools = [\"pipes\"]\nanswer = \"at_once\"\nwrap_up = \"0s\"\nring = \"8s\"\nlength_max = 5\nring_several = 2\nannounce_every = \"7s\"\nprefer_last = \"6s\"\ntalk_max = \"90s\"\n\
         wait_max = \"50s\"\noverflow = \"number:+82221330000\"\n\
         [[queue]]\nname = \"flood\"\nagency = \"water\"\npools = [\"pipes\", \"desk\"]\nemergency = true\nanswer = \"at_once\"\nwrap_up = \"0s\"\ntalk_max = \"80s\"\n\
         [[queue]]\nname = \"chats\"\nagency = \"city\"\nchannel = \"chat\"\npools = [\"desk\", \"pipes\"]\nring = \"7s\"\nwait_max = \"40s\"\ntalk_max = \"60s\"\nwrap_up = \"2s\"\n\
         [[entry]]\nname = \"main\"\ngreeting = [\"en/greeting\"]\nqueue = \"help\"\n\
         [[entry]]\nname = \"sos\"\nqueue = \"flood\"\nemergency = true\n\
         [[trunk]]\nname = \"carrier\"\nfrom = [\"192.0.2.0/24\"]\ncalls_max = 100\ncountry = \"82\"\nnational_prefix = \"0\"\n\
         to = {{ address = \"192.0.2.250\", caller = \"+8221200\" }}\n\
         numbers = {{ \"120\" = \"queue:help\", \"121\" = \"queue:water\", \"122\" = \"entry:main\", \"119\" = \"entry:sos\" }}\n"
    )
}

/// Read once, for days are many.
static CONFIG: LazyLock<(ConfigText, Settings)> = LazyLock::new(|| {
    let config =
        ConfigText::new(&text(), "the simulation's", &Settings::default()).unwrap_or_else(|problems| panic!("{problems}"));
    let settings = config.read(&Settings::default()).unwrap_or_else(|problems| panic!("{problems}")).settings;
    (config, settings)
});

/// The phones of all agents. One has two, of which one is dead; so has one whose other is reached over a connection.
fn phones() -> Vec<DeskPhone> {
    let phone = |n: u16, host: u16, transport, expires: Option<u64>, dead| DeskPhone {
        name: format!("phone{host}"),
        address: format!("203.0.113.{host}:5060").parse().unwrap(),
        transport,
        account: Account {
            user: format!("agent{n}"),
            password: format!("a-secret-of-agent-{n}"),
            domain: "city.example".into(),
            expires: expires.map(Duration::from_secs),
        },
        dead,
    };
    let mut phones: Vec<DeskPhone> = (0..2).map(|n| phone(n, n + 1, Transport::Udp, None, false)).collect();
    phones.extend((2..5).map(|n| phone(n, n + 1, Transport::Udp, Some(60), false)));
    phones.extend((5..AGENTS).map(|n| phone(n, n + 1, Transport::Tcp, Some(90), false)));
    phones.push(phone(2, 102, Transport::Udp, Some(120), true));
    phones.push(phone(5, 105, Transport::Udp, Some(120), true));
    phones
}

/// The day of a seed. Some days slots and ports are short; on some the server is slow for a while, on some it follows little at a time.
pub(super) fn plan(weather: Weather, seed: u64) -> Plan {
    let words = |list: &[&str]| list.iter().map(|word| (*word).to_owned()).collect();
    Plan {
        settings: CONFIG.1.clone(),
        config: CONFIG.0.clone(),
        recorded: false,
        shards: [1, 2, 1, 3][(seed / 2 % 4) as usize],
        late_by: if seed.is_multiple_of(2) { Duration::from_millis(1) } else { Duration::from_millis(100) },
        server: "198.51.100.1:5060".parse().unwrap(),
        phones: phones(),
        outside: "192.0.2.250:5060".parse().unwrap(),
        callers: 24,
        within: Duration::from_secs(60),
        numbers: words(&["120", "120", "121", "122", "119"]),
        passes_to: words(&["water", "help", "agent1", "agent4", "nobody", "0221330001", "0221330002", "0221330005"]),
        dials: words(&["agent1", "agent3", "agent5", "120", "0221330003", "0221330004", "*1", "*2", "nobody"]),
        slots: if seed % 5 == 3 { 6 } else { Size::slots_for(CONTACTS) },
        pairs: if seed % 5 == 4 { 24 } else { 200 },
        weather,
        rounds: (seed % 7 == 3).then_some(1 + (seed / 7 % 3) as u32),
        reload: None,
        writers: if seed / 32 % 2 == 1 { 12 } else { 0 },
        moves: [None, Some(2_000), None, Some(200)][(seed / 4 % 4) as usize].map(Duration::from_millis),
        slow: (seed % 3 == 1).then_some((Duration::from_secs(20), Duration::from_secs(15))),
    }
}

pub(super) const FAIR: Weather =
    Weather { lost_permille: 0, repeated_permille: 0, delay_max: Duration::from_millis(5), broken_permille: 0 };
pub(super) const FOUL: Weather =
    Weather { lost_permille: 100, repeated_permille: 50, delay_max: Duration::from_millis(800), broken_permille: 20 };

/// Odd days are foul.
fn city(seed: u64) -> City {
    City::new(plan(if seed.is_multiple_of(2) { FAIR } else { FOUL }, seed), seed)
}

fn run(seeds: impl IntoIterator<Item = u64>) -> Result<(), String> {
    for seed in seeds {
        city(seed).run().map_err(|why| format!("seed {seed}: {why}"))?;
    }
    Ok(())
}

/// Where the days of this run begin: a number made of `HOTLINE_SEEDS` (the commit's hash, in `make test`), so that each commit plays
/// others, and the same ones whenever it is tried again.
fn first_seed() -> u64 {
    let hash = std::env::var("HOTLINE_SEEDS").unwrap_or_default();
    let digits: String = hash.chars().filter(char::is_ascii_hexdigit).take(10).collect();
    u64::from_str_radix(&digits, 16).unwrap_or(0)
}

#[test]
fn a_few_days() {
    run(0..20).unwrap();
}

#[test]
fn a_hundred_days() {
    let first = first_seed();
    run(first..first + 100).unwrap();
}

#[test]
#[ignore = "make long"]
fn all_days() {
    run(0..4_000).unwrap();
}

#[test]
fn the_same_seed_is_the_same_day() {
    let day = |seed| {
        let mut city = city(seed);
        city.run().unwrap();
        city.facts().to_vec()
    };
    assert_eq!(day(7), day(7));
    assert_ne!(day(7), day(9));
}

/// Each rule that is taken out is detected, by itself. The seeds are of days on which it can matter.
#[test]
#[allow(clippy::print_stdout, reason = "which day detects what is worth knowing")]
fn a_rule_taken_out_is_detected() {
    let few_ports: fn(&u64) -> bool = |seed| seed % 5 == 4;
    let foul: fn(&u64) -> bool = |seed| seed % 2 == 1;
    let any: fn(&u64) -> bool = |_| true;
    let two_shards: fn(&u64) -> bool = |seed| seed / 2 % 2 == 1;
    let rules = [
        (Rule::ByeToAgent, any),
        (Rule::RingDeadline, any),
        (Rule::LetGo, any),
        (Rule::PutBack, any),
        (Rule::Leave, any),
        (Rule::TalkSegment, any),
        (Rule::StateDeadline, any),
        (Rule::OthersLose, any),
        (Rule::CancelRing, any),
        (Rule::CallsOut, any),
        (Rule::RingForPorts, few_ports),
        (Rule::BrokenConnections, foul),
        (Rule::Lapse, any),
        (Rule::SilentPhones, any),
        (Rule::OwnCallOver, any),
        (Rule::TransferReturns, any),
        (Rule::TalkMax, any),
        (Rule::OneThread, any),
        (Rule::LimitWhilePassedOn, any),
        (Rule::ProbesOfTheWait, any),
        (Rule::AgesApart, any),
        (Rule::RefusedAgain, foul),
        (Rule::LetGoOnce, any),
        (Rule::LetGoOnLeaving, any),
        (Rule::GoesOn, any),
        (Rule::BusyFirst, any),
        (Rule::EndedOutside, any),
        (Rule::OfferNamed, two_shards),
        (Rule::DeclinedCancels, two_shards),
        (Rule::DevicesCopied, two_shards),
        (Rule::ContactsOfAll, any),
        (Rule::GivenIsAnothers, two_shards),
        (Rule::Renews, two_shards),
    ];
    for (rule, days) in rules {
        let detected = (0..4_000).filter(days).find_map(|seed| {
            // A broken invariant that asserts is detected, too.
            let outcome = catch_unwind(|| {
                let mut city = city(seed);
                city.shards.iter_mut().for_each(|shard| shard.engine.take_out(rule));
                city.run()
            });
            outcome.unwrap_or_else(|_| Err("an assertion failed".into())).err().map(|why| (seed, why))
        });
        let Some((seed, why)) = detected else { panic!("nobody misses {rule:?}") };
        println!("{rule:?}: seed {seed}: {why}");
    }
}

/// The kinds of what the engine hands on in simulated days.
const KINDS: &[&str] = &[
    "arrival",
    "contact timer: Alive",
    "contact timer: Announce",
    "contact timer: EarlyMedia",
    "contact timer: Prefer",
    "contact timer: Relax",
    "contact timer: Renew",
    "contact timer: Ring",
    "contact timer: TalkMax",
    "contact timer: WaitMax",
    "desk timer: Drain",
    "desk timer: Registration",
    "desk timer: State",
    "from matcher: Accepted",
    "from matcher: Joined",
    "from matcher: Left",
    "from matcher: NotJoined",
    "from matcher: Offered",
    "from matcher: Refiled",
    "guest to contact: Agreed",
    "guest to contact: Gone",
    "guest to contact: Left",
    "guest to contact: Moved",
    "guest to contact: Over",
    "guest to contact: Referred",
    "hub: Call",
    "leg to contact: Agreed",
    "leg to contact: Answered",
    "leg to contact: Failed",
    "leg to contact: Gone",
    "leg to contact: Left",
    "leg to contact: Moved",
    "leg to contact: NotThere",
    "leg to contact: Over",
    "leg to contact: Played",
    "leg to contact: Referred",
    "leg to contact: Rings",
    "leg to contact: Unanswerable",
    "media: Played",
    "media: Silent",
    "news to contact: AgentLeft",
    "session: Acknowledged",
    "session: Answered",
    "session: AnsweredLate",
    "session: Failed",
    "session: Gone",
    "session: Offered",
    "session: Over",
    "session: ProbeAnswered",
    "session: ProbeUnanswered",
    "session: Referred",
    "session: Ringing",
    "text: Leaves",
    "text: Takes",
    "text: TakesNot",
    "text: Writes",
    "to contact: Begin",
    "to contact: Give",
    "to contact: Joins",
    "to contact: NotTaken",
    "to contact: Rung",
    "to contact: Taken",
    "to contacts: AgentLeft",
    "to desk: Command",
    "to desk: LegGone",
    "to desk: LegsBegan",
    "to desk: Offered",
    "to desk: OwnCall",
    "to desk: OwnCallOver",
    "to desk: Registered",
    "to desk: RingOver",
    "to desk: Rings",
    "to desk: Settled",
    "to desk: Take",
    "to desk: TalkOver",
    "to desk: Talks",
    "to leg: Accept",
    "to leg: AnswerRefer",
    "to leg: Ask",
    "to leg: Cancel",
    "to leg: End",
    "to leg: EndIfYours",
    "to leg: GoOver",
    "to leg: HangUp",
    "to leg: Hear",
    "to leg: IsNumber",
    "to leg: Notify",
    "to leg: Numbers",
    "to leg: Progress",
    "to leg: Renew",
    "to leg: Ring",
    "to matcher: Accept",
    "to matcher: Join",
    "to matcher: Leave",
    "to matcher: PutBack",
    "to matcher: Refile",
    "to matcher: RefileIfGone",
    "to matcher: RingFurther",
    "to matcher: Settle",
];
/// Bookkeeping of ports and counts, and of what other shards know: there is nobody whom a panic in it could cost.
const BOOKKEEPING: [&str; 4] = ["media: Closed", "media: Leased", "hub: Devices", "hub: Served"];

/// What is handed on in each of these days, by kind.
fn kinds_by_day(days: u64) -> BTreeMap<String, Vec<u64>> {
    let mut kinds: BTreeMap<String, Vec<u64>> = BTreeMap::new();
    for seed in 0..days {
        let mut city = city(seed);
        city.run().unwrap();
        for kind in city.shards[0].engine.take_deliveries().into_iter().collect::<BTreeSet<_>>() {
            kinds.entry(kind).or_default().push(seed);
        }
    }
    kinds
}

/// Whom a panic in a delivery of this kind is put down to, and no other has ended by it.
fn check_payers(kind: &str, city: &City) -> Result<(), String> {
    let by_fault = |fact: &Fact| matches!(fact.kind, FactKind::Ended { by: EndedBy::Fault, .. });
    let ended: BTreeSet<ContactId> = city.facts().iter().filter(|fact| by_fault(fact)).filter_map(|fact| fact.contact).collect();
    let payers = city.shards[0].engine.payers();
    let expected = match (kind.split_once(": ").unwrap_or((kind, "")), &payers) {
        // Nobody has it yet: the contact that would have no leg ends.
        (("arrival", _), Payers::Nobody) => return if ended.len() == 1 { Ok(()) } else { Err(format!("{ended:?} have ended")) },
        (("to contacts", _), Payers::Nobody) => &Vec::new(),
        (("to desk" | "desk timer", _) | ("to matcher", "Settle"), Payers::Agent(contacts)) => contacts,
        (("to desk" | "desk timer" | "to contacts" | "arrival", _), _) => return Err(format!("put down to {payers:?}")),
        (_, Payers::Contact(contacts)) => contacts,
        (_, Payers::Elsewhere) => return if ended.len() <= 1 { Ok(()) } else { Err(format!("{ended:?} have ended")) },
        // The leg may be gone by then.
        (("session" | "media" | "to leg", _), Payers::Nobody) => &Vec::new(),
        _ => return Err(format!("put down to {payers:?}")),
    };
    let expected: BTreeSet<ContactId> = expected.iter().copied().collect();
    // What an agent was in at another shard has ended, too.
    let elsewhere = matches!(payers, Payers::Agent(_)) && city.shards.len() > 1;
    if ended == expected || (elsewhere && ended.is_superset(&expected)) {
        Ok(())
    } else {
        Err(format!("{ended:?} have ended by it, and it was put down to {payers:?}"))
    }
}

/// A panic in any kind of delivery, before its addressee does anything or when it has done everything, costs whom it was for: one contact,
/// or those of one agent. Every other party goes on, and no rule of the house is broken.
#[test]
fn a_panic_costs_whom_the_delivery_was_for() {
    let mut days = kinds_by_day(60);
    days.retain(|kind, _| !BOOKKEEPING.contains(&kind.as_str()));
    let known: Vec<&str> = days.keys().map(String::as_str).collect();
    assert_eq!(known, KINDS);
    for (kind, days) in &days {
        for moment in [Moment::Before, Moment::After] {
            if kind == "arrival" && moment == Moment::After {
                continue;
            }
            let mut somebody_paid = kind == "arrival" || kind.starts_with("to contacts: ");
            for (played, seed) in days.iter().enumerate() {
                if played >= 3 && somebody_paid {
                    break;
                }
                let mut city = city(*seed);
                city.shards[0].engine.panic_at(kind, moment);
                city.run().unwrap_or_else(|why| panic!("{kind}, {moment:?}, seed {seed}: {why}"));
                assert!(!city.shards[0].engine.waits_for_panic(), "{kind}, {moment:?}, seed {seed}");
                check_payers(kind, &city).unwrap_or_else(|why| panic!("{kind}, {moment:?}, seed {seed}: {why}"));
                somebody_paid |= !matches!(city.shards[0].engine.payers(), Payers::Nobody);
            }
            assert!(somebody_paid, "{kind}, {moment:?}: put down to nobody, whatever the day");
        }
    }
}

/// A day is not empty: callers talk, leave, overflow, are passed on and come back, agents refuse, miss and make calls, phones register.
#[test]
fn much_happens_in_a_day() {
    let mut seen: BTreeMap<String, u32> = BTreeMap::new();
    for seed in 0..200 {
        let mut city = city(seed);
        city.run().unwrap();
        for fact in city.facts() {
            let what = match &fact.kind {
                FactKind::Left { outcome, .. } => outcome.label(),
                FactKind::OfferEnded { outcome, .. } => outcome.label(),
                FactKind::Transferred { outcome: TransferOutcome::Completed, kind, .. } => kind.label(),
                FactKind::Transferred { outcome, .. } => outcome.label(),
                FactKind::Ended { by, .. } => by.label(),
                FactKind::Entered { prefers: Some(_), .. } => "for one agent",
                FactKind::PreferenceOver { .. } => "for anyone after all",
                FactKind::Entered { emergency: true, .. } => "emergency",
                FactKind::Entered { estimate: Estimate::Known(_), .. } => "estimated",
                FactKind::Arrived { trunk: None, .. } => "an agent's own call",
                FactKind::TrunkCalls { direction: Direction::Out, up: 1.., .. } => "a call outward",
                FactKind::LimitHit { limit } => limit.label(),
                FactKind::Agent { from: (AgentState::Offline, _), .. } => "signed in",
                FactKind::Agent { to: (AgentState::Offline, _), .. } => "signed out",
                _ => continue,
            };
            *seen.entry(what.to_owned()).or_default() += 1;
        }
    }
    for what in [
        "answered",
        "abandoned",
        "overflowed",
        "accepted",
        "refused",
        "timed_out",
        "busy",
        "unreachable",
        "withdrawn",
        "queue",
        "blind",
        "returned",
        "failed",
        "caller",
        "agent",
        "outside",
        "system",
        "for one agent",
        "for anyone after all",
        "emergency",
        "estimated",
        "an agent's own call",
        "a call outward",
        "media_ports",
        "line_slots",
        "signed in",
        "signed out",
    ] {
        assert!(seen.get(what).is_some_and(|count| *count > 1), "{what} hardly happens: {seen:?}");
    }
}

/// Plays the day of `SEED`, and prints what was told: of the contact that is wrong, or all. It fails if the day does.
#[test]
#[ignore = "a tool"]
#[allow(clippy::print_stdout, reason = "printing is all that it does")]
fn one_day() {
    let seed = std::env::var("SEED").ok().and_then(|seed| seed.parse().ok()).unwrap_or(0);
    let mut city = city(seed);
    let outcome = city.run();
    let wrong = outcome.as_ref().err().and_then(|why| why.strip_prefix("contact ")?.get(..26).map(str::to_owned));
    for fact in city.facts() {
        let of = fact.contact.map(|id| id.to_string()).unwrap_or_default();
        if wrong.as_ref().is_none_or(|wrong| *wrong == of) {
            println!("{:?} {of} {:?}", fact.at, fact.kind);
        }
    }
    outcome.unwrap();
}
