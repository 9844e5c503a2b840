//! `tcp_set_state`: a TCP socket changes its state.
//!
//! Context: process context only for CLOSE→SYN_SENT, any→LISTEN, LISTEN→CLOSE, ESTABLISHED→FIN_WAIT1 and
//! CLOSE_WAIT→LAST_ACK. Everywhere else `current` is whoever ran on the CPU. `sk_err` is set before the move
//! to CLOSE (`tcp_done_with_error`, and `tcp_reset`, `tcp_write_err` before 6.10).
//!
//! The kernel skips a tracing program that is running on this CPU already (`prog->active` in
//! `bpf_trace_run`): softirq may interrupt connect() or close() just there, and its state change would be
//! missed. So the tracepoint has two programs. The stand-in reports what the first has not; since softirq is
//! not interrupted by softirq, never are both of them running when a change comes.

use core::ffi::c_void;

use aya_ebpf::EbpfContext;
use aya_ebpf::macros::{btf_tracepoint, fentry, kprobe};
use aya_ebpf::programs::{BtfTracePointContext, FEntryContext, ProbeContext};
use probe_common::{StateEvent, engine, flag, kind};

use crate::emit::{Origin, count_drop, emit};
use crate::maps::{REPORTED, offset};
use crate::read::{GaveUp, read};
use crate::sock::{self, state};
use crate::{connecting, filter, task};

/// What tcp_abort() leaves in the socket.
const ECONNABORTED: u16 = 103;

#[btf_tracepoint(function = "inet_sock_set_state")]
pub fn inet_sock_set_state(ctx: BtfTracePointContext) -> i32 {
    let trusted: *mut c_void = ctx.arg(0);
    let (old, new): (i32, i32) = (ctx.arg(1), ctx.arg(2));
    if interesting(trusted as u64, old as u8, new as u8) {
        mark([trusted as u64, change(old, new)]);
        let cookie = sock::make_cookie(trusted);
        let _ = set_state(&ctx, trusted as u64, cookie, old as u8, new as u8, engine::TRACEPOINT, 0);
    }
    0
}

#[btf_tracepoint(function = "inet_sock_set_state")]
pub fn inet_sock_set_state_2(ctx: BtfTracePointContext) -> i32 {
    let trusted: *mut c_void = ctx.arg(0);
    let (old, new): (i32, i32) = (ctx.arg(1), ctx.arg(2));
    if interesting(trusted as u64, old as u8, new as u8) && !is_marked([trusted as u64, change(old, new)]) {
        let cookie = sock::make_cookie(trusted);
        let flags = flag::STAND_IN;
        let _ = set_state(&ctx, trusted as u64, cookie, old as u8, new as u8, engine::TRACEPOINT, flags);
    }
    0
}

#[inline(always)]
fn change(old: i32, new: i32) -> u64 {
    1 << 16 | (old as u64 & 0xff) << 8 | (new as u64 & 0xff)
}

/// Leaves word for the stand-in.
#[inline(always)]
fn mark(change: [u64; 2]) {
    if let Some(slot) = REPORTED.get_ptr_mut(0) {
        // SAFETY: this CPU's own slot.
        unsafe { *slot = change };
    }
}

/// Whether the first program has reported this change; takes the mark away. A mark overwritten by softirq
/// meanwhile makes a repetition, which user space drops.
#[inline(always)]
fn is_marked(change: [u64; 2]) -> bool {
    let Some(slot) = REPORTED.get_ptr_mut(0) else { return false };
    // SAFETY: this CPU's own slot.
    unsafe {
        let marked = (*slot)[0] == change[0] && (*slot)[1] == change[1];
        if marked {
            *slot = [0; 2];
        }
        marked
    }
}

#[fentry(function = "tcp_set_state")]
pub fn fentry_tcp_set_state(ctx: FEntryContext) -> i32 {
    let trusted: *mut c_void = ctx.arg(0);
    let new: i32 = ctx.arg(1);
    let old = sock::state_of(trusted as u64);
    if interesting(trusted as u64, old, new as u8) {
        let cookie = sock::make_cookie(trusted);
        let _ = set_state(&ctx, trusted as u64, cookie, old, new as u8, engine::FENTRY, 0);
    }
    0
}

#[kprobe(function = "tcp_set_state")]
pub fn kprobe_tcp_set_state(ctx: ProbeContext) -> u32 {
    if let (Some(sk), Some(new)) = (ctx.arg::<u64>(0), ctx.arg::<i32>(1)) {
        let old = sock::state_of(sk);
        if interesting(sk, old, new as u8) {
            let _ = set_state(&ctx, sk, sock::cookie(sk), old, new as u8, engine::KPROBE, 0);
        }
    }
    0
}

/// SCTP, DCCP and MPTCP sockets use the same tracepoint; MPTCP's sockets move to the state they have. What
/// the filter does not want is not touched.
#[inline(always)]
fn interesting(sk: u64, old: u8, new: u8) -> bool {
    // Nothing is given up silently here: without a state change, nothing else of a connection makes sense.
    let Ok(protocol) = read::<u16>(sk, offset!(sock_protocol)) else {
        count_drop(kind::STATE);
        return false;
    };
    old != new && protocol == sock::IPPROTO_TCP && filter::check_socket(sk).is_ok()
}

#[inline(always)]
fn set_state<C: EbpfContext>(
    ctx: &C,
    sk: u64,
    cookie: u64,
    old: u8,
    new: u8,
    engine: u8,
    flags: u16,
) -> Result<(), GaveUp> {
    let mut flags = flags | sock::flags(sk);
    let by_the_application = by_the_application(old, new);
    if by_the_application {
        flags |= flag::TASK_IS_ACTOR;
        task::describe(ctx, engine);
    }
    if old == state::SYN_SENT && new == state::CLOSE && connecting::is_connecting(sk) {
        flags |= flag::IN_CONNECT;
    }
    let with_totals = new == state::CLOSE || (old == state::SYN_SENT && new == state::ESTABLISHED);
    if with_totals {
        flags |= flag::HAS_TOTALS;
    }
    emit(Origin { kind: kind::STATE, engine, sock: sk, cookie, flags }, |e: &mut StateEvent| {
        if sock::tuple(sk, &mut e.tuple).is_err() {
            count_drop(kind::STATE);
            return Err(GaveUp);
        }
        if by_the_application {
            task::actor(&mut e.task);
        } else {
            task::glance(&mut e.task);
        }
        if with_totals {
            sock::totals(sk, &mut e.totals);
            // tcp_abort() runs in the context of who asked for it.
            if new == state::CLOSE && e.totals.err == ECONNABORTED {
                task::actor(&mut e.task);
                e.head.flags |= flag::TASK_IS_ACTOR;
            }
        }
        e.old_state = old;
        e.new_state = new;
        if new == state::LISTEN {
            e.backlog = read(sk, offset!(sock_max_ack_backlog))?;
        }
        Ok(())
    })
}

/// Moves that only a system call of the owner makes, in its own context.
#[inline(always)]
fn by_the_application(old: u8, new: u8) -> bool {
    matches!(
        (old, new),
        (state::CLOSE, state::SYN_SENT)
            | (_, state::LISTEN)
            | (state::LISTEN, state::CLOSE)
            | (_, state::LAST_ACK)
            | (state::ESTABLISHED | state::SYN_RECV, state::FIN_WAIT1)
    )
}
