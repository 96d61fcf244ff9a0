//! How often control comes back to the hub for one message from outside: each time it hands something on, by name.

use super::house::{CALLER, House, Request, answer, desk_phone, sdp, settings};
use crate::acd::queue::Answer;

#[test]
fn few_deliveries_follow_from_one_message() {
    let mut settings = settings(1);
    settings.directory.queues[0].as_mut().unwrap().answer = Answer::Late;
    let mut house = House::new(settings);
    house.engine.take_deliveries();
    house.from(CALLER, &Request::invite("a").text());
    let phone = desk_phone(0);
    let invite = house.next_to(&phone);
    let rung = house.engine.take_deliveries();
    assert!(rung.len() <= 10, "an INVITE that ends in a ringing phone: {rung:?}");
    house.from(&phone, &answer(&invite, 200, &sdp("203.0.113.1", 40000, "sendrecv")));
    assert_eq!(house.next_to(&phone).method().as_deref(), Some("ACK"));
    let answered = house.engine.take_deliveries();
    assert!(answered.len() <= 7, "a phone's 200: {answered:?}");
    let ok = house.next_to(CALLER);
    let tag = super::house::tag_of(&ok);
    house.from(CALLER, &Request { to_tag: Some(&tag), branch: "ack", ..Request::new("ACK", "a", 1) }.text());
    house.engine.take_deliveries();
    house.from(CALLER, &Request { to_tag: Some(&tag), ..Request::new("BYE", "a", 2) }.text());
    let ended = house.engine.take_deliveries();
    assert!(ended.len() <= 6, "a BYE: {ended:?}");
}
