//! Elastic Common Schema: one JSON object a line, for Elasticsearch, Filebeat and what else speaks it. What
//! ECS has no name for is below `connprobe`. `network.community_id` is not computed: Elasticsearch's
//! `community_id` processor makes it of what is here.

use serde_json::{Map, Value, json};

use super::{Format, json::line};
use crate::record::{Cause, EventName, Protocol, Record, Role};

/// Version of ECS the names are from.
pub const ECS_VERSION: &str = "8.17.0";

/// `--output ecs`.
#[derive(Debug, Default)]
pub struct Ecs;

impl Format for Ecs {
    fn record(&mut self, record: &Record, out: &mut Vec<u8>) {
        line(&document(record), out);
    }
}

/// The ECS document of a record.
pub fn document(record: &Record) -> Value {
    let mut doc = Document::default();
    doc.put("@timestamp", Some(record.ts.to_string()));
    doc.put("ecs.version", Some(ECS_VERSION));
    event(record, &mut doc);
    network(record, &mut doc);
    process(record, &mut doc);
    rest(record, &mut doc);
    Value::Object(doc.0)
}

#[derive(Default)]
struct Document(Map<String, Value>);

impl Document {
    /// Sets a dotted name, makes the objects on the way; nothing where there is no value.
    fn put(&mut self, name: &str, value: Option<impl Into<Value>>) {
        let Some(value) = value else { return };
        let (parents, leaf) = name.rsplit_once('.').unwrap_or(("", name));
        let mut at = &mut self.0;
        for parent in parents.split('.').filter(|parent| !parent.is_empty()) {
            let child = at.entry(parent).or_insert_with(|| Value::Object(Map::new()));
            let Value::Object(map) = child else { return };
            at = map;
        }
        at.insert(leaf.to_owned(), value.into());
    }
}

fn text(value: Option<&std::sync::Arc<str>>) -> Option<&str> {
    value.map(AsRef::as_ref)
}

fn event(record: &Record, doc: &mut Document) {
    let kind = if record.event == EventName::Lost { "pipeline_error" } else { "event" };
    doc.put("event.kind", Some(kind));
    doc.put("event.provider", Some("connprobe"));
    doc.put("event.dataset", Some("connprobe.tcp"));
    doc.put("event.category", Some(json!(["network"])));
    doc.put("event.type", Some(json!(types(record))));
    doc.put("event.action", Some(record.event.name()));
    doc.put("event.outcome", outcome(record));
    doc.put("event.reason", record.cause.map(Cause::name));
    doc.put("event.duration", record.duration_ns);
    doc.put("event.sequence", Some(record.seq));
    doc.put("error.code", record.error);
}

/// Of the values ECS allows for the category `network`: access, allowed, connection, denied, end, info,
/// protocol, start.
fn types(record: &Record) -> &'static [&'static str] {
    match record.event {
        EventName::Connect | EventName::Accept => &["connection", "start"],
        EventName::Failed if record.cause == Some(Cause::Denied) => &["connection", "denied", "end"],
        EventName::Failed | EventName::Closed => &["connection", "end"],
        EventName::RefusedInbound | EventName::PortScan | EventName::ListenOverflow => {
            &["connection", "denied"]
        }
        EventName::Established
        | EventName::Reset
        | EventName::Retransmit
        | EventName::State
        | EventName::Outage
        | EventName::Reconnected
        | EventName::Flapping
        | EventName::Snapshot => &["connection", "info"],
        EventName::Listen | EventName::ListenEnd | EventName::Lost | EventName::Start | EventName::Stop => {
            &["info"]
        }
    }
}

fn outcome(record: &Record) -> Option<&'static str> {
    match record.event {
        EventName::Established | EventName::Accept | EventName::Reconnected => Some("success"),
        EventName::Closed if !crate::filter::went_wrong(record) => Some("success"),
        EventName::Failed
        | EventName::Closed
        | EventName::Reset
        | EventName::RefusedInbound
        | EventName::PortScan
        | EventName::ListenOverflow
        | EventName::Outage
        | EventName::Flapping => Some("failure"),
        EventName::Listen
        | EventName::ListenEnd
        | EventName::Connect
        | EventName::Retransmit
        | EventName::State
        | EventName::Snapshot
        | EventName::Lost
        | EventName::Start
        | EventName::Stop => None,
    }
}

fn network(record: &Record, doc: &mut Document) {
    // The source is the side that opened the connection.
    let (local, remote, direction) = match record.role {
        Some(Role::Client) => ("source", "destination", Some("egress")),
        Some(Role::Server) => ("destination", "source", Some("ingress")),
        Some(Role::Unknown) => ("source", "destination", Some("unknown")),
        None if matches!(record.event, EventName::RefusedInbound | EventName::PortScan) => {
            ("destination", "source", Some("ingress"))
        }
        None if matches!(
            record.event,
            EventName::Listen | EventName::ListenEnd | EventName::ListenOverflow
        ) =>
        {
            ("destination", "source", None)
        }
        None => ("source", "destination", None),
    };
    let ends = [
        (local, record.local_addr, record.local_port, record.bytes_sent, None),
        (
            remote,
            record.remote_addr,
            record.remote_port,
            record.bytes_received,
            text(record.remote_name.as_ref()),
        ),
    ];
    for (end, addr, port, bytes, name) in ends {
        let addr = addr.map(|addr| addr.to_string());
        doc.put(&format!("{end}.address"), name.map(str::to_owned).or_else(|| addr.clone()));
        doc.put(&format!("{end}.domain"), name);
        doc.put(&format!("{end}.ip"), addr);
        doc.put(&format!("{end}.port"), port);
        doc.put(&format!("{end}.bytes"), bytes);
    }
    doc.put("network.direction", direction);
    doc.put("network.type", record.family.map(|family| family.name()));
    doc.put(
        "network.transport",
        record.protocol.map(|protocol| match protocol {
            Protocol::Tcp | Protocol::Mptcp => "tcp",
            Protocol::Udp => "udp",
        }),
    );
    doc.put(
        "network.bytes",
        record.bytes_sent.zip(record.bytes_received).map(|(sent, got)| sent.saturating_add(got)),
    );
}

fn process(record: &Record, doc: &mut Document) {
    doc.put("process.pid", record.pid);
    doc.put("process.name", text(record.comm.as_ref()));
    doc.put("process.executable", text(record.exe.as_ref()));
    doc.put("process.command_line", text(record.cmdline.as_ref()));
    doc.put("user.id", record.uid.map(|uid| uid.to_string()));
    doc.put("user.name", text(record.user.as_ref()));
    doc.put("container.id", text(record.container.as_ref()));
    doc.put("host.name", text(record.host.as_ref()));
    doc.put("host.boot.id", text(record.boot_id.as_ref()));
}

/// Every field of the record that has no place above keeps its own name.
fn rest(record: &Record, doc: &mut Document) {
    const PLACED: [&str; 24] = [
        "ts",
        "event",
        "seq",
        "boot_id",
        "host",
        "family",
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
        "container",
        "error",
        "cause",
        "duration_ns",
        "bytes_sent",
        "bytes_received",
        "remote_name",
        "v",
    ];
    let Ok(Value::Object(fields)) = serde_json::to_value(record) else { return };
    for (name, value) in fields {
        if !PLACED.contains(&name.as_str()) {
            doc.put(&format!("connprobe.{name}"), Some(value));
        }
    }
}
