//! A running `hotline serve`, with addresses of its own so that tests can run side by side.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::process::{Child, Command, Stdio};
use std::sync::mpsc;
use std::time::{Duration, Instant};

/// How long anything may take on a busy machine.
pub(crate) const PATIENCE: Duration = Duration::from_secs(60);

pub(crate) struct House {
    pub(crate) dir: tempfile::TempDir,
    server: Child,
    net: u8,
}

/// A configuration with the addresses of a house, and as many shards as this run of the tests is for.
fn written(net: u8, config: &str) -> String {
    let shards = std::env::var("HOTLINE_SHARDS").map(|shards| format!("[server]\nshards = {shards}\n"));
    let config = shards.map_or_else(|_| config.to_owned(), |section| config.replacen("[server]\n", &section, 1));
    config.replace("NET", &format!("127.77.{net}"))
}

impl House {
    /// Starts a server whose addresses are 127.77.`net`.x: .1 is hotline, .2 the carrier, .3 the phones.
    pub(crate) fn start(net: u8, config: &str) -> House {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("hotline.toml");
        std::fs::write(&file, written(net, config)).unwrap();
        let mut server = Command::new(env!("CARGO_BIN_EXE_hotline"))
            .args(["serve", "--config"])
            .arg(&file)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let log = server.stderr.take().unwrap();
        let (said, heard) = mpsc::channel();
        let copy = dir.path().join("server.log");
        std::thread::spawn(move || {
            let mut copy = std::fs::File::create(copy).unwrap();
            for line in BufReader::new(log).lines().map_while(Result::ok) {
                let _ = writeln!(copy, "{line}");
                let _ = said.send(line);
            }
        });
        let house = House { dir, server, net };
        let end = Instant::now() + PATIENCE;
        loop {
            let line = heard
                .recv_timeout(end.saturating_duration_since(Instant::now()))
                .unwrap_or_else(|_| panic!("the server does not start:\n{}", house.log()));
            if line.contains("ready for calls") {
                return house;
            }
        }
    }

    pub(crate) fn address(&self, host: u8) -> String {
        format!("127.77.{}.{host}", self.net)
    }

    pub(crate) fn log(&self) -> String {
        std::fs::read_to_string(self.dir.path().join("server.log")).unwrap_or_default()
    }

    pub(crate) fn pid(&self) -> u32 {
        self.server.id()
    }

    pub(crate) fn write_config(&self, config: &str) {
        std::fs::write(self.dir.path().join("hotline.toml"), written(self.net, config)).unwrap();
    }

    pub(crate) fn wait_for_log(&self, text: &str) {
        let end = Instant::now() + PATIENCE;
        while !self.log().contains(text) {
            assert!(Instant::now() < end, "the log never says {text:?}:\n{}", self.log());
            std::thread::park_timeout(Duration::from_millis(20));
        }
    }

    /// An HTTP request; the body of the answer.
    pub(crate) fn http(&self, request: &str, extra: &str, body: &str) -> String {
        let mut stream = TcpStream::connect((self.address(1), 8120)).unwrap();
        write!(
            stream,
            "{request} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n{extra}Content-Length: {}\r\n\r\n{body}",
            body.len()
        )
        .unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).unwrap();
        answer.split_once("\r\n\r\n").map(|(_, body)| body.to_owned()).unwrap_or_default()
    }

    pub(crate) fn metrics(&self) -> String {
        let text = self.http("GET /metrics", "", "");
        // Chunk sizes of the transfer stand on lines of their own.
        text.lines().filter(|line| line.starts_with('#') || line.contains(' ')).map(|line| format!("{line}\n")).collect()
    }

    /// The sum of all series of a metric whose labels contain each of `labels`.
    pub(crate) fn metric(&self, name: &str, labels: &[&str]) -> f64 {
        let text = self.metrics();
        let lines = text.lines().filter(|line| {
            let rest = line.strip_prefix(name);
            rest.is_some_and(|rest| rest.starts_with(['{', ' ']) && labels.iter().all(|label| rest.contains(label)))
        });
        lines.filter_map(|line| line.rsplit(' ').next()?.parse::<f64>().ok()).sum()
    }

    /// Waits until a metric reaches a value.
    pub(crate) fn wait_for(&self, name: &str, labels: &[&str], value: f64) {
        self.wait_until(name, labels, |is| (is - value).abs() < 1e-9);
    }

    /// Waits until a metric is as it should be.
    pub(crate) fn wait_until(&self, name: &str, labels: &[&str], well: impl Fn(f64) -> bool) {
        let end = Instant::now() + PATIENCE;
        loop {
            let is = self.metric(name, labels);
            if well(is) {
                return;
            }
            assert!(Instant::now() < end, "{name} {labels:?} stays {is}\n{}", self.log());
            std::thread::park_timeout(Duration::from_millis(50));
        }
    }

    pub(crate) fn signal(&self, signal: &str) {
        assert!(Command::new("kill").args([signal, &self.pid().to_string()]).status().unwrap().success());
    }

    /// Waits for the process to end; whether it ended well.
    pub(crate) fn ended(&mut self) -> bool {
        let end = Instant::now() + PATIENCE;
        while Instant::now() < end {
            if let Some(status) = self.server.try_wait().unwrap() {
                return status.success();
            }
            std::thread::park_timeout(Duration::from_millis(20));
        }
        panic!("the server does not end:\n{}", self.log());
    }
}

impl Drop for House {
    fn drop(&mut self) {
        let _ = self.server.kill();
        let _ = self.server.wait();
        if std::thread::panicking() {
            eprintln!("--- the server's log:\n{}", self.log());
        }
    }
}

/// Waits for something to become true.
pub(crate) fn wait_until(what: &str, mut is: impl FnMut() -> bool) {
    let end = Instant::now() + PATIENCE;
    while !is() {
        assert!(Instant::now() < end, "it never comes that {what}");
        std::thread::park_timeout(Duration::from_millis(50));
    }
}

/// A SIPp with a scenario from tests/peers/scenarios.
pub(crate) struct Sipp {
    child: Child,
    name: String,
    dir: std::path::PathBuf,
}

impl Sipp {
    pub(crate) fn start(house: &House, scenario: &str, local: &str, args: &[&str]) -> Sipp {
        let path = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/peers/scenarios").join(format!("{scenario}.xml"));
        let (ip, port) = local.rsplit_once(':').unwrap();
        let ip = ip.trim_matches(['[', ']']);
        let name = format!("{scenario}-{port}");
        let out = std::fs::File::create(house.dir.path().join(format!("{name}.out"))).unwrap();
        let child = Command::new("sipp")
            .args(args)
            .arg("-sf")
            .arg(path)
            .args(["-i", ip, "-p", port, "-nostdin", "-trace_err", "-error_file"])
            .arg(house.dir.path().join(format!("{name}.err")))
            .args(["-trace_logs", "-log_file"])
            .arg(house.dir.path().join(format!("{name}.log")))
            .current_dir(house.dir.path())
            .stdin(Stdio::null())
            .stdout(out.try_clone().unwrap())
            .stderr(out)
            .spawn()
            .expect("sipp is installed by tests/setup.sh");
        Sipp { child, name, dir: house.dir.path().to_owned() }
    }

    /// Waits for it to have run all of its calls well.
    pub(crate) fn done(mut self) {
        let end = Instant::now() + PATIENCE;
        while Instant::now() < end {
            if let Some(status) = self.child.try_wait().unwrap() {
                assert!(status.success(), "{} ended with {status}\n{}", self.name, self.complaints());
                return;
            }
            std::thread::park_timeout(Duration::from_millis(20));
        }
        panic!("{} does not end\n{}", self.name, self.complaints());
    }

    fn complaints(&self) -> String {
        let read = |ending: &str| std::fs::read_to_string(self.dir.join(format!("{}.{ending}", self.name))).unwrap_or_default();
        let out = read("out");
        let tail: String = out.lines().rev().take(40).collect::<Vec<_>>().into_iter().rev().map(|l| format!("{l}\n")).collect();
        format!("{}\n{tail}", read("err"))
    }
}

impl Drop for Sipp {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
