//! The demo, joined as its welcome says: by a softphone as the guest agent, who is rung by the city's own callers.

use std::process::{Child, Command, Stdio};

use crate::house::wait_until;
use crate::softphones::{Agent, anna};

/// The demo, ended with the test.
struct Demo(Child);

impl Drop for Demo {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

fn free_port() -> u16 {
    std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port()
}

#[test]
fn a_softphone_joins_as_the_guest_and_is_rung() {
    let dir = tempfile::tempdir().unwrap();
    let (sip, http) = (free_port(), free_port());
    let told = dir.path().join("told");
    let demo = Command::new(env!("CARGO_BIN_EXE_hotline"))
        .args(["demo", "--rate", "4", "--sip-port", &sip.to_string(), "--http-port", &http.to_string()])
        .stdin(Stdio::null())
        .stdout(std::fs::File::create(&told).unwrap())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let demo = Demo(demo);
    let said = || std::fs::read_to_string(&told).unwrap_or_default();
    wait_until("the demo says how to join", || said().contains("as an agent"));
    let text = said();
    let words: Vec<&str> = text.split_whitespace().map(|word| word.trim_matches([',', '`'])).collect();
    let after = |word: &str| words[words.iter().position(|one| *one == word).unwrap() + 1];
    let (domain, password) = (after("domain"), after("password"));
    let server = format!("127.0.0.1:{sip}");
    let guest = Agent { name: "guest", password, domain, ..anna(&server) }.phone(dir.path(), 15_500, 440);
    wait_until("the guest is registered", || guest.log().contains("200 OK"));
    guest.dial(&format!("sip:*1@{domain}"));
    wait_until("the guest is rung by one of the city's callers, and talks", || said().contains("talks to guest"));
    wait_until("the guest hears something", || guest.heard().is_other_than(440.0));
    drop(demo);
}
