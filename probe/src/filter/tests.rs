use super::*;
use crate::sink::samples::{all, sample};

fn filter(change: impl FnOnce(&mut Filter)) -> Filter {
    let mut filter = Filter::default();
    change(&mut filter);
    filter
}

fn shown(filter: &Filter) -> Vec<&'static str> {
    all().iter().filter(|record| filter.matches(record)).map(|record| record.event.name()).collect()
}

#[test]
fn by_default_all_but_retransmit_and_state_pass() {
    let names: Vec<_> = EventName::ALL.iter().map(|event| event.name()).collect();
    let expected: Vec<_> = names.into_iter().filter(|name| !["retransmit", "state"].contains(name)).collect();
    assert_eq!(shown(&Filter::default()), expected);
}

#[test]
fn failures_are_what_went_wrong() {
    assert_eq!(
        shown(&filter(|f| f.failures = true)),
        [
            "failed",
            "closed",
            "reset",
            "refused_inbound",
            "port_scan",
            "listen_overflow",
            "outage",
            "flapping",
            "lost",
            "start",
            "stop"
        ]
    );
    for cause in Cause::ALL {
        let record = Record { cause: Some(*cause), ..sample(EventName::Closed) };
        let good = matches!(cause, Cause::Orderly | Cause::ProcessExit);
        assert_eq!(filter(|f| f.failures = true).matches(&record), !good, "{cause}");
    }
}

#[test]
fn events_may_hide_start_and_stop_but_never_lost() {
    assert_eq!(shown(&filter(|f| f.events = "failed".parse().unwrap())), ["failed", "lost"]);
    assert_eq!(shown(&filter(|f| f.events = "all".parse().unwrap())).len(), EventName::ALL.len());
    assert_eq!(
        shown(&filter(|f| f.events = "default,state".parse().unwrap())).len(),
        EventName::ALL.len() - 1
    );
}

#[test]
fn other_filters_let_the_frame_of_the_run_pass() {
    assert_eq!(shown(&filter(|f| f.pid = "1".parse().unwrap())), ["lost", "start", "stop"]);
}

#[test]
fn each_part_matches_its_field() {
    let matches = |change: &dyn Fn(&mut Filter)| filter(change).matches(&sample(EventName::Closed));
    assert!(matches(&|f| f.pid = "7,1234".parse().unwrap()));
    assert!(!matches(&|f| f.pid = "123".parse().unwrap()));
    assert!(matches(&|f| f.comm = "c*l".parse().unwrap()));
    assert!(!matches(&|f| f.comm = "Curl".parse().unwrap()));
    assert!(matches(&|f| f.uid = "1000".parse().unwrap()));
    assert!(matches(&|f| f.uid = "root,ada".parse().unwrap()));
    assert!(!matches(&|f| f.uid = "root".parse().unwrap()));
    assert!(matches(&|f| f.port = "443".parse().unwrap()));
    assert!(matches(&|f| f.port = "43000-44000".parse().unwrap()));
    assert!(!matches(&|f| f.local_port = "443".parse().unwrap()));
    assert!(matches(&|f| f.remote_port = "80,400-443".parse().unwrap()));
    assert!(matches(&|f| f.addr = "10.0.0.2".parse().unwrap()));
    assert!(matches(&|f| f.addr = "2001:db8::/32,10.0.0.0/8".parse().unwrap()));
    assert!(matches(&|f| f.addr = "::ffff:10.0.0.0/104".parse().unwrap()));
    assert!(!matches(&|f| f.addr = "::/0".parse().unwrap()));
    assert!(!matches(&|f| f.family = Some(Family::Ipv6)));
    assert!(matches(&|f| f.netns = "net:[4026531840]".parse().unwrap()));
    assert!(matches(&|f| f.unit = "fetch".parse().unwrap()));
    assert!(matches(&|f| f.unit = "f*.service".parse().unwrap()));
    assert!(matches(&|f| f.container = "3f4e8a".parse().unwrap()));
    assert!(!matches(&|f| f.container = "4e8a".parse().unwrap()));
    assert!(!matches(&|f| f.role = Some(Role::Server)));
    assert!(!matches(&|f| {
        f.pid = "1234".parse().unwrap();
        f.comm = "wget".parse().unwrap();
    }));
}

#[test]
fn a_record_without_the_field_does_not_match() {
    let record = Record::new(crate::record::Timestamp(0), EventName::RefusedInbound);
    assert!(Filter::default().matches(&record));
    assert!(!filter(|f| f.pid = "1".parse().unwrap()).matches(&record));
    assert!(!filter(|f| f.addr = "0.0.0.0/0".parse().unwrap()).matches(&record));
}

#[test]
fn bad_values_say_what_to_write() {
    fn error<T: std::str::FromStr<Err = value::Error>>(text: &str) -> String {
        text.parse::<T>().err().map(|error| error.to_string()).unwrap_or_default()
    }
    insta::assert_snapshot!(
        [
            error::<Networks>("10.0.0.0/33"),
            error::<Networks>("10.0.0/8"),
            error::<Networks>("2001:db8::/129"),
            error::<Ports>("http"),
            error::<Ports>("70000"),
            error::<Ports>("90-80"),
            error::<Ports>("80,,81"),
            error::<List<u32>>("-1"),
            error::<List<User>>("99999999999"),
            error::<List<Container>>("a/b"),
            error::<List<Netns>>("blue"),
            error::<List<Netns>>("/no/such/netns"),
            error::<Events>("closd"),
        ]
        .join("\n")
    );
}

#[test]
fn patterns() {
    let cases = [
        ("", "", true),
        ("*", "", true),
        ("?", "", false),
        ("n*x", "nginx", true),
        ("n*x", "nginxy", false),
        ("*gi*", "nginx", true),
        ("*a*b", "aab", true),
        ("?ä?", "xäy", true),
        ("*??", "€", false),
        ("[a]", "[a]", true),
    ];
    for (pattern, name, expected) in cases {
        assert_eq!(Pattern(pattern.to_owned()).matches(name), expected, "{pattern} {name}");
    }
}

proptest::proptest! {
    #[test]
    fn values_print_what_parses_back(text in "[0-9a-f:./,*? -]{0,24}") {
        if let Ok(value) = text.parse::<Networks>() {
            proptest::prop_assert_eq!(value.to_string().parse::<Networks>().unwrap(), value);
        }
        if let Ok(value) = text.parse::<Ports>() {
            proptest::prop_assert_eq!(value.to_string().parse::<Ports>().unwrap(), value);
        }
        if let Ok(value) = text.parse::<List<User>>() {
            proptest::prop_assert_eq!(value.to_string().parse::<List<User>>().unwrap(), value);
        }
    }

    #[test]
    fn any_pattern_on_any_name_ends(pattern in ".{0,12}", name in ".{0,24}") {
        Pattern(pattern).matches(&name);
        proptest::prop_assert!(Pattern(name.clone()).matches(&name));
    }
}
