use super::super::tail::{Position, Tail};
use super::*;

fn at(micros: u64) -> Time {
    Time::from_micros(micros)
}

fn all(tail: &mut Tail) -> Vec<String> {
    std::iter::from_fn(|| tail.next().unwrap().map(|line| String::from_utf8(line.to_vec()).unwrap())).collect()
}

#[test]
fn only_the_logs_own_files_are_listed_in_order() {
    let dir = tempfile::tempdir().unwrap();
    for name in [
        "events-0000000000000020.jsonl",
        "events-0000000000000003.jsonl",
        "events-x.jsonl",
        "events-.jsonl",
        "other",
        "events-7.gz",
    ] {
        std::fs::write(dir.path().join(name), "").unwrap();
    }
    let files = list(dir.path()).unwrap();
    assert_eq!(files, [at(3), at(20)]);
    assert_eq!(path(dir.path(), at(20)), dir.path().join("events-0000000000000020.jsonl"));
    let held: Vec<_> = [1, 3, 19, 20, 21].map(|time| holding(&files, at(time)).unwrap().micros()).into();
    assert_eq!(held, [3, 3, 3, 20, 20]);
    assert_eq!(holding(&[], at(1)), None);
}

#[test]
fn only_complete_lines_are_read_however_long_they_are() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("file");
    let long = "x".repeat(3 * CHUNK_BYTES);
    std::fs::write(&file, format!("one\n\n{long}\ntorn")).unwrap();
    let mut lines = Lines::open(&file, 0).unwrap();
    for expected in ["one", "", &long] {
        assert_eq!(lines.next().unwrap(), Some(expected.as_bytes()));
    }
    assert_eq!(lines.next().unwrap(), None);
    let end = (5 + long.len() + 1) as u64;
    assert_eq!(lines.offset(), end);
    std::fs::write(&file, format!("one\n\n{long}\ntorn no more\n")).unwrap();
    assert_eq!(lines.next().unwrap(), Some(&b"torn no more"[..]));
    assert_eq!(Lines::open(&file, end).unwrap().next().unwrap(), Some(&b"torn no more"[..]));
}

#[test]
fn a_file_without_line_ends_is_not_taken_into_memory_whole() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("file");
    std::fs::write(&file, vec![0; 5 * LINE_BYTES_MAX]).unwrap();
    let mut lines = Lines::open(&file, 0).unwrap();
    let mut pieces = 0;
    while let Some(piece) = lines.next().unwrap() {
        assert!(piece.len() < LINE_BYTES_MAX + CHUNK_BYTES * 2);
        pieces += 1;
    }
    assert!((3..=5).contains(&pieces));
}

#[test]
fn a_tail_follows_from_file_to_file() {
    let dir = tempfile::tempdir().unwrap();
    let write = |began, text: &str| std::fs::write(path(dir.path(), at(began)), text).unwrap();
    let mut tail = Tail::from(dir.path(), None).unwrap();
    assert!(all(&mut tail).is_empty() && tail.position().is_none());
    write(1, "a\nb\nto");
    assert_eq!(all(&mut tail), ["a", "b"]);
    assert_eq!(tail.position(), Some(Position { file: at(1), offset: 4 }));
    write(1, "a\nb\ntorn\nag");
    write(2, "");
    write(3, "c\n");
    assert!(tail.more().unwrap());
    assert_eq!(tail.position(), Some(Position { file: at(1), offset: 4 }), "what was only looked at does not count");
    assert_eq!(all(&mut tail), ["torn", "c"], "a last line that stays torn is passed over");
    let from = |file, offset| all(&mut Tail::from(dir.path(), Some(Position { file: at(file), offset })).unwrap());
    assert_eq!(from(1, 2), ["b", "torn", "c"]);
    assert_eq!(from(1, 99), ["c"], "the file has become shorter");
    std::fs::remove_file(path(dir.path(), at(1))).unwrap();
    assert_eq!(from(1, 2), ["c"], "the file is gone");
    assert!(from(9, 2).is_empty());
}
