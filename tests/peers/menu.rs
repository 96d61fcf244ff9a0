//! A choice by key, as telephones make it: telephone-event from baresip, INFO of both kinds from SIPp.

use crate::calls::{agent, caller, config};
use crate::house::{House, wait_until};
use crate::softphones::{self, PCMU};

/// An entry in front of two queues, with one desk phone.
fn menu(from: &str) -> String {
    let more = "[[queue]]\nname = \"tax\"\nagency = \"city\"\npools = [\"desk\"]\nwrap_up = \"0s\"\n\
                [[entry]]\nname = \"main\"\n[entry.choice]\nprompts = [\"en/language\"]\ntimeout = \"30s\"\ntries = 2\ndefault = \"1\"\n\
                keys = { 1 = { queue = \"help\" }, 2 = { queue = \"tax\" } }\n[[trunk]]";
    config(1, "answer = \"late\"")
        .replace("[[trunk]]", more)
        .replace("\"queue:help\"", "\"entry:main\"")
        .replace("from = [\"NET.2/32\"]", &format!("from = [\"{from}\"]"))
}

fn entered(house: &House, queue: &str) -> f64 {
    house.metric("hotline_queue_entered_total", &[&format!("queue=\"{queue}\"")])
}

#[test]
fn a_key_by_info_of_either_kind_chooses() {
    let house = House::start(45, &menu("NET.2/32"));
    let phone = agent(&house, "agent", 0, &["-d", "50"]);
    caller(&house, "caller_presses", 5060, 1, &["-d", "500", "-key", "kind", "dtmf-relay", "-key", "press", "Signal=2"]).done();
    assert_eq!((entered(&house, "help"), entered(&house, "tax")), (0.0, 1.0));
    caller(&house, "caller_presses", 5061, 1, &["-d", "500", "-key", "kind", "dtmf", "-key", "press", "1"]).done();
    assert_eq!((entered(&house, "help"), entered(&house, "tax")), (1.0, 1.0));
    assert_eq!(house.metric("hotline_offers_total", &["accepted"]), 2.0);
    drop(phone);
}

#[test]
fn a_key_by_telephone_event_chooses() {
    let house = House::start(46, &menu("127.0.0.1/32"));
    let phone = agent(&house, "agent", 0, &["-d", "50"]);
    let caller = softphones::caller(house.dir.path(), 15_440, &house.address(1), PCMU);
    wait_until("the caller hears the question", || caller.heard().is_other_than(1000.0));
    caller.press('2');
    house.wait_for("hotline_queue_entered_total", &["queue=\"tax\""], 1.0);
    house.wait_for("hotline_agents", &["talking"], 1.0);
    assert_eq!(
        house.metric("hotline_media_events_total", &["event=\"keys\""]),
        1.0,
        "one press, however many packets told of it"
    );
    caller.command("hangup");
    house.wait_for("hotline_contacts_up", &[], 0.0);
    drop(phone);
}
