//! `io_uring_complete`: the result of a connect or accept that was no system call. Context: the task that
//! submitted it, or its SQPOLL thread (with the right process id).

use aya_ebpf::EbpfContext;
use aya_ebpf::macros::btf_tracepoint;
use aya_ebpf::programs::BtfTracePointContext;
use probe_common::{ABSENT, engine, flag, want};

use crate::connecting::{self, Connecting};
use crate::fd;
use crate::hooks::inet_csk_accept;
use crate::maps::{offset, wants};
use crate::read::{GaveUp, plain_arg, read};

#[btf_tracepoint(function = "io_uring_complete")]
pub fn io_uring_complete(ctx: BtfTracePointContext) -> i32 {
    let request = plain_arg(ctx.as_ptr(), 1);
    let _ = result(&ctx).and_then(|result| try_complete(&ctx, request, result));
    0
}

/// The arguments are (ring, request, completion), before that (ring, request, user data, result, …), and
/// without the request before 5.19, which user space does not attach to.
#[inline(always)]
fn result(ctx: &BtfTracePointContext) -> Result<i32, GaveUp> {
    /// `io_uring_cqe.res`, part of the user interface.
    const CQE_RES: u32 = 8;
    if wants(want::URING_CQE) {
        read(plain_arg(ctx.as_ptr(), 2), CQE_RES)
    } else {
        Ok(plain_arg(ctx.as_ptr(), 3) as i32)
    }
}

#[inline(always)]
fn try_complete(ctx: &BtfTracePointContext, request: u64, result: i32) -> Result<(), GaveUp> {
    if request == 0 || offset!(io_opcode) == ABSENT {
        return Err(GaveUp);
    }
    let opcode = u32::from(read::<u8>(request, offset!(io_opcode))?);
    if opcode == offset!(io_op_accept) && result >= 0 {
        // Into a slot of the ring's own table: the result is no descriptor of the process.
        if read::<u32>(request, offset!(io_accept_slot))? != 0 {
            return Err(GaveUp);
        }
        let sk = fd::tcp_sock(result as u32)?;
        return inet_csk_accept::accepted(ctx, sk, engine::TRACEPOINT, flag::IO_URING);
    }
    if opcode == offset!(io_op_connect) && result < 0 {
        let sk = fd::tcp_sock_of_file(read(request, offset!(io_file))?)?;
        // The address asked for is gone by now: what the socket has must do.
        let it = Connecting { sk, entered: 0, addr: [0; 16], port: 0, family: 0, pad: 0 };
        return connecting::report(ctx, &it, result, engine::TRACEPOINT, flag::IO_URING);
    }
    Ok(())
}
