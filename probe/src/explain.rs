//! `connprobe explain`: what a word of the records means in the kernel, what its usual reasons are, and what to look
//! at next. The texts are tables, one file for each kind of word; here is how a word is found.

pub mod args;

mod calls;
mod causes;
mod errnos;
mod events;
mod fields;
mod reasons;
pub mod render;

use std::borrow::Cow;
use std::collections::BTreeSet;

use crate::record::errno;
use crate::vocab::{Cause, ClosedBy, EventName, PidSource};

/// What a reset reason is called in the kernel's source, before its name.
const REASON_PREFIX: &str = "sk_rst_reason_";
/// Words less alike than this are no suggestion.
const ALIKE: f64 = 0.75;

/// An explanation, as it is written in the tables.
#[derive(Debug)]
struct Text {
    /// A line for the list of all terms.
    summary: &'static str,
    /// What it means in the kernel, a paragraph each.
    meaning: &'static [&'static str],
    /// Usual reasons, the most common first.
    reasons: &'static [&'static str],
    /// Commands, and what they show. Words in capitals (PORT, ADDRESS, PID, NAME, UNIT) stand for the reader's own.
    next: &'static [(&'static str, &'static str)],
    /// Names of related terms.
    see_also: &'static [&'static str],
}

/// What a word is: the name of the field whose value it is, but for errnos, which are values of several.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// Why an attempt failed or a connection ended.
    Cause,
    /// A number of `errno.h`.
    Errno,
    /// The kernel's reason for a RST it sent.
    ResetReason,
    /// What happened.
    Event,
    /// Who ended a connection first.
    ClosedBy,
    /// How the owner is known.
    PidSource,
}

impl Kind {
    /// Every kind, in the order of the list.
    pub const ALL: &'static [Self] =
        &[Self::Cause, Self::Errno, Self::ResetReason, Self::Event, Self::ClosedBy, Self::PidSource];

    /// Its name, as in the records.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Cause => "cause",
            Self::Errno => "errno",
            Self::ResetReason => "reset_reason",
            Self::Event => "event",
            Self::ClosedBy => "closed_by",
            Self::PidSource => "pid_source",
        }
    }
}

/// A term and its explanation.
#[derive(Clone, Debug)]
pub struct Entry {
    /// What the word is.
    pub kind: Kind,
    /// The word, as records have it.
    pub name: Cow<'static, str>,
    /// Its number; errnos only, because those of other words differ between kernels.
    pub number: Option<u16>,
    /// A line.
    pub summary: Cow<'static, str>,
    /// What it means in the kernel, a paragraph each.
    pub meaning: Vec<Cow<'static, str>>,
    /// Usual reasons, the most common first.
    pub reasons: &'static [&'static str],
    /// Commands, and what they show.
    pub next: &'static [(&'static str, &'static str)],
    /// Names of related terms.
    pub see_also: &'static [&'static str],
}

impl Entry {
    fn new(kind: Kind, name: &'static str, text: &'static Text) -> Self {
        Self {
            kind,
            name: name.into(),
            number: if kind == Kind::Errno { errno::number(name) } else { None },
            summary: text.summary.into(),
            meaning: text.meaning.iter().map(|paragraph| (*paragraph).into()).collect(),
            reasons: text.reasons,
            next: text.next,
            see_also: text.see_also,
        }
    }

    /// An errno without a text: its number and what the system calls it.
    fn plain_errno(number: u16, name: &'static str) -> Self {
        let description = nix::errno::Errno::from_raw(i32::from(number)).desc();
        Self {
            kind: Kind::Errno,
            name: name.into(),
            number: Some(number),
            summary: format!("the system calls it \"{description}\"").into(),
            meaning: vec![
                "TCP does not usually give this errno. It comes from another part of the kernel.".into(),
            ],
            reasons: &[
                "a call on the same descriptor that has nothing to do with TCP",
                "a bug in the program",
            ],
            next: &[("strace -f -p PID", "which call gets it?")],
            see_also: &["other"],
        }
    }

    /// A reason that the running kernel has and the table has not.
    fn plain_reason(name: &str) -> Self {
        Self {
            kind: Kind::ResetReason,
            name: name.to_owned().into(),
            number: None,
            summary: "a reason of this kernel that this version of connprobe does not know".into(),
            meaning: vec![
                "The BTF of the running kernel lists it in `enum sk_rst_reason`, so a RST that this host sends may \
                 have it. The comments in the kernel's include/net/rstreason.h say what it means."
                    .into(),
            ],
            reasons: &["a kernel that is newer than this version of connprobe, or one with patches"],
            next: &[
                ("uname -r", "the version to look for in the kernel's source"),
                ("connprobe trace --events reset,closed --port PORT", "when does it come?"),
            ],
            see_also: &["reset_by_kernel", "reset"],
        }
    }
}

/// A word that nothing explains.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[error("failed to explain `{word}`: there is no such term{}; `connprobe explain` lists all", suggestion(.nearest))]
pub struct UnknownTerm {
    /// As it was given.
    pub word: String,
    /// The term most like it.
    pub nearest: Option<String>,
}

fn suggestion(nearest: &Option<String>) -> String {
    nearest.as_ref().map(|term| format!(", perhaps you mean `{term}`")).unwrap_or_default()
}

/// Every term with a text, by kind.
pub fn all() -> impl Iterator<Item = Entry> {
    texts().map(|(kind, name, text)| Entry::new(kind, name, text))
}

/// Every word with a text, once.
pub fn names() -> BTreeSet<&'static str> {
    texts().map(|(_, name, _)| name).collect()
}

fn texts() -> impl Iterator<Item = (Kind, &'static str, &'static Text)> {
    let causes = Cause::ALL.iter().map(|cause| (Kind::Cause, cause.name(), causes::of(*cause)));
    let errnos = errnos::TABLE.iter().chain(calls::TABLE).map(|(name, text)| (Kind::Errno, *name, text));
    let reasons = reasons::all().map(|(name, text)| (Kind::ResetReason, *name, text));
    let events = EventName::ALL.iter().map(|event| (Kind::Event, event.name(), events::of(*event)));
    let ended = ClosedBy::ALL.iter().map(|by| (Kind::ClosedBy, by.name(), fields::closed_by(*by)));
    let owner = PidSource::ALL.iter().map(|by| (Kind::PidSource, by.name(), fields::pid_source(*by)));
    causes.chain(errnos).chain(reasons).chain(events).chain(ended).chain(owner)
}

/// Everything the words of a command line ask for, in their order. Several words are one term where that exists
/// (`no route`, as text records have it), else a term each. `kernel_reasons` is asked for the reset reasons of the
/// running kernel when a word is in no table.
///
/// # Errors
/// The first word that is no term.
pub fn find_all<S: AsRef<str>>(
    words: &[S],
    kernel_reasons: impl Fn() -> Vec<String>,
) -> Result<Vec<Entry>, UnknownTerm> {
    let joined = words.iter().map(S::as_ref).collect::<Vec<_>>().join("_");
    let together = find(&joined);
    if !together.is_empty() {
        return Ok(together);
    }
    let mut found: Vec<Entry> = Vec::new();
    for word in words.iter().map(S::as_ref) {
        let mut entries = find(word);
        if entries.is_empty() {
            let wanted = normal(word);
            let name = wanted.strip_prefix(REASON_PREFIX).unwrap_or(&wanted);
            entries.extend(kernel_reasons().contains(&name.to_owned()).then(|| Entry::plain_reason(name)));
        }
        if entries.is_empty() {
            return Err(UnknownTerm { word: word.to_owned(), nearest: nearest(word) });
        }
        found.extend(entries);
    }
    Ok(found)
}

/// The terms a word stands for: several where it is a word of several kinds, none where it is unknown.
pub fn find(word: &str) -> Vec<Entry> {
    let wanted = normal(word);
    if let Ok(number) = wanted.trim_start_matches('_').parse::<u16>() {
        return errno::name(number).map(|name| errno_entry(number, name)).into_iter().collect();
    }
    if let Some(reason) = wanted.strip_prefix(REASON_PREFIX) {
        return all().filter(|entry| entry.kind == Kind::ResetReason && entry.name == reason).collect();
    }
    let mut found: Vec<Entry> = all().filter(|entry| normal(&entry.name) == wanted).collect();
    if found.is_empty() {
        let number = errno::number(&wanted);
        found.extend(number.and_then(|number| Some(errno_entry(number, errno::name(number)?))));
    }
    found
}

fn errno_entry(number: u16, name: &'static str) -> Entry {
    let known = all().find(|entry| entry.kind == Kind::Errno && entry.name == name);
    known.unwrap_or_else(|| Entry::plain_errno(number, name))
}

/// Lower snake case, however it was written.
fn normal(word: &str) -> String {
    word.trim().to_lowercase().replace([' ', '-'], "_")
}

/// The term most like a word.
fn nearest(word: &str) -> Option<String> {
    let wanted = normal(word);
    let wanted = wanted.strip_prefix(REASON_PREFIX).unwrap_or(&wanted);
    let terms = all().map(|entry| entry.name).chain(errno::all().map(|(_, name)| name.into()));
    let likeness = terms.map(|term| (strsim::jaro_winkler(wanted, &normal(&term)), term));
    let best = likeness.max_by(|(one, _), (other, _)| one.total_cmp(other));
    best.filter(|(likeness, _)| *likeness >= ALIKE).map(|(_, term)| term.into_owned())
}

#[cfg(test)]
mod tests;
