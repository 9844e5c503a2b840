//! How it went: the end of a text line, as a list of short phrases.

use crate::record::{Cause, ClosedBy, End, EventName, LostWhere, Record, RunTotals};
use crate::sink::escape::escape;
use crate::sink::units::{bytes, count, duration};

/// The phrases of an event of a connection or listener.
pub(super) fn of(record: &Record) -> String {
    let mut phrases = match record.event {
        EventName::Listen => backlog(record),
        EventName::Established => established(record),
        EventName::Accept => {
            record.accept_wait_ns.map(|ns| format!("waited {}", duration(ns))).into_iter().collect()
        }
        EventName::Failed => failed(record),
        EventName::Closed => closed(record),
        EventName::Reset => reset(record),
        EventName::RefusedInbound => times("nothing listens on this port", record.count),
        EventName::PortScan => port_scan(record),
        EventName::ListenOverflow => overflow(record),
        EventName::Outage => outage(record),
        EventName::Reconnected => reconnected(record),
        EventName::Flapping => times("back again and again", record.count),
        EventName::State => changed(record),
        EventName::Retransmit | EventName::Snapshot => {
            record.state.map(|state| state.to_string()).into_iter().collect()
        }
        EventName::Connect | EventName::ListenEnd | EventName::Lost | EventName::Start | EventName::Stop => {
            Vec::new()
        }
    };
    if let Some(attempt) = record.attempt.filter(|attempt| *attempt > 1) {
        phrases.push(format!("attempt {attempt}"));
    }
    if record.incomplete == Some(true) {
        phrases.push("incomplete".to_owned());
    }
    phrases.join(", ")
}

fn port_scan(record: &Record) -> Vec<String> {
    let ports = record.ports.map(|ports| format!("{ports} ports tried on which nothing listens"));
    ports.into_iter().chain(record.count.map(|n| count(n, "segment"))).collect()
}

fn outage(record: &Record) -> Vec<String> {
    let mut phrases: Vec<String> = cause(record).into_iter().collect();
    if let Some(previous) = record.previous_cause.filter(|previous| Some(*previous) != record.cause) {
        phrases.push(format!("the last connection ended {}", words(previous.name())));
    }
    phrases
}

fn reconnected(record: &Record) -> Vec<String> {
    let mut phrases = Vec::new();
    phrases.extend(record.downtime_ns.map(|ns| format!("back after {}", duration(ns))));
    phrases.extend(record.attempts.map(|n| count(u64::from(n), "attempt")));
    if let Some(errors) = &record.errors {
        phrases.extend(errors.iter().map(|(error, n)| format!("{n} × {}", escape(error))));
    }
    phrases.extend(record.previous_cause.map(|cause| format!("lost by {}", words(cause.name()))));
    phrases
}

/// The frame of a run: its beginning.
pub(super) fn start(record: &Record, date: &str) -> String {
    let mut phrases = vec![date.to_owned()];
    if let Some(tracer) = &record.tracer {
        phrases.push(format!("connprobe {}", escape(&tracer.version)));
        phrases.push(format!("kernel {}", escape(&tracer.kernel)));
        let attached = tracer.hooks.values().filter(|engine| *engine != "none").count();
        phrases.push(count(attached as u64, "hook"));
        if !tracer.filters.is_empty() {
            phrases.push(format!("filters {}", escape(&tracer.filters.join(" "))));
        }
        phrases.extend(tracer.missing.iter().map(|missing| format!("missing: {}", escape(missing))));
    }
    phrases.extend(record.host.as_ref().map(|host| format!("host {}", escape(host))));
    phrases.join(", ")
}

/// The frame of a run: its end.
pub(super) fn stop(record: &Record) -> String {
    record.totals.as_deref().map(totals).unwrap_or_default()
}

fn totals(totals: &RunTotals) -> String {
    let mut phrases = vec![
        format!("after {}", duration(totals.duration_ns)),
        count(totals.events, "event"),
        format!("{} still open", totals.open),
    ];
    phrases.extend(totals.records.iter().map(|(event, number)| format!("{} {number}", escape(event))));
    if totals.lost.values().all(|number| *number == 0) {
        phrases.push("nothing lost".to_owned());
    }
    let lost = totals.lost.iter().filter(|(_, number)| **number > 0);
    phrases.extend(lost.map(|(place, number)| format!("LOST {number} in {}", escape(place))));
    if totals.unknown > 0 {
        phrases.push(format!("{} of an unknown kind", count(totals.unknown, "event")));
    }
    phrases.join(", ")
}

/// What was lost, and what to do about it.
pub(super) fn lost(record: &Record) -> String {
    let number = record.count.unwrap_or_default();
    match record.lost_where {
        Some(LostWhere::Ring) => {
            format!("{}: the kernel's ring buffer was full, --buffer makes it larger", count(number, "event"))
        }
        Some(LostWhere::Tracker) => {
            format!("{}: too many at once, see max_connections", count(number, "connection"))
        }
        Some(LostWhere::Hook) => format!("{}: the kernel skipped a program", count(number, "event")),
        Some(LostWhere::Queue) => format!("{}: a queue was full", count(number, "event")),
        Some(LostWhere::Sink) => {
            format!("{}: the output is slower than the events, filter more", count(number, "record"))
        }
        None => count(number, "record"),
    }
}

fn backlog(record: &Record) -> Vec<String> {
    record.backlog.map(|backlog| format!("backlog {backlog}")).into_iter().collect()
}

fn times(what: &str, number: Option<u64>) -> Vec<String> {
    vec![match number {
        Some(number) if number > 1 => format!("{what}, {number} times"),
        _ => what.to_owned(),
    }]
}

fn overflow(record: &Record) -> Vec<String> {
    let mut phrases = vec!["accept queue full".to_owned()];
    phrases.extend(record.count.map(|number| format!("{} turned away", count(number, "segment"))));
    phrases.extend(backlog(record));
    phrases
}

fn established(record: &Record) -> Vec<String> {
    let mut phrases: Vec<_> =
        record.connect_ns.map(|ns| format!("in {}", duration(ns))).into_iter().collect();
    phrases.extend(syn_retransmits(record));
    phrases
}

fn syn_retransmits(record: &Record) -> Option<String> {
    record.syn_retransmits.filter(|number| *number > 0).map(|number| count(number.into(), "SYN retransmit"))
}

/// The cause in words, with the errno where it adds something.
fn words(name: &str) -> String {
    name.replace('_', " ")
}

fn cause(record: &Record) -> Option<String> {
    let words = record.cause.map(|cause| words(cause.name()));
    let mut text = match (words, record.error) {
        (Some(words), Some(error)) => format!("{words} ({error})"),
        (Some(words), None) => words,
        (None, error) => error?.to_owned(),
    };
    if let Some(soft) = record.soft_error {
        text.push_str(&format!(" after {soft}"));
    }
    if let Some(reason) = &record.reset_reason {
        text.push_str(&format!(" [{}]", escape(reason)));
    }
    Some(text)
}

fn failed(record: &Record) -> Vec<String> {
    let mut text = cause(record).unwrap_or_else(|| "unknown".to_owned());
    if let Some(ns) = record.duration_ns {
        text.push_str(&format!(" after {}", duration(ns)));
    }
    let mut phrases = vec![text];
    phrases.extend(syn_retransmits(record));
    phrases
}

fn closed(record: &Record) -> Vec<String> {
    let mut text = cause(record).unwrap_or_else(|| "unknown".to_owned());
    // The name of that cause says it already.
    if let Some(by) = record.closed_by.filter(|_| record.cause != Some(Cause::ResetByPeer)) {
        text.push_str(match by {
            ClosedBy::Local => " by us",
            ClosedBy::Remote => " by peer",
            ClosedBy::Both => " by both",
            ClosedBy::Kernel => " by kernel",
            ClosedBy::Admin => " by admin",
        });
    }
    if record.closer_pid.is_some() || record.closer_comm.is_some() {
        text.push_str(&format!(" ({})", super::owner(record.closer_comm.as_deref(), record.closer_pid)));
    }
    let mut phrases = vec![text];
    phrases.extend(record.duration_ns.map(|ns| format!("after {}", duration(ns))));
    phrases.extend(record.bytes_sent.map(|sent| format!("{} sent", bytes(sent))));
    phrases.extend(record.bytes_received.map(|received| format!("{} received", bytes(received))));
    phrases.extend(
        record.unread_bytes.filter(|unread| *unread > 0).map(|unread| format!("{} unread", bytes(unread))),
    );
    let retransmits = record.retransmits.filter(|number| *number > 0);
    phrases.extend(retransmits.map(|number| count(number.into(), "retransmit")));
    phrases.extend(record.rtt_us.map(|us| format!("rtt {}", duration(u64::from(us) * 1_000))));
    if record.accepted == Some(false) && record.cause != Some(Cause::NeverAccepted) {
        phrases.push("never accepted".to_owned());
    }
    phrases
}

fn reset(record: &Record) -> Vec<String> {
    let mut text = match record.reset_by {
        Some(End::Local) => "sent by us".to_owned(),
        Some(End::Remote) => "sent by peer".to_owned(),
        None => "sent".to_owned(),
    };
    if let Some(state) = record.state {
        text.push_str(&format!(" in {state}"));
    }
    let mut phrases = vec![text];
    phrases.extend(
        cause(record).or_else(|| record.reset_reason.as_deref().map(|reason| escape(reason).into_owned())),
    );
    phrases
}

fn changed(record: &Record) -> Vec<String> {
    match (record.prev_state, record.state) {
        (Some(from), Some(to)) => vec![format!("{from} -> {to}")],
        (from, to) => from.or(to).map(|state| state.to_string()).into_iter().collect(),
    }
}
