//! `connprobe replay FILE`: a recorded trace again, without root.

use std::path::Path;

use crate::config::Config;
use crate::pipeline::replay;
use crate::record::EventName;
use crate::sink::output::{Output, Policy, Status};

/// Replays a record file. Its records come even if it turns out to be cut short.
pub(super) fn run(file: &Path, config: &Config) -> anyhow::Result<()> {
    let mut output = Output::open(config, Policy::Block)?;
    let mut left = config.count;
    let replayed = replay::run(file, config, |record| {
        let counts = !matches!(record.event, EventName::Start | EventName::Stop | EventName::Lost);
        if let (Some(left), true) = (&mut left, counts) {
            *left = left.saturating_sub(1);
        }
        output.send(&record);
        left != Some(0) && output.status() == Status::Open
    });
    output.finish(None)?;
    Ok(replayed?)
}
