//! `hotline serve`: runs until it is stopped. The first SIGTERM or SIGINT drains, the second ends at once.

use std::path::Path;
use std::process::ExitCode;
use std::time::Duration;

use tokio::signal::unix::{Signal, SignalKind, signal};

use super::records::Recorder;
use super::running::{Listen, start};
use crate::config::{self, Config};
use crate::media::Library;
use crate::net::shard::Ended;
use crate::web;

/// How often to check whether the process has ended by itself.
const LOOK_EVERY: Duration = Duration::from_millis(100);

enum Heard {
    End,
    Reload,
    Ended,
}

/// Runs a configuration to its end.
///
/// # Errors
/// When something cannot be started, with what to do about it.
pub fn serve(config: Config, file: Option<&Path>) -> anyhow::Result<ExitCode> {
    let Config { settings, server, .. } = config;
    super::logging::start(&server.log);
    let library = library(server.prompts.as_deref())?;
    let listen = Listen {
        shards: server.shards,
        sip: server.listeners.clone(),
        media: server.media.clone(),
        web: web::WebSettings { bind: server.http.bind, token: server.http.token.clone().map(Into::into) },
        recorder: Recorder::of(&server),
        recent_sip_bytes: (server.log.recent_sip_mb as usize) << 20,
    };
    let running = start(settings, &listen, library, None)?;
    for (listener, address) in server.listeners.iter().zip(&running.sip) {
        tracing::info!(transport = %listener.transport, %address, "listening for SIP");
    }
    tracing::info!(address = %running.http, "serving HTTP");
    let name = file.map_or_else(|| config::EMBEDDED_NAME.to_owned(), |file| file.display().to_string());
    tracing::info!(file = %name, "ready for calls");

    let runtime = tokio::runtime::Builder::new_current_thread().enable_io().enable_time().build()?;
    let (mut terminate, mut interrupt, mut hangup) = {
        let _inside = runtime.enter();
        (signal(SignalKind::terminate())?, signal(SignalKind::interrupt())?, signal(SignalKind::hangup())?)
    };
    let mut wait =
        |limit: Option<Duration>| runtime.block_on(heard(&running, limit, &mut terminate, &mut interrupt, &mut hangup));
    loop {
        match wait(None) {
            Heard::Reload => reload(&running, file),
            Heard::Ended => break,
            Heard::End => {
                tracing::info!("draining: no new calls; a second signal ends at once");
                running.drain();
                if !matches!(wait(Some(server.drain_max)), Heard::Ended) {
                    tracing::info!("ending every call");
                    running.end_all();
                }
                break;
            }
        }
    }
    let ended = running.wait();
    tracing::info!(?ended, "ended");
    Ok(if ended == Ended::Drained { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// Reads the configuration again: all of it is taken up, or nothing.
fn reload(running: &super::Running, file: Option<&Path>) {
    let Some(file) = file else {
        return tracing::warn!("the embedded configuration cannot change: start with --config to be able to reload");
    };
    let running_settings = running.settings();
    let read = config::read_file(file).and_then(|text| config::reload(&text, &file.display().to_string(), &running_settings));
    let config = match read {
        Ok(config) => config,
        Err(problems) => return tracing::error!("nothing is reloaded, for the file has mistakes:\n{problems}"),
    };
    for warning in &config.warnings {
        tracing::warn!("{warning}");
    }
    let library = match library(config.server.prompts.as_deref()) {
        Ok(library) => library,
        Err(error) => return tracing::error!("nothing is reloaded: {error:#}"),
    };
    match running.reload(config.settings, library) {
        Ok(()) => tracing::info!("reloaded; addresses, ports and files are taken up at the next start"),
        Err(error) => tracing::error!("nothing is reloaded: {error}"),
    }
}

async fn heard(
    running: &super::Running,
    limit: Option<Duration>,
    terminate: &mut Signal,
    interrupt: &mut Signal,
    hangup: &mut Signal,
) -> Heard {
    let ended = async {
        while !running.ended() {
            tokio::time::sleep(LOOK_EVERY).await;
        }
    };
    let limit = async {
        match limit {
            Some(limit) => tokio::time::sleep(limit).await,
            None => std::future::pending().await,
        }
    };
    tokio::select! {
        _ = terminate.recv() => Heard::End,
        _ = interrupt.recv() => Heard::End,
        _ = hangup.recv() => Heard::Reload,
        () = ended => Heard::Ended,
        () = limit => Heard::End,
    }
}

/// The prompts: those built in, and over them those of a directory.
fn library(directory: Option<&Path>) -> anyhow::Result<Library> {
    let mut library = Library::embedded();
    if let Some(directory) = directory {
        library.load(directory)?;
    }
    Ok(library)
}
