//! What came from outside and was not taken: closed ports, full accept queues, connections nobody accepted.

use std::collections::BTreeMap;
use std::net::IpAddr;

use super::findings::{AtListener, Evidence, Knocks, Ranked, Scan, Who};
use super::table::Table;
use crate::record::{Cause, EventName, Record};

/// Keys of each of the tables.
pub(super) const ROOM: usize = 1_024;
/// Ports told apart of one address.
const PORTS: usize = 16;

/// What has come so far.
#[derive(Debug)]
pub(super) struct Tally {
    knocks: Table<Option<IpAddr>, Doors>,
    scans: Table<Option<IpAddr>, (u32, Evidence)>,
    overflows: Table<Listener, (Option<u32>, Evidence)>,
    unaccepted: Table<Listener, (Option<u32>, Evidence)>,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
struct Listener {
    who: Who,
    addr: Option<IpAddr>,
    port: Option<u16>,
}

#[derive(Debug, Default)]
struct Doors {
    ports: BTreeMap<u16, u64>,
    more: bool,
    evidence: Evidence,
}

impl Default for Tally {
    fn default() -> Self {
        Self {
            knocks: Table::new(ROOM),
            scans: Table::new(ROOM),
            overflows: Table::new(ROOM),
            unaccepted: Table::new(ROOM),
        }
    }
}

impl Tally {
    /// A record of any kind.
    pub(super) fn take(&mut self, r: &Record) {
        let count = r.count.unwrap_or(1);
        match r.event {
            EventName::RefusedInbound => {
                let doors = self.knocks.add(r.remote_addr, count);
                doors.evidence.add(r);
                match r.local_port {
                    Some(port) if doors.ports.len() < PORTS || doors.ports.contains_key(&port) => {
                        let tries = doors.ports.entry(port).or_default();
                        *tries = tries.saturating_add(count);
                    }
                    Some(_) => doors.more = true,
                    None => {}
                }
            }
            EventName::PortScan => {
                let (ports, evidence) = self.scans.add(r.remote_addr, count);
                *ports = (*ports).max(r.ports.unwrap_or(0));
                evidence.add(r);
            }
            EventName::ListenOverflow => {
                let (backlog, evidence) = self.overflows.add(Listener::of(r), count);
                *backlog = r.backlog.or(*backlog);
                evidence.add(r);
            }
            EventName::Closed if r.accepted == Some(false) || r.cause == Some(Cause::NeverAccepted) => {
                self.unaccepted.add(Listener::of(r), 1).1.add(r);
            }
            _ => {}
        }
    }

    /// The tables.
    pub(super) fn finish(self, top: usize) -> Told {
        let listener = |at: Listener, count, (backlog, evidence)| AtListener {
            who: at.who,
            addr: at.addr,
            port: at.port,
            backlog,
            count,
            evidence,
        };
        Told {
            knocks: self.knocks.ranked(top, |addr, count, doors| Knocks {
                addr,
                count,
                ports: doors.ports,
                more_ports: doors.more,
                evidence: doors.evidence,
            }),
            scans: self.scans.ranked(top, |addr, count, (ports, evidence)| Scan {
                addr,
                count,
                ports,
                evidence,
            }),
            overflows: self.overflows.ranked(top, listener),
            unaccepted: self.unaccepted.ranked(top, listener),
        }
    }
}

impl Listener {
    fn of(r: &Record) -> Self {
        Self { who: Who::of(r), addr: r.local_addr, port: r.local_port }
    }
}

/// What it adds up to.
pub(super) struct Told {
    pub(super) knocks: Ranked<Knocks>,
    pub(super) scans: Ranked<Scan>,
    pub(super) overflows: Ranked<AtListener>,
    pub(super) unaccepted: Ranked<AtListener>,
}
