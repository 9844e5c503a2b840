//! One sample record of every event, for tests.

use std::net::{IpAddr, Ipv4Addr};

use crate::record::{
    Cause, ClosedBy, End, EngineName, EventName, Family, LostWhere, PidSource, Protocol, Record, Role,
    RunTotals, TcpState, Timestamp, Tracer,
};

/// 2026-11-20T14:28:00.123456789Z.
const TIME: i64 = 1_795_184_880_123_456_789;

/// Every event once, in the order of the documents.
pub(crate) fn all() -> Vec<Record> {
    let make = |(seq, event): (usize, &EventName)| Record { seq: seq as u64 + 1, ..sample(*event) };
    EventName::ALL.iter().enumerate().map(make).collect()
}

/// A record as the pipeline makes it.
pub(crate) fn sample(event: EventName) -> Record {
    match event {
        EventName::Lost => Record { count: Some(312), lost_where: Some(LostWhere::Ring), ..bare(event) },
        EventName::Start => start(),
        EventName::Stop => stop(),
        EventName::Listen | EventName::ListenEnd | EventName::ListenOverflow => listener(event),
        EventName::RefusedInbound => Record {
            role: None,
            local_port: Some(8081),
            count: Some(3),
            pid: None,
            comm: None,
            conn: None,
            ..connection(event)
        },
        EventName::PortScan => Record {
            role: Some(Role::Server),
            local_addr: None,
            local_port: None,
            remote_port: None,
            ports: Some(16),
            count: Some(21),
            pid: None,
            comm: None,
            conn: None,
            ..connection(event)
        },
        EventName::Accept => {
            Record { role: Some(Role::Server), accept_wait_ns: Some(31_000), ..connection(event) }
        }
        EventName::Established => {
            Record { connect_ns: Some(210_400), syn_retransmits: Some(1), ..connection(event) }
        }
        EventName::Failed => Record {
            error: Some("ECONNREFUSED"),
            errno: Some(111),
            cause: Some(Cause::Refused),
            duration_ns: Some(210_400),
            attempt: Some(3),
            ..connection(event)
        },
        EventName::Closed => closed(),
        EventName::Reset => {
            Record { reset_by: Some(End::Remote), state: Some(TcpState::SynSent), ..connection(event) }
        }
        EventName::State => Record {
            prev_state: Some(TcpState::SynSent),
            state: Some(TcpState::Established),
            ..connection(event)
        },
        EventName::Retransmit | EventName::Snapshot => Record {
            state: Some(TcpState::Established),
            role: Some(Role::Unknown),
            pre_existing: Some(true),
            ..connection(event)
        },
        EventName::Connect => Record { local_port: None, ..connection(event) },
        EventName::Outage => {
            Record { cause: Some(Cause::Refused), previous_cause: Some(Cause::Orderly), ..connection(event) }
        }
        EventName::Reconnected => Record {
            attempts: Some(14),
            downtime_ns: Some(12_600_000_000),
            errors: Some(Box::new([("ECONNREFUSED".to_owned(), 13)].into())),
            backoff_ns: Some(vec![500_000_000, 1_000_000_000].into_boxed_slice()),
            previous_cause: Some(Cause::ResetByPeer),
            ..connection(event)
        },
        EventName::Flapping => Record { count: Some(6), ..connection(event) },
    }
}

fn bare(event: EventName) -> Record {
    Record { seq: 1, ..Record::new(Timestamp(TIME), event) }
}

fn connection(event: EventName) -> Record {
    Record {
        conn: Some("4f-9a3c".into()),
        engine: Some(EngineName::Tracepoint),
        role: Some(Role::Client),
        family: Some(Family::Ipv4),
        protocol: Some(Protocol::Tcp),
        local_addr: Some(IpAddr::V4(Ipv4Addr::new(10, 0, 0, 1))),
        local_port: Some(43210),
        remote_addr: Some(IpAddr::V4(Ipv4Addr::new(10, 0, 0, 2))),
        remote_port: Some(443),
        pid: Some(1234),
        comm: Some("curl".into()),
        exe: Some("/usr/bin/curl".into()),
        cmdline: Some("curl https://10.0.0.2/, \"x\"".into()),
        uid: Some(1000),
        user: Some("ada".into()),
        pid_source: Some(PidSource::Connect),
        netns: Some(4_026_531_840),
        unit: Some("fetch.service".into()),
        container: Some("3f4e8a0c11d2".into()),
        ..bare(event)
    }
}

fn listener(event: EventName) -> Record {
    Record {
        role: None,
        family: Some(Family::Ipv6),
        local_addr: Some("::1".parse().unwrap()),
        local_port: Some(8080),
        remote_addr: None,
        remote_port: None,
        comm: Some("nginx".into()),
        backlog: Some(128),
        count: (event == EventName::ListenOverflow).then_some(12),
        ..connection(event)
    }
}

fn closed() -> Record {
    Record {
        cause: Some(Cause::ResetUnreadData),
        closed_by: Some(ClosedBy::Local),
        reset_by: Some(End::Local),
        reset_reason: Some("tcp_abort_on_close".into()),
        closer_pid: Some(77),
        closer_comm: Some("killer".into()),
        duration_ns: Some(5_034_000_000),
        bytes_sent: Some(512),
        bytes_received: Some(34_560_000),
        unread_bytes: Some(4_096),
        retransmits: Some(2),
        rtt_us: Some(20_100),
        min_rtt_us: Some(18_000),
        remote_name: Some("www.example.org".into()),
        accepted: Some(true),
        ..connection(EventName::Closed)
    }
}

fn start() -> Record {
    let tracer = Tracer {
        version: "0.1.0".to_owned(),
        kernel: "6.12.1".to_owned(),
        hooks: [("tcp_connect".to_owned(), "tracepoint".to_owned())].into(),
        missing: vec!["no reset reasons".to_owned()],
        filters: vec!["--port=443".to_owned()],
    };
    Record {
        boot_id: Some("0f5c5d5e".into()),
        host: Some("alpha".into()),
        tracer: Some(Box::new(tracer)),
        ..bare(EventName::Start)
    }
}

fn stop() -> Record {
    let totals = RunTotals {
        events: 1200,
        records: [("closed".to_owned(), 40), ("failed".to_owned(), 2)].into(),
        lost: [("ring".to_owned(), 312), ("sink".to_owned(), 0)].into(),
        unknown: 1,
        mptcp_subflows: 0,
        open: 3,
        duration_ns: 61_000_000_000,
    };
    Record { totals: Some(Box::new(totals)), ..bare(EventName::Stop) }
}
