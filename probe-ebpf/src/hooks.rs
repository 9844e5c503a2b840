//! The hooks. Each file names its kernel function or tracepoint, says in which context it runs, and holds
//! one program per way to attach.

mod inet_csk_accept;
mod inet_sk_error_report;
mod inet_sock_set_state;
mod io_uring_complete;
mod iter;
mod tcp_connect;
mod tcp_destroy_sock;
mod tcp_reset;
mod tcp_retransmit;
mod tcp_send_reset;
mod tcp_v4_connect;
