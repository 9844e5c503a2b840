//! Addresses, names and paths out of byte arrays.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::sync::Arc;

use probe_common as wire;

use super::event::{ProcessId, ProcessImage};

pub(super) fn ipv4(addr: &[u8; 16]) -> IpAddr {
    IpAddr::V4(Ipv4Addr::new(addr[0], addr[1], addr[2], addr[3]))
}

/// Both as IPv4 when the remote one is v4-mapped; a local `::` then is `0.0.0.0`.
pub(super) fn ipv6_pair(local: &[u8; 16], remote: &[u8; 16]) -> (IpAddr, IpAddr) {
    let (local, remote) = (Ipv6Addr::from(*local), Ipv6Addr::from(*remote));
    match remote.to_ipv4_mapped() {
        None => (IpAddr::V6(local), IpAddr::V6(remote)),
        Some(remote) => {
            let local = local.to_ipv4_mapped().unwrap_or(Ipv4Addr::UNSPECIFIED);
            (IpAddr::V4(local), IpAddr::V4(remote))
        }
    }
}

/// Up to the first NUL.
pub(crate) fn c_str(bytes: &[u8]) -> &[u8] {
    bytes.split(|b| *b == 0).next().unwrap_or_default()
}

/// A command name.
pub(crate) fn comm(bytes: &[u8]) -> Arc<str> {
    String::from_utf8_lossy(c_str(bytes)).into()
}

pub(super) fn process(e: &wire::ProcessEvent) -> ProcessImage {
    ProcessImage {
        process: ProcessId { pid: e.task.tgid, start: e.task.start },
        uid: e.task.uid,
        comm: comm(&e.task.comm),
        exe: (e.has_exe == 1).then(|| path(e.exe.iter().map(|slot| c_str(slot)))),
        cmdline: cmdline(e),
        cgroup: (e.has_cgroup == 1).then(|| path(e.cgroup.iter().map(|slot| c_str(slot)))),
    }
}

/// Names, leaf first, to a path from the root. Empty names are mount points that were crossed.
fn path<'a>(names: impl DoubleEndedIterator<Item = &'a [u8]>) -> Arc<str> {
    let mut path = String::new();
    for name in names.rev().filter(|n| !n.is_empty()) {
        path.push('/');
        path.push_str(&String::from_utf8_lossy(name));
    }
    if path.is_empty() {
        path.push('/');
    }
    path.into()
}

/// Arguments are separated by NUL; a longer command line is cut with an ellipsis.
fn cmdline(e: &wire::ProcessEvent) -> Option<Arc<str>> {
    let bytes = e.cmdline.get(..usize::from(e.cmdline_len))?;
    let cut = bytes.len() == wire::CMDLINE_LEN;
    let arguments = bytes.strip_suffix(&[0]).unwrap_or(bytes);
    let mut text = String::from_utf8_lossy(arguments).replace('\0', " ");
    if cut {
        text.push('…');
    }
    (!text.is_empty()).then(|| text.into())
}
