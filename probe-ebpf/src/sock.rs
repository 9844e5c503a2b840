//! Facts about a socket, read from its structures.

use aya_ebpf::helpers::generated;
use probe_common::{ABSENT, Totals, Tuple, flag, want};

use crate::maps::{offset, wants};
use crate::read::{GaveUp, copy, read, read_or};

pub const AF_INET: u8 = 2;
pub const AF_INET6: u8 = 10;
pub const IPPROTO_TCP: u16 = 6;
pub const IPPROTO_MPTCP: u16 = 262;

/// States of `net/tcp_states.h` that the hooks tell apart.
pub mod state {
    pub const ESTABLISHED: u8 = 1;
    pub const SYN_SENT: u8 = 2;
    pub const SYN_RECV: u8 = 3;
    pub const FIN_WAIT1: u8 = 4;
    pub const TIME_WAIT: u8 = 6;
    pub const CLOSE: u8 = 7;
    pub const LAST_ACK: u8 = 9;
    pub const LISTEN: u8 = 10;
    pub const NEW_SYN_RECV: u8 = 12;
}

/// Whether the socket is a TCP socket, a subflow of MPTCP included. Only for full sockets. `sk_protocol` is
/// 16 bits wide: MPTCP's 262 is 6 when read as a byte.
#[inline(always)]
pub fn is_tcp(sk: u64) -> bool {
    read_or::<u16>(sk, offset!(sock_protocol), 0) == IPPROTO_TCP
}

/// Cookie of a socket that the verifier knows as one; it is made now if the socket has none yet.
#[inline(always)]
pub fn make_cookie(trusted_sk: *mut core::ffi::c_void) -> u64 {
    if wants(want::COOKIES) {
        // SAFETY: the verifier checks the pointer; the helper accepts null.
        unsafe { generated::bpf_get_socket_cookie(trusted_sk) }
    } else {
        0
    }
}

/// Cookie that a socket already has, 0 for none. Also for TIME-WAIT and request sockets.
#[inline(always)]
pub fn cookie(sk: u64) -> u64 {
    if wants(want::COOKIES) { read_or(sk, offset!(sock_cookie), 0) } else { 0 }
}

/// State of any kind of socket, 0 if it cannot be read.
#[inline(always)]
pub fn state_of(sk: u64) -> u8 {
    read_or(sk, offset!(sock_state), 0)
}

/// Addresses of any kind of socket: full, request or TIME-WAIT. `t` must be zero.
#[inline(always)]
pub fn tuple(sk: u64, t: &mut Tuple) -> Result<(), GaveUp> {
    t.family = read::<u16>(sk, offset!(sock_family))? as u8;
    t.state = read(sk, offset!(sock_state))?;
    if t.family == AF_INET6 {
        copy(&raw mut t.remote_addr, sk, offset!(sock_v6_daddr));
        if is_v4_mapped(&t.remote_addr) {
            t.family = AF_INET;
            clear(&mut t.remote_addr);
        } else {
            copy(&raw mut t.local_addr, sk, offset!(sock_v6_saddr));
        }
    }
    if t.family == AF_INET {
        copy((&raw mut t.remote_addr).cast::<u32>(), sk, offset!(sock_daddr));
        copy((&raw mut t.local_addr).cast::<u32>(), sk, offset!(sock_saddr));
    } else if t.family != AF_INET6 {
        return Err(GaveUp);
    }
    t.remote_port = u16::from_be(read_or(sk, offset!(sock_dport), 0));
    t.local_port = read_or(sk, offset!(sock_num), 0);
    // On the way to CLOSE the port is already given back (`inet_put_port`) but `inet_sport` still has it. In
    // CLOSE that is the port of the lifetime before; minisocks have none.
    if t.local_port == 0 && !matches!(t.state, state::CLOSE | state::TIME_WAIT | state::NEW_SYN_RECV) {
        t.local_port = u16::from_be(read_or(sk, offset!(inet_sport), 0));
    }
    t.netns = netns(read_or(sk, offset!(sock_net), 0));
    Ok(())
}

/// All zero again.
#[inline(always)]
pub fn clear(addr: &mut [u8; 16]) {
    for word in 0..4 {
        // SAFETY: four words of four bytes. Volatile keeps it from becoming a call.
        unsafe { addr.as_mut_ptr().cast::<u32>().add(word).write_volatile(0) };
    }
}

/// Inode of a `struct net`, 0 unknown.
#[inline(always)]
pub fn netns(net: u64) -> u32 {
    if net == 0 { 0 } else { read_or(net, offset!(net_inum), 0) }
}

#[inline(always)]
fn is_v4_mapped(addr: &[u8; 16]) -> bool {
    let words = [
        u32::from_ne_bytes([addr[0], addr[1], addr[2], addr[3]]),
        u32::from_ne_bytes([addr[4], addr[5], addr[6], addr[7]]),
        u32::from_ne_bytes([addr[8], addr[9], addr[10], addr[11]]),
    ];
    words[0] == 0 && words[1] == 0 && words[2] == 0xffff_u32.to_be()
}

/// Bits of [`flag`] of a full TCP socket.
#[inline(always)]
pub fn flags(sk: u64) -> u16 {
    const SOCK_DEAD: u64 = 1 << 0;
    const SOCK_DONE: u64 = 1 << 1;
    let bits: u64 = read_or(sk, offset!(sock_flags), 0);
    let mut flags = 0;
    if bits & SOCK_DONE != 0 {
        flags |= flag::FIN_RECEIVED;
    }
    if bits & SOCK_DEAD != 0 {
        flags |= flag::ORPHAN;
    }
    flags | mptcp_flags(sk)
}

/// A subflow names its MPTCP socket in its upper-layer-protocol data; the MPTCP socket names its first
/// subflow, which stands for the connection.
#[inline(always)]
fn mptcp_flags(sk: u64) -> u16 {
    if offset!(tcp_is_mptcp) == ABSENT || read_or::<u8>(sk, offset!(tcp_is_mptcp), 0) & 1 == 0 {
        return 0;
    }
    let subflow: u64 = read_or(sk, offset!(icsk_ulp_data), 0);
    if subflow == 0 {
        return flag::MPTCP;
    }
    let msk: u64 = read_or(subflow, offset!(subflow_conn), 0);
    if msk == 0 {
        return flag::MPTCP;
    }
    let first: u64 = read_or(msk, offset!(mptcp_first), 0);
    if first != 0 && first != sk { flag::MPTCP | flag::MPTCP_JOIN } else { flag::MPTCP }
}

/// The port of the socket was chosen by connect(): its bind bucket says so with -1 (`__inet_hash_connect`).
#[inline(always)]
pub fn port_by_connect(sk: u64) -> u16 {
    let bucket: u64 = read_or(sk, offset!(icsk_bind_hash), 0);
    if bucket != 0 && read_or::<i8>(bucket, offset!(bind_fastreuse), 0) == -1 {
        flag::PORT_BY_CONNECT
    } else {
        0
    }
}

/// Counters of a full TCP socket. `t` must be zero.
#[inline(always)]
pub fn totals(sk: u64, t: &mut Totals) {
    copy(&raw mut t.bytes_acked, sk, offset!(tcp_bytes_acked));
    copy(&raw mut t.bytes_received, sk, offset!(tcp_bytes_received));
    copy(&raw mut t.snd_una, sk, offset!(tcp_snd_una));
    copy(&raw mut t.write_seq, sk, offset!(tcp_write_seq));
    copy(&raw mut t.rcv_nxt, sk, offset!(tcp_rcv_nxt));
    copy(&raw mut t.copied_seq, sk, offset!(tcp_copied_seq));
    copy(&raw mut t.srtt_us8, sk, offset!(tcp_srtt_us));
    copy(&raw mut t.min_rtt_us, sk, offset!(tcp_rtt_min));
    copy(&raw mut t.total_retrans, sk, offset!(tcp_total_retrans));
    t.err = read_or::<u32>(sk, offset!(sock_err), 0) as u16;
    t.err_soft = read_or::<u32>(sk, offset!(sock_err_soft), 0) as u16;
    copy(&raw mut t.retransmits, sk, offset!(icsk_retransmits));
    copy(&raw mut t.probes, sk, offset!(icsk_probes_out));
    copy(&raw mut t.shutdown, sk, offset!(sock_shutdown));
    copy(&raw mut t.user_timeout, sk, offset!(icsk_user_timeout));
}
