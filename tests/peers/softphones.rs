//! baresip as the agent's registered softphone and as the caller: registration by digest, a ring, a talk, and what each side hears.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use crate::house::{House, PATIENCE, wait_until};

/// What calls between softphones need: one agent, `anna`, ready as soon as she registers, and one queue behind 120, answered at once, for
/// callers on 127.0.0.1, where baresip's RTP leaves from. Tests put in what they are about by replacing a line.
pub(crate) const CITY: &str = r#"
[server]
listen = ["udp:NET.1:5060", "tcp:NET.1:5060"]
domains = ["city.example"]
[http]
bind = "NET.1:8120"
token = "let-me-in-please"
[media]
addresses = ["NET.1"]
ports = "20000-20999"
[log]
level = "debug"
[[agency]]
name = "city"
[[pool]]
name = "desk"
agency = "city"
[[agent]]
name = "anna"
agency = "city"
pools = ["desk"]
password = "anna-knows-a-lot"
ready = "on_register"
[[queue]]
name = "help"
agency = "city"
pools = ["desk"]
wrap_up = "0s"
answer = "at_once"
announce_every = "never"
[[trunk]]
name = "carrier"
from = ["127.0.0.1/32"]
calls_max = 10
numbers = { "120" = "queue:help" }
"#;

/// `CITY` whose callers are answered when the agent answers.
pub(crate) fn late_city() -> String {
    CITY.replace("at_once", "late")
}

/// An agent's baresip account at `server`, which lets it register.
pub(crate) struct Agent<'a> {
    pub(crate) name: &'a str,
    pub(crate) password: &'a str,
    pub(crate) domain: &'a str,
    /// Address and port of whom it registers with.
    pub(crate) server: &'a str,
    pub(crate) transport: &'a str,
    /// `auto` answers at once, `manual` rings.
    pub(crate) answers: &'a str,
    pub(crate) codecs: &'a str,
}

/// Anna of `CITY`, by way of `server`, who answers at once and speaks PCMU.
pub(crate) fn anna(server: &str) -> Agent<'_> {
    let (name, password, domain) = ("anna", "anna-knows-a-lot", "city.example");
    Agent { name, password, domain, server, transport: "udp", answers: "auto", codecs: PCMU }
}

pub(crate) const PCMU: &str = "pcmu/8000/1";

impl Agent<'_> {
    /// Her phone, with this tone as her voice.
    pub(crate) fn phone(&self, dir: &Path, port: u16, tone_hz: u32) -> Softphone {
        let Agent { name, password, domain, server, transport, answers, codecs } = self;
        let account = format!(
            "<sip:{name}@{domain};transport={transport}>;auth_user={name};auth_pass={password};\
             outbound=\"sip:{server};transport={transport}\";regint=60;answermode={answers};audio_codecs={codecs}"
        );
        Softphone::start(dir, name, port, &account, tone_hz, &[])
    }
}

/// A caller who calls 120 at `server` (an address) at once, with a tone of 1 kHz as a voice.
pub(crate) fn caller(dir: &Path, port: u16, server: &str, codecs: &str) -> Softphone {
    let account = format!("<sip:0212345678@127.0.0.1:{port}>;regint=0;audio_codecs={codecs}");
    Softphone::start(dir, "caller", port, &account, 1000, &[&format!("/dial sip:120@{server}")])
}

/// A baresip that plays a tone and keeps what it sends and hears in files. On 127.0.0.1, the address that its RTP leaves from.
pub(crate) struct Softphone {
    child: Child,
    dir: PathBuf,
    control: u16,
}

impl Softphone {
    /// `port`: of its SIP; its control is two beyond (TLS is between), its RTP beyond twice that.
    fn start(dir: &Path, name: &str, port: u16, account: &str, tone_hz: u32, commands: &[&str]) -> Softphone {
        let dir = dir.join(name);
        std::fs::create_dir(&dir).unwrap();
        let path = dir.display();
        make_tone(&dir.join("tone.wav"), tone_hz);
        let config = format!(
            "poll_method epoll\nsip_listen 127.0.0.1:{port}\nnet_interface 127.0.0.1\nrtp_ports {}-{}\n\
             audio_player aubridge,nil\naudio_source aufile,{path}/tone.wav\naudio_alert aubridge,nil\n\
             ausrc_srate 8000\nauplay_srate 8000\nausrc_channels 1\nauplay_channels 1\n\
             module_path /usr/lib/baresip/modules\nmodule g711.so\nmodule g722.so\nmodule opus.so\nmodule aufile.so\nmodule aubridge.so\nmodule sndfile.so\n\
             module_app account.so\nmodule_app menu.so\nmodule_app ctrl_tcp.so\nctrl_tcp_listen 127.0.0.1:{}\nsnd_path {path}\n",
            port * 2,
            port * 2 + 100,
            port + 2
        );
        std::fs::write(dir.join("config"), config).unwrap();
        std::fs::write(dir.join("accounts"), format!("{account}\n")).unwrap();
        let log = std::fs::File::create(dir.join("log")).unwrap();
        let mut command = Command::new("baresip");
        command.arg("-f").arg(&dir);
        for wish in commands {
            command.args(["-e", wish]);
        }
        let child = command
            .stdin(Stdio::null())
            .stdout(log.try_clone().unwrap())
            .stderr(log)
            .spawn()
            .expect("baresip is installed by tests/setup.sh");
        Softphone { child, dir, control: port + 2 }
    }

    /// Calls somebody.
    pub(crate) fn dial(&self, uri: &str) {
        self.command_with("dial", uri);
    }

    /// Presses a key in its call.
    pub(crate) fn press(&self, key: char) {
        self.command_with("sndcode", &key.to_string());
    }

    /// Tells it to do something, in the words of its menu.
    pub(crate) fn command(&self, word: &str) {
        self.command_with(word, "");
    }

    fn command_with(&self, word: &str, params: &str) {
        let mut stream = TcpStream::connect(("127.0.0.1", self.control)).unwrap();
        let json = format!("{{\"command\":\"{word}\",\"params\":\"{params}\",\"token\":\"t\"}}");
        write!(stream, "{}:{json},", json.len()).unwrap();
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        // Its answer shows that it has been done.
        assert!(stream.read(&mut [0; 1024]).unwrap() > 0, "{word} is not answered");
    }

    /// It is gone without a word.
    pub(crate) fn kill(&mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }

    /// What was heard so far.
    pub(crate) fn heard(&self) -> Heard {
        let files = std::fs::read_dir(&self.dir).unwrap().flatten().map(|entry| entry.path());
        let file = files.filter(|path| path.to_string_lossy().ends_with("-dec.wav")).max();
        Heard::read(&file.and_then(|file| std::fs::read(file).ok()).unwrap_or_default())
    }

    pub(crate) fn log(&self) -> String {
        String::from_utf8_lossy(&std::fs::read(self.dir.join("log")).unwrap_or_default()).into_owned()
    }
}

impl Drop for Softphone {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
        if std::thread::panicking() {
            eprintln!("--- {}:\n{}", self.dir.display(), self.log());
        }
    }
}

/// Writes a minute of a tone.
pub(crate) fn make_tone(file: &Path, hz: u32) {
    let made = Command::new("sox")
        .args(["-n", "-r", "8000", "-c", "1", "-b", "16"])
        .arg(file)
        .args(["synth", "60", "sine", &hz.to_string(), "vol", "0.3"])
        .status()
        .expect("sox is installed by tests/setup.sh");
    assert!(made.success());
}

/// One channel of a recording, at the rate of the codec that it came by.
#[derive(Default)]
pub(crate) struct Heard {
    pub(crate) samples: Vec<i16>,
    rate_hz: usize,
}

impl Heard {
    /// Of a WAV file that is still being written, so that its header does not know its length.
    pub(crate) fn read(bytes: &[u8]) -> Heard {
        let Some((head, audio)) = bytes.split_at_checked(44) else { return Heard::default() };
        let channels = usize::from(head[22]);
        let rate_hz = usize::from(u16::from_le_bytes([head[24], head[25]]));
        let samples = audio.chunks_exact(2 * channels.max(1)).map(|frame| i16::from_le_bytes([frame[0], frame[1]]));
        Heard { samples: samples.collect(), rate_hz }
    }

    fn last_half_second(&self) -> &[i16] {
        &self.samples[self.samples.len().saturating_sub(self.rate_hz / 2)..]
    }

    /// The share of the energy of the last half second that lies at this frequency (Goertzel).
    pub(crate) fn tone_share(&self, hz: f64) -> f64 {
        let last = self.last_half_second();
        let step = 2.0 * (2.0 * std::f64::consts::PI * hz / self.rate_hz.max(1) as f64).cos();
        let (mut one, mut two, mut energy) = (0.0, 0.0, 0.0);
        for sample in last {
            let sample = f64::from(*sample);
            (one, two) = (sample + step * one - two, one);
            energy += sample * sample;
        }
        let power = one * one + two * two - step * one * two;
        2.0 * power / (last.len().max(1) as f64 * energy.max(1.0))
    }

    /// Whether that tone is what is heard, and nothing else.
    pub(crate) fn is_tone(&self, hz: f64) -> bool {
        self.tone_share(hz) > 0.9
    }

    /// Whether something is heard that is not that tone.
    pub(crate) fn is_other_than(&self, hz: f64) -> bool {
        let last = self.last_half_second();
        let energy: f64 = last.iter().map(|sample| f64::from(*sample).powi(2)).sum();
        !last.is_empty() && self.tone_share(hz) < 0.2 && (energy / last.len() as f64).sqrt() > 200.0
    }
}

#[test]
fn registered_softphones_are_rung_and_hear_each_other() {
    let house = House::start(20, &CITY.replace("on_register", "by_code"));
    let (server, dir) = (house.address(1), house.dir.path());
    let agent = anna(&format!("{server}:5060")).phone(dir, 15_062, 440);
    house.wait_for("hotline_agents", &["break"], 1.0);
    let caller = caller(dir, 15_074, &server, PCMU);

    // Nobody is ready: the caller waits and hears music, neither silence nor a single tone.
    house.wait_for("hotline_queue_waiting", &[], 1.0);
    wait_until("the caller hears music", || {
        let heard = caller.heard();
        heard.samples.len() > 8000 && heard.is_other_than(440.0)
    });
    house.http("POST /api/v1/agents/anna/state", "Authorization: Bearer let-me-in-please\r\n", "{\"state\":\"ready\"}");
    house.wait_for("hotline_agents", &["talking"], 1.0);
    wait_until("the agent hears the caller's tone", || agent.heard().is_tone(1000.0));
    wait_until("the caller hears the agent's tone", || caller.heard().is_tone(440.0));

    drop(caller);
    // A caller who is killed says no BYE: its silence and the probes into it end the talk. Ended from here instead, to be quick.
    house.signal("-TERM");
    house.signal("-TERM");
    let heard = agent.heard().samples.len();
    std::thread::park_timeout(Duration::from_millis(1500));
    let later = agent.heard().samples.len();
    assert!(later <= heard + 8000, "after the end nothing more is heard: {heard} and {later} samples");
}
