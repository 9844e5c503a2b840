//! A second witness of what happens to sockets: the kernel's own trace of the same tracepoints.
//!
//! Some kernels run no BPF program in the context of the process that is 1 on the machine (seen with the init of a
//! small virtual machine). A softirq that interrupts that process is then seen by no tracer: the tracepoints fire,
//! and none of the programs on them run. Who was interrupted is in this trace; a test that fails can ask whether
//! that happened to it.

use std::fs::{self, File};
use std::io::Read;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use nix::mount::{MntFlags, MsFlags, mount, umount2};

use crate::run::readable;

const EVENTS: [&str; 5] = [
    "sock/inet_sock_set_state",
    "sock/inet_sk_error_report",
    "tcp/tcp_receive_reset",
    "tcp/tcp_send_reset",
    "tcp/tcp_destroy_sock",
];
const INSTANCE: &str = "connprobe-lab-";
/// How long the trace may lag behind.
const LAG: Duration = Duration::from_secs(1);

type Lines = Arc<(Mutex<Vec<String>>, Condvar)>;

/// Reads the trace until it is dropped.
pub struct Witness {
    root: tempfile::TempDir,
    instance: PathBuf,
    hidden: Lines,
    over: Arc<AtomicBool>,
    reader: Option<JoinHandle<()>>,
}

impl Witness {
    /// Fails where there is no tracefs to mount.
    pub fn new() -> Result<Self> {
        let root = tempfile::tempdir()?;
        let none: Option<&str> = None;
        mount(none, root.path(), Some("tracefs"), MsFlags::empty(), none)
            .context("failed to mount tracefs")?;
        sweep(&root.path().join("instances"));
        let instance = root.path().join("instances").join(format!("{INSTANCE}{}", std::process::id()));
        let (hidden, over) = (Lines::default(), Arc::new(AtomicBool::new(false)));
        let mut witness = Self { root, instance, hidden, over, reader: None };
        fs::create_dir(&witness.instance).context("failed to make an instance of the trace")?;
        fs::write(witness.instance.join("buffer_size_kb"), "8192")?;
        for event in EVENTS {
            // Older kernels have not all of them.
            let _ = fs::write(witness.instance.join("events").join(event).join("enable"), "1");
        }
        let pipe = witness.instance.join("trace_pipe");
        let pipe = fs::OpenOptions::new().read(true).custom_flags(libc::O_NONBLOCK).open(pipe)?;
        let (hidden, over) = (Arc::clone(&witness.hidden), Arc::clone(&witness.over));
        witness.reader = Some(std::thread::spawn(move || follow(pipe, &hidden, &over)));
        Ok(witness)
    }

    /// What happened to sockets with an address of that beginning while process 1 was current, now or a moment ago.
    pub fn hidden(&self, prefixes: &[String]) -> Vec<String> {
        let is_ours = |line: &&String| {
            prefixes
                .iter()
                .any(|p| line.contains(&format!("addr={p}")) || line.contains(&format!("addrv6={p}")))
        };
        let (all, changed) = &*self.hidden;
        let deadline = Instant::now() + LAG;
        let mut all = all.lock().unwrap_or_else(PoisonError::into_inner);
        loop {
            let found: Vec<_> = all.iter().filter(is_ours).cloned().collect();
            let left = deadline.saturating_duration_since(Instant::now());
            if !found.is_empty() || left.is_zero() {
                return found;
            }
            all = changed.wait_timeout(all, left).unwrap_or_else(PoisonError::into_inner).0;
        }
    }
}

impl Drop for Witness {
    fn drop(&mut self) {
        self.over.store(true, Ordering::Relaxed);
        self.reader.take().map(JoinHandle::join);
        let _ = fs::remove_dir(&self.instance);
        let _ = umount2(self.root.path(), MntFlags::MNT_DETACH);
    }
}

/// Keeps the lines of process 1's threads.
fn follow(mut pipe: File, hidden: &Lines, over: &AtomicBool) {
    let (mut text, mut chunk) = (Vec::new(), vec![0; 65_536]);
    while !over.load(Ordering::Relaxed) {
        if !readable(&pipe, Duration::from_millis(200)).unwrap_or(false) {
            continue;
        }
        let Ok(n) = pipe.read(&mut chunk) else { continue };
        text.extend_from_slice(&chunk[..n]);
        let whole = text.iter().rposition(|byte| *byte == b'\n').map_or(0, |end| end + 1);
        let lines: Vec<u8> = text.drain(..whole).collect();
        let lines = String::from_utf8_lossy(&lines);
        let new: Vec<String> =
            lines.lines().filter(|line| is_of_process_1(line)).map(str::to_owned).collect();
        hidden.0.lock().unwrap_or_else(PoisonError::into_inner).extend(new);
        hidden.1.notify_all();
    }
}

/// `COMM-TID [CPU] FLAGS TIME: …`, with spaces before.
fn tid(line: &str) -> Option<u32> {
    line.split_once(": ")?.0.rsplit_once(" [")?.0.trim_end().rsplit_once('-')?.1.parse().ok()
}

fn is_of_process_1(line: &str) -> bool {
    tid(line).is_some_and(|tid| Path::new("/proc/1/task").join(tid.to_string()).exists())
}

/// Removes the traces of processes that died without doing it.
fn sweep(instances: &Path) {
    for entry in fs::read_dir(instances).into_iter().flatten().flatten() {
        let name = entry.file_name();
        let pid = name.to_str().and_then(|name| name.strip_prefix(INSTANCE));
        if pid.is_some_and(|pid| !Path::new("/proc").join(pid).exists()) {
            let _ = fs::remove_dir(entry.path());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_names_the_thread_that_was_interrupted() {
        let line = "     a-b [x]-77      [001] ..s2.  4383.997814: inet_sock_set_state: family=AF_INET";
        assert_eq!(tid(line), Some(77));
        assert_eq!(tid("          <idle>-0       [000] ..s1.  1.0: tcp_send_reset: "), Some(0));
        assert_eq!(tid("# tracer: nop"), None);
    }
}
