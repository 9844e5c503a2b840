//! One remote at all ports of ours.

use std::collections::{HashMap, VecDeque};

use lru::LruCache;

use super::{Limits, Remote};
use crate::conn::fact::Fact;
use crate::decode::event::BootNs;
use crate::vocab::EventName;

#[derive(Debug)]
enum Visitor {
    /// Ports tried, each with its last time.
    Some(HashMap<u16, BootNs>),
    Scanner(Box<Scan>),
}

#[derive(Debug)]
struct Scan {
    ports: PortSet,
    /// Tries that are not told yet.
    count: u64,
    /// End of the window.
    due: BootNs,
    last: Fact,
}

#[derive(Debug)]
pub(super) struct Visitors {
    capacity: usize,
    scan_ports: usize,
    window_ns: u64,
    seen: LruCache<Remote, Visitor>,
    /// Ends of the windows of scans, in their order: every window is equally long.
    dues: VecDeque<(BootNs, Remote)>,
}

impl Visitors {
    pub(super) fn new(limits: &Limits) -> Self {
        Self {
            capacity: limits.visitors,
            scan_ports: limits.scan_ports,
            window_ns: limits.scan_window_ns,
            seen: LruCache::unbounded(),
            dues: VecDeque::new(),
        }
    }

    /// Whether the try is part of a scan, and so needs no word of its own.
    pub(super) fn tries(&mut self, remote: Remote, fact: &Fact, out: &mut VecDeque<Fact>) -> bool {
        if self.capacity == 0 {
            return false;
        }
        let (at, port) = (fact.at, fact.tuple.local_port);
        if self.seen.get(&remote).is_none() {
            if self.seen.len() >= self.capacity
                && let Some((_, oldest)) = self.seen.pop_lru()
            {
                say(oldest, out);
            }
            self.seen.put(remote, Visitor::Some(HashMap::new()));
        }
        let Some(visitor) = self.seen.get_mut(&remote) else { return false };
        let tried = match visitor {
            Visitor::Scanner(scan) => {
                scan.ports.insert(port);
                scan.count += 1;
                scan.last = fact.clone();
                return true;
            }
            Visitor::Some(tried) => tried,
        };
        tried.insert(port, at);
        if tried.len() < self.scan_ports {
            return false;
        }
        let oldest = BootNs(at.0.saturating_sub(self.window_ns));
        tried.retain(|_, last| *last >= oldest);
        if tried.len() < self.scan_ports {
            return false;
        }
        let mut ports = PortSet::default();
        tried.keys().for_each(|port| ports.insert(*port));
        let due = BootNs(at.0.saturating_add(self.window_ns));
        let mut scan = Box::new(Scan { ports, count: 1, due, last: fact.clone() });
        scan.say(out);
        *visitor = Visitor::Scanner(scan);
        self.dues.push_back((due, remote));
        self.forget_stale();
        true
    }

    pub(super) fn next(&self) -> Option<BootNs> {
        self.dues.front().map(|(due, _)| *due)
    }

    pub(super) fn handle_timeout(&mut self, now: BootNs, out: &mut VecDeque<Fact>) {
        while let Some((due, remote)) = self.dues.front().copied()
            && due <= now
        {
            self.dues.pop_front();
            let Some(Visitor::Scanner(scan)) = self.seen.peek_mut(&remote) else { continue };
            if scan.due != due {
                continue;
            }
            if scan.count == 0 {
                self.seen.pop(&remote);
                continue;
            }
            scan.say(out);
            scan.due = BootNs(now.0.saturating_add(self.window_ns));
            self.dues.push_back((scan.due, remote));
        }
    }

    pub(super) fn finish(&mut self, out: &mut VecDeque<Fact>) {
        while let Some((_, visitor)) = self.seen.pop_lru() {
            say(visitor, out);
        }
        self.dues.clear();
    }

    /// Windows of scanners that had to make room stay until their time: not more of them than visitors.
    fn forget_stale(&mut self) {
        if self.dues.len() > 2 * self.capacity + 64 {
            let seen = &self.seen;
            let current = |due: BootNs, remote: &Remote| match seen.peek(remote) {
                Some(Visitor::Scanner(scan)) => scan.due == due,
                Some(Visitor::Some(_)) | None => false,
            };
            self.dues.retain(|(due, remote)| current(*due, remote));
        }
    }
}

/// Tries of a visitor that is no scanner were told at their doors.
fn say(visitor: Visitor, out: &mut VecDeque<Fact>) {
    if let Visitor::Scanner(mut scan) = visitor {
        scan.say(out);
    }
}

impl Scan {
    fn say(&mut self, out: &mut VecDeque<Fact>) {
        if self.count == 0 {
            return;
        }
        let mut fact = self.last.clone();
        fact.event = EventName::PortScan;
        // Of all the ports no one is the port, and so with what the last try looked like.
        (fact.tuple.local_port, fact.tuple.remote_port) = (0, 0);
        (fact.state, fact.reset_by, fact.reset_reason) = (None, None, None);
        fact.ports = Some(self.ports.len());
        fact.count = Some(std::mem::take(&mut self.count));
        out.push_back(fact);
    }
}

/// A bit for each port.
struct PortSet {
    bits: Box<[u64; 1024]>,
    len: u32,
}

impl Default for PortSet {
    fn default() -> Self {
        Self { bits: Box::new([0; 1024]), len: 0 }
    }
}

impl PortSet {
    fn insert(&mut self, port: u16) {
        let (word, bit) = (&mut self.bits[usize::from(port >> 6)], 1 << (port & 63));
        self.len += u32::from(*word & bit == 0);
        *word |= bit;
    }

    fn len(&self) -> u32 {
        self.len
    }
}

impl std::fmt::Debug for PortSet {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} ports", self.len)
    }
}
