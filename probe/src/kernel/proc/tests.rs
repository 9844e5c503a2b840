use std::net::TcpListener;
use std::os::fd::AsRawFd;
use std::os::unix::fs::MetadataExt;

use super::*;

#[test]
fn start_is_found_behind_an_evil_name() {
    let rest = "S 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 98765 20 21";
    for name in ["sh", "a) b (c", "x) R 1 (", ")))", "a\nb", "(", ""] {
        assert_eq!(parse::start_ticks(format!("17 ({name}) {rest}\n").as_bytes()), Some(98765), "{name}");
    }
    assert_eq!(parse::start_ticks(b"17 (\xff\xfe) S 1 2 3"), None);
    let mut bytes = b"17 (\xff) ".to_vec();
    bytes.extend(rest.as_bytes());
    assert_eq!(parse::start_ticks(&bytes), Some(98765));
}

#[test]
fn effective_uid_is_the_second() {
    assert_eq!(parse::effective_uid(b"Name:\tUid\nUid:\t1000\t0\t1000\t1000\nGid:\t1\n"), Some(0));
    assert_eq!(parse::effective_uid(b"Name:\tx\n"), None);
}

#[test]
fn cgroup_is_taken_from_the_hierarchy_that_says_most() {
    let of = |text: &str| cgroup_path(text.as_bytes()).map(|(path, rule)| (path.to_string(), rule));
    let some = |path: &str, rule| Some((path.to_owned(), rule));
    assert_eq!(of("0::/a.slice/b.service\n"), some("/a.slice/b.service", CgroupRule::Unified));
    assert_eq!(of("0::/\n"), some("/", CgroupRule::Unified));
    let hybrid = "12:cpu,cpuacct:/docker/abc/x\n1:name=systemd:/system.slice/ssh.service\n0::/\n";
    assert_eq!(of(hybrid), some("/system.slice/ssh.service", CgroupRule::NamedSystemd));
    let v1 = "4:memory:/\n3:cpu:/docker/abc\n2:pids:/docker\n1:name=systemd:/\n";
    assert_eq!(of(v1), some("/docker/abc", CgroupRule::Deepest));
    assert_eq!(of("0::/a:b\n"), some("/a:b", CgroupRule::Unified));
    assert_eq!(of("garbage\n::\n0:\n5:x:relative\n"), None);
}

#[test]
fn text_from_processes_cannot_move_the_cursor() {
    assert_eq!(&*clean(b"ok \xc3\xa9"), "ok é");
    assert_eq!(&*clean(b"a\x1b[2J\nb\x7f\xff"), "a\\u{1b}[2J\\nb\\u{7f}\u{fffd}");
    assert_eq!(&*clean("a\u{202e}b".as_bytes()), "a\\u{202e}b");
    assert_eq!(parse::join_arguments(b"nginx: worker\0\0\0").as_deref(), Some("nginx: worker"));
    assert_eq!(parse::join_arguments(b"a\0\0b c\0").as_deref(), Some("a  b c"));
    assert_eq!(parse::join_arguments(b"\0\0"), None);
    assert_eq!(parse::join_arguments(b""), None);
}

#[test]
fn own_process_is_described() {
    let details = ProcessDetails::read(std::process::id()).unwrap();
    let exe = std::env::current_exe().unwrap();
    assert_eq!(details.exe.as_deref(), exe.to_str());
    assert_eq!(details.uid, nix::unistd::geteuid().as_raw());
    assert!(exe.file_name().unwrap().to_str().unwrap().starts_with(&*details.comm));
    assert!(details.cmdline.unwrap().starts_with(&std::env::args().next().unwrap()));
    assert!(details.cgroup.unwrap().starts_with('/'));
    let uptime = fs::read_to_string("/proc/uptime").unwrap();
    let now: f64 = uptime.split(' ').next().unwrap().parse().unwrap();
    assert!(
        details.start > 0
            && details.start as f64 <= now * 1e9 + 1e7
            && details.start.is_multiple_of(tick_ns())
    );
    assert!(same_start(details.start + tick_ns() - 1, details.start));
    assert!(!same_start(details.start + tick_ns(), details.start));
}

#[test]
fn a_process_that_is_gone_is_none() {
    let mut child = std::process::Command::new("true").spawn().unwrap();
    child.wait().unwrap();
    assert_eq!(ProcessDetails::read(child.id()), None);
    assert_eq!(start(u32::MAX), None);
}

#[test]
fn a_socket_leads_to_its_process_and_descriptor() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let fd = u32::try_from(listener.as_raw_fd()).unwrap();
    let inode = fs::metadata(format!("/proc/self/fd/{fd}")).unwrap().ino();
    let owners = SocketOwners::read();
    let own = owners.of(u32::try_from(inode).unwrap());
    assert!(own.contains(&Owner { pid: std::process::id(), fd }), "{own:?}");
    assert!(owners.of(0).is_empty() && owners.processes > 0);
}

proptest::proptest! {
    #[test]
    fn any_bytes_are_read_without_panic(bytes: Vec<u8>, text in "[0-9:/a-z=,\n()\\[\\]]{0,80}") {
        for bytes in [&bytes[..], text.as_bytes()] {
            parse::start_ticks(bytes);
            parse::effective_uid(bytes);
            parse::join_arguments(bytes);
            parse::socket_inode(bytes);
            cgroup_path(bytes);
            proptest::prop_assert!(!clean(bytes).contains(char::is_control));
        }
    }
}
