//! `tcp_send_reset`: a RST is sent, for a segment that came (`skb`) or of our own will (no `skb`).
//!
//! Context: any. `sk` is null for a segment without a socket and a TIME-WAIT or request socket for late ones
//! (6.10+); both only with `skb`. `enum sk_rst_reason` came in 6.10; its numbers differ between kernels.

use aya_ebpf::EbpfContext;
use aya_ebpf::macros::btf_tracepoint;
use aya_ebpf::programs::BtfTracePointContext;
use probe_common::{ResetEvent, Tuple, engine, flag, kind, want};

use crate::emit::{Origin, emit};
use crate::maps::{offset, wants};
use crate::read::{GaveUp, copy, plain_arg, read};
use crate::sock::{self, state};
use crate::{filter, task};

#[btf_tracepoint(function = "tcp_send_reset")]
pub fn tcp_send_reset(ctx: BtfTracePointContext) -> i32 {
    let reason = if wants(want::RESET_REASON) { plain_arg(ctx.as_ptr(), 2) as i32 } else { -1 };
    let _ = try_reset(plain_arg(ctx.as_ptr(), 0), plain_arg(ctx.as_ptr(), 1), reason);
    0
}

#[inline(always)]
fn try_reset(sk: u64, skb: u64, reason: i32) -> Result<(), GaveUp> {
    let mut origin =
        Origin { kind: kind::RESET_SENT, engine: engine::TRACEPOINT, sock: 0, cookie: 0, flags: 0 };
    if sk == 0 {
        origin.flags |= flag::NO_SOCKET;
    } else {
        match sock::state_of(sk) {
            state::LISTEN => {}
            // A TIME-WAIT socket has the cookie of the connection it stands for.
            state::TIME_WAIT | state::NEW_SYN_RECV => origin.cookie = sock::cookie(sk),
            _ => {
                origin.sock = sk;
                origin.cookie = sock::cookie(sk);
                origin.flags |= sock::flags(sk);
            }
        }
    }
    emit(origin, |e: &mut ResetEvent| {
        if sk != 0 {
            sock::tuple(sk, &mut e.tuple)?;
        }
        if skb != 0 {
            sock::clear(&mut e.tuple.local_addr);
            sock::clear(&mut e.tuple.remote_addr);
            e.head.flags |= answered(skb, &mut e.tuple)?;
        }
        filter::check(&e.tuple)?;
        task::glance(&mut e.task);
        e.reason = reason;
        Ok(())
    })
}

/// Addresses of the segment that is answered, turned round: its destination is us. Returns
/// `ANSWERS_SYN` if it was a SYN.
#[inline(always)]
fn answered(skb: u64, t: &mut Tuple) -> Result<u16, GaveUp> {
    let start: u64 = read(skb, offset!(skb_head))?;
    let ip = start + u64::from(read::<u16>(skb, offset!(skb_network_header))?);
    let tcp = start + u64::from(read::<u16>(skb, offset!(skb_transport_header))?);
    match read::<u8>(ip, 0)? >> 4 {
        4 => {
            t.family = sock::AF_INET;
            copy((&raw mut t.remote_addr).cast::<u32>(), ip, 12);
            copy((&raw mut t.local_addr).cast::<u32>(), ip, 16);
        }
        6 => {
            t.family = sock::AF_INET6;
            copy(&raw mut t.remote_addr, ip, 8);
            copy(&raw mut t.local_addr, ip, 24);
        }
        _ => return Err(GaveUp),
    }
    t.remote_port = u16::from_be(read(tcp, 0)?);
    t.local_port = u16::from_be(read(tcp, 2)?);
    if t.netns == 0 {
        let dev: u64 = read(skb, offset!(skb_dev))?;
        t.netns = sock::netns(read(dev, offset!(dev_net))?);
    }
    const SYN: u8 = 0x02;
    const ACK: u8 = 0x10;
    Ok(if read::<u8>(tcp, 13)? & (SYN | ACK) == SYN { flag::ANSWERS_SYN } else { 0 })
}
