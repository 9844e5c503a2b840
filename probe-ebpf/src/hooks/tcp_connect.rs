//! `tcp_connect`: the first SYN is about to leave, with its source port. Context: the connecting thread.
//!
//! The tracepoint engine has no hook here: it takes CLOSE→SYN_SENT, just before, where the port is not
//! chosen yet.

use aya_ebpf::EbpfContext;
use aya_ebpf::macros::{fentry, kprobe};
use aya_ebpf::programs::{FEntryContext, ProbeContext};
use probe_common::{SocketEvent, engine, flag, kind};

use crate::emit::{Origin, emit};
use crate::read::{GaveUp, plain_arg};
use crate::{filter, sock, task};

#[fentry(function = "tcp_connect")]
pub fn fentry_tcp_connect(ctx: FEntryContext) -> i32 {
    let sk = plain_arg(ctx.as_ptr(), 0);
    let _ = try_connect(&ctx, sk, engine::FENTRY);
    0
}

#[kprobe(function = "tcp_connect")]
pub fn kprobe_tcp_connect(ctx: ProbeContext) -> u32 {
    if let Some(sk) = ctx.arg::<u64>(0) {
        let _ = try_connect(&ctx, sk, engine::KPROBE);
    }
    0
}

/// The cookie exists: CLOSE→SYN_SENT came first.
#[inline(always)]
fn try_connect<C: EbpfContext>(ctx: &C, sk: u64, engine: u8) -> Result<(), GaveUp> {
    filter::check_socket(sk)?;
    task::describe(ctx, engine);
    let (cookie, flags) = (sock::cookie(sk), sock::flags(sk) | flag::TASK_IS_ACTOR);
    emit(Origin { kind: kind::SYN, engine, sock: sk, cookie, flags }, |e: &mut SocketEvent| {
        sock::tuple(sk, &mut e.tuple)?;
        task::actor(&mut e.task);
        e.uid = e.task.uid;
        Ok(())
    })
}
