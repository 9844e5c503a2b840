//! The only way out: reserve, fill, submit, and count every reservation that failed.

use aya_ebpf::helpers::generated;
use probe_common::{Head, kind};

use crate::maps::{DROPS, EVENTS};
use crate::read::GaveUp;

/// What every event says first.
#[derive(Clone, Copy)]
pub struct Origin {
    /// One of `probe_common::kind`.
    pub kind: u8,
    /// One of `probe_common::engine`.
    pub engine: u8,
    /// Address of the socket, 0 for none.
    pub sock: u64,
    /// Its cookie, 0 unknown.
    pub cookie: u64,
    /// Bits of `probe_common::flag`.
    pub flags: u16,
}

/// Sends an event of type `T`. `fill` gets it in place, all zero but for its head, and takes it back by
/// giving up. In place, because the stack of a program has 512 bytes.
#[inline(always)]
pub fn emit<T: 'static>(
    origin: Origin,
    fill: impl FnOnce(&mut T) -> Result<(), GaveUp>,
) -> Result<(), GaveUp> {
    let Some(mut entry) = EVENTS.reserve::<T>(0) else {
        count_drop(origin.kind);
        return Err(GaveUp);
    };
    let event = entry.as_mut_ptr();
    for word in 0..size_of::<T>() / 8 {
        // SAFETY: within the reservation, whose size is a multiple of eight. Volatile, because a memset
        // would become a call of a function with a loop.
        unsafe { event.cast::<u64>().add(word).write_volatile(0) };
    }
    // SAFETY: every event starts with a `Head` (`repr(C)`), and all zeros are valid for every event.
    let event = unsafe {
        write_head::<T>(event.cast(), origin);
        &mut *event
    };
    let filled = fill(event);
    match filled {
        Ok(()) => entry.submit(0),
        Err(GaveUp) => entry.discard(0),
    }
    filled
}

/// Writes the head of an event of type `T` that happens now.
///
/// # Safety
/// `head` must be writable.
#[inline(always)]
pub unsafe fn write_head<T>(head: *mut Head, origin: Origin) {
    // SAFETY: the helper takes no arguments and only reads a clock; `head` is the caller's word.
    unsafe {
        (*head).ts = generated::bpf_ktime_get_boot_ns();
        (*head).sock = origin.sock;
        (*head).cookie = origin.cookie;
        (*head).size = size_of::<T>() as u16;
        (*head).flags = origin.flags;
        (*head).kind = origin.kind;
        (*head).engine = origin.engine;
        (*head).pad = 0;
    }
}

/// Counts an event of `kind` that found no room.
#[inline(always)]
pub fn count_drop(kind: u8) {
    const _: () = assert!((kind::SNAPSHOT_OWNER as u32) < probe_common::DROP_SLOTS);
    if let Some(count) = DROPS.get_ptr_mut(u32::from(kind)) {
        // SAFETY: adds to a slot of a map. In one instruction, because softirq may interrupt a process just
        // here on the same CPU; `core` offers no atomic addition for this target.
        unsafe { core::arch::asm!("lock *(u64 *)({0} + 0) += {1}", in(reg) count, in(reg) 1_u64) };
    }
}
