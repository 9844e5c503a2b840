//! `inet_csk_accept`: accept() hands a connection to a process. Context: the accepting thread.

use aya_ebpf::EbpfContext;
use aya_ebpf::macros::{fexit, kretprobe, tracepoint};
use aya_ebpf::programs::{FExitContext, RetProbeContext, TracePointContext};
use probe_common::{AcceptEvent, engine, flag, kind};

use crate::emit::{Origin, emit};
use crate::maps::setting;
use crate::read::{GaveUp, plain_arg};
use crate::sock::{self, state};
use crate::{fd, filter, task};

#[tracepoint(category = "syscalls", name = "sys_exit_accept")]
pub fn sys_exit_accept(ctx: TracePointContext) -> u32 {
    let _ = try_sys_exit(&ctx);
    0
}

#[tracepoint(category = "syscalls", name = "sys_exit_accept4")]
pub fn sys_exit_accept4(ctx: TracePointContext) -> u32 {
    let _ = try_sys_exit(&ctx);
    0
}

/// Returns the connection: in slot 2 since the arguments became a struct (6.10), in slot 4 before.
#[fexit(function = "inet_csk_accept")]
pub fn fexit_inet_csk_accept(ctx: FExitContext) -> i32 {
    let slot = setting(|s| unsafe { &raw const (*s).accept_slot });
    let sk = plain_arg(ctx.as_ptr(), slot);
    let _ = accepted(&ctx, sk, engine::FENTRY, 0);
    0
}

#[kretprobe(function = "inet_csk_accept")]
pub fn kretprobe_inet_csk_accept(ctx: RetProbeContext) -> u32 {
    let _ = accepted(&ctx, ctx.ret::<u64>(), engine::KPROBE, 0);
    0
}

#[inline(always)]
fn try_sys_exit(ctx: &TracePointContext) -> Result<(), GaveUp> {
    // SAFETY: within the record (number at 8, result at 16).
    let result: i64 = unsafe { ctx.read_at(16)? };
    if result < 0 {
        return Ok(());
    }
    accepted(ctx, fd::tcp_sock(result as u32)?, engine::TRACEPOINT, 0)
}

/// Reports that the current task has accepted `sk`.
#[inline(always)]
pub fn accepted<C: EbpfContext>(ctx: &C, sk: u64, engine: u8, flags: u16) -> Result<(), GaveUp> {
    // An error is returned as a null or error pointer. A number that was not a descriptor of this process may
    // lead to any other socket of it.
    if sk == 0 || sk > u64::MAX - 4096 || !sock::is_tcp(sk) || sock::state_of(sk) == state::LISTEN {
        return Err(GaveUp);
    }
    filter::check_socket(sk)?;
    task::describe(ctx, engine);
    let (cookie, flags) = (sock::cookie(sk), flags | sock::flags(sk) | flag::TASK_IS_ACTOR);
    emit(Origin { kind: kind::ACCEPT, engine, sock: sk, cookie, flags }, |e: &mut AcceptEvent| {
        sock::tuple(sk, &mut e.tuple)?;
        task::actor(&mut e.task);
        Ok(())
    })
}
