//! Trunks with SIPp: proof asked for and given, both ways; overflow of queues and transfers to numbers outside.

use crate::calls::{agent, caller, config};
use crate::house::{House, Sipp};

/// Where the number outside is reached, on the carrier's address.
const OUTSIDE_PORT: u16 = 5090;
const NUMBER: &str = "+82221330120";

/// `calls::config` with a trunk that takes calls to numbers outside.
fn with_way_out(agents: u32, queue: &str, login: &str) -> String {
    let trunk = format!("calls_max = 100\nto = {{ address = \"NET.2:{OUTSIDE_PORT}\", caller = \"+8221200\" }}\n{login}");
    config(agents, queue)
        .replace("calls_max = 100\n", &format!("{trunk}\n"))
        .replace("[[agency]]\nname = \"city\"\n", "[[agency]]\nname = \"city\"\nnumber = \"+8221200\"\ndial = [\"+82\"]\n")
}

fn outside(house: &House, scenario: &str, args: &[&str]) -> Sipp {
    Sipp::start(house, scenario, &format!("{}:{OUTSIDE_PORT}", house.address(2)), args)
}

fn transfers(house: &House, kind: &str, outcome: &str) -> f64 {
    house.metric("hotline_transfers_total", &[&format!("kind=\"{kind}\""), &format!("outcome=\"{outcome}\"")])
}

#[test]
fn a_carrier_without_an_address_proves_itself() {
    let roaming =
        config(1, "answer = \"late\"").replace("from = [\"NET.2/32\"]", "user = \"carrier\"\npassword = \"of-pigeons\"");
    let house = House::start(21, &roaming);
    let phone = agent(&house, "agent", 0, &["-d", "50"]);
    caller(&house, "caller_fails_to_prove", 5060, 1, &["-au", "carrier", "-ap", "of-doves"]).done();
    assert_eq!(house.metric("hotline_contacts_total", &[]), 0.0);
    caller(&house, "caller_proves", 5061, 3, &["-d", "200", "-au", "carrier", "-ap", "of-pigeons"]).done();
    assert_eq!(house.metric("hotline_offers_total", &["accepted"]), 3.0);
    house.wait_for("hotline_contacts_up", &[], 0.0);
    house.wait_for("hotline_trunk_calls", &["trunk=\"carrier\""], 0.0);
    drop(phone);
}

#[test]
fn a_queue_without_agents_overflows_to_a_number_outside_and_the_trunk_is_given_its_proof() {
    let queue = format!("answer = \"at_once\"\njoin_empty = \"overflow\"\noverflow = \"number:{NUMBER}\"");
    for (net, password, ended_by) in [(22, "of-pigeons", "caller"), (23, "of-doves", "overflow")] {
        let house = House::start(net, &with_way_out(0, &queue, &format!("user = \"hotline\"\npassword = \"{password}\"")));
        let outside = outside(&house, "outside_asks", &["-m", "1"]);
        let scenario = if ended_by == "caller" { "caller" } else { "caller_refused" };
        caller(&house, scenario, 5060, 1, &["-d", "500"]).done();
        outside.done();
        house.wait_for("hotline_contacts_ended_total", &[&format!("ended_by=\"{ended_by}\"")], 1.0);
        house.wait_for("hotline_contacts_up", &[], 0.0);
        house.wait_for("hotline_trunk_calls", &[], 0.0);
    }
}

#[test]
fn an_agent_passes_a_caller_on_to_a_number_outside() {
    let house = House::start(24, &with_way_out(1, "answer = \"late\"", ""));
    let refers = agent(&house, "agent_refers", 0, &["-m", "1", "-key", "to", NUMBER]);
    let outside = outside(&house, "agent", &["-d", "50", "-m", "1"]);
    caller(&house, "caller", 5060, 1, &["-d", "2000"]).done();
    refers.done();
    outside.done();
    assert_eq!(transfers(&house, "external", "completed"), 1.0);
    house.wait_for("hotline_agents", &["ready"], 1.0);
    house.wait_for("hotline_trunk_calls", &[], 0.0);
}

#[test]
fn a_number_outside_that_refuses_brings_the_caller_back_to_the_agent() {
    let house = House::start(25, &with_way_out(1, "answer = \"late\"", ""));
    // It hears that it failed by the second NOTIFY, has the caller again, and is hung up by the caller in the end.
    let refers = agent(&house, "agent_refers", 0, &["-m", "1", "-key", "to", NUMBER]);
    let outside = outside(&house, "agent_refuses", &["-m", "1"]);
    caller(&house, "caller", 5060, 1, &["-d", "2000"]).done();
    refers.done();
    outside.done();
    assert_eq!(transfers(&house, "external", "returned"), 1.0);
    house.wait_for("hotline_contacts_ended_total", &["ended_by=\"caller\"", "segment=\"talk\""], 1.0);
}

#[test]
fn an_agent_passes_a_caller_on_to_a_colleague() {
    let house = House::start(26, &config(2, "answer = \"late\"\nchoose = \"fixed_order\""));
    let refers = agent(&house, "agent_refers", 0, &["-m", "1", "-key", "to", "agent1"]);
    let colleague = agent(&house, "agent", 1, &["-d", "50", "-m", "1"]);
    caller(&house, "caller", 5060, 1, &["-d", "2000"]).done();
    refers.done();
    colleague.done();
    assert_eq!(transfers(&house, "blind", "completed"), 1.0);
    house.wait_for("hotline_agents", &["ready"], 2.0);
}
