//! The SIP of a contact, for people: its messages as a ladder, with a lane for hotline and one for each leg.
//!
//! It owns the form of a traced message in JSON, whether the API gives it or a line of the process's log, and the drawing. Messages come
//! blanked; who has kept them is somebody else's business. It reads start lines and CSeq alone, and takes any text.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use serde::{Deserialize, Serialize};

use crate::base::plain::plain;

/// How wide a leg's lane is, in characters.
const LANE: usize = 30;
/// How wide the column of times is.
const TIME: usize = 14;

/// A SIP message of a contact.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct TracedMessage {
    /// When it passed: RFC 3339, UTC.
    pub at: String,
    /// `in` if hotline received it, else `out`.
    pub direction: String,
    /// Over which transport.
    pub transport: String,
    /// The address that it came from or went to.
    pub remote: String,
    /// Which of the contact's legs it is part of, from 1.
    pub leg: u32,
    /// Whose leg that is: `caller`, `agent` or `external`.
    pub role: String,
    /// The agent, of an agent's leg.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub agent: Option<String>,
    /// The message, without its secrets.
    pub sip: String,
}

/// The SIP messages of a contact, the oldest first.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Trace {
    /// The contact's id.
    pub contact: String,
    /// How many older messages are left out, for there are too many.
    #[serde(default)]
    pub left_out: usize,
    /// Its messages.
    pub messages: Vec<TracedMessage>,
}

impl TracedMessage {
    /// The message that a line of a JSON log tells of, if it is one of this contact.
    #[must_use]
    pub fn from_log_line(line: &str, contact: &str) -> Option<Self> {
        // Most lines are about something else, and not worth being read.
        let mut value: serde_json::Value = line.contains("\"sip\":").then(|| serde_json::from_str(line).ok()).flatten()?;
        // The line says what is said, and its span about whom.
        if let serde_json::Value::Object(mut span) = value["span"].take() {
            value.as_object_mut()?.append(&mut span);
        }
        if value["contact"] != contact {
            return None;
        }
        serde_json::from_value(value).ok()
    }

    fn start_line(&self) -> &str {
        self.sip.lines().next().unwrap_or("").trim_end()
    }

    fn field(&self, name: &str) -> Option<&str> {
        let named = |line: &str| line.split_once(':').is_some_and(|(known, _)| known.trim().eq_ignore_ascii_case(name));
        let line = self.sip.lines().take_while(|line| !line.is_empty()).find(|line| named(line))?;
        line.split_once(':').map(|(_, value)| value.trim())
    }

    /// What it is, in a few words: a method and whom it is for, or a status and what it answers.
    #[must_use]
    pub fn summary(&self) -> String {
        let line = self.start_line();
        let described = |what: String| if self.has_description() { what + " (SDP)" } else { what };
        if let Some(status) = line.strip_prefix("SIP/2.0 ") {
            let method = self.field("cseq").and_then(|value| value.split_whitespace().nth(1)).unwrap_or("?");
            return described(format!("{status} to {method}"));
        }
        described(line.split_whitespace().next().unwrap_or("?").to_owned())
    }

    fn has_description(&self) -> bool {
        let kind = self.field("content-type").or_else(|| self.field("c")).unwrap_or("").to_ascii_lowercase();
        kind.contains("application/sdp") || kind.starts_with("multipart/")
    }

    /// The time of day, to the millisecond.
    fn time(&self) -> &str {
        let clock = self.at.split_once('T').map_or(&*self.at, |(_, clock)| clock);
        clock.get(..12).unwrap_or(clock).trim_end_matches('Z')
    }

    fn party(&self) -> String {
        match &self.agent {
            Some(agent) => format!("{} {agent}", self.role),
            None => self.role.clone(),
        }
    }
}

/// Cuts what is too long for its place, and says so.
fn cut(text: &str, characters: usize) -> String {
    let text = &*plain(text).replace('\t', " ");
    if text.chars().count() <= characters {
        return text.to_owned();
    }
    text.chars().take(characters.saturating_sub(1)).chain(['…']).collect()
}

/// A line of lanes: hotline's at the left, one for each leg. `arrow` goes from hotline's to the lane of this place.
fn lanes(count: usize, arrow: Option<(usize, bool, &str)>) -> String {
    let mut line: Vec<char> = std::iter::repeat_n(' ', count * LANE + 1).collect();
    for lane in 0..=count {
        line[lane * LANE] = '|';
    }
    if let Some((place, outward, label)) = arrow {
        let end = place * LANE;
        let label = format!(" {} ", cut(label, end - 8));
        line[1..end].fill('-');
        line[if outward { end - 1 } else { 1 }] = if outward { '>' } else { '<' };
        for (offset, character) in label.chars().enumerate() {
            line[3 + offset] = character;
        }
    }
    line.into_iter().collect::<String>().trim_end().to_owned()
}

impl fmt::Display for Trace {
    /// The ladder.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut legs: BTreeMap<u32, &TracedMessage> = BTreeMap::new();
        for message in &self.messages {
            legs.entry(message.leg).or_insert(message);
        }
        writeln!(f, "contact {}", plain(&self.contact))?;
        let heads = |of: &dyn Fn(&TracedMessage) -> String| -> String {
            legs.values().map(|first| format!("{:<LANE$}", cut(&of(first), LANE - 2))).collect()
        };
        // The names of legs stand where their lanes are.
        let first = format!("{:<TIME$}{:<LANE$}{}", "", "hotline", heads(&TracedMessage::party));
        let second = format!("{:<TIME$}{:<LANE$}{}", "", "", heads(&|first| first.remote.clone()));
        writeln!(f, "{}\n{}", first.trim_end(), second.trim_end())?;
        if self.left_out > 0 {
            writeln!(f, "{} earlier messages are left out", self.left_out)?;
        }
        let mut before: BTreeSet<(&str, u32, &str)> = BTreeSet::new();
        for message in &self.messages {
            let place = legs.keys().position(|leg| *leg == message.leg).map_or(1, |place| place + 1);
            let mut label = message.summary();
            if !before.insert((&message.direction, message.leg, &message.sip)) {
                label += " again";
            }
            let arrow = (place, message.direction == "out", &*label);
            writeln!(f, "{:<TIME$}{}", cut(message.time(), TIME - 2), lanes(legs.len(), Some(arrow)))?;
        }
        if self.messages.is_empty() {
            writeln!(f, "no message is known")?;
        }
        Ok(())
    }
}

impl Trace {
    /// Every message in full, each after a line that says when it passed and between whom.
    #[must_use]
    pub fn in_full(&self) -> String {
        let one = |message: &TracedMessage| {
            let from_to = if message.direction == "in" { "from" } else { "to" };
            let (at, transport, remote) = (&message.at, &message.transport, &message.remote);
            let first = format!("---- {at} {from_to} {} (leg {}), {transport} {remote}", message.party(), message.leg);
            let lines = std::iter::once(&*first).chain(message.sip.trim_end().lines()).chain([""]);
            lines.map(|line| plain(line) + "\n").collect::<String>()
        };
        self.messages.iter().map(one).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn message(at: &str, direction: &str, leg: u32, sip: &str) -> TracedMessage {
        let agent = (leg > 1).then(|| "kim".to_owned());
        let role = if leg > 1 { "agent" } else { "caller" };
        TracedMessage {
            at: format!("2026-11-30T{at}Z"),
            direction: direction.to_owned(),
            transport: "udp".to_owned(),
            remote: format!("192.0.2.{leg}:5060"),
            leg,
            role: role.to_owned(),
            agent,
            sip: sip.to_owned(),
        }
    }

    fn call() -> Trace {
        let invite = "INVITE sip:120@city.example SIP/2.0\r\nCSeq: 1 INVITE\r\nContent-Type: application/sdp\r\n\r\nv=0\r\n";
        let ok = "SIP/2.0 200 OK\r\nCSeq: 1 INVITE\r\nc: application/sdp\r\n\r\nv=0\r\n";
        let messages = vec![
            message("12:00:01.123456", "in", 1, invite),
            message("12:00:01.125", "out", 1, "SIP/2.0 100 Trying\r\nCSeq: 1 INVITE\r\n\r\n"),
            message("12:00:02.000", "out", 2, invite),
            message("12:00:02.500", "out", 2, invite),
            message("12:00:03.000", "in", 2, ok),
            message("12:00:03.001", "out", 2, "ACK sip:kim@192.0.2.2 SIP/2.0\r\nCSeq: 1 ACK\r\n\r\n"),
            message("12:00:03.002", "out", 1, ok),
            message("12:00:09.000", "in", 1, "BYE sip:120@city.example SIP/2.0\r\nCSeq: 2 BYE\r\n\r\n"),
        ];
        Trace { contact: "01KB".to_owned(), left_out: 0, messages }
    }

    #[test]
    fn a_call_is_drawn_as_a_ladder() {
        let drawn = "\
contact 01KB
              hotline                       caller                        agent kim
                                            192.0.2.1:5060                192.0.2.2:5060
12:00:01.123  |<- INVITE (SDP) -------------|                             |
12:00:01.125  |-- 100 Trying to INVITE ---->|                             |
12:00:02.000  |-- INVITE (SDP) ------------------------------------------>|
12:00:02.500  |-- INVITE (SDP) again ------------------------------------>|
12:00:03.000  |<- 200 OK to INVITE (SDP) ---------------------------------|
12:00:03.001  |-- ACK --------------------------------------------------->|
12:00:03.002  |-- 200 OK to INVITE (SDP) -->|                             |
12:00:09.000  |<- BYE ----------------------|                             |
";
        assert_eq!(call().to_string(), drawn);
    }

    #[test]
    fn what_is_long_or_no_message_spoils_no_ladder() {
        let long = format!("SIP/2.0 486 \u{1b}[2J{}\r\nCSeq: 1 INVITE\r\n\r\n", "Busy ".repeat(20));
        let trace = Trace {
            contact: "01KB".to_owned(),
            left_out: 2,
            messages: vec![message("12:00:01.1", "in", 1, &long), message("", "out", 1, ""), message("12:00", "out", 7, "\r\n")],
        };
        let text = trace.to_string();
        assert!(text.lines().all(|line| line.chars().count() <= TIME + 3 * LANE), "{text}");
        assert!(text.contains('…') && text.contains("|-- ? ---") && text.contains("2 earlier messages are left out"), "{text}");
        assert!((text + &trace.in_full()).lines().all(|line| !line.contains(char::is_control)));
        assert!(
            Trace { contact: "01KB".to_owned(), left_out: 0, messages: Vec::new() }.to_string().contains("no message is known")
        );
    }

    #[test]
    fn each_message_is_told_in_full() {
        let text = call().in_full();
        assert_eq!(text.matches("---- 2026-11-30T").count(), 8);
        assert!(
            text.contains("---- 2026-11-30T12:00:03.000Z from agent kim (leg 2), udp 192.0.2.2:5060\nSIP/2.0 200 OK\n"),
            "{text}"
        );
    }

    #[test]
    fn the_form_of_the_api_and_that_of_a_log_line_are_read_alike() {
        let written = serde_json::to_value(call()).unwrap();
        assert_eq!(serde_json::from_value::<Trace>(written.clone()).unwrap(), call());
        let mut line = written["messages"][2].clone();
        for (name, value) in [("timestamp", "2026-11-30T13:00:00Z"), ("level", "TRACE"), ("message", "SIP")] {
            line[name] = value.into();
        }
        // The leg and the agent are those of the span that the line is said in.
        line["span"] = serde_json::json!({ "name": "call", "contact": "01KB" });
        for name in ["leg", "agent"] {
            line["span"][name] = line.as_object_mut().unwrap().remove(name).unwrap();
        }
        let other = line.to_string().replace("01KB", "01KC");
        let lines = ["not JSON", "{\"level\":\"INFO\",\"contact\":\"01KB\"}", &other, &line.to_string()];
        let read: Vec<_> = lines.into_iter().filter_map(|line| TracedMessage::from_log_line(line, "01KB")).collect();
        assert_eq!(read, [call().messages[2].clone()]);
    }
}
