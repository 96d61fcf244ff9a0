//! Reads trunks.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use super::names::Declared;
use super::problem::Kind;
use super::reader::{Section, Text, Value};
use super::{Context, Later, people, values};
use crate::base::{EntryId, QueueId};
use crate::call::numbers::{self, Format, NumberPlan};
use crate::call::trunk::{DialledIn, Login, NumberTarget, Outbound, Prefix, TrunkRules};

/// The most calls over one trunk at once.
const CALLS_MAX: u64 = 1 << 20;

/// Reads a `[[trunk]]`.
pub(super) fn read(cx: &Context<'_>, trunk: &Declared<'_>, later: &mut Later) -> TrunkRules {
    let section = &trunk.section;
    let from = prefixes(section, trunk.id, later);
    let login = login(cx, section, later);
    let plan = plan(section);
    let to = section.section("to").map(|section| outbound(cx, &section));
    if from.is_empty() && login.is_none() && to.is_none() && section.value("from").is_none() {
        let remedy = "add from = [\"203.0.113.0/24\"], or user and password";
        cx.report.error(Kind::Missing, &section.spot, "nothing tells which calls come over this trunk", remedy);
    }
    let probe_every = section.duration("probe_every", Duration::from_secs(5)..=Duration::from_secs(3600));
    if probe_every.is_some() && to.is_none() {
        let spot = section.spot_of("probe_every");
        let remedy = "add to = { address = \"203.0.113.7:5060\" }, or leave probe_every out";
        cx.report.error(Kind::Conflict, &spot, "a trunk without an address cannot be probed", remedy);
    }
    let dialled_in = [
        ("request_uri", DialledIn::RequestUri),
        ("to", DialledIn::To),
        ("diversion", DialledIn::Diversion),
        ("history_info", DialledIn::HistoryInfo),
    ];
    let numbers = numbers_of(cx, section, &plan, later);
    let other_numbers = section.value("other_numbers").and_then(|value| target(cx, &value, later));
    let leads = section.value("numbers").or_else(|| section.value("other_numbers")).is_some();
    if !leads && to.is_none() {
        let remedy = "add numbers = { 120 = \"entry:main\" }, or other_numbers = \"entry:main\"";
        cx.report.warn(Kind::Missing, &section.spot, "every call over this trunk is answered 404", remedy);
    }
    let rules = TrunkRules {
        name: trunk.name.clone(),
        from,
        login,
        trusted: section.flag("trusted").unwrap_or(false),
        dialled_in: section.word("dialled_in", &dialled_in).unwrap_or_default(),
        plan,
        numbers,
        other_numbers,
        calls_max: section.number("calls_max", 1..=CALLS_MAX).unwrap_or(1_000),
        emergency_reserve: section.number("emergency_reserve", 0..=CALLS_MAX).unwrap_or(0),
        calls_per_second_max: section.number("calls_per_second_max", 0..=1_000_000).unwrap_or(0),
        probe_every,
        outbound: to.flatten(),
    };
    section.done();
    rules
}

fn prefixes(section: &Section<'_>, id: Option<u32>, later: &mut Later) -> Vec<Prefix> {
    let Some(value) = section.value("from") else { return Vec::new() };
    let list = value.list("a list of addresses");
    if list.is_empty() {
        value.bad("no address is in this list", "write addresses or prefixes, such as \"203.0.113.0/24\", or leave it out");
    }
    let mut prefixes = Vec::new();
    for value in list {
        let Some(prefix) = value.read(values::prefix) else { continue };
        prefixes.push(prefix);
        if let Some(id) = id {
            later.prefixes.push((id, prefix, value.spot));
        }
    }
    prefixes
}

fn login(cx: &Context<'_>, section: &Section<'_>, later: &mut Later) -> Option<Login> {
    let user = section.text("user");
    let password = section.text("password");
    if let Some(password) = &password {
        people::check_password(cx.report, password);
    }
    match (user, password) {
        (Some(user), Some(password)) => {
            if user.text.is_empty() || user.text.contains(['"', '@', '\\']) || user.text.contains(char::is_control) {
                let remedy = "write the user name alone, without domain and quotes";
                cx.report.error(Kind::BadValue, &user.spot, format!("{:?} is no user name", user.text), remedy);
            }
            later.users.push((user.text.into(), user.spot));
            Some(Login { user: user.text.into(), password: password.text.into() })
        }
        (None, None) => None,
        (Some(given), None) => half(cx, &given, "password"),
        (None, Some(given)) => half(cx, &given, "user"),
    }
}

fn half(cx: &Context<'_>, given: &Text<'_>, missing: &str) -> Option<Login> {
    let remedy = format!("add {missing} = \"...\"");
    cx.report.error(Kind::Missing, &given.spot, format!("credentials need a {missing}, too"), remedy);
    None
}

fn plan(section: &Section<'_>) -> NumberPlan {
    let digits = |text: &str| match text.len() <= 8 && text.bytes().all(|b| b.is_ascii_digit()) {
        true => Ok(text.to_owned()),
        false => Err("write digits alone, such as \"82\"".to_owned()),
    };
    let formats = [("e164", Format::E164), ("national", Format::National), ("digits", Format::Digits)];
    let plan = NumberPlan {
        country: section.read("country", digits).unwrap_or_default(),
        national_prefix: section.read("national_prefix", digits).unwrap_or_default(),
        international_prefix: section.read("international_prefix", digits).unwrap_or_default(),
        outgoing: section.word("outgoing", &formats).unwrap_or_default(),
    };
    for key in ["national_prefix", "international_prefix"] {
        let spot = section.spot_of(key);
        if plan.country.is_empty() && spot.span != section.spot.span {
            let message = "a prefix means nothing without the country that it stands for";
            section.report.error(Kind::Conflict, &spot, message, "add country = \"82\", or leave the prefix out");
        }
    }
    plan
}

fn outbound(cx: &Context<'_>, section: &Section<'_>) -> Option<Outbound> {
    let address = section.needed("address", "\"203.0.113.7:5060\"");
    let address: Option<SocketAddr> = address.and_then(|value| value.read(|text| values::socket_address(text, 5060)));
    let transport = section.read("transport", values::transport);
    let host: Option<Arc<str>> = section.read("host", |text| values::host(text).map(Arc::from));
    let prefixes = section.value("prefixes").map(|value| {
        let prefix = |text: &str| match numbers::is_number(text) || text == "+" {
            true => Ok(text.to_owned()),
            false => Err("write how the numbers begin, in E.164 or as a short code: \"+82\", \"119\"".to_owned()),
        };
        value.list("a list of prefixes").iter().filter_map(|value| value.read(prefix)).collect()
    });
    let caller = section.needed("caller", "\"+82221330120\"").and_then(|value| value.text());
    if let Some(caller) = caller.as_ref().filter(|caller| !numbers::is_number(caller.text)) {
        let remedy = "write the number that calls over this trunk show, such as \"+82221330120\"";
        cx.report.error(Kind::BadValue, &caller.spot, format!("{:?} is no number", caller.text), remedy);
    }
    section.done();
    let address = address?;
    let ip = address.ip();
    Some(Outbound {
        address,
        transport: transport.unwrap_or(crate::base::words::Transport::Udp),
        host: host.unwrap_or_else(|| if ip.is_ipv6() { format!("[{ip}]").into() } else { ip.to_string().into() }),
        prefixes: prefixes.unwrap_or_default(),
        caller: caller?.text.into(),
    })
}

fn numbers_of(cx: &Context<'_>, section: &Section<'_>, plan: &NumberPlan, later: &mut Later) -> Vec<(Arc<str>, NumberTarget)> {
    let mut numbers: Vec<(Arc<str>, NumberTarget)> = Vec::new();
    for (number, value) in section.pairs("numbers").unwrap_or_default() {
        let target = target(cx, &value, later);
        let normal: Arc<str> = plan.normalise(number.text).into();
        if normal.is_empty() || normal.contains(|c: char| c.is_whitespace() || c.is_control()) {
            let remedy = "write the number as it is dialled, such as \"120\" or \"+82221330120\"";
            cx.report.error(Kind::BadValue, &number.spot, format!("{:?} cannot be dialled", number.text), remedy);
        } else if numbers.iter().any(|(known, _)| *known == normal) {
            let message = format!("{:?} is {normal}, which is in this table already", number.text);
            cx.report.error(Kind::Duplicate, &number.spot, message, "leave one of the two out");
        } else if let Some(target) = target {
            numbers.push((normal, target));
        }
    }
    numbers
}

/// `entry:NAME` or `queue:NAME`.
fn target(cx: &Context<'_>, value: &Value<'_>, later: &mut Later) -> Option<NumberTarget> {
    let text = value.text()?;
    let named = |name| Text { text: name, spot: text.spot.clone() };
    match text.text.split_once(':') {
        Some(("entry", name)) => {
            let entry = cx.ids.entries.find(cx.report, &named(name))?;
            later.entries_used.insert(entry);
            Some(NumberTarget::Entry(EntryId(entry)))
        }
        Some(("queue", name)) => {
            let queue = QueueId(cx.ids.queues.find(cx.report, &named(name))?);
            later.called.push((queue, text.spot));
            Some(NumberTarget::Queue(queue))
        }
        _ => {
            let (kind, name) = if cx.ids.queues.has(text.text) { ("queue", text.text) } else { ("entry", text.text) };
            value.bad(format!("{:?} leads nowhere", text.text), format!("write \"{kind}:{name}\""));
            None
        }
    }
}
