//! A cgroup in which connect() over IPv4 is denied, by the smallest of programs.

use std::fs::File;
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd};
use std::path::PathBuf;

use anyhow::{Context, Result, ensure};
use nix::errno::Errno;
use nix::mount::{MntFlags, MsFlags, mount, umount2};

const PROG_LOAD: libc::c_int = 5;
const PROG_ATTACH: libc::c_int = 8;
const CGROUP_SOCK_ADDR: u32 = 18;
const CGROUP_INET4_CONNECT: u32 = 10;

/// A process in such a cgroup, which goes with the process: on drop it is moved out.
pub struct Denied {
    root: tempfile::TempDir,
    group: PathBuf,
    pid: u64,
}

/// The head of `union bpf_attr` for a program to load.
#[repr(C)]
#[derive(Default)]
struct Load {
    kind: u32,
    instructions: u32,
    code: u64,
    license: u64,
    log: [u64; 2],
    version_and_flags: [u32; 2],
    name: [u8; 16],
    ifindex: u32,
    attach: u32,
}

fn bpf<T>(command: libc::c_int, of: &T) -> Result<libc::c_long, Errno> {
    // SAFETY: the attributes and what they point to live as long as the call, and the size is theirs.
    Errno::result(unsafe { libc::syscall(libc::SYS_bpf, command, std::ptr::from_ref(of), size_of::<T>()) })
}

/// A program that says no.
fn deny() -> Result<OwnedFd> {
    // r0 = 0; exit
    let code: [u64; 2] = [0xb7, 0x95];
    let license = c"GPL";
    let load = Load {
        kind: CGROUP_SOCK_ADDR,
        instructions: 2,
        code: code.as_ptr() as u64,
        license: license.as_ptr() as u64,
        attach: CGROUP_INET4_CONNECT,
        ..Load::default()
    };
    let fd = bpf(PROG_LOAD, &load).context("failed to load a program for a cgroup")?;
    // SAFETY: a descriptor just made, owned by nobody else.
    Ok(unsafe { OwnedFd::from_raw_fd(i32::try_from(fd)?) })
}

impl Denied {
    /// Moves a process into a new cgroup where connect() is denied. Fails where there is no cgroup2.
    pub fn new(pid: u64) -> Result<Self> {
        let root = tempfile::tempdir()?;
        let none: Option<&str> = None;
        mount(none, root.path(), Some("cgroup2"), MsFlags::empty(), none)
            .context("failed to mount cgroup2")?;
        let denied = Self { group: root.path().join(format!("connprobe-{pid}")), root, pid };
        std::fs::create_dir(&denied.group)?;
        let (group, program) = (File::open(&denied.group)?, deny()?);
        let attach: [u32; 4] =
            [u32::try_from(group.as_raw_fd())?, u32::try_from(program.as_raw_fd())?, CGROUP_INET4_CONNECT, 0];
        bpf(PROG_ATTACH, &attach).context("failed to attach a program to a cgroup")?;
        std::fs::write(denied.group.join("cgroup.procs"), pid.to_string())?;
        let members = std::fs::read_to_string(denied.group.join("cgroup.procs"))?;
        ensure!(members.trim() == pid.to_string(), "the cgroup has {members:?}");
        Ok(denied)
    }
}

impl Drop for Denied {
    fn drop(&mut self) {
        let _ = std::fs::write(self.root.path().join("cgroup.procs"), self.pid.to_string());
        let _ = std::fs::remove_dir(&self.group);
        let _ = umount2(self.root.path(), MntFlags::MNT_DETACH);
    }
}
