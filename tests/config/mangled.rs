//! Whatever is done to a file, it is read or refused, and never panics.

use hotline::config::Severity;
use proptest::prelude::*;
use proptest::sample::Index;

use crate::city::CITY;
use crate::parse;

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
            Ok(config) => prop_assert!(config.warnings.iter().all(|problem| problem.severity == Severity::Warning)),
            Err(problems) => {
                prop_assert!(problems.errors() > 0);
                let lines = text.matches('\n').count() + 1;
                prop_assert!(problems.0.iter().all(|problem| (1..=lines).contains(&problem.line)));
                prop_assert!(!problems.to_string().is_empty());
            }
        }
    }
}
