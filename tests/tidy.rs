//! The rules of the tree, checked by a test: which room may know which, who may read a clock, draw randomness or lock,
//! that facts are one list, and that nothing in the tree points outside of it. Lengths are only printed.
//!
//! [`documents`] looks at documents and comments, [`shape`] at types and at who knows whom.

#[path = "tidy/documents.rs"]
mod documents;
#[path = "tidy/shape.rs"]
mod shape;

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

use hotline::report::EventKind;
use syn::visit::{self, Visit};

/// What each room may know. `base` is known by all; `app` knows all.
const MAY_KNOW: &[(&str, &[&str])] = &[
    ("base", &[]),
    ("sip", &["base"]),
    ("sdp", &["base"]),
    ("rtp", &["base"]),
    ("acd", &["base"]),
    ("report", &["base"]),
    ("call", &["base"]),
    ("engine", &["base", "sip", "sdp", "call", "acd", "report"]),
    ("media", &["base", "sdp", "rtp", "engine"]),
    ("net", &["base", "sip", "engine", "report"]),
    ("metrics", &["base", "engine", "report", "acd", "sip"]),
    ("store", &["base", "report"]),
    ("web", &["base"]),
    ("config", &["base", "engine", "acd", "call", "net", "media", "web", "simulate"]),
    ("load", &["base", "sip", "sdp", "rtp"]),
    ("simulate", &["base", "acd"]),
    ("dst", &["base", "engine", "sip", "sdp", "acd", "report", "config", "replay"]),
    ("replay", &["base", "engine", "sip", "acd", "config"]),
];

/// Where a rule of purity is broken, and why. This list may only shrink.
const EXCEPTIONS: &[(&str, &str, &str)] = &[
    ("src/base/hash.rs", "HashMap", "the keyed wrapper that everybody else uses"),
    ("src/net/clock.rs", "Instant::now", "the one clock"),
    ("src/net/clock.rs", "SystemTime::now", "the one clock"),
];

/// The rooms without socket, clock, thread or ambient randomness.
const PURE: &[&str] = &["base", "sip", "sdp", "rtp", "call", "acd", "report", "engine", "simulate"];

fn root() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
}

fn files(under: &str, ending: &str) -> Vec<(String, String)> {
    fn walk(dir: &Path, ending: &str, found: &mut Vec<PathBuf>) {
        let Ok(entries) = fs::read_dir(dir) else { return };
        for entry in entries.flatten() {
            let path = entry.path();
            if path.is_dir() {
                walk(&path, ending, found);
            } else if path.to_string_lossy().ends_with(ending) {
                found.push(path);
            }
        }
    }
    let mut found = Vec::new();
    walk(&root().join(under), ending, &mut found);
    found.sort();
    let name = |path: &Path| path.strip_prefix(root()).unwrap().to_string_lossy().into_owned();
    found.iter().map(|path| (name(path), String::from_utf8_lossy(&fs::read(path).unwrap()).into_owned())).collect()
}

fn is_test(name: &str) -> bool {
    name.contains("tests")
}

/// Code without comments, and without what stands behind `#[cfg(test)]` at the end of a file.
fn code(text: &str) -> String {
    let body = text.split("#[cfg(test)]\nmod tests {").next().unwrap_or(text);
    let body = body.split("#[cfg(test)]\npub(crate) mod tests {").next().unwrap_or(body);
    body.lines().filter(|line| !line.trim_start().starts_with("//")).collect::<Vec<_>>().join("\n")
}

fn room(name: &str) -> Option<&str> {
    let rest = name.strip_prefix("src/")?;
    rest.split_once('/').map(|(room, _)| room)
}

#[test]
fn rooms_know_only_what_they_may() {
    let allowed: BTreeMap<&str, &[&str]> = MAY_KNOW.iter().copied().collect();
    let mut wrong = Vec::new();
    for (name, text) in files("src", ".rs") {
        let Some(room) = room(&name).filter(|room| *room != "app" && !is_test(&name)) else { continue };
        let may = allowed.get(room).unwrap_or_else(|| panic!("{name}: the room `{room}` is not in the table"));
        let mut known = BTreeSet::new();
        for piece in code(&text).split("crate::").skip(1) {
            let word: String = piece.chars().take_while(|c| c.is_alphanumeric() || *c == '_').collect();
            // What tests/models puts in the place of std's atomics.
            if word != "modelled" {
                known.insert(word);
            }
        }
        for other in known {
            if other != room && !may.contains(&other.as_str()) {
                wrong.push(format!("{name}: `{room}` may not know `{other}`"));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn pure_rooms_stay_pure() {
    let impure = [
        "tokio",
        "std::net::UdpSocket",
        "std::net::Tcp",
        "std::thread",
        "Instant::now",
        "SystemTime::now",
        "Mutex",
        "RwLock",
        "thread_rng",
        "rand::",
        "std::fs",
        "HashMap",
        "println!",
        "static mut",
    ];
    let mut wrong = Vec::new();
    for (name, text) in files("src", ".rs") {
        if is_test(&name) || !room(&name).is_some_and(|room| PURE.contains(&room)) {
            continue;
        }
        let code = code(&text);
        for word in impure {
            let excepted = EXCEPTIONS.iter().any(|(file, what, _)| *file == name && *what == word);
            if code.contains(word) && !excepted {
                wrong.push(format!("{name}: {word}"));
            }
        }
    }
    assert!(wrong.is_empty(), "what does not belong into a pure room:\n{}", wrong.join("\n"));
}

#[test]
fn exceptions_are_still_needed() {
    for (file, what, why) in EXCEPTIONS {
        let text = fs::read_to_string(root().join(file)).unwrap_or_default();
        assert!(code(&text).contains(what), "{file} no longer has {what} ({why}): take the exception out");
    }
}

#[test]
fn only_the_clock_reads_clocks() {
    for (name, text) in files("src", ".rs") {
        let code = code(&text);
        let reads = code.contains("Instant::now") || code.contains("SystemTime::now");
        let may = name == "src/net/clock.rs" || name.starts_with("src/media/") || name.starts_with("src/load/") || is_test(&name);
        assert!(!reads || may, "{name} reads a clock: take the time as a parameter");
    }
}

#[test]
fn every_module_says_what_it_owns() {
    for (name, text) in files("src", ".rs") {
        assert!(is_test(&name) || text.starts_with("//!"), "{name} does not open with what it owns");
    }
}

#[test]
fn nothing_points_outside_of_the_tree() {
    let outside = concat!("../", "shared");
    for under in ["src", "tests", "benches", "configs", "prompts"] {
        for (name, text) in files(under, "")
            .into_iter()
            .filter(|(name, _)| name.ends_with(".rs") || name.ends_with(".toml") || name.ends_with(".sh"))
        {
            assert!(!text.contains(outside), "{name} refers to a file outside of the repository");
        }
    }
}

/// The list of facts.
const FACTS: &str = "src/report/fact.rs";

/// Who in `report` reads what facts say. All the rest of it handles any fact, and names none.
const READ_FACTS: &[&str] = &["src/report/cdr_builder.rs", "src/report/replay.rs", "src/report/why.rs"];

/// The names by which the list's enums are known.
const FACT_ENUMS: &[&str] = &["FactOf", "FactKind", "What", "EventKind"];

/// What a file does with facts that makes adding one touch it.
#[derive(Default)]
struct Facts {
    /// Facts that it names, such as `FactKind::Agent`.
    named: Vec<String>,
    /// Matches of facts that do not end in `_ => {}`, by their first fact.
    closed: Vec<String>,
    /// Other enums of the same variants.
    copies: Vec<String>,
}

impl Facts {
    fn of(file: &str) -> Self {
        let mut facts = Facts::default();
        facts.visit_file(&syn::parse_file(file).expect("it is Rust"));
        facts
    }

    /// An enum is a second list if it has most of the facts.
    fn compare(&mut self, name: &str, variants: &[String]) {
        let same = EventKind::ALL.iter().filter(|kind| variants.contains(&format!("{kind:?}"))).count();
        if same > EventKind::ALL.len() / 2 {
            self.copies.push(name.to_owned());
        }
    }
}

/// Whether a pattern takes whatever comes.
fn takes_all(pattern: &syn::Pat) -> bool {
    match pattern {
        syn::Pat::Wild(_) => true,
        syn::Pat::Ident(name) => name.subpat.is_none(),
        syn::Pat::Tuple(tuple) => tuple.elems.iter().all(takes_all),
        _ => false,
    }
}

impl<'s> Visit<'s> for Facts {
    fn visit_path(&mut self, path: &'s syn::Path) {
        let words: Vec<String> = path.segments.iter().map(|segment| segment.ident.to_string()).collect();
        if let [.., of, fact] = &words[..]
            && FACT_ENUMS.contains(&of.as_str())
            && fact.starts_with(char::is_uppercase)
        {
            self.named.push(format!("{of}::{fact}"));
        }
        visit::visit_path(self, path);
    }

    fn visit_expr_match(&mut self, matched: &'s syn::ExprMatch) {
        let mut facts = Facts::default();
        matched.arms.iter().for_each(|arm| facts.visit_pat(&arm.pat));
        if !matched.arms.iter().any(|arm| arm.guard.is_none() && takes_all(&arm.pat)) {
            self.closed.extend(facts.named.into_iter().next());
        }
        visit::visit_expr_match(self, matched);
    }

    fn visit_item_enum(&mut self, item: &'s syn::ItemEnum) {
        let variants: Vec<String> = item.variants.iter().map(|variant| variant.ident.to_string()).collect();
        self.compare(&item.ident.to_string(), &variants);
    }

    /// The arguments of a macro, such as `matches!` or `words!`, are only words.
    fn visit_macro(&mut self, called: &'s syn::Macro) {
        let text = called.tokens.to_string();
        let words: Vec<String> = text.split(|c: char| !c.is_alphanumeric()).map(str::to_owned).collect();
        let paths = FACT_ENUMS.iter().map(|of| format!("{of} ::")).filter(|path| text.contains(path.as_str()));
        self.named.extend(paths);
        self.compare("a macro", &words);
    }

    fn visit_item_mod(&mut self, module: &'s syn::ItemMod) {
        if module.ident != "tests" {
            visit::visit_item_mod(self, module);
        }
    }
}

/// A fact is added in the list, where it happens, and where a consumer cares for it: see src/report/fact.rs. So nothing else may list them all.
#[test]
fn facts_are_one_list() {
    let mut wrong = Vec::new();
    for (name, text) in files("src", ".rs").into_iter().filter(|(name, _)| !is_test(name) && name != FACTS) {
        let Facts { named, closed, copies } = Facts::of(&text);
        wrong.extend(closed.iter().map(|fact| format!("{name}: the match with {fact} must end in `_ => ...`")));
        wrong.extend(copies.iter().map(|copy| format!("{name}: {copy} is a second list of the facts in {FACTS}")));
        if name.starts_with("src/report/") && !READ_FACTS.contains(&name.as_str()) && !named.is_empty() {
            wrong.push(format!("{name}: it handles any fact, and may not name one: {}", named.join(", ")));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn a_second_list_of_facts_is_noticed() {
    let closed = |arms: &str| Facts::of(&format!("fn f(kind: FactKind) {{ match kind {{ {arms} }} }}")).closed;
    assert_eq!(closed("FactKind::Agent { .. } => 1, FactKind::Started | What::Left { .. } => 2,"), ["FactKind::Agent"]);
    assert_eq!(closed("FactKind::Agent { .. } => 1, _ if true => 2, other if false => 3,").len(), 1);
    assert_eq!(
        closed("FactKind::Agent { .. } => 1, other => match other { What::Started => 2, What::Left { .. } => 3 },").len(),
        1
    );
    assert!(closed("FactKind::Agent { .. } => 1, _ => 2,").is_empty());
    assert!(closed("Some(1) => 1, Some(2) => 2,").is_empty(), "matches of something else are free");
    let all = EventKind::ALL.iter().map(|kind| format!("{kind:?}")).collect::<Vec<_>>().join(", ");
    assert_eq!(Facts::of(&format!("enum Copied {{ {all} }}")).copies, ["Copied"]);
    assert_eq!(Facts::of(&format!("words!(Copied {{ {all} }});")).copies.len(), 1);
    assert_eq!(Facts::of("fn f() { matches!(a, EventKind::Agent) }").named, ["EventKind ::"]);
    assert_eq!(Facts::of("fn f() -> super::What { What::Started }").named, ["What::Started"]);
}

#[test]
#[allow(clippy::print_stdout, reason = "printing is all that it does")]
fn lengths_are_printed() {
    let mut long: Vec<(usize, String)> = files("src", ".rs")
        .into_iter()
        .map(|(name, text)| (text.lines().count(), name))
        .filter(|(lines, _)| *lines > 400)
        .collect();
    long.sort();
    for (lines, name) in long.iter().rev() {
        println!("{lines:5} {name}");
    }
}
