//! Reads what holds from start to end (sockets, threads, files), and the few settings of the engine that are not part
//! of the directory.

use std::net::{IpAddr, SocketAddr};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use super::problem::{Kind, Report, Spot};
use super::reader::{Section, Text, Value};
use super::values;
use super::{EventLog, Http, Log, LogFormat, LogLevel, Server};
use crate::base::words::Transport;
use crate::base::{ShardId, span};
use crate::engine::settings::{Challenges, Limits, PhoneHeaders, Registration};
use crate::media;
use crate::net::ListenerSettings;

const SECOND: Duration = Duration::from_secs(1);
const MINUTE: Duration = Duration::from_secs(60);
const HOUR: Duration = Duration::from_secs(3600);
const DAY: Duration = Duration::from_secs(86_400);

/// How many contacts the matcher's slots can number, with a quarter more for further rings.
const CONTACTS_MAX: u64 = 800_000;
/// How often a waiting caller is probed, where the file does not say.
const PROBE_WAITING: Duration = Duration::from_secs(60);
/// The realm, where the file names no domain.
const DOMAIN: &str = "hotline.example";

/// Settings of the engine that have tables of their own.
pub(super) struct Engine {
    pub(super) domains: Vec<Arc<str>>,
    pub(super) limits: Limits,
    pub(super) registration: Registration,
    pub(super) phone: PhoneHeaders,
    pub(super) probe_waiting: Option<Duration>,
}

/// Reads a table that may be missing.
fn table<T: Default>(root: &Section<'_>, key: &'static str, read: impl FnOnce(&Section<'_>) -> T) -> T {
    let Some(section) = root.section(key) else { return T::default() };
    let value = read(&section);
    section.done();
    value
}

/// Reads [`Server`] without the prompts' directory, and the engine's part of it. Relative paths begin at `base`.
pub(super) fn read(root: &Section<'_>, base: &Path) -> (Server, Engine) {
    let mut server = Server::default();
    let mut domains = vec![DOMAIN.into()];
    let mut probe_waiting = Some(PROBE_WAITING);
    if let Some(section) = root.section("server") {
        if let Some(listeners) = listeners(&section) {
            server.listeners = listeners;
        }
        if let Some(written) = domain_names(&section) {
            domains = written;
        }
        if let Some(longest) = section.duration("drain_max", SECOND..=DAY) {
            server.drain_max = longest;
        }
        if let Some(every) = section.duration_or_never("probe_waiting", 10 * SECOND..=DAY) {
            probe_waiting = every;
        }
        if let Some(shards) = section.number("shards", 1..=u64::from(ShardId::COUNT_MAX)) {
            server.shards = shards;
        }
        section.done();
    }
    server.media = table(root, "media", media);
    server.http = table(root, "http", |section| http(section, base));
    server.events = table(root, "events", |section| events(section, base));
    server.log = table(root, "log", log);
    if let Some(section) = root.section("store") {
        if let Some(file) = section.text("file") {
            server.store = Some(base.join(file.text));
            if server.events.directory.is_none() {
                let remedy = "add [events] with a directory, or leave [store] out";
                root.report.error(Kind::Conflict, &file.spot, "the store is made of the event log, and none is written", remedy);
            }
        }
        section.done();
    }
    families(root, &server);
    let limits = table(root, "limits", limits);
    let registration = table(root, "registration", registration);
    let phone = table(root, "phone", phone);
    (server, Engine { domains, limits, registration, phone, probe_waiting })
}

fn listeners(section: &Section<'_>) -> Option<Vec<ListenerSettings>> {
    let value = section.value("listen")?;
    let mut listeners: Vec<ListenerSettings> = Vec::new();
    let list = value.list("a list of listeners");
    if list.is_empty() {
        value.bad("nothing is listened for", "write at least one, such as listen = [\"udp:127.0.0.1:5060\"]");
    }
    for value in list {
        let Some(listener) = listener(&value) else { continue };
        let taken = |other: &ListenerSettings| (other.transport, other.bind) == (listener.transport, listener.bind);
        if listener.bind.port() != 0 && listeners.iter().any(taken) {
            let message = format!("{}:{} is listened on already", listener.transport, listener.bind);
            section.report.error(Kind::Duplicate, &value.spot, message, "leave one of the two out");
            continue;
        }
        listeners.push(listener);
    }
    Some(listeners)
}

fn listener(value: &Value<'_>) -> Option<ListenerSettings> {
    let listener = if value.is_table() {
        let section = value.section()?;
        let transport = section.needed("transport", "\"udp\"").and_then(|value| value.read(values::transport));
        let bind = section.needed("bind", "\"0.0.0.0:5060\"").and_then(|v| v.read(|text| values::socket_address(text, 5060)));
        let port = bind.map_or(5060, |bind| bind.port());
        let advertised = section.read("advertised", |text| values::socket_address(text, port));
        section.done();
        ListenerSettings { transport: transport?, bind: bind?, advertised }
    } else {
        let (transport, bind) = value.read(values::listener)?;
        ListenerSettings { transport, bind, advertised: None }
    };
    let ListenerSettings { transport, bind, advertised } = &listener;
    let wild = |address: &SocketAddr| address.ip().is_unspecified();
    if advertised.as_ref().map_or(wild(bind), wild) {
        let remedy = format!("write {{ transport = \"{transport}\", bind = \"{bind}\", advertised = \"203.0.113.7:5060\" }}");
        value.bad("a listener on every address has to say which one phones and trunks shall answer to", remedy);
    }
    Some(listener)
}

fn domain_names(section: &Section<'_>) -> Option<Vec<Arc<str>>> {
    let value = section.value("domains")?;
    let list = value.list("a list of domains");
    if list.is_empty() {
        value.bad("agents need a domain to register at", "write domains = [\"hotline.example\"]");
    }
    let bare = |text: &str| values::host(text).map(|host| Arc::from(host.trim_matches(['[', ']'])));
    Some(list.iter().filter_map(|value| value.read(bare)).collect())
}

fn media(section: &Section<'_>) -> media::MediaSettings {
    let default = media::MediaSettings::default();
    let addresses = section.value("addresses").map(|value| {
        let list = value.list("a list of addresses");
        if list.is_empty() {
            value.bad("media needs an address", "write addresses = [\"127.0.0.1\"]");
        }
        list.iter().filter_map(media_address).collect()
    });
    let mut settings = media::MediaSettings {
        addresses: addresses.filter(|addresses: &Vec<_>| !addresses.is_empty()).unwrap_or(default.addresses),
        ports: section.read("ports", values::ports).unwrap_or(default.ports),
        threads: section.number("threads", 1..=64).unwrap_or(default.threads),
        rest: section.duration("rest", Duration::ZERO..=MINUTE).unwrap_or(default.rest),
        silence: section.duration_or_never("silence", SECOND..=HOUR).unwrap_or(Some(default.silence)).unwrap_or(Duration::MAX),
        shards: default.shards,
        stock: default.stock,
        pairs_max: default.pairs_max,
        dscp: section.number("dscp", 0..=63).unwrap_or(default.dscp),
    };
    let pairs = settings.ports.len() / 2 * settings.addresses.len() / usize::from(settings.threads);
    let usual = default.stock.min((pairs / 2).max(4));
    settings.stock = section.number("stock", 4..=16_384).unwrap_or(usual);
    if pairs < settings.stock {
        let message = format!("there are {pairs} pairs of ports for each thread, and each keeps {} ready", settings.stock);
        let remedy = format!("write a wider range of ports, or stock = {}", (pairs / 2).max(1));
        section.report.error(Kind::Conflict, &section.spot_of("ports"), message, remedy);
    }
    settings
}

/// The address to bind to, and the address to advertise.
fn media_address(value: &Value<'_>) -> Option<(IpAddr, IpAddr)> {
    let (bind, advertised) = if value.is_table() {
        let section = value.section()?;
        let bind = section.needed("bind", "\"10.0.0.5\"").and_then(|value| value.read(values::ip));
        let advertised = section.read("advertised", values::ip);
        section.done();
        (bind?, advertised.or(bind)?)
    } else {
        let bind = value.read(values::ip)?;
        (bind, bind)
    };
    if advertised.is_unspecified() {
        let remedy = format!("write {{ bind = \"{bind}\", advertised = \"203.0.113.7\" }}");
        value.bad("nobody can send audio to an address that is every address", remedy);
    }
    Some((bind, advertised))
}

/// Warns where SIP listens on an IP version for which media has no address.
fn families(root: &Section<'_>, server: &Server) {
    for ipv6 in [false, true] {
        let signals = server.listeners.iter().any(|listener| listener.bind.is_ipv6() == ipv6);
        if signals && !server.media.addresses.iter().any(|(bind, _)| bind.is_ipv6() == ipv6) {
            let (name, example) = if ipv6 { ("IPv6", "::1") } else { ("IPv4", "127.0.0.1") };
            let message = format!("SIP is listened for on {name}, and media has no {name} address");
            let spot = root.spot_of("media");
            root.report.warn(Kind::Conflict, &spot, message, format!("add \"{example}\" or another to media.addresses"));
        }
    }
}

fn http(section: &Section<'_>, base: &Path) -> Http {
    let default = Http::default();
    let bind = section.read("bind", |text| values::socket_address(text, default.bind.port())).unwrap_or(default.bind);
    let written = section.text("token");
    let file = section.text("token_file");
    if let (Some(_), Some(file)) = (&written, &file) {
        let remedy = "leave one of the two out: the file is the better place";
        section.report.error(Kind::Conflict, &file.spot, "the token is given twice", remedy);
    }
    let named = file.is_some();
    let token = written.map(|token| (token.text.to_owned(), token.spot)).or_else(|| token_from(section.report, &file?, base));
    if let Some((token, spot)) = &token {
        check_token(section.report, token, spot);
    }
    if token.is_none() && !named && !bind.ip().is_loopback() {
        let spot = section.spot_of("bind");
        let remedy = "add token_file = \"hotline.token\", a file with a long random text, or bind 127.0.0.1";
        section.report.error(Kind::Conflict, &spot, format!("{bind} is open to others, and no token guards it"), remedy);
    }
    Http { bind, token: token.map(|(token, _)| token) }
}

fn token_from(report: &Report<'_>, file: &Text<'_>, base: &Path) -> Option<(String, Spot)> {
    let path = base.join(file.text);
    match std::fs::read_to_string(&path) {
        Ok(token) => Some((token.trim().to_owned(), file.spot.clone())),
        Err(error) => {
            let message = format!("{} cannot be read: {error}", path.display());
            report.error(Kind::Unreadable, &file.spot, message, "make the file, readable for hotline's user alone");
            None
        }
    }
}

fn check_token(report: &Report<'_>, token: &str, spot: &Spot) {
    if token.is_empty() || !token.bytes().all(|b| b.is_ascii_graphic()) {
        let remedy = "write letters and digits without blanks, such as the output of: openssl rand -hex 32";
        report.error(Kind::BadValue, spot, "this token cannot stand in an HTTP header", remedy);
    } else if token.len() < 16 {
        let remedy = "write at least 16 characters, such as the output of: openssl rand -hex 32";
        report.warn(Kind::BadValue, spot, "this token is short enough to be guessed", remedy);
    }
}

fn events(section: &Section<'_>, base: &Path) -> EventLog {
    let default = EventLog::default();
    EventLog {
        directory: section.text("directory").map(|directory| base.join(directory.text)),
        rotate_mb: section.number("rotate_mb", 1..=4096).unwrap_or(default.rotate_mb),
        sync_every: section.duration("sync_every", Duration::from_millis(10)..=MINUTE).unwrap_or(default.sync_every),
    }
}

fn log(section: &Section<'_>) -> Log {
    let levels = [
        ("error", LogLevel::Error),
        ("warn", LogLevel::Warn),
        ("info", LogLevel::Info),
        ("debug", LogLevel::Debug),
        ("trace", LogLevel::Trace),
    ];
    Log {
        level: section.word("level", &levels).unwrap_or_default(),
        format: section.word("format", &[("text", LogFormat::Text), ("json", LogFormat::Json)]).unwrap_or_default(),
        recent_sip_mb: section.number("recent_sip_mb", 0..=256).unwrap_or(Log::default().recent_sip_mb),
    }
}

fn limits(section: &Section<'_>) -> Limits {
    let default = Limits::default();
    let limits = Limits {
        contacts: section.number("contacts", 1..=CONTACTS_MAX).unwrap_or(default.contacts),
        emergency_contacts: section.number("emergency_contacts", 0..=CONTACTS_MAX).unwrap_or(default.emergency_contacts),
        transactions: section.number("transactions", 16..=16_000_000).unwrap_or(default.transactions),
        bindings_per_agent: section.number("bindings_per_agent", 1..=20).unwrap_or(default.bindings_per_agent),
        nonces: section.number("nonces", 16..=16_000_000).unwrap_or(default.nonces),
    };
    if limits.emergency_contacts >= limits.contacts {
        let message =
            format!("{} of {} contacts are kept for emergencies: none are left", limits.emergency_contacts, limits.contacts);
        let remedy = format!("write emergency_contacts = {}, or more contacts", limits.contacts / 100);
        section.report.error(Kind::Conflict, &section.spot_of("emergency_contacts"), message, remedy);
    }
    limits
}

fn registration(section: &Section<'_>) -> Registration {
    let default = Registration::default();
    let registration = Registration {
        expires_min: section.duration("expires_min", SECOND..=DAY).unwrap_or(default.expires_min),
        expires_max: section.duration("expires_max", SECOND..=7 * DAY).unwrap_or(default.expires_max),
        nonce_life: section.duration("nonce_life", 10 * SECOND..=DAY).unwrap_or(default.nonce_life),
        challenges: section.word("challenges", &Challenges::WORDS).unwrap_or(default.challenges),
    };
    if registration.expires_min > registration.expires_max {
        let message = "the shortest registration is longer than the longest";
        let remedy = format!("write expires_min = \"{}\" or less", span::written(registration.expires_max));
        section.report.error(Kind::Conflict, &section.spot_of("expires_min"), message, remedy);
    }
    registration
}

fn phone(section: &Section<'_>) -> PhoneHeaders {
    let header = |key| {
        section.read(key, |text| {
            // It goes into a SIP message as it is.
            let good = !text.trim().is_empty() && text.len() <= 256 && !text.contains(char::is_control);
            if good { Ok(Arc::from(text)) } else { Err("write the value of the header on one line".to_owned()) }
        })
    };
    PhoneHeaders { alert_info: header("alert_info"), call_info: header("call_info") }
}

impl Default for Server {
    fn default() -> Self {
        let bind = SocketAddr::from(([127, 0, 0, 1], 5060));
        let listener = |transport| ListenerSettings { transport, bind, advertised: None };
        Server {
            listeners: vec![listener(Transport::Udp), listener(Transport::Tcp)],
            media: media::MediaSettings::default(),
            prompts: None::<PathBuf>,
            http: Http::default(),
            events: EventLog::default(),
            store: None,
            log: Log::default(),
            drain_max: HOUR,
            shards: 1,
        }
    }
}

impl Default for Http {
    fn default() -> Self {
        Http { bind: SocketAddr::from(([127, 0, 0, 1], 8120)), token: None }
    }
}

impl Default for EventLog {
    fn default() -> Self {
        EventLog { directory: None, rotate_mb: 64, sync_every: SECOND }
    }
}
