use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream, UdpSocket};

use super::*;

fn own(inode: u32) -> bool {
    std::fs::read_dir("/proc/self/fd").unwrap().flatten().any(|fd| {
        std::fs::read_link(fd.path()).is_ok_and(|l| l.as_os_str() == format!("socket:[{inode}]").as_str())
    })
}

#[test]
fn a_connection_is_dumped_with_states_addresses_and_exact_bytes() {
    for listen in ["127.0.0.1:0", "[::1]:0"] {
        let Ok(listener) = TcpListener::bind(listen) else {
            println!("skipped: no {listen} here");
            continue;
        };
        let server_addr = listener.local_addr().unwrap();
        let mut client = TcpStream::connect(server_addr).unwrap();
        let client_addr = client.local_addr().unwrap();
        let (mut server, _) = listener.accept().unwrap();
        client.write_all(&[7; 1234]).unwrap();
        server.read_exact(&mut [0; 1234]).unwrap();
        server.write_all(&[7; 55]).unwrap();
        client.read_exact(&mut [0; 55]).unwrap();

        // The last ACK may be delayed: dump until it is in.
        let (mut c, mut s) = (None, None);
        let deadline = std::time::Instant::now() + std::time::Duration::from_secs(5);
        while std::time::Instant::now() < deadline {
            let dump = dump(Transport::Tcp).unwrap();
            assert_eq!(dump.malformed, 0);
            let find = |local: std::net::SocketAddr, state| {
                let is = |s: &&DiagSocket| s.local_addr == local.ip() && s.local_port == local.port();
                dump.sockets.iter().filter(is).find(|s| s.state == state).cloned()
            };
            let l = find(server_addr, TcpState::Listen).unwrap();
            assert!(own(l.inode) && l.tcp.is_none() && l.send_queue >= 128 && l.remote_port == 0);
            c = find(client_addr, TcpState::Established);
            s = find(server_addr, TcpState::Established);
            if s.as_ref().and_then(DiagSocket::payload_sent) == Some(55) {
                break;
            }
            std::thread::yield_now();
        }
        let (c, s) = (c.unwrap(), s.unwrap());
        assert_eq!((c.payload_sent(), c.payload_received()), (Some(1234), Some(55)));
        assert_eq!((s.payload_sent(), s.payload_received()), (Some(55), Some(1234)));
        assert_eq!((c.remote_addr, c.remote_port), (server_addr.ip(), server_addr.port()));
        assert!(own(c.inode) && own(s.inode) && c.inode != s.inode && c.cookie != s.cookie && c.cookie != 0);
        assert_eq!(c.uid, nix::unistd::geteuid().as_raw());
        assert!(c.tcp.unwrap().rtt_us > 0);

        // The peer's FIN is no payload.
        drop(client);
        server.read_to_end(&mut Vec::new()).unwrap();
        let dump = dump(Transport::Tcp).unwrap();
        let s = dump.sockets.iter().find(|x| x.cookie == s.cookie).unwrap();
        assert_eq!((s.state, s.payload_received()), (TcpState::CloseWait, Some(1234)));
    }
}

#[test]
fn udp_sockets_are_dumped_bound_and_connected() {
    let bound = UdpSocket::bind("127.0.0.1:0").unwrap();
    let connected = UdpSocket::bind("127.0.0.1:0").unwrap();
    connected.connect(bound.local_addr().unwrap()).unwrap();
    let dump = dump(Transport::Udp).unwrap();
    let state = |socket: &UdpSocket| {
        let port = socket.local_addr().unwrap().port();
        dump.sockets.iter().find(|s| s.local_port == port && own(s.inode)).unwrap().state
    };
    assert_eq!((state(&bound), state(&connected)), (TcpState::Closed, TcpState::Established));
}

#[test]
fn v4_mapped_is_shown_as_ipv4() {
    let Ok(listener) = TcpListener::bind("[::]:0") else {
        println!("skipped: no IPv6 here");
        return;
    };
    let port = listener.local_addr().unwrap().port();
    let client = TcpStream::connect(("127.0.0.1", port)).unwrap();
    let (_server, _) = listener.accept().unwrap();
    let dump = dump(Transport::Tcp).unwrap();
    let find = |state| dump.sockets.iter().find(|s| s.local_port == port && s.state == state).unwrap();
    assert_eq!(find(TcpState::Listen).family(), Family::Ipv6);
    let server = find(TcpState::Established);
    assert_eq!((server.family(), server.remote_port), (Family::Ipv4, client.local_addr().unwrap().port()));
    assert_eq!(server.tuple(9).netns, 9);
}

fn message(kind: u16, flags: u16, payload: &[u8]) -> Vec<u8> {
    let mut bytes = Vec::new();
    bytes.extend(u32::try_from(16 + payload.len()).unwrap().to_ne_bytes());
    bytes.extend(kind.to_ne_bytes());
    bytes.extend(flags.to_ne_bytes());
    bytes.extend([0; 8]);
    bytes.extend(payload);
    bytes.resize(bytes.len().next_multiple_of(4), 0);
    bytes
}

fn socket_message(family: u8, state: u8, attributes: &[(u16, &[u8])]) -> Vec<u8> {
    let mut payload = vec![0; 72];
    payload[0] = family;
    payload[1] = state;
    for (kind, value) in attributes {
        payload.extend(u16::try_from(4 + value.len()).unwrap().to_ne_bytes());
        payload.extend(kind.to_ne_bytes());
        payload.extend(*value);
        payload.resize(payload.len().next_multiple_of(4), 0);
    }
    message(20, 2, &payload)
}

#[test]
fn short_tcp_info_of_an_old_kernel_and_unknown_attributes_are_fine() {
    let mut dump = Dump::default();
    let info = [1; 120];
    let mut bytes = socket_message(2, 1, &[(200, b"xyz"), (2, &info), (8, b"")]);
    bytes.extend(socket_message(2, 1, &[(19, b"\x0a\x00\x01\x00mptcp\0")]));
    bytes.extend(socket_message(2, 99, &[]));
    bytes.extend(socket_message(77, 1, &[]));
    bytes.extend(message(1, 16, &[]));
    bytes.extend(message(3, 0, &0i32.to_ne_bytes()));
    assert_eq!(parse::datagram(&bytes, Protocol::Tcp, &mut dump), Ok(parse::More::No));
    assert_eq!((dump.sockets.len(), dump.malformed, dump.interrupted), (2, 2, true));
    let tcp = dump.sockets[0].tcp.unwrap();
    assert_eq!((tcp.bytes_acked, tcp.rtt_us), (None, 0x0101_0101));
    assert_eq!(dump.sockets[0].payload_sent(), None);
    assert_eq!(dump.sockets[1].protocol, Protocol::Mptcp);
}

#[test]
fn errors_of_the_kernel_are_errors() {
    let mut dump = Dump::default();
    let mut parse = |bytes: &[u8]| parse::datagram(bytes, Protocol::Udp, &mut dump);
    let noent = (-libc::ENOENT).to_ne_bytes();
    assert_eq!(parse(&message(2, 0, &noent)), Err(parse::Fault::Kernel(libc::ENOENT)));
    assert_eq!(parse(&message(3, 0, &noent)), Err(parse::Fault::Kernel(libc::ENOENT)));
    assert_eq!(parse(&message(3, 0, &[])), Ok(parse::More::No));
    assert!(matches!(parse(&message(2, 0, &i32::MIN.to_ne_bytes())), Err(parse::Fault::Kernel(i32::MAX))));
    assert!(matches!(parse(&[9, 0, 0, 0, 1]), Err(parse::Fault::Malformed(_))));
}

proptest::proptest! {
    #[test]
    fn any_bytes_are_parsed_without_panic(bytes: Vec<u8>, payload: Vec<u8>, kind in 18u16..23) {
        let mut dump = Dump::default();
        let _ = parse::datagram(&bytes, Protocol::Tcp, &mut dump);
        let _ = parse::datagram(&message(kind, 0, &payload), Protocol::Tcp, &mut dump);
        let mut socket = vec![2, 1];
        socket.resize(72, 0);
        socket.extend(&payload);
        let _ = parse::datagram(&message(20, 0, &socket), Protocol::Tcp, &mut dump);
        TcpInfo::parse(&payload);
    }
}
