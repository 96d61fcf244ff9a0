//! Documents: their lines are short, the files that they name exist, and comments name no document that does not.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use super::{files, root};

/// Columns of a line of a document.
const COLUMNS_MAX: usize = 100;

/// Folders with files that documents name by path.
const FOLDERS: &[&str] = &["src", "tests", "docs", "configs", "examples", "benches", "prompts"];

/// What stands at the top of the tree and belongs to it.
fn top() -> Vec<String> {
    let entries = fs::read_dir(root()).expect("the tree is there").flatten();
    let names = entries.map(|entry| entry.file_name().to_string_lossy().into_owned());
    names.filter(|name| !name.starts_with('.') && !["target", "tmp"].contains(&name.as_str())).collect()
}

/// All documents: name and text.
fn documents() -> Vec<(String, String)> {
    let mut found = Vec::new();
    for name in top() {
        if root().join(&name).is_dir() {
            found.extend(files(&name, ".md"));
        } else if name.ends_with(".md") {
            let text = fs::read_to_string(root().join(&name)).expect("documents are text");
            found.push((name, text));
        }
    }
    assert!(found.len() >= 5, "documents were not found");
    found
}

fn long_lines(name: &str, text: &str) -> Vec<String> {
    let lines = (1..).zip(text.lines()).map(|(number, line)| (number, line.chars().count()));
    lines
        .filter(|(_, columns)| *columns > COLUMNS_MAX)
        .map(|(number, columns)| format!("{name}:{number}: {columns} columns"))
        .collect()
}

/// What a document names in backticks, or as the target of a link: the words of either that look like files.
fn named_files(text: &str) -> Vec<String> {
    let quoted = text.lines().flat_map(|line| line.split('`').skip(1).step_by(2));
    let linked = text.split("](").skip(1).filter_map(|rest| rest.split(')').next());
    let words = quoted.chain(linked).flat_map(str::split_whitespace).map(|word| word.trim_end_matches(['/', '.', ',']));
    let in_folder = |word: &str| word.split_once('/').is_some_and(|(folder, _)| FOLDERS.contains(&folder));
    let looks_so = |word: &&str| in_folder(word) || word.ends_with(".rs");
    // A pattern is no file.
    let is_one = |word: &&str| !word.contains(['*', '{', '<', '$']);
    words.filter(looks_so).filter(is_one).map(|word| word.split('#').next().unwrap_or_default().to_owned()).collect()
}

/// Whether a file that a document names exists: by its whole path, by that under `src`, or a source file by its name alone.
fn exists(named: &str, sources: &BTreeSet<String>) -> bool {
    let whole = root().join(named).exists() || root().join("src").join(named).exists();
    whole || (!named.contains('/') && sources.contains(named))
}

/// The comments of a source file, with the numbers of their lines.
fn comments(text: &str) -> impl Iterator<Item = (usize, &str)> {
    // What follows a colon is an address, not a comment.
    let of = |line: &'_ str| line.match_indices("//").map(|(at, _)| at).find(|at| !line[..*at].ends_with(':'));
    (1..).zip(text.lines()).filter_map(move |(number, line)| Some((number, &line[of(line)?..])))
}

/// Documents that a comment names and that are not in the tree, and rules that it names by a number.
fn lost_documents(text: &str, documents: &BTreeSet<String>) -> Vec<String> {
    let mut lost = Vec::new();
    for (number, comment) in comments(text) {
        let words: Vec<&str> = comment.split(|c: char| !(c.is_alphanumeric() || "-_./".contains(c))).collect();
        let files = words.iter().map(|word| word.trim_end_matches('.')).filter(|word| word.len() > 3 && word.ends_with(".md"));
        let missing = files.filter(|file| !documents.contains(file.rsplit('/').next().unwrap_or_default()));
        lost.extend(missing.map(|file| format!("{number}: {file} is not in the tree")));
        let numbered = words.windows(2).find(|pair| {
            ["rule", "rules"].contains(&pair[0].to_lowercase().as_str()) && pair[1].starts_with(|c: char| c.is_ascii_digit())
        });
        lost.extend(numbered.map(|pair| format!("{number}: \"{} {}\" of what?", pair[0], pair[1])));
    }
    lost
}

fn last_names(paths: impl IntoIterator<Item = String>) -> BTreeSet<String> {
    paths.into_iter().filter_map(|path| Some(Path::new(&path).file_name()?.to_string_lossy().into_owned())).collect()
}

fn sources() -> Vec<(String, String)> {
    ["src", "tests", "benches", "examples"].iter().flat_map(|folder| files(folder, ".rs")).collect()
}

/// A reader decides by README alone whether to read on.
const README_LINES_MAX: usize = 150;

#[test]
fn readme_is_short() {
    let lines = fs::read_to_string(root().join("README.md")).unwrap().lines().count();
    assert!(lines <= README_LINES_MAX, "README.md has {lines} lines, and may have {README_LINES_MAX}");
}

#[test]
fn lines_of_documents_are_short() {
    let wrong: Vec<String> = documents().iter().flat_map(|(name, text)| long_lines(name, text)).collect();
    assert!(wrong.is_empty(), "at most {COLUMNS_MAX} columns:\n{}", wrong.join("\n"));
}

#[test]
fn files_that_documents_name_exist() {
    let sources = last_names(sources().into_iter().map(|(name, _)| name));
    let mut wrong = Vec::new();
    // The change log tells of what was.
    for (name, text) in documents().into_iter().filter(|(name, _)| name != "CHANGELOG.md") {
        let beside = root().join(&name).parent().expect("a file is in a folder").to_owned();
        let missing = named_files(&text).into_iter().filter(|file| !exists(file, &sources) && !beside.join(file).exists());
        wrong.extend(missing.map(|file| format!("{name}: {file}")));
    }
    assert!(wrong.is_empty(), "these files do not exist:\n{}", wrong.join("\n"));
}

#[test]
fn comments_name_no_document_that_is_not_there() {
    let documents = last_names(documents().into_iter().map(|(name, _)| name));
    let of = |(name, text): &(String, String)| {
        lost_documents(text, &documents).into_iter().map(|what| format!("{name}:{what}")).collect()
    };
    let wrong: Vec<String> =
        sources().iter().filter(|(name, _)| name != "tests/tidy/documents.rs").flat_map::<Vec<_>, _>(of).collect();
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn a_long_line_of_a_document_is_noticed() {
    let line = |columns: usize| format!("short\n{}\n", "ä".repeat(columns));
    assert!(long_lines("a.md", &line(100)).is_empty());
    assert_eq!(long_lines("a.md", &line(101)), ["a.md:2: 101 columns"]);
}

#[test]
fn a_file_that_does_not_exist_is_noticed() {
    let text = "`src/a.rs`, `Matcher::arrive` and `make x`; see [it](docs/b.md#part), `engine/c.rs`.\n`d.rs` is `src/acd/*.rs` in `src`.";
    assert_eq!(named_files(text), ["src/a.rs", "engine/c.rs", "d.rs", "docs/b.md"]);
    let sources = BTreeSet::from(["tidy.rs".to_owned()]);
    for there in ["tests/tidy.rs", "acd/mod.rs", "tidy.rs", "src/acd"] {
        assert!(exists(there, &sources), "{there}");
    }
    for lost in ["tests/gone.rs", "engine/gone.rs", "gone.rs", "docs/gone.md"] {
        assert!(!exists(lost, &sources), "{lost}");
    }
}

#[test]
fn a_lost_document_in_a_comment_is_noticed() {
    let documents = BTreeSet::from(["README.md".to_owned()]);
    let lost = |text: &str| lost_documents(text, &documents);
    assert_eq!(lost("fn f() {}\n/// See design.md, 4."), ["2: design.md is not in the tree"]);
    assert_eq!(lost("let a = 1; // docs/plan.md."), ["1: docs/plan.md is not in the tree"]);
    assert_eq!(lost("// as Rule 9 says").len(), 1);
    for fine in ["// See README.md.", "let a = \"design.md\";", "let a = \"http://host/a.md\";", "// The first rule; 9 more."] {
        assert!(lost(fine).is_empty(), "{fine}");
    }
}
