//! Sentences on failed attempts and on connections that ended in an abnormal way.

use super::super::clock::Clock;
use super::super::findings::Failure;
use super::super::words::{address, times};
use super::when;
use crate::record::Cause;
use crate::sink::units::count;

/// What failed, by whom, to whom, why and when.
pub(in super::super) fn sentence(f: &Failure, clock: &Clock) -> String {
    let text = if f.was_established { connections(f) } else { attempts(f) };
    format!("{text}{}{}", details(f), when(&f.evidence, clock))
}

/// The error, and the kernel's reason for a RST.
fn details(f: &Failure) -> String {
    let mut details: Vec<String> = f.error.iter().map(|error| (*error).to_owned()).collect();
    if let Some(soft) = f.soft_error.filter(|soft| Some(*soft) != f.error) {
        details.push(format!("after {soft}"));
    }
    details.extend(f.reset_reason.as_ref().map(|reason| format!("reason {reason}")));
    if details.is_empty() { String::new() } else { format!(" ({})", details.join(", ")) }
}

fn attempts(f: &Failure) -> String {
    let (who, peer) = (f.who.as_client_of(&f.peer), f.peer.sentence());
    let times = times(f.count);
    match f.cause {
        Cause::Refused => format!("{who} was refused {times} by {peer}"),
        Cause::RefusedIcmp => format!("{who} was refused {times} by {peer}, over ICMP"),
        Cause::TimedOut => format!("{who} got no answer from {peer}, {times}"),
        Cause::Unreachable => format!("{who} found {peer} unreachable, {times}"),
        Cause::NoRoute => format!("{who} had no route to {peer}, {times}"),
        Cause::NoPort => format!("{who} had no free local port for {peer}, {times}"),
        Cause::AddressInUse => {
            format!("{who} could not connect to {peer}: its local address was in use, {times}")
        }
        Cause::Denied => format!("{who} was denied {peer} by a policy, {times}"),
        Cause::Abandoned => format!("{who} gave up waiting for {peer}, {times}"),
        Cause::Aborted => format!("an administrator aborted an attempt of {who} to reach {peer}, {times}"),
        Cause::ProcessExit => format!("{who} died while connecting to {peer}, {times}"),
        Cause::Invalid => format!("the kernel rejected what {who} asked for to reach {peer}, {times}"),
        Cause::Orderly
        | Cause::ResetByPeer
        | Cause::ResetUnreadData
        | Cause::ResetLinger
        | Cause::ResetByKernel
        | Cause::KeepaliveTimeout
        | Cause::UserTimeout
        | Cause::NeverAccepted
        | Cause::Other => format!("{who} failed to reach {peer}, {times}"),
    }
}

fn connections(f: &Failure) -> String {
    let (who, number) = (f.who.as_client_of(&f.peer), count(f.count, "connection"));
    let with = match (f.peer.is_client, f.peer.port) {
        (true, Some(port)) => format!("from {} on port {port}", address(f.peer.addr)),
        (true, None) => format!("from {}", address(f.peer.addr)),
        (false, _) => format!("to {}", f.peer.sentence()),
    };
    match f.cause {
        Cause::ResetByPeer => format!("{who} had {number} {with} reset by the peer"),
        Cause::ResetUnreadData => {
            format!("{who} closed {number} {with} with data it had not read, which resets them")
        }
        Cause::ResetLinger => format!("{who} reset {number} {with} by closing without lingering"),
        Cause::ResetByKernel => format!("this kernel reset {number} of {who} {with}"),
        Cause::TimedOut => {
            format!("{who} lost {number} {with}: what was sent was not acknowledged any more")
        }
        Cause::KeepaliveTimeout => format!("{who} lost {number} {with}: keepalive probes got no answer"),
        Cause::UserTimeout => format!("{who} lost {number} {with}: the user timeout ran out"),
        Cause::Unreachable => format!("{who} lost {number} {with}: the peer became unreachable"),
        Cause::Aborted => format!("an administrator killed {number} of {who} {with}"),
        Cause::NeverAccepted => format!("{who} went away before it accepted {number} {with}"),
        Cause::ProcessExit => format!("{who} died with {number} {with} open"),
        Cause::Refused
        | Cause::RefusedIcmp
        | Cause::NoRoute
        | Cause::NoPort
        | Cause::AddressInUse
        | Cause::Denied
        | Cause::Abandoned
        | Cause::Invalid
        | Cause::Orderly
        | Cause::Other => format!("{who} had {number} {with} that ended for an unknown cause"),
    }
}
