//! The shape of what is large: how much a type shows, what is said between owners, and who knows whom inside the engine.

use std::collections::{BTreeMap, BTreeSet};

use syn::visit::{self, Visit};

use super::{files, is_test};

/// The rooms that are looked at.
const ROOMS: &[&str] = &["src/engine", "src/sip/session"];

/// Methods of a type that can be called from outside of its file.
const METHODS_MAX: usize = 20;
/// Variants of an enum that one owner sends to another.
const VARIANTS_MAX: usize = 16;

/// Files in which `Engine` has methods, and their lines.
const ENGINE_FILES_MAX: usize = 3;
const ENGINE_LINES_MAX: usize = 900;

/// Whether something is compiled for tests alone.
fn for_tests(attributes: &[syn::Attribute]) -> bool {
    attributes.iter().any(|attribute| {
        attribute.path().is_ident("cfg") && attribute.parse_args::<syn::Ident>().is_ok_and(|condition| condition == "test")
    })
}

/// What a file has, tests apart.
#[derive(Default)]
struct Shape {
    /// Whether what is private here is visible in other files: they are modules of this one.
    has_modules: bool,
    /// By type: its methods that can be called from outside of the file.
    methods: BTreeMap<String, usize>,
    /// Types with `impl` blocks, those of traits among them.
    has_methods: BTreeSet<String>,
    /// Types with the traits that they implement.
    traits: Vec<(String, String)>,
    /// Enums, with their variants.
    enums: Vec<(String, usize)>,
    /// Words that a path ends in or leads through.
    words: BTreeSet<String>,
    /// Paths, with those that are imported.
    paths: Vec<Vec<String>>,
    /// What imports bring in: the name, and from where.
    imports: Vec<(String, Vec<String>)>,
}

impl Shape {
    fn of(file: &str) -> Self {
        let file = syn::parse_file(file).expect("it is Rust");
        let is_module =
            |item: &syn::Item| matches!(item, syn::Item::Mod(module) if module.content.is_none() && !for_tests(&module.attrs));
        let mut shape = Shape { has_modules: file.items.iter().any(is_module), ..Shape::default() };
        shape.visit_file(&file);
        shape.words = shape.paths.iter().flatten().cloned().collect();
        shape
    }

    fn import(&mut self, before: &[String], tree: &syn::UseTree) {
        let with = |name: &syn::Ident| [before, &[name.to_string()]].concat();
        match tree {
            syn::UseTree::Path(path) => self.import(&with(&path.ident), &path.tree),
            syn::UseTree::Group(group) => group.items.iter().for_each(|tree| self.import(before, tree)),
            syn::UseTree::Name(name) => self.imported(name.ident.to_string(), with(&name.ident)),
            syn::UseTree::Rename(name) => self.imported(name.rename.to_string(), with(&name.ident)),
            syn::UseTree::Glob(_) => self.paths.push(before.to_vec()),
        }
    }

    fn imported(&mut self, name: String, path: Vec<String>) {
        self.paths.push(path.clone());
        self.imports.push((name, path));
    }
}

impl<'s> Visit<'s> for Shape {
    fn visit_item(&mut self, item: &'s syn::Item) {
        let attributes = match item {
            syn::Item::Mod(item) => &item.attrs,
            syn::Item::Fn(item) => &item.attrs,
            syn::Item::Impl(item) => &item.attrs,
            syn::Item::Use(item) => &item.attrs,
            _ => return visit::visit_item(self, item),
        };
        if !for_tests(attributes) {
            visit::visit_item(self, item);
        }
    }

    fn visit_item_impl(&mut self, item: &'s syn::ItemImpl) {
        let of = if let syn::Type::Path(of) = &*item.self_ty { of.path.segments.last() } else { None };
        let Some(name) = of.map(|segment| segment.ident.to_string()) else { return visit::visit_item_impl(self, item) };
        self.has_methods.insert(name.clone());
        if let Some((_, path, _)) = &item.trait_ {
            let last = path.segments.last().expect("a path has an end");
            self.traits.push((name, last.ident.to_string()));
        } else {
            let visible = |method: &&syn::ImplItemFn| self.has_modules || !matches!(method.vis, syn::Visibility::Inherited);
            let methods = item.items.iter().filter_map(|item| match item {
                syn::ImplItem::Fn(method) if !for_tests(&method.attrs) => Some(method),
                _ => None,
            });
            let count = methods.filter(visible).count();
            *self.methods.entry(name).or_default() += count;
        }
        visit::visit_item_impl(self, item);
    }

    fn visit_impl_item_fn(&mut self, method: &'s syn::ImplItemFn) {
        if !for_tests(&method.attrs) {
            visit::visit_impl_item_fn(self, method);
        }
    }

    fn visit_item_enum(&mut self, item: &'s syn::ItemEnum) {
        self.enums.push((item.ident.to_string(), item.variants.len()));
        visit::visit_item_enum(self, item);
    }

    /// Who may see something is no knowledge of them.
    fn visit_visibility(&mut self, _: &'s syn::Visibility) {}

    fn visit_item_use(&mut self, item: &'s syn::ItemUse) {
        self.import(&[], &item.tree);
    }

    fn visit_path(&mut self, path: &'s syn::Path) {
        self.paths.push(path.segments.iter().map(|segment| segment.ident.to_string()).collect());
        visit::visit_path(self, path);
    }
}

/// The files of a room, tests apart, with their shapes.
fn shapes(room: &str) -> Vec<(String, Shape)> {
    let found = files(room, ".rs").into_iter().filter(|(name, _)| !is_test(name));
    found.map(|(name, text)| (name, Shape::of(&text))).collect()
}

/// Whether an enum is what one owner sends to another.
fn is_sent(name: &str) -> bool {
    let to = name.strip_prefix("To").is_some_and(|rest| rest.starts_with(char::is_uppercase));
    to || name.ends_with("Event") || name.ends_with("Command")
}

/// What is more than is allowed.
fn over(numbers: impl IntoIterator<Item = (String, usize)>, max: usize) -> Vec<String> {
    let over = numbers.into_iter().filter(|(_, now)| *now > max);
    over.map(|(what, now)| format!("{what}: {now}, and at most {max} are allowed")).collect()
}

#[test]
fn types_show_few_methods() {
    let mut methods: BTreeMap<String, usize> = BTreeMap::new();
    for room in ROOMS {
        for (_, shape) in shapes(room) {
            // A type's methods may be spread over files. Types of the same name in one room are taken together.
            shape.methods.iter().for_each(|(of, count)| *methods.entry(format!("{room} {of}")).or_default() += count);
        }
    }
    assert!(methods.len() >= 20, "the types were not found");
    let wrong = over(methods, METHODS_MAX);
    assert!(wrong.is_empty(), "methods that other files can call:\n{}", wrong.join("\n"));
}

#[test]
fn what_is_sent_between_owners_is_little() {
    let mut sent = Vec::new();
    for (name, shape) in ROOMS.iter().flat_map(|room| shapes(room)) {
        let enums = shape.enums.into_iter().filter(|(of, _)| is_sent(of));
        sent.extend(enums.map(|(of, variants)| (format!("{name} {of}"), variants)));
    }
    assert!(sent.len() >= 4, "the enums were not found");
    let wrong = over(sent, VARIANTS_MAX);
    assert!(wrong.is_empty(), "variants:\n{}", wrong.join("\n"));
}

#[test]
#[allow(clippy::print_stdout, reason = "where the engine is large is worth knowing")]
fn the_engine_is_in_few_files() {
    let mut found = Vec::new();
    for (name, text) in files("src", ".rs").into_iter().filter(|(name, _)| !is_test(name)) {
        let shape = Shape::of(&text);
        assert!(shape.traits.iter().all(|(of, _)| of != "Engine"), "{name}: whoever takes a trait of the hub's knows the hub");
        if shape.has_methods.contains("Engine") {
            found.push((text.lines().count(), name));
        }
    }
    found.sort();
    found.iter().rev().for_each(|(lines, name)| println!("{lines:5} {name}"));
    let lines: usize = found.iter().map(|(lines, _)| lines).sum();
    assert!(found.len() <= ENGINE_FILES_MAX && lines <= ENGINE_LINES_MAX, "{} files, {lines} lines", found.len());
    assert!(found.iter().any(|(_, name)| name == "src/engine/mod.rs"), "the hub is where Engine stands");
}

/// Who has state of their own in an engine. What one of them does to another it does by a message.
const OWNERS: &[&str] = &["Engine", "Legs", "Contacts", "Desks", "Devices"];
/// The hub, which hands messages from one to another.
const HUB: &[&str] = &["src/engine/mod.rs", "src/engine/dispatch.rs", "src/engine/inbound.rs"];

/// The owners that whoever has a value of a type may change: all that it names, but for those that it only lends to look at.
#[derive(Default)]
struct Lent {
    owners: Vec<String>,
    /// Whether those that are lent to look at count, too.
    all: bool,
}

impl<'s> Visit<'s> for Lent {
    fn visit_type_reference(&mut self, reference: &'s syn::TypeReference) {
        if self.all || reference.mutability.is_some() {
            visit::visit_type_reference(self, reference);
        }
    }

    fn visit_path(&mut self, path: &'s syn::Path) {
        let last = path.segments.last().map(|segment| segment.ident.to_string());
        self.owners.extend(last.filter(|name| OWNERS.contains(&&**name)));
        visit::visit_path(self, path);
    }

    /// What a function of an owner takes is looked at by itself.
    fn visit_parenthesized_generic_arguments(&mut self, arguments: &'s syn::ParenthesizedGenericArguments) {
        if self.all {
            visit::visit_parenthesized_generic_arguments(self, arguments);
        }
    }
}

/// Whether there is a function of an owner: as a bound of whatever kind, or as a pointer.
#[derive(Default)]
struct Closures {
    over_an_owner: bool,
}

impl Closures {
    fn take<'t>(&mut self, inputs: impl IntoIterator<Item = &'t syn::Type>) {
        let mut named = Lent { all: true, ..Lent::default() };
        inputs.into_iter().for_each(|input| named.visit_type(input));
        self.over_an_owner |= !named.owners.is_empty();
    }
}

impl<'s> Visit<'s> for Closures {
    fn visit_parenthesized_generic_arguments(&mut self, arguments: &'s syn::ParenthesizedGenericArguments) {
        self.take(&arguments.inputs);
        visit::visit_parenthesized_generic_arguments(self, arguments);
    }

    fn visit_type_bare_fn(&mut self, function: &'s syn::TypeBareFn) {
        self.take(function.inputs.iter().map(|input| &input.ty));
        visit::visit_type_bare_fn(self, function);
    }
}

/// Functions that reach too far.
#[derive(Default)]
struct Reach {
    /// The type whose methods are looked at.
    of: Option<String>,
    wrong: Vec<String>,
}

impl Reach {
    /// The owners that a function may change, wherever in its parameters they stand.
    fn changes(&self, signature: &syn::Signature) -> Vec<String> {
        let mut changed = Lent::default();
        for input in &signature.inputs {
            match input {
                syn::FnArg::Receiver(receiver) => {
                    let by_reference = matches!(&*receiver.ty, syn::Type::Reference(of) if of.mutability.is_some());
                    let of = self.of.clone().filter(|of| by_reference && OWNERS.contains(&&**of));
                    changed.owners.extend(of);
                }
                syn::FnArg::Typed(typed) => changed.visit_type(&typed.ty),
            }
        }
        changed.owners
    }

    fn look(&mut self, signature: &syn::Signature) {
        let (name, changes) = (&signature.ident, self.changes(signature));
        if changes.len() > 1 || changes.iter().any(|owner| owner == "Engine") {
            self.wrong.push(format!("{name} changes {}", changes.join(" and ")));
        }
        let mut closures = Closures::default();
        closures.visit_signature(signature);
        if closures.over_an_owner {
            self.wrong.push(format!("{name} takes a function of an owner"));
        }
    }
}

/// Whether a method does nothing but set a field to what it is given, or to something wrapped around that.
fn only_sets(method: &syn::ImplItemFn) -> bool {
    fn is_given(value: &syn::Expr) -> bool {
        match value {
            syn::Expr::Path(_) => true,
            syn::Expr::Call(call) => matches!(&*call.func, syn::Expr::Path(_)) && call.args.iter().all(is_given),
            syn::Expr::MethodCall(call) => call.args.is_empty() && is_given(&call.receiver),
            _ => false,
        }
    }
    let [syn::Stmt::Expr(syn::Expr::Assign(assign), _)] = method.block.stmts.as_slice() else { return false };
    matches!(&*assign.left, syn::Expr::Field(_)) && is_given(&assign.right)
}

impl<'s> Visit<'s> for Reach {
    fn visit_item_mod(&mut self, item: &'s syn::ItemMod) {
        if !for_tests(&item.attrs) {
            visit::visit_item_mod(self, item);
        }
    }

    fn visit_item_fn(&mut self, item: &'s syn::ItemFn) {
        self.look(&item.sig);
        visit::visit_item_fn(self, item);
    }

    fn visit_item_impl(&mut self, item: &'s syn::ItemImpl) {
        if for_tests(&item.attrs) {
            return;
        }
        if let syn::Type::Path(path) = &*item.self_ty {
            self.of = path.path.segments.last().map(|segment| segment.ident.to_string());
        }
        visit::visit_item_impl(self, item);
        self.of = None;
    }

    fn visit_trait_item_fn(&mut self, method: &'s syn::TraitItemFn) {
        self.look(&method.sig);
        visit::visit_trait_item_fn(self, method);
    }

    fn visit_impl_item_fn(&mut self, method: &'s syn::ImplItemFn) {
        if for_tests(&method.attrs) {
            return;
        }
        self.look(&method.sig);
        visit::visit_impl_item_fn(self, method);
        if !matches!(method.vis, syn::Visibility::Inherited) && only_sets(method) {
            self.wrong.push(format!("{} only sets a field", method.sig.ident));
        }
    }
}

fn reach_of(file: &str) -> Vec<String> {
    let mut reach = Reach::default();
    reach.visit_file(&syn::parse_file(file).expect("it is Rust"));
    reach.wrong
}

#[test]
fn owners_do_not_reach_into_each_other() {
    let mut wrong = Vec::new();
    for room in ROOMS {
        for (name, text) in files(room, ".rs").into_iter().filter(|(name, _)| !is_test(name) && !HUB.contains(&&**name)) {
            wrong.extend(reach_of(&text).into_iter().map(|what| format!("{name}: {what}")));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn what_reaches_too_far_is_found() {
    let file = "
        fn a(legs: &mut Legs, cx: &mut Context<'_>, desks: &Desks) {}
        fn b(legs: &mut Legs, desks: &mut super::Desks) {}
        fn c(f: impl FnOnce(&mut Contacts)) {}
        fn d(engine: &mut Engine) {}
        fn j(both: Option<(&mut Legs, &mut Desks)>) {}
        fn k<F>(f: F) where F: FnMut(&Legs) -> u8 {}
        fn l(f: &mut dyn FnMut(&mut Legs), g: fn(u8)) {}
        fn m(f: fn(&mut Legs)) {}
        fn o(legs: &mut Option<Legs>, desks: Box<Desks>, seen: Option<&Contacts>) {}
        fn p(f: impl FnOnce(Option<&mut Legs>)) {}
        trait Q { fn q(legs: &mut Legs, desks: &mut [Desks]); }
        impl Desks { fn e(&mut self, devices: &mut Devices) {} fn f(&self, devices: &mut Devices) {} }
        impl Leg { pub fn g(&mut self, to: u8) { self.to = to; } pub fn h(&mut self) { self.to = 1; }
            pub fn n(&mut self, to: u8) { self.to = Some(to.into()); } }
        #[cfg(test)] mod tests { fn i(legs: &mut Legs, desks: &mut Desks) {} }";
    let found = [
        "b changes Legs and Desks",
        "c takes a function of an owner",
        "d changes Engine",
        "j changes Legs and Desks",
        "k takes a function of an owner",
        "l takes a function of an owner",
        "m takes a function of an owner",
        "o changes Legs and Desks",
        "p takes a function of an owner",
        "q changes Legs and Desks",
        "e changes Desks and Devices",
        "g only sets a field",
        "n only sets a field",
    ];
    assert_eq!(reach_of(file), found);
}

/// What an owner is lent, and nothing else; and what the parts of a contact's code are.
const LENT: &[&str] = &[
    "now: Time",
    "shard: ShardId",
    "shards: u16",
    "sessions: &'a mut Sessions",
    "timers: &'a mut Deadlines<Reason>",
    "seed: &'a mut Seed",
    "settings: &'a Arc<Settings>",
    "hints: Hints<'a>",
    "out: &'a mut Outgoing",
    "taken_out: TakenOut",
];
const LENT_TO_A_PART: &[&str] = &["cx: &'w mut Context<'c>", "shared: &'w mut Shared"];

/// The fields of a struct, as they are written.
fn fields_of(file: &str, name: &str) -> Vec<String> {
    let (_, text) = files("src/engine", ".rs").into_iter().find(|(found, _)| found == file).expect("it is there");
    let lines = text.lines().skip_while(|line| !line.contains(&format!("struct {name}<"))).skip(1);
    let fields = lines.take_while(|line| *line != "}").map(str::trim).filter(|line| !line.starts_with("///"));
    fields.map(|line| line.trim_end_matches(',').trim_start_matches("pub(super) ").to_owned()).collect()
}

#[test]
fn a_context_lends_nothing_else() {
    assert_eq!(fields_of("src/engine/context.rs", "Context"), LENT);
    assert_eq!(fields_of("src/engine/contacts/work.rs", "Work"), LENT_TO_A_PART);
}

/// Who may name the matcher: the hub, and the audit, which changes nothing. Owners have hints, and say what they want by messages.
const MAY_NAME_THE_MATCHER: [&str; 4] =
    ["src/engine/io.rs", "src/engine/matcher_port.rs", "src/engine/audit.rs", "src/engine/contacts/audit.rs"];

#[test]
fn owners_do_not_reach_the_matcher() {
    let mut wrong = Vec::new();
    for (name, shape) in shapes("src/engine") {
        if shape.words.contains("Matcher") && !MAY_NAME_THE_MATCHER.contains(&name.as_str()) {
            wrong.push(name);
        }
    }
    assert!(wrong.is_empty(), "what changes the matcher is a message: {wrong:?}");
}

/// Cells that are shared hide who changes what.
const SHARED: &[&str] = &["Rc", "RefCell", "Cell"];

#[test]
fn the_engine_shares_no_cells() {
    let mut wrong = Vec::new();
    for (name, shape) in shapes("src/engine") {
        wrong.extend(SHARED.iter().filter(|word| shape.words.contains(**word)).map(|word| format!("{name}: {word}")));
    }
    assert!(wrong.is_empty(), "the engine's state has one owner each:\n{}", wrong.join("\n"));
}

/// Files that know each other: an edge leads from a file to those that its paths lead to.
#[derive(Default)]
struct Edges(BTreeMap<String, BTreeSet<String>>);

impl Edges {
    /// The edges between modules, named as `engine::desks`, of which all are known.
    fn of(shapes: &BTreeMap<String, Shape>) -> Self {
        let mut edges = Edges::default();
        for (module, shape) in shapes {
            let known = shape.paths.iter().filter_map(|path| Self::end(shapes, module, path, 0)).filter(|end| end != module);
            edges.0.insert(module.clone(), known.collect());
        }
        edges
    }

    /// The module that has what a path in a module leads to; imports are followed to where they lead.
    fn end(shapes: &BTreeMap<String, Shape>, module: &str, path: &[String], depth: usize) -> Option<String> {
        let mut at: Vec<&str> = module.split("::").collect();
        let mut rest = path;
        match path.first()?.as_str() {
            "crate" => (at, rest) = (Vec::new(), &path[1..]),
            "self" => rest = &path[1..],
            "super" => {
                while rest.first().is_some_and(|word| word == "super") {
                    at.pop();
                    rest = &rest[1..];
                }
            }
            child if shapes.contains_key(&format!("{module}::{child}")) => {}
            _ => return None,
        }
        while let Some(word) = rest.first() {
            let deeper = [&at[..], &[word]].concat();
            if !at.is_empty() && !shapes.contains_key(&deeper.join("::")) {
                break;
            }
            (at, rest) = (deeper, &rest[1..]);
        }
        let at = at.join("::");
        let shape = shapes.get(&at)?;
        let import = rest.first().and_then(|name| shape.imports.iter().find(|(imported, _)| imported == name));
        let further = import.filter(|_| depth < 5).and_then(|(_, from)| Self::end(shapes, &at, from, depth + 1));
        Some(further.unwrap_or(at))
    }

    fn reached(&self, from: &str) -> BTreeSet<&str> {
        let mut reached = BTreeSet::new();
        let mut next = vec![from];
        while let Some(module) = next.pop() {
            for known in self.0.get(module).into_iter().flatten() {
                if reached.insert(known.as_str()) {
                    next.push(known);
                }
            }
        }
        reached
    }

    /// The strongly connected components of more than one module, the largest first.
    fn knots(&self) -> Vec<Vec<&str>> {
        let reached: BTreeMap<&str, BTreeSet<&str>> =
            self.0.keys().map(|module| (module.as_str(), self.reached(module))).collect();
        let mut left: BTreeSet<&str> = reached.keys().copied().collect();
        let mut knots = Vec::new();
        while let Some(first) = left.pop_first() {
            let mut knot = vec![first];
            knot.extend(left.iter().filter(|other| reached[first].contains(**other) && reached[**other].contains(first)));
            left.retain(|module| !knot.contains(module));
            knots.push(knot);
        }
        knots.retain(|knot| knot.len() > 1);
        knots.sort_by_key(|knot| std::cmp::Reverse(knot.len()));
        knots
    }
}

/// The module of a file under `src`.
fn module(file: &str) -> String {
    let path = file.trim_start_matches("src/").trim_end_matches(".rs").trim_end_matches("/mod");
    path.replace('/', "::")
}

/// The hub knows everybody, and nobody knows the hub; nor is there any other circle.
#[test]
fn the_engines_files_do_not_know_each_other_in_circles() {
    let shapes = shapes("src/engine").into_iter().map(|(name, shape)| (module(&name), shape)).collect();
    let edges = Edges::of(&shapes);
    assert!(edges.0["engine"].len() >= 10, "the hub's edges were not found");
    let circles: Vec<String> = edges.knots().iter().map(|knot| knot.join(" ")).collect();
    assert!(circles.is_empty(), "files that know each other:\n{}", circles.join("\n"));
}

#[test]
fn methods_variants_and_cells_are_counted() {
    let file = "
        use std::rc::Rc;
        impl a::Large { pub fn a() {} pub(super) fn b() {} fn c() {} #[cfg(test)] pub fn d() {} const E: u8 = 1; }
        impl Large { pub(crate) fn f() -> std::cell::RefCell<u8> { g() } }
        impl Clone for Large { fn clone(&self) -> Self { *self } }
        #[cfg(test)] impl Small { pub fn a() {} }
        #[cfg(test)] mod tests { use std::cell::Cell; impl Large { pub fn g() {} } }
        enum ToDesk { A, B(u8) }";
    let shape = Shape::of(file);
    assert_eq!(shape.methods, BTreeMap::from([("Large".to_owned(), 3)]));
    assert_eq!(Shape::of(&format!("mod a; {file}")).methods["Large"], 4, "modules of a file see what is private in it");
    assert_eq!(shape.enums, [("ToDesk".to_owned(), 2)]);
    assert_eq!(SHARED.iter().filter(|word| shape.words.contains(**word)).count(), 2, "tests may have cells");
    assert!(["ToDesk", "SessionEvent", "MediaCommand"].into_iter().all(is_sent));
    assert!(!["Tone", "To", "Events", "Phase"].into_iter().any(is_sent));
}

#[test]
fn knots_are_found() {
    let shapes = [
        ("engine", "mod a; mod b; mod c; mod d; pub use d::Deep; pub struct Hub; fn f(a: a::A) {}"),
        ("engine::a", "use super::{Hub, b::B};"),
        ("engine::b", "use crate::engine::c; fn f() { c::g(super::Deep) }"),
        ("engine::c", "fn f() { super::b::g(); std::mem::drop(1) }"),
        ("engine::d", "use crate::base::Time; #[cfg(test)] mod tests { use super::super::Hub; }"),
        ("engine::d::e", "use super::Deep; use super::super::c::C;"),
    ];
    let shapes = shapes.into_iter().map(|(name, file)| (name.to_owned(), Shape::of(file))).collect();
    let edges = Edges::of(&shapes);
    let known = |module: &str| edges.0[module].iter().map(String::as_str).collect::<Vec<_>>();
    assert_eq!(known("engine"), ["engine::a", "engine::d"]);
    assert_eq!(known("engine::a"), ["engine", "engine::b"]);
    assert_eq!(known("engine::b"), ["engine::c", "engine::d"], "what is exported again is known where it is");
    assert_eq!(known("engine::c"), ["engine::b"]);
    assert!(known("engine::d").is_empty(), "tests may know anyone");
    assert_eq!(known("engine::d::e"), ["engine::c", "engine::d"]);
    assert_eq!(edges.knots(), [["engine", "engine::a"], ["engine::b", "engine::c"]]);
}
