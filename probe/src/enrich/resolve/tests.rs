use std::net::{Ipv4Addr, UdpSocket};

use hickory_resolver::config::{ConnectionConfig, NameServerConfig, ResolverConfig};
use hickory_resolver::net::runtime::TokioRuntimeProvider;
use hickory_resolver::proto::op::{Message, ResponseCode};
use hickory_resolver::proto::rr::Record;
use hickory_resolver::proto::rr::rdata::PTR;

use super::*;

/// A name server on loopback: 192.0.2.1 has a name, 192.0.2.2 none, 192.0.2.3 no answer; others a refusal.
fn name_server() -> u16 {
    let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
    let port = socket.local_addr().unwrap().port();
    std::thread::spawn(move || {
        let mut buffer = [0; 2048];
        while let Ok((length, peer)) = socket.recv_from(&mut buffer) {
            let query = Message::from_vec(&buffer[..length]).unwrap();
            let asked = query.queries[0].name().clone();
            let mut answer = query.into_response();
            match asked.to_utf8().split('.').next().unwrap() {
                "1" => {
                    let name = Name::from_ascii("one.example.org.").unwrap();
                    answer.add_answer(Record::from_rdata(asked, 300, RData::PTR(PTR(name))));
                }
                "2" => answer.metadata.response_code = ResponseCode::NXDomain,
                "3" => continue,
                _ => answer.metadata.response_code = ResponseCode::Refused,
            }
            socket.send_to(&answer.to_vec().unwrap(), peer).unwrap();
        }
    });
    port
}

fn resolver() -> Resolver {
    let mut connection = ConnectionConfig::udp();
    connection.port = name_server();
    let server = NameServerConfig::new(Ipv4Addr::LOCALHOST.into(), true, vec![connection]);
    let config = ResolverConfig::from_name_servers(vec![server]);
    let mut builder = TokioResolver::builder_with_config(config, TokioRuntimeProvider::default());
    builder.options_mut().timeout = Duration::from_millis(300);
    builder.options_mut().attempts = 1;
    Resolver::with(builder.build().unwrap()).unwrap()
}

fn run(test: impl Future<Output = ()>) {
    tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(test);
}

/// Waits until no lookup is under way.
async fn settle(resolver: &Resolver) {
    let all = resolver.shared.slots.acquire_many(LOOKUPS.try_into().unwrap());
    drop(tokio::time::timeout(Duration::from_secs(30), all).await.unwrap().unwrap());
}

#[test]
fn a_name_is_known_after_its_lookup_and_asked_for_once() {
    run(async {
        let resolver = resolver();
        let ip: IpAddr = "192.0.2.1".parse().unwrap();
        assert_eq!(resolver.name(ip), None);
        assert_eq!(resolver.name(ip), None);
        settle(&resolver).await;
        assert_eq!(resolver.name(ip).as_deref(), Some("one.example.org"));
        assert_eq!(resolver.name("::ffff:192.0.2.1".parse().unwrap()).as_deref(), Some("one.example.org"));
        assert_eq!(resolver.counts(), ResolveCounts { started: 1, ..ResolveCounts::default() });
    });
}

#[test]
fn no_name_and_no_answer_are_remembered_and_counted() {
    run(async {
        let resolver = resolver();
        for _ in 0..2 {
            for ip in ["192.0.2.2", "192.0.2.3", "192.0.2.4", "0.0.0.0", "::"] {
                assert_eq!(resolver.name(ip.parse().unwrap()), None);
            }
            settle(&resolver).await;
        }
        let expected = ResolveCounts { started: 3, nameless: 1, failed: 2, skipped: 0 };
        assert_eq!(resolver.counts(), expected);
    });
}

#[test]
fn lookups_under_way_are_bounded() {
    run(async {
        let resolver = resolver();
        for host in 0..100 {
            resolver.name(Ipv4Addr::new(192, 0, 3, host).into());
        }
        let counts = resolver.counts();
        assert_eq!((counts.started, counts.skipped), (LOOKUPS as u64, 100 - LOOKUPS as u64));
    });
}

#[test]
fn a_stale_name_is_given_while_it_is_looked_up_again() {
    run(async {
        let resolver = resolver();
        let ip: IpAddr = "192.0.2.1".parse().unwrap();
        let stale = Entry { name: Some("old".into()), until: Some(Instant::now()) };
        resolver.shared.cache().put(ip, stale);
        assert_eq!(resolver.name(ip).as_deref(), Some("old"));
        settle(&resolver).await;
        assert_eq!(resolver.name(ip).as_deref(), Some("one.example.org"));
    });
}

#[test]
fn loopback_needs_no_name_server() {
    run(async {
        let resolver = resolver();
        resolver.name(Ipv4Addr::LOCALHOST.into());
        settle(&resolver).await;
        assert!(resolver.name(Ipv4Addr::LOCALHOST.into()).is_some());
    });
}

#[test]
fn outside_a_runtime_is_an_error() {
    assert!(matches!(Resolver::new(), Err(ResolveError::Runtime | ResolveError::Config(_))));
}
