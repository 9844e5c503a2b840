//! Who listens where: the owner of a connection that came in and was not accepted yet, and of an accept queue
//! that overflows.

use std::collections::HashMap;
use std::net::IpAddr;

use crate::decode::event::{BootNs, Event, Kind, Tuple};
use crate::vocab::{EventName, TcpState};

use super::Tracker;
use super::entry::{Entry, Key, Phase};
use super::fact::{Actor, Fact};

/// Listening sockets by network namespace and port.
#[derive(Default)]
pub(super) struct Listeners {
    by_port: HashMap<(u32, u16), Vec<Listener>>,
}

struct Listener {
    key: Key,
    addr: IpAddr,
    owner: Option<Actor>,
}

impl Listeners {
    pub(super) fn insert(&mut self, key: Key, entry: &Entry) {
        self.remove(key, &entry.tuple);
        let listener = Listener { key, addr: entry.tuple.local_addr, owner: entry.owner };
        self.by_port.entry((entry.tuple.netns, entry.tuple.local_port)).or_default().push(listener);
    }

    pub(super) fn remove(&mut self, key: Key, tuple: &Tuple) {
        let place = (tuple.netns, tuple.local_port);
        if let Some(here) = self.by_port.get_mut(&place) {
            here.retain(|l| l.key != key);
            if here.is_empty() {
                self.by_port.remove(&place);
            }
        }
    }

    pub(super) fn len(&self) -> usize {
        self.by_port.values().map(Vec::len).sum()
    }

    /// Whether somebody listens where `tuple`'s local end is.
    pub(super) fn covers(&self, tuple: &Tuple) -> bool {
        self.candidates(tuple).next().is_some()
    }

    /// Owner of the listener that `tuple` came in by: the one bound to its very address, else a wildcard's.
    /// `None` too when several processes share the port (SO_REUSEPORT) and it could be any of them.
    pub(super) fn owner_of(&self, tuple: &Tuple) -> Option<Actor> {
        let exact: Vec<_> = self.candidates(tuple).filter(|l| l.addr == tuple.local_addr).collect();
        let all = if exact.is_empty() { self.candidates(tuple).collect() } else { exact };
        let owner = all.first()?.owner?;
        all.iter().all(|l| l.owner.is_some_and(|o| o.process == owner.process)).then_some(owner)
    }

    fn candidates(&self, tuple: &Tuple) -> impl Iterator<Item = &Listener> {
        let here = self.by_port.get(&(tuple.netns, tuple.local_port)).map_or(&[][..], Vec::as_slice);
        let addr = tuple.local_addr;
        // `::` takes IPv4 too unless the socket is IPV6_V6ONLY, which does not show here.
        here.iter().filter(move |l| {
            l.addr == addr || (l.addr.is_unspecified() && (l.addr.is_ipv6() || addr.is_ipv4()))
        })
    }

    fn owners(&self) -> impl Iterator<Item = (u32, u32)> {
        let all = self.by_port.iter().flat_map(|((netns, _), all)| all.iter().map(move |l| (*netns, l)));
        all.filter_map(|(netns, l)| Some((netns, l.owner?.process.pid)))
    }
}

impl Tracker {
    /// Network namespaces in which somebody listens, with the processes that own the listeners.
    pub fn listener_owners(&self) -> impl Iterator<Item = (u32, u32)> {
        self.listeners.owners()
    }

    /// Accept queues have overflowed: so often in these namespaces since they were looked at last, and these are
    /// the listeners now. A listener counts whatever it turns away, for other reasons too. So what a namespace has
    /// had is given to the listeners whose count has grown, those with a full queue first, and never more of it. Where
    /// their counts have grown by more than that, it is not known which of them it was.
    pub fn overflowed(&mut self, at: BootNs, overflows: &[(u32, u64)], listeners: &[Event]) {
        let mut unused = Vec::new();
        for &(netns, count) in overflows {
            let carried = self.carried_overflows(netns, at);
            let mut left = count.saturating_add(carried);
            let mut grown = self.grown(netns, listeners);
            grown.sort_by_key(|(is_full, ..)| !is_full);
            let is_sure = grown.iter().map(|(_, dropped, _)| dropped).sum::<u64>() <= left;
            for (_, dropped, mut fact) in grown {
                let count = dropped.min(left);
                left -= count;
                if count > 0 {
                    (fact.at, fact.count) = (at, Some(count));
                    fact.incomplete |= !is_sure;
                    self.facts.push_back(fact);
                }
            }
            unused.push((netns, left));
        }
        self.overflows_left = (at, unused);
    }

    /// The namespace's counter is read before and after its listeners: what was counted after one of them was
    /// looked at shows at the next look.
    fn carried_overflows(&self, netns: u32, now: BootNs) -> u64 {
        /// Later it would excuse what was dropped for other reasons.
        const LOOK_NS: u64 = 2_000_000_000;
        let (at, left) = &self.overflows_left;
        let fresh = now.0.saturating_sub(at.0) <= LOOK_NS;
        left.iter().find(|(ns, _)| fresh && *ns == netns).map_or(0, |(_, left)| *left)
    }

    /// Listeners of a namespace that have turned something away since the last look: whether the queue is full, how
    /// much, and what is to be said.
    fn grown(&mut self, netns: u32, listeners: &[Event]) -> Vec<(bool, u64, Fact)> {
        let mut grown = Vec::new();
        for event in listeners {
            let Kind::SnapshotOwner { tuple, state: Some(TcpState::Listen), drops, backlog, queued, .. } =
                event.kind
            else {
                continue;
            };
            if tuple.netns != netns {
                continue;
            }
            let Some(entry) = self.find(event).filter(|e| e.phase == Phase::Listening) else { continue };
            // A listener of which only its beginning is not known has no earlier count to compare with.
            let dropped = drops.wrapping_sub(entry.drops.replace(drops).unwrap_or(drops));
            if dropped > 0 && !entry.silent {
                let mut fact = entry.fact(event.at, EventName::ListenOverflow, event.engine);
                fact.backlog = Some(backlog);
                grown.push((queued > backlog, u64::from(dropped), fact));
            }
        }
        grown
    }
}
