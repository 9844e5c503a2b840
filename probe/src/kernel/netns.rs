//! Network namespaces: which there are, and running something inside one.

use std::collections::BTreeMap;
use std::fs::File;
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::{fs, io};

use nix::sched::{CloneFlags, setns};

/// Why a namespace could not be found or entered.
#[derive(Debug, thiserror::Error)]
pub enum NetnsError {
    /// `/proc` does not say in which namespace the calling thread is.
    #[error("failed to read the network namespace of this thread: {0}; is /proc mounted?")]
    Own(#[source] io::Error),
    /// `/proc` cannot be listed.
    #[error("failed to list /proc: {0}")]
    Proc(#[source] io::Error),
    /// `setns(2)` refused, or no thread could be started.
    #[error("failed to enter network namespace {inode}: {source}; it needs CAP_SYS_ADMIN")]
    Enter {
        /// Inode of the namespace.
        inode: u32,
        /// What the kernel said.
        source: io::Error,
    },
}

/// One network namespace. While it lives the namespace does.
#[derive(Debug)]
pub struct Netns {
    /// Its inode, as in `/proc/PID/ns/net` and in the field `netns` of records.
    pub inode: u32,
    /// Last part of its path, where it is bound to one (`ip netns`).
    pub name: Option<String>,
    /// The way in; `None` for the namespace of the thread that listed them.
    handle: Option<OwnedFd>,
}

impl Netns {
    /// The namespace of the calling thread.
    ///
    /// # Errors
    /// [`NetnsError::Own`] without `/proc`.
    pub fn own() -> Result<Self, NetnsError> {
        let metadata = fs::metadata("/proc/thread-self/ns/net").map_err(NetnsError::Own)?;
        Ok(Self { inode: inode_of(&metadata), name: None, handle: None })
    }

    /// The caller of [`list`] is in it already.
    pub fn is_own(&self) -> bool {
        self.handle.is_none()
    }
}

/// What [`list`] found.
#[derive(Debug)]
pub struct Listing {
    /// The namespaces, the caller's own first, then by inode.
    pub namespaces: Vec<Netns>,
    /// Processes whose namespace the caller may not see.
    pub hidden_processes: u32,
    /// Namespaces seen that could not be opened (permission, or too many open files).
    pub unopened: u32,
}

/// All network namespaces the caller may see: those of the processes in `/proc` and those bound to a path
/// (`/run/netns/*`). A namespace held only by an open file or a socket is not among them.
///
/// # Errors
/// Only without a usable `/proc`; what vanishes or is forbidden meanwhile is counted.
pub fn list() -> Result<Listing, NetnsError> {
    let own = Netns::own()?;
    let own_inode = own.inode;
    let mut candidates: BTreeMap<u32, (PathBuf, Option<String>)> = BTreeMap::new();
    let mut hidden_processes = 0;
    for entry in fs::read_dir("/proc").map_err(NetnsError::Proc)?.flatten() {
        if !entry.file_name().as_encoded_bytes().iter().all(u8::is_ascii_digit) {
            continue;
        }
        let path = entry.path().join("ns/net");
        match fs::read_link(&path) {
            Ok(link) => {
                if let Some(inode) = link.to_str().and_then(inode_of_link) {
                    candidates.entry(inode).or_insert((path, None));
                }
            }
            Err(e) if e.kind() == io::ErrorKind::PermissionDenied => hidden_processes += 1,
            Err(_) => {} // gone
        }
    }
    // A bind mount outlives processes: the better way in.
    for (inode, path) in mounts(&fs::read("/proc/self/mountinfo").unwrap_or_default()) {
        let name = path.file_name().map(|n| n.to_string_lossy().into_owned());
        candidates.insert(inode, (path, name));
    }
    let name = candidates.remove(&own_inode).and_then(|(_, name)| name);
    let mut listing = Listing { namespaces: vec![Netns { name, ..own }], hidden_processes, unopened: 0 };
    for (inode, (path, name)) in candidates {
        match open(&path, inode) {
            Ok(handle) => listing.namespaces.push(Netns { inode, name, handle: Some(handle) }),
            Err(e) if e.kind() == io::ErrorKind::NotFound => {} // its last process is gone
            Err(_) => listing.unopened += 1,
        }
    }
    Ok(listing)
}

/// Runs `f` inside a namespace: for one's own, here; for another, on a thread made for it, so that no thread
/// of the caller (and none of tokio's) ever changes its namespace.
///
/// # Errors
/// [`NetnsError::Enter`]; `f` has not run then.
///
/// # Panics
/// If `f` does.
pub fn in_netns<T: Send>(netns: &Netns, f: impl FnOnce() -> T + Send) -> Result<T, NetnsError> {
    let Some(handle) = &netns.handle else { return Ok(f()) };
    let enter = |source| NetnsError::Enter { inode: netns.inode, source };
    std::thread::scope(|scope| {
        let thread = std::thread::Builder::new().name("netns".into()).spawn_scoped(scope, || {
            setns(handle.as_fd(), CloneFlags::CLONE_NEWNET).map_err(|e| enter(e.into()))?;
            Ok(f())
        });
        match thread.map_err(enter)?.join() {
            Ok(result) => result,
            Err(panic) => std::panic::resume_unwind(panic),
        }
    })
}

/// Opens a path if it still is this namespace.
fn open(path: &Path, inode: u32) -> io::Result<OwnedFd> {
    let file = File::open(path)?;
    if inode_of(&file.metadata()?) != inode {
        return Err(io::ErrorKind::NotFound.into());
    }
    Ok(file.into())
}

/// Inodes of nsfs fit 32 bits: `proc_alloc_inum()`.
fn inode_of(metadata: &fs::Metadata) -> u32 {
    u32::try_from(metadata.ino()).unwrap_or(0)
}

/// `net:[4026531840]` → 4026531840.
fn inode_of_link(link: &str) -> Option<u32> {
    link.strip_prefix("net:[")?.strip_suffix(']')?.parse().ok()
}

/// Network namespaces bound to a path, from `/proc/self/mountinfo` (proc_pid_mountinfo(5)): the file system is
/// `nsfs` and the root of the mount is the link's text.
fn mounts(mountinfo: &[u8]) -> Vec<(u32, PathBuf)> {
    String::from_utf8_lossy(mountinfo).lines().filter_map(mount).collect()
}

fn mount(line: &str) -> Option<(u32, PathBuf)> {
    let (left, right) = line.split_once(" - ")?;
    if right.split(' ').next() != Some("nsfs") {
        return None;
    }
    let mut fields = left.split(' ').skip(3);
    let inode = inode_of_link(fields.next()?)?;
    Some((inode, unescape_octal(fields.next()?).into()))
}

/// `\040` and the like, with which the kernel writes white space and backslashes in paths (`seq_path()`).
fn unescape_octal(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = rest.find('\\') {
        out.push_str(&rest[..at]);
        let octal = rest.get(at + 1..at + 4).and_then(|o| u8::from_str_radix(o, 8).ok());
        match octal.filter(u8::is_ascii) {
            Some(byte) => {
                out.push(char::from(byte));
                rest = &rest[at + 4..];
            }
            None => {
                out.push('\\');
                rest = &rest[at + 1..];
            }
        }
    }
    out.push_str(rest);
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bound_namespaces_are_read_from_mountinfo() {
        let text = b"\
24 1 0:21 / /proc rw,nosuid - proc proc rw\n\
99 25 0:4 net:[4026532281] /run/netns/blue\\040one rw shared:7 - nsfs nsfs rw\n\
98 25 0:4 mnt:[4026532282] /run/snapd/ns/x rw - nsfs nsfs rw\n\
97 25 0:4 net:[x] /run/netns/bad rw - nsfs nsfs rw\n\
96 - nsfs\n\xff\xfe - nsfs - \n";
        assert_eq!(mounts(text), [(4026532281, PathBuf::from("/run/netns/blue one"))]);
        assert_eq!(unescape_octal(r"a\134b\0"), r"a\b\0");
        assert_eq!(unescape_octal(r"\é12"), r"\é12");
    }

    #[test]
    fn own_namespace_is_listed_first_and_entered_without_privileges() {
        let listing = list().unwrap();
        let own = &listing.namespaces[0];
        assert!(own.is_own() && own.inode == Netns::own().unwrap().inode);
        let here = std::thread::current().id();
        assert_eq!(in_netns(own, || std::thread::current().id()).unwrap(), here);
        let mut inodes: Vec<_> = listing.namespaces.iter().map(|n| n.inode).collect();
        inodes.dedup();
        assert_eq!(inodes.len(), listing.namespaces.len());
    }

    #[test]
    fn another_namespace_is_entered_on_a_thread_of_its_own() {
        let Some(other) = new_namespace() else {
            println!("skipped: unshare(CLONE_NEWNET) is not allowed here");
            return;
        };
        let before = Netns::own().unwrap().inode;
        let inside = in_netns(&other, || Netns::own().unwrap().inode).unwrap();
        assert_eq!(inside, other.inode);
        assert_eq!(Netns::own().unwrap().inode, before);
        assert_ne!(inside, before);
    }

    fn new_namespace() -> Option<Netns> {
        std::thread::spawn(|| {
            nix::sched::unshare(CloneFlags::CLONE_NEWNET).ok()?;
            let handle = File::open("/proc/thread-self/ns/net").unwrap().into();
            Some(Netns { handle: Some(handle), ..Netns::own().unwrap() })
        })
        .join()
        .unwrap()
    }

    proptest::proptest! {
        #[test]
        fn any_mountinfo_is_read_without_panic(bytes: Vec<u8>, text in r"[\\0-9 a-z:\[\]é-]{0,60}") {
            mounts(&bytes);
            mounts(format!("1 2 3 net:[7] {text} rw - nsfs x").as_bytes());
            unescape_octal(&text);
        }
    }
}
