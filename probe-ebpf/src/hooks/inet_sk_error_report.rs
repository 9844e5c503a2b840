//! `inet_sk_error_report`: an error was put on a socket (5.14+). A hint only: it fires after the wake-up, so
//! the application may have taken `sk_err` already, with error 0 for messages on the error queue, and not for
//! sockets without an owner. Context: any.

use aya_ebpf::EbpfContext;
use aya_ebpf::macros::btf_tracepoint;
use aya_ebpf::programs::BtfTracePointContext;
use probe_common::{ABSENT, ErrorEvent, engine, kind};

use crate::emit::{Origin, emit};
use crate::maps::offset;
use crate::read::{GaveUp, plain_arg, read, read_or};
use crate::{filter, sock};

#[btf_tracepoint(function = "inet_sk_error_report")]
pub fn inet_sk_error_report(ctx: BtfTracePointContext) -> i32 {
    let _ = try_error(plain_arg(ctx.as_ptr(), 0));
    0
}

#[inline(always)]
fn try_error(sk: u64) -> Result<(), GaveUp> {
    if !sock::is_tcp(sk) {
        return Ok(());
    }
    let (cookie, flags) = (sock::cookie(sk), sock::flags(sk));
    let origin = Origin { kind: kind::SOCKET_ERROR, engine: engine::TRACEPOINT, sock: sk, cookie, flags };
    emit(origin, |e: &mut ErrorEvent| {
        sock::tuple(sk, &mut e.tuple)?;
        filter::check(&e.tuple)?;
        e.err = read::<u32>(sk, offset!(sock_err))? as u16;
        e.err_soft = read::<u32>(sk, offset!(sock_err_soft))? as u16;
        e.err_queued = queued(sk).unwrap_or(0);
        // Disconnecting reports 0 on a socket without a peer.
        let says_nothing = e.err == 0 && e.err_soft == 0 && e.err_queued == 0;
        if says_nothing || e.tuple.remote_port == 0 { Err(GaveUp) } else { Ok(()) }
    })
}

/// Errno of the newest message on the error queue (`sock_exterr_skb` in the control block).
#[inline(always)]
fn queued(sk: u64) -> Result<u16, GaveUp> {
    if offset!(sock_error_queue) == ABSENT || offset!(exterr_errno) == ABSENT {
        return Err(GaveUp);
    }
    let newest: u64 = read(sk, offset!(sock_error_queue_prev))?;
    if newest == 0 || newest == sk + u64::from(offset!(sock_error_queue)) {
        return Err(GaveUp);
    }
    Ok(read_or::<u32>(newest + u64::from(offset!(skb_cb)), offset!(exterr_errno), 0) as u16)
}
