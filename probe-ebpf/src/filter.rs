//! Cheap filters: what is known from the first event of a connection and never changes. A connection passes
//! with all its events or not at all; everything else is filtered in user space.

use probe_common::{MAX_PORTS, MAX_PREFIXES, Tuple};

use crate::maps::setting;
use crate::read::GaveUp;
use crate::sock::{self, AF_INET6};

/// Gives up on addresses that are not wanted.
#[inline(always)]
pub fn check(t: &Tuple) -> Result<(), GaveUp> {
    if family_passes(t) && remote_port_passes(t) && prefix_passes(t) { Ok(()) } else { Err(GaveUp) }
}

/// Gives up on a socket that is not wanted, before anything is done for it: above all before it gets a
/// cookie, by which its destruction would be reported. Costs nothing without a filter.
#[inline(always)]
pub fn check_socket(sk: u64) -> Result<(), GaveUp> {
    let family = setting(|s| unsafe { &raw const (*s).family });
    let ports = setting(|s| unsafe { &raw const (*s).remote_ports_len });
    let prefixes = setting(|s| unsafe { &raw const (*s).prefixes_len });
    if family == 0 && ports == 0 && prefixes == 0 {
        return Ok(());
    }
    let mut t = Tuple::default();
    sock::tuple(sk, &mut t)?;
    check(&t)
}

/// A listener passes: one on `::` takes IPv4 too, and owns what it has not handed out.
#[inline(always)]
fn family_passes(t: &Tuple) -> bool {
    let family = setting(|s| unsafe { &raw const (*s).family });
    family == 0 || family == u32::from(t.family) || t.remote_port == 0
}

/// A port of 0 is a listener's, or a socket's that has been disconnected: both pass.
#[inline(always)]
fn remote_port_passes(t: &Tuple) -> bool {
    let len = setting(|s| unsafe { &raw const (*s).remote_ports_len });
    if len == 0 || t.remote_port == 0 {
        return true;
    }
    for i in 0..MAX_PORTS {
        let port = setting(|s| unsafe { &raw const (*s).remote_ports[i] });
        if (i as u32) < len && port == t.remote_port {
            return true;
        }
    }
    false
}

#[inline(always)]
fn prefix_passes(t: &Tuple) -> bool {
    let len = setting(|s| unsafe { &raw const (*s).prefixes_len });
    if len == 0 || t.remote_port == 0 {
        return true;
    }
    for i in 0..MAX_PREFIXES {
        if (i as u32) < len && (covers(i, t, &t.remote_addr) || covers(i, t, &t.local_addr)) {
            return true;
        }
    }
    false
}

/// Word by word from the globals: a prefix is too long for the stack.
#[inline(always)]
fn covers(prefix: usize, t: &Tuple, addr: &[u8; 16]) -> bool {
    if setting(|s| unsafe { &raw const (*s).prefixes[prefix].family }) != u32::from(t.family) {
        return false;
    }
    let words = if t.family == AF_INET6 { 4 } else { 1 };
    for w in 0..4 {
        if w < words {
            let mask = setting(|s| unsafe { (&raw const (*s).prefixes[prefix].mask).cast::<u32>().add(w) });
            let want = setting(|s| unsafe { (&raw const (*s).prefixes[prefix].addr).cast::<u32>().add(w) });
            // SAFETY: four words of sixteen bytes; addresses are aligned to eight.
            let have = unsafe { addr.as_ptr().cast::<u32>().add(w).read() };
            if have & mask != want {
                return false;
            }
        }
    }
    true
}
