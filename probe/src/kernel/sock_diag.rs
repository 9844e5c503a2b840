//! Netlink socket diagnostics (sock_diag(7)): every TCP and UDP socket of a network namespace, without BPF and
//! without root. The kernel walks its hash tables while they change: a dump is not a moment.

mod parse;

use std::collections::HashSet;
use std::io;
use std::net::IpAddr;

use netlink_packet_core::{NLM_F_DUMP, NLM_F_REQUEST, NetlinkHeader, NetlinkMessage};
use netlink_packet_sock_diag::SockDiagMessage;
use netlink_packet_sock_diag::constants::{AF_INET, AF_INET6, IPPROTO_TCP, IPPROTO_UDP};
use netlink_packet_sock_diag::inet::{ExtensionFlags, InetRequest, SocketId, StateFlags};
use netlink_sys::{Socket, SocketAddr, protocols::NETLINK_SOCK_DIAG};

use crate::decode::event::Tuple;
use crate::vocab::{Family, Protocol, TcpState};

pub use parse::TcpInfo;

/// The kernel fills at most 32 KiB a read (`netlink_dump()`); more does no harm.
const BUFFER: usize = 256 << 10;
/// A dump that the kernel calls inconsistent is repeated this often.
const ATTEMPTS: u32 = 3;

/// Why a dump failed.
#[derive(Debug, thiserror::Error)]
pub enum SockDiagError {
    /// No netlink socket.
    #[error("failed to open a netlink socket: {0}")]
    Open(#[source] io::Error),
    /// The request could not be sent.
    #[error("failed to ask the kernel for {protocol} sockets: {source}")]
    Send {
        /// What was asked for.
        protocol: Protocol,
        /// Why.
        source: io::Error,
    },
    /// The answer could not be read.
    #[error("failed to read the {protocol} sockets: {source}")]
    Receive {
        /// What was asked for.
        protocol: Protocol,
        /// Why.
        source: io::Error,
    },
    /// The kernel refused.
    #[error("the kernel refused to list {protocol} sockets: {source}; is the {protocol}_diag module there?")]
    Refused {
        /// What was asked for.
        protocol: Protocol,
        /// Why; `ENOENT` without the module.
        source: io::Error,
    },
    /// The answer makes no sense.
    #[error("failed to understand the kernel's answer on {protocol} sockets: {reason}")]
    Malformed {
        /// What was asked for.
        protocol: Protocol,
        /// What is wrong.
        reason: &'static str,
    },
}

/// One socket as `struct inet_diag_msg` describes it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DiagSocket {
    /// TCP, the TCP subflow of an MPTCP connection, or UDP.
    pub protocol: Protocol,
    /// Local address, v4-mapped shown as IPv4.
    pub local_addr: IpAddr,
    /// Local port, 0 unbound.
    pub local_port: u16,
    /// Remote address, unspecified if there is none.
    pub remote_addr: IpAddr,
    /// Remote port, 0 none.
    pub remote_port: u16,
    /// State; a UDP socket is `established` when connected, `closed` when not.
    pub state: TcpState,
    /// Owner; only meaningful with an inode: the kernel says 0 for sockets nobody holds.
    pub uid: u32,
    /// Inode in sockfs, 0 for a socket no file belongs to (TIME-WAIT, SYN-RECEIVED, orphans, not yet accepted).
    pub inode: u32,
    /// Socket cookie.
    pub cookie: u64,
    /// Interface the socket is bound to, 0 none.
    pub interface: u32,
    /// Bytes not read yet; of a listener, connections not accepted yet.
    pub recv_queue: u32,
    /// Bytes not acknowledged yet; of a listener, the maximum length of its accept queue.
    pub send_queue: u32,
    /// `struct tcp_info`, of TCP sockets that have one (not LISTEN, TIME-WAIT, SYN-RECEIVED).
    pub tcp: Option<TcpInfo>,
}

impl DiagSocket {
    /// Addresses as events have them.
    pub fn tuple(&self, netns: u32) -> Tuple {
        Tuple {
            local_addr: self.local_addr,
            local_port: self.local_port,
            remote_addr: self.remote_addr,
            remote_port: self.remote_port,
            netns,
            family: self.family(),
        }
    }

    /// Address family as shown.
    pub fn family(&self) -> Family {
        if self.local_addr.is_ipv4() { Family::Ipv4 } else { Family::Ipv6 }
    }

    /// Payload sent, bytes: what the peer has acknowledged, SYN and FIN not counted. While data is in flight
    /// one too many on the side that connected, for nothing here says which side did (kernel.md, section 5).
    pub fn payload_sent(&self) -> Option<u64> {
        let tcp = self.tcp?;
        // bytes_sent counts data only but also what is not acknowledged, bytes_acked counts SYN and FIN.
        Some(tcp.bytes_acked?.min(tcp.bytes_sent?.saturating_sub(tcp.bytes_retrans?)))
    }

    /// Payload received, bytes, the peer's FIN not counted.
    pub fn payload_received(&self) -> Option<u64> {
        let fin = matches!(self.state, TcpState::CloseWait | TcpState::LastAck | TcpState::Closing);
        Some(self.tcp?.bytes_received?.saturating_sub(u64::from(fin)))
    }
}

/// What a dump gave.
#[derive(Clone, Debug, Default)]
pub struct Dump {
    /// The sockets, each once, in the kernel's order.
    pub sockets: Vec<DiagSocket>,
    /// The kernel said that the table changed so that some may be missing (`NLM_F_DUMP_INTR`), on every attempt.
    pub interrupted: bool,
    /// Answers left out because they made no sense.
    pub malformed: u32,
}

/// Which sockets to list.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Transport {
    /// TCP.
    Tcp,
    /// UDP.
    Udp,
}

impl Transport {
    fn number(self) -> u8 {
        match self {
            Self::Tcp => IPPROTO_TCP,
            Self::Udp => IPPROTO_UDP,
        }
    }

    fn protocol(self) -> Protocol {
        match self {
            Self::Tcp => Protocol::Tcp,
            Self::Udp => Protocol::Udp,
        }
    }
}

/// All sockets of one transport, IPv4 and IPv6, in the network namespace of the calling thread. Blocking.
///
/// # Errors
/// [`SockDiagError`]; no privileges are needed.
pub fn dump(transport: Transport) -> Result<Dump, SockDiagError> {
    let mut all = Dump::default();
    let mut seen = HashSet::new();
    for family in [AF_INET, AF_INET6] {
        for attempt in 1.. {
            let mut one = dump_family(transport, family)?;
            if one.interrupted && attempt < ATTEMPTS {
                continue;
            }
            // Sockets move between buckets during the walk. The cookie alone is no key: MPTCP children
            // share their listener's.
            one.sockets.retain(|s| {
                seen.insert((s.cookie, s.local_addr, s.local_port, s.remote_addr, s.remote_port))
            });
            all.sockets.append(&mut one.sockets);
            all.interrupted |= one.interrupted;
            all.malformed += one.malformed;
            break;
        }
    }
    Ok(all)
}

fn dump_family(transport: Transport, family: u8) -> Result<Dump, SockDiagError> {
    let protocol = transport.protocol();
    let socket = open()?;
    socket.send(&request(transport, family), 0).map_err(|source| SockDiagError::Send { protocol, source })?;
    let mut dump = Dump::default();
    let mut buffer = vec![0; BUFFER];
    loop {
        let length = match socket.recv(&mut &mut buffer[..], libc::MSG_TRUNC) {
            Ok(length) => length,
            Err(e) if e.kind() == io::ErrorKind::Interrupted => continue,
            Err(source) => return Err(SockDiagError::Receive { protocol, source }),
        };
        let datagram = buffer
            .get(..length)
            .filter(|d| !d.is_empty())
            .ok_or(SockDiagError::Malformed { protocol, reason: "datagram empty or cut short" })?;
        match parse::datagram(datagram, protocol, &mut dump) {
            Ok(parse::More::Yes) => {}
            Ok(parse::More::No) => return Ok(dump),
            Err(parse::Fault::Kernel(errno)) => {
                let source = io::Error::from_raw_os_error(errno);
                return Err(SockDiagError::Refused { protocol, source });
            }
            Err(parse::Fault::Malformed(reason)) => {
                return Err(SockDiagError::Malformed { protocol, reason });
            }
        }
    }
}

fn open() -> Result<Socket, SockDiagError> {
    let mut socket = Socket::new(NETLINK_SOCK_DIAG).map_err(SockDiagError::Open)?;
    socket.bind_auto().map_err(SockDiagError::Open)?;
    // Connected, so that nobody but the kernel can answer.
    socket.connect(&SocketAddr::new(0, 0)).map_err(SockDiagError::Open)?;
    Ok(socket)
}

fn request(transport: Transport, family: u8) -> Vec<u8> {
    let mut header = NetlinkHeader::default();
    header.flags = NLM_F_REQUEST | NLM_F_DUMP;
    let request = InetRequest {
        family,
        protocol: transport.number(),
        extensions: ExtensionFlags::INFO,
        states: StateFlags::all(),
        socket_id: if family == AF_INET { SocketId::new_v4() } else { SocketId::new_v6() },
    };
    let mut message = NetlinkMessage::new(header, SockDiagMessage::InetRequest(request).into());
    message.finalize();
    let mut bytes = vec![0; message.buffer_len()];
    message.serialize(&mut bytes);
    bytes
}

#[cfg(test)]
mod tests;
