//! Ends: the move to CLOSED, what is waited for, and the one `failed` or `closed` that comes of it.

use crate::decode::event::{BootNs, Event, Task, Totals, Tuple};
use crate::vocab::{Cause, End, EventName, PidSource, Role, TcpState};

use super::Tracker;
use super::cause::{self, SentReason, errno};
use super::entry::{Ending, Entry, Key, LastEnd, Phase, between};
use super::fact::{Actor, ConnId};

impl Tracker {
    /// A socket moved to CLOSED.
    pub(super) fn ends(
        &mut self,
        event: &Event,
        key: Key,
        tuple: Tuple,
        from: TcpState,
        task: &Task,
        totals: Totals,
    ) {
        if self.sockets.get(&key).is_none() {
            self.insert(key, unseen_birth(event, key, tuple, from));
        }
        let Some(entry) = self.sockets.get_mut(&key) else { return };
        match entry.phase {
            Phase::Attempt | Phase::Open => {}
            Phase::Listening => return self.end_unseen(key, event.at),
            Phase::Ended | Phase::Held => return,
        }
        entry.learn(&tuple);
        // It was established unseen.
        entry.incomplete |=
            entry.phase == Phase::Attempt && from != TcpState::SynSent && entry.established.is_none();
        // tcp_abort() runs on behalf of the administrator: the one end in other states whose doer is known.
        if event.flags.task_is_actor && totals.err == errno::ECONNABORTED {
            entry.closer = Some(Actor::new(task, event.at)).filter(|a| !entry.is_owned_by(a));
        }
        let owner_exiting = task.exiting && entry.owner.is_some_and(|o| o.process == task.process);
        let attempt = entry.phase == Phase::Attempt;
        let (at, flags, engine) = (event.at, event.flags, event.engine);
        let ending = Ending { at, from, flags, totals, engine, owner_exiting, attempt };
        entry.ending = Some(ending);
        let waits = if attempt { waits_for_result(&ending) } else { waits_for_reset(entry, &ending) };
        entry.phase = Phase::Held;
        let id = entry.id;
        if waits {
            self.hold(event.at, key, id);
        } else {
            self.release(key, Some(id), None);
        }
    }

    /// Decides a held end and says it. With `id`, only if it is still that lifetime.
    pub(super) fn release(&mut self, key: Key, id: Option<ConnId>, result: Option<u16>) {
        let (sees_resets, sees_accepts) = (self.limits.sees_resets, self.limits.sees_accepts);
        let Some(entry) = self.sockets.peek_mut(&key) else { return };
        if entry.phase != Phase::Held || id.is_some_and(|id| id != entry.id) {
            return;
        }
        let Some(ending) = entry.ending.take() else { return };
        entry.phase = Phase::Ended;
        let fact = if ending.attempt {
            entry.failed_fact(&ending, result, sees_resets)
        } else {
            entry.closed_fact(&ending, sees_accepts)
        };
        entry.last_end = Some(LastEnd { at: ending.at, errno: fact.errno, reported: result.is_some() });
        let (silent, destroyed) = (entry.silent, entry.destroyed);
        self.say(silent, fact);
        if destroyed {
            self.sockets.pop(&key);
        }
    }

    /// The socket is gone. What has not ended by now has ended unseen.
    pub(super) fn destroyed(&mut self, event: &Event) {
        let Some(key) = self.key(event) else { return };
        if let Some(comparison) = &mut self.comparison {
            comparison.ends(key);
        }
        let Some(entry) = self.sockets.peek_mut(&key) else { return };
        entry.destroyed = true;
        match entry.phase {
            Phase::Held if entry.ending.is_some_and(|e| waits_for_late_reset(&e)) => return,
            Phase::Held => self.release(key, None, None),
            Phase::Ended => {}
            Phase::Attempt | Phase::Open | Phase::Listening => self.end_unseen(key, event.at),
        }
        self.sockets.pop(&key);
    }

    /// The end was lost: it is said as far as it is known.
    pub(super) fn end_unseen(&mut self, key: Key, at: BootNs) {
        let Some(entry) = self.sockets.peek_mut(&key) else { return };
        entry.incomplete = true;
        let name = match entry.phase {
            Phase::Attempt => EventName::Failed,
            Phase::Open => EventName::Closed,
            Phase::Listening => EventName::ListenEnd,
            Phase::Held => return self.release(key, None, None),
            Phase::Ended => return,
        };
        let engine = self.engine;
        let mut fact = entry.fact(at, name, engine);
        if name != EventName::ListenEnd {
            fact.cause = Some(Cause::Other);
        }
        entry.phase = Phase::Ended;
        let (silent, tuple) = (entry.silent, entry.tuple);
        self.listeners.remove(key, &tuple);
        self.say(silent, fact);
    }

    /// The call that began an attempt says that it failed, and its end was not seen: the result has to do.
    fn fail_unseen(&mut self, key: Key, event: &Event, result: u16) {
        let Some(entry) = self.sockets.peek_mut(&key) else { return };
        entry.phase = Phase::Ended;
        entry.incomplete = true;
        entry.last_end = Some(LastEnd { at: event.at, errno: Some(result), reported: true });
        let (reset_received, sees_resets) = (entry.reset_received, self.limits.sees_resets);
        let end = cause::AttemptEnd { err: result, reset_received, sees_resets, ..Default::default() };
        let (cause, errno) = cause::of_attempt(&end);
        let mut fact = entry.fact(event.at, EventName::Failed, event.engine);
        (fact.cause, fact.errno) = (Some(cause), errno);
        fact.duration_ns = between(entry.started, event.at);
        let silent = entry.silent;
        self.say(silent, fact);
    }

    pub(super) fn reset_received(&mut self, event: &Event, tuple: Tuple, state: Option<TcpState>) {
        let known = self.find(event).map(|entry| {
            entry.learn(&tuple);
            entry.reset_received = true;
            (entry.silent, entry.fact(event.at, EventName::Reset, event.engine))
        });
        let (silent, mut fact) =
            known.unwrap_or_else(|| (false, self.stranger(event, EventName::Reset, event.engine, tuple)));
        fact.state = state;
        fact.reset_by = Some(End::Remote);
        self.say(silent, fact);
    }

    pub(super) fn reset_sent(
        &mut self,
        event: &Event,
        tuple: Tuple,
        state: Option<TcpState>,
        reason: Option<u32>,
    ) {
        let sent = self.sent_reason(reason);
        let known = self.find(event).filter(|e| e.phase != Phase::Listening).map(|entry| {
            entry.learn(&tuple);
            if entry.phase != Phase::Ended {
                entry.reset_sent = Some((sent, reason));
            }
            (entry.silent, entry.fact(event.at, EventName::Reset, event.engine))
        });
        let (silent, mut fact) = known.unwrap_or_else(|| {
            // A SYN to a port where nobody listens.
            let knock = event.flags.no_socket && event.flags.answers_syn;
            let name = if knock { EventName::RefusedInbound } else { EventName::Reset };
            let mut fact = self.stranger(event, name, event.engine, tuple);
            if knock {
                fact.role = Some(Role::Server);
            }
            (false, fact)
        });
        fact.state = state;
        fact.reset_by = Some(End::Local);
        fact.reset_reason = reason;
        self.say(silent, fact);
        if let Some(key) = self.key(event) {
            self.release(key, None, None);
        }
    }

    fn sent_reason(&self, number: Option<u32>) -> SentReason {
        let Some(number) = number else { return SentReason::Untold };
        match self.reasons.iter().find(|(n, _)| *n == number).map(|(_, name)| name.as_str()) {
            Some("tcp_abort_on_close") => SentReason::AbortOnClose,
            Some("tcp_abort_on_data") => SentReason::AbortOnData,
            Some("tcp_state" | "tcp_abort_on_linger" | "tcp_disconnect_with_data") => SentReason::Disconnect,
            Some("tcp_keepalive_timeout") => SentReason::Keepalive,
            // 6.10 and 6.11 have the enum, but give no reason for resets of their own will.
            Some("not_specified") | None => SentReason::Untold,
            Some(_) => SentReason::Other,
        }
    }

    /// connect() returned an error. It may be the result an end is held for, or the second telling of an end
    /// that was said already, or an attempt that never showed in the states.
    pub(super) fn connect_failed(
        &mut self,
        event: &Event,
        tuple: Tuple,
        task: &Task,
        entered: Option<BootNs>,
        result: u16,
    ) {
        let actor = Actor::new(task, event.at);
        let Some(key) = self.key(event) else { return };
        let mut id = key.first_id(event.at);
        let (mut listener, mut is_known) = (None, false);
        if let Some(entry) = self.sockets.get_mut(&key) {
            if entry.phase == Phase::Held && entry.ending.is_some_and(|e| e.attempt) {
                return self.release(key, None, Some(result));
            }
            if entry.phase == Phase::Attempt && entry.started >= entered && entered.is_some() {
                return self.fail_unseen(key, event, result);
            }
            if entry.phase != Phase::Ended || tells_again(entry, entered, result) {
                return;
            }
            (id, listener, is_known) = (entry.id.next(), entry.listener, true);
        }
        let mut attempt = Entry::new(event, tuple, Phase::Attempt, Role::Client, id);
        attempt.own(actor, PidSource::Connect);
        attempt.listener = listener;
        let silent = self.is_own(Some(actor));
        let begun = attempt.fact(entered.unwrap_or(event.at), EventName::Connect, event.engine);
        self.say(silent, begun);
        let mut fact = attempt.fact(event.at, EventName::Failed, event.engine);
        fact.errno = Some(result);
        fact.cause = Some(cause::of_connect_result(result));
        fact.duration_ns = between(entered, event.at);
        self.say(silent, fact);
        // The next attempt of the same socket is another one. Without a cookie the id is the time of the
        // event, and the kernel side does not tell when such a socket goes away.
        if is_known || event.sock.cookie != 0 {
            attempt.phase = Phase::Ended;
            self.insert(key, attempt);
        }
    }
}

/// A socket whose birth was not seen, although nothing was there before the start that the snapshot did not
/// see: something was lost.
fn unseen_birth(event: &Event, key: Key, tuple: Tuple, from: TcpState) -> Entry {
    let (phase, role) = match from {
        TcpState::SynSent => (Phase::Attempt, Role::Client),
        _ => (Phase::Open, Role::Unknown),
    };
    let mut entry = Entry::new(event, tuple, phase, role, key.first_id(event.at));
    entry.incomplete = true;
    entry
}

/// An attempt that ended without an error: by close(), then DESTROY follows at once, or inside connect(), as a
/// system call or in io_uring, then its result will tell.
fn waits_for_result(ending: &Ending) -> bool {
    ending.totals.err == 0
}

/// On a local abort the order is CLOSED, RST, DESTROY: the RST's reason decides.
fn waits_for_reset(entry: &Entry, ending: &Ending) -> bool {
    let finished = cause::finished(ending.from, ending.flags.fin_received);
    waits_for_late_reset(ending)
        || (entry.reset_sent.is_none() && ending.totals.err == errno::ECONNABORTED)
        || (entry.reset_sent.is_none() && ending.totals.err == 0 && !finished)
}

/// After close(), data from the peer makes the kernel reset the connection as if the peer had; only the RST
/// we send then, after DESTROY, shows whose doing it was.
fn waits_for_late_reset(ending: &Ending) -> bool {
    ending.totals.err == errno::ECONNRESET && matches!(ending.from, TcpState::FinWait1 | TcpState::FinWait2)
}

/// connect() tells of an end that was said already: the blocking call that it ended (even of a connection that was
/// established and reset before the caller ran again), or the first call after an asynchronous one, which takes the
/// error (or ECONNABORTED if SO_ERROR took it) and resets the socket for another attempt.
fn tells_again(entry: &mut Entry, entered: Option<BootNs>, result: u16) -> bool {
    let Some(last) = &mut entry.last_end else { return false };
    let same_call = entered.is_some_and(|entered| entered <= last.at);
    let takes_it = !last.reported && (last.errno == Some(result) || result == errno::ECONNABORTED);
    last.reported |= same_call || takes_it;
    same_call || takes_it
}
