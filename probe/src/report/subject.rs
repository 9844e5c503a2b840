//! From a record to whom it is about, and what it is worth as evidence.

use std::sync::Arc;

use super::findings::{Evidence, Peer, Who};
use crate::record::{Record, Role, Timestamp};

/// Longest name that is kept, characters: a file of lines may say anything.
const NAME: usize = 128;
/// Numbers and ids kept of a finding.
const EVIDENCE: usize = 5;

/// A name of bounded length.
pub(super) fn clipped(name: &Arc<str>) -> Arc<str> {
    match name.char_indices().nth(NAME) {
        None => name.clone(),
        Some((at, _)) => format!("{}…", &name[..at]).into(),
    }
}

impl Who {
    /// The owner of a record.
    pub(super) fn of(r: &Record) -> Self {
        let clip = |name: &Option<Arc<str>>| name.as_ref().map(clipped);
        Self { comm: clip(&r.comm), unit: clip(&r.unit), container: clip(&r.container) }
    }
}

impl Peer {
    /// The other end of a record. Where this host serves, the port is its own.
    pub(super) fn of(r: &Record) -> Self {
        let is_client = r.role == Some(Role::Server);
        let port = if is_client { r.local_port } else { r.remote_port };
        Self { addr: r.remote_addr, port, is_client }
    }
}

impl Evidence {
    /// Of one record.
    pub(super) fn of(r: &Record) -> Self {
        let mut evidence = Self::default();
        evidence.add(r);
        evidence
    }

    /// One record more.
    pub(super) fn add(&mut self, r: &Record) {
        self.records += 1;
        self.extend_to(r.ts);
        if self.seqs.len() < EVIDENCE {
            self.seqs.push(r.seq);
        }
        if let Some(conn) = r.conn.as_ref().map(clipped)
            && self.conns.len() < EVIDENCE
            && !self.conns.contains(&conn)
        {
            self.conns.push(conn);
        }
    }

    /// Another moment it happened at.
    pub(super) fn extend_to(&mut self, ts: Timestamp) {
        self.between = Some(self.between.map_or((ts, ts), |(from, to)| (from.min(ts), to.max(ts))));
    }

    /// In the order of the stream.
    pub(super) fn sort(&mut self) {
        self.seqs.sort_unstable();
    }

    /// What both rest on.
    pub(super) fn join(&mut self, other: &Self) {
        self.records += other.records;
        for seq in &other.seqs {
            if self.seqs.len() < EVIDENCE && !self.seqs.contains(seq) {
                self.seqs.push(*seq);
            }
        }
        for conn in &other.conns {
            if self.conns.len() < EVIDENCE && !self.conns.contains(conn) {
                self.conns.push(conn.clone());
            }
        }
        if let Some((from, to)) = other.between {
            self.extend_to(from);
            self.extend_to(to);
        }
    }
}

/// Length of a stretch of time, ns; 0 where it would be negative.
pub(super) fn between(from: Timestamp, to: Timestamp) -> u64 {
    u64::try_from(to.0.saturating_sub(from.0)).unwrap_or(0)
}
