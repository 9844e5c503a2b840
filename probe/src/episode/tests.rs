use proptest::prelude::*;

use super::*;
use Observation::{Attempt, Established, Failed};

const REFUSED: Observation = Failed(Some(111));

#[expect(non_snake_case, reason = "it reads as the observation it makes")]
fn Closed(cause: Cause) -> Observation {
    Observation::Closed { cause, by_peer: false }
}

const PEER_CLOSED: Observation = Observation::Closed { cause: Cause::Orderly, by_peer: true };

fn key(program: &'static str) -> Key<&'static str> {
    Key { program, netns: 1, peer: "10.0.0.5".parse().unwrap(), port: 5432, server: false }
}

struct Told {
    episodes: Episodes<&'static str>,
    now: u64,
}

impl Told {
    fn new() -> Self {
        Self { episodes: Episodes::new(Limits { flapping: 2, ..Limits::default() }), now: 0 }
    }

    /// Milliseconds later.
    fn then(&mut self, ms: u64, what: Observation) -> (Option<u32>, Vec<News>) {
        self.now += ms * 1_000_000;
        self.episodes.observe(&key("api"), BootNs(self.now), None, what)
    }
}

#[test]
fn a_connection_that_works_is_no_story() {
    let mut t = Told::new();
    for what in
        [Attempt, Established, Closed(Cause::Orderly), Attempt, Established, Closed(Cause::ProcessExit)]
    {
        assert_eq!(t.then(10, what), (None, vec![]));
    }
}

#[test]
fn a_reset_and_thirteen_refusals_are_one_outage() {
    let mut t = Told::new();
    t.then(0, Attempt);
    t.then(1, Established);
    let lost = t.then(100, Closed(Cause::ResetByPeer));
    let since = BootNs(101_000_000);
    assert_eq!(lost, (None, vec![News::Outage { since, previous: Some(Cause::ResetByPeer) }]));
    for n in 1..=13 {
        assert_eq!(t.then(500, Attempt), (Some(n), vec![]));
        assert_eq!(t.then(1, REFUSED), (Some(n), vec![]));
    }
    assert_eq!(t.then(500, Attempt).0, Some(14));
    let (attempt, news) = t.then(2, Established);
    assert_eq!(attempt, Some(14));
    let [News::Reconnected(r)] = &news[..] else { panic!("{news:?}") };
    assert_eq!((r.attempts, r.downtime_ns, r.previous), (14, 7_015_000_000, Some(Cause::ResetByPeer)));
    assert_eq!(r.errors, BTreeMap::from([(Some(111), 13)]));
    assert_eq!(r.gaps, vec![500_000_000; 14]);
}

#[test]
fn a_single_failure_is_no_outage_until_it_is_tried_again() {
    let mut t = Told::new();
    assert_eq!(t.then(0, Attempt), (None, vec![]));
    assert_eq!(t.then(1, REFUSED), (Some(1), vec![]));
    let since = BootNs(0);
    assert_eq!(t.then(9, Attempt), (Some(2), vec![News::Outage { since, previous: None }]));
    let (_, news) = t.then(5, Established);
    let [News::Reconnected(r)] = &news[..] else { panic!("{news:?}") };
    assert_eq!((r.attempts, r.downtime_ns, r.gaps.clone()), (2, 15_000_000, vec![9_000_000]));
}

#[test]
fn an_orderly_end_is_an_outage_only_when_the_next_attempt_fails() {
    let mut t = Told::new();
    t.then(0, Attempt);
    t.then(0, Established);
    assert_eq!(t.then(5, Closed(Cause::Orderly)).1, vec![]);
    assert_eq!(t.then(5, Attempt).1, vec![]);
    let since = BootNs(10_000_000);
    assert_eq!(t.then(1, REFUSED).1, vec![News::Outage { since, previous: Some(Cause::Orderly) }]);
}

#[test]
fn a_peer_that_closes_and_then_refuses_was_lost_at_its_close() {
    let mut t = Told::new();
    t.then(0, Attempt);
    t.then(0, Established);
    assert_eq!(t.then(5, PEER_CLOSED).1, vec![]);
    t.then(200, Attempt);
    let since = BootNs(5_000_000);
    assert_eq!(t.then(1, REFUSED).1, vec![News::Outage { since, previous: Some(Cause::Orderly) }]);
    t.then(400, Attempt);
    let (attempt, news) = t.then(2, Established);
    let [News::Reconnected(r)] = &news[..] else { panic!("{news:?}") };
    assert_eq!((attempt, r.attempts, r.downtime_ns), (Some(2), 2, 603_000_000));
    assert_eq!(r.gaps, [200_000_000, 400_000_000]);
}

#[test]
fn an_attempt_long_after_the_peers_close_is_no_answer_to_it() {
    let mut t = Told::new();
    t.then(0, Attempt);
    t.then(0, Established);
    t.then(0, PEER_CLOSED);
    t.then(30_001, Attempt);
    let since = BootNs(30_001_000_000);
    assert_eq!(t.then(1, REFUSED).1, vec![News::Outage { since, previous: Some(Cause::Orderly) }]);
}

#[test]
fn one_of_several_connections_is_no_outage() {
    let mut t = Told::new();
    for _ in 0..2 {
        t.then(0, Attempt);
        t.then(0, Established);
    }
    assert_eq!(t.then(1, Closed(Cause::ResetByPeer)).1, vec![]);
    assert_eq!(t.then(1, Closed(Cause::ResetByPeer)).1.len(), 1);
}

#[test]
fn coming_and_going_is_flapping_and_said_once() {
    let mut t = Told::new();
    t.then(0, Attempt);
    t.then(0, Established);
    let mut flapping = Vec::new();
    for _ in 0..6 {
        t.then(10, Closed(Cause::TimedOut));
        t.then(10, Attempt);
        let (_, news) = t.then(10, Established);
        flapping.extend(news.into_iter().filter(|n| matches!(n, News::Flapping(_))));
    }
    assert_eq!(flapping, vec![News::Flapping(3)]);
}

#[test]
fn a_server_is_told_when_a_lost_client_is_back() {
    let mut t = Told::new();
    let server = || Key { server: true, ..key("db") };
    let mut tell = |ms: u64, what| t.episodes.observe(&server(), BootNs(ms * 1_000_000), None, what).1;
    assert_eq!(tell(0, Established), vec![]);
    assert_eq!(tell(5, Closed(Cause::KeepaliveTimeout)), vec![]);
    let news = tell(25, Established);
    let [News::Reconnected(r)] = &news[..] else { panic!("{news:?}") };
    assert_eq!((r.attempts, r.downtime_ns, r.previous), (1, 20_000_000, Some(Cause::KeepaliveTimeout)));
}

#[test]
fn silence_longer_than_the_window_ends_a_story() {
    let mut t = Told::new();
    t.then(0, Attempt);
    t.then(0, REFUSED);
    assert_eq!(t.then(600_001, Attempt), (None, vec![]));
}

#[test]
fn the_table_is_bounded() {
    let mut episodes = Episodes::new(Limits { peers: 2, ..Limits::default() });
    for port in 0..100 {
        episodes.observe(&Key { port, ..key("api") }, BootNs(1), None, Attempt);
    }
    assert_eq!((episodes.stories.len(), episodes.forgotten()), (2, 98));
}

fn observations() -> impl Strategy<Value = Vec<(u8, u64, Observation)>> {
    let cause = prop::sample::select(Cause::ALL);
    let what = prop_oneof![
        Just(Attempt),
        Just(REFUSED),
        Just(Failed(None)),
        Just(Established),
        (cause, any::<bool>()).prop_map(|(cause, by_peer)| Observation::Closed { cause, by_peer }),
    ];
    prop::collection::vec((0..3_u8, 0..2_000_u64, what), 0..60)
}

proptest! {
    #[test]
    fn outages_and_reconnects_take_turns_and_add_up(observations in observations(), server: bool) {
        let limits = Limits { window_ns: 1_500_000_000, gaps: 4, ..Limits::default() };
        let mut episodes = Episodes::new(limits);
        let mut now = 0;
        // Of each peer: the last observation, connections open, the outage, and failures since it was said.
        let mut heard = [0; 3];
        let mut open = [0_u32; 3];
        let mut down: [Option<u64>; 3] = [None; 3];
        for (peer, ms, what) in observations {
            // A server sees no attempts.
            if server && matches!(what, Attempt | Failed(_)) {
                continue;
            }
            now += ms * 1_000_000;
            let n = usize::from(peer);
            if open[n] == 0 && now - heard[n] > limits.window_ns {
                down[n] = None;
            }
            heard[n] = now;
            let key = Key { port: u16::from(peer), server, ..key("api") };
            let (attempt, news) = episodes.observe(&key, BootNs(now), None, what);
            open[n] = match what {
                Established => open[n] + 1,
                Observation::Closed { .. } => open[n].saturating_sub(1),
                Attempt | Failed(_) => open[n],
            };
            prop_assert!(attempt != Some(0));
            for told in news {
                match told {
                    News::Outage { since, .. } => {
                        prop_assert!(down[n].is_none() && since.0 <= now);
                        down[n] = Some(since.0);
                    }
                    News::Reconnected(r) => {
                        prop_assert_eq!(what, Established);
                        prop_assert!(r.attempts > r.errors.values().sum());
                        prop_assert!(r.gaps.len() <= limits.gaps + usize::from(server));
                        prop_assert!(r.gaps.iter().sum::<u64>() <= r.downtime_ns);
                        let since = down[n].take();
                        prop_assert!(since.is_some() || server);
                        if let Some(since) = since {
                            prop_assert_eq!(r.downtime_ns, now - since);
                        }
                    }
                    News::Flapping(times) => prop_assert!(times > limits.flapping),
                }
            }
        }
        prop_assert!(episodes.stories.len() <= 3);
    }

    #[test]
    fn any_observations_keep_within_bounds(observations in observations()) {
        let mut episodes = Episodes::new(Limits { peers: 2, flapping: 1, ..Limits::default() });
        for (n, (peer, ms, what)) in observations.into_iter().enumerate() {
            let key = Key { port: u16::from(peer), ..key("api") };
            // Times that go back and forth, as those of two CPUs may.
            episodes.observe(&key, BootNs(n as u64 ^ ms), None, what);
            prop_assert!(episodes.stories.len() <= 2);
        }
    }
}
