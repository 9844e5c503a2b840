//! One remote at one port of ours.

use std::collections::VecDeque;
use std::net::IpAddr;

use lru::LruCache;

use super::{Limits, Remote};
use crate::conn::fact::Fact;
use crate::decode::event::BootNs;

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
struct Door {
    remote: Remote,
    addr: IpAddr,
    port: u16,
}

/// Tries that are not told yet.
#[derive(Debug)]
struct Waiting {
    /// End of the window.
    due: BootNs,
    count: u64,
    /// The last of them.
    last: Fact,
}

#[derive(Debug)]
pub(super) struct Doors {
    capacity: usize,
    window_ns: u64,
    open: LruCache<Door, Waiting>,
    /// Ends of windows, in their order: every window is equally long.
    dues: VecDeque<(BootNs, Door)>,
}

impl Doors {
    pub(super) fn new(limits: &Limits) -> Self {
        Self {
            capacity: limits.doors,
            window_ns: limits.window_ns,
            open: LruCache::unbounded(),
            dues: VecDeque::new(),
        }
    }

    pub(super) fn tries(&mut self, remote: Remote, fact: Fact, out: &mut VecDeque<Fact>) {
        let door = Door { remote, addr: fact.tuple.local_addr, port: fact.tuple.local_port };
        if let Some(waiting) = self.open.get_mut(&door) {
            waiting.count += 1;
            waiting.last = fact;
            return;
        }
        if self.open.len() >= self.capacity
            && let Some((_, oldest)) = self.open.pop_lru()
        {
            oldest.say(out);
        }
        let due = BootNs(fact.at.0.saturating_add(self.window_ns));
        out.push_back(fact.clone());
        self.open.put(door, Waiting { due, count: 0, last: fact });
        self.dues.push_back((due, door));
        self.forget_stale();
    }

    pub(super) fn next(&self) -> Option<BootNs> {
        self.dues.front().map(|(due, _)| *due)
    }

    pub(super) fn handle_timeout(&mut self, now: BootNs, out: &mut VecDeque<Fact>) {
        while let Some((due, door)) = self.dues.front().copied()
            && due <= now
        {
            self.dues.pop_front();
            // Another window of a door that was forgotten and came back.
            if self.open.peek(&door).is_none_or(|waiting| waiting.due != due) {
                continue;
            }
            let Some(waiting) = self.open.pop(&door) else { continue };
            if waiting.count == 0 {
                continue;
            }
            let due = BootNs(now.0.saturating_add(self.window_ns));
            self.open.put(door, Waiting { due, count: 0, last: waiting.last.clone() });
            self.dues.push_back((due, door));
            waiting.say(out);
        }
    }

    pub(super) fn finish(&mut self, out: &mut VecDeque<Fact>) {
        while let Some((_, waiting)) = self.open.pop_lru() {
            waiting.say(out);
        }
        self.dues.clear();
    }

    /// Windows of doors that had to make room stay until their time: not more of them than doors.
    fn forget_stale(&mut self) {
        if self.dues.len() > 2 * self.capacity + 64 {
            let open = &self.open;
            self.dues.retain(|(due, door)| open.peek(door).is_some_and(|waiting| waiting.due == *due));
        }
    }
}

impl Waiting {
    fn say(self, out: &mut VecDeque<Fact>) {
        if self.count > 0 {
            out.push_back(Fact { count: Some(self.count), ..self.last });
        }
    }
}
