//! Which records are shown. Pure: a [`Filter`] is built once from parsed values and asked for each record.
//! What the kernel can filter cheaply it filters itself; this is the whole truth.

mod events;
mod kernel;
pub mod value;

use crate::record::{Cause, EventName, Family, Record, Role};
pub use events::Events;
pub use value::{Container, List, Netns, Networks, Pattern, Ports, User};

/// What a record must be to be shown. Every part that is set must match; a record without the field a part
/// asks for does not.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Filter {
    /// Events asked for.
    pub events: Events,
    /// Owner's process id.
    pub pid: List<u32>,
    /// Owner's command name.
    pub comm: List<Pattern>,
    /// Owner's user.
    pub uid: List<User>,
    /// Port on either side.
    pub port: Ports,
    /// Port on this host.
    pub local_port: Ports,
    /// Port of the peer.
    pub remote_port: Ports,
    /// Address on either side.
    pub addr: Networks,
    /// Address family.
    pub family: Option<Family>,
    /// Network namespace.
    pub netns: List<Netns>,
    /// Owner's systemd unit.
    pub unit: List<Pattern>,
    /// Owner's container.
    pub container: List<Container>,
    /// Side of the connection.
    pub role: Option<Role>,
    /// Only what went wrong.
    pub failures: bool,
}

impl Filter {
    /// Whether a record is shown. `lost` always is; `start` and `stop` are unless `--events` leaves them out.
    pub fn matches(&self, record: &Record) -> bool {
        match record.event {
            EventName::Lost => true,
            EventName::Start | EventName::Stop => self.events.contains(record.event),
            event => {
                self.events.contains(event)
                    && (!self.failures || went_wrong(record))
                    && self.owner_matches(record)
                    && self.ends_match(record)
            }
        }
    }

    fn owner_matches(&self, record: &Record) -> bool {
        self.pid.allows(|pid| record.pid == Some(*pid))
            && self.comm.allows(|comm| record.comm.as_deref().is_some_and(|name| comm.matches(name)))
            && self.uid.allows(|user| user.matches(record.uid, record.user.as_deref()))
            && self.netns.allows(|netns| record.netns == Some(netns.0))
            && self.unit.allows(|unit| record.unit.as_deref().is_some_and(|name| unit.matches_unit(name)))
            && self.container.allows(|id| record.container.as_deref().is_some_and(|full| id.matches(full)))
    }

    fn ends_match(&self, record: &Record) -> bool {
        let (local, remote) = (record.local_port, record.remote_port);
        (self.port.is_empty() || self.port.has(local) || self.port.has(remote))
            && (self.local_port.is_empty() || self.local_port.has(local))
            && (self.remote_port.is_empty() || self.remote_port.has(remote))
            && (self.addr.is_empty() || self.addr.has(record.local_addr) || self.addr.has(record.remote_addr))
            && self.family.is_none_or(|family| record.family == Some(family))
            && self.role.is_none_or(|role| record.role == Some(role))
    }
}

/// Whether a record says that something went wrong: what `--failures` shows.
pub fn went_wrong(record: &Record) -> bool {
    match record.event {
        EventName::Failed
        | EventName::Reset
        | EventName::RefusedInbound
        | EventName::PortScan
        | EventName::ListenOverflow
        | EventName::Outage
        | EventName::Flapping
        | EventName::Lost => true,
        EventName::Closed => !matches!(record.cause, Some(Cause::Orderly | Cause::ProcessExit)),
        EventName::Listen
        | EventName::ListenEnd
        | EventName::Connect
        | EventName::Established
        | EventName::Accept
        | EventName::Retransmit
        | EventName::State
        | EventName::Reconnected
        | EventName::Snapshot
        | EventName::Start
        | EventName::Stop => false,
    }
}

#[cfg(test)]
mod tests;
