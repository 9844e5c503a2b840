//! Who a process is, as records say it. Pure: everything comes from the image captured early, so it is right
//! for processes that are gone by the time their records are written.

use std::num::NonZeroUsize;
use std::sync::Arc;

use lru::LruCache;

use super::cgroup;
use crate::decode::event::{BootNs, ProcessId, ProcessImage};

/// A process with everything that is derived from it. Immutable: whoever keeps the `Arc` keeps who the process
/// was then, whatever it executes later. Absent is what nobody could read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Identity {
    /// Which process.
    pub process: ProcessId,
    /// Command name.
    pub comm: Arc<str>,
    /// Path of the executable.
    pub exe: Option<Arc<str>>,
    /// Arguments separated by spaces.
    pub cmdline: Option<Arc<str>>,
    /// Effective user.
    pub uid: u32,
    /// Its name.
    pub user: Option<Arc<str>>,
    /// Path of the cgroup.
    pub cgroup: Option<Arc<str>>,
    /// systemd unit.
    pub unit: Option<Arc<str>>,
    /// Container id.
    pub container: Option<Arc<str>>,
    /// Kubernetes pod uid.
    pub pod: Option<Arc<str>>,
}

impl Identity {
    /// From an image and the name of its user.
    pub fn new(image: ProcessImage, user: Option<Arc<str>>) -> Self {
        let placement = image.cgroup.as_deref().map(cgroup::placement).unwrap_or_default();
        Self {
            process: image.process,
            comm: image.comm,
            exe: image.exe,
            cmdline: image.cmdline,
            uid: image.uid,
            user,
            cgroup: image.cgroup,
            unit: placement.unit.map(Into::into),
            container: placement.container.map(Into::into),
            pod: placement.pod.map(Into::into),
        }
    }

    /// Process id.
    pub fn pid(&self) -> u32 {
        self.process.pid
    }

    /// Whether the kernel's `comm`, NUL-padded, is this process's name.
    pub fn is_named(&self, comm: &[u8]) -> bool {
        comm.strip_prefix(self.comm.as_bytes()).is_some_and(|rest| rest.first().is_none_or(|b| *b == 0))
    }
}

/// The processes seen lately, each with its last few images. Full, it forgets the one that was not asked for
/// the longest.
#[derive(Debug)]
pub struct ProcessTable {
    table: LruCache<ProcessId, Images>,
    evicted: u64,
}

/// Images of one process, oldest first, each with the time it was taken.
type Images = Vec<(BootNs, Arc<Identity>)>;

/// Images kept of one process: more than this many execs during one connection lose its first one.
const IMAGES: usize = 4;

impl ProcessTable {
    /// A table of at most `capacity` processes.
    pub fn new(capacity: NonZeroUsize) -> Self {
        Self { table: LruCache::new(capacity), evicted: 0 }
    }

    /// Takes an image, when it was taken, and the name of its user, which the caller looks up (a replay must
    /// not). A process has a new image when it has called exec or moved to another cgroup.
    pub fn insert(&mut self, at: BootNs, image: ProcessImage, user: Option<Arc<str>>) {
        let process = image.process;
        let mut images = self.table.pop(&process).unwrap_or_default();
        images.push((at, Arc::new(Identity::new(image, user))));
        images.sort_by_key(|(at, _)| *at);
        if images.len() > IMAGES {
            images.remove(0);
        }
        if self.table.push(process, images).is_some() {
            self.evicted += 1;
        }
    }

    /// Who the process was at a time: its last image from before, or its first if that is later.
    pub fn at(&mut self, process: ProcessId, at: BootNs) -> Option<&Identity> {
        let images = self.table.get(&process)?;
        let before = images.iter().rev().find(|(taken, _)| *taken <= at);
        before.or(images.first()).map(|(_, identity)| &**identity)
    }

    /// Processes in the table.
    pub fn len(&self) -> usize {
        self.table.len()
    }

    /// No process is in the table.
    pub fn is_empty(&self) -> bool {
        self.table.is_empty()
    }

    /// Processes forgotten because the table was full.
    pub fn evicted(&self) -> u64 {
        self.evicted
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn image(pid: u32, start: u64, comm: &str) -> ProcessImage {
        ProcessImage {
            process: ProcessId { pid, start },
            uid: 1000,
            comm: comm.into(),
            exe: Some(format!("/usr/bin/{comm}").into()),
            cmdline: None,
            cgroup: Some("/system.slice/web.service".into()),
        }
    }

    #[test]
    fn exec_changes_who_the_process_is_from_then_on() {
        let mut table = ProcessTable::new(NonZeroUsize::MIN.saturating_add(3));
        let id = ProcessId { pid: 7, start: 70 };
        table.insert(BootNs(100), image(7, 70, "sh"), None);
        table.insert(BootNs(200), image(7, 70, "curl"), Some("me".into()));
        let comm = |table: &mut ProcessTable, at| table.at(id, BootNs(at)).unwrap().comm.to_string();
        assert_eq!(comm(&mut table, 150), "sh");
        assert_eq!(comm(&mut table, 200), "curl");
        assert_eq!(comm(&mut table, 50), "sh");
        assert_eq!((table.len(), table.evicted()), (1, 0));
    }

    #[test]
    fn a_reused_pid_is_another_process() {
        let mut table = ProcessTable::new(NonZeroUsize::MIN.saturating_add(3));
        table.insert(BootNs(0), image(7, 70, "old"), None);
        assert!(table.at(ProcessId { pid: 7, start: 71 }, BootNs(9)).is_none());
        table.insert(BootNs(0), image(7, 71, "new"), None);
        assert_eq!(&*table.at(ProcessId { pid: 7, start: 70 }, BootNs(9)).unwrap().comm, "old");
        assert_eq!(&*table.at(ProcessId { pid: 7, start: 71 }, BootNs(9)).unwrap().comm, "new");
    }

    #[test]
    fn a_full_table_forgets_the_least_recently_used() {
        let mut table = ProcessTable::new(NonZeroUsize::new(2).unwrap());
        for pid in [1, 2] {
            table.insert(BootNs(0), image(pid, 1, "p"), None);
        }
        table.at(ProcessId { pid: 1, start: 1 }, BootNs(9));
        table.insert(BootNs(0), image(3, 1, "p"), None);
        assert!(table.at(ProcessId { pid: 1, start: 1 }, BootNs(9)).is_some());
        assert!(table.at(ProcessId { pid: 2, start: 1 }, BootNs(9)).is_none());
        assert_eq!((table.len(), table.evicted(), table.is_empty()), (2, 1, false));
    }
}
