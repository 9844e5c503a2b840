//! The table of sockets for people, and for programs.

use std::collections::BTreeSet;
use std::io::{self, Write};
use std::net::{IpAddr, SocketAddr};

use bytesize::ByteSize;
use comfy_table::{CellAlignment, ContentArrangement, Table, presets::NOTHING};
use serde_json::Value;

use super::Row;
use crate::record::Record;

/// Columns of the CSV form: what `ls` can know, in the order of [`Record::FIELDS`].
pub const CSV_FIELDS: &[&str] = &[
    "v",
    "ts",
    "event",
    "seq",
    "engine",
    "role",
    "family",
    "protocol",
    "local_addr",
    "local_port",
    "remote_addr",
    "remote_port",
    "pid",
    "comm",
    "exe",
    "cmdline",
    "uid",
    "user",
    "pid_source",
    "netns",
    "cgroup",
    "unit",
    "container",
    "pod",
    "state",
    "backlog",
    "bytes_sent",
    "bytes_received",
    "retransmits",
    "syn_retransmits",
    "rtt_us",
    "min_rtt_us",
];

/// Columns of the table, and whether they are numbers; the namespace only where there are several.
const COLUMNS: &[(&str, bool)] = &[
    ("PROTO", false),
    ("STATE", false),
    ("LOCAL", false),
    ("REMOTE", false),
    ("PID", true),
    ("COMM", false),
    ("USER", false),
    ("SENT", true),
    ("RECEIVED", true),
    ("RTT", true),
    ("RETRANS", true),
    ("NETNS", true),
];

/// An aligned table. What is not known is `-`. `fit` it to the width of a terminal; otherwise each socket is one
/// line, however long.
///
/// # Errors
/// Those of `out`.
pub fn text(rows: &[Row], fit: bool, out: &mut impl Write) -> io::Result<()> {
    let namespaces: BTreeSet<_> = rows.iter().map(|row| row.record.netns).collect();
    let columns = if namespaces.len() > 1 { COLUMNS } else { &COLUMNS[..COLUMNS.len() - 1] };
    let mut table = Table::new();
    let arrangement = if fit { ContentArrangement::Dynamic } else { ContentArrangement::Disabled };
    table.load_style(NOTHING).set_content_arrangement(arrangement);
    table.set_header(columns.iter().map(|(name, _)| *name));
    for row in rows {
        table.add_row(cells(row).into_iter().take(columns.len()));
    }
    for (column, (_, number)) in table.column_iter_mut().zip(columns) {
        column.set_padding((0, 2));
        if *number {
            column.set_cell_alignment(CellAlignment::Right);
        }
    }
    for line in table.lines() {
        writeln!(out, "{}", line.trim_end())?;
    }
    Ok(())
}

fn cells(row: &Row) -> Vec<String> {
    let r = &row.record;
    let size = |bytes: Option<u64>| known(bytes.map(ByteSize));
    let pid = match (r.pid, row.holders.len()) {
        (Some(pid), 2..) => format!("{pid}+{}", row.holders.len() - 1),
        (pid, _) => known(pid),
    };
    vec![
        known(r.protocol),
        r.state.map_or("unconn", |state| state.name()).to_owned(),
        endpoint(r.local_addr, r.local_port),
        endpoint(r.remote_addr, r.remote_port),
        pid,
        known(r.comm.as_deref()),
        r.user.as_deref().map_or_else(|| known(r.uid), str::to_owned),
        size(r.bytes_sent),
        size(r.bytes_received),
        known(r.rtt_us.map(|us| format!("{}.{:03}ms", us / 1000, us % 1000))),
        known(r.retransmits.or(r.syn_retransmits)),
        known(r.netns),
    ]
}

fn known(value: Option<impl ToString>) -> String {
    value.map_or_else(|| "-".to_owned(), |value| value.to_string())
}

fn endpoint(address: Option<IpAddr>, port: Option<u16>) -> String {
    match (address, port) {
        (None, _) => "-".to_owned(),
        (Some(address), Some(port)) => SocketAddr::new(address, port).to_string(),
        (Some(IpAddr::V4(address)), None) => format!("{address}:*"),
        (Some(IpAddr::V6(address)), None) => format!("[{address}]:*"),
    }
}

/// A record a line.
///
/// # Errors
/// Those of `out`.
pub fn json(rows: &[Row], out: &mut impl Write) -> io::Result<()> {
    for row in rows {
        serde_json::to_writer(&mut *out, &row.record)?;
        out.write_all(b"\n")?;
    }
    Ok(())
}

/// A header line and a line a socket (RFC 4180, but lines end as Unix has them); what is not known is empty.
///
/// # Errors
/// Those of `out`.
pub fn csv(rows: &[Row], out: &mut impl Write) -> io::Result<()> {
    let mut writer = csv::Writer::from_writer(out);
    writer.write_record(CSV_FIELDS).map_err(csv_error)?;
    for row in rows {
        writer.write_record(values(&row.record)?).map_err(csv_error)?;
    }
    writer.flush()
}

fn values(record: &Record) -> io::Result<Vec<String>> {
    let value = serde_json::to_value(record)?;
    Ok(CSV_FIELDS
        .iter()
        .map(|field| match value.get(*field) {
            None => String::new(),
            Some(Value::String(text)) => text.clone(),
            Some(value) => value.to_string(),
        })
        .collect())
}

/// Keeps the kind, so that a closed pipe is told from a full disk.
fn csv_error(error: csv::Error) -> io::Error {
    match error.into_kind() {
        csv::ErrorKind::Io(error) => error,
        other => io::Error::other(format!("{other:?}")),
    }
}
