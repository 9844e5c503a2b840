//! `tcp_retransmit_skb`, `tcp_retransmit_synack`: a segment is sent again. Context: timer or softirq.
//! Attached only when asked for: the totals of a connection come from its socket.

use aya_ebpf::EbpfContext;
use aya_ebpf::macros::btf_tracepoint;
use aya_ebpf::programs::BtfTracePointContext;
use probe_common::{RetransmitEvent, engine, kind};

use crate::emit::{Origin, emit};
use crate::read::{GaveUp, plain_arg};
use crate::{filter, sock};

#[btf_tracepoint(function = "tcp_retransmit_skb")]
pub fn tcp_retransmit_skb(ctx: BtfTracePointContext) -> i32 {
    let _ = try_retransmit(plain_arg(ctx.as_ptr(), 0), kind::RETRANSMIT);
    0
}

/// The second argument is the request socket of the connection to be.
#[btf_tracepoint(function = "tcp_retransmit_synack")]
pub fn tcp_retransmit_synack(ctx: BtfTracePointContext) -> i32 {
    let _ = try_retransmit(plain_arg(ctx.as_ptr(), 1), kind::RETRANSMIT_SYNACK);
    0
}

#[inline(always)]
fn try_retransmit(sk: u64, kind: u8) -> Result<(), GaveUp> {
    let (sock, flags) = if kind == kind::RETRANSMIT { (sk, sock::flags(sk)) } else { (0, 0) };
    let origin = Origin { kind, engine: engine::TRACEPOINT, sock, cookie: sock::cookie(sk), flags };
    emit(origin, |e: &mut RetransmitEvent| {
        sock::tuple(sk, &mut e.tuple)?;
        filter::check(&e.tuple)
    })
}
