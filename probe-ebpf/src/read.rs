//! Checked reads of kernel memory. A read of a bad address fails, it never faults.

use aya_ebpf::helpers::{bpf_probe_read_kernel, generated};
use probe_common::ABSENT;

/// Why a hook gave up on an event; the value is of no interest.
#[derive(Clone, Copy)]
pub struct GaveUp;

impl From<i32> for GaveUp {
    fn from(_: i32) -> Self {
        Self
    }
}

/// Reads a `T` at `base + offset`. Fails on a member this kernel lacks and on unreadable memory.
#[inline(always)]
pub fn read<T: Copy>(base: u64, offset: u32) -> Result<T, GaveUp> {
    if offset == ABSENT {
        return Err(GaveUp);
    }
    // SAFETY: the helper checks the address; every `T` used here is valid for any bytes.
    unsafe { bpf_probe_read_kernel((base + u64::from(offset)) as *const T) }.map_err(|_| GaveUp)
}

/// Reads a `T`, or its zero where it cannot be read.
#[inline(always)]
pub fn read_or<T: Copy>(base: u64, offset: u32, default: T) -> T {
    read(base, offset).unwrap_or(default)
}

/// Reads a `T` straight to `dst` (in an event: the stack has only 512 bytes). Zero where it cannot be read.
#[inline(always)]
pub fn copy<T: Copy>(dst: *mut T, base: u64, offset: u32) {
    if offset != ABSENT {
        let src = (base + u64::from(offset)) as *const core::ffi::c_void;
        // SAFETY: `dst` is room for a `T`; the helper checks the source and clears `dst` if it is bad.
        unsafe { generated::bpf_probe_read_kernel(dst.cast(), size_of::<T>() as u32, src) };
    }
}

/// Argument `n` of a tracing program as a plain number. The verifier then knows nothing of it: some kernels
/// hand out null pointers where their BTF promises none, and a promised pointer's null check is removed.
#[inline(always)]
pub fn plain_arg(ctx: *mut core::ffi::c_void, n: u32) -> u64 {
    read_or(ctx as u64, n * 8, 0)
}

/// `len` bytes of user memory to `dst`.
#[inline(always)]
pub fn read_user_bytes<const MAX: usize>(dst: &mut [u8; MAX], len: u32, src: u64) -> Result<(), GaveUp> {
    // SAFETY: `len` is bounded by the size of `dst`; the helper checks the source.
    let ret = unsafe { generated::bpf_probe_read_user(dst.as_mut_ptr().cast(), len, src as *const _) };
    if ret < 0 { Err(GaveUp) } else { Ok(()) }
}
