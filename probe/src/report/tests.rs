use jiff::tz::TimeZone;
use proptest::prelude::*;

use super::clock::Clock;
use super::findings::{Findings, OutageEnd, Ranked};
use super::text::{self, Page};
use super::*;
use crate::record::{Cause, LostWhere, PidSource, Role};
use crate::sink::samples::{all, sample};

/// Four hours of a host with every kind of trouble.
const NIGHT: &str = include_str!("../../tests/report/night.jsonl");

pub(super) fn records(lines: &str) -> Vec<Record> {
    lines.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

pub(super) fn report(records: &[Record], scope: Scope) -> Findings {
    let mut report = Report::new(scope);
    for record in records {
        report.take(record);
    }
    report.finish()
}

pub(super) fn night() -> Findings {
    report(&records(NIGHT), Scope::default())
}

fn page(findings: &Findings, color: bool, width: usize) -> String {
    let clock = Clock::new(TimeZone::fixed(jiff::tz::offset(1)), &findings.origin);
    text::write(findings, &Page { clock, color, width })
}

#[test]
fn text_of_a_night() {
    insta::assert_snapshot!(page(&night(), false, 80));
}

#[test]
fn text_is_not_wider_than_asked_for() {
    for width in [40, 60, 80, 132] {
        let text = page(&night(), false, width);
        let longest = text.lines().map(|line| line.chars().count()).max();
        assert!(longest <= Some(width), "{width}: {longest:?}");
    }
}

#[test]
fn colours_are_only_where_asked_for() {
    assert!(!page(&night(), false, 80).contains('\u{1b}'));
    assert!(page(&night(), true, 80).contains("\u{1b}[31m"));
}

#[test]
fn json_of_a_night() {
    insta::assert_snapshot!(json::write(&night()));
}

#[test]
fn no_records_are_a_report_too() {
    let findings = report(&[], Scope::default());
    let text = page(&findings, false, 80);
    assert!(
        text.contains("no records in this period") && text.contains("There are no records of this period"),
        "{text}"
    );
    let json: serde_json::Value = serde_json::from_str(&json::write(&findings)).unwrap();
    assert_eq!((&json["complete"], &json["totals"]["records"]), (&true.into(), &0.into()));
}

#[test]
fn every_sample_is_taken() {
    let findings = report(&all(), Scope::default());
    assert_eq!(findings.totals.records, all().len() as u64);
    assert_eq!(findings.gaps.lost[&LostWhere::Ring], 312);
    assert_eq!((findings.totals.failed, findings.totals.abnormal), (1, 1));
    assert!(!page(&findings, false, 80).is_empty());
}

/// When in seconds, what, and what is different in it from the sample.
pub(super) type Step = (i64, EventName, fn(&mut Record));

/// The records of a program and a peer.
pub(super) fn story(steps: &[Step]) -> Vec<Record> {
    let make = |(seq, (at, event, change)): (usize, &Step)| {
        let mut r = sample(*event);
        (r.ts, r.seq) = (Timestamp(at * 1_000_000_000), seq as u64 + 1);
        (r.attempts, r.downtime_ns, r.errors, r.backoff_ns) = (None, None, None, None);
        change(&mut r);
        r
    };
    steps.iter().enumerate().map(make).collect()
}

fn lost_by_reset(r: &mut Record) {
    (r.cause, r.previous_cause) = (Some(Cause::ResetByPeer), Some(Cause::ResetByPeer));
}

#[test]
fn an_outage_ends_with_a_connection_when_nobody_tells() {
    let records = story(&[
        (10, EventName::Outage, lost_by_reset),
        (11, EventName::Failed, |_| {}),
        (15, EventName::Established, |_| {}),
        (16, EventName::Connect, |_| {}),
    ]);
    let outage = &report(&records, Scope::default()).outages.rows[0];
    assert_eq!(outage.end, OutageEnd::Back(Timestamp(15_000_000_000)));
    assert_eq!((outage.downtime_ns, &outage.failures), (5_000_000_000, &[(Cause::Refused, 1)].into()));
}

#[test]
fn failures_before_an_outage_are_not_part_of_it() {
    let records = story(&[
        (1, EventName::Failed, |_| {}),
        (10, EventName::Outage, lost_by_reset),
        (11, EventName::Failed, |_| {}),
    ]);
    let findings = report(&records, Scope::default());
    assert_eq!(findings.outages.rows[0].failures, [(Cause::Refused, 1)].into());
    assert_eq!(findings.failures.rows[0].count, 2);
    assert!(!findings.failures.rows[0].in_outage);
}

#[test]
fn an_outage_from_before_the_period_is_told() {
    let records = story(&[(10, EventName::Outage, lost_by_reset), (500, EventName::Reset, |_| {})]);
    let scope = Scope { since: Timestamp(400_000_000_000), ..Scope::default() };
    let findings = report(&records, scope);
    assert_eq!(findings.outages.rows[0].end, OutageEnd::GoesOn);
    assert_eq!((findings.totals.records, findings.totals.outages_going_on), (1, 1));
}

#[test]
fn an_outage_that_was_over_before_the_period_is_not_told() {
    let records = story(&[
        (10, EventName::Outage, lost_by_reset),
        (12, EventName::Reconnected, |r| r.downtime_ns = Some(2_000_000_000)),
        (500, EventName::Reset, |_| {}),
    ]);
    let scope = Scope { since: Timestamp(400_000_000_000), ..Scope::default() };
    assert_eq!(report(&records, scope).totals.outages, 0);
    assert_eq!(report(&records, Scope::default()).totals.outages, 1);
}

#[test]
fn what_is_after_the_period_does_not_end_an_outage() {
    let records = story(&[
        (10, EventName::Outage, lost_by_reset),
        (50, EventName::Reset, |_| {}),
        (70, EventName::Reconnected, |r| r.downtime_ns = Some(60_000_000_000)),
    ]);
    let scope = Scope { until: Timestamp(60_000_000_000), ..Scope::default() };
    let outage = &report(&records, scope).outages.rows[0];
    assert_eq!((outage.end, outage.downtime_ns), (OutageEnd::GoesOn, 40_000_000_000));
}

#[test]
fn without_recoveries_nothing_is_said_to_go_on() {
    let mut report = Report::new(Scope::default());
    report.without_recoveries();
    story(&[(10, EventName::Outage, lost_by_reset)]).iter().for_each(|r| report.take(r));
    let findings = report.finish();
    assert_eq!(findings.outages.rows[0].end, OutageEnd::Unknown);
    assert!(page(&findings, false, 80).contains("how outages ended is not known"));
}

#[test]
fn a_program_that_renames_itself_is_the_same() {
    let records = story(&[
        (10, EventName::Outage, lost_by_reset),
        (12, EventName::Reconnected, |r| {
            (r.comm, r.downtime_ns) = (Some("renamed".into()), Some(2_000_000_000));
        }),
    ]);
    let findings = report(&records, Scope::default());
    assert_eq!((findings.totals.outages, findings.totals.outages_going_on), (1, 0));
}

#[test]
fn more_programs_and_peers_than_there_is_room_for() {
    let number = 20_000_u32;
    let mut report = Report::new(Scope::default());
    for n in 0..number {
        let mut steps =
            story(&[(i64::from(n), EventName::Failed, |_| {}), (i64::from(n), EventName::Outage, |_| {})]);
        for r in &mut steps {
            (r.remote_addr, r.comm) = (Some(n.to_be_bytes().into()), Some(format!("c{n}").into()));
            report.take(r);
        }
    }
    let findings = report.finish();
    let room = u64::try_from(outages::PAIRS.get()).unwrap();
    assert_eq!(findings.gaps.forgotten, u64::from(number) - room);
    assert_eq!((findings.totals.outages, findings.totals.outages_going_on), (number.into(), room));
    for ranked in [findings.failures.total, findings.peers.total, findings.programs.total] {
        assert_eq!(ranked, u64::from(number));
    }
    assert!(!findings.failures.is_exact && findings.failures.others == u64::from(number) - 10);
    assert_eq!((findings.outages.rows.len(), findings.lanes.len()), (10, 10));
}

fn found(r: &mut Record) {
    (r.state, r.pid_source) = (Some(TcpState::Established), Some(PidSource::Snapshot));
}

/// How the only outage of a story ended.
fn end_of(steps: &[Step]) -> OutageEnd {
    let findings = report(&story(steps), Scope::default());
    assert_eq!(findings.totals.outages, 1);
    let end = findings.outages.rows[0].end;
    assert_eq!(findings.totals.outages_going_on, u64::from(end == OutageEnd::GoesOn));
    end
}

#[test]
fn what_one_run_lost_does_not_go_on_in_the_next() {
    let start: Step = (1, EventName::Start, |_| {});
    let stop: Step = (90, EventName::Stop, |_| {});
    let outage: Step = (10, EventName::Outage, lost_by_reset);
    let again: Step = (5_000, EventName::Start, |_| {});
    let closed: Step = (9_000, EventName::Closed, |r| r.cause = Some(Cause::Orderly));
    let at_stop = OutageEnd::TraceEnded(Timestamp(90_000_000_000));
    let snapshot = |at| (at, EventName::Snapshot, found as fn(&mut Record));
    assert_eq!(end_of(&[start, outage, stop, again, snapshot(5_001), closed]), at_stop);
    assert_eq!(end_of(&[start, outage, stop, snapshot(4_999), again, closed]), at_stop);
    assert_eq!(end_of(&[start, outage, stop, again, closed]), at_stop);
    assert_eq!(end_of(&[start, outage, stop]), OutageEnd::GoesOn);
    // A run that was killed.
    let killed = OutageEnd::TraceEnded(Timestamp(10_000_000_000));
    let first: Step = (4_999, EventName::Snapshot, |r| {
        found(r);
        r.seq = 1;
    });
    assert_eq!(end_of(&[start, outage, again, closed]), killed);
    assert_eq!(end_of(&[start, outage, first, again, closed]), killed);
    // Told while the snapshot was taken.
    assert_eq!(end_of(&[(0, EventName::Outage, lost_by_reset), start, closed]), OutageEnd::GoesOn);
}

#[test]
fn what_ended_with_the_trace_is_told_so() {
    let records = story(&[
        (1, EventName::Start, |_| {}),
        (10, EventName::Outage, lost_by_reset),
        (90, EventName::Stop, |_| {}),
        (5_000, EventName::Start, |_| {}),
    ]);
    let findings = report(&records, Scope::default());
    assert_eq!(findings.outages.rows[0].downtime_ns, 80_000_000_000);
    let text = page(&findings, false, 200);
    assert!(text.contains("not back when the trace ended, 1m20s later"), "{text}");
    let scope = Scope { since: Timestamp(400_000_000_000), ..Scope::default() };
    assert_eq!(report(&records, scope).totals.outages, 0);
}

#[test]
fn a_connection_found_open_ends_an_outage() {
    let start: Step = (1, EventName::Start, |_| {});
    let outage: Step = (10, EventName::Outage, lost_by_reset);
    let snapshot = |change| [start, outage, (60, EventName::Snapshot, change)];
    assert_eq!(end_of(&snapshot(found)), OutageEnd::Back(Timestamp(60_000_000_000)));
    let closing = |r: &mut Record| {
        found(r);
        r.state = Some(TcpState::CloseWait);
    };
    assert_eq!(end_of(&snapshot(closing)), OutageEnd::Back(Timestamp(60_000_000_000)));
    let trying = |r: &mut Record| {
        found(r);
        r.state = Some(TcpState::SynSent);
    };
    assert_eq!(end_of(&snapshot(trying)), OutageEnd::GoesOn);
    // It waits to be accepted: no process holds it.
    let queued = |r: &mut Record| {
        found(r);
        r.pid_source = Some(PidSource::Listener);
    };
    assert_eq!(end_of(&snapshot(queued)), OutageEnd::GoesOn);
}

#[test]
fn more_outages_of_a_peer_than_are_kept() {
    let mut report = Report::new(Scope::default());
    for n in 0..3_000 {
        let outage = story(&[
            (10 * n, EventName::Outage, lost_by_reset),
            (10 * n, EventName::Failed, |_| {}),
            (10 * n + 2, EventName::Reconnected, |r| r.downtime_ns = Some(2_000_000_000)),
        ]);
        outage.iter().for_each(|r| report.take(r));
    }
    let findings = report.finish();
    let lane = &findings.lanes[0];
    assert_eq!((findings.totals.outages, lane.count, lane.failures), (3_000, 3_000, 3_000));
    assert_eq!((lane.downtime_ns, lane.longest_ns), (6_000_000_000_000, 2_000_000_000));
    assert_eq!(lane.evidence.between, Some((Timestamp(0), Timestamp(29_992_000_000_000))));
    assert_eq!(lane.outages.len(), outages::KEPT);
    assert!(lane.is_exact && !findings.outages.is_exact);
    assert!(findings.failures.rows[0].in_outage, "outages that are not kept explain their failures too");
    let text = page(&findings, false, 400);
    assert!(text.contains("3000 times,") && text.contains("1h40m in all"), "{text}");
}

#[test]
fn outages_of_more_peers_than_there_is_room_for() {
    let mut report = Report::new(Scope { top: 1, ..Scope::default() });
    for n in 0..2 * u32::try_from(lanes::ROOM).unwrap() {
        let mut outage =
            story(&[(n.into(), EventName::Reconnected, |r| r.downtime_ns = Some(1_000_000_000))]);
        outage[0].remote_addr = Some((n % 5_000).max(3).to_be_bytes().into());
        report.take(&outage[0]);
    }
    let findings = report.finish();
    assert!(!findings.lanes[0].is_exact);
    let text = page(&findings, false, 400);
    assert!(text.contains("at least 8 times") && text.contains("at least 8 outages"), "{text}");
}

#[test]
fn failures_before_the_period_explain_none_in_it() {
    let minute = |minute: i64| minute * 60;
    let mut steps: Vec<Step> = vec![(minute(0), EventName::Outage, lost_by_reset)];
    steps.extend((1..=20).map(|n| (minute(n), EventName::Failed, (|_| {}) as fn(&mut Record))));
    steps.push((minute(70), EventName::Reconnected, |r| r.downtime_ns = Some(4_200_000_000_000)));
    steps.push((minute(110), EventName::Failed, |_| {}));
    steps.push((minute(115), EventName::Closed, |r| r.cause = Some(Cause::ResetByPeer)));
    let scope = Scope { since: Timestamp(3_600_000_000_000), ..Scope::default() };
    let findings = report(&story(&steps), scope);
    assert_eq!(findings.outages.rows[0].failures, [(Cause::Refused, 20)].into());
    let failures: Vec<_> = findings.failures.rows.iter().map(|f| (f.cause, f.count, f.in_outage)).collect();
    assert_eq!(failures, [(Cause::Refused, 1, false), (Cause::ResetByPeer, 1, false)]);
}

#[test]
fn failures_of_an_outage_from_before_the_period_are_explained_in_it() {
    let records = story(&[
        (10, EventName::Outage, lost_by_reset),
        (20, EventName::Failed, |_| {}),
        (450, EventName::Failed, |_| {}),
    ]);
    let scope = Scope { since: Timestamp(400_000_000_000), ..Scope::default() };
    let findings = report(&records, scope);
    assert_eq!((findings.failures.rows[0].count, findings.failures.rows[0].in_outage), (1, true));
}

fn sum<T>(ranked: &Ranked<T>, count: impl Fn(&T) -> u64) -> bool {
    ranked.rows.iter().map(count).sum::<u64>() + ranked.others == ranked.total
}

fn any_record() -> impl Strategy<Value = Record> {
    let event = proptest::sample::select(EventName::ALL);
    let cause = proptest::option::of(proptest::sample::select(Cause::ALL));
    let role = proptest::option::of(proptest::sample::select(Role::ALL));
    (event, cause, role, any::<(i64, u8, u16, u64)>(), proptest::option::of("[ab<&\u{1b}]{0,3}")).prop_map(
        |(event, cause, role, (ts, addr, port, number), comm)| Record {
            ts: Timestamp(ts),
            cause,
            role,
            remote_addr: Some([10, 0, 0, addr].into()),
            remote_port: Some(port % 50),
            local_port: Some(port % 50),
            comm: comm.map(Into::into),
            exe: None,
            downtime_ns: Some(number),
            connect_ns: Some(number),
            duration_ns: Some(number),
            count: Some(number),
            retransmits: Some(u32::from(port)),
            ..sample(event)
        },
    )
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 48, ..ProptestConfig::default() })]

    #[test]
    fn any_records_give_a_report_whose_rows_and_others_are_its_totals(
        records in proptest::collection::vec(any_record(), 0..160), top in 1_usize..4,
    ) {
        let findings = report(&records, Scope { top, ..Scope::default() });
        let failures = findings.totals.failed + findings.totals.abnormal;
        prop_assert!(sum(&findings.failures, |f| f.count) && findings.failures.total == failures);
        prop_assert!(sum(&findings.peers, |f| f.count) && findings.peers.total == failures);
        prop_assert!(sum(&findings.programs, |f| f.count) && findings.programs.total == failures);
        prop_assert!(sum(&findings.resets, |f| f.count));
        prop_assert!(sum(&findings.outages, |_| 1));
        let over_time = findings.over_time.buckets.iter().flat_map(|causes| causes.values()).sum::<u64>();
        prop_assert_eq!(over_time, failures);
        prop_assert_eq!(findings.totals.causes.values().sum::<u64>(), failures);
        for ranked in [findings.failures.rows.len(), findings.outages.rows.len(), findings.lanes.len()] {
            prop_assert!(ranked <= top);
        }
        let text = page(&findings, false, 80);
        prop_assert_eq!(text.find('\u{1b}'), None);
        let document = json::write(&findings);
        prop_assert!(serde_json::from_str::<serde_json::Value>(&document).is_ok());
    }
}
