//! From what the tracker concluded and who the processes are, to a record.

use std::sync::Arc;

use super::{EventName, Record, Timestamp, errno};
use crate::conn::fact::{Actor, Fact};
use crate::decode::event::BootNs;
use crate::enrich::process::{Identity, ProcessTable};

/// What is the same for all records of a run, or a stretch of it.
#[derive(Clone, Debug)]
pub struct Context {
    /// Kernel boot id.
    pub boot_id: Arc<str>,
    /// Host name.
    pub host: Arc<str>,
    /// Put both into every record.
    pub host_fields: bool,
    /// Wall-clock time minus time since boot, ns.
    pub wall_offset: i64,
    /// Names of the traced kernel's reset reasons, by number.
    pub reset_reasons: Vec<(u32, Arc<str>)>,
}

impl Context {
    /// Wall-clock time of a moment.
    pub fn timestamp(&self, at: BootNs) -> Timestamp {
        Timestamp(i64::try_from(at.0).unwrap_or(i64::MAX).saturating_add(self.wall_offset))
    }

    /// The record of a fact.
    pub fn record(&self, fact: &Fact, processes: &mut ProcessTable) -> Record {
        let mut r = Record::new(self.timestamp(fact.at), fact.event);
        if self.host_fields {
            self.name_host(&mut r);
        }
        let boot = self.boot_id.get(..8).unwrap_or(&self.boot_id);
        r.conn = fact.conn.map(|id| format!("{boot}-{id}").into());
        r.engine = Some(fact.engine);
        r.role = fact.role;
        r.family = Some(fact.tuple.family);
        r.protocol = Some(fact.protocol);
        r.local_addr = Some(fact.tuple.local_addr)
            .filter(|a| fact.conn.is_none() || !a.is_unspecified() || fact.role.is_none());
        r.local_port = Some(fact.tuple.local_port).filter(|p| *p != 0);
        let has_peer = fact.tuple.remote_port != 0 || fact.event == EventName::PortScan;
        r.remote_addr = Some(fact.tuple.remote_addr).filter(|_| has_peer);
        r.remote_port = Some(fact.tuple.remote_port).filter(|p| *p != 0);
        r.netns = Some(fact.tuple.netns).filter(|n| *n != 0);
        if let Some(owner) = fact.owner {
            name_owner(&mut r, owner, processes);
        }
        r.pid_source = fact.pid_source;
        if let Some(closer) = fact.closer {
            r.closer_pid = Some(closer.process.pid);
            r.closer_comm = Some(crate::decode::comm(&closer.comm));
        }
        (r.state, r.prev_state, r.backlog) = (fact.state, fact.prev_state, fact.backlog);
        r.errno = fact.errno;
        r.error = fact.errno.and_then(errno::name);
        r.soft_error = fact.soft_errno.and_then(errno::name);
        (r.cause, r.reset_by, r.closed_by) = (fact.cause, fact.reset_by, fact.closed_by);
        r.reset_reason = fact.reset_reason.map(|number| self.reset_reason(number));
        (r.connect_ns, r.accept_wait_ns) = (fact.connect_ns, fact.accept_wait_ns);
        r.duration_ns = fact.duration_ns;
        (r.bytes_sent, r.bytes_received) = (fact.bytes_sent, fact.bytes_received);
        (r.retransmits, r.syn_retransmits) = (fact.retransmits, fact.syn_retransmits);
        (r.rtt_us, r.min_rtt_us) = (fact.rtt_us, fact.min_rtt_us);
        r.unread_bytes = fact.unread_bytes;
        r.pre_existing = fact.pre_existing.then_some(true);
        r.accepted = fact.accepted;
        r.incomplete = fact.incomplete.then_some(true);
        (r.count, r.ports) = (fact.count, fact.ports);
        r
    }

    /// Says where a record comes from.
    pub fn name_host(&self, r: &mut Record) {
        r.boot_id = Some(self.boot_id.clone());
        r.host = Some(self.host.clone());
    }

    fn reset_reason(&self, number: u32) -> Arc<str> {
        let known = self.reset_reasons.iter().find(|(n, _)| *n == number);
        known.map_or_else(|| format!("reason_{number}").into(), |(_, name)| name.clone())
    }
}

/// The owner as the table knows it, else as the event saw it.
fn name_owner(r: &mut Record, owner: Actor, processes: &mut ProcessTable) {
    match processes.at(owner.process, owner.at) {
        Some(identity) => {
            let identity_uid = identity.uid;
            name_process(r, identity);
            // A process may rename itself at any time, which makes no new image of it.
            if !identity.is_named(&owner.comm) {
                r.comm = Some(crate::decode::comm(&owner.comm));
            }
            if identity_uid != owner.uid {
                (r.uid, r.user) = (Some(owner.uid), None);
            }
        }
        None => {
            r.pid = Some(owner.process.pid);
            r.comm = Some(crate::decode::comm(&owner.comm));
            r.uid = Some(owner.uid);
        }
    }
}

/// Everything that is known of the owner; costs clones of `Arc`s.
pub fn name_process(r: &mut Record, identity: &Identity) {
    r.pid = Some(identity.process.pid);
    r.comm = Some(identity.comm.clone());
    r.exe.clone_from(&identity.exe);
    r.cmdline.clone_from(&identity.cmdline);
    r.uid = Some(identity.uid);
    r.user.clone_from(&identity.user);
    r.cgroup.clone_from(&identity.cgroup);
    r.unit.clone_from(&identity.unit);
    r.container.clone_from(&identity.container);
    r.pod.clone_from(&identity.pod);
}
