//! What is wrong with a file: where, what, and what to write instead.
//!
//! Problems are collected, never thrown: one mistake must not hide the next. Values with a password or a token are
//! never quoted.

use std::cell::RefCell;
use std::fmt;
use std::ops::Range;
use std::rc::Rc;
use std::sync::Arc;

use super::zones::Zones;

/// The severity of a problem.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum Severity {
    /// The file cannot be used.
    Error,
    /// The file can be used, but probably does not say what was meant.
    Warning,
}

/// The kind of a mistake.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum Kind {
    /// Not TOML.
    Syntax,
    /// A key or a table that means nothing here.
    UnknownKey,
    /// A value of the wrong type, such as a number where text belongs.
    WrongType,
    /// An impossible value: a level of 11, ports that run backwards.
    BadValue,
    /// A missing value.
    Missing,
    /// A name that nothing has.
    UnknownName,
    /// A duplicate.
    Duplicate,
    /// Values that are right by themselves and wrong together.
    Conflict,
    /// A file that is named and cannot be read.
    Unreadable,
}

/// A mistake in a file.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Problem {
    /// Its severity.
    pub severity: Severity,
    /// The kind of mistake.
    pub kind: Kind,
    /// The file.
    pub file: Arc<str>,
    /// The line, from 1; 0 for the file as a whole.
    pub line: usize,
    /// The column in characters, from 1; 0 for the file as a whole.
    pub column: usize,
    /// The key, from the root: `queue.tax.skills.korean`; empty if there is none.
    pub key: String,
    /// What is wrong.
    pub message: String,
    /// What to write instead.
    pub remedy: String,
    excerpt: Option<Excerpt>,
}

#[derive(Clone, PartialEq, Eq, Debug)]
struct Excerpt {
    line: String,
    /// The column, in characters.
    from: usize,
    length: usize,
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let severity = match self.severity {
            Severity::Error => "error",
            Severity::Warning => "warning",
        };
        writeln!(f, "{severity}: {}", self.message)?;
        let width = if self.line == 0 { 1 } else { self.line.ilog10() as usize + 1 };
        write!(f, "{:width$}--> {}", "", self.file)?;
        if self.line > 0 {
            write!(f, ":{}:{}", self.line, self.column)?;
        }
        if !self.key.is_empty() {
            write!(f, "  {}", self.key)?;
        }
        writeln!(f)?;
        if let Some(Excerpt { line, from, length }) = &self.excerpt {
            writeln!(f, "{:width$} |", "")?;
            writeln!(f, "{} | {line}", self.line)?;
            writeln!(f, "{:width$} | {:from$}{:^<length$}", "", "", "")?;
        }
        write!(f, "{:width$} = {}", "", self.remedy)
    }
}

/// All problems of a file, in its order; at least one is a [`Severity::Error`].
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Problems(pub Vec<Problem>);

impl Problems {
    /// How many are errors.
    #[must_use]
    pub fn errors(&self) -> usize {
        self.0.iter().filter(|problem| problem.severity == Severity::Error).count()
    }
}

impl fmt::Display for Problems {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, problem) in self.0.iter().enumerate() {
            let gap = if index == 0 { "" } else { "\n\n" };
            write!(f, "{gap}{problem}")?;
        }
        Ok(())
    }
}

impl std::error::Error for Problems {}

/// A place in the file, with its key.
#[derive(Clone, Debug)]
pub(super) struct Spot {
    pub(super) span: Range<usize>,
    pub(super) key: Rc<str>,
}

/// Collects problems.
pub(super) struct Report<'t> {
    file: Arc<str>,
    text: &'t str,
    line_starts: Vec<usize>,
    problems: RefCell<Vec<Problem>>,
    /// Where time zones come from.
    pub(super) zones: Zones<'t>,
}

/// Longer lines are not quoted.
const EXCERPT_MAX: usize = 160;

impl<'t> Report<'t> {
    pub(super) fn new(file: &str, text: &'t str, zones: Zones<'t>) -> Self {
        let line_starts = std::iter::once(0).chain(text.match_indices('\n').map(|(at, _)| at + 1)).collect();
        Report { file: file.into(), text, line_starts, problems: RefCell::default(), zones }
    }

    /// Reports an error.
    pub(super) fn error(&self, kind: Kind, spot: &Spot, message: impl Into<String>, remedy: impl Into<String>) {
        self.note(Severity::Error, kind, spot, message.into(), remedy.into());
    }

    /// Reports a warning.
    pub(super) fn warn(&self, kind: Kind, spot: &Spot, message: impl Into<String>, remedy: impl Into<String>) {
        self.note(Severity::Warning, kind, spot, message.into(), remedy.into());
    }

    /// The line of a place, from 1, for messages that refer to it.
    pub(super) fn line(&self, spot: &Spot) -> usize {
        self.line_starts.partition_point(|start| *start <= spot.span.start)
    }

    /// Whether an error was reported.
    pub(super) fn has_errors(&self) -> bool {
        self.problems.borrow().iter().any(|problem| problem.severity == Severity::Error)
    }

    /// The start of the character at a place: the parser may point into one that it does not know.
    fn boundary(&self, at: usize) -> usize {
        (0..=at.min(self.text.len())).rev().find(|at| self.text.is_char_boundary(*at)).unwrap_or(0)
    }

    fn note(&self, severity: Severity, kind: Kind, spot: &Spot, message: String, remedy: String) {
        let line = self.line(spot);
        let start = self.line_starts[line - 1];
        let whole = self.text[start..].lines().next().unwrap_or("");
        let at = self.boundary(spot.span.start);
        let until = self.boundary(spot.span.end.min(start + whole.len())).max(at);
        let (from, length) = (self.text[start..at].chars().count(), self.text[at..until].chars().count());
        let secret = whole.contains("password") || whole.contains("token") || spot.key.contains("password");
        let quotable = !secret && !whole.trim().is_empty() && whole.len() <= EXCERPT_MAX && !whole.contains(char::is_control);
        let excerpt = quotable.then(|| Excerpt { line: whole.to_owned(), from, length: length.max(1) });
        let key = spot.key.to_string();
        let file = self.file.clone();
        let problem = Problem { severity, kind, file, line, column: from + 1, key, message, remedy, excerpt };
        self.problems.borrow_mut().push(problem);
    }

    /// All problems, in the order of the file. Where parts of the file are not TOML, problems that only follow from
    /// that are left out.
    pub(super) fn finish(self) -> Vec<Problem> {
        let mut problems = self.problems.into_inner();
        let broken: Vec<usize> = problems.iter().filter(|p| p.kind == Kind::Syntax).map(|p| p.line).collect();
        if !broken.is_empty() {
            problems.retain(|problem| match problem.kind {
                Kind::Syntax => true,
                // What seems missing may be in a part that could not be read.
                Kind::Missing | Kind::UnknownName => false,
                _ => problem.severity == Severity::Error && !broken.contains(&problem.line),
            });
        }
        problems.sort_by_key(|problem| (problem.line, problem.column));
        problems.dedup();
        problems
    }
}

/// The problem of a file that cannot be read at all.
pub(super) fn unreadable(file: &str, error: &std::io::Error) -> Problems {
    let remedy = match error.kind() {
        std::io::ErrorKind::NotFound => "name an existing file with --config, or leave it out for the embedded one",
        std::io::ErrorKind::PermissionDenied => "let the user that hotline runs as read it",
        _ => "name a readable text file with --config",
    };
    Problems(vec![Problem {
        severity: Severity::Error,
        kind: Kind::Unreadable,
        file: file.into(),
        line: 0,
        column: 0,
        key: String::new(),
        message: format!("the file cannot be read: {error}"),
        remedy: remedy.into(),
        excerpt: None,
    }])
}
