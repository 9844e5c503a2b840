//! The result of connect(): the only witness of an attempt that the kernel turns down before it sends
//! anything (no route, no free port, a policy). Context: the connecting thread.
//!
//! `tcp_v4_connect` and `tcp_v6_connect` see less than the system call: denials by LSM or cgroup programs come
//! before them. A v4-mapped connect runs the first inside the second; the inner one's result stands.

use aya_ebpf::EbpfContext;
use aya_ebpf::helpers::bpf_probe_read_user;
use aya_ebpf::macros::{fentry, fexit, kprobe, kretprobe, tracepoint};
use aya_ebpf::programs::{FEntryContext, FExitContext, ProbeContext, RetProbeContext, TracePointContext};
use probe_common::engine;

use crate::connecting::{self, SockAddr};
use crate::fd;
use crate::read::{GaveUp, plain_arg, read};

#[tracepoint(category = "syscalls", name = "sys_enter_connect")]
pub fn sys_enter_connect(ctx: TracePointContext) -> u32 {
    let _ = try_sys_enter(&ctx);
    0
}

#[tracepoint(category = "syscalls", name = "sys_exit_connect")]
pub fn sys_exit_connect(ctx: TracePointContext) -> u32 {
    // The record of every sys_exit tracepoint: number at 8, result at 16.
    // SAFETY: within the record.
    if let Ok(result) = unsafe { ctx.read_at::<i64>(16) } {
        let _ = connecting::leave(&ctx, result as i32, engine::TRACEPOINT);
    }
    0
}

#[inline(always)]
fn try_sys_enter(ctx: &TracePointContext) -> Result<(), GaveUp> {
    // The record of every sys_enter tracepoint: number at 8, arguments from 16, a word each.
    // SAFETY: within the record.
    let (fd, uaddr): (u64, u64) = unsafe { (ctx.read_at(16)?, ctx.read_at(24)?) };
    // SAFETY: the helper checks the address.
    let addr = unsafe { read_user_addr(uaddr)? };
    connecting::enter(fd::tcp_sock(fd as u32)?, &addr)
}

/// An IPv4 address may end at the end of a page: the longer read is tried only for IPv6.
#[inline(always)]
unsafe fn read_user_addr(uaddr: u64) -> Result<SockAddr, GaveUp> {
    let mut addr = SockAddr { family: 0, port: [0; 2], v4: [0; 4], v6: [0; 16] };
    // SAFETY: the helper checks the addresses.
    unsafe {
        let head: [u8; 8] = bpf_probe_read_user(uaddr as *const _)?;
        addr.family = u16::from_ne_bytes([head[0], head[1]]);
        addr.port = [head[2], head[3]];
        addr.v4 = [head[4], head[5], head[6], head[7]];
        if addr.family == u16::from(crate::sock::AF_INET6) {
            addr.v6 = bpf_probe_read_user((uaddr + 8) as *const _)?;
        }
    }
    Ok(addr)
}

/// The same from kernel memory, where a sockaddr always has room for an IPv6 address.
#[inline(always)]
fn enter_function(sk: u64, addr: u64) -> Result<(), GaveUp> {
    connecting::enter(sk, &read::<SockAddr>(addr, 0)?)
}

#[fentry(function = "tcp_v4_connect")]
pub fn fentry_tcp_v4_connect(ctx: FEntryContext) -> i32 {
    let _ = enter_function(plain_arg(ctx.as_ptr(), 0), plain_arg(ctx.as_ptr(), 1));
    0
}

#[fexit(function = "tcp_v4_connect")]
pub fn fexit_tcp_v4_connect(ctx: FExitContext) -> i32 {
    let result = plain_arg(ctx.as_ptr(), 3) as i32;
    let _ = connecting::leave(&ctx, result, engine::FENTRY);
    0
}

#[fentry(function = "tcp_v6_connect")]
pub fn fentry_tcp_v6_connect(ctx: FEntryContext) -> i32 {
    let _ = enter_function(plain_arg(ctx.as_ptr(), 0), plain_arg(ctx.as_ptr(), 1));
    0
}

#[fexit(function = "tcp_v6_connect")]
pub fn fexit_tcp_v6_connect(ctx: FExitContext) -> i32 {
    let result = plain_arg(ctx.as_ptr(), 3) as i32;
    let _ = connecting::leave(&ctx, result, engine::FENTRY);
    0
}

#[kprobe(function = "tcp_v4_connect")]
pub fn kprobe_tcp_v4_connect(ctx: ProbeContext) -> u32 {
    kprobe_enter(&ctx);
    0
}

#[kretprobe(function = "tcp_v4_connect")]
pub fn kretprobe_tcp_v4_connect(ctx: RetProbeContext) -> u32 {
    let _ = connecting::leave(&ctx, ctx.ret::<i32>(), engine::KPROBE);
    0
}

#[kprobe(function = "tcp_v6_connect")]
pub fn kprobe_tcp_v6_connect(ctx: ProbeContext) -> u32 {
    kprobe_enter(&ctx);
    0
}

#[kretprobe(function = "tcp_v6_connect")]
pub fn kretprobe_tcp_v6_connect(ctx: RetProbeContext) -> u32 {
    let _ = connecting::leave(&ctx, ctx.ret::<i32>(), engine::KPROBE);
    0
}

#[inline(always)]
fn kprobe_enter(ctx: &ProbeContext) {
    if let (Some(sk), Some(addr)) = (ctx.arg::<u64>(0), ctx.arg::<u64>(1)) {
        let _ = enter_function(sk, addr);
    }
}
