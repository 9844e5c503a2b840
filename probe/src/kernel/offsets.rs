//! Where the running kernel keeps what the hooks read. Never baked in: they differ even between two builds
//! of one version. A member that a hook cannot do without is required; the rest may be absent and something
//! is lost by it.

use probe_common::{ABSENT, Offsets};

use super::btf::{Btf, BtfError};

/// One member: where it goes, which structure, which paths (the first that exists), how many bytes.
struct Row {
    field: fn(&mut Offsets) -> &mut u32,
    structure: &'static str,
    paths: &'static [&'static str],
    size: u32,
    /// `None`: required. Otherwise what is lost without it.
    lost: Option<&'static str>,
}

macro_rules! rows {
    ($($field:ident: $structure:literal [$($path:literal),+] $size:tt $(else $lost:expr)?;)*) => {
        &[$(Row {
            field: |o| &mut o.$field,
            structure: $structure,
            paths: &[$($path),+],
            size: $size,
            lost: rows!(@lost $($lost)?),
        }),*]
    };
    (@lost) => { None };
    (@lost $lost:expr) => { Some($lost) };
}

/// Of a structure only the place is used, not the content.
const ANY: u32 = 0;

const EXE: &str = "the executable's path is read from /proc, too late for short-lived processes";
const CGROUP: &str = "the cgroup is read from /proc, too late for short-lived processes";
const CMDLINE: &str = "the command line is read from /proc, too late for short-lived processes";
const MPTCP: &str = "subflows of Multipath TCP are shown as plain TCP";
const ICMP: &str = "an ICMP error that the application took first is not known";
const ROLE: &str = "the role of connections older than the tracer may be unknown";
const URING: &str = "accepts and failed connects through io_uring have no process of their own";
const USER_TIMEOUT: &str = "ends by TCP_USER_TIMEOUT are shown as `timed_out` or `keepalive_timeout`";
const OVERFLOW: &str = "connections dropped at a full accept queue are not seen";
const NO_SOCKET: &str = "resets sent for segments without a socket are not seen";

const ROWS: &[Row] = rows! {
    sock_family: "sock" ["__sk_common.skc_family"] 2;
    sock_state: "sock" ["__sk_common.skc_state"] 1;
    sock_dport: "sock" ["__sk_common.skc_dport"] 2;
    sock_num: "sock" ["__sk_common.skc_num"] 2;
    sock_daddr: "sock" ["__sk_common.skc_daddr"] 4;
    sock_saddr: "sock" ["__sk_common.skc_rcv_saddr"] 4;
    sock_v6_daddr: "sock" ["__sk_common.skc_v6_daddr"] 16 else "no IPv6";
    sock_v6_saddr: "sock" ["__sk_common.skc_v6_rcv_saddr"] 16 else "no IPv6";
    sock_net: "sock" ["__sk_common.skc_net.net"] 8 else "no network namespaces";
    sock_cookie: "sock" ["__sk_common.skc_cookie"] 8;
    sock_err: "sock" ["sk_err"] 4;
    sock_err_soft: "sock" ["sk_err_soft"] 4;
    sock_protocol: "sock" ["sk_protocol"] 2;
    sock_shutdown: "sock" ["sk_shutdown"] 1;
    sock_drops: "sock" ["sk_drops"] 4 else OVERFLOW;
    sock_flags: "sock" ["__sk_common.skc_flags"] 8;
    sock_uid: "sock" ["sk_uid"] 4;
    sock_ack_backlog: "sock" ["sk_ack_backlog"] 4 else OVERFLOW;
    sock_max_ack_backlog: "sock" ["sk_max_ack_backlog"] 4;
    sock_error_queue: "sock" ["sk_error_queue"] ANY else ICMP;
    sock_error_queue_prev: "sock" ["sk_error_queue.prev"] 8 else ICMP;
    inet_sport: "inet_sock" ["inet_sport"] 2;
    icsk_retransmits: "inet_connection_sock" ["icsk_retransmits"] 1;
    icsk_probes_out: "inet_connection_sock" ["icsk_probes_out"] 1;
    icsk_user_timeout: "inet_connection_sock" ["icsk_user_timeout"] 4 else USER_TIMEOUT;
    icsk_bind_hash: "inet_connection_sock" ["icsk_bind_hash"] 8 else ROLE;
    bind_fastreuse: "inet_bind_bucket" ["fastreuse"] 1 else ROLE;
    icsk_ulp_data: "inet_connection_sock" ["icsk_ulp_data"] 8 else MPTCP;
    tcp_bytes_acked: "tcp_sock" ["bytes_acked"] 8;
    tcp_bytes_received: "tcp_sock" ["bytes_received"] 8;
    tcp_snd_una: "tcp_sock" ["snd_una"] 4;
    tcp_write_seq: "tcp_sock" ["write_seq"] 4;
    tcp_rcv_nxt: "tcp_sock" ["rcv_nxt"] 4;
    tcp_copied_seq: "tcp_sock" ["copied_seq"] 4;
    tcp_srtt_us: "tcp_sock" ["srtt_us"] 4;
    tcp_rtt_min: "tcp_sock" ["rtt_min.s.v"] 4;
    tcp_total_retrans: "tcp_sock" ["total_retrans"] 4;
    tcp_is_mptcp: "tcp_sock" ["is_mptcp"] 1 else MPTCP;
    mptcp_first: "mptcp_sock" ["first"] 8 else MPTCP;
    subflow_conn: "mptcp_subflow_context" ["conn"] 8 else MPTCP;
    net_inum: "net" ["ns.inum"] 4;
    socket_sk: "socket" ["sk"] 8;
    socket_file: "socket" ["file"] 8;
    file_private_data: "file" ["private_data"] 8;
    file_mnt: "file" ["f_path.mnt"] 8 else EXE;
    file_dentry: "file" ["f_path.dentry"] 8 else EXE;
    files_fdt: "files_struct" ["fdt"] 8;
    fdtable_fd: "fdtable" ["fd"] 8;
    fdtable_max_fds: "fdtable" ["max_fds"] 4;
    task_files: "task_struct" ["files"] 8;
    task_tgid: "task_struct" ["tgid"] 4;
    task_pid: "task_struct" ["pid"] 4;
    task_flags: "task_struct" ["flags"] 4;
    task_group_leader: "task_struct" ["group_leader"] 8;
    task_real_parent: "task_struct" ["real_parent"] 8;
    task_comm: "task_struct" ["comm"] 16;
    task_start_boottime: "task_struct" ["start_boottime", "real_start_time"] 8;
    task_self_exec_id: "task_struct" ["self_exec_id"] 8 else "an exec between two connections may go unseen";
    task_mm: "task_struct" ["mm"] 8 else EXE;
    task_cred: "task_struct" ["cred"] 8;
    task_cgroups: "task_struct" ["cgroups"] 8 else CGROUP;
    cred_euid: "cred" ["euid"] 4;
    mm_exe_file: "mm_struct" ["exe_file"] 8 else EXE;
    mm_arg_start: "mm_struct" ["arg_start"] 8 else CMDLINE;
    mm_arg_end: "mm_struct" ["arg_end"] 8 else CMDLINE;
    dentry_parent: "dentry" ["d_parent"] 8 else EXE;
    dentry_name: "dentry" ["d_name.name"] 8 else EXE;
    vfsmount_root: "vfsmount" ["mnt_root"] 8 else EXE;
    mount_mnt: "mount" ["mnt"] ANY else EXE;
    mount_parent: "mount" ["mnt_parent"] 8 else EXE;
    mount_mountpoint: "mount" ["mnt_mountpoint"] 8 else EXE;
    mount_ns: "mount" ["mnt_ns"] 8 else EXE;
    css_set_dfl_cgrp: "css_set" ["dfl_cgrp"] 8 else CGROUP;
    cgroup_kn: "cgroup" ["kn"] 8 else CGROUP;
    // Renamed in 6.15 when it became protected by RCU.
    kernfs_parent: "kernfs_node" ["__parent", "parent"] 8 else CGROUP;
    kernfs_name: "kernfs_node" ["name"] 8 else CGROUP;
    skb_head: "sk_buff" ["head"] 8 else NO_SOCKET;
    skb_dev: "sk_buff" ["dev"] 8 else NO_SOCKET;
    skb_network_header: "sk_buff" ["network_header"] 2 else NO_SOCKET;
    skb_transport_header: "sk_buff" ["transport_header"] 2 else NO_SOCKET;
    skb_cb: "sk_buff" ["cb"] 48 else ICMP;
    exterr_errno: "sock_exterr_skb" ["ee.ee_errno"] 4 else ICMP;
    dev_net: "net_device" ["nd_net.net"] 8 else NO_SOCKET;
    io_opcode: "io_kiocb" ["opcode"] 1 else URING;
    io_file: "io_kiocb" ["file"] 8 else URING;
    io_accept_slot: "io_accept" ["file_slot"] 4 else URING;
};

/// What the BTF of a kernel says.
#[derive(Clone, Debug)]
pub struct Resolved {
    /// For the programs.
    pub offsets: Offsets,
    /// What this kernel lacks, a sentence each.
    pub missing: Vec<String>,
    /// Names of `enum sk_rst_reason`, lower snake case without the prefix, by number.
    pub reset_reasons: Vec<(u32, String)>,
    /// `bpf_get_socket_cookie` may be called by tracing programs (5.12).
    pub cookies: bool,
    /// Number of arguments of `inet_csk_accept`: the slot of its result for fexit.
    pub accept_slot: u32,
    /// The tracepoint `tcp_send_reset` has a reason (6.10).
    pub send_reset_has_reason: bool,
    /// The tracepoint `io_uring_complete` has the completion as a structure.
    pub uring_has_cqe: bool,
}

/// Resolves everything. Fails on a required member that is missing, ambiguous or of another size.
pub fn resolve(btf: &Btf) -> Result<Resolved, BtfError> {
    let mut offsets = Offsets::EMPTY;
    let mut missing: Vec<String> = Vec::new();
    for row in ROWS {
        match find(btf, row) {
            Ok(offset) => *(row.field)(&mut offsets) = offset,
            Err(e) => match row.lost {
                None => return Err(e),
                Some(lost) if missing.iter().any(|m| m.ends_with(lost)) => {}
                Some(lost) => missing.push(format!("{e}: {lost}")),
            },
        }
    }
    offsets.io_op_accept = btf.enumerator_value("IORING_OP_ACCEPT").unwrap_or(ABSENT);
    offsets.io_op_connect = btf.enumerator_value("IORING_OP_CONNECT").unwrap_or(ABSENT);
    let uring_arguments = btf.tracepoint_arguments("io_uring_complete").unwrap_or(0);
    // Before 5.12 there were three as well, the last one a number.
    let uring_has_cqe = uring_arguments == 3 && btf.tracepoint_argument_is_pointer("io_uring_complete", 2);
    if !uring_has_cqe && uring_arguments < 5 {
        offsets.io_opcode = ABSENT;
        missing.push(format!("no request in `io_uring_complete` (before 5.19): {URING}"));
    }
    Ok(Resolved {
        offsets,
        missing,
        reset_reasons: reset_reasons(btf),
        cookies: btf.has_function("bpf_get_socket_ptr_cookie"),
        accept_slot: btf.arguments("inet_csk_accept").and_then(|n| u32::try_from(n).ok()).unwrap_or(2),
        send_reset_has_reason: btf.tracepoint_arguments("tcp_send_reset").is_some_and(|n| n >= 3),
        uring_has_cqe,
    })
}

/// Names of `enum sk_rst_reason`, lower snake case without the prefix, by number; none before 6.10.
pub fn reset_reasons(btf: &Btf) -> Vec<(u32, String)> {
    let enumerators = btf.enumerators("sk_rst_reason").into_iter();
    enumerators
        .filter_map(|(name, number)| Some((number, name.strip_prefix("SK_RST_REASON_")?.to_lowercase())))
        .collect()
}

fn find(btf: &Btf, row: &Row) -> Result<u32, BtfError> {
    let mut last = Err(BtfError::Missing { what: format!("{}.{}", row.structure, row.paths[0]) });
    for path in row.paths {
        match btf.member(row.structure, path) {
            Ok(member) if row.size == ANY || member.size == row.size => return Ok(member.offset),
            Ok(member) => {
                return Err(BtfError::Shape {
                    what: format!("{}.{path}", row.structure),
                    found: format!("{} bytes", member.size),
                    wanted: format!("{} bytes", row.size),
                });
            }
            Err(BtfError::Missing { .. }) => {}
            Err(e) => {
                last = Err(e);
                break;
            }
        }
    }
    last
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn running_kernel_has_every_required_member() {
        let path = std::path::Path::new(super::super::btf::KERNEL_BTF);
        if !path.exists() {
            eprintln!("SKIP running_kernel_has_every_required_member: no {}", path.display());
            return;
        }
        let resolved = resolve(&Btf::from_file(path).unwrap()).unwrap();
        assert_eq!(resolved.offsets.sock_net, 48);
        assert_eq!(resolved.offsets.sock_cookie, 88);
    }

    #[test]
    fn every_offset_is_resolved_somewhere() {
        // The two io_uring numbers are not members.
        assert_eq!(ROWS.len() + 2, Offsets::NAMES.len());
    }

    #[test]
    fn garbage_is_refused() {
        assert!(Btf::parse(b"").is_err());
        assert!(Btf::parse(&[0x9f, 0xeb, 1, 0, 24, 0, 0, 0, 0, 0, 0, 0, 255, 255, 255, 255]).is_err());
    }
}
