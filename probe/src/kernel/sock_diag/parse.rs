//! Bytes of a dump to [`DiagSocket`]s. Attributes nobody asked for and fields of newer kernels are ignored,
//! fields an older kernel lacks are `None`.

use netlink_packet_core::{NLM_F_DUMP_INTR, NetlinkBuffer, NlasIterator, Parseable};
use netlink_packet_sock_diag::SOCK_DIAG_BY_FAMILY;
use netlink_packet_sock_diag::constants::INET_DIAG_INFO;
use netlink_packet_sock_diag::inet::InetResponseHeader;

use super::{DiagSocket, Dump};
use crate::vocab::{Protocol, TcpState};

/// `struct inet_diag_msg`, bytes.
const HEADER_LEN: usize = 72;
const NLMSG_ERROR: u16 = 2;
const NLMSG_DONE: u16 = 3;
/// `enum` in `linux/inet_diag.h`: upper layer protocol, nested. Older kernels tell it only CAP_NET_ADMIN.
const INET_DIAG_ULP_INFO: u16 = 19;
const INET_ULP_INFO_NAME: u16 = 1;

/// What connprobe reads of `struct tcp_info` (`linux/tcp.h`), which grew at its end over the years.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct TcpInfo {
    /// Retransmissions of the segment now waiting (at SYN-SENT: of the SYN).
    pub retransmits: u8,
    /// Segments in flight.
    pub unacked: u32,
    /// Smoothed round-trip time, µs, 0 not measured.
    pub rtt_us: u32,
    /// Segments sent again in this lifetime.
    pub total_retrans: u32,
    /// Sequence space acknowledged: counts the SYN of an active open and an acknowledged FIN (4.1+).
    pub bytes_acked: Option<u64>,
    /// Sequence space received: counts the peer's FIN (4.1+).
    pub bytes_received: Option<u64>,
    /// Minimum round-trip time, µs (4.6+).
    pub min_rtt_us: Option<u32>,
    /// Payload sent, retransmissions counted (4.19+).
    pub bytes_sent: Option<u64>,
    /// Payload sent again (4.19+).
    pub bytes_retrans: Option<u64>,
}

impl TcpInfo {
    pub(super) fn parse(bytes: &[u8]) -> Option<Self> {
        Some(Self {
            retransmits: *bytes.get(2)?,
            unacked: u32_at(bytes, 24)?,
            rtt_us: u32_at(bytes, 68)?,
            total_retrans: u32_at(bytes, 100)?,
            bytes_acked: u64_at(bytes, 120),
            bytes_received: u64_at(bytes, 128),
            min_rtt_us: u32_at(bytes, 148).filter(|&rtt| rtt != u32::MAX),
            bytes_sent: u64_at(bytes, 200),
            bytes_retrans: u64_at(bytes, 208),
        })
    }
}

/// Whether the dump goes on after a datagram.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum More {
    Yes,
    No,
}

/// What ends a dump early.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Fault {
    /// Errno, positive.
    Kernel(i32),
    Malformed(&'static str),
}

/// Adds the sockets of one datagram to `dump`.
pub(super) fn datagram(mut bytes: &[u8], protocol: Protocol, dump: &mut Dump) -> Result<More, Fault> {
    while !bytes.is_empty() {
        let message = NetlinkBuffer::new_checked(bytes)
            .map_err(|_| Fault::Malformed("a message is longer than its datagram"))?;
        dump.interrupted |= message.flags() & NLM_F_DUMP_INTR != 0;
        match message.message_type() {
            // Both may carry a negative errno; a DONE of 0 or with nothing in it is a good end.
            kind @ (NLMSG_ERROR | NLMSG_DONE) => {
                let code = message.payload().first_chunk().map_or(0, |b| i32::from_ne_bytes(*b));
                return match code {
                    0 if kind == NLMSG_DONE => Ok(More::No),
                    0 => Err(Fault::Malformed("an acknowledgement nobody asked for")),
                    code => Err(Fault::Kernel(code.saturating_neg())),
                };
            }
            SOCK_DIAG_BY_FAMILY => match socket(message.payload(), protocol) {
                Some(socket) => dump.sockets.push(socket),
                None => dump.malformed += 1,
            },
            _ => {} // NLMSG_NOOP and what newer kernels may add
        }
        let length = (message.length() as usize).next_multiple_of(4);
        bytes = bytes.get(length..).unwrap_or_default();
    }
    Ok(More::Yes)
}

fn socket(payload: &[u8], protocol: Protocol) -> Option<DiagSocket> {
    let header = InetResponseHeader::parse(payload).ok()?;
    let state = TcpState::from_kernel(header.state)?;
    let mut socket = DiagSocket {
        protocol,
        local_addr: header.socket_id.source_address.to_canonical(),
        local_port: header.socket_id.source_port,
        remote_addr: header.socket_id.destination_address.to_canonical(),
        remote_port: header.socket_id.destination_port,
        state,
        uid: header.uid,
        inode: header.inode,
        cookie: u64::from_ne_bytes(header.socket_id.cookie),
        interface: header.socket_id.interface_id,
        recv_queue: header.recv_queue,
        send_queue: header.send_queue,
        tcp: None,
    };
    for attribute in NlasIterator::new(payload.get(HEADER_LEN..)?) {
        let attribute = attribute.ok()?;
        match attribute.kind() {
            // A listener's holds the accept queue in fields of another name (`tcp_get_info()`).
            INET_DIAG_INFO if protocol == Protocol::Tcp && state != TcpState::Listen => {
                socket.tcp = TcpInfo::parse(attribute.value());
            }
            INET_DIAG_ULP_INFO if is_mptcp(attribute.value()) => socket.protocol = Protocol::Mptcp,
            _ => {}
        }
    }
    Some(socket)
}

fn is_mptcp(ulp: &[u8]) -> bool {
    NlasIterator::new(ulp)
        .flatten()
        .any(|a| a.kind() == INET_ULP_INFO_NAME && a.value().strip_suffix(b"\0") == Some(b"mptcp"))
}

fn u32_at(bytes: &[u8], at: usize) -> Option<u32> {
    Some(u32::from_ne_bytes(*bytes.get(at..)?.first_chunk()?))
}

fn u64_at(bytes: &[u8], at: usize) -> Option<u64> {
    Some(u64::from_ne_bytes(*bytes.get(at..)?.first_chunk()?))
}
