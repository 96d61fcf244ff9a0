//! Kamailio in front of us: as a carrier's border proxy with Record-Route and a second Via, alone and with rtpengine in the media path.

use std::fs::File;
use std::path::Path;
use std::process::{Child, Command, Stdio};

use crate::house::{House, wait_until};
use crate::softphones::{PCMU, Softphone, anna, caller, late_city};

/// Callers come by Kamailio at NET.4.
fn city() -> String {
    late_city().replace("127.0.0.1/32", "NET.4/32")
}

/// A program in front of hotline; what it says is kept.
struct Proxy {
    name: &'static str,
    child: Child,
    log: std::path::PathBuf,
}

impl Proxy {
    fn start(house: &House, name: &'static str, command: &mut Command) -> Proxy {
        let log = house.dir.path().join(format!("{name}.log"));
        let out = File::create(&log).unwrap();
        let child = command.stdin(Stdio::null()).stdout(out.try_clone().unwrap()).stderr(out).spawn();
        Proxy { name, child: child.unwrap_or_else(|error| panic!("{name} (tests/setup.sh installs it): {error}")), log }
    }

    fn said(&self) -> String {
        std::fs::read_to_string(&self.log).unwrap_or_default()
    }

    /// How many requests of this method came from this address, by the route set or as the first of their dialog.
    fn seen(&self, method: &str, from: &str, routed: &str) -> usize {
        let line = format!("SEEN {method} from={from} routed={routed}");
        self.said().lines().filter(|said| said.contains(&line)).count()
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        // Asked to end rather than killed: it takes its children with it.
        let _ = Command::new("kill").arg(self.child.id().to_string()).status();
        let _ = self.child.wait();
        if std::thread::panicking() {
            eprintln!("--- {}:\n{}", self.name, self.said());
        }
    }
}

/// Kamailio at NET.4, which takes calls from inside to `outside`.
fn kamailio(house: &House, outside: &str, with_rtpengine: bool) -> Proxy {
    let text = include_str!("kamailio.cfg")
        .replace("EDGE", &house.address(4))
        .replace("INSIDE", &house.address(1))
        .replace("OUTSIDE", outside);
    let (config, runtime) = (house.dir.path().join("kamailio.cfg"), house.dir.path().join("kamailio"));
    std::fs::write(&config, text).unwrap();
    std::fs::create_dir(&runtime).unwrap();
    let mut command = Command::new(if Path::new("/usr/sbin/kamailio").exists() { "/usr/sbin/kamailio" } else { "kamailio" });
    command.args(["-DD", "-E", "-m", "64", "-M", "8", "-Y"]).arg(&runtime).arg("-f").arg(&config);
    if with_rtpengine {
        command.args(["-A", "WITH_RTPENGINE"]);
    }
    let kamailio = Proxy::start(house, "kamailio", &mut command);
    // It answers an OPTIONS without a route by sending it on to us, who answer it: then it is up.
    let probe = std::net::UdpSocket::bind((house.address(2), 0)).unwrap();
    probe.set_read_timeout(Some(std::time::Duration::from_millis(200))).unwrap();
    let (from, to) = (probe.local_addr().unwrap(), house.address(4));
    let options = format!(
        "OPTIONS sip:{to}:5060 SIP/2.0\r\nVia: SIP/2.0/UDP {from};rport;branch=z9hG4bKprobe\r\nMax-Forwards: 70\r\n\
         From: <sip:probe@{from}>;tag=p\r\nTo: <sip:{to}>\r\nCall-ID: probe\r\nCSeq: 1 OPTIONS\r\nContent-Length: 0\r\n\r\n"
    );
    wait_until("Kamailio answers", || {
        let _ = probe.send_to(options.as_bytes(), (to.as_str(), 5060));
        probe.recv(&mut [0; 2048]).is_ok()
    });
    kamailio
}

fn rtpengine(house: &House) -> Proxy {
    let address = house.address(4);
    let mut command = Command::new("rtpengine");
    command.args(["--foreground", "--table=-1", "--log-stderr", "--log-level=4", "--port-min=30000", "--port-max=31000"]).args([
        "--num-threads=1",
        &format!("--interface={address}"),
        &format!("--listen-ng={address}:2223"),
    ]);
    Proxy::start(house, "rtpengine", &mut command)
}

/// An agent registered with hotline itself, and a caller who knows only Kamailio.
fn parties(house: &House, port: u16) -> (Softphone, Softphone) {
    let dir = house.dir.path();
    let anna = anna(&format!("{}:5060", house.address(1))).phone(dir, port, 440);
    house.wait_for("hotline_agents", &["ready"], 1.0);
    let caller = caller(dir, port + 10, &house.address(4), PCMU);
    (anna, caller)
}

fn hear_each_other(anna: &Softphone, caller: &Softphone) {
    wait_until("the agent hears the caller", || anna.heard().is_tone(1000.0));
    wait_until("the caller hears the agent", || caller.heard().is_tone(440.0));
}

#[test]
fn a_call_through_a_border_proxy_keeps_to_its_route_set_both_ways() {
    let house = House::start(40, &city());
    let kamailio = kamailio(&house, "127.0.0.1:9", false);
    let (anna, caller) = parties(&house, 15_300);
    hear_each_other(&anna, &caller);
    assert_eq!(kamailio.seen("INVITE", "127.0.0.1", "first"), 1);
    assert_eq!(kamailio.seen("ACK", "127.0.0.1", "yes"), 1, "our Contact and Record-Route led the ACK back");

    caller.command("hold");
    wait_until("the agent hears music", || anna.heard().is_other_than(1000.0));
    caller.command("resume");
    wait_until("the agent hears the caller again", || anna.heard().is_tone(1000.0));
    assert_eq!(kamailio.seen("INVITE", "127.0.0.1", "yes"), 2, "both re-INVITEs came by the route set");

    anna.command("hangup");
    wait_until("our BYE goes by the route set", || kamailio.seen("BYE", &house.address(1), "yes") == 1);
    house.wait_for("hotline_contacts_ended_total", &["ended_by=\"agent\"", "segment=\"talk\""], 1.0);
    wait_until("the caller is hung up", || caller.log().contains("terminated"));
    house.wait_for("hotline_contacts_up", &[], 0.0);
    assert_eq!(house.metric("hotline_sip_rejected_total", &["reason=\"no_dialog\""]), 0.0);
}

#[test]
fn rtpengine_in_the_media_path_passes_both_voices() {
    let house = House::start(41, &city());
    let rtpengine = rtpengine(&house);
    let kamailio = kamailio(&house, "127.0.0.1:9", true);
    let (anna, caller) = parties(&house, 15_330);
    hear_each_other(&anna, &caller);
    assert!(caller.log().contains(&format!("receiving from {}", house.address(4))), "the caller's audio is rtpengine's");
    caller.command("hangup");
    house.wait_for("hotline_contacts_ended_total", &["ended_by=\"caller\"", "segment=\"talk\""], 1.0);
    assert_eq!(kamailio.seen("BYE", "127.0.0.1", "yes"), 1);
    drop(rtpengine);
}

#[test]
fn a_phone_that_registers_through_an_edge_proxy_is_rung_through_it() {
    let house = House::start(42, &city());
    let kamailio = kamailio(&house, "127.0.0.1:9", false);
    let (edge, dir) = (house.address(4), house.dir.path());
    let anna = anna(&format!("{edge}:5060")).phone(dir, 15_360, 440);
    house.wait_for("hotline_agents", &["ready"], 1.0);
    let caller = caller(dir, 15_370, &edge, PCMU);
    hear_each_other(&anna, &caller);
    assert_eq!(kamailio.seen("INVITE", &house.address(1), "first"), 1, "the ring came by the path");
    caller.command("hangup");
    wait_until("our BYE to the agent goes by the route set", || kamailio.seen("BYE", &house.address(1), "yes") == 1);
    house.wait_for("hotline_agents", &["ready"], 1.0);
}
