//! What a caller without privileges, or in a container, cannot see.

use std::fmt;

/// What the caller could not see.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Unseen {
    /// Sockets (of those shown) that belong to a file no visible process holds.
    pub ownerless: usize,
    /// Processes whose files may not be read.
    pub hidden_processes: u32,
    /// Processes whose network namespace may not be read.
    pub hidden_netns: u32,
    /// Network namespaces that could not be entered.
    pub closed_netns: u32,
    /// The kernel's table changed so much during the dump that some sockets may be missing.
    pub interrupted: bool,
    /// Answers of the kernel that made no sense.
    pub malformed: u32,
    /// The caller is root already: advice to become it is left out.
    pub root: bool,
    /// Dumps that failed, in words.
    pub failed: Vec<String>,
}

impl Unseen {
    /// Everything was seen.
    pub fn is_nothing(&self) -> bool {
        *self == Self { root: self.root, ..Self::default() }
    }
}

/// One line: what is missing and how to see it.
impl fmt::Display for Unseen {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut parts = self.failed.clone();
        let mut root_helps = false;
        if self.ownerless > 0 {
            let why = match self.hidden_processes {
                0 => "held by the kernel, or by processes this /proc does not show".to_owned(),
                n => format!("the files of {} may not be read", many(n, "process")),
            };
            parts.push(format!("owners of {} unknown ({why})", many(self.ownerless, "socket")));
        } else if self.hidden_processes > 0 {
            parts.push(format!("the files of {} may not be read", many(self.hidden_processes, "process")));
        }
        root_helps |= self.hidden_processes > 0;
        if self.closed_netns > 0 {
            parts.push(format!("{} not entered", many(self.closed_netns, "network namespace")));
            root_helps = true;
        }
        if self.hidden_netns > 0 {
            parts.push(format!("network namespaces of {} not visible", many(self.hidden_netns, "process")));
            root_helps = true;
        }
        if root_helps && !self.root {
            let enter = if self.closed_netns > 0 { ", CAP_SYS_ADMIN" } else { "" };
            parts.push(format!("run as root, or with CAP_SYS_PTRACE, CAP_DAC_READ_SEARCH{enter}"));
        }
        if self.interrupted {
            parts.push("the kernel's table changed during the dump, some sockets may be missing".to_owned());
        }
        if self.malformed > 0 {
            parts.push(format!("{} of the kernel not understood", many(self.malformed, "answer")));
        }
        f.write_str(&parts.join("; "))
    }
}

fn many(count: impl TryInto<u64>, noun: &str) -> String {
    match count.try_into().unwrap_or(u64::MAX) {
        1 => format!("1 {noun}"),
        n if noun.ends_with('s') => format!("{n} {noun}es"),
        n => format!("{n} {noun}s"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_not_seen_is_one_line_with_what_to_do() {
        let mut unseen = Unseen { ownerless: 2, ..Unseen::default() };
        let kernel =
            "owners of 2 sockets unknown (held by the kernel, or by processes this /proc does not show)";
        assert_eq!(unseen.to_string(), kernel);
        unseen = Unseen { ownerless: 1, hidden_processes: 3, ..Unseen::default() };
        let hidden = "owners of 1 socket unknown (the files of 3 processes may not be read)";
        let advice = "run as root, or with CAP_SYS_PTRACE, CAP_DAC_READ_SEARCH";
        assert_eq!(unseen.to_string(), format!("{hidden}; {advice}"));
        unseen.closed_netns = 1;
        assert_eq!(
            unseen.to_string(),
            format!("{hidden}; 1 network namespace not entered; {advice}, CAP_SYS_ADMIN")
        );
        unseen.root = true;
        assert_eq!(unseen.to_string(), format!("{hidden}; 1 network namespace not entered"));
        assert!(!unseen.is_nothing() && Unseen { root: true, ..Unseen::default() }.is_nothing());
    }
}
