//! Network namespaces of a test's own.

use std::fs::File;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
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
    deleted: AtomicBool,
}

impl Ns {
    /// A new namespace `cp-<pid>-<n>` with `lo` up.
    pub fn new() -> Result<Self> {
        static SWEPT: Once = Once::new();
        static NEXT: AtomicU32 = AtomicU32::new(1);
        SWEPT.call_once(sweep);
        let name = format!("cp-{}-{}", std::process::id(), NEXT.fetch_add(1, Ordering::Relaxed));
        output("ip", &["netns", "add", &name])?;
        let mut ns = Self { name, inode: 0, deleted: AtomicBool::new(false) };
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

impl Ns {
    /// Takes its name away: it lives on while a process or a socket is in it.
    pub fn delete(&self) -> Result<()> {
        match self.deleted.swap(true, Ordering::Relaxed) {
            true => Ok(()),
            false => output("ip", &["netns", "del", &self.name]).map(drop),
        }
    }
}

impl Drop for Ns {
    fn drop(&mut self) {
        if let Err(e) = self.delete() {
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

/// Two namespaces for a client and a server, joined by a veth pair or through a router. No default route leads
/// out of any of them.
pub struct Net {
    /// Where the client lives.
    pub client: Ns,
    /// Where the server lives.
    pub server: Ns,
    router: Option<Ns>,
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

    /// Client and server in subnets of their own, with a router between them that forwards.
    pub fn routed() -> Result<Self> {
        let mut net = Self::unjoined(Host::Shared(HOST.read().unwrap_or_else(PoisonError::into_inner)))?;
        let router = net.router.insert(Ns::new()?);
        router
            .sh("echo 1 > /proc/sys/net/ipv4/ip_forward; echo 1 > /proc/sys/net/ipv6/conf/all/forwarding")?;
        let (router, subnet) = (net.router()?, net.subnet);
        let sides = [
            ("near", &net.client, net.client_v4(), net.client_v6()),
            ("far", &net.server, net.server_v4(), net.server_v6()),
        ];
        for (side, (device, ns, end_v4, end_v6)) in (0u8..).zip(sides) {
            link(router, device, ns)?;
            let (via_v4, via_v6) = (v4(subnet, side * 128 + 126), v6(subnet, side, 126));
            let (there_v4, there_v6) = (v4(subnet, (1 - side) * 128), v6(subnet, 1 - side, 0));
            let routes = [format!("{there_v4}/25 via {via_v4}"), format!("{there_v6}/64 via {via_v6}")];
            start(ns, "veth", [&format!("{end_v4}/25"), &format!("{end_v6}/64")], &routes)?;
            start(router, device, [&format!("{via_v4}/25"), &format!("{via_v6}/64")], &[])?;
        }
        Ok(net)
    }

    fn with(host: Host) -> Result<Self> {
        let net = Self::unjoined(host)?;
        link(&net.client, "veth", &net.server)?;
        for (ns, v4, v6) in
            [(&net.client, net.client_v4(), net.client_v6()), (&net.server, net.server_v4(), net.server_v6())]
        {
            start(ns, "veth", [&format!("{v4}/24"), &format!("{v6}/64")], &[])?;
        }
        Ok(net)
    }

    fn unjoined(host: Host) -> Result<Self> {
        static NEXT: AtomicU32 = AtomicU32::new(0);
        let subnet = std::process::id().wrapping_mul(61).wrapping_add(NEXT.fetch_add(1, Ordering::Relaxed));
        let (client, server) = (Ns::new()?, Ns::new()?);
        Ok(Self { client, server, router: None, subnet: u16::try_from(subnet % 0x1_0000)?, _host: host })
    }

    /// The namespace between the two, in a net that has one.
    pub fn router(&self) -> Result<&Ns> {
        self.router.as_ref().context("a net without a router")
    }

    /// How each of its addresses begins, and no other of a net that is there.
    pub fn beginnings(&self) -> [String; 2] {
        let [high, low] = self.subnet.to_be_bytes();
        [format!("10.{high}.{low}."), format!("fd00:c0:{:x}:", self.subnet)]
    }

    /// Its namespaces, to be kept or dropped.
    pub fn into_namespaces(self) -> Vec<Ns> {
        [self.client, self.server].into_iter().chain(self.router).collect()
    }

    /// 1 if the server is in a subnet of its own.
    fn far(&self) -> u8 {
        u8::from(self.router.is_some())
    }

    /// The client's IPv4 address.
    pub fn client_v4(&self) -> IpAddr {
        v4(self.subnet, 1).into()
    }

    /// The server's IPv4 address.
    pub fn server_v4(&self) -> IpAddr {
        v4(self.subnet, 2 + 128 * self.far()).into()
    }

    /// The client's IPv6 address.
    pub fn client_v6(&self) -> IpAddr {
        v6(self.subnet, 0, 1).into()
    }

    /// The server's IPv6 address.
    pub fn server_v6(&self) -> IpAddr {
        v6(self.subnet, self.far(), 2).into()
    }

    /// An address on the client's link that nobody has.
    pub fn nobody_v4(&self) -> IpAddr {
        v4(self.subnet, 99).into()
    }

    /// The same for IPv6.
    pub fn nobody_v6(&self) -> IpAddr {
        v6(self.subnet, 0, 99).into()
    }

    /// The server's IPv4 address with a port.
    pub fn server_at(&self, port: u16) -> SocketAddr {
        (self.server_v4(), port).into()
    }
}

/// Host of a test's IPv4 subnet.
fn v4(subnet: u16, host: u8) -> Ipv4Addr {
    let [high, low] = subnet.to_be_bytes();
    Ipv4Addr::new(10, high, low, host)
}

/// Host on one side of a test's IPv6 subnet.
fn v6(subnet: u16, side: u8, host: u16) -> Ipv6Addr {
    Ipv6Addr::new(0xfd00, 0xc0, subnet, side.into(), 0, 0, 0, host)
}

/// Joins `device` of one namespace with `veth` of another.
fn link(one: &Ns, device: &str, other: &Ns) -> Result<()> {
    one.ip(&["link", "add", device, "type", "veth", "peer", "name", "veth", "netns", &other.name])?;
    Ok(())
}

/// Gives a device its addresses, starts it and adds the routes that lead through it, by one shell.
fn start(ns: &Ns, device: &str, addresses: [&str; 2], routes: &[String]) -> Result<()> {
    let [v4, v6] = addresses;
    let routes: String = routes.iter().map(|route| format!("route add {route}\n")).collect();
    // No waiting for the link-local address either: without it, no neighbour answers in the first second.
    // Where the kernel has no RPS the test still holds, it only proves less.
    let mask = 1u64 << ((cpus() - 1) % 32);
    ns.sh(&format!(
        "set -e\n\
        echo 0 > /proc/sys/net/ipv6/conf/{device}/accept_dad\n\
        ip -batch - <<END\n\
        address add {v4} dev {device}\n\
        address add {v6} dev {device} nodad\n\
        link set {device} up\n\
        {routes}\
        END\n\
        printf %x {mask} > /sys/class/net/{device}/queues/rx-0/rps_cpus || true"
    ))
    .map(drop)
}
