//! Who knocks at ports where nothing listens: the first try at once, more of the same together, and a remote
//! that tries many ports told as what it is, a port scan.
//!
//! ```text
//!              first try: said                 window over: said with `count`, or forgotten if none
//!   (nothing) ────────────────► Door ──── more tries: counted ────► …
//!
//!              `scan_ports` distinct ports of ours within the scan window: says `port_scan`
//!   Visitor ─────────────────────────────────────────────────────────► Scanner
//!      ▲                                                                  │ tries are counted, and said as
//!      └──────────────── a window without a try: forgotten ───────────────┘ `port_scan` once a window
//! ```
//!
//! Pure: time comes with what is observed. Doors and visitors are bounded; the one that was not heard of for the
//! longest makes room, and what was counted of it is said then.

mod door;
mod visitor;

use std::collections::VecDeque;
use std::net::IpAddr;

use crate::conn::fact::Fact;
use crate::decode::event::BootNs;
use door::Doors;
use visitor::Visitors;

/// How tries are put together.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// Pairs of remote and local address and port at most.
    pub doors: usize,
    /// More tries at one door within this time come together, ns.
    pub window_ns: u64,
    /// Remotes at most; 0: scans are not looked for.
    pub visitors: usize,
    /// Distinct ports within `scan_window_ns` that make a scan, at least 1.
    pub scan_ports: usize,
    /// How long a try counts towards a scan, and how often a scan is told of, ns.
    pub scan_window_ns: u64,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            doors: 16_384,
            window_ns: 10_000_000_000,
            visitors: 1_024,
            scan_ports: 16,
            scan_window_ns: 60_000_000_000,
        }
    }
}

/// A remote, as one network namespace sees it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
struct Remote {
    netns: u32,
    addr: IpAddr,
}

/// All tries that are not told yet.
#[derive(Debug)]
pub struct Knocks {
    doors: Doors,
    visitors: Visitors,
    facts: VecDeque<Fact>,
}

impl Knocks {
    /// Nobody has knocked yet.
    pub fn new(limits: Limits) -> Self {
        Self { doors: Doors::new(&limits), visitors: Visitors::new(&limits), facts: VecDeque::new() }
    }

    /// Takes a `refused_inbound`. Time must not go backwards by more than events of two CPUs may differ.
    pub fn observe(&mut self, fact: Fact) {
        let remote = Remote { netns: fact.tuple.netns, addr: fact.tuple.remote_addr };
        if !self.visitors.tries(remote, &fact, &mut self.facts) {
            self.doors.tries(remote, fact, &mut self.facts);
        }
    }

    /// What is to be said next, oldest first.
    pub fn poll(&mut self) -> Option<Fact> {
        self.facts.pop_front()
    }

    /// When [`Knocks::handle_timeout`] has something to do.
    pub fn poll_timeout(&self) -> Option<BootNs> {
        self.doors.next().into_iter().chain(self.visitors.next()).min()
    }

    /// Time has passed: windows that are over are told.
    pub fn handle_timeout(&mut self, now: BootNs) {
        self.doors.handle_timeout(now, &mut self.facts);
        self.visitors.handle_timeout(now, &mut self.facts);
    }

    /// The run is over: what was counted is told.
    pub fn finish(&mut self) {
        self.doors.finish(&mut self.facts);
        self.visitors.finish(&mut self.facts);
    }
}

#[cfg(test)]
mod tests;
