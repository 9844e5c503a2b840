//! Inside the peer program: one operation through io_uring, by raw system calls.

use std::os::fd::{AsRawFd, FromRawFd, OwnedFd};
use std::sync::atomic::{AtomicU32, Ordering};

use nix::errno::Errno;

const OP_ACCEPT: u8 = 13;
const OP_CONNECT: u8 = 16;
const SETUP_SQPOLL: u32 = 1 << 1;
const ENTER_GETEVENTS: u32 = 1;
const ENTER_SQ_WAKEUP: u32 = 1 << 1;
const OFFSET_CQ_RING: i64 = 0x800_0000;
const OFFSET_SQES: i64 = 0x1000_0000;
const ENTRIES: u32 = 4;
const SQE_SIZE: usize = 64;

/// An operation to submit.
#[derive(Clone, Copy)]
pub enum Op<'a> {
    /// connect() to a `sockaddr` of that size.
    Connect(&'a libc::sockaddr_storage, u32),
    /// accept() without an address.
    Accept,
}

/// `struct io_uring_params`: 10 words, then the offsets of both rings.
#[repr(C)]
#[derive(Default)]
struct Params {
    head: [u32; 10],
    /// head, tail, ring_mask, ring_entries, flags, dropped, array, resv1, user_addr (2).
    submission: [u32; 10],
    /// head, tail, ring_mask, ring_entries, overflow, cqes, flags, resv1, user_addr (2).
    completion: [u32; 10],
}

struct Map(*mut u8, usize);

impl Map {
    fn new(fd: &OwnedFd, size: usize, offset: i64) -> Result<Self, Errno> {
        let (rights, kind) = (libc::PROT_READ | libc::PROT_WRITE, libc::MAP_SHARED | libc::MAP_POPULATE);
        // SAFETY: a new mapping wherever the kernel likes; nothing of ours is touched.
        let at = unsafe { libc::mmap(std::ptr::null_mut(), size, rights, kind, fd.as_raw_fd(), offset) };
        if at == libc::MAP_FAILED { Err(Errno::last()) } else { Ok(Self(at.cast(), size)) }
    }

    /// A word the kernel changes too.
    fn word(&self, offset: u32) -> &AtomicU32 {
        assert!(offset as usize + 4 <= self.1);
        // SAFETY: within the mapping, which lives as long as `self`; the kernel aligns its words.
        unsafe { &*self.0.add(offset as usize).cast::<AtomicU32>() }
    }
}

impl Drop for Map {
    fn drop(&mut self) {
        // SAFETY: the mapping made in `new`; no reference outlives `self`.
        unsafe { libc::munmap(self.0.cast(), self.1) };
    }
}

/// Submits one operation on `fd` and waits for its end; with `polled` the kernel's own thread submits it.
pub fn run(fd: &OwnedFd, op: Op, polled: bool) -> Result<i32, Errno> {
    let mut params = Params::default();
    if polled {
        // flags, sq_thread_cpu, sq_thread_idle (ms)
        (params.head[2], params.head[4]) = (SETUP_SQPOLL, 1000);
    }
    // SAFETY: `params` is as large as the kernel's and valid for the call.
    let ring = unsafe { libc::syscall(libc::SYS_io_uring_setup, ENTRIES, &raw mut params) };
    // SAFETY: a descriptor just made, owned by nobody else.
    let ring = unsafe { OwnedFd::from_raw_fd(i32::try_from(Errno::result(ring)?).unwrap_or(-1)) };
    let [_, tail, mask, _, _, _, array, ..] = params.submission;
    let [done_head, done_tail, done_mask, _, _, entries, ..] = params.completion;
    let submissions = Map::new(&ring, array as usize + 4 * params.head[0] as usize, 0)?;
    let completions = Map::new(&ring, entries as usize + 16 * params.head[1] as usize, OFFSET_CQ_RING)?;
    let slots = Map::new(&ring, SQE_SIZE * params.head[0] as usize, OFFSET_SQES)?;

    let mut entry = [0u8; SQE_SIZE];
    entry[4..8].copy_from_slice(&fd.as_raw_fd().to_ne_bytes());
    match op {
        Op::Accept => {
            entry[0] = OP_ACCEPT;
            let flags = u32::try_from(libc::SOCK_CLOEXEC).unwrap_or(0);
            entry[28..32].copy_from_slice(&flags.to_ne_bytes());
        }
        Op::Connect(to, size) => {
            entry[0] = OP_CONNECT;
            entry[8..16].copy_from_slice(&u64::from(size).to_ne_bytes());
            entry[16..24].copy_from_slice(&(std::ptr::from_ref(to) as u64).to_ne_bytes());
        }
    }
    // SAFETY: the first slot is within the mapping, and the kernel does not read it before the tail moves.
    unsafe { std::ptr::copy_nonoverlapping(entry.as_ptr(), slots.0, SQE_SIZE) };
    let at = submissions.word(tail).load(Ordering::Relaxed);
    submissions
        .word(array + 4 * (at & submissions.word(mask).load(Ordering::Relaxed)))
        .store(0, Ordering::Relaxed);
    submissions.word(tail).store(at + 1, Ordering::Release);

    let flags = if polled { ENTER_GETEVENTS | ENTER_SQ_WAKEUP } else { ENTER_GETEVENTS };
    loop {
        let head = completions.word(done_head).load(Ordering::Relaxed);
        if head != completions.word(done_tail).load(Ordering::Acquire) {
            let slot = entries + 16 * (head & completions.word(done_mask).load(Ordering::Relaxed));
            let result = completions.word(slot + 8).load(Ordering::Acquire).cast_signed();
            completions.word(done_head).store(head + 1, Ordering::Release);
            return if result < 0 { Err(Errno::from_raw(-result)) } else { Ok(result) };
        }
        let pending = submissions.word(tail).load(Ordering::Relaxed)
            - submissions.word(params.submission[0]).load(Ordering::Acquire);
        let submit = if polled { 0 } else { pending };
        let none = std::ptr::null::<libc::sigset_t>();
        // SAFETY: passes no memory but the rings, which are mapped.
        let entered =
            unsafe { libc::syscall(libc::SYS_io_uring_enter, ring.as_raw_fd(), submit, 1, flags, none, 0) };
        match Errno::result(entered) {
            Ok(_) | Err(Errno::EINTR) => {}
            Err(e) => return Err(e),
        }
    }
}
