//! linphone as the agent's softphone: it registers by digest, is rung, answers, and both sides hear each other.

use std::path::PathBuf;
use std::process::{Command, Stdio};

use crate::house::{House, wait_until};
use crate::softphones::{CITY, Heard, PCMU, caller, make_tone};

/// A linphone without a window or a sound card: it plays a file and records what it hears. One for each user of a machine.
struct Linphone {
    dir: PathBuf,
}

impl Linphone {
    fn start(house: &House, port: u16, tone_hz: u32) -> Linphone {
        let dir = house.dir.path().join("linphone");
        std::fs::create_dir_all(dir.join(".local/share/linphone")).unwrap();
        make_tone(&dir.join("tone.wav"), tone_hz);
        // Loopback is no network to it, so that it has to be asked to register all the same.
        let settings = format!(
            "[sip]\nsip_port={port}\nsip_tcp_port=0\nsip_tls_port=0\nguess_hostname=0\nbind_address=127.0.0.1\n\
             contact=\"anna\" <sip:anna@127.0.0.1>\nregister_only_when_network_is_up=0\n[rtp]\naudio_rtp_port={}\n",
            port * 2
        );
        std::fs::write(dir.join("rc"), settings).unwrap();
        let phone = Linphone { dir };
        let (rc, log) = (phone.dir.join("rc"), phone.dir.join("log"));
        phone.shell(&["init", "-c", rc.to_str().unwrap(), "-a", "-d", "2", "-l", log.to_str().unwrap()]);
        wait_until("linphone is up", || phone.shell(&["generic", "soundcard use files"]));
        phone.tell(&format!("play {}", phone.dir.join("tone.wav").display()));
        phone.tell(&format!("record {}", phone.heard_file().display()));
        phone
    }

    fn shell(&self, args: &[&str]) -> bool {
        let mut command = Command::new("linphonecsh");
        command.args(args).env("HOME", &self.dir).stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
        command.status().expect("linphonecsh is installed by tests/setup.sh").success()
    }

    fn tell(&self, words: &str) {
        assert!(self.shell(&["generic", words]), "linphone does not take {words:?}");
    }

    fn heard_file(&self) -> PathBuf {
        self.dir.join("heard.wav")
    }

    fn heard(&self) -> Heard {
        Heard::read(&std::fs::read(self.heard_file()).unwrap_or_default())
    }
}

impl Drop for Linphone {
    fn drop(&mut self) {
        // `linphonecsh exit` leaves its daemon running.
        let _ = Command::new("pkill").args(["-KILL", "-f"]).arg(self.dir.join("rc")).status();
        if std::thread::panicking() {
            let log = std::fs::read(self.dir.join("log")).unwrap_or_default();
            let log = String::from_utf8_lossy(&log).into_owned();
            let tail: Vec<&str> = log.lines().rev().take(60).collect();
            eprintln!("--- linphone:\n{}", tail.into_iter().rev().collect::<Vec<_>>().join("\n"));
        }
    }
}

#[test]
fn linphone_registers_is_rung_and_talks() {
    let house = House::start(44, CITY);
    let linphone = Linphone::start(&house, 15_400, 440);
    linphone.tell(&format!("register sip:anna@city.example sip:{} anna-knows-a-lot", house.address(1)));
    house.wait_for("hotline_agents", &["ready"], 1.0);
    let caller = caller(house.dir.path(), 15_420, &house.address(1), PCMU);
    house.wait_for("hotline_agents", &["talking"], 1.0);
    wait_until("the caller hears linphone's tone", || caller.heard().is_tone(440.0));
    house.wait_until("hotline_rtp_packets_total", &["direction=\"out\""], |sent| sent > 150.0);
    linphone.tell("terminate");
    house.wait_for("hotline_contacts_ended_total", &["ended_by=\"agent\"", "segment=\"talk\""], 1.0);
    // It writes down what it heard when the call is over.
    wait_until("linphone has heard the caller's tone", || linphone.heard().is_tone(1000.0));
    linphone.tell("unregister");
    house.wait_for("hotline_agents", &["offline"], 1.0);
}
