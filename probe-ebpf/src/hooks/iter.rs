//! Iterators: what is there already. `iter/tcp` walks the TCP sockets of one network namespace,
//! `iter/task_file` the open files of every process, sockets of all namespaces among them.

use core::ffi::c_void;

use aya_ebpf::helpers::generated;
use probe_common::{OwnerEvent, SocketEvent, engine, flag, kind};

use crate::emit::{Origin, write_head};
use crate::maps::offset;
use crate::read::{GaveUp, read_or};
use crate::sock::{self, state};
use crate::{fd, filter, task};

/// `struct bpf_iter__tcp`: each member takes eight bytes.
#[repr(C)]
pub struct TcpContext {
    meta: *const *mut c_void,
    sk: *mut c_void,
}

/// `struct bpf_iter__task_file`.
#[repr(C)]
pub struct TaskFileContext {
    meta: *const *mut c_void,
    task: *mut c_void,
    fd: u64,
    file: *mut c_void,
}

#[unsafe(no_mangle)]
#[unsafe(link_section = "iter/tcp")]
pub fn iter_tcp(ctx: *const TcpContext) -> i32 {
    // SAFETY: the kernel hands out a context of this shape; the loads are of its members.
    let (meta, sk) = unsafe { ((*ctx).meta, (*ctx).sk) };
    if !sk.is_null() {
        let _ = try_socket(meta, sk);
    }
    0
}

#[unsafe(no_mangle)]
#[unsafe(link_section = "iter/task_file")]
pub fn iter_task_file(ctx: *const TaskFileContext) -> i32 {
    // SAFETY: as above.
    let (meta, task, fd, file) = unsafe { ((*ctx).meta, (*ctx).task, (*ctx).fd, (*ctx).file) };
    if !task.is_null() && !file.is_null() {
        let _ = try_file(meta, task as u64, fd as u32, file as u64);
    }
    0
}

#[inline(always)]
fn try_socket(meta: *const *mut c_void, trusted: *mut c_void) -> Result<(), GaveUp> {
    let sk = trusted as u64;
    // Minisocks have none of the rest.
    if matches!(sock::state_of(sk), state::TIME_WAIT | state::NEW_SYN_RECV) {
        return Ok(());
    }
    filter::check_socket(sk)?;
    let mut event = SocketEvent {
        uid: read_or(sk, offset!(sock_uid), 0),
        backlog: read_or(sk, offset!(sock_max_ack_backlog), 0),
        ..SocketEvent::default()
    };
    let flags = sock::flags(sk) | sock::port_by_connect(sk) | flag::HAS_TOTALS;
    let cookie = sock::make_cookie(trusted);
    let origin = Origin { kind: kind::SNAPSHOT_SOCKET, engine: engine::TRACEPOINT, sock: sk, cookie, flags };
    // SAFETY: its own head.
    unsafe { write_head::<SocketEvent>(&raw mut event.head, origin) };
    sock::tuple(sk, &mut event.tuple)?;
    sock::totals(sk, &mut event.totals);
    write(meta, &event)
}

#[inline(always)]
fn try_file(meta: *const *mut c_void, task: u64, fd: u32, file: u64) -> Result<(), GaveUp> {
    let sk = fd::tcp_sock_of_file(file)?;
    if sock::state_of(sk) == state::CLOSE {
        return Ok(());
    }
    filter::check_socket(sk)?;
    let drops = read_or(sk, offset!(sock_drops), 0);
    let backlog = read_or(sk, offset!(sock_max_ack_backlog), 0);
    let queued = read_or(sk, offset!(sock_ack_backlog), 0);
    let mut event = OwnerEvent { fd, drops, backlog, queued, ..OwnerEvent::default() };
    let flags = sock::flags(sk) | sock::port_by_connect(sk) | flag::HAS_TOTALS;
    let cookie = sock::cookie(sk);
    let origin = Origin { kind: kind::SNAPSHOT_OWNER, engine: engine::TRACEPOINT, sock: sk, cookie, flags };
    // SAFETY: its own head.
    unsafe { write_head::<OwnerEvent>(&raw mut event.head, origin) };
    sock::tuple(sk, &mut event.tuple)?;
    sock::totals(sk, &mut event.totals);
    task::of(task, &mut event.task);
    write(meta, &event)
}

/// Appends to what the reader of the iterator gets. The kernel repeats the step if there is no room.
#[inline(always)]
fn write<T>(meta: *const *mut c_void, event: &T) -> Result<(), GaveUp> {
    // SAFETY: `meta->seq` is the first member of `struct bpf_iter_meta`; the verifier checks both.
    let ret = unsafe {
        let seq = *meta;
        generated::bpf_seq_write(seq.cast(), (&raw const *event).cast(), size_of::<T>() as u32)
    };
    if ret < 0 { Err(GaveUp) } else { Ok(()) }
}
