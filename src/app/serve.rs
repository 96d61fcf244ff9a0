//! `hotline serve`: runs until told to end. The first SIGTERM or SIGINT drains, the second ends at once.

use std::path::Path;
use std::process::ExitCode;
use std::time::Duration;

use tokio::signal::unix::{Signal, SignalKind, signal};

use super::running::{Listen, start};
use crate::config::Config;
use crate::media::Library;
use crate::net::shard::Ended;
use crate::web;

/// How often it is looked whether the process has ended by itself.
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
pub fn serve(config: Config, file: &Path) -> anyhow::Result<ExitCode> {
    let Config { settings, server, .. } = config;
    super::logging::start(&server.log);
    let library = library(server.prompts.as_deref())?;
    let listen = Listen {
        sip: server.listeners.clone(),
        media: server.media.clone(),
        web: web::Settings { bind: server.http.bind, token: server.http.token.clone().map(Into::into) },
    };
    let running = start(settings, &listen, library)?;
    for (listener, address) in server.listeners.iter().zip(&running.sip) {
        tracing::info!(transport = %listener.transport, %address, "listening for SIP");
    }
    tracing::info!(address = %running.http, "serving HTTP");
    tracing::info!(file = %file.display(), "ready for calls");

    let runtime = tokio::runtime::Builder::new_current_thread().enable_io().enable_time().build()?;
    let (mut terminate, mut interrupt, mut hangup) = {
        let _inside = runtime.enter();
        (signal(SignalKind::terminate())?, signal(SignalKind::interrupt())?, signal(SignalKind::hangup())?)
    };
    let mut wait =
        |limit: Option<Duration>| runtime.block_on(heard(&running, limit, &mut terminate, &mut interrupt, &mut hangup));
    loop {
        match wait(None) {
            Heard::Reload => {
                tracing::warn!("reloading while running is not built yet: restart to take up a changed configuration")
            }
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
