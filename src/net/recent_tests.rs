//! The ring against a list that keeps everything.

use super::*;
use crate::base::seed::Seed;
use crate::call::leg::Role;
use crate::engine::LegName;
use crate::sip::flow::ListenerId;
use crate::sip::session::SessionId;

const FLOW: Flow = Flow::udp(ListenerId(0), SocketAddr::new(std::net::IpAddr::V4(std::net::Ipv4Addr::LOCALHOST), 5060));

fn session(slot: u32) -> Option<SessionId> {
    SessionId::from_tag(0, &format!("00{slot:x}-00000001"))
}

fn part_of(contact: u128, slot: u32) -> PartOf {
    PartOf { session: session(slot), leg: Some(LegName { contact: ContactId(contact), number: 1, role: Role::Caller }) }
}

fn keep(recent: &mut Recent, part_of: PartOf, bytes: &[u8]) {
    recent.keep(&Seen { at: Time::ZERO, direction: Direction::In, flow: &FLOW, part_of, bytes });
}

fn of(recent: &Recent, contact: u128) -> Vec<String> {
    let found = recent.of(ContactId(contact), usize::MAX);
    assert_eq!(found.left_out, 0);
    found.messages.into_iter().map(|kept| String::from_utf8(kept.bytes.into_vec()).unwrap()).collect()
}

#[test]
fn the_messages_of_a_contact_are_found_and_those_of_no_call_are_not_kept() {
    let mut recent = Recent::new(64 * 1024);
    keep(&mut recent, part_of(1, 10), b"INVITE");
    keep(&mut recent, part_of(2, 11), b"another's");
    keep(&mut recent, part_of(1, 12), b"to the agent");
    for _ in 0..10_000 {
        keep(&mut recent, PartOf::default(), b"a stranger's, who would push them out");
    }
    assert_eq!(of(&recent, 1), ["INVITE", "to the agent"]);
    assert_eq!(of(&recent, 3), [""; 0]);
    let newest = recent.of(ContactId(1), 1);
    assert_eq!((&*newest.messages[0].bytes, newest.left_out), (&b"to the agent"[..], 1));
}

#[test]
fn the_newest_are_kept_whole_and_the_memory_never_grows() {
    let mut seed = Seed::from_number(1);
    let mut recent = Recent::new(20_000);
    let (room, most) = (recent.bytes.len(), recent.entries_max);
    let mut all: Vec<String> = Vec::new();
    for _ in 0..2_000 {
        let message = char::from(b'a' + seed.below(26) as u8).to_string().repeat(seed.below(1_500) as usize + 1);
        keep(&mut recent, part_of(1, 1), message.as_bytes());
        all.push(message);
        let kept = of(&recent, 1);
        assert_eq!(kept, all[all.len() - kept.len()..], "the last ones, in their order");
        let bytes: usize = kept.iter().map(String::len).sum();
        assert_eq!(recent.used().1, room as u64);
        assert!(bytes <= room && kept.len() <= most && recent.entries.capacity() < 2 * most);
        // What is lost is less than one message at the end of the ring, and the place of the next.
        assert!(kept.len() == all.len() || kept.len() == most || bytes + 3_000 > room, "{bytes} of {room}");
    }
}

#[test]
fn of_what_is_long_the_beginning_is_kept_and_no_answer_is_endless() {
    let mut recent = Recent::new(4 << 20);
    for _ in 0..100 {
        keep(&mut recent, part_of(1, 1), &[b'x'; 65_000]);
    }
    let found = recent.of(ContactId(1), usize::MAX);
    assert!(found.messages.iter().all(|kept| kept.bytes.len() == KEPT_BYTES_MAX));
    assert_eq!((found.messages.len(), found.left_out), (64, 36), "a MiB");
    let mut small = Recent::new(4_096);
    keep(&mut small, part_of(1, 1), &[b'x'; 65_000]);
    assert_eq!(small.of(ContactId(1), 9).messages.len(), 1);
    let mut none = Recent::new(0);
    keep(&mut none, part_of(1, 1), b"short");
    assert_eq!(none.of(ContactId(1), 9), Found::default());
}
