//! Beginnings: an attempt, a handshake that is done, a connection that came in or was accepted.

use crate::decode::event::{Event, Task, Totals, Tuple};
use crate::vocab::{EventName, PidSource, Role, TcpState};

use super::Tracker;
use super::entry::{Entry, Key, Phase, between, handshake};
use super::fact::{Actor, ConnId};

impl Tracker {
    pub(super) fn attempt_starts(&mut self, event: &Event, key: Key, tuple: Tuple, actor: Option<Actor>) {
        let id = self.next_id(event, key, Phase::Attempt);
        let mut entry = Entry::new(event, tuple, Phase::Attempt, Role::Client, id);
        entry.started = Some(event.at);
        entry.silent = self.is_own(actor);
        if let Some(actor) = actor {
            entry.own(actor, PidSource::Connect);
        }
        let mut fact = entry.fact(event.at, EventName::Connect, event.engine);
        fact.state = Some(TcpState::SynSent);
        self.say(entry.silent, fact);
        self.insert(key, entry);
    }

    /// Id of the lifetime that begins. One that never ended, as far as we saw, is ended first, unless the
    /// snapshot saw the very lifetime whose beginning comes now.
    pub(super) fn next_id(&mut self, event: &Event, key: Key, begins: Phase) -> ConnId {
        self.release(key, None, None);
        let Some(entry) = self.sockets.peek(&key) else { return key.first_id(event.at) };
        let (id, tuple) = (entry.id, entry.tuple);
        let same_kind = (entry.phase == Phase::Listening) == (begins == Phase::Listening);
        // What told of a beginning of its own already is another lifetime.
        let untold = entry.started.is_none() && entry.established.is_none() && entry.accepted.is_none();
        if entry.phase != Phase::Ended {
            if same_kind && untold && entry.seeded.is_some_and(|seeded| event.at < seeded) {
                self.listeners.remove(key, &tuple);
                return id;
            }
            self.end_unseen(key, event.at);
        }
        ConnId { origin: key.first_id(event.at).origin, generation: id.generation + 1 }
    }

    pub(super) fn syn(&mut self, event: &Event, tuple: &Tuple) {
        if let Some(entry) = self.find(event)
            && entry.phase == Phase::Attempt
        {
            entry.learn(tuple);
            // With Fast Open the SYN leaves at the first send, long after connect().
            entry.started = Some(event.at);
        }
    }

    pub(super) fn handshake_done(
        &mut self,
        event: &Event,
        key: Key,
        tuple: Tuple,
        old: TcpState,
        totals: Option<Totals>,
    ) {
        let client = old == TcpState::SynSent
            || self.sockets.peek(&key).is_some_and(|e| e.phase == Phase::Attempt && e.role == Role::Client);
        if !client {
            return self.child_is_born(event, key, tuple);
        }
        let mut entry = match self.sockets.get_mut(&key) {
            Some(entry) if entry.phase == Phase::Attempt => entry.clone(),
            Some(entry) if entry.phase == Phase::Open && entry.established.is_none() => entry.clone(),
            // Told twice.
            Some(entry) if entry.phase == Phase::Open => return,
            // The beginning was not seen.
            _ => {
                let id = self.next_id(event, key, Phase::Open);
                let mut entry = Entry::new(event, tuple, Phase::Open, Role::Client, id);
                entry.incomplete = self.lossy;
                entry
            }
        };
        entry.learn(&tuple);
        entry.phase = Phase::Open;
        entry.established = Some(event.at);
        entry.protocol = event.protocol;
        entry.syn_retransmits = totals.map_or(0, |t| t.total_retrans);
        entry.handshake_ns = handshake(entry.started, event.at, totals.as_ref());
        // tcp_ack() clears it: what an ICMP said of the SYN is no matter any more.
        entry.soft = 0;
        let fact = entry.established_fact(event.at, event.engine, totals);
        self.say(entry.silent, fact);
        self.insert(key, entry);
    }

    /// A connection came in: owned by the listener's process until somebody accepts it.
    pub(super) fn child_is_born(&mut self, event: &Event, key: Key, tuple: Tuple) {
        let owner = self.listeners.owner_of(&tuple);
        if let Some(entry) = self.sockets.get_mut(&key)
            && entry.phase == Phase::Open
            && (entry.established.is_none() || matches!(key, Key::Cookie(_)))
        {
            // Fast Open: accept() can come first. Or the snapshot did. A second birth at the same address is
            // another socket, whose predecessor's end was lost; with the same cookie it is told twice.
            entry.established = Some(event.at);
            entry.pre_existing &= entry.seeded.is_none_or(|seeded| event.at >= seeded);
            return;
        }
        let id = self.next_id(event, key, Phase::Open);
        let mut entry = Entry::new(event, tuple, Phase::Open, Role::Server, id);
        entry.established = Some(event.at);
        if let Some(owner) = owner {
            entry.silent = self.is_own(Some(owner));
            entry.own(owner, PidSource::Listener);
        }
        self.insert(key, entry);
    }

    pub(super) fn accepted(&mut self, event: &Event, tuple: Tuple, task: &Task) {
        let (Some(key), actor) = (self.key(event), Actor::new(task, event.at)) else { return };
        let silent = self.is_own(Some(actor));
        if self.sockets.get(&key).is_none() {
            let mut entry = Entry::new(event, tuple, Phase::Open, Role::Server, key.first_id(event.at));
            entry.incomplete = self.lossy;
            self.insert(key, entry);
        }
        let Some(entry) = self.sockets.get_mut(&key) else { return };
        if entry.accepted.is_some() || entry.role == Role::Client || entry.listener.is_some() {
            return;
        }
        entry.learn(&tuple);
        entry.accepted = Some(event.at);
        entry.silent = silent;
        entry.own(actor, PidSource::Accept);
        let mut fact = entry.fact(event.at, EventName::Accept, event.engine);
        fact.accept_wait_ns = between(entry.established, event.at);
        fact.state = (entry.phase == Phase::Ended).then_some(TcpState::Closed);
        self.say(silent, fact);
    }
}
