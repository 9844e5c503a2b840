//! Snapshots: sockets that existed before the start, and the table's comparison with the kernel's after a
//! loss.

use std::collections::HashSet;

use crate::decode::event::{BootNs, Event, Flags, Kind, Task, Tuple};
use crate::vocab::{EventName, PidSource, Role, TcpState};

use super::Tracker;
use super::entry::{Entry, Key, Phase, payload_received, rtt};
use super::fact::Actor;

/// FIN-WAIT and LAST-ACK without an owner end within two minutes or so (`tcp_orphan_retries`,
/// `tcp_fin_timeout`).
const DOUBT_NS: u64 = 180_000_000_000;

impl Tracker {
    /// Takes the sockets and owners found at the start. Listeners first: they tell servers from clients.
    pub fn seed(&mut self, snapshot: &[Event]) {
        self.compare();
        for event in snapshot {
            if let Kind::SnapshotSocket { tuple, state: TcpState::Listen, .. } = event.kind {
                self.seed_socket(event, tuple, TcpState::Listen);
            }
        }
        for event in snapshot {
            match event.kind {
                Kind::SnapshotSocket { tuple, state, .. } if state != TcpState::Listen => {
                    self.seed_socket(event, tuple, state);
                }
                _ => {}
            }
        }
        for event in snapshot {
            if let Kind::SnapshotOwner { tuple, state: Some(state), task, drops, .. } = &event.kind {
                self.seed_socket(event, *tuple, *state);
                self.seed_owner(event, task, *drops);
            }
        }
        self.say_seeded(snapshot);
    }

    fn seed_socket(&mut self, event: &Event, tuple: Tuple, state: TcpState) {
        let Some(key) = self.key(event) else { return };
        if event.flags.mptcp_join || self.sockets.contains(&key) || state == TcpState::Closed {
            return;
        }
        let phase = match state {
            TcpState::Listen => Phase::Listening,
            TcpState::SynSent => Phase::Attempt,
            _ => Phase::Open,
        };
        let mut entry =
            Entry::new(event, tuple, phase, self.role(&tuple, state, event.flags), key.first_id(event.at));
        (entry.seeded, entry.touched) = (Some(event.at), event.at);
        // After a loss it is a socket whose beginning was lost: the older ones were found at the start.
        entry.pre_existing = !self.lossy;
        entry.incomplete = self.lossy;
        entry.first_fin = match state {
            TcpState::FinWait1 | TcpState::FinWait2 => Some(crate::vocab::ClosedBy::Local),
            TcpState::CloseWait | TcpState::LastAck => Some(crate::vocab::ClosedBy::Remote),
            TcpState::Closing => Some(crate::vocab::ClosedBy::Both),
            _ => None,
        };
        if phase == Phase::Listening {
            entry.listener = Some(event.sock.addr);
            self.listeners.insert(key, &entry);
        }
        self.insert(key, entry);
    }

    /// A port taken by connect() is a client's; one that a listener has is a server's. Anything else (a
    /// client bound to its port, a server whose listener is gone) is not known.
    fn role(&self, tuple: &Tuple, state: TcpState, flags: Flags) -> Role {
        if state == TcpState::SynSent || flags.port_by_connect {
            Role::Client
        } else if state == TcpState::SynReceived || state == TcpState::Listen || self.listeners.covers(tuple)
        {
            Role::Server
        } else {
            Role::Unknown
        }
    }

    /// Of several processes that hold a socket, the oldest is its owner.
    fn seed_owner(&mut self, event: &Event, task: &Task, drops: u32) {
        let Some(key) = self.key(event) else { return };
        let own = self.is_own_process(task.process);
        let Some(entry) = self.sockets.peek_mut(&key).filter(|e| e.seeded.is_some()) else { return };
        let older = |o: Actor| (task.process.start, task.process.pid) < (o.process.start, o.process.pid);
        if entry.owner.is_none_or(older) {
            entry.own(Actor::new(task, event.at), PidSource::Snapshot);
        }
        entry.silent |= own;
        entry.drops.get_or_insert(drops);
        if entry.phase == Phase::Listening {
            let entry = entry.clone();
            self.listeners.insert(key, &entry);
        }
    }

    fn say_seeded(&mut self, snapshot: &[Event]) {
        let mut said = HashSet::new();
        for event in snapshot {
            let (state, totals) = match event.kind {
                Kind::SnapshotSocket { state, totals, .. } => (Some(state), totals),
                Kind::SnapshotOwner { state, totals, .. } => (state, totals),
                _ => continue,
            };
            let Some(key) = self.key(event) else { continue };
            let Some(entry) = self.sockets.peek(&key) else { continue };
            if entry.seeded != Some(event.at) || !said.insert(key) {
                continue;
            }
            let mut fact = entry.fact(event.at, EventName::Snapshot, event.engine);
            fact.state = state;
            if let Some(totals) = totals
                && state != Some(TcpState::Listen)
            {
                let fin_sent = matches!(
                    state,
                    Some(TcpState::FinWait1 | TcpState::FinWait2 | TcpState::Closing | TcpState::LastAck)
                );
                let fin_acked = fin_sent && totals.snd_una == totals.write_seq;
                fact.bytes_sent = entry.payload_sent(&totals, fin_acked);
                fact.bytes_received = Some(payload_received(&totals, event.flags.fin_received));
                (fact.rtt_us, fact.min_rtt_us) = rtt(&totals);
            }
            if let Kind::SnapshotSocket { backlog, .. } | Kind::SnapshotOwner { backlog, .. } = event.kind
                && state == Some(TcpState::Listen)
            {
                fact.backlog = Some(backlog);
            }
            let silent = entry.silent;
            self.say(silent, fact);
        }
    }

    /// Events were lost. `live` are the sockets that processes held open when they were looked at, between
    /// `from` and `to`. The comparison waits until all events up to then are in, and leaves alone what has
    /// happened meanwhile.
    pub fn resync(&mut self, from: BootNs, to: BootNs, live: Vec<Event>) {
        self.lost();
        self.compare();
        self.comparison = Some(Comparison { from, to, live, ended: HashSet::new() });
        self.compare_at(self.now);
    }

    /// Does the comparison that waits, if its time has come.
    pub(super) fn compare_at(&mut self, now: BootNs) {
        if self.comparison.as_ref().is_some_and(|c| c.to <= now) {
            self.compare();
        }
    }

    /// Sockets that no process holds and that no event has come from since a loss, for as long as the kernel
    /// keeps such sockets at most: they ended unseen.
    pub(super) fn give_up_doubtful(&mut self, now: BootNs) {
        while let Some((deadline, key)) = self.doubts.front().copied()
            && deadline <= now
        {
            self.doubts.pop_front();
            let since = BootNs(deadline.0.saturating_sub(DOUBT_NS));
            let Some(entry) = self.sockets.peek_mut(&key) else { continue };
            entry.doubted = false;
            if entry.touched < since {
                self.end_unseen(key, now);
            }
        }
    }

    /// What is in the table and is not held open has ended unseen, what is held open and not in the table began
    /// unseen. Sockets that no process holds (closing, or not accepted yet) do not show, so they stay.
    pub(super) fn compare(&mut self) {
        let Some(Comparison { from, live, ended, .. }) = self.comparison.take() else { return };
        let held: HashSet<Key> = live.iter().filter_map(|e| self.key(e)).collect();
        let (mut gone, mut doubtful) = (Vec::new(), Vec::new());
        for (key, entry) in &self.sockets {
            if entry.phase == Phase::Ended || entry.touched >= from {
                continue;
            }
            let unheld =
                entry.first_fin.is_some() || (entry.role == Role::Server && entry.accepted.is_none());
            if held.contains(key) {
                continue;
            }
            if unheld && entry.phase != Phase::Listening {
                doubtful.push(*key);
            } else {
                gone.push(*key);
            }
        }
        for key in gone {
            self.end_unseen(key, from);
        }
        // Each of them once, however many comparisons there are.
        for key in doubtful {
            let Some(entry) = self.sockets.peek_mut(&key).filter(|e| !e.doubted) else { continue };
            entry.doubted = true;
            self.doubts.push_back((BootNs(from.0.saturating_add(DOUBT_NS)), key));
        }
        let unknown =
            |e: &Event| self.key(e).is_some_and(|k| !self.sockets.contains(&k) && !ended.contains(&k));
        let fresh: Vec<Event> = live.into_iter().filter(unknown).collect();
        self.seed(&fresh);
    }

    /// Events were lost: whatever is open may miss something, and so may what is not in the table.
    pub fn lost(&mut self) {
        self.lossy = true;
        for (_, entry) in self.sockets.iter_mut().filter(|(_, e)| e.phase != Phase::Ended) {
            entry.incomplete = true;
        }
    }
}

/// A comparison of the table with the kernel's sockets that waits for the events of that time.
pub(super) struct Comparison {
    from: BootNs,
    to: BootNs,
    live: Vec<Event>,
    /// Sockets that went away since.
    ended: HashSet<Key>,
}

impl Comparison {
    /// Keeps in mind that a socket went away.
    pub(super) fn ends(&mut self, key: Key) {
        self.ended.insert(key);
    }
}
