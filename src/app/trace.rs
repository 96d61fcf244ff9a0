//! `hotline trace`: the SIP of one call as a ladder, asked of a running server or read from its JSON log.

#![allow(clippy::print_stdout, reason = "this is what a command line is for")]

use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Duration;

use anyhow::{Context, bail};
use clap::Args;
use http_body_util::{BodyExt, Empty, Limited};
use hyper::Request;
use hyper::body::Bytes;
use hyper::header::{AUTHORIZATION, HOST};
use hyper_util::rt::TokioIo;

use crate::base::ContactId;
use crate::config::Config;
use crate::report::{Trace, TracedMessage};

/// How long a server may take to answer.
const ANSWER_MAX: Duration = Duration::from_secs(10);
/// The longest answer.
const ANSWER_BYTES_MAX: usize = 64 << 20;

#[derive(Args, Debug)]
pub(super) struct TraceArgs {
    /// The contact's id, as in the logs and the store
    #[arg(value_name = "ID")]
    pub(super) contact: ContactId,
    /// The configuration of the running server; its [http] says where to ask, and with which token
    #[arg(long, short, value_name = "FILE", required_unless_present = "log")]
    pub(super) config: Option<PathBuf>,
    /// A JSON log of the process at level trace, instead of a running server; `-` for standard input
    #[arg(long, value_name = "FILE", conflicts_with = "config")]
    log: Option<PathBuf>,
    /// Print each message in full after the ladder
    #[arg(long, short)]
    messages: bool,
    /// Write JSON instead of text
    #[arg(long, conflicts_with = "messages")]
    json: bool,
}

/// Prints the trace. `config`: the checked configuration, unless a log is read.
pub(super) fn trace(args: &TraceArgs, config: Option<&Config>) -> anyhow::Result<ExitCode> {
    let trace = match (&args.log, config) {
        (Some(log), _) => from_log(log, args.contact)?,
        (None, Some(config)) => ask(config, args.contact)?,
        (None, None) => bail!("name a configuration with --config, or a log with --log"),
    };
    if trace.messages.is_empty() {
        eprintln!("error: no message of {} is in the log: it must be JSON at level trace, or the call watched", args.contact);
        return Ok(ExitCode::FAILURE);
    }
    if args.json {
        println!("{}", serde_json::to_string_pretty(&trace)?);
    } else {
        print!("{trace}");
        if args.messages {
            print!("\n{}", trace.in_full());
        }
    }
    Ok(ExitCode::SUCCESS)
}

/// The messages that a log tells of. Those of a contact that was watched from its middle on are told late, so they are put in order.
fn from_log(file: &Path, contact: ContactId) -> anyhow::Result<Trace> {
    let contact = contact.to_string();
    let reader: Box<dyn BufRead> = if file == Path::new("-") {
        Box::new(std::io::stdin().lock())
    } else {
        Box::new(BufReader::new(std::fs::File::open(file).with_context(|| format!("{} cannot be read", file.display()))?))
    };
    let mut messages = Vec::new();
    for line in reader.split(b'\n') {
        let line = line.with_context(|| format!("{} cannot be read", file.display()))?;
        messages.extend(TracedMessage::from_log_line(&String::from_utf8_lossy(&line), &contact));
    }
    messages.sort_by(|one, other| one.at.cmp(&other.at));
    Ok(Trace { contact, left_out: 0, messages })
}

/// Asks a running server.
fn ask(config: &Config, contact: ContactId) -> anyhow::Result<Trace> {
    let http = &config.server.http;
    let Some(token) = &http.token else {
        bail!("[http] has no token: add token_file to the configuration, and start the server again")
    };
    let runtime = tokio::runtime::Builder::new_current_thread().enable_io().enable_time().build()?;
    let path = format!("/api/v1/contacts/{contact}/trace");
    let asked = get(http.bind, &path, token);
    let answered = runtime.block_on(async { tokio::time::timeout(ANSWER_MAX, asked).await });
    let (status, body) = answered.context("the server did not answer in time")??;
    if status == 200 {
        return serde_json::from_slice(&body).context("the server's answer is no trace: is it another version?");
    }
    let problem: serde_json::Value = serde_json::from_slice(&body).unwrap_or_default();
    bail!("{}", problem["detail"].as_str().map_or_else(|| format!("the server answered {status}"), str::to_owned))
}

async fn get(address: std::net::SocketAddr, path: &str, token: &str) -> anyhow::Result<(u16, Bytes)> {
    // A server that listens on every address is asked on this machine.
    let address = match address.ip() {
        ip if ip.is_unspecified() && ip.is_ipv4() => (std::net::Ipv4Addr::LOCALHOST, address.port()).into(),
        ip if ip.is_unspecified() => (std::net::Ipv6Addr::LOCALHOST, address.port()).into(),
        _ => address,
    };
    let stream = tokio::net::TcpStream::connect(address).await.with_context(|| format!("no server answers at {address}"))?;
    let (mut sender, connection) = hyper::client::conn::http1::handshake(TokioIo::new(stream)).await?;
    let request = Request::get(path)
        .header(HOST, address.to_string())
        .header(AUTHORIZATION, format!("Bearer {token}"))
        .body(Empty::<Bytes>::new())?;
    let asked = async {
        let response = sender.send_request(request).await?;
        let status = response.status().as_u16();
        let body = Limited::new(response.into_body(), ANSWER_BYTES_MAX).collect().await.map_err(anyhow::Error::from_boxed)?;
        anyhow::Ok((status, body.to_bytes()))
    };
    tokio::select! {
        answer = asked => answer,
        ended = connection => bail!("the server has closed the connection{}", ended.err().map_or_else(String::new, |error| format!(": {error}"))),
    }
}
