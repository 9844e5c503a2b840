//! Load, attach, then drop everything that is not needed any more.

use caps::{CapSet, Capability};

/// What tracing needs, and what each is for.
pub const NEEDED: &[(Capability, &str)] = &[
    (Capability::CAP_BPF, "load BPF programs and maps"),
    (Capability::CAP_PERFMON, "read kernel memory and attach to tracepoints"),
];

/// What makes it complete, and what is lost without.
pub const WANTED: &[(Capability, &str)] = &[
    (
        Capability::CAP_SYS_ADMIN,
        "enter other network namespaces for the snapshot at the start, and mount tracefs where it is not",
    ),
    (Capability::CAP_SYS_PTRACE, "read /proc/PID/exe of other users' processes"),
    (Capability::CAP_DAC_READ_SEARCH, "read tracefs and /proc/PID/fd of other users' processes"),
    (Capability::CAP_SYS_NICE, "run soon when all CPUs are busy, so that no event is lost"),
];

/// What is kept to the end: /proc is asked for processes that the kernel side could not describe.
const KEPT: &[Capability] = &[Capability::CAP_SYS_PTRACE, Capability::CAP_DAC_READ_SEARCH];

/// Whether this thread has a capability in effect. CAP_SYS_ADMIN stands for CAP_BPF and CAP_PERFMON.
pub fn has(capability: Capability) -> bool {
    let effective = |c| caps::has_cap(None, CapSet::Effective, c).unwrap_or(false);
    effective(capability)
        || (NEEDED.iter().any(|(c, _)| *c == capability) && effective(Capability::CAP_SYS_ADMIN))
}

/// Names of the capabilities that tracing cannot do without and this process has not.
pub fn missing() -> Vec<String> {
    NEEDED.iter().filter(|(c, _)| !has(*c)).map(|(c, _)| c.to_string()).collect()
}

/// Asks the scheduler to let this process run soon when it has something to do: on a host whose CPUs are all
/// busy the ring buffer would overflow while the tracer waits for its turn. Needs CAP_SYS_NICE.
pub fn hurry() {
    const NICE: i32 = -10;
    #[allow(unsafe_code, reason = "nix has no setpriority")]
    // SAFETY: takes numbers only; 0 is the calling thread.
    let failed = unsafe { libc::setpriority(libc::PRIO_PROCESS, 0, NICE) } != 0;
    if failed {
        tracing::debug!("no higher priority: {}", std::io::Error::last_os_error());
    }
}

/// Drops every capability of this thread: for threads that only move bytes.
pub fn drop_all() {
    // A thread without capabilities has none to drop; one that cannot drop them is no worse off.
    let _ = nix::sys::prctl::set_no_new_privs();
    let _ = caps::clear(None, CapSet::Effective);
    let _ = caps::clear(None, CapSet::Permitted);
}

/// Before 5.19 every `bpf()` call needs CAP_BPF where `kernel.unprivileged_bpf_disabled` is set, reading a map of
/// one's own too; without it losses would go uncounted.
fn maps_need_capability() -> bool {
    let release = std::fs::read_to_string("/proc/sys/kernel/osrelease").unwrap_or_default();
    let mut numbers = release.split(['.', '-']).map(|n| n.parse::<u32>().unwrap_or(0));
    (numbers.next().unwrap_or(0), numbers.next().unwrap_or(0)) < (5, 19)
}

/// Drops all capabilities but those that are still needed, for this thread and the ones it starts from now
/// on. Call it before other threads are started.
pub fn drop_rest() -> Result<(), String> {
    let now = caps::read(None, CapSet::Permitted).map_err(|e| format!("failed to read capabilities: {e}"))?;
    let bpf = maps_need_capability().then_some(Capability::CAP_BPF);
    let keep: caps::CapsHashSet = KEPT.iter().copied().chain(bpf).filter(|c| now.contains(c)).collect();
    let set = |which, to: &caps::CapsHashSet| {
        caps::set(None, which, to).map_err(|e| format!("failed to drop capabilities: {e}"))
    };
    caps::clear(None, CapSet::Ambient).map_err(|e| format!("failed to drop capabilities: {e}"))?;
    set(CapSet::Effective, &keep)?;
    set(CapSet::Permitted, &keep)?;
    set(CapSet::Inheritable, &caps::CapsHashSet::new())?;
    nix::sys::prctl::set_no_new_privs().map_err(|e| format!("failed to set no_new_privs: {e}"))
}
