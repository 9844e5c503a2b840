//! Where the running kernel keeps what the hooks read. Resolved from its BTF at start, never baked in.

/// The kernel has no such member: the hook does without.
pub const ABSENT: u32 = u32::MAX;

macro_rules! offsets {
    ($($(#[$doc:meta])* $field:ident),* $(,)?) => {
        /// Byte offsets from the start of the named structure (or [`ABSENT`]), and a few numbers that
        /// only the running kernel knows. Field names are `structure_member`.
        #[repr(C)]
        #[derive(Clone, Copy, Debug)]
        pub struct Offsets {
            $($(#[$doc])* pub $field: u32,)*
        }

        impl Offsets {
            /// Every offset absent.
            pub const EMPTY: Self = Self { $($field: ABSENT,)* };

            /// Names of all fields, in order.
            pub const NAMES: &'static [&'static str] = &[$(stringify!($field)),*];
        }
    };
}

offsets! {
    /// `sock.__sk_common.skc_family`
    sock_family,
    /// `sock.__sk_common.skc_state`
    sock_state,
    /// `sock.__sk_common.skc_dport` (network order)
    sock_dport,
    /// `sock.__sk_common.skc_num` (host order)
    sock_num,
    /// `sock.__sk_common.skc_daddr`
    sock_daddr,
    /// `sock.__sk_common.skc_rcv_saddr`
    sock_saddr,
    /// `sock.__sk_common.skc_v6_daddr`
    sock_v6_daddr,
    /// `sock.__sk_common.skc_v6_rcv_saddr`
    sock_v6_saddr,
    /// `sock.__sk_common.skc_net`
    sock_net,
    /// `sock.__sk_common.skc_cookie`
    sock_cookie,
    /// `sock.sk_err`
    sock_err,
    /// `sock.sk_err_soft`
    sock_err_soft,
    /// `sock.sk_protocol` (u16)
    sock_protocol,
    /// `sock.sk_shutdown` (u8)
    sock_shutdown,
    /// `sock.sk_drops` (atomic_t)
    sock_drops,
    /// `sock.__sk_common.skc_flags`
    sock_flags,
    /// `sock.sk_uid`
    sock_uid,
    /// `sock.sk_ack_backlog`
    sock_ack_backlog,
    /// `sock.sk_max_ack_backlog`
    sock_max_ack_backlog,
    /// `sock.sk_error_queue.prev`
    sock_error_queue_prev,
    /// `sock.sk_error_queue`
    sock_error_queue,
    /// `inet_sock.inet_sport` (network order)
    inet_sport,
    /// `inet_connection_sock.icsk_retransmits` (u8)
    icsk_retransmits,
    /// `inet_connection_sock.icsk_probes_out` (u8)
    icsk_probes_out,
    /// `inet_connection_sock.icsk_user_timeout` (u32, ms)
    icsk_user_timeout,
    /// `inet_connection_sock.icsk_bind_hash`
    icsk_bind_hash,
    /// `inet_connection_sock.icsk_ulp_data`
    icsk_ulp_data,
    /// `inet_bind_bucket.fastreuse` (s8)
    bind_fastreuse,
    /// `tcp_sock.bytes_acked`
    tcp_bytes_acked,
    /// `tcp_sock.bytes_received`
    tcp_bytes_received,
    /// `tcp_sock.snd_una`
    tcp_snd_una,
    /// `tcp_sock.write_seq`
    tcp_write_seq,
    /// `tcp_sock.rcv_nxt`
    tcp_rcv_nxt,
    /// `tcp_sock.copied_seq`
    tcp_copied_seq,
    /// `tcp_sock.srtt_us`
    tcp_srtt_us,
    /// `tcp_sock.rtt_min.s[0].v`
    tcp_rtt_min,
    /// `tcp_sock.total_retrans`
    tcp_total_retrans,
    /// `tcp_sock.is_mptcp` (bool)
    tcp_is_mptcp,
    /// `mptcp_sock.first`
    mptcp_first,
    /// `mptcp_subflow_context.conn`
    subflow_conn,
    /// `net.ns.inum`
    net_inum,
    /// `socket.sk`
    socket_sk,
    /// `socket.file`
    socket_file,
    /// `file.private_data`
    file_private_data,
    /// `file.f_path.mnt`
    file_mnt,
    /// `file.f_path.dentry`
    file_dentry,
    /// `files_struct.fdt`
    files_fdt,
    /// `fdtable.fd`
    fdtable_fd,
    /// `fdtable.max_fds`
    fdtable_max_fds,
    /// `task_struct.files`
    task_files,
    /// `task_struct.tgid`
    task_tgid,
    /// `task_struct.pid`
    task_pid,
    /// `task_struct.flags`
    task_flags,
    /// `task_struct.group_leader`
    task_group_leader,
    /// `task_struct.real_parent`
    task_real_parent,
    /// `task_struct.comm`
    task_comm,
    /// `task_struct.start_boottime` (`real_start_time` before 5.5)
    task_start_boottime,
    /// `task_struct.self_exec_id` (u64)
    task_self_exec_id,
    /// `task_struct.mm`
    task_mm,
    /// `task_struct.cred`
    task_cred,
    /// `task_struct.cgroups`
    task_cgroups,
    /// `cred.euid`
    cred_euid,
    /// `mm_struct.exe_file`
    mm_exe_file,
    /// `mm_struct.arg_start`
    mm_arg_start,
    /// `mm_struct.arg_end`
    mm_arg_end,
    /// `dentry.d_parent`
    dentry_parent,
    /// `dentry.d_name.name`
    dentry_name,
    /// `vfsmount.mnt_root`
    vfsmount_root,
    /// `mount.mnt`
    mount_mnt,
    /// `mount.mnt_parent`
    mount_parent,
    /// `mount.mnt_mountpoint`
    mount_mountpoint,
    /// `mount.mnt_ns`
    mount_ns,
    /// `css_set.dfl_cgrp`
    css_set_dfl_cgrp,
    /// `cgroup.kn`
    cgroup_kn,
    /// `kernfs_node.__parent` (`parent` before 6.15)
    kernfs_parent,
    /// `kernfs_node.name`
    kernfs_name,
    /// `sk_buff.head`
    skb_head,
    /// `sk_buff.dev`
    skb_dev,
    /// `sk_buff.network_header` (u16)
    skb_network_header,
    /// `sk_buff.transport_header` (u16)
    skb_transport_header,
    /// `sk_buff.cb`
    skb_cb,
    /// `sock_exterr_skb.ee.ee_errno`, from the start of `sk_buff.cb`
    exterr_errno,
    /// `net_device.nd_net`
    dev_net,
    /// `io_kiocb.opcode` (u8)
    io_opcode,
    /// `io_kiocb.file`
    io_file,
    /// `io_accept.file_slot` (u32), which lies over the start of `io_kiocb`
    io_accept_slot,
    /// Number of `IORING_OP_ACCEPT`
    io_op_accept,
    /// Number of `IORING_OP_CONNECT`
    io_op_connect,
}

const _: () = assert!(core::mem::size_of::<Offsets>() == Offsets::NAMES.len() * 4);

#[cfg(feature = "user")]
mod pod {
    #![allow(unsafe_code, reason = "aya asks for a marker on plain data")]
    // SAFETY: `repr(C)`, integers only, no padding (asserted above).
    unsafe impl aya::Pod for super::Offsets {}
}
