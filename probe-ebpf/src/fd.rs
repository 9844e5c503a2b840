//! From a file descriptor of the current process to the TCP socket behind it.

use aya_ebpf::helpers::generated;

use crate::maps::offset;
use crate::read::{GaveUp, read, read_or};
use crate::sock::{AF_INET, AF_INET6, IPPROTO_MPTCP, IPPROTO_TCP};

/// The TCP socket behind `fd` of the current task. For an MPTCP socket: its first subflow.
#[inline(always)]
pub fn tcp_sock(fd: u32) -> Result<u64, GaveUp> {
    // SAFETY: takes no arguments.
    let task = unsafe { generated::bpf_get_current_task() };
    let files: u64 = read(task, offset!(task_files))?;
    let table: u64 = read(files, offset!(files_fdt))?;
    let max: u32 = read(table, offset!(fdtable_max_fds))?;
    if fd >= max {
        return Err(GaveUp);
    }
    let slots: u64 = read(table, offset!(fdtable_fd))?;
    let file: u64 = read(slots + u64::from(fd) * 8, 0)?;
    tcp_sock_of_file(file)
}

/// The TCP socket behind a `struct file`. Only a socket's private data points back at the file.
#[inline(always)]
pub fn tcp_sock_of_file(file: u64) -> Result<u64, GaveUp> {
    if file == 0 {
        return Err(GaveUp);
    }
    let socket: u64 = read(file, offset!(file_private_data))?;
    if socket == 0 || read_or::<u64>(socket, offset!(socket_file), 0) != file {
        return Err(GaveUp);
    }
    let sk: u64 = read(socket, offset!(socket_sk))?;
    if sk == 0 {
        return Err(GaveUp);
    }
    let family = read::<u16>(sk, offset!(sock_family))? as u8;
    if family != AF_INET && family != AF_INET6 {
        return Err(GaveUp);
    }
    match read::<u16>(sk, offset!(sock_protocol))? {
        IPPROTO_TCP => Ok(sk),
        IPPROTO_MPTCP => match read(sk, offset!(mptcp_first))? {
            0 => Err(GaveUp),
            first => Ok(first),
        },
        _ => Err(GaveUp),
    }
}
