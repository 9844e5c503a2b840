use std::io::{self, Read, Write};
use std::net::{TcpListener, TcpStream, UdpSocket};

use clap::Parser;
use serde_json::{Value, json};

use super::*;
use crate::command::ls::{LsArgs, run};
use crate::decode::event::ProcessId;
use crate::kernel::netns::Netns;

#[derive(Parser)]
struct Cli {
    #[command(flatten)]
    ls: LsArgs,
}

fn ls(args: &str) -> String {
    let args = Cli::try_parse_from(["ls"].into_iter().chain(args.split_ascii_whitespace())).unwrap();
    let mut out = Vec::new();
    run(&args.ls, &mut out).unwrap();
    String::from_utf8(out).unwrap()
}

fn ls_json(args: &str) -> Vec<Value> {
    let schema = serde_json::to_value(schemars::schema_for!(Record)).unwrap();
    let validator = jsonschema::validator_for(&schema).unwrap();
    let records: Vec<Value> =
        ls(&format!("--output json {args}")).lines().map(|l| l.parse().unwrap()).collect();
    for (record, seq) in records.iter().zip(1..) {
        assert!(validator.is_valid(record), "{record}");
        assert_eq!(record["seq"], seq);
    }
    records
}

/// A connection over loopback with 100 bytes one way, and its ports.
struct Pair {
    _listener: TcpListener,
    _client: TcpStream,
    _server: TcpStream,
    server_port: u16,
    client_port: u16,
}

fn pair() -> Pair {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let server_port = listener.local_addr().unwrap().port();
    let mut client = TcpStream::connect(("127.0.0.1", server_port)).unwrap();
    let client_port = client.local_addr().unwrap().port();
    let (mut server, _) = listener.accept().unwrap();
    client.write_all(&[1; 100]).unwrap();
    server.read_exact(&mut [0; 100]).unwrap();
    Pair { _listener: listener, _client: client, _server: server, server_port, client_port }
}

#[test]
fn a_listener_and_both_ends_of_a_connection_are_listed_with_their_owner() {
    let pair = pair();
    let netns = Netns::own().unwrap().inode;
    let found = ls_json(&format!("--port {} --netns {netns}", pair.server_port));
    assert_eq!(found.len(), 3, "{found:?}");
    for record in &found {
        assert_eq!(record["event"], "snapshot");
        assert_eq!(record["engine"], "sock_diag");
        assert_eq!(record["pid"], std::process::id());
        assert_eq!(record["pid_source"], "snapshot");
        assert_eq!(record["uid"], nix::unistd::geteuid().as_raw());
        assert_eq!(record["netns"], netns);
        assert_eq!((&record["family"], &record["protocol"]), (&json!("ipv4"), &json!("tcp")));
        assert_eq!(record["exe"].as_str(), std::env::current_exe().unwrap().to_str());
        assert_eq!(record.get("duration_ns"), None);
    }
    let listener = &found[0];
    assert_eq!(listener["state"], "listen");
    assert_eq!(listener["backlog"].as_u64().unwrap().min(128), 128);
    assert_eq!(
        (listener.get("remote_addr"), listener.get("role"), listener.get("rtt_us")),
        (None, None, None)
    );
    let by_port = |port: u16| found[1..].iter().find(|r| r["local_port"] == port).unwrap();
    let (server, client) = (by_port(pair.server_port), by_port(pair.client_port));
    assert_eq!((&server["role"], &client["role"]), (&json!("server"), &json!("client")));
    assert_eq!((&server["bytes_received"], &server["bytes_sent"]), (&json!(100), &json!(0)));
    assert_eq!(client["bytes_received"], 0);
    assert_eq!(client["remote_port"], pair.server_port);
    assert!(client["rtt_us"].as_u64().unwrap() > 0);
}

#[test]
fn every_option_narrows_the_table() {
    let pair = pair();
    let udp = UdpSocket::bind("127.0.0.1:0").unwrap();
    let udp_port = udp.local_addr().unwrap().port();
    let (port, pid) = (pair.server_port, std::process::id());
    let comm = std::fs::read_to_string("/proc/self/comm").unwrap();
    for (args, count) in [
        (String::new(), 3),
        ("--listening".into(), 1),
        ("--state estab".into(), 2),
        ("--state ESTABLISHED,listen".into(), 3),
        ("--state connected --state syn-sent".into(), 2),
        ("--tcp".into(), 3),
        ("--udp".into(), 0),
        ("--tcp --udp -n".into(), 3),
        ("--addr 127.0.0.0/8".into(), 3),
        ("--addr 127.0.0.1".into(), 3),
        ("--addr 2001:db8::/32,10.0.0.0/8".into(), 0),
        (format!("--pid {pid}"), 3),
        (format!("--pid {pid} --comm {}", comm.trim_end()), 3),
        ("--pid 4294967295".into(), 0),
        ("--comm no-such-name".into(), 0),
    ] {
        assert_eq!(ls_json(&format!("--port {port} {args}")).len(), count, "{args}");
    }
    let found = ls_json(&format!("--listening --udp --port {udp_port} --state unconn"));
    assert_eq!(found.len(), 1);
    assert_eq!((&found[0]["protocol"], found[0].get("state")), (&json!("udp"), None));
}

#[test]
fn text_and_csv_show_the_same_sockets() {
    let pair = pair();
    let args = format!("--port {}", pair.server_port);
    let mut inventory = collect(&[Transport::Tcp], None).unwrap();
    inventory.select(&Selection { ports: vec![pair.server_port], ..Selection::default() });
    let mut text = Vec::new();
    render::text(&inventory.rows, false, &mut text).unwrap();
    let text = String::from_utf8(text).unwrap();
    let lines: Vec<_> = text.lines().collect();
    assert_eq!(lines.len(), 4, "{text}");
    assert!(lines[0].starts_with("PROTO  STATE"), "{text}");
    assert!(lines[1].contains("listen") && lines[1].contains(&format!("127.0.0.1:{}", pair.server_port)));

    let csv = ls(&format!("--output csv {args}"));
    let mut reader = csv::Reader::from_reader(csv.as_bytes());
    assert_eq!(reader.headers().unwrap(), render::CSV_FIELDS);
    let rows: Vec<_> = reader.records().map(Result::unwrap).collect();
    let column = |name| render::CSV_FIELDS.iter().position(|field| *field == name).unwrap();
    assert_eq!(rows.len(), 3);
    assert_eq!(&rows[0][column("state")], "listen");
    assert_eq!(&rows[0][column("remote_addr")], "");
    assert_eq!(rows[1][column("pid")], std::process::id().to_string());
}

#[test]
fn csv_columns_are_fields_of_the_record_in_its_order_and_miss_none_that_ls_fills() {
    let position = |field: &&str| Record::FIELDS.iter().position(|f| f == field).unwrap();
    assert!(render::CSV_FIELDS.iter().map(position).is_sorted());
    for record in ls_json("") {
        for field in record.as_object().unwrap().keys() {
            assert!(render::CSV_FIELDS.contains(&field.as_str()), "{field}");
        }
    }
}

#[test]
fn bad_arguments_are_refused_with_what_to_write_instead() {
    for (args, hint) in [
        ("--state asleep", "time_wait"),
        ("--addr 10.0.0.0/33", "192.0.2.0/24"),
        ("--port 70000", "65535"),
        ("--output xml", "json"),
    ] {
        let error = Cli::try_parse_from(["ls"].into_iter().chain(args.split(' '))).err().unwrap().to_string();
        assert!(error.contains(hint), "{error}");
    }
    let args = LsArgs { netns: Some("no such".into()), ..LsArgs::default() };
    assert!(run(&args, &mut Vec::new()).unwrap_err().to_string().contains("lsns"));
}

#[test]
fn a_reader_that_went_away_is_no_error_but_a_full_disk_is() {
    struct Fails(io::ErrorKind);
    impl Write for Fails {
        fn write(&mut self, _: &[u8]) -> io::Result<usize> {
            Err(self.0.into())
        }
        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }
    let _socket = UdpSocket::bind("127.0.0.1:0").unwrap();
    for output in ["text", "json", "csv"] {
        let args = Cli::try_parse_from(["ls", "--output", output]).unwrap().ls;
        run(&args, &mut Fails(io::ErrorKind::BrokenPipe)).unwrap();
        run(&args, &mut Fails(io::ErrorKind::StorageFull)).unwrap_err();
    }
}

fn socket(local: &str, remote: &str, state: TcpState) -> DiagSocket {
    let (local, remote): (std::net::SocketAddr, std::net::SocketAddr) =
        (local.parse().unwrap(), remote.parse().unwrap());
    DiagSocket {
        protocol: Protocol::Tcp,
        local_addr: local.ip(),
        local_port: local.port(),
        remote_addr: remote.ip(),
        remote_port: remote.port(),
        state,
        uid: 0,
        inode: 1,
        cookie: 1,
        interface: 0,
        recv_queue: 0,
        send_queue: 0,
        tcp: None,
    }
}

fn holder(pid: u32, comm: &str) -> Arc<Identity> {
    let process = ProcessId { pid, start: 1 };
    let image = ProcessImage { process, uid: 33, comm: comm.into(), exe: None, cmdline: None, cgroup: None };
    Arc::new(Identity::new(image, Some("www".into())))
}

#[test]
fn the_table_looks_like_this() {
    let sockets = [
        socket("[2001:db8::1]:443", "[2001:db8::2]:50000", TcpState::Established),
        socket("10.0.0.1:40000", "192.0.2.7:25", TcpState::SynSent),
        socket("0.0.0.0:443", "0.0.0.0:0", TcpState::Listen),
        DiagSocket { inode: 0, ..socket("10.0.0.1:443", "192.0.2.9:1025", TcpState::TimeWait) },
        DiagSocket { protocol: Protocol::Udp, ..socket("[::]:68", "[::]:0", TcpState::Closed) },
    ];
    let holders = |s: &DiagSocket| match s.local_port {
        443 if s.inode != 0 => (vec![holder(10, "nginx"), holder(11, "nginx")], None),
        _ => (Vec::new(), Some("root".into())),
    };
    let mut rows = assemble(7, &sockets, Timestamp(0), holders);
    rows[0].record.bytes_sent = Some(1_572_864);
    rows[0].record.rtt_us = Some(1234);
    rows.sort_by_cached_key(|row| order(&row.record));
    let mut inventory = Inventory { rows, unseen: Unseen { hidden_processes: 3, ..Unseen::default() } };
    inventory.select(&Selection::default());
    let mut out = Vec::new();
    render::text(&inventory.rows, false, &mut out).unwrap();
    insta::assert_snapshot!(String::from_utf8(out).unwrap());
    assert_eq!(inventory.unseen.ownerless, 2);

    // Asked for a worker, its row says so.
    inventory.select(&Selection { pids: vec![11], ..Selection::default() });
    let pids: Vec<_> = inventory.rows.iter().map(|row| row.record.pid).collect();
    assert_eq!(pids, [Some(11), Some(11)]);
}

#[test]
fn roles_are_told_by_listeners_or_not_at_all() {
    let sockets = [
        socket("127.0.0.1:80", "0.0.0.0:0", TcpState::Listen),
        socket("127.0.0.1:80", "127.0.0.1:5000", TcpState::Established),
        socket("127.0.0.1:5000", "127.0.0.1:80", TcpState::Established),
        socket("10.0.0.1:80", "10.0.0.2:5000", TcpState::Established),
    ];
    let roles = Roles::new(&sockets);
    let told: Vec<_> = sockets.iter().map(|s| roles.of(s)).collect();
    assert_eq!(told, [None, Some(Role::Server), Some(Role::Client), Some(Role::Unknown)]);
}
