//! Who listens where: the owner of a connection that came in and was not accepted yet.

use std::collections::HashMap;
use std::net::IpAddr;

use crate::decode::event::Tuple;

use super::entry::{Entry, Key};
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
}
