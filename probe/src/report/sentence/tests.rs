use jiff::tz::TimeZone;

use super::super::findings::{Evidence, Peer, Who};
use super::super::tests::{Step, report, story};
use super::super::{Report, Scope};
use super::*;
use crate::record::{EventName, LostWhere, Record, Timestamp};

/// What is said of a story, in order.
fn said(steps: &[Step]) -> Vec<String> {
    let findings = report(&story(steps), Scope::default());
    let clock = Clock::new(TimeZone::UTC, &findings.origin);
    all(&findings, &clock).into_iter().map(|statement| statement.text).collect()
}

fn api(r: &mut Record) {
    (r.comm, r.unit, r.exe) = (Some("api".into()), Some("api.service".into()), None);
    (r.remote_addr, r.remote_port) = (Some([10, 0, 0, 5].into()), Some(5432));
}

#[test]
fn an_outage_with_its_loss_its_failures_and_its_end() {
    let told = said(&[
        (100, EventName::Outage, |r| {
            api(r);
            (r.cause, r.previous_cause) = (Some(Cause::ResetByPeer), Some(Cause::ResetByPeer));
        }),
        (101, EventName::Failed, api),
        (102, EventName::Failed, api),
        (103, EventName::Failed, |r| {
            api(r);
            r.cause = Some(Cause::TimedOut);
        }),
        (112, EventName::Reconnected, |r| {
            api(r);
            (r.downtime_ns, r.attempts) = (Some(12_600_000_000), Some(4));
        }),
    ]);
    assert_eq!(
        told,
        ["postgres client `api` (unit api.service) lost 10.0.0.5:5432 at 00:01:40.0 by a reset from the \
        peer, was refused twice, got no answer once over 2 s, back after 12.6 s"]
    );
}

#[test]
fn an_outage_of_a_peer_that_never_worked_and_goes_on() {
    let told = said(&[
        (100, EventName::Failed, api),
        (100, EventName::Outage, |r| {
            api(r);
            r.previous_cause = None;
        }),
        (160, EventName::Connect, api),
    ]);
    assert_eq!(
        told,
        ["postgres client `api` (unit api.service) could not reach 10.0.0.5:5432 from 00:01:40.0 on, \
        was refused once, not back at the end, 1m00s later"]
    );
}

#[test]
fn many_outages_of_one_peer_are_one_sentence() {
    fn lost(r: &mut Record) {
        api(r);
        r.previous_cause = Some(Cause::TimedOut);
    }
    fn back(r: &mut Record) {
        api(r);
        r.downtime_ns = Some(5_000_000_000);
    }
    let told = said(&[
        (10, EventName::Outage, lost),
        (15, EventName::Reconnected, back),
        (20, EventName::Outage, lost),
        (22, EventName::Failed, api),
        (25, EventName::Reconnected, back),
        (30, EventName::Outage, lost),
        (35, EventName::Reconnected, back),
        (35, EventName::Flapping, api),
    ]);
    assert_eq!(
        told,
        [
            "postgres client `api` (unit api.service) lost 10.0.0.5:5432 3 times, between 00:00:10.0 and 00:00:35.0, \
         15 s in all, the longest 5 s, 1 failed attempt meanwhile",
            "postgres client `api` (unit api.service) had to reconnect to 10.0.0.5:5432 again and again, 6 times within \
         a short time, at 00:00:35.0",
        ]
    );
}

#[test]
fn a_server_that_lost_a_client() {
    let told = said(&[(20, EventName::Reconnected, |r| {
        (r.role, r.local_port, r.comm, r.unit) =
            (Some(crate::record::Role::Server), Some(443), Some("nginx".into()), None);
        (r.container, r.downtime_ns) = (None, Some(3_000_000_000));
    })]);
    assert_eq!(
        told,
        ["`nginx` lost client 10.0.0.2 on port 443 at 00:00:17.0 by a reset from the peer, back after 3 s"]
    );
}

fn failed(cause: Cause, was_established: bool, is_client: bool) -> String {
    let who = Who { comm: Some("curl".into()), ..Who::default() };
    let peer = Peer { addr: Some([10, 0, 0, 9].into()), port: Some(81), is_client };
    let at = |ns: i64| Timestamp(ns * 1_000_000_000);
    let evidence = Evidence { between: Some((at(5), at(7))), ..Evidence::default() };
    let count = 2;
    let failure = Failure {
        who,
        peer,
        was_established,
        cause,
        error: None,
        soft_error: None,
        reset_reason: None,
        count,
        in_outage: false,
        evidence,
    };
    failed::sentence(&failure, &Clock::new(TimeZone::UTC, &Default::default()))
}

/// Causes of `failed` and of `closed`, as `probe/docs/records.md` has them.
const ATTEMPTS: usize = 12;
const CONNECTIONS: [Cause; 13] = [
    Cause::ResetByPeer,
    Cause::ResetUnreadData,
    Cause::ResetLinger,
    Cause::ResetByKernel,
    Cause::TimedOut,
    Cause::KeepaliveTimeout,
    Cause::UserTimeout,
    Cause::Unreachable,
    Cause::Aborted,
    Cause::NeverAccepted,
    Cause::ProcessExit,
    Cause::Orderly,
    Cause::Other,
];

#[test]
fn every_cause_has_its_sentence() {
    let all = |causes: &[Cause], was_established, is_client| -> String {
        let line = |cause: &Cause| format!("{cause}: {}\n", failed(*cause, was_established, is_client));
        causes.iter().map(line).collect()
    };
    let attempts = [&Cause::ALL[..ATTEMPTS], &[Cause::Other]].concat();
    insta::assert_snapshot!(
        [
            "attempts\n",
            &all(&attempts, false, false),
            "\nconnections\n",
            &all(&CONNECTIONS, true, false),
            "\nof a server\n",
            &all(&CONNECTIONS, true, true),
        ]
        .concat()
    );
}

#[test]
fn errors_and_reasons_are_told_with_the_failure() {
    let told = said(&[(5, EventName::Failed, |r| {
        (r.comm, r.unit, r.container) = (Some("curl".into()), None, None);
        (r.cause, r.error, r.soft_error) = (Some(Cause::TimedOut), Some("ETIMEDOUT"), Some("EHOSTUNREACH"));
        r.reset_reason = Some("tcp_state".into());
    })]);
    assert_eq!(
        told,
        ["https client `curl` got no answer from 10.0.0.2:443, once (ETIMEDOUT, after EHOSTUNREACH, \
        reason tcp_state), at 00:00:05.0"]
    );
}

#[test]
fn inbound_trouble() {
    let told = said(&[
        (1, EventName::ListenOverflow, |r| r.unit = None),
        (2, EventName::ListenOverflow, |r| (r.unit, r.count) = (None, Some(1))),
        (3, EventName::PortScan, |_| {}),
        (4, EventName::RefusedInbound, |r| r.count = None),
        (5, EventName::RefusedInbound, |r| {
            (r.remote_addr, r.local_port, r.count) = (Some([10, 0, 0, 3].into()), Some(22), Some(5));
        }),
        (6, EventName::RefusedInbound, |r| {
            (r.remote_addr, r.local_port, r.count) = (Some([10, 0, 0, 3].into()), Some(23), None);
        }),
        (7, EventName::Closed, |r| {
            (r.comm, r.unit, r.container, r.cause) = (None, None, None, Some(Cause::NeverAccepted));
            (r.accepted, r.retransmits) = (Some(false), None);
        }),
    ]);
    assert_eq!(
        told,
        [
            "`nginx` (container 3f4e8a0c11d2) did not accept fast enough at [::1]:8080: its queue (backlog 128) was full \
         and turned connections away 13 times, between 00:00:01.0 and 00:00:02.0",
            "1 connection was never accepted at 10.0.0.1:43210, at 00:00:07.0",
            "10.0.0.2 scanned this host: at least 16 closed ports in 22 tries, at 00:00:03.0",
            "10.0.0.3 knocked 6 times at 2 closed ports (22, 23), between 00:00:05.0 and 00:00:06.0",
        ]
    );
}

#[test]
fn slow_and_lossy_connections() {
    let told = said(&[
        (1, EventName::Established, |r| {
            (r.connect_ns, r.unit, r.container) = (Some(3_021_000_000), None, None);
        }),
        (2, EventName::Established, |r| r.connect_ns = Some(999_999_999)),
        (9, EventName::Closed, |r| {
            (r.cause, r.retransmits, r.unit, r.container) = (Some(Cause::Orderly), Some(10), None, None);
        }),
    ]);
    assert_eq!(
        told,
        [
            "https client `curl` waited 3.02 s for the handshake with 10.0.0.2:443, its SYN was sent again once, \
         at 00:00:01.0",
            "https client `curl` sent 10 segments again to 10.0.0.2:443 (512 B sent, open for 5.03 s, rtt 20.1 ms), \
         at 00:00:09.0",
        ]
    );
}

#[test]
fn everything_that_is_missing_is_told() {
    let mut report = Report::new(Scope::default());
    for (place, number) in [(LostWhere::Ring, 312), (LostWhere::Tracker, 1)] {
        let mut record = Record::new(Timestamp(1), EventName::Lost);
        (record.lost_where, record.count, record.incomplete) = (Some(place), Some(number), Some(true));
        report.take(&record);
    }
    report.bad_line(7, "expected value".to_owned());
    report.bad_line(9, "expected value".to_owned());
    report.cut_short("the copy is incomplete".to_owned());
    report.without_recoveries();
    assert_eq!(
        gaps(&report.finish().gaps),
        [
            "312 events were lost in the kernel's full ring buffer: counts may be too low",
            "1 connection was lost because too many were open at once: counts may be too low",
            "2 records are marked as incomplete",
            "the input ended early: the copy is incomplete",
            "2 lines are no records and were left out, the first is line 7: expected value",
            "the records leave out when peers came back: how outages ended is not known",
        ]
    );
}
