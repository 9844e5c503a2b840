//! Records: the contract of the event stream, and the only `Serialize` of it; `report` reads its JSON back. One [`Record`] is one JSON
//! object on one line; a field that does not apply is absent. Add fields, never rename them.

pub mod build;
pub mod errno;
pub mod story;

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::sync::Arc;

pub use crate::vocab::{
    Cause, ClosedBy, End, EngineName, EventName, Family, LostWhere, PidSource, Protocol, Role, TcpState,
};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Version of the schema, field `v`.
pub const SCHEMA_VERSION: u32 = 1;

/// A name of the table of errno. Behind an alias, or serde would borrow it from the text that is read.
type ErrnoName = &'static str;

macro_rules! record {
    ($($(#[$doc:meta])* $field:ident: $type:ty),* $(,)?) => {
        /// One line of the stream. Times and durations are in the units their names say; absent means: does
        /// not apply, or not known.
        #[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
        #[schemars(title = "connprobe record", deny_unknown_fields)]
        pub struct Record {
            /// Schema version, 1.
            pub v: u32,
            /// When it happened in the kernel: RFC 3339, UTC, nine decimals.
            pub ts: Timestamp,
            /// What happened.
            pub event: EventName,
            /// Counts the records of this run from 1 without a hole.
            #[schemars(range(min = 1))]
            pub seq: u64,
            $($(#[$doc])* #[serde(skip_serializing_if = "Option::is_none")] pub $field: Option<$type>,)*
        }

        impl Record {
            /// A record of an event with nothing else in it. `seq` is 0 until it is sent.
            pub fn new(ts: Timestamp, event: EventName) -> Self {
                Self { v: SCHEMA_VERSION, ts, event, seq: 0, $($field: None,)* }
            }

            /// Names of all fields, in their order on the wire.
            pub const FIELDS: &'static [&'static str] = &["v", "ts", "event", "seq", $(stringify!($field)),*];
        }
    };
}

record! {
    /// Kernel boot id; in `start`, and where the record leaves the host.
    boot_id: Arc<str>,
    /// Host name; in `start`, and where the record leaves the host.
    host: Arc<str>,
    /// Id of the connection, unique on this host and boot; the same in all its records.
    conn: Arc<str>,
    /// What saw it.
    engine: EngineName,
    /// Which side this host is.
    role: Role,
    /// Address family.
    family: Family,
    /// Transport.
    protocol: Protocol,
    /// Local address.
    local_addr: IpAddr,
    /// Local port; absent while the kernel has not chosen it.
    local_port: u16,
    /// Remote address.
    remote_addr: IpAddr,
    /// Remote port.
    remote_port: u16,
    /// Owner: process id (not thread) in the initial PID namespace.
    pid: u32,
    /// Owner: command name.
    comm: Arc<str>,
    /// Owner: path of the executable.
    exe: Arc<str>,
    /// Owner: command line, arguments separated by spaces.
    cmdline: Arc<str>,
    /// Owner: user id.
    uid: u32,
    /// Owner: user name.
    user: Arc<str>,
    /// How the owner is known.
    pid_source: PidSource,
    /// Process that ended it, where it is not the owner.
    closer_pid: u32,
    /// Its command name.
    closer_comm: Arc<str>,
    /// Inode of the network namespace.
    netns: u32,
    /// Owner: cgroup path.
    cgroup: Arc<str>,
    /// Owner: systemd unit.
    unit: Arc<str>,
    /// Owner: container id.
    container: Arc<str>,
    /// Owner: Kubernetes pod uid.
    pod: Arc<str>,
    /// State now.
    state: TcpState,
    /// State before.
    prev_state: TcpState,
    /// Length of the accept queue asked for (`listen`).
    backlog: u32,
    /// Symbolic errno, such as `ECONNREFUSED`.
    #[serde(default, deserialize_with = "errno::read")]
    error: ErrnoName,
    /// Its number.
    errno: u16,
    /// Symbolic errno of an ICMP message, when it differs from `error`.
    #[serde(default, deserialize_with = "errno::read")]
    soft_error: ErrnoName,
    /// Why it ended.
    cause: Cause,
    /// Who sent the RST.
    reset_by: End,
    /// The kernel's own reason for the RST, lower snake case (6.10+).
    reset_reason: Arc<str>,
    /// Who ended it first.
    closed_by: ClosedBy,
    /// First SYN to ESTABLISHED, ns.
    connect_ns: u64,
    /// ESTABLISHED to accept(), ns.
    accept_wait_ns: u64,
    /// Lifetime, or length of the attempt, ns; absent when the birth was not seen.
    duration_ns: u64,
    /// Payload sent and acknowledged, bytes.
    bytes_sent: u64,
    /// Payload received, bytes.
    bytes_received: u64,
    /// Segments sent again, of an established connection.
    retransmits: u32,
    /// SYNs sent again.
    syn_retransmits: u32,
    /// Smoothed round-trip time at the last look, µs.
    rtt_us: u32,
    /// Minimum round-trip time, µs.
    min_rtt_us: u32,
    /// Bytes nobody had read at a local close that made a reset.
    unread_bytes: u64,
    /// Older than the tracer.
    pre_existing: bool,
    /// Server side: false when no accept() ever took it.
    accepted: bool,
    /// Something may be missing after a loss.
    incomplete: bool,
    /// Number of this attempt in its reconnect episode, from 1.
    attempt: u32,
    /// Attempts since the loss, the successful one counted (`reconnected`).
    attempts: u32,
    /// Loss to ESTABLISHED, ns (`reconnected`).
    downtime_ns: u64,
    /// Failed attempts by errno since the loss, `none` for those without (`reconnected`).
    errors: Box<BTreeMap<String, u32>>,
    /// From each end or failure to the next attempt, ns, the first 32 (`reconnected`).
    backoff_ns: Box<[u64]>,
    /// How the last lifetime before the loss ended (`outage`, `reconnected`).
    previous_cause: Cause,
    /// How many (`lost`, `refused_inbound`, `port_scan`, `listen_overflow`, `flapping`).
    count: u64,
    /// Distinct local ports tried (`port_scan`).
    ports: u32,
    /// Name of the remote address, where asked for.
    remote_name: Arc<str>,
    /// Where something was lost (`lost`).
    #[serde(rename = "where")]
    lost_where: LostWhere,
    /// Kernel, engines and filters (`start`).
    tracer: Box<Tracer>,
    /// Totals of the run (`stop`).
    totals: Box<RunTotals>,
}

/// What `start` says of the tracer.
#[derive(Clone, Debug, Default, Serialize, Deserialize, JsonSchema)]
pub struct Tracer {
    /// connprobe's version.
    pub version: String,
    /// Kernel release.
    pub kernel: String,
    /// Engine in use per hook.
    pub hooks: BTreeMap<String, String>,
    /// What this kernel cannot tell, a sentence each.
    pub missing: Vec<String>,
    /// Filters in force, as flags.
    pub filters: Vec<String>,
}

/// What `stop` says of the run.
#[derive(Clone, Debug, Default, Serialize, Deserialize, JsonSchema)]
pub struct RunTotals {
    /// Events taken from the kernel.
    pub events: u64,
    /// Records made, before filters, by event.
    pub records: BTreeMap<String, u64>,
    /// Lost, by place.
    pub lost: BTreeMap<String, u64>,
    /// Kernel events of a kind this version does not know.
    pub unknown: u64,
    /// Additional MPTCP subflows, not counted as connections.
    pub mptcp_subflows: u64,
    /// Connections still open.
    pub open: u64,
    /// Length of the run, ns.
    pub duration_ns: u64,
}

/// Wall-clock time in ns since the Unix epoch; on the wire RFC 3339, UTC, nine decimals.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Timestamp(pub i64);

impl std::fmt::Display for Timestamp {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let ts = jiff::Timestamp::from_nanosecond(i128::from(self.0)).unwrap_or(jiff::Timestamp::UNIX_EPOCH);
        write!(f, "{ts:.9}")
    }
}

impl Serialize for Timestamp {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Timestamp {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let ts = jiff::Timestamp::deserialize(deserializer)?;
        i64::try_from(ts.as_nanosecond())
            .map(Self)
            .map_err(|_| serde::de::Error::custom("a time that is not between the years 1678 and 2261"))
    }
}

impl JsonSchema for Timestamp {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "Timestamp".into()
    }

    fn json_schema(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
        schemars::json_schema!({
            "type": "string",
            "format": "date-time",
            "pattern": r"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{9}Z$",
        })
    }
}
