//! What user space tells the programs before they are loaded: read-only globals.

/// Ports a kernel-side filter can hold; more are filtered in user space.
pub const MAX_PORTS: usize = 8;
/// Address prefixes a kernel-side filter can hold; more are filtered in user space.
pub const MAX_PREFIXES: usize = 8;

/// Bits of [`Settings::want`].
pub mod want {
    /// Report every retransmission.
    pub const RETRANSMITS: u32 = 1 << 0;
    /// `bpf_get_socket_cookie` may be called by tracing programs (5.12).
    pub const COOKIES: u32 = 1 << 1;
    /// The tracepoint `tcp_send_reset` has a reason (6.10).
    pub const RESET_REASON: u32 = 1 << 3;
    /// The tracepoint `io_uring_complete` has the completion as a structure (6.15), not as numbers.
    pub const URING_CQE: u32 = 1 << 4;
    /// Log through aya-log where a hook gives up.
    pub const LOG: u32 = 1 << 2;
}

/// An address prefix.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default)]
pub struct Prefix {
    /// Address, IPv4 in the first four bytes, host bits zero.
    pub addr: [u8; 16],
    /// Mask of the same length.
    pub mask: [u8; 16],
    /// `AF_INET` or `AF_INET6`.
    pub family: u32,
}

/// Filters and switches. An empty list lets everything pass.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct Settings {
    /// Bits of [`want`].
    pub want: u32,
    /// Only this family (`AF_INET`, `AF_INET6`), 0 for both. v4-mapped sockets pass both.
    pub family: u32,
    /// Used entries of `remote_ports`.
    pub remote_ports_len: u32,
    /// Used entries of `prefixes`: the local or the remote address must lie in one of them.
    pub prefixes_len: u32,
    /// Slot of the fexit result of `inet_csk_accept` (2 or 4).
    pub accept_slot: u32,
    /// Remote ports that pass.
    pub remote_ports: [u16; MAX_PORTS],
    /// Prefixes that pass.
    pub prefixes: [Prefix; MAX_PREFIXES],
}

impl Settings {
    /// Everything passes, nothing extra is reported.
    pub const OPEN: Self = Self {
        want: 0,
        family: 0,
        remote_ports_len: 0,
        prefixes_len: 0,
        accept_slot: 2,
        remote_ports: [0; MAX_PORTS],
        prefixes: [Prefix { addr: [0; 16], mask: [0; 16], family: 0 }; MAX_PREFIXES],
    };
}

const _: () = assert!(core::mem::size_of::<Settings>() == 20 + 2 * MAX_PORTS + 36 * MAX_PREFIXES);

#[cfg(feature = "user")]
mod pod {
    #![allow(unsafe_code, reason = "aya asks for a marker on plain data")]
    // SAFETY: `repr(C)`, integers only, no padding (asserted above).
    unsafe impl aya::Pod for super::Settings {}
}
