//! Who listens where: the owner of a connection that came in and was not accepted yet, and of an accept queue
//! that overflows.

use std::collections::HashMap;
use std::net::IpAddr;

use crate::decode::event::{BootNs, Event, Kind, Tuple};
use crate::vocab::{EventName, TcpState};

use super::Tracker;
use super::entry::{Entry, Key, Phase};
use super::fact::Actor;

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
    /// the listeners now. A listener counts everything it turns away, for other reasons too: never more of it
    /// is told than its namespace has had overflows.
    pub fn overflowed(&mut self, at: BootNs, overflows: &[(u32, u64)], listeners: &[Event]) {
        for event in listeners {
            let Kind::SnapshotOwner { tuple, state: Some(TcpState::Listen), drops, backlog, .. } = event.kind
            else {
                continue;
            };
            let Some(entry) = self.find(event).filter(|e| e.phase == Phase::Listening) else { continue };
            // A listener of which only its beginning is not known has no earlier count to compare with.
            let dropped = drops.wrapping_sub(entry.drops.replace(drops).unwrap_or(drops));
            let most = overflows.iter().find(|(netns, _)| *netns == tuple.netns).map_or(0, |(_, n)| *n);
            let count = most.min(u64::from(dropped));
            if count > 0 {
                let mut fact = entry.fact(at, EventName::ListenOverflow, event.engine);
                (fact.count, fact.backlog) = (Some(count), Some(backlog));
                let silent = entry.silent;
                self.say(silent, fact);
            }
        }
    }
}
