//! `tcp_destroy_sock`: the socket goes away, its address may be used again at once. Context: any.

use aya_ebpf::EbpfContext;
use aya_ebpf::macros::btf_tracepoint;
use aya_ebpf::programs::BtfTracePointContext;
use probe_common::{DestroyEvent, engine, kind, want};

use crate::emit::{Origin, emit};
use crate::maps::wants;
use crate::read::{GaveUp, plain_arg};
use crate::sock;

#[btf_tracepoint(function = "tcp_destroy_sock")]
pub fn tcp_destroy_sock(ctx: BtfTracePointContext) -> i32 {
    let _ = try_destroy(plain_arg(ctx.as_ptr(), 0));
    0
}

/// A socket without a cookie never had an event that passed the filters.
#[inline(always)]
fn try_destroy(sk: u64) -> Result<(), GaveUp> {
    let cookie = sock::cookie(sk);
    if wants(want::COOKIES) && cookie == 0 {
        return Ok(());
    }
    let origin = Origin { kind: kind::DESTROY, engine: engine::TRACEPOINT, sock: sk, cookie, flags: 0 };
    emit(origin, |_: &mut DestroyEvent| Ok(()))
}
