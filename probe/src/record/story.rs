//! Episodes in records: what the tracker's records tell of a story, and what is told of it.

use std::sync::Arc;

use super::{Cause, ClosedBy, EventName, PidSource, Record, Role, errno};
use crate::decode::event::BootNs;
use crate::episode::{Key, News, Observation, Recovery};
use crate::vocab::TcpState;

/// What is the same program: not the process, which may be restarted.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Program {
    /// Path of the executable, or the command name where nobody could read it.
    pub exe: Arc<str>,
    /// systemd unit.
    pub unit: Option<Arc<str>>,
    /// Container id.
    pub container: Option<Arc<str>>,
}

/// What a record tells of a story, if it is part of one.
pub fn observation(r: &Record) -> Option<(Key<Program>, Observation)> {
    let server = r.role? == Role::Server;
    let what = match r.event {
        EventName::Connect => Observation::Attempt,
        EventName::Established => Observation::Established,
        // Not one that ended in the queue: its end was told already.
        EventName::Accept if server && r.state != Some(TcpState::Closed) => Observation::Established,
        // What is older than the trace works as well. Not what waits to be accepted: no process holds it yet.
        EventName::Snapshot if is_held(r) => Observation::Established,
        EventName::Failed => Observation::Failed(r.errno),
        // It was never the program's, so it takes none away.
        EventName::Closed if server && r.pid_source == Some(PidSource::Listener) => return None,
        EventName::Closed => Observation::Closed {
            cause: r.cause.unwrap_or(Cause::Other),
            by_peer: r.closed_by == Some(ClosedBy::Remote),
        },
        _ => return None,
    };
    let program = Program {
        exe: r.exe.clone().or_else(|| r.comm.clone())?,
        unit: r.unit.clone(),
        container: r.container.clone(),
    };
    let port = if server { r.local_port? } else { r.remote_port? };
    Some((Key { program, netns: r.netns.unwrap_or(0), peer: r.remote_addr?, port, server }, what))
}

/// When that was, of a record of this moment: a connection that came in is there since its handshake, however
/// late the program takes it from the queue.
pub fn moment(r: &Record, at: BootNs) -> BootNs {
    let queued = r.accept_wait_ns.filter(|_| r.event == EventName::Accept);
    BootNs(at.0.saturating_sub(queued.unwrap_or(0)))
}

/// The record tells of a connection that was found open, in the hands of a process.
pub fn is_held(r: &Record) -> bool {
    r.event == EventName::Snapshot
        && r.pid_source == Some(PidSource::Snapshot)
        && r.state.is_some_and(is_open)
}

/// A lifetime in this state was established, and its end is still to come.
fn is_open(state: TcpState) -> bool {
    match state {
        TcpState::Established
        | TcpState::FinWait1
        | TcpState::FinWait2
        | TcpState::CloseWait
        | TcpState::Closing
        | TcpState::LastAck => true,
        TcpState::SynSent
        | TcpState::SynReceived
        | TcpState::TimeWait
        | TcpState::Listen
        | TcpState::Closed => false,
    }
}

/// The record of a piece of news that `told` brought: the same program, the same ends.
pub fn record(told: &Record, news: &News) -> Record {
    let mut r = Record::new(told.ts, EventName::Outage);
    (r.boot_id, r.host) = (told.boot_id.clone(), told.host.clone());
    (r.conn, r.engine, r.role) = (told.conn.clone(), told.engine, told.role);
    (r.family, r.protocol, r.netns) = (told.family, told.protocol, told.netns);
    (r.local_addr, r.remote_addr, r.remote_port) = (told.local_addr, told.remote_addr, told.remote_port);
    if told.role == Some(Role::Server) {
        r.local_port = told.local_port;
    }
    (r.pid, r.comm, r.exe) = (told.pid, told.comm.clone(), told.exe.clone());
    (r.cmdline, r.uid, r.user) = (told.cmdline.clone(), told.uid, told.user.clone());
    (r.cgroup, r.unit) = (told.cgroup.clone(), told.unit.clone());
    (r.container, r.pod) = (told.container.clone(), told.pod.clone());
    (r.pid_source, r.incomplete) = (told.pid_source, told.incomplete);
    match news {
        News::Outage { previous, .. } => {
            (r.cause, r.error, r.errno) = (told.cause, told.error, told.errno);
            r.previous_cause = *previous;
        }
        News::Reconnected(recovery) => reconnected(&mut r, recovery),
        News::Flapping(times) => {
            r.event = EventName::Flapping;
            r.count = u64::try_from(*times).ok();
        }
    }
    r
}

fn reconnected(r: &mut Record, recovery: &Recovery) {
    r.event = EventName::Reconnected;
    r.attempts = Some(recovery.attempts);
    r.downtime_ns = Some(recovery.downtime_ns);
    let name = |e: Option<u16>| match e {
        None => "none".to_owned(),
        Some(number) => errno::name(number).map_or_else(|| number.to_string(), str::to_owned),
    };
    let errors = recovery.errors.iter().map(|(e, count)| (name(*e), *count));
    r.errors = Some(Box::new(errors.collect()));
    r.backoff_ns = Some(recovery.gaps.clone().into_boxed_slice());
    r.previous_cause = recovery.previous;
}

#[cfg(test)]
mod tests {
    use super::super::Timestamp;
    use super::*;

    fn record(event: EventName, role: Role) -> Record {
        let mut r = Record::new(Timestamp(0), event);
        (r.role, r.comm) = (Some(role), Some("db".into()));
        (r.remote_addr, r.remote_port, r.local_port) =
            (Some(std::net::Ipv4Addr::LOCALHOST.into()), Some(1), Some(2));
        r
    }

    fn told(r: &Record) -> Option<Observation> {
        observation(r).map(|(_, what)| what)
    }

    #[test]
    fn a_connection_that_a_process_holds_at_the_start_is_established() {
        for (role, state, source, wanted) in [
            (Role::Client, TcpState::Established, Some(PidSource::Snapshot), true),
            (Role::Server, TcpState::CloseWait, Some(PidSource::Snapshot), true),
            (Role::Server, TcpState::Established, Some(PidSource::Listener), false),
            (Role::Client, TcpState::SynSent, Some(PidSource::Snapshot), false),
            (Role::Server, TcpState::Listen, Some(PidSource::Snapshot), false),
        ] {
            let mut r = record(EventName::Snapshot, role);
            (r.state, r.pid_source) = (Some(state), source);
            let wanted = wanted.then_some(Observation::Established);
            assert_eq!(told(&r), wanted, "{role:?} {state:?} {source:?}");
        }
    }

    #[test]
    fn what_nobody_accepted_takes_no_connection_away() {
        let mut r = record(EventName::Closed, Role::Server);
        (r.cause, r.pid_source) = (Some(Cause::ResetByPeer), Some(PidSource::Listener));
        assert_eq!(told(&r), None);
        r.pid_source = Some(PidSource::Accept);
        assert_eq!(told(&r), Some(Observation::Closed { cause: Cause::ResetByPeer, by_peer: false }));
    }

    #[test]
    fn a_connection_is_there_before_it_is_accepted() {
        let mut r = record(EventName::Accept, Role::Server);
        r.accept_wait_ns = Some(300);
        assert_eq!(moment(&r, BootNs(1000)), BootNs(700));
        // Its other records say how long it waited too.
        r.event = EventName::Closed;
        assert_eq!(moment(&r, BootNs(1000)), BootNs(1000));
    }
}
