//! The text of `/proc` files. Total: any bytes give a value or `None`.

use std::fmt::Write;
use std::sync::Arc;

/// Which line of `/proc/PID/cgroup` a path is from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CgroupRule {
    /// `0::`, the unified hierarchy.
    Unified,
    /// `name=systemd`, on hosts where systemd keeps its tree there (v1 and hybrid).
    NamedSystemd,
    /// The deepest path of any controller.
    Deepest,
}

/// The cgroup of a process from the text of `/proc/PID/cgroup` (cgroups(7)). In this order: the unified
/// hierarchy, unless its path is `/` and another one says more (hybrid and v1 hosts leave everything at its
/// root); then `name=systemd`; then the deepest path of any controller.
pub fn cgroup_path(text: &[u8]) -> Option<(Arc<str>, CgroupRule)> {
    let mut unified = None;
    let mut systemd = None;
    let mut deepest: Option<&[u8]> = None;
    for line in text.split(|&b| b == b'\n') {
        let mut fields = line.splitn(3, |&b| b == b':');
        let (Some(id), Some(controllers), Some(path)) = (fields.next(), fields.next(), fields.next()) else {
            continue;
        };
        if !path.starts_with(b"/") {
            continue;
        }
        match (id, controllers) {
            (b"0", b"") => unified = Some(path),
            (_, b"name=systemd") => systemd = Some(path),
            _ if deepest.is_none_or(|d| depth(path) > depth(d)) => deepest = Some(path),
            _ => {}
        }
    }
    let says_more = |path: &&[u8]| path.len() > 1;
    let (path, rule) = [
        (unified.filter(says_more), CgroupRule::Unified),
        (systemd.filter(says_more), CgroupRule::NamedSystemd),
        (deepest.filter(says_more), CgroupRule::Deepest),
        (unified, CgroupRule::Unified),
        (systemd, CgroupRule::NamedSystemd),
        (deepest, CgroupRule::Deepest),
    ]
    .into_iter()
    .find_map(|(path, rule)| Some((path?, rule)))?;
    Some((clean(path), rule))
}

fn depth(path: &[u8]) -> usize {
    path.split(|&b| b == b'/').filter(|part| !part.is_empty()).count()
}

/// Text fit for a terminal and a log: what is no UTF-8 becomes U+FFFD, control characters and those that turn
/// the direction of writing are escaped (`\n`, `\u{1b}`).
pub fn clean(bytes: &[u8]) -> Arc<str> {
    let text = String::from_utf8_lossy(bytes);
    if !text.contains(is_unfit) {
        return text.into();
    }
    let mut out = String::with_capacity(text.len() + 8);
    for c in text.chars() {
        if is_unfit(c) {
            // Writing to a String does not fail.
            let _ = write!(out, "{}", c.escape_default());
        } else {
            out.push(c);
        }
    }
    out.into()
}

fn is_unfit(c: char) -> bool {
    c.is_control() || matches!(c, '\u{200e}' | '\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}

/// Arguments, each ended by NUL, to one line; `None` if there are none.
pub(super) fn join_arguments(bytes: &[u8]) -> Option<Arc<str>> {
    // Programs that write their title over their arguments leave NULs or spaces behind.
    let end = bytes.iter().rposition(|&b| b != 0 && b != b' ')? + 1;
    let joined: Vec<u8> = bytes[..end].iter().map(|&b| if b == 0 { b' ' } else { b }).collect();
    Some(clean(&joined))
}

/// Field 22 of `/proc/PID/stat`, clock ticks. The name in the second field may hold anything, `) R 1` too:
/// fields are counted from its last parenthesis.
pub(super) fn start_ticks(stat: &[u8]) -> Option<u64> {
    let after = stat.iter().rposition(|&b| b == b')')? + 1;
    std::str::from_utf8(&stat[after..]).ok()?.split_ascii_whitespace().nth(19)?.parse().ok()
}

/// Effective user of `/proc/PID/status`, second on the line `Uid:`. The name above it is escaped by the kernel.
pub(super) fn effective_uid(status: &[u8]) -> Option<u32> {
    let line = status.split(|&b| b == b'\n').find_map(|line| line.strip_prefix(b"Uid:"))?;
    std::str::from_utf8(line).ok()?.split_ascii_whitespace().nth(1)?.parse().ok()
}

/// `socket:[123]` → 123.
pub(super) fn socket_inode(link: &[u8]) -> Option<u32> {
    let digits = link.strip_prefix(b"socket:[")?.strip_suffix(b"]")?;
    std::str::from_utf8(digits).ok()?.parse().ok()
}
