//! A thread inside connect(): remembered at the entry, judged at the return.

use aya_ebpf::EbpfContext;
use aya_ebpf::helpers::{bpf_get_current_pid_tgid, generated};
use probe_common::{ConnectEvent, Tuple, flag, kind};

use crate::emit::{Origin, emit};
use crate::maps::CONNECTING;
use crate::read::GaveUp;
use crate::{filter, sock, task};

/// What connect() was asked for.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct Connecting {
    pub sk: u64,
    pub entered: u64,
    pub addr: [u8; 16],
    pub port: u16,
    pub family: u16,
    pub pad: u32,
}

/// `struct sockaddr_in6`, of which `struct sockaddr_in` is the shorter sister.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct SockAddr {
    pub family: u16,
    pub port: [u8; 2],
    pub v4: [u8; 4],
    pub v6: [u8; 16],
}

/// Remembers that the current thread connects `sk` to `addr`.
#[inline(always)]
pub fn enter(sk: u64, addr: &SockAddr) -> Result<(), GaveUp> {
    // AF_UNSPEC disconnects.
    if addr.family != u16::from(sock::AF_INET) && addr.family != u16::from(sock::AF_INET6) {
        return Err(GaveUp);
    }
    let mut it = Connecting {
        sk,
        // SAFETY: takes no arguments.
        entered: unsafe { generated::bpf_ktime_get_boot_ns() },
        addr: addr.v6,
        port: u16::from_be_bytes(addr.port),
        family: addr.family,
        pad: 0,
    };
    if addr.family == u16::from(sock::AF_INET) {
        it.addr = [0; 16];
        it.addr[..4].copy_from_slice(&addr.v4);
    }
    CONNECTING.insert(bpf_get_current_pid_tgid(), it, 0)?;
    Ok(())
}

/// Whether the current thread is inside connect() on `sk`.
#[inline(always)]
pub fn is_connecting(sk: u64) -> bool {
    // SAFETY: one word of a value that only this thread writes.
    unsafe { CONNECTING.get(bpf_get_current_pid_tgid()) }.is_some_and(|it| it.sk == sk)
}

/// The current thread returns from connect() with `result`. Reports an error that ends an attempt.
#[inline(always)]
pub fn leave<C: EbpfContext>(ctx: &C, result: i32, engine: u8) -> Result<(), GaveUp> {
    let id = bpf_get_current_pid_tgid();
    // SAFETY: only this thread writes or removes the value.
    let it = unsafe { CONNECTING.get(id) }.copied().ok_or(GaveUp)?;
    CONNECTING.remove(id)?;
    report(ctx, &it, result, engine, 0)
}

/// Reports `result` of connecting `it`, if it is an error that ends an attempt.
#[inline(always)]
pub fn report<C: EbpfContext>(
    ctx: &C,
    it: &Connecting,
    result: i32,
    engine: u8,
    flags: u16,
) -> Result<(), GaveUp> {
    if !ends_an_attempt(result) {
        return Ok(());
    }
    task::describe(ctx, engine);
    let flags = flags | flag::TASK_IS_ACTOR | sock::flags(it.sk);
    let cookie = sock::cookie(it.sk);
    emit(Origin { kind: kind::CONNECT_RESULT, engine, sock: it.sk, cookie, flags }, |e: &mut ConnectEvent| {
        sock::tuple(it.sk, &mut e.tuple)?;
        if it.family != 0 {
            asked_for(it, &mut e.tuple);
        }
        filter::check(&e.tuple)?;
        task::actor(&mut e.task);
        e.entered = it.entered;
        e.result = result;
        Ok(())
    })
}

/// The socket's addresses with the remote end that connect() was given. A local address of the other family
/// says nothing. User space shows v4-mapped addresses as IPv4.
#[inline(always)]
fn asked_for(it: &Connecting, t: &mut Tuple) {
    if t.family != it.family as u8 {
        sock::clear(&mut t.local_addr);
    }
    t.family = it.family as u8;
    t.remote_addr = it.addr;
    t.remote_port = it.port;
}

/// An error of connect() that is the end of an attempt, or of one that never began. Not so: under way
/// (EINPROGRESS, EALREADY), done before (EISCONN), interrupted while it goes on (EINTR and the kernel's
/// restart codes), a bad pointer or length.
#[inline(always)]
fn ends_an_attempt(result: i32) -> bool {
    !(result >= 0 || matches!(-result, 115 | 114 | 106 | 4 | 512..=516 | 14))
}
