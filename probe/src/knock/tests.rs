use super::*;
use crate::decode::event::Tuple;
use crate::vocab::{EngineName, EventName, Family, Protocol};

const SECOND: u64 = 1_000_000_000;

fn limits() -> Limits {
    Limits { scan_ports: 3, ..Limits::default() }
}

fn try_at(seconds: u64, remote: u8, port: u16) -> Fact {
    let tuple = Tuple {
        local_addr: [10, 0, 0, 1].into(),
        local_port: port,
        remote_addr: [10, 0, 1, remote].into(),
        remote_port: 40_000,
        netns: 1,
        family: Family::Ipv4,
    };
    let event = EventName::RefusedInbound;
    Fact::new(BootNs(seconds * SECOND), event, EngineName::Tracepoint, Protocol::Tcp, tuple)
}

/// Event, seconds, port, count and ports.
type Told = (EventName, u64, u16, Option<u64>, Option<u32>);

/// What is said next.
fn told(knocks: &mut Knocks) -> Vec<Told> {
    std::iter::from_fn(|| knocks.poll())
        .map(|f| (f.event, f.at.0 / SECOND, f.tuple.local_port, f.count, f.ports))
        .collect()
}

use EventName::{PortScan, RefusedInbound};

#[test]
fn the_first_try_is_said_at_once_and_the_others_together() {
    let mut knocks = Knocks::new(limits());
    for second in 0..10 {
        knocks.observe(try_at(second, 1, 80));
    }
    assert_eq!(told(&mut knocks), [(RefusedInbound, 0, 80, None, None)]);
    knocks.handle_timeout(BootNs(10 * SECOND));
    assert_eq!(told(&mut knocks), [(RefusedInbound, 9, 80, Some(9), None)]);
    knocks.observe(try_at(12, 1, 80));
    knocks.handle_timeout(BootNs(20 * SECOND));
    assert_eq!(told(&mut knocks), [(RefusedInbound, 12, 80, Some(1), None)]);
    assert_eq!(knocks.poll_timeout(), Some(BootNs(30 * SECOND)));
    knocks.handle_timeout(BootNs(30 * SECOND));
    assert_eq!(knocks.poll_timeout(), None);
    knocks.observe(try_at(31, 1, 80));
    assert_eq!(told(&mut knocks), [(RefusedInbound, 31, 80, None, None)]);
}

#[test]
fn many_ports_are_a_scan_and_said_once_a_window() {
    let mut knocks = Knocks::new(limits());
    for (second, port) in [(0, 1), (1, 2), (2, 2), (3, 3), (4, 4), (5, 4)] {
        knocks.observe(try_at(second, 1, port));
    }
    let said = [(RefusedInbound, 0, 1, None, None), (RefusedInbound, 1, 2, None, None)];
    assert_eq!(told(&mut knocks), [&said[..], &[(PortScan, 3, 0, Some(1), Some(3))]].concat());
    knocks.handle_timeout(BootNs(63 * SECOND));
    assert_eq!(
        told(&mut knocks),
        [(RefusedInbound, 2, 2, Some(1), None), (PortScan, 5, 0, Some(2), Some(4))]
    );
    knocks.handle_timeout(BootNs(200 * SECOND));
    knocks.observe(try_at(201, 1, 9));
    assert_eq!(told(&mut knocks), [(RefusedInbound, 201, 9, None, None)]);
}

#[test]
fn ports_tried_slowly_are_no_scan() {
    let mut knocks = Knocks::new(limits());
    for n in 0..20 {
        knocks.observe(try_at(u64::from(n) * 31, 1, n));
    }
    assert!(told(&mut knocks).iter().all(|(event, ..)| *event == RefusedInbound));
}

#[test]
fn nothing_counted_is_lost_at_the_end() {
    let mut knocks = Knocks::new(limits());
    for port in [1, 1, 2, 3, 4] {
        knocks.observe(try_at(1, 1, port));
    }
    knocks.observe(try_at(1, 2, 1));
    knocks.observe(try_at(1, 2, 1));
    told(&mut knocks);
    knocks.finish();
    assert_eq!(
        told(&mut knocks),
        [
            (RefusedInbound, 1, 1, Some(1), None),
            (RefusedInbound, 1, 1, Some(1), None),
            (PortScan, 1, 0, Some(1), Some(4))
        ]
    );
}

#[test]
fn tables_are_bounded_and_what_makes_room_is_told() {
    let mut knocks = Knocks::new(Limits { doors: 2, visitors: 2, ..limits() });
    for remote in 0..200 {
        for _ in 0..3 {
            knocks.observe(try_at(1, remote, 80));
        }
    }
    let told = told(&mut knocks);
    assert_eq!(told.iter().filter(|(.., count, _)| count.is_none()).count(), 200);
    assert_eq!(told.iter().filter_map(|(.., count, _)| *count).sum::<u64>(), 198 * 2);
    assert!(knocks.doors.next().is_some());
    knocks.finish();
    assert_eq!(super::tests::told(&mut knocks).iter().filter_map(|(.., count, _)| *count).sum::<u64>(), 4);
}
