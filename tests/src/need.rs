//! What a test needs of the machine, and what happens when it is not there.

use std::path::PathBuf;
use std::sync::OnceLock;

/// The connprobe binary under test, from `CONNPROBE_BIN`.
pub fn connprobe() -> Option<PathBuf> {
    std::env::var_os("CONNPROBE_BIN").map(PathBuf::from)
}

/// Why this machine cannot run an end-to-end test, if it cannot.
fn missing() -> Option<String> {
    if !nix::unistd::geteuid().is_root() {
        return Some("not root: namespaces and eBPF need it".into());
    }
    for tool in ["ip", "jq", "nft", "ss"] {
        if std::process::Command::new(tool).arg("--version").output().is_err()
            && std::process::Command::new(tool).arg("-V").output().is_err()
        {
            return Some(format!("{tool} is not installed"));
        }
    }
    None
}

/// True when a test that needs root and namespaces can run; otherwise says so, or fails where skips are not
/// allowed. `tracer`: the test needs the binary too.
pub fn satisfied(tracer: bool) -> bool {
    let Some(reason) = missing_for(tracer) else { return true };
    unavailable(&reason);
    false
}

/// Why such a test cannot run here, if it cannot.
pub fn missing_for(tracer: bool) -> Option<String> {
    static MACHINE: OnceLock<Option<String>> = OnceLock::new();
    let reason = MACHINE.get_or_init(missing).clone();
    if !tracer || reason.is_some() {
        return reason;
    }
    match connprobe() {
        None => Some("CONNPROBE_BIN is not set".into()),
        Some(path) if !path.is_file() => Some(format!("CONNPROBE_BIN: no such file: {}", path.display())),
        Some(_) => None,
    }
}

/// Says why this test does not run here, or fails where skips are not allowed.
pub fn unavailable(reason: &str) {
    skip(std::thread::current().name().unwrap_or("?"), reason);
}

/// The same for a test of that name.
pub fn skip(test: &str, reason: &str) {
    let strict = ["CI", "CONNPROBE_REQUIRE_ALL"].into_iter().any(|v| std::env::var_os(v).is_some());
    assert!(!strict, "{test} must run here: {reason}");
    // Not `eprintln!`: libtest would keep it to itself for a test that passes.
    let _ = nix::unistd::write(std::io::stderr(), format!("SKIP {test}: {reason}\n").as_bytes());
}

/// Says that this test, should it fail, is to be run again: the kernel hid this event from connprobe.
pub fn again(event: &str) {
    let test = std::thread::current().name().unwrap_or("?").to_owned();
    // As for a skip.
    let _ = nix::unistd::write(std::io::stderr(), format!("HIDDEN {test}: {event}\n").as_bytes());
}

/// Kernel release as (major, minor).
pub fn kernel() -> (u32, u32) {
    let release = std::fs::read_to_string("/proc/sys/kernel/osrelease").unwrap_or_default();
    let mut numbers = release.split(['.', '-']).map_while(|n| n.parse().ok());
    (numbers.next().unwrap_or(0), numbers.next().unwrap_or(0))
}

/// Since 6.10 the kernel says why it sent a RST.
pub fn has_reset_reasons() -> bool {
    kernel() >= (6, 10)
}
