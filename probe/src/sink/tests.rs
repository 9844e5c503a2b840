use jiff::tz::TimeZone;
use serde_json::Value;

use super::samples::{all, sample};
use super::{Format, csv::Csv, ecs::Ecs, json::Json, schema, text::Text};
use crate::record::{
    Cause, ClosedBy, End, EngineName, EventName, Family, LostWhere, PidSource, Protocol, Record, Role,
    TcpState,
};

fn write(mut format: impl Format, records: &[Record]) -> String {
    let mut out = Vec::new();
    format.begin(&mut out);
    for record in records {
        format.record(record, &mut out);
    }
    String::from_utf8(out).unwrap()
}

/// A name made to command a terminal: CSI, OSC, C1 CSI, DEL, a line break and a direction mark.
const HOSTILE: &str = "a\u{1b}[2J\u{1b}]0;x\u{7}\u{9b}31m\u{7f}\nb\u{202e}c\"d,e";

fn hostile() -> Vec<Record> {
    let mut records = all();
    for record in &mut records {
        let names = [
            &mut record.comm,
            &mut record.exe,
            &mut record.cmdline,
            &mut record.remote_name,
            &mut record.closer_comm,
        ];
        for name in names {
            *name = Some(HOSTILE.into());
        }
        for name in [&mut record.host, &mut record.user, &mut record.unit, &mut record.reset_reason] {
            *name = Some(HOSTILE.into());
        }
    }
    records
}

#[test]
fn text_has_a_line_for_every_event() {
    insta::assert_snapshot!(write(Text::in_zone(TimeZone::fixed(jiff::tz::offset(1)), false), &all()));
}

#[test]
fn text_of_a_listener_that_was_there_has_one_end() {
    let record = Record {
        state: Some(TcpState::Listen),
        remote_addr: None,
        remote_port: None,
        ..sample(EventName::Snapshot)
    };
    let text = write(Text::in_zone(TimeZone::UTC, false), &[record]);
    assert!(!text.contains("*:*") && text.contains("10.0.0.1:43210 "), "{text}");
}

#[test]
fn text_of_a_reset_by_the_peer_says_so_once() {
    let record = Record {
        cause: Some(Cause::ResetByPeer),
        closed_by: Some(ClosedBy::Remote),
        reset_reason: None,
        closer_pid: None,
        closer_comm: None,
        ..sample(EventName::Closed)
    };
    let text = write(Text::in_zone(TimeZone::UTC, false), &[record]);
    assert!(text.contains(" reset by peer, after "), "{text}");
}

#[test]
fn text_says_once_that_nobody_accepted() {
    let record =
        Record { cause: Some(Cause::NeverAccepted), accepted: Some(false), ..sample(EventName::Closed) };
    let text = write(Text::in_zone(TimeZone::UTC, false), &[record]);
    assert_eq!(text.matches("never accepted").count(), 1, "{text}");
}

#[test]
fn text_has_an_arrow_only_where_the_direction_is_known() {
    let record = Record { role: None, ..sample(EventName::State) };
    let text = write(Text::in_zone(TimeZone::UTC, false), &[record]);
    assert!(text.contains("10.0.0.1:43210        -- 10.0.0.2:443"), "{text}");
}

#[test]
fn text_in_colour() {
    let text = write(Text::in_zone(TimeZone::UTC, true), &all());
    insta::assert_snapshot!(text.replace('\u{1b}', "ESC"));
}

#[test]
fn json_lines() {
    insta::assert_snapshot!(write(Json, &all()));
}

#[test]
fn csv_lines() {
    insta::assert_snapshot!(write(Csv, &all()));
}

#[test]
fn ecs_lines() {
    insta::assert_snapshot!(write(Ecs, &all()));
}

#[test]
fn hostile_names_reach_no_terminal_and_break_no_line() {
    let records = hostile();
    let outputs = [
        write(Text::in_zone(TimeZone::UTC, false), &records),
        write(Json, &records),
        write(Csv, &records),
        write(Ecs, &records),
    ];
    for output in outputs {
        let active = output.chars().find(|c| *c != '\n' && super::escape::is_active(*c));
        assert_eq!(active, None, "{output}");
        let lines = output.lines().filter(|line| !line.starts_with("v,ts,")).count();
        assert_eq!(lines, records.len(), "{output}");
    }
}

#[test]
fn json_keeps_hostile_names_exactly() {
    for line in write(Json, &hostile()).lines() {
        let value: Value = serde_json::from_str(line).unwrap();
        assert_eq!(value["comm"], HOSTILE);
    }
}

#[test]
fn csv_reads_back_with_all_columns() {
    let text = write(Csv, &hostile());
    let mut reader = ::csv::Reader::from_reader(text.as_bytes());
    let header = reader.headers().unwrap().clone();
    assert_eq!(header.len(), Record::FIELDS.len());
    assert!(header.iter().any(|name| name == "where"));
    let comm = header.iter().position(|name| name == "comm").unwrap();
    let rows: Vec<_> = reader.records().map(Result::unwrap).collect();
    assert_eq!(rows.len(), EventName::ALL.len());
    assert!(rows.iter().all(|row| row[comm].starts_with("a\\u{1b}[2J") && row[comm].ends_with("c\"d,e")));
}

#[test]
fn every_json_field_is_a_csv_column() {
    let columns: Vec<_> = super::csv::columns().collect();
    for line in write(Json, &all()).lines() {
        let value: Value = serde_json::from_str(line).unwrap();
        for name in value.as_object().unwrap().keys() {
            assert!(columns.contains(&name.as_str()), "{name}");
        }
    }
}

#[test]
fn samples_of_every_event_validate() {
    let schema = schema::document();
    jsonschema::meta::validate(&schema).unwrap();
    let validator = jsonschema::validator_for(&schema).unwrap();
    for line in write(Json, &all()).lines() {
        let value: Value = serde_json::from_str(line).unwrap();
        let errors: Vec<_> = validator.iter_errors(&value).map(|error| error.to_string()).collect();
        assert!(errors.is_empty(), "{line}: {errors:?}");
    }
}

#[test]
fn the_schema_forbids_other_fields_nulls_and_other_values() {
    let validator = jsonschema::validator_for(&schema::document()).unwrap();
    let good = serde_json::to_value(sample(EventName::Stop)).unwrap();
    assert!(validator.is_valid(&good));
    let changes: [(&str, Value); 6] = [
        ("/extra", 1.into()),
        ("/pid", Value::Null),
        ("/event", "exploded".into()),
        ("/v", 2.into()),
        ("/ts", "yesterday".into()),
        ("/totals/extra", 1.into()),
    ];
    for (pointer, value) in changes {
        let mut bad = good.clone();
        let (parent, leaf) = pointer.rsplit_once('/').unwrap();
        bad.pointer_mut(parent).unwrap()[leaf] = value;
        assert!(!validator.is_valid(&bad), "{pointer}");
    }
}

#[test]
fn the_schema_documents_every_field() {
    let schema = schema::document();
    assert_eq!(schema["$schema"], "https://json-schema.org/draft/2020-12/schema");
    assert!(schema["$id"].is_string() && schema["title"].is_string());
    let properties = schema["properties"].as_object().unwrap();
    for (name, property) in properties {
        assert!(property["description"].is_string(), "{name}");
    }
}

/// The fields of the contract of the event stream that exist so far.
const FIELDS: &str = "v ts event seq boot_id host conn engine role family protocol local_addr local_port remote_addr \
    remote_port pid comm exe cmdline uid user pid_source closer_pid closer_comm netns cgroup unit container pod state \
    prev_state error errno soft_error cause reset_by reset_reason closed_by connect_ns accept_wait_ns duration_ns \
    bytes_sent bytes_received retransmits syn_retransmits rtt_us min_rtt_us unread_bytes pre_existing accepted \
    incomplete attempt remote_name count where backlog";

#[test]
fn the_contract_is_whole() {
    let schema = schema::document();
    for name in FIELDS.split_whitespace() {
        assert!(schema["properties"].get(name).is_some(), "field {name}");
    }
    let values = |text: &str, names: Vec<&str>| {
        for value in text.split_whitespace() {
            assert!(names.contains(&value), "value {value}");
        }
        assert!(names.iter().all(|name| schema.to_string().contains(&format!("\"{name}\""))), "{names:?}");
    };
    macro_rules! names {
        ($type:ty) => {
            <$type>::ALL.iter().map(|value| value.name()).collect()
        };
    }
    values(
        "listen listen_end connect established accept failed closed reset refused_inbound listen_overflow retransmit \
         state outage reconnected flapping snapshot lost start stop",
        names!(EventName),
    );
    values("fentry tracepoint kprobe sock_diag", names!(EngineName));
    values("client server unknown", names!(Role));
    values("ipv4 ipv6", names!(Family));
    values("tcp mptcp udp", names!(Protocol));
    values("connect accept listener snapshot unknown", names!(PidSource));
    values("local remote", names!(End));
    values("local remote both kernel admin", names!(ClosedBy));
    values("ring queue sink", names!(LostWhere));
    values(
        "syn_sent fin_wait_1 time_wait established closed listen close_wait last_ack closing",
        names!(TcpState),
    );
    values(
        "refused refused_icmp timed_out unreachable no_route no_port address_in_use denied abandoned aborted \
         process_exit invalid other orderly reset_by_peer reset_unread_data reset_linger reset_by_kernel \
         keepalive_timeout user_timeout never_accepted",
        names!(Cause),
    );
}

#[test]
fn ecs_uses_only_values_it_allows() {
    const TYPES: [&str; 8] =
        ["access", "allowed", "connection", "denied", "end", "info", "protocol", "start"];
    for record in all() {
        let doc = super::ecs::document(&record);
        assert_eq!(doc["event"]["category"], serde_json::json!(["network"]));
        for kind in doc["event"]["type"].as_array().unwrap() {
            assert!(TYPES.contains(&kind.as_str().unwrap()), "{kind}");
        }
        let outcome = doc["event"].get("outcome").and_then(Value::as_str);
        assert!(matches!(outcome, None | Some("success" | "failure")), "{outcome:?}");
    }
}

#[test]
fn the_ecs_source_is_the_side_that_connected() {
    let client = super::ecs::document(&sample(EventName::Established));
    assert_eq!(client["source"]["port"], 43210);
    let server = super::ecs::document(&sample(EventName::Accept));
    assert_eq!((&server["source"]["port"], &server["destination"]["port"]), (&443.into(), &43210.into()));
    assert_eq!(server["network"]["direction"], "ingress");
}
