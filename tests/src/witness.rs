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
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
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
/// Marks in the trace, so that its reader can be waited for.
const MARK: &str = "connprobe-lab-mark-";
/// How long the reader may lag behind.
const LAG: Duration = Duration::from_secs(2);

/// What the reader has read.
#[derive(Default)]
struct Seen {
    /// Lines of process 1's threads.
    hidden: Vec<String>,
    /// The last mark.
    mark: u32,
}

type Shared = Arc<(Mutex<Seen>, Condvar)>;

/// Reads the trace until it is dropped.
pub struct Witness {
    root: tempfile::TempDir,
    instance: PathBuf,
    read: Shared,
    marks: AtomicU32,
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
        static NEXT: AtomicU32 = AtomicU32::new(1);
        let name = format!("{INSTANCE}{}-{}", std::process::id(), NEXT.fetch_add(1, Ordering::Relaxed));
        let instance = root.path().join("instances").join(name);
        let (read, over) = (Shared::default(), Arc::new(AtomicBool::new(false)));
        let mut witness = Self { root, instance, read, marks: AtomicU32::new(0), over, reader: None };
        fs::create_dir(&witness.instance).context("failed to make an instance of the trace")?;
        fs::write(witness.instance.join("buffer_size_kb"), "8192")?;
        for event in EVENTS {
            // Older kernels have not all of them.
            let _ = fs::write(witness.instance.join("events").join(event).join("enable"), "1");
        }
        let pipe = witness.instance.join("trace_pipe");
        let pipe = fs::OpenOptions::new().read(true).custom_flags(libc::O_NONBLOCK).open(pipe)?;
        let (read, over) = (Arc::clone(&witness.read), Arc::clone(&witness.over));
        witness.reader = Some(std::thread::spawn(move || follow(pipe, &read, &over)));
        Ok(witness)
    }

    /// What happened to sockets with an address of that beginning while process 1 was current, up to now.
    pub fn hidden(&self, prefixes: &[String]) -> Vec<String> {
        let is_ours = |line: &&String| {
            prefixes
                .iter()
                .any(|p| line.contains(&format!("addr={p}")) || line.contains(&format!("addrv6={p}")))
        };
        let mark = self.marks.fetch_add(1, Ordering::Relaxed) + 1;
        let marked = fs::write(self.instance.join("trace_marker"), format!("{MARK}{mark}\n")).is_ok();
        let (read, changed) = &*self.read;
        let deadline = Instant::now() + LAG;
        let mut read = read.lock().unwrap_or_else(PoisonError::into_inner);
        while marked && read.mark < mark {
            let left = deadline.saturating_duration_since(Instant::now());
            if left.is_zero() {
                break;
            }
            read = changed.wait_timeout(read, left).unwrap_or_else(PoisonError::into_inner).0;
        }
        read.hidden.iter().filter(is_ours).cloned().collect()
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
fn follow(mut pipe: File, read: &Shared, over: &AtomicBool) {
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
        let new = lines.lines().filter(|line| is_of_process_1(line)).map(str::to_owned);
        let mark = lines.lines().filter_map(|line| line.split_once(MARK)?.1.trim().parse().ok()).max();
        let (read, changed) = &**read;
        let mut read = read.lock().unwrap_or_else(PoisonError::into_inner);
        read.hidden.extend(new);
        read.mark = read.mark.max(mark.unwrap_or(0));
        changed.notify_all();
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
        let pid = name.to_str().and_then(|name| name.strip_prefix(INSTANCE)?.split('-').next());
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
