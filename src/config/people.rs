//! Reads agencies, pools, skills and agents.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use super::Context;
use super::names::{Declared, IdAllocator, place};
use super::problem::{Kind, Report};
use super::reader::{Section, Text, Value};
use super::values;
use crate::acd::agent_slots::{Capacity, Load};
use crate::acd::loan::Lending;
use crate::acd::routing_table::AgentProfile;
use crate::base::words::Channel;
use crate::base::{AgencyId, PoolId, SkillId};
use crate::call::numbers;
use crate::call::trunk::Login;
use crate::engine::Settings;
use crate::engine::settings::{Agency, AgentAccount, FixedContact, Pool, Skill};

/// The most agents that one `[[agents]]` may stand for.
const TEMPLATE_MAX: u64 = 1_000_000;
/// Passwords below this length are easily guessed.
const PASSWORD_SHORT: usize = 8;
/// The most agents that an agency can say it lends.
const LEND_MAX: u64 = 1_000_000;
/// The most chats that an agent may have at once.
const CHATS_MAX: u64 = 16;
/// The longest wrap-up.
pub(super) const WRAP_UP_MAX: Duration = Duration::from_secs(4 * 3600);

/// When an agent becomes ready.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Ready {
    OnRegister,
    ByCode,
    AtStart,
}

/// Agents of one table, which share everything but `{n}`.
pub(super) struct Roster<'r> {
    /// Number, name and index of each.
    members: Vec<(Option<u64>, Arc<str>, u32)>,
    section: Section<'r>,
}

/// Puts the number of an agent into a text of its template.
fn fill(text: &str, number: Option<u64>) -> String {
    number.map_or_else(|| text.to_owned(), |n| text.replace("{n}", &n.to_string()))
}

/// The tables `[[agent]]` and `[[agents]]`, with the names of their agents declared.
pub(super) fn rosters<'r>(root: &Section<'r>, ids: &mut IdAllocator) -> Vec<Roster<'r>> {
    let mut rosters: Vec<Roster<'r>> = Vec::new();
    for Declared { id, name, section } in ids.agents.declare_all(root.sections("agent")) {
        rosters.push(Roster { members: id.map(|id| (None, name, id)).into_iter().collect(), section });
    }
    for section in root.sections("agents") {
        let count = section.needed("count", "10").and_then(|value| value.number(1..=TEMPLATE_MAX)).unwrap_or(0);
        let first: u64 = section.number("first", 0..=1_000_000_000).unwrap_or(1);
        let name = section.needed("name", "\"agent{n}\"").and_then(|name| name.text());
        let mut members = Vec::new();
        if let Some(name) = name {
            members = team(section.report, ids, &name, first, count);
        }
        rosters.push(Roster { members, section });
    }
    rosters
}

fn team(
    report: &Report<'_>,
    ids: &mut IdAllocator,
    name: &Text<'_>,
    first: u64,
    count: u64,
) -> Vec<(Option<u64>, Arc<str>, u32)> {
    if !name.text.contains("{n}") {
        let remedy = format!("write {:?}: each agent needs a name of its own", format!("{}{{n}}", name.text));
        report.error(Kind::BadValue, &name.spot, "{n}, the agent's number, is missing", remedy);
        return Vec::new();
    }
    // The first name that cannot be declared is reported, and stands for those after it.
    let member = |n: u64| {
        let name_n = fill(name.text, Some(n));
        let id = ids.agents.declare(report, &name_n, &name.spot)?;
        Some((Some(n), name_n.into(), id))
    };
    (first..first + count).map_while(member).collect()
}

/// Agencies, pools, languages and skills. Removed ones keep their indexes.
pub(super) struct Groups<'r> {
    agencies: Vec<Declared<'r>>,
    pools: Vec<Declared<'r>>,
    languages: Vec<Declared<'r>>,
    skills: Vec<Declared<'r>>,
}

impl<'r> Groups<'r> {
    /// Declares their names.
    pub(super) fn declare(root: &Section<'r>, ids: &mut IdAllocator) -> Self {
        Groups {
            agencies: ids.agencies.declare_all(root.sections("agency")),
            pools: ids.pools.declare_all(root.sections("pool")),
            languages: ids.skills.declare_all(root.sections("language")),
            skills: ids.skills.declare_all(root.sections("skill")),
        }
    }

    /// Which skills are languages.
    pub(super) fn languages(&self) -> BTreeSet<SkillId> {
        self.languages.iter().filter_map(|language| language.id.map(SkillId)).collect()
    }

    /// Reads them into `settings`, which holds the running ones.
    pub(super) fn read(&self, cx: &Context<'_>, settings: &mut Settings) {
        let mut agencies: Vec<_> = settings.agencies.drain(..).map(Some).collect();
        settings.directory.lending.clear();
        for Declared { id, name, section } in &self.agencies {
            let agency = Agency {
                name: name.clone(),
                number: section.read("number", e164).unwrap_or_else(|| "".into()),
                dial: dial_list(section),
            };
            let lends = lending(section);
            section.done();
            if let Some(id) = id {
                place(&mut agencies, *id, agency);
                if let Some(lends) = lends {
                    place(&mut settings.directory.lending, *id, lends);
                }
            }
        }
        settings.agencies = agencies.into_iter().flatten().collect();

        let mut pools: Vec<_> = settings.pools.drain(..).map(Some).collect();
        for Declared { id, name, section } in &self.pools {
            let agency = agency(cx, section).unwrap_or(AgencyId(0));
            section.done();
            id.inspect(|id| place(&mut pools, *id, Pool { name: name.clone(), agency }));
        }
        settings.pools = pools.into_iter().flatten().collect();

        let mut skills: Vec<_> = settings.skills.drain(..).map(Some).collect();
        for Declared { id, name, section } in &self.languages {
            let prompts = section.text("prompts");
            if let Some(folder) = &prompts {
                cx.prompts.check_folder(cx.report, folder);
            }
            section.done();
            let prompts = prompts.map(|folder| folder.text.into());
            if let Some(id) = id {
                settings.directory.languages.push(SkillId(*id));
                place(&mut skills, *id, Skill { name: name.clone(), prompts });
            }
        }
        for Declared { id, name, section } in &self.skills {
            section.done();
            id.inspect(|id| place(&mut skills, *id, Skill { name: name.clone(), prompts: None }));
        }
        settings.skills = skills.into_iter().flatten().collect();
    }
}

/// Reads what an agency keeps for its own callers; `None`: its agents serve all callers of their pools.
fn lending(section: &Section<'_>) -> Option<Lending> {
    let percent = |text: &str| {
        let number = text.strip_suffix('%').and_then(|number| number.parse().ok());
        number
            .filter(|percent| *percent <= 100)
            .ok_or_else(|| "write a share of the agents who are signed in: \"60%\"".to_owned())
    };
    let at_most = section.number("lend_at_most", 0..=LEND_MAX);
    let own_percent = section.read("own_share", percent);
    if at_most.is_none() && own_percent.is_none() {
        return None;
    }
    Some(Lending { at_most: at_most.unwrap_or(u32::MAX), own_percent: own_percent.unwrap_or(0) })
}

fn e164(text: &str) -> Result<Arc<str>, String> {
    let digits = text.strip_prefix('+').unwrap_or("");
    let good = (4..=15).contains(&digits.len()) && digits.bytes().all(|b| b.is_ascii_digit());
    if good { Ok(text.into()) } else { Err("write the number in E.164, such as \"+82221330120\"".to_owned()) }
}

fn dial_list(section: &Section<'_>) -> Vec<String> {
    let Some(value) = section.value("dial") else { return Vec::new() };
    let prefix = |text: &str| match numbers::is_number(text) || text == "+" {
        true => Ok(text.to_owned()),
        false => Err("write how the numbers begin, in E.164 or as a short code: \"+822\", \"+\" for all".to_owned()),
    };
    value.list("a list of prefixes").iter().filter_map(|value| value.read(prefix)).collect()
}

/// The agency of a table that must have one.
pub(super) fn agency(cx: &Context<'_>, section: &Section<'_>) -> Option<AgencyId> {
    let name = section.needed("agency", "\"...\"")?.text()?;
    cx.ids.agencies.find(cx.report, &name).map(AgencyId)
}

/// Pools by name, each once.
pub(super) fn pools(cx: &Context<'_>, value: &Value<'_>) -> Vec<PoolId> {
    let mut pools = Vec::new();
    for name in value.list("a list of pools").iter().filter_map(Value::text) {
        let Some(pool) = cx.ids.pools.find(cx.report, &name).map(PoolId) else { continue };
        if pools.contains(&pool) {
            cx.report.error(Kind::Duplicate, &name.spot, format!("{:?} is in this list already", name.text), "leave it out");
        } else {
            pools.push(pool);
        }
    }
    pools
}

/// Skills by name, each with a level.
pub(super) fn skills(cx: &Context<'_>, section: &Section<'_>) -> Vec<(SkillId, u8)> {
    let pairs = section.pairs("skills").unwrap_or_default();
    let skill = |(name, level): &(Text<'_>, Value<'_>)| {
        let id = cx.ids.skills.find(cx.report, name);
        let level = level.number(1..=10);
        Some((SkillId(id?), level?))
    };
    pairs.iter().filter_map(skill).collect()
}

/// Reads what an agent may have at once.
fn capacity(value: &Value<'_>) -> Capacity {
    const EXAMPLE: &str = "write [{ voice = 1 }, { chat = 3 }] for a call or up to three chats, or leave it out for a call";
    let (mut mixtures, mut understood) = (Vec::new(), true);
    let listed = value.list("a list of mixtures");
    for mixture in &listed {
        let Some(section) = mixture.section() else { return Capacity::default() };
        let mut load = Load::default();
        for channel in Channel::ALL {
            // A phone has one call at a time.
            let most = if *channel == Channel::Voice { 1 } else { CHATS_MAX };
            if let Some(count) = section.value(channel.label()) {
                let count = count.number(0..=most);
                understood &= count.is_some();
                load[channel.index()] = count.unwrap_or(0);
            }
        }
        section.done();
        if understood && load == Load::default() {
            mixture.bad("this mixture is empty", EXAMPLE);
            understood = false;
        }
        mixtures.push(load);
    }
    let capacity = Capacity::of(mixtures);
    if understood && listed.is_empty() {
        value.bad("nothing is listed", EXAMPLE);
    } else if understood && capacity.most(Channel::Voice) == 0 {
        value.bad("who has these mixtures takes no calls", "add { voice = 1 }: as yet nothing but calls comes to agents");
    }
    capacity
}

impl Roster<'_> {
    /// Reads the agents into `settings`.
    pub(super) fn read(&self, cx: &Context<'_>, settings: &mut Settings) {
        let section = &self.section;
        let home = agency(cx, section);
        let listed = section.needed("pools", "[\"...\"]");
        let pools = listed.as_ref().map(|value| pools(cx, value)).unwrap_or_default();
        let skills = skills(cx, section);
        let phone = Phone::read(cx, section);
        let wrap_up = section.duration("wrap_up", Duration::ZERO..=WRAP_UP_MAX);
        let capacity = section.value("at_once").map(|value| capacity(&value)).unwrap_or_default();
        section.done();
        for (number, name, id) in &self.members {
            let agency = home.unwrap_or(AgencyId(0));
            let (pools, skills, capacity) = (pools.clone(), skills.clone(), capacity.clone());
            let profile = AgentProfile { name: name.clone(), agency, pools, skills, capacity, ..AgentProfile::default() };
            place(&mut settings.directory.agents, *id, profile);
            let Some(fixed) = phone.fixed(*number) else { break };
            let login = phone.password.as_ref();
            let login = login.map(|password| Login { user: name.clone(), password: fill(password.text, *number).into() });
            let account = AgentAccount {
                login,
                fixed,
                ready_on_register: phone.ready == Ready::OnRegister,
                ready_at_start: phone.ready == Ready::AtStart,
                wrap_up,
            };
            place(&mut settings.accounts, *id, account);
        }
    }
}

/// How an agent is reached, and becomes ready.
struct Phone<'r> {
    password: Option<Text<'r>>,
    contact: Option<Value<'r>>,
    ready: Ready,
}

impl<'r> Phone<'r> {
    fn read(cx: &Context<'_>, section: &Section<'r>) -> Self {
        let password = section.text("password");
        let contact = section.value("contact");
        if password.is_none() && contact.is_none() {
            let remedy =
                "add password = \"...\" for a phone that registers, or contact = \"sip:desk@192.0.2.7\" for one that never does";
            cx.report.error(Kind::Missing, &section.spot, "this agent has no phone", remedy);
        }
        if let Some(password) = &password {
            check_password(cx.report, password);
        }
        let words = [("on_register", Ready::OnRegister), ("by_code", Ready::ByCode), ("at_start", Ready::AtStart)];
        let written = section.word("ready", &words);
        let spot = section.spot_of("ready");
        match written {
            Some(Ready::AtStart) if contact.is_none() => {
                let remedy = "write \"on_register\" or \"by_code\", or give the phone a fixed contact";
                cx.report.error(Kind::Conflict, &spot, "a phone that registers is not there at the start", remedy);
            }
            Some(Ready::OnRegister) if contact.is_some() => {
                let remedy = "write \"at_start\" or \"by_code\"";
                cx.report.error(Kind::Conflict, &spot, "a phone with a fixed contact never registers", remedy);
            }
            _ => {}
        }
        // An agent who cannot dial a code is ready from the start.
        let usual = if password.is_none() { Ready::AtStart } else { Ready::ByCode };
        Phone { password, contact, ready: written.unwrap_or(usual) }
    }

    /// The fixed contact of the agent with this number, if it has one; `None` if it is written wrong.
    fn fixed(&self, number: Option<u64>) -> Option<Option<FixedContact>> {
        match &self.contact {
            Some(contact) => contact.read(|text| values::fixed_contact(&fill(text, number))).map(Some),
            None => Some(None),
        }
    }
}

/// Checks a password: a short one is a warning, an unusable one an error.
pub(super) fn check_password(report: &Report<'_>, password: &Text<'_>) {
    let length = password.text.chars().count();
    if length == 0 || password.text.contains(char::is_control) {
        report.error(Kind::BadValue, &password.spot, "this is no password", "write some 20 letters and digits, drawn at random");
    } else if length < PASSWORD_SHORT {
        let message = format!("a password of {length} characters is soon guessed");
        report.warn(
            Kind::BadValue,
            &password.spot,
            message,
            format!("write at least {PASSWORD_SHORT} characters, drawn at random"),
        );
    }
}
