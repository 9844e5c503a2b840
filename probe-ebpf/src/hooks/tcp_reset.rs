//! `tcp_reset`: a RST was received and is about to end the connection. Context: softirq, or whoever
//! processes the backlog. Does not fire for TIME-WAIT, request sockets and RSTs out of the window.

use aya_ebpf::EbpfContext;
use aya_ebpf::macros::{btf_tracepoint, fentry, kprobe};
use aya_ebpf::programs::{BtfTracePointContext, FEntryContext, ProbeContext};
use probe_common::{ResetEvent, engine, kind};

use crate::emit::{Origin, emit};
use crate::read::{GaveUp, plain_arg};
use crate::{filter, sock, task};

#[btf_tracepoint(function = "tcp_receive_reset")]
pub fn tcp_receive_reset(ctx: BtfTracePointContext) -> i32 {
    let _ = try_reset(plain_arg(ctx.as_ptr(), 0), engine::TRACEPOINT);
    0
}

#[fentry(function = "tcp_reset")]
pub fn fentry_tcp_reset(ctx: FEntryContext) -> i32 {
    let _ = try_reset(plain_arg(ctx.as_ptr(), 0), engine::FENTRY);
    0
}

#[kprobe(function = "tcp_reset")]
pub fn kprobe_tcp_reset(ctx: ProbeContext) -> u32 {
    if let Some(sk) = ctx.arg::<u64>(0) {
        let _ = try_reset(sk, engine::KPROBE);
    }
    0
}

#[inline(always)]
fn try_reset(sk: u64, engine: u8) -> Result<(), GaveUp> {
    if !sock::is_tcp(sk) {
        return Ok(());
    }
    let (kind, cookie, flags) = (kind::RESET_RECEIVED, sock::cookie(sk), sock::flags(sk));
    emit(Origin { kind, engine, sock: sk, cookie, flags }, |e: &mut ResetEvent| {
        sock::tuple(sk, &mut e.tuple)?;
        filter::check(&e.tuple)?;
        task::glance(&mut e.task);
        e.reason = -1;
        Ok(())
    })
}
