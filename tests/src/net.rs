//! Network namespaces of a test's own.

use std::fs::File;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Once, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};

use anyhow::{Context, Result, anyhow};
use nix::sched::{CloneFlags, setns};

use crate::run::{cpus, output};

const FOLDER: &str = "/run/netns";

/// Ordinary tests share the host; one that floods every tracer on it has it alone.
static HOST: RwLock<()> = RwLock::new(());

/// The right to use the host, held while a test runs.
#[expect(dead_code, reason = "held, not read")]
enum Host {
    Shared(RwLockReadGuard<'static, ()>),
    Alone(RwLockWriteGuard<'static, ()>),
}

/// For a test that makes no traffic and needs no namespace: keeps the flood away while it runs.
pub fn shared_host() -> impl Drop {
    HOST.read().unwrap_or_else(PoisonError::into_inner)
}

/// A named network namespace, deleted on drop.
pub struct Ns {
    name: String,
    inode: u32,
}

impl Ns {
    /// A new namespace `cp-<pid>-<n>` with `lo` up.
    pub fn new() -> Result<Self> {
        static SWEPT: Once = Once::new();
        static NEXT: AtomicU32 = AtomicU32::new(1);
        SWEPT.call_once(sweep);
        let name = format!("cp-{}-{}", std::process::id(), NEXT.fetch_add(1, Ordering::Relaxed));
        output("ip", &["netns", "add", &name])?;
        let mut ns = Self { name, inode: 0 };
        ns.inode = u32::try_from(std::fs::metadata(ns.path())?.ino())?;
        ns.ip(&["link", "set", "lo", "up"])?;
        Ok(ns)
    }

    /// Its inode: field `netns` of a record.
    pub fn inode(&self) -> u32 {
        self.inode
    }

    /// Its name for `ip netns`.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The file that stands for it.
    pub fn path(&self) -> PathBuf {
        Path::new(FOLDER).join(&self.name)
    }

    /// Opens the file that stands for it, to enter it.
    pub fn open(&self) -> Result<File> {
        File::open(self.path()).with_context(|| format!("failed to open namespace {}", self.name))
    }

    /// Runs `ip` in it.
    pub fn ip(&self, args: &[&str]) -> Result<String> {
        output("ip", &[&["-n", self.name.as_str()], args].concat())
    }

    /// Runs a shell line in it.
    pub fn sh(&self, line: &str) -> Result<String> {
        output("ip", &["netns", "exec", &self.name, "sh", "-c", line])
    }

    /// Runs a closure in it, on a thread made for that: `setns` is per thread.
    pub fn enter<T: Send>(&self, f: impl FnOnce() -> T + Send) -> Result<T> {
        let file = self.open()?;
        std::thread::scope(|scope| {
            scope
                .spawn(move || {
                    setns(&file, CloneFlags::CLONE_NEWNET).context("failed to enter the namespace")?;
                    Ok(f())
                })
                .join()
                .map_err(|_| anyhow!("the closure in the namespace panicked"))?
        })
    }
}

impl Drop for Ns {
    fn drop(&mut self) {
        if let Err(e) = output("ip", &["netns", "del", &self.name]) {
            eprintln!("left behind: {e:#}");
        }
    }
}

/// Deletes the namespaces of test runs that died without doing it.
fn sweep() {
    for entry in std::fs::read_dir(FOLDER).into_iter().flatten().flatten() {
        let name = entry.file_name();
        let Some(pid) = name.to_str().and_then(|n| n.strip_prefix("cp-")?.split('-').next()) else {
            continue;
        };
        if pid.parse::<u32>().is_ok() && !Path::new("/proc").join(pid).exists() {
            let _ = output("ip", &["netns", "del", &name.to_string_lossy()]);
        }
    }
}

/// Two namespaces joined by a veth pair, for a client and a server.
pub struct Net {
    /// Where the client lives.
    pub client: Ns,
    /// Where the server lives.
    pub server: Ns,
    subnet: u16,
    _host: Host,
}

impl Net {
    /// Both namespaces with IPv4 and IPv6 addresses up.
    ///
    /// Packets that arrive are handled on the last CPU (RPS), while peers run on the first: the handler's
    /// `current` is then whoever happens to run there, never the peer that sent the packet.
    pub fn new() -> Result<Self> {
        Self::with(Host::Shared(HOST.read().unwrap_or_else(PoisonError::into_inner)))
    }

    /// The same, while no other test has one: for traffic that would drown the others' tracers.
    pub fn alone() -> Result<Self> {
        Self::with(Host::Alone(HOST.write().unwrap_or_else(PoisonError::into_inner)))
    }

    fn with(host: Host) -> Result<Self> {
        static NEXT: AtomicU32 = AtomicU32::new(0);
        let subnet = std::process::id().wrapping_mul(61).wrapping_add(NEXT.fetch_add(1, Ordering::Relaxed));
        let net = Self {
            client: Ns::new()?,
            server: Ns::new()?,
            subnet: u16::try_from(subnet % 0x1_0000)?,
            _host: host,
        };
        net.client.ip(&[
            "link",
            "add",
            "veth",
            "type",
            "veth",
            "peer",
            "name",
            "veth",
            "netns",
            &net.server.name,
        ])?;
        for (ns, v4, v6) in
            [(&net.client, net.client_v4(), net.client_v6()), (&net.server, net.server_v4(), net.server_v6())]
        {
            ns.ip(&["address", "add", &format!("{v4}/24"), "dev", "veth"])?;
            ns.ip(&["address", "add", &format!("{v6}/64"), "dev", "veth", "nodad"])?;
            ns.ip(&["link", "set", "veth", "up"])?;
            // Where the kernel has no RPS the test still holds, it only proves less.
            let _ = ns.sh(&format!(
                "printf %x {} > /sys/class/net/veth/queues/rx-0/rps_cpus",
                1u64 << ((cpus() - 1) % 32)
            ));
        }
        Ok(net)
    }

    fn v4(&self, host: u8) -> Ipv4Addr {
        let [high, low] = self.subnet.to_be_bytes();
        Ipv4Addr::new(10, high, low, host)
    }

    fn v6(&self, host: u16) -> Ipv6Addr {
        Ipv6Addr::new(0xfd00, 0xc0, self.subnet, 0, 0, 0, 0, host)
    }

    /// The client's IPv4 address.
    pub fn client_v4(&self) -> IpAddr {
        self.v4(1).into()
    }

    /// The server's IPv4 address.
    pub fn server_v4(&self) -> IpAddr {
        self.v4(2).into()
    }

    /// The client's IPv6 address.
    pub fn client_v6(&self) -> IpAddr {
        self.v6(1).into()
    }

    /// The server's IPv6 address.
    pub fn server_v6(&self) -> IpAddr {
        self.v6(2).into()
    }

    /// An address on the link that nobody has.
    pub fn nobody_v4(&self) -> IpAddr {
        self.v4(99).into()
    }

    /// The server's IPv4 address with a port.
    pub fn server_at(&self, port: u16) -> SocketAddr {
        (self.server_v4(), port).into()
    }
}
