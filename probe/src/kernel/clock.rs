//! Kernel events carry the time since boot; records carry wall-clock time. The difference moves when the
//! wall clock is set, so it is measured again and again.

use nix::time::{ClockId, clock_gettime};

use crate::decode::event::BootNs;

/// Now, since boot.
pub fn boot_now() -> BootNs {
    BootNs(u64::try_from(read(ClockId::CLOCK_BOOTTIME)).unwrap_or(0))
}

/// Wall-clock time minus time since boot, ns. The middle one of two boot readings around the wall reading.
pub fn wall_offset() -> i64 {
    let before = read(ClockId::CLOCK_BOOTTIME);
    let wall = read(ClockId::CLOCK_REALTIME);
    let after = read(ClockId::CLOCK_BOOTTIME);
    wall - (before + (after - before) / 2)
}

fn read(clock: ClockId) -> i64 {
    // Both clocks exist on every Linux this runs on.
    clock_gettime(clock).map_or(0, |t| t.tv_sec() * 1_000_000_000 + t.tv_nsec())
}
