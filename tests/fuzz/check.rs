//! What holds for every run, whatever comes in which order. Shared with the fuzz targets.

use std::collections::BTreeMap;

use probe::decode;
use probe::decode::event::{Event, Kind};
use probe::pipeline::{Input, Pipeline};
use probe::record::{EventName, LostWhere, Record, TcpState};

use super::operations::Run;

/// Runs it; the records, or what does not hold.
pub(crate) fn holds(run: &Run) -> Result<Vec<Record>, String> {
    let mut pipeline = Pipeline::new(run.header.clone(), &run.config);
    let mut records = Vec::new();
    for input in &run.inputs {
        pipeline.handle(input, &mut |record| records.push(record));
        let (sockets, listening) = (pipeline.tracker().sockets(), pipeline.tracker().listening());
        if sockets > run.config.max_connections as usize || listening > sockets {
            return Err(format!("{sockets} sockets, {listening} of them listening, are in the table"));
        }
    }
    numbered(&records)?;
    every_knock_is_told(run, &records)?;
    let evicted = records.iter().any(|r| r.lost_where == Some(LostWhere::Tracker));
    let small = run.config.max_connections < 1_000;
    let mut lives: BTreeMap<&str, Life> = BTreeMap::new();
    for record in &records {
        if let Some(conn) = &record.conn {
            lives.entry(conn).or_default().take(record);
        }
    }
    // A socket that was given up is another one when it comes back, and a tombstone too is given up.
    if !evicted && !small {
        for (conn, life) in &lives {
            life.holds().map_err(|why| format!("{conn}: {why}"))?;
        }
        let open = records.last().and_then(|r| r.totals.as_ref()).map(|totals| totals.open);
        if open != Some(0) {
            return Err(format!("everything was destroyed, and {open:?} are open"));
        }
    }
    Ok(records)
}

fn numbered(records: &[Record]) -> Result<(), String> {
    let hole = records.iter().zip(1..).find(|(record, number)| record.seq != *number);
    hole.map_or(Ok(()), |(record, number)| Err(format!("record {number} has number {}", record.seq)))
}

/// Tries at ports where nothing listens are put together, and none is told twice or not at all.
fn every_knock_is_told(run: &Run, records: &[Record]) -> Result<(), String> {
    let batches = run.inputs.iter().filter_map(|input| match input {
        Input::Events(batch) => Some(batch),
        _ => None,
    });
    let events = batches.flat_map(|batch| decode::events(batch)).flatten();
    let is_knock =
        |e: &Event| matches!(e.kind, Kind::ResetSent { .. }) && e.flags.no_socket && e.flags.answers_syn;
    let tries = events.filter(is_knock).count() as u64;
    let tells = |r: &&Record| matches!(r.event, EventName::RefusedInbound | EventName::PortScan);
    let told: u64 = records.iter().filter(tells).map(|r| r.count.unwrap_or(1)).sum();
    if tries == told { Ok(()) } else { Err(format!("{tries} tries, and {told} are told")) }
}

/// The records of one connection.
#[derive(Default)]
struct Life {
    begun: u32,
    connects: u32,
    established: u32,
    failed: u32,
    closed: u32,
    listen_ends: u32,
    failed_after_established: bool,
}

impl Life {
    fn take(&mut self, record: &Record) {
        match record.event {
            EventName::Connect => self.connects += 1,
            EventName::Established => self.established += 1,
            EventName::Accept => self.begun += 1,
            EventName::Snapshot => self.begun += u32::from(record.state != Some(TcpState::Listen)),
            EventName::Failed => {
                self.failed += 1;
                self.failed_after_established |= self.established > 0;
            }
            EventName::Closed => self.closed += 1,
            EventName::ListenEnd => self.listen_ends += 1,
            _ => {}
        }
    }

    fn holds(&self) -> Result<(), String> {
        let begun = self.begun + self.connects + self.established > 0;
        let ends = self.failed + self.closed;
        let rules = [
            (self.connects <= 1, "one attempt is told twice"),
            (self.established <= 1, "one handshake is told twice"),
            (ends <= 1, "it ended twice"),
            (!begun || ends == 1, "it never ended, although its socket is gone"),
            (!self.failed_after_established, "it failed after it was established"),
            (self.listen_ends <= 1, "it stopped listening twice"),
        ];
        rules.iter().find(|(holds, _)| !holds).map_or(Ok(()), |(_, why)| Err((*why).to_owned()))
    }
}
