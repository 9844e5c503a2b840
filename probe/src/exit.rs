//! Exit codes: the contract with scripts, in one place. `--help` and the man page print [`Code::table`].

use std::error::Error;
use std::io;
use std::process::ExitCode;

use crate::explain::UnknownTerm;
use crate::kernel::loader::LoadError;
use crate::pipeline::live;
use crate::{capture, config, report, sink};

/// How the program ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Code {
    /// Everything asked for was done; also when the reader of a pipe went away.
    Ok,
    /// Something failed while running.
    Runtime,
    /// Bad flags, environment or config file.
    Usage,
    /// A capability is missing.
    Privilege,
    /// This kernel or host cannot do it.
    Unsupported,
    /// The output could not be opened or written.
    Output,
    /// The record file cannot be used.
    Record,
}

impl Code {
    /// Every code, in the order of the numbers.
    pub const ALL: &'static [Self] = &[
        Self::Ok,
        Self::Runtime,
        Self::Usage,
        Self::Privilege,
        Self::Unsupported,
        Self::Output,
        Self::Record,
    ];

    /// The number the shell sees.
    pub const fn code(self) -> u8 {
        match self {
            Self::Ok => 0,
            Self::Runtime => 1,
            Self::Usage => 2,
            Self::Privilege => 3,
            Self::Unsupported => 4,
            Self::Output => 5,
            Self::Record => 6,
        }
    }

    /// What it means, for help texts.
    pub const fn meaning(self) -> &'static str {
        match self {
            Self::Ok => "done; also when the reader of a pipe has gone away",
            Self::Runtime => "something failed while running",
            Self::Usage => "bad flag, environment variable or config file",
            Self::Privilege => "a capability is missing (see `connprobe doctor`)",
            Self::Unsupported => "this kernel or host cannot do it (no BTF, ...; see `connprobe doctor`)",
            Self::Output => "the output could not be opened or written",
            Self::Record => "the record file cannot be read, is damaged, cut short or of another version",
        }
    }

    /// All codes, one a line.
    pub fn table() -> String {
        Self::ALL.iter().map(|code| format!("  {}  {}\n", code.code(), code.meaning())).collect()
    }

    /// The code of an error, from the first error in its chain of causes that has one.
    pub fn of<'a>(chain: impl Iterator<Item = &'a (dyn Error + 'static)>) -> Self {
        chain.into_iter().find_map(known).unwrap_or(Self::Runtime)
    }
}

fn known(error: &(dyn Error + 'static)) -> Option<Code> {
    if let Some(error) = error.downcast_ref::<live::Error>() {
        return match error {
            live::Error::Load(e) => known(e),
            live::Error::Output(e) => known(e),
            live::Error::Capture(e) => known(e),
            live::Error::Privilege(_) | live::Error::Loop(_) | live::Error::Resolve(_) => None,
        };
    }
    if let Some(error) = error.downcast_ref::<report::source::Error>() {
        return Some(match error {
            report::source::Error::Capture(error) => return known(error),
            report::source::Error::Piped | report::source::Error::NoEnd => Code::Usage,
            report::source::Error::Open { .. }
            | report::source::Error::Read { .. }
            | report::source::Error::NoRecords { .. } => Code::Record,
        });
    }
    if error.is::<config::Error>() || error.is::<report::window::Error>() || error.is::<UnknownTerm>() {
        return Some(Code::Usage);
    }
    if error.is::<sink::output::Error>() {
        return Some(Code::Output);
    }
    if let Some(error) = error.downcast_ref::<LoadError>() {
        return Some(match error {
            LoadError::Privilege { .. } => Code::Privilege,
            LoadError::NoObject => Code::Runtime,
            LoadError::Btf(_) | LoadError::Object(_) | LoadError::Hook { .. } | LoadError::Map { .. } => {
                Code::Unsupported
            }
        });
    }
    if let Some(error) = error.downcast_ref::<capture::Error>() {
        return Some(if error.is_output() { Code::Output } else { Code::Record });
    }
    // What commands print goes through `sink::output::Stdout`, which says so in its errors.
    let error = error.downcast_ref::<io::Error>()?;
    error.get_ref()?.is::<sink::output::Error>().then(|| match error.kind() {
        io::ErrorKind::BrokenPipe => Code::Ok,
        _ => Code::Output,
    })
}

impl From<Code> for ExitCode {
    fn from(code: Code) -> Self {
        Self::from(code.code())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_their_positions() {
        for (number, code) in Code::ALL.iter().enumerate() {
            assert_eq!(usize::from(code.code()), number);
        }
    }

    #[test]
    fn a_closed_stdout_is_no_failure_other_errors_are() {
        let of = |error: io::Error| Code::of(std::iter::once(&error as _));
        assert_eq!(of(sink::output::stdout_error(io::ErrorKind::BrokenPipe.into())), Code::Ok);
        assert_eq!(of(sink::output::stdout_error(io::ErrorKind::StorageFull.into())), Code::Output);
        assert_eq!(of(io::ErrorKind::BrokenPipe.into()), Code::Runtime);
    }
}
