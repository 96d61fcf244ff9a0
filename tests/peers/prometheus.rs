//! Prometheus itself: it scrapes a running server, and its own queries tell what has happened.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::process::{Child, Command, Stdio};

use crate::calls::{agent, caller, config};
use crate::house::{House, wait_until};

struct Prometheus {
    child: Child,
    address: String,
}

impl Prometheus {
    fn start(house: &House) -> Prometheus {
        let (dir, address) = (house.dir.path(), format!("{}:9090", house.address(4)));
        let file = dir.join("prometheus.yml");
        let target = format!("{}:8120", house.address(1));
        let text = format!(
            "global:\n  scrape_interval: 200ms\n  scrape_timeout: 200ms\nscrape_configs:\n  - job_name: hotline\n    static_configs:\n      - targets: ['{target}']\n"
        );
        std::fs::write(&file, text).unwrap();
        let log = std::fs::File::create(dir.join("prometheus.log")).unwrap();
        let child = Command::new("prometheus")
            .arg(format!("--config.file={}", file.display()))
            .arg(format!("--storage.tsdb.path={}", dir.join("tsdb").display()))
            .arg(format!("--web.listen-address={address}"))
            .stdin(Stdio::null())
            .stdout(log.try_clone().unwrap())
            .stderr(log)
            .spawn()
            .expect("prometheus is installed by tests/setup.sh");
        Prometheus { child, address }
    }

    /// The value of an instant query that yields one series; `None` while it yields none or Prometheus is not up.
    fn ask(&self, query: &str) -> Option<f64> {
        let escaped: String = query.bytes().map(|byte| format!("%{byte:02X}")).collect();
        let mut stream = TcpStream::connect(&self.address).ok()?;
        write!(stream, "GET /api/v1/query?query={escaped} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n").ok()?;
        let mut answer = String::new();
        stream.read_to_string(&mut answer).ok()?;
        let body = answer.split_once("\r\n\r\n")?.1;
        let answer: serde_json::Value = serde_json::from_str(body).ok()?;
        let results = answer["data"]["result"].as_array()?;
        assert!(results.len() < 2, "{query} yields several series: {body}");
        results.first()?["value"][1].as_str()?.parse().ok()
    }

    fn wait_for(&self, query: &str, value: f64) {
        wait_until(&format!("Prometheus says that {query} is {value}"), || {
            self.ask(query).is_some_and(|is| (is - value).abs() < 1e-9)
        });
    }
}

impl Drop for Prometheus {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

#[test]
fn prometheus_scrapes_and_its_queries_tell_what_happened() {
    let house = House::start(43, &config(1, "answer = \"late\"\nservice_target = \"20s\""));
    let prometheus = Prometheus::start(&house);
    prometheus.wait_for("up{job=\"hotline\"}", 1.0);
    prometheus.wait_for("sum(hotline_contacts_total)", 0.0);
    let phone = agent(&house, "agent", 0, &["-d", "50"]);
    caller(&house, "caller", 5060, 3, &["-d", "100"]).done();
    prometheus.wait_for("sum(hotline_contacts_total)", 3.0);
    prometheus.wait_for("sum(hotline_contacts_ended_total)", 3.0);
    // Service level, as a dashboard asks for it.
    prometheus.wait_for(
        "sum(hotline_queue_answered_in_target_total{queue=\"help\"}) / sum(hotline_queue_left_total{queue=\"help\",outcome=~\"answered|abandoned\"})",
        1.0,
    );
    // The counters began at zero before the first call, so that an increase is seen whole.
    wait_until("an increase is seen", || prometheus.ask("sum(increase(hotline_contacts_total[1m]))").is_some_and(|is| is > 2.5));
    prometheus.wait_for("sum(hotline_agents{state=\"ready\"})", 1.0);
    drop(phone);
}
