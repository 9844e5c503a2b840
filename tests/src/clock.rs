//! The clock of the truth: `CLOCK_MONOTONIC`, which is also the clock of `bpf_ktime_get_ns`.

use std::time::Duration;

/// No wait of these tests is longer.
pub const PATIENCE: Duration = Duration::from_secs(30);

/// No peer lives longer, whatever happens to the test that started it.
pub const LIFETIME_SECONDS: u32 = 180;

/// `CLOCK_MONOTONIC`, ns.
pub fn now_ns() -> u64 {
    read(libc::CLOCK_MONOTONIC)
}

/// `CLOCK_BOOTTIME`, ns: the clock of everything connprobe measures. It differs from `CLOCK_MONOTONIC` by the
/// time the machine was suspended.
pub fn boot_ns() -> u64 {
    read(libc::CLOCK_BOOTTIME)
}

/// Wall-clock time since 1970, ns.
pub fn wall_ns() -> u64 {
    read(libc::CLOCK_REALTIME)
}

fn read(clock: libc::clockid_t) -> u64 {
    let mut ts = libc::timespec { tv_sec: 0, tv_nsec: 0 };
    // SAFETY: `ts` is valid for the whole call.
    unsafe { libc::clock_gettime(clock, &raw mut ts) };
    u64::try_from(ts.tv_sec).unwrap_or(0) * 1_000_000_000 + u64::try_from(ts.tv_nsec).unwrap_or(0)
}
