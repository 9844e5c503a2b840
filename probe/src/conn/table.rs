//! The table of sockets: how one is found, what happens when it is full, and the ends that wait.

use crate::decode::event::{BootNs, Event, Kind};

use super::Tracker;
use super::entry::{Entry, Key, Phase};
use super::fact::ConnId;

impl Tracker {
    /// Where the event's socket is in the table, or belongs.
    ///
    /// A socket is known by its cookie but for two cases. MPTCP gives a listener's children the listener's own
    /// cookie: they are kept by address. And after a loss a socket may be found before its first event gave it
    /// a cookie: it is kept by address until then.
    pub(super) fn key(&mut self, event: &Event) -> Option<Key> {
        let key = Key::of(event.sock)?;
        let by_address = Key::Addr(event.sock.addr);
        if key == by_address || event.sock.addr == 0 {
            return Some(key);
        }
        match self.sockets.peek(&key) {
            Some(entry) if entry.listener.is_some_and(|addr| addr != event.sock.addr) => Some(by_address),
            Some(_) => Some(key),
            None => {
                // A reset may be sent for a socket that is gone, whose address is another's by now.
                if !matches!(event.kind, Kind::ResetSent { .. })
                    && let Some(entry) = self.sockets.pop(&by_address)
                {
                    self.rename(by_address, key, entry);
                }
                Some(key)
            }
        }
    }

    fn rename(&mut self, old: Key, key: Key, entry: Entry) {
        if entry.phase == Phase::Listening {
            self.listeners.remove(old, &entry.tuple);
            self.listeners.insert(key, &entry);
        }
        for hold in self.holds.iter_mut().filter(|(_, held, _)| *held == old) {
            hold.1 = key;
        }
        self.sockets.put(key, entry);
    }

    pub(super) fn find(&mut self, event: &Event) -> Option<&mut Entry> {
        let key = self.key(event)?;
        self.sockets.get_mut(&key)
    }

    /// Puts a socket into the table; over the limit the least recently used one is given up. An end that waits
    /// for its cause is said then, with what is known.
    pub(super) fn insert(&mut self, key: Key, entry: Entry) {
        if self.sockets.len() >= self.limits.sockets
            && !self.sockets.contains(&key)
            && let Some((&old, _)) = self.sockets.peek_lru()
        {
            self.release(old, None, None);
            if let Some(evicted) = self.sockets.pop(&old) {
                self.counts.evicted += u64::from(evicted.phase != Phase::Ended);
                self.listeners.remove(old, &evicted.tuple);
            }
        }
        self.sockets.put(key, entry);
    }

    /// The end of `key` waits for its cause until the hold time is over.
    pub(super) fn hold(&mut self, at: BootNs, key: Key, id: ConnId) {
        self.holds.push_back((BootNs(at.0.saturating_add(self.limits.hold_ns)), key, id));
        // Holds that were decided early stay until their time: not more of them than sockets.
        if self.holds.len() > 2 * self.sockets.len() + 64 {
            let sockets = &self.sockets;
            let waits = |e: &Entry, id: ConnId| e.phase == Phase::Held && e.id == id;
            self.holds.retain(|(_, key, id)| sockets.peek(key).is_some_and(|e| waits(e, *id)));
        }
    }
}
