//! The table of sockets: `sock_diag` of every network namespace joined with their holders in `/proc`.

pub mod args;
pub mod render;
mod select;
mod unseen;

use std::collections::{HashMap, HashSet};
use std::net::IpAddr;
use std::sync::Arc;
use std::time::{SystemTime, UNIX_EPOCH};

use crate::decode::event::ProcessImage;
use crate::enrich::process::Identity;
use crate::enrich::{collect::image_of, users::UserNames};
use crate::kernel::netns::{self, NetnsError};
use crate::kernel::proc::SocketOwners;
use crate::kernel::sock_diag::{self, DiagSocket, SockDiagError, Transport};
use crate::record::build::name_process;
use crate::record::{EngineName, EventName, PidSource, Protocol, Record, Role, TcpState, Timestamp};

pub use select::{Selection, StateSet, parse_network, parse_state};
pub use unseen::Unseen;

/// Why there is no table at all.
#[derive(Debug, thiserror::Error)]
pub enum LsError {
    /// The namespaces cannot be listed.
    #[error(transparent)]
    Netns(#[from] NetnsError),
    /// No namespace gave any sockets.
    #[error(transparent)]
    SockDiag(#[from] SockDiagError),
    /// `--netns` names none that the caller may see.
    #[error("failed to find network namespace {0:?} among those visible here; `lsns -t net` lists them")]
    NoNamespace(String),
}

/// One socket.
#[derive(Clone, Debug)]
pub struct Row {
    /// As a `snapshot` record; the owner is the first holder.
    pub record: Record,
    /// Processes that hold it, by pid: more than one after a fork, or when it was passed on.
    pub holders: Vec<Arc<Identity>>,
    /// It belongs to a file, so somebody should hold it.
    pub held: bool,
}

/// The sockets, and what is not among them.
#[derive(Clone, Debug, Default)]
pub struct Inventory {
    /// The sockets in order: TCP before UDP, listeners first, then by local port.
    pub rows: Vec<Row>,
    /// What the caller could not see.
    pub unseen: Unseen,
}

/// Lists the sockets of these transports in all network namespaces, or in the one given by its inode or name.
/// Blocking; needs no root for what the kernel shows everybody.
///
/// # Errors
/// [`LsError`]; less than everything is no error but in [`Inventory::unseen`].
pub fn collect(transports: &[Transport], namespace: Option<&str>) -> Result<Inventory, LsError> {
    let mut listing = netns::list()?;
    let mut unseen = Unseen {
        closed_netns: listing.unopened,
        hidden_netns: listing.hidden_processes,
        root: nix::unistd::geteuid().is_root(),
        ..Unseen::default()
    };
    if let Some(wanted) = namespace {
        listing.namespaces.retain(|n| n.name.as_deref() == Some(wanted) || n.inode.to_string() == wanted);
        if listing.namespaces.is_empty() {
            return Err(LsError::NoNamespace(wanted.to_owned()));
        }
        (unseen.closed_netns, unseen.hidden_netns) = (0, 0);
    }
    let mut dumps = Vec::new();
    let mut first_error: Option<LsError> = None;
    for netns in &listing.namespaces {
        match netns::in_netns(netns, || transports.iter().map(|&t| sock_diag::dump(t)).collect::<Vec<_>>()) {
            Err(e) => {
                unseen.closed_netns += 1;
                first_error.get_or_insert(e.into());
            }
            Ok(results) => {
                for result in results {
                    match result {
                        Ok(dump) => dumps.push((netns.inode, dump)),
                        Err(e) => {
                            unseen.failed.push(e.to_string());
                            first_error.get_or_insert(e.into());
                        }
                    }
                }
            }
        }
    }
    if let (true, Some(error)) = (dumps.is_empty(), first_error) {
        return Err(error);
    }
    unseen.failed.dedup();
    let owners = SocketOwners::read();
    unseen.hidden_processes = owners.hidden;
    let mut known = Known { identities: HashMap::new(), users: UserNames::new() };
    let mut rows = Vec::new();
    for (netns, dump) in dumps {
        unseen.interrupted |= dump.interrupted;
        unseen.malformed += dump.malformed;
        rows.extend(assemble(netns, &dump.sockets, now(), |socket| known.holders(&owners, socket)));
    }
    rows.sort_by_cached_key(|row| order(&row.record));
    Ok(Inventory { rows, unseen })
}

/// Each process is read once.
struct Known {
    identities: HashMap<u32, Option<Arc<Identity>>>,
    users: UserNames,
}

impl Known {
    /// Holders of a socket by pid, and the name of the socket's user.
    fn holders(
        &mut self,
        owners: &SocketOwners,
        socket: &DiagSocket,
    ) -> (Vec<Arc<Identity>>, Option<Arc<str>>) {
        let mut pids: Vec<u32> = owners.of(socket.inode).iter().map(|owner| owner.pid).collect();
        pids.dedup();
        let Self { identities, users } = self;
        let mut identity = |image: ProcessImage| {
            let user = users.name(image.uid);
            Arc::new(Identity::new(image, user))
        };
        let holders = pids
            .into_iter()
            .filter_map(|pid| {
                identities.entry(pid).or_insert_with(|| image_of(pid).map(&mut identity)).clone()
            })
            .collect();
        (holders, users.name(socket.uid))
    }
}

/// Sockets of one namespace and transport to rows.
fn assemble(
    netns: u32,
    sockets: &[DiagSocket],
    ts: Timestamp,
    mut holders: impl FnMut(&DiagSocket) -> (Vec<Arc<Identity>>, Option<Arc<str>>),
) -> Vec<Row> {
    let roles = Roles::new(sockets);
    let row = |socket: &DiagSocket| {
        let mut record = record(netns, socket, ts);
        record.role = roles.of(socket);
        let (holders, user) = holders(socket);
        let held = socket.inode != 0;
        if held {
            // Without a holder the socket itself still knows its user.
            record.uid = Some(socket.uid);
            record.user = user;
        }
        let mut row = Row { record, holders, held };
        row.name_owner();
        row
    };
    sockets.iter().map(row).collect()
}

impl Row {
    /// Puts the first holder into the record.
    fn name_owner(&mut self) {
        let Some(owner) = self.holders.first() else {
            self.record.pid_source = Some(PidSource::Unknown);
            return;
        };
        name_process(&mut self.record, owner);
        self.record.pid_source = Some(PidSource::Snapshot);
    }
}

fn record(netns: u32, socket: &DiagSocket, ts: Timestamp) -> Record {
    let some = |number: u32| (number != 0).then_some(number);
    let mut record = Record::new(ts, EventName::Snapshot);
    record.engine = Some(EngineName::SockDiag);
    record.family = Some(socket.family());
    record.protocol = Some(socket.protocol);
    record.local_addr = Some(socket.local_addr);
    record.local_port = (socket.local_port != 0).then_some(socket.local_port);
    if !socket.remote_addr.is_unspecified() || socket.remote_port != 0 {
        record.remote_addr = Some(socket.remote_addr);
        record.remote_port = Some(socket.remote_port);
    }
    record.netns = some(netns);
    // A UDP socket that is not connected has no state.
    record.state =
        (socket.protocol != Protocol::Udp || socket.state != TcpState::Closed).then_some(socket.state);
    record.backlog = (socket.state == TcpState::Listen).then_some(socket.send_queue);
    if let Some(tcp) = socket.tcp {
        record.bytes_sent = socket.payload_sent();
        record.bytes_received = socket.payload_received();
        record.rtt_us = some(tcp.rtt_us);
        record.min_rtt_us = tcp.min_rtt_us.filter(|_| tcp.rtt_us != 0);
        if socket.state == TcpState::SynSent {
            record.syn_retransmits = Some(tcp.total_retrans);
        } else {
            record.retransmits = Some(tcp.total_retrans);
        }
    }
    record
}

/// Which side of a connection a socket is, as far as the table tells: a server's port has a listener, and the
/// peer of a server here is a client. A closed listener leaves it unknown.
struct Roles {
    listeners: HashSet<(IpAddr, u16)>,
    wildcards: HashSet<u16>,
    servers: HashSet<(IpAddr, u16, IpAddr, u16)>,
}

impl Roles {
    fn new(sockets: &[DiagSocket]) -> Self {
        let tcp = || sockets.iter().filter(|s| s.protocol != Protocol::Udp);
        let listening = || tcp().filter(|s| s.state == TcpState::Listen);
        let mut roles = Self {
            listeners: listening().map(|s| (s.local_addr, s.local_port)).collect(),
            wildcards: listening().filter(|s| s.local_addr.is_unspecified()).map(|s| s.local_port).collect(),
            servers: HashSet::new(),
        };
        let serves = |s: &&DiagSocket| s.state != TcpState::Listen && roles.serves(s);
        roles.servers = tcp()
            .filter(serves)
            .map(|s| (s.local_addr, s.local_port, s.remote_addr, s.remote_port))
            .collect();
        roles
    }

    fn serves(&self, s: &DiagSocket) -> bool {
        self.wildcards.contains(&s.local_port) || self.listeners.contains(&(s.local_addr, s.local_port))
    }

    fn of(&self, s: &DiagSocket) -> Option<Role> {
        if s.protocol == Protocol::Udp || s.state == TcpState::Listen {
            return None;
        }
        let peer = (s.remote_addr, s.remote_port, s.local_addr, s.local_port);
        Some(match (self.serves(s), self.servers.contains(&peer)) {
            (true, false) => Role::Server,
            (false, true) => Role::Client,
            (true, true) | (false, false) => Role::Unknown,
        })
    }
}

/// Order of the table: as `ss` users look for things.
fn order(r: &Record) -> impl Ord + use<> {
    let listens = r.state == Some(TcpState::Listen) || r.remote_addr.is_none();
    let udp = r.protocol == Some(Protocol::Udp);
    (udp, !listens, r.local_port, r.local_addr, r.remote_addr, r.remote_port, r.state, r.netns)
}

fn now() -> Timestamp {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    Timestamp(i64::try_from(since.as_nanos()).unwrap_or(i64::MAX))
}

impl Inventory {
    /// Keeps what is asked for, and numbers it.
    pub fn select(&mut self, selection: &Selection) {
        self.rows.retain_mut(|row| {
            let keep = selection.keep(row);
            row.name_owner();
            keep
        });
        for (row, seq) in self.rows.iter_mut().zip(1..) {
            row.record.seq = seq;
        }
        self.unseen.ownerless = self.rows.iter().filter(|row| row.held && row.holders.is_empty()).count();
        // What is hidden may have been asked for.
        if self.unseen.ownerless == 0 && !selection.asks_for_owner() {
            self.unseen.hidden_processes = 0;
        }
    }
}

#[cfg(test)]
mod tests;
