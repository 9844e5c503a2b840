//! One aligned line for people: when, what, who, with whom, and how it went.
//!
//! ```text
//! 14:28:00.123 failed          curl/1234            10.0.0.1:43210        -> 10.0.0.2:81           refused (ECONNREFUSED) after 210 µs
//! ```
//!
//! The side that opened the connection is on the left of the arrow. Local time to the millisecond is what a
//! person compares with a clock or a log; the other forms have all nanoseconds.

mod outcome;

use std::io::Write;
use std::net::IpAddr;

use anstyle::{AnsiColor, Style};
use jiff::tz::TimeZone;

use super::Format;
use super::escape::escape;
use crate::record::{Cause, EventName, Record, Role, TcpState, Timestamp};

const EVENT_WIDTH: usize = 15;
const OWNER_WIDTH: usize = 20;
const END_WIDTH: usize = 21;

/// `--output text`.
#[derive(Debug)]
pub struct Text {
    zone: TimeZone,
    color: bool,
}

impl Text {
    /// In the system's time zone; coloured by kind of event if asked for.
    pub fn new(color: bool) -> Self {
        Self::in_zone(TimeZone::system(), color)
    }

    /// In another time zone.
    pub fn in_zone(zone: TimeZone, color: bool) -> Self {
        Self { zone, color }
    }

    fn local(&self, ts: Timestamp, format: &str) -> String {
        let ts = jiff::Timestamp::from_nanosecond(i128::from(ts.0)).unwrap_or(jiff::Timestamp::UNIX_EPOCH);
        ts.to_zoned(self.zone.clone()).strftime(format).to_string()
    }
}

impl Format for Text {
    fn record(&mut self, record: &Record, out: &mut Vec<u8>) {
        let style = if self.color { style(record) } else { Style::new() };
        let time = self.local(record.ts, "%H:%M:%S%.3f");
        let event = format!("{:<EVENT_WIDTH$}", record.event);
        let rest = match record.event {
            EventName::Start => outcome::start(record, &self.local(record.ts, "%F %Z")),
            EventName::Stop => outcome::stop(record),
            EventName::Lost => outcome::lost(record),
            _ => format!(
                "{:<OWNER_WIDTH$} {} {}",
                owner(record.comm.as_deref(), record.pid),
                ends(record),
                outcome::of(record)
            ),
        };
        // Writing to a Vec cannot fail.
        let _ = writeln!(out, "{time} {style}{event}{style:#} {}", rest.trim_end());
    }
}

fn style(record: &Record) -> Style {
    let plain = Style::new();
    let color = |color: AnsiColor| plain.fg_color(Some(color.into()));
    match record.event {
        EventName::Failed | EventName::Reset | EventName::Outage | EventName::Flapping => {
            color(AnsiColor::Red)
        }
        EventName::Lost => color(AnsiColor::Red).bold().invert(),
        EventName::RefusedInbound
        | EventName::PortScan
        | EventName::ListenOverflow
        | EventName::Retransmit => color(AnsiColor::Yellow),
        EventName::Closed => match record.cause {
            Some(Cause::Orderly) => plain.dimmed(),
            Some(Cause::ProcessExit) | None => plain,
            Some(_) => color(AnsiColor::Red),
        },
        EventName::Established | EventName::Accept | EventName::Reconnected => color(AnsiColor::Green),
        EventName::Listen | EventName::ListenEnd => color(AnsiColor::Cyan),
        EventName::Connect => color(AnsiColor::Blue),
        EventName::State | EventName::Snapshot => plain.dimmed(),
        EventName::Start | EventName::Stop => plain.bold(),
    }
}

/// `comm/pid`, as far as known.
fn owner(comm: Option<&str>, pid: Option<u32>) -> String {
    match (comm, pid) {
        (Some(comm), Some(pid)) => format!("{}/{pid}", escape(comm)),
        (Some(comm), None) => escape(comm).into_owned(),
        (None, Some(pid)) => format!("pid {pid}"),
        (None, None) => "-".to_owned(),
    }
}

fn ends(record: &Record) -> String {
    let local = end(record.local_addr, record.local_port);
    let listens = record.state == Some(TcpState::Listen)
        || matches!(record.event, EventName::Listen | EventName::ListenEnd | EventName::ListenOverflow);
    // A listener has no other end.
    if listens && record.remote_port.is_none() {
        return format!("{local:<width$}", width = 2 * END_WIDTH + 4);
    }
    let mut remote = end(record.remote_addr, record.remote_port);
    if let Some(name) = &record.remote_name {
        remote.push_str(&format!(" ({})", escape(name)));
    }
    let inbound = matches!(record.event, EventName::RefusedInbound | EventName::PortScan)
        || record.role == Some(Role::Server);
    match (inbound, record.role) {
        (true, _) => format!("{remote:<END_WIDTH$} -> {local:<END_WIDTH$}"),
        (false, Some(Role::Client)) => format!("{local:<END_WIDTH$} -> {remote:<END_WIDTH$}"),
        (false, _) => format!("{local:<END_WIDTH$} -- {remote:<END_WIDTH$}"),
    }
}

/// `address:port`, IPv6 in brackets, `*` for what is not known.
fn end(addr: Option<IpAddr>, port: Option<u16>) -> String {
    let port = port.map_or_else(|| "*".to_owned(), |port| port.to_string());
    match addr {
        Some(IpAddr::V4(addr)) => format!("{addr}:{port}"),
        Some(IpAddr::V6(addr)) => format!("[{addr}]:{port}"),
        None => format!("*:{port}"),
    }
}
