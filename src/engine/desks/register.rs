//! A REGISTER of an agent's phone (RFC 3261 10.3): which devices the agent has after it, and its answer.

use std::fmt::Write;
use std::sync::Arc;
use std::time::Duration;

use crate::base::AgentId;
use crate::base::words::Limit;
use crate::engine::context::Context;
use crate::engine::devices::{Binding, Devices};
use crate::sip::flow::Flow;
use crate::sip::message::Message;
use crate::sip::name::Name;
use crate::sip::name_addr::{ContactHeader, NameAddr};
use crate::sip::uri::Uri;

/// The longest way through proxies that is kept for a phone.
const PATH_HOPS_MAX: usize = 4;
const PATH_BYTES_MAX: usize = 1_000;

/// Answers a REGISTER that the agent has proved to send. Whether the agent's devices are as it wants them now.
pub(super) fn answer(devices: &mut Devices, cx: &mut Context<'_>, agent: AgentId, flow: &Flow, message: &Message<'_>) -> bool {
    let Some(tx) = cx.sessions.outside().begin(cx.now, flow, message) else { return false };
    let tag = format!("{:016x}", cx.seed.next_u64());
    let aor = message.to().ok().and_then(|to| to.uri().ok());
    let named = aor.is_some_and(|aor| cx.settings.agent_name(agent).is_some_and(|name| name == &*aor.user_unescaped()));
    let outcome = if named { bound(devices.of(agent), cx, flow, message) } else { Err(403) };
    let status = outcome.as_ref().err().copied().unwrap_or(200);
    let (now, min) = (cx.now, cx.settings.registration.expires_min);
    cx.sessions.outside().respond(now, tx, status, &tag, |writer| match &outcome {
        Ok(bindings) => {
            for binding in bindings {
                let left = binding.expires.since(now).as_secs();
                writer.fmt(Name::Contact, format_args!("<{}>;expires={left}", binding.uri));
            }
            // RFC 3327 5.3: what was kept is shown to whoever registered.
            for path in message.all(Name::Path) {
                writer.field(Name::Path, path);
            }
        }
        Err(423) => {
            writer.fmt(Name::MinExpires, format_args!("{}", min.as_secs()));
        }
        Err(_) => {}
    });
    if let Ok(bindings) = outcome {
        devices.set(agent, bindings);
    }
    status == 200
}

/// The devices after the Contacts of a REGISTER: all of them are applied or, with an error status, none.
fn bound(old: &[Binding], cx: &mut Context<'_>, flow: &Flow, message: &Message<'_>) -> Result<Vec<Binding>, u16> {
    let rules = cx.settings.registration;
    let max = usize::from(cx.settings.limits.bindings_per_agent);
    let call_id: Arc<str> = String::from_utf8_lossy(message.call_id().map_err(|_| 400u16)?).into();
    let cseq = message.cseq().map_err(|_| 400u16)?.number;
    let path = path_of(message)?;
    let mut bindings = old.to_vec();
    let in_order = |b: &Binding| b.call_id != call_id || cseq > b.cseq;
    for contact in message.contacts() {
        let address = match contact.map_err(|_| 400u16)? {
            ContactHeader::Star if message.expires() == Some(0) => {
                if !bindings.iter().all(in_order) {
                    return Err(500);
                }
                bindings.clear();
                continue;
            }
            ContactHeader::Star => return Err(400),
            ContactHeader::Addr(address) => address,
        };
        let uri = address.uri().map_err(|_| 400u16)?;
        let asked = address.param("expires").flatten().and_then(|text| text.parse().ok()).or_else(|| message.expires());
        let expires = asked.map_or(rules.expires_max, |secs| Duration::from_secs(u64::from(secs)));
        let known = bindings.iter().position(|b| Uri::parse(&b.uri).is_ok_and(|old| old.same_as(&uri)));
        if let Some(known) = known {
            if !in_order(&bindings[known]) {
                return Err(500);
            }
            bindings.remove(known);
        }
        if expires.is_zero() {
            continue;
        }
        if expires < rules.expires_min {
            return Err(423);
        }
        let expires = cx.now + expires.min(rules.expires_max);
        let (uri, call_id) = (uri.raw().into(), call_id.clone());
        bindings.push(Binding { uri, flow: *flow, path: path.clone(), expires, call_id, cseq });
    }
    if bindings.len() > max {
        // The oldest makes room: a phone that changed its address without saying so must not be locked out.
        bindings.drain(..bindings.len() - max);
        cx.out.limit_hit(cx.now, None, Limit::Bindings);
    }
    Ok(bindings)
}

/// The Path of a REGISTER as a Route value; 400 where there is too much of it to keep, or a strict router in it.
fn path_of(message: &Message<'_>) -> Result<Option<Arc<str>>, u16> {
    let mut route = String::new();
    for (index, value) in message.list(Name::Path).enumerate() {
        let address = NameAddr::parse(value).ok_or(400u16)?;
        let loose = address.uri().is_ok_and(|uri| uri.params.get("lr").is_some());
        if !loose || index >= PATH_HOPS_MAX {
            return Err(400);
        }
        let separator = if index == 0 { "" } else { ", " };
        let _ = write!(route, "{separator}<{}>", address.raw_uri());
        if route.len() > PATH_BYTES_MAX {
            return Err(400);
        }
    }
    Ok((!route.is_empty()).then(|| route.into()))
}
