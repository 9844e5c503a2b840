//! `/proc`: who holds a socket, and who a process is. Processes vanish at any time and may be hidden: that is
//! `None` or a count, never an error.

mod parse;

use std::collections::HashMap;
use std::io::{self, Read};
use std::os::unix::ffi::OsStrExt;
use std::sync::{Arc, LazyLock};
use std::{fs, path::Path};

use nix::errno::Errno;
use nix::fcntl::readlinkat;

pub use parse::{CgroupRule, cgroup_path, clean};

/// Longest command line kept, bytes of `/proc/PID/cmdline`.
pub const CMDLINE_MAX: usize = 4096;

/// A file descriptor of a process.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Owner {
    /// Process id, as this `/proc` counts.
    pub pid: u32,
    /// File descriptor.
    pub fd: u32,
}

/// Who holds which socket.
#[derive(Clone, Debug, Default)]
pub struct SocketOwners {
    owners: HashMap<u32, Vec<Owner>>,
    /// Processes looked at.
    pub processes: u32,
    /// Processes whose descriptors the caller may not read (all of them, or their links).
    pub hidden: u32,
}

impl SocketOwners {
    /// One walk over `/proc/*/fd`. Without `/proc` nobody owns anything.
    pub fn read() -> Self {
        let mut found = Self::default();
        for pid in pids() {
            found.processes += 1;
            match found.read_process(pid) {
                Err(e) if e.kind() == io::ErrorKind::PermissionDenied => found.hidden += 1,
                Ok(()) | Err(_) => {} // gone
            }
        }
        for owners in found.owners.values_mut() {
            owners.sort_unstable();
        }
        found
    }

    fn read_process(&mut self, pid: u32) -> io::Result<()> {
        let path = format!("/proc/{pid}/fd");
        // Links are read relative to the directory: looking up the whole path takes twice as long.
        let directory = fs::File::open(&path)?;
        for entry in fs::read_dir(&path)? {
            let name = entry?.file_name();
            let Some(fd) = name.to_str().and_then(|n| n.parse().ok()) else { continue };
            match readlinkat(&directory, &*name) {
                Ok(target) => {
                    if let Some(inode) = parse::socket_inode(target.as_bytes()) {
                        self.owners.entry(inode).or_default().push(Owner { pid, fd });
                    }
                }
                Err(e @ (Errno::EACCES | Errno::EPERM)) => return Err(e.into()),
                Err(_) => {} // closed meanwhile
            }
        }
        Ok(())
    }

    /// Holders of the socket with this inode, by pid and descriptor; none for inode 0.
    pub fn of(&self, inode: u32) -> &[Owner] {
        self.owners.get(&inode).map_or(&[], Vec::as_slice)
    }
}

/// Ids of all processes the caller sees.
pub fn pids() -> Vec<u32> {
    let Ok(entries) = fs::read_dir("/proc") else { return Vec::new() };
    entries.flatten().filter_map(|e| e.file_name().to_str()?.parse().ok()).collect()
}

/// What `/proc/PID` says of a process; what the caller may not read, or the process does not have, is `None`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ProcessDetails {
    /// Process id, as this `/proc` counts.
    pub pid: u32,
    /// Start, ns since boot, cut to a clock tick ([`tick_ns`]).
    pub start: u64,
    /// Command name, as [`clean`] makes it.
    pub comm: Arc<str>,
    /// Effective user.
    pub uid: u32,
    /// Path of the executable, also when it is deleted by now. Needs the right to trace the process.
    pub exe: Option<Arc<str>>,
    /// Arguments separated by spaces; kernel threads and zombies have none.
    pub cmdline: Option<Arc<str>>,
    /// Path of the cgroup by the rules of [`cgroup_path`].
    pub cgroup: Option<Arc<str>>,
}

impl ProcessDetails {
    /// Reads them; `None` if there is no such process, or it ended, or the pid was reused meanwhile.
    pub fn read(pid: u32) -> Option<Self> {
        let start = start(pid)?;
        let root = format!("/proc/{pid}");
        let root = Path::new(&root);
        let comm = fs::read(root.join("comm")).ok()?;
        let details = Self {
            pid,
            start,
            comm: clean(comm.strip_suffix(b"\n").unwrap_or(&comm)),
            uid: parse::effective_uid(&fs::read(root.join("status")).ok()?)?,
            exe: exe(root),
            cmdline: cmdline(root),
            cgroup: fs::read(root.join("cgroup")).ok().and_then(|t| Some(cgroup_path(&t)?.0)),
        };
        // The files were of one process only if it still is the same.
        (self::start(pid)? == start).then_some(details)
    }
}

/// Start of a process, ns since boot, cut to a clock tick: field 22 of `/proc/PID/stat`. The kernel has it to
/// the ns (`start_boottime`).
pub fn start(pid: u32) -> Option<u64> {
    let ticks = parse::start_ticks(&fs::read(format!("/proc/{pid}/stat")).ok()?)?;
    ticks.checked_mul(tick_ns())
}

/// Length of a clock tick of `/proc`, ns: 10 ms everywhere but on exotic builds.
pub fn tick_ns() -> u64 {
    static TICK: LazyLock<u64> = LazyLock::new(|| 1_000_000_000 / procfs::ticks_per_second().max(1));
    *TICK
}

/// Whether a start from the kernel (ns) and one from `/proc` (cut to a tick) are those of one process.
pub fn same_start(kernel: u64, proc: u64) -> bool {
    kernel.abs_diff(proc) < tick_ns()
}

fn exe(root: &Path) -> Option<Arc<str>> {
    let target = fs::read_link(root.join("exe")).ok()?;
    let bytes = target.as_os_str().as_bytes();
    Some(clean(bytes.strip_suffix(b" (deleted)").unwrap_or(bytes)))
}

fn cmdline(root: &Path) -> Option<Arc<str>> {
    let mut bytes = Vec::new();
    let file = fs::File::open(root.join("cmdline")).ok()?;
    file.take(CMDLINE_MAX as u64).read_to_end(&mut bytes).ok()?;
    parse::join_arguments(&bytes)
}

#[cfg(test)]
mod tests;
