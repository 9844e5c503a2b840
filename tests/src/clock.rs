//! The clock of the truth: `CLOCK_MONOTONIC`, which is also the clock of `bpf_ktime_get_ns`.

use std::time::Duration;

/// No wait of these tests is longer.
pub const PATIENCE: Duration = Duration::from_secs(30);

/// No peer lives longer, whatever happens to the test that started it.
pub const LIFETIME_SECONDS: u32 = 180;

/// `CLOCK_MONOTONIC`, ns.
pub fn now_ns() -> u64 {
    let mut ts = libc::timespec { tv_sec: 0, tv_nsec: 0 };
    // SAFETY: `ts` is valid for the whole call.
    unsafe { libc::clock_gettime(libc::CLOCK_MONOTONIC, &raw mut ts) };
    u64::try_from(ts.tv_sec).unwrap_or(0) * 1_000_000_000 + u64::try_from(ts.tv_nsec).unwrap_or(0)
}
