//! All maps and read-only globals. For each: how big, why, and what happens when it is full.

use aya_ebpf::macros::map;
use aya_ebpf::maps::{LruHashMap, PerCpuArray, RingBuf};
use probe_common::{DROP_SLOTS, Offsets, ProcessEvent, Settings};

use crate::connecting::Connecting;
use crate::task::Image;

/// Events on their way to user space, in the order of their reservation on all CPUs. The loader sets the
/// size (`--buffer`). Full: the reservation fails and is counted in `DROPS`.
#[map]
pub static EVENTS: RingBuf = RingBuf::with_byte_size(64 * 1024 * 1024, 0);

/// Failed reservations per event kind and CPU, counted since the start. Fixed size, cannot be full.
#[map]
pub static DROPS: PerCpuArray<u64> = PerCpuArray::with_max_entries(DROP_SLOTS, 0);

/// Threads inside connect(), by thread id. One entry per thread that is connecting just now; full: the
/// longest waiting ones are forgotten, and a connect() of theirs that fails without a state change has no
/// result. New connections are always seen.
#[map]
pub static CONNECTING: LruHashMap<u64, Connecting> = LruHashMap::with_max_entries(16_384, 0);

/// Processes already described, by process id. Full: the least recently used is forgotten and described
/// again when it acts again, which user space takes as the same process.
#[map]
pub static IMAGES: LruHashMap<u32, Image> = LruHashMap::with_max_entries(16_384, 0);

/// The state change that the first program on the tracepoint has reported on this CPU, for its stand-in: the
/// socket, and its states. Fixed size, cannot be full.
#[map]
pub static REPORTED: PerCpuArray<[u64; 2]> = PerCpuArray::with_max_entries(1, 0);

/// Where a process description is put together, too large for the stack. One per CPU.
#[map]
pub static SCRATCH: PerCpuArray<ProcessEvent> = PerCpuArray::with_max_entries(1, 0);

/// Offsets in the running kernel's structures; the loader writes them before the programs are loaded.
#[unsafe(no_mangle)]
static OFFSETS: Offsets = Offsets::EMPTY;

/// Filters and switches; the loader writes them before the programs are loaded.
#[unsafe(no_mangle)]
static SETTINGS: Settings = Settings::OPEN;

/// The offset of one member. A constant for the verifier, because the globals are frozen.
macro_rules! offset {
    ($field:ident) => {
        $crate::maps::load_offset(|o| unsafe { &raw const (*o).$field })
    };
}
pub(crate) use offset;

#[inline(always)]
pub fn load_offset(field: impl FnOnce(*const Offsets) -> *const u32) -> u32 {
    // SAFETY: the pointer is into OFFSETS; volatile because the loader changes it after compilation.
    unsafe { core::ptr::read_volatile(field(&raw const OFFSETS)) }
}

/// One setting, by a projection to its field.
#[inline(always)]
pub fn setting<T: Copy>(field: impl FnOnce(*const Settings) -> *const T) -> T {
    // SAFETY: the pointer is into SETTINGS; volatile because the loader changes it after compilation.
    unsafe { core::ptr::read_volatile(field(&raw const SETTINGS)) }
}

/// Whether a switch of `probe_common::want` is on.
#[inline(always)]
pub fn wants(bit: u32) -> bool {
    setting(|s| unsafe { &raw const (*s).want }) & bit != 0
}
