//! Where the records of a report come from: a record file, or the JSON lines of `trace`.

mod lines;

use std::fs::File;
use std::io::{self, BufReader, Read};
use std::path::{Path, PathBuf};

use super::Report;
use crate::capture::{self, MAGIC};
use crate::config::Config;
use crate::filter::{Events, Filter, went_wrong};
use crate::pipeline::replay;
use crate::record::{EventName, Record, Timestamp};

/// Bad lines told on stderr one by one.
const SAID: usize = 10;

/// Records that cannot be read.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The record file.
    #[error(transparent)]
    Capture(#[from] capture::Error),
    /// The file cannot be opened.
    #[error("failed to open `{}`: {source}; give a file made with `connprobe trace --record FILE` or with `connprobe trace -o json`", path.display())]
    Open {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// The file cannot be read.
    #[error("failed to read `{}`: {source}", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// There is no record in it.
    #[error(
        "`{}` has no record in it ({why}): give a file made with `connprobe trace --record FILE` or with \
         `connprobe trace -o json`", path.display()
    )]
    NoRecords {
        /// The file.
        path: PathBuf,
        /// What the first line says.
        why: String,
    },
    /// A record file comes through a pipe.
    #[error("a record file cannot be read from a pipe: write its name, `connprobe report FILE`")]
    Piped,
    /// The end of a pipe is known only when it is over.
    #[error(
        "--since and --until with a time of day or a length need the end of the records, which a pipe does not \
         tell before it is over: write a date with its time, or give a file"
    )]
    NoEnd,
}

/// What a file is, by its first bytes.
pub enum Source {
    /// Made by `trace --record`.
    Capture(PathBuf),
    /// Made by `trace -o json`, and can be read again.
    Lines(PathBuf),
    /// The same through a pipe.
    Pipe(PathBuf, Box<dyn Read>),
}

impl Source {
    /// Looks at a file; `-` is stdin.
    ///
    /// # Errors
    /// It cannot be opened.
    pub fn open(path: &Path) -> Result<Self, Error> {
        // What a shell redirects to stdin can be opened again by this name.
        let name = if path == Path::new("-") { Path::new("/dev/stdin") } else { path };
        let open = |source| Error::Open { path: path.to_owned(), source };
        let mut file = File::open(name).map_err(open)?;
        let is_regular = file.metadata().map_err(open)?.is_file();
        let mut start = Vec::new();
        let read = |source| Error::Read { path: path.to_owned(), source };
        file.by_ref().take(MAGIC.len() as u64).read_to_end(&mut start).map_err(read)?;
        let is_capture = start == MAGIC;
        match (is_regular, is_capture) {
            (true, true) => Ok(Self::Capture(name.to_owned())),
            (true, false) => Ok(Self::Lines(name.to_owned())),
            (false, true) => Err(Error::Piped),
            (false, false) => Ok(Self::Pipe(path.to_owned(), Box::new(io::Cursor::new(start).chain(file)))),
        }
    }

    /// First and last moment of all records: reads everything.
    ///
    /// # Errors
    /// A pipe can be read only once.
    pub fn span(&self, config: &Config) -> Result<(Timestamp, Timestamp), Error> {
        let mut span: Option<(Timestamp, Timestamp)> = None;
        let mut look = |r: &Record| {
            let (first, last) = span.unwrap_or((r.ts, r.ts));
            span = Some((first.min(r.ts), last.max(r.ts)));
        };
        match self {
            Self::Pipe(..) => return Err(Error::NoEnd),
            Self::Capture(path) => {
                let read = replay::run(path, config, |record| {
                    look(&record);
                    true
                });
                // That it is cut short is told when it is read for the report.
                match read {
                    Err(error) if !is_cut_short(&error) => return Err(error.into()),
                    Ok(()) | Err(_) => {}
                }
            }
            Self::Lines(path) => {
                lines::read(reader(path)?, |line| {
                    if let lines::Line::Record(record) = line {
                        look(&record);
                    }
                })
                .map_err(|source| Error::Read { path: path.clone(), source })?;
            }
        }
        Ok(span.unwrap_or_default())
    }

    /// Gives every record that `config` lets through to the report, and calls `tick` after each.
    ///
    /// # Errors
    /// What cannot be read at all; a record file that is cut short is an error too, but all that is in it has been
    /// taken.
    pub fn feed(
        self,
        config: &Config,
        report: &mut Report,
        mut tick: impl FnMut(&Report),
    ) -> Result<(), Error> {
        let wanted = Wanted::new(config);
        if wanted.leaves_out_recoveries() {
            report.without_recoveries();
        }
        let (path, reader): (PathBuf, Box<dyn Read>) = match self {
            Self::Capture(path) => {
                let all = Config { failures: crate::config::Switch(false), ..config.clone() };
                let read = replay::run(&path, &all, |record| {
                    if wanted.takes(&record) {
                        report.take(&record);
                    }
                    tick(report);
                    true
                });
                return read.map_err(|error| {
                    if is_cut_short(&error) && report.progress().0 > 0 {
                        report.cut_short(error.to_string());
                    }
                    error.into()
                });
            }
            Self::Lines(path) => {
                let file = reader(&path)?;
                (path, Box::new(file))
            }
            Self::Pipe(path, reader) => (path, reader),
        };
        let (mut records, mut said, mut bad) = (0_u64, Vec::new(), 0_u64);
        let read = lines::read(BufReader::new(reader), |line| match line {
            lines::Line::Record(record) => {
                records += 1;
                if leaves_out_recoveries(&record) {
                    report.without_recoveries();
                }
                if wanted.takes(&record) {
                    report.take(&record);
                }
                tick(report);
            }
            lines::Line::Bad(number, why) => {
                bad += 1;
                if said.len() < SAID {
                    said.push(format!("line {number} is no record: {why}"));
                }
                report.bad_line(number, why);
            }
        });
        read.map_err(|source| Error::Read { path: path.clone(), source })?;
        // A file of something else is one error, not a thousand.
        if let (0, Some(why)) = (records, said.first()) {
            return Err(Error::NoRecords { path, why: why.clone() });
        }
        for why in &said {
            tracing::warn!("`{}`, {why}", path.display());
        }
        if bad > said.len() as u64 {
            tracing::warn!("`{}`: {} more lines are no records", path.display(), bad - said.len() as u64);
        }
        Ok(())
    }
}

/// Whether everything before the error is good.
fn is_cut_short(error: &capture::Error) -> bool {
    matches!(
        error,
        capture::Error::Truncated { .. } | capture::Error::Corrupt { .. } | capture::Error::Oversized { .. }
    )
}

fn reader(path: &Path) -> Result<BufReader<File>, Error> {
    File::open(path).map(BufReader::new).map_err(|source| Error::Open { path: path.to_owned(), source })
}

/// What the flags let through. Of `--failures` the ends of outages are part: without them every outage would go on.
pub struct Wanted {
    filter: Filter,
    failures: bool,
}

impl Wanted {
    /// As `config` says.
    pub fn new(config: &Config) -> Self {
        let filter = config.filter();
        let failures = filter.failures;
        Self { filter: Filter { failures: false, ..filter }, failures }
    }

    /// Whether nothing will be known of the ends of outages.
    pub fn leaves_out_recoveries(&self) -> bool {
        !self.filter.events.contains(EventName::Reconnected)
    }

    /// Whether the report takes a record.
    pub fn takes(&self, r: &Record) -> bool {
        let always = matches!(r.event, EventName::Start | EventName::Stop | EventName::Reconnected);
        self.filter.matches(r) && (!self.failures || always || went_wrong(r))
    }
}

/// Whether the trace that printed these lines was told not to show when peers came back.
fn leaves_out_recoveries(r: &Record) -> bool {
    let Some(tracer) = r.tracer.as_ref().filter(|_| r.event == EventName::Start) else { return false };
    tracer.filters.iter().any(|flag| match flag.strip_prefix("--events=") {
        Some(events) => events.parse::<Events>().is_ok_and(|set| !set.contains(EventName::Reconnected)),
        None => flag == "--failures",
    })
}
