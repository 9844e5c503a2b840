//! Reset reasons: the words of the field `reset_reason`, the kernel's `enum sk_rst_reason` of
//! `include/net/rstreason.h` without its prefix. 6.10 brought the first of them, 6.12 those for a RST that is not
//! the answer to a segment. All of them tell of a RST that this host sent.

mod mptcp;

use super::Text;

/// All of them: those of TCP, then those of Multipath TCP.
pub(super) fn all() -> impl Iterator<Item = &'static (&'static str, Text)> {
    TABLE.iter().chain(mptcp::TABLE)
}

/// By name, in the order of the kernel.
const TABLE: &[(&str, Text)] = &[
    (
        "not_specified",
        Text {
            summary: "the kernel sent a RST and gives no reason",
            meaning: &[
                "The place that sent the RST names no reason, or it dropped the segment for a reason that has no \
                 counterpart here (sk_rst_convert_drop_reason()).",
                "6.10 and 6.11 say this for every RST that close(), a timer or an administrator caused.",
            ],
            reasons: &[
                "an older kernel with few reasons",
                "a segment was refused on a path that the kernel does not tell apart",
            ],
            next: &[
                ("uname -r", "6.12 and later say more"),
                (
                    "connprobe trace --events reset,closed --port PORT",
                    "state and `unread_bytes` may explain it",
                ),
                (
                    "nstat -az TcpOutRsts TcpExtTCPAbortOnClose TcpExtTCPAbortOnData",
                    "which counter moves with it?",
                ),
            ],
            see_also: &["reset_by_kernel", "reset_linger", "reset"],
        },
    ),
    (
        "no_socket",
        Text {
            summary: "a segment came for which this host has no socket",
            meaning: &[
                "tcp_v4_rcv() or tcp_v6_rcv() found neither a connection nor a listener for a segment and answered \
                 with a RST.",
                "For a SYN that means: nothing listens on that port. For other segments: the connection does not \
                 exist any more.",
            ],
            reasons: &[
                "somebody tries a port on which nothing listens",
                "a late segment of a connection that was reset or closed here a moment ago: harmless",
                "this host or the program's namespace was restarted and the peer still thinks it is connected",
                "packets for another host or namespace arrive here: wrong NAT, duplicate address, asymmetric route",
            ],
            next: &[
                ("connprobe trace --events refused_inbound,port_scan", "who tries which port?"),
                ("ss -tlnp 'sport = :PORT'", "should something listen there?"),
                ("nstat -az TcpOutRsts TcpAttemptFails", "how many RSTs does this host send?"),
            ],
            see_also: &["refused_inbound", "port_scan", "ECONNREFUSED", "tcp_flags"],
        },
    ),
    (
        "tcp_invalid_ack_sequence",
        Text {
            summary: "the answer to our SYN acknowledges something that was not sent",
            meaning: &[
                "In SYN-SENT tcp_rcv_synsent_state_process() got an ACK number outside of what the SYN covers. It \
                 answers with a RST and keeps waiting for the right answer: the attempt goes on.",
            ],
            reasons: &[
                "the peer still has an old connection with the same ports and answers for that one",
                "a firewall or SYN proxy on the way rewrites sequence numbers in one direction only",
                "a NAT gave the same port to two connections",
                "forged packets",
            ],
            next: &[
                (
                    "tcpdump -ni any -S host ADDRESS and tcp port PORT",
                    "compare the ACK number with that of the SYN",
                ),
                (
                    "connprobe trace --events connect,reset,established,failed --addr ADDRESS",
                    "does it work then?",
                ),
                ("ss -tan 'dport = :PORT'", "are local ports used again quickly?"),
            ],
            see_also: &["tcp_ack_unsent_data", "tcp_rfc7323_paws", "timed_out"],
        },
    ),
    (
        "tcp_rfc7323_paws",
        Text {
            summary: "the answer to our SYN echoes a timestamp that was not sent",
            meaning: &["In SYN-SENT the timestamp that the peer echoes must be one of ours (RFC 7323). \
                 tcp_rcv_synsent_state_process() found that it is not and answered with a RST. The attempt goes on."],
            reasons: &[
                "the answer belongs to an older attempt with the same ports",
                "a middlebox rewrites or shifts timestamps in one direction only",
                "several hosts behind one address answer",
            ],
            next: &[
                ("nstat -az TcpExtPAWSActive TcpExtPAWSEstab", "how often does this host reject timestamps?"),
                (
                    "tcpdump -ni any -v host ADDRESS and tcp port PORT",
                    "compare `ecr` of the SYN-ACK with `TS val` of the SYN",
                ),
                ("sysctl net.ipv4.tcp_timestamps", "1 is the default"),
            ],
            see_also: &["tcp_invalid_ack_sequence", "timed_out"],
        },
    ),
    (
        "tcp_too_old_ack",
        Text {
            summary: "the handshake got an ACK from far behind the window",
            meaning: &[
                "tcp_ack() found an ACK number so old that it cannot belong to this connection. In SYN-RECEIVED \
                 that is answered with a RST; in later states with a challenge ACK, which is no RST.",
                "Sockets in SYN-RECEIVED are rare on Linux: TCP Fast Open and two hosts that connect to each other \
                 at the same moment have them.",
            ],
            reasons: &[
                "delayed or repeated packets of an earlier connection with the same ports",
                "forged packets",
            ],
            next: &[
                ("nstat -az TcpExtTCPChallengeACK TcpExtTCPFastOpenPassive", "does Fast Open play a part?"),
                ("tcpdump -ni any -S host ADDRESS and tcp port PORT", "compare the sequence numbers"),
            ],
            see_also: &["tcp_old_ack", "tcp_ack_unsent_data"],
        },
    ),
    (
        "tcp_ack_unsent_data",
        Text {
            summary: "the handshake got an ACK for data that was not sent",
            meaning: &[
                "tcp_ack() found an ACK number beyond everything we sent. In SYN-RECEIVED that is answered with a \
                 RST; in later states with a challenge ACK.",
            ],
            reasons: &[
                "the peer answers for another connection with the same ports",
                "a middlebox rewrites sequence numbers in one direction only",
                "forged packets",
            ],
            next: &[
                ("tcpdump -ni any -S host ADDRESS and tcp port PORT", "compare the sequence numbers"),
                ("nstat -az TcpExtTCPChallengeACK", "does it also happen to established connections?"),
            ],
            see_also: &["tcp_invalid_ack_sequence", "tcp_too_old_ack", "tcp_old_ack"],
        },
    ),
    (
        "tcp_flags",
        Text {
            summary: "a listener got an ACK that belongs to no handshake",
            meaning: &[
                "tcp_rcv_state_process() sends this RST when a segment with ACK reaches a listening socket: there \
                 is no connection and no half-open one for it, and it is no valid SYN cookie either.",
                "So the port is open, but the connection of the segment is unknown here.",
            ],
            reasons: &[
                "the server was restarted and old clients go on sending",
                "the handshake took so long that the kernel had dropped the half-open connection",
                "the connection was never here: a load balancer moved it to this host in its middle",
                "an ACK scan of the port",
                "a SYN cookie that came back too late or changed",
            ],
            next: &[
                (
                    "nstat -az TcpExtSyncookiesFailed TcpExtListenDrops TcpExtTCPReqQFullDrop",
                    "is it an overload?",
                ),
                (
                    "connprobe trace --events reset,listen --local-port PORT",
                    "did the listener start just before?",
                ),
                (
                    "sysctl net.ipv4.tcp_synack_retries net.ipv4.tcp_syncookies",
                    "how long are handshakes kept?",
                ),
            ],
            see_also: &["no_socket", "invalid_syn", "listen_overflow", "reset_by_peer"],
        },
    ),
    (
        "tcp_old_ack",
        Text {
            summary: "the handshake got an ACK that acknowledges nothing new",
            meaning: &[
                "In SYN-RECEIVED the ACK has to cover our SYN-ACK. tcp_rcv_state_process() got one that is in the \
                 window but too low, and answered with a RST.",
                "Sockets in SYN-RECEIVED are rare on Linux: TCP Fast Open and two hosts that connect to each other \
                 at the same moment have them.",
            ],
            reasons: &[
                "a repeated packet from before the SYN-ACK, with TCP Fast Open",
                "a simultaneous open",
            ],
            next: &[
                (
                    "nstat -az TcpExtTCPFastOpenPassive TcpExtTCPFastOpenPassiveFail",
                    "does Fast Open play a part?",
                ),
                ("sysctl net.ipv4.tcp_fastopen", "2 in the sum: allowed for servers"),
            ],
            see_also: &["tcp_too_old_ack", "tcp_ack_unsent_data"],
        },
    ),
    (
        "tcp_abort_on_data",
        Text {
            summary: "data arrived after the program had closed",
            meaning: &[
                "The program had closed, the kernel had sent our FIN, and then new data came that nobody can read. \
                 tcp_rcv_state_process() answers with a RST. The same happens at the acknowledgement of our FIN \
                 with a FIN-WAIT-2 time below zero (TCP_LINGER2).",
                "For data after close() the kernel runs tcp_reset() as if the peer had sent a RST. The socket then \
                 has ECONNRESET although the RST is ours.",
            ],
            reasons: &[
                "the program closed before it had read the whole answer or upload",
                "a cancelled download: the server goes on sending",
                "the two programs disagree on who closes first",
            ],
            next: &[
                (
                    "nstat -az TcpExtTCPAbortOnData",
                    "how often? Closing with a linger time of 0 counts here, too",
                ),
                ("connprobe trace --events reset,closed --port PORT", "which program closes too early?"),
                (
                    "strace -f -e trace=close,shutdown -p PID",
                    "shutdown(SHUT_WR) and reading to the end avoids it",
                ),
            ],
            see_also: &["reset_by_kernel", "tcp_abort_on_close", "ECONNRESET"],
        },
    ),
    (
        "tcp_timewait_socket",
        Text {
            summary: "a segment came for a connection whose program is gone",
            meaning: &[
                "The socket was closed and replaced by a small one that waits for the FIN of the peer (FIN-WAIT-2). \
                 tcp_timewait_state_process() got data or a SYN instead, and answered with a RST.",
                "A proper TIME-WAIT, with the FIN of the peer received, does not send it.",
            ],
            reasons: &[
                "the peer goes on sending after we closed",
                "the peer opens a new connection with the same ports too early",
            ],
            next: &[
                ("ss -tan state fin-wait-2", "for which peers does this host wait?"),
                (
                    "connprobe trace --events reset,closed --port PORT",
                    "who closes first, and what comes after?",
                ),
                ("sysctl net.ipv4.tcp_fin_timeout", "how long is the FIN waited for?"),
            ],
            see_also: &["tcp_abort_on_data", "orderly", "no_socket"],
        },
    ),
    (
        "invalid_syn",
        Text {
            summary: "a half-open connection got a SYN out of place, or the accept queue was full",
            meaning: &[
                "tcp_check_req() gave up a handshake that was under way on a listener and sent a RST: a SYN came in \
                 the middle of it.",
                "The same line of code is used when the accept queue is full and net.ipv4.tcp_abort_on_overflow is \
                 1. Without that setting the kernel is silent then.",
            ],
            reasons: &[
                "the accept queue of the server is full, with tcp_abort_on_overflow",
                "the client gave up and opened a new connection with the same ports",
                "forged or damaged packets",
            ],
            next: &[
                ("sysctl net.ipv4.tcp_abort_on_overflow", "1: look at the accept queue first"),
                ("ss -tln 'sport = :PORT'", "Recv-Q is the accept queue now, Send-Q its limit"),
                ("nstat -az TcpExtListenOverflows TcpExtEmbryonicRsts", "which of the two counts with it?"),
            ],
            see_also: &["listen_overflow", "tcp_flags", "refused"],
        },
    ),
    (
        "tcp_abort_on_close",
        Text {
            summary: "the program closed while received data was unread",
            meaning: &[
                "__tcp_close() found data in the receive queue that the program never read. It sends a RST instead \
                 of a FIN, so that the peer learns that not everything was taken.",
                "Named in 6.12 and later; before, the reason is `not_specified`.",
            ],
            reasons: &[
                "a server answers an error and closes without reading the rest of the request",
                "the program crashed or stopped reading after an error of its own",
                "the peer sent more than the program expected",
            ],
            next: &[
                ("connprobe trace --events closed -o json --port PORT", "`unread_bytes` and the program"),
                ("nstat -az TcpExtTCPAbortOnClose", "how often does this host do it?"),
                (
                    "strace -f -e trace=read,recvfrom,recvmsg,close -p PID",
                    "where does the program stop reading?",
                ),
            ],
            see_also: &["reset_unread_data", "tcp_abort_on_data", "ECONNRESET"],
        },
    ),
    (
        "tcp_abort_on_linger",
        Text {
            summary: "closed in FIN-WAIT-2 with a waiting time below zero",
            meaning: &[
                "The program set TCP_LINGER2 to a negative number: it does not want to wait for the FIN of the peer. \
                 __tcp_close() in FIN-WAIT-2 then sends a RST at once.",
                "SO_LINGER with a time of 0 is something else: its reason is `tcp_state`.",
            ],
            reasons: &["the program or its library sets TCP_LINGER2 and shuts down before it closes"],
            next: &[
                ("nstat -az TcpExtTCPAbortOnLinger", "how often?"),
                ("strace -f -e trace=setsockopt,shutdown,close -p PID", "does the program set TCP_LINGER2?"),
            ],
            see_also: &["reset_linger", "tcp_state"],
        },
    ),
    (
        "tcp_abort_on_memory",
        Text {
            summary: "memory for sockets ran out, so a closed connection was reset",
            meaning: &[
                "A connection that the program has closed still costs memory until the peer is done (an orphan). \
                 tcp_check_oom() found too many orphans or too much memory in use, and the kernel reset this one.",
            ],
            reasons: &[
                "very many closed connections with unsent data or slow peers",
                "net.ipv4.tcp_max_orphans or net.ipv4.tcp_mem is too small for this host",
                "a flood of connections",
            ],
            next: &[
                ("ss -s", "`orphaned` and the total of sockets"),
                ("journalctl -k --grep 'orphaned sockets|tuning tcp_mem'", "the kernel logs it"),
                ("sysctl net.ipv4.tcp_max_orphans net.ipv4.tcp_mem", "the limits"),
                ("nstat -az TcpExtTCPAbortOnMemory", "how often?"),
            ],
            see_also: &["reset_by_kernel", "ENOBUFS", "ENOMEM"],
        },
    ),
    (
        "tcp_state",
        Text {
            summary: "the connection was torn down while it was open",
            meaning: &[
                "The state of the connection called for a RST (RFC 9293), because it was ended without a FIN. It \
                 comes from tcp_disconnect(), from tcp_abort() and from an orphan that waited too long in \
                 FIN-WAIT-2.",
                "Named in 6.12 and later; before, the reason is `not_specified`.",
            ],
            reasons: &[
                "close() with a linger time of 0 (SO_LINGER)",
                "a listener was closed with connections that nobody had accepted",
                "connect() with AF_UNSPEC",
                "an administrator killed it, for example with `ss -K`",
            ],
            next: &[
                ("connprobe trace --events closed --port PORT", "the cause tells these apart"),
                ("strace -f -e trace=setsockopt,close,connect -p PID", "does the program set SO_LINGER?"),
                ("nstat -az TcpExtTCPAbortOnData", "closing with a linger time of 0 counts here"),
            ],
            see_also: &["reset_linger", "never_accepted", "aborted", "tcp_disconnect_with_data"],
        },
    ),
    (
        "tcp_keepalive_timeout",
        Text {
            summary: "keepalive probes were not answered",
            meaning: &[
                "tcp_keepalive_timer() used up its probes, or TCP_USER_TIMEOUT ran out on an idle connection. It \
                 sends a RST, which will hardly arrive, and sets ETIMEDOUT.",
                "Named in 6.12 and later; before, the reason is `not_specified`.",
            ],
            reasons: &[
                "the peer is gone without a word",
                "a NAT, firewall or load balancer forgot the idle connection",
                "the route to the peer was lost",
            ],
            next: &[
                ("ss -tno dst ADDRESS", "the keepalive timers of the connections that are left"),
                (
                    "sysctl net.ipv4.tcp_keepalive_time net.ipv4.tcp_keepalive_intvl",
                    "times for programs that set none",
                ),
                ("nstat -az TcpExtTCPKeepAlive", "how many probes are sent?"),
            ],
            see_also: &["keepalive_timeout", "user_timeout", "ETIMEDOUT"],
        },
    ),
    (
        "tcp_disconnect_with_data",
        Text {
            summary: "disconnected while something was still to be sent",
            meaning: &[
                "tcp_disconnect() threw away a connection in CLOSING or LAST-ACK that had unsent data. Both sides \
                 had closed already, but the peer did not get everything.",
                "In earlier states the reason is `tcp_state`.",
            ],
            reasons: &[
                "connect() with AF_UNSPEC after shutdown()",
                "close() with a linger time of 0 after shutdown(), with data in the send queue",
            ],
            next: &[
                ("ss -tan state last-ack", "Send-Q shows what is not sent yet"),
                (
                    "strace -f -e trace=setsockopt,shutdown,close,connect -p PID",
                    "in which order does the program close?",
                ),
            ],
            see_also: &["reset_linger", "tcp_state"],
        },
    ),
    (
        "error",
        Text {
            summary: "the kernel did not expect this case",
            meaning: &[
                "A fallback of the kernel for a reason number it does not know; sk_rst_convert_mptcp_reason() has \
                 it for Multipath TCP. It should not be seen.",
            ],
            reasons: &["a bug of the kernel, or a peer with unknown codes"],
            next: &[
                ("uname -r", "is there a newer kernel of that series?"),
                ("connprobe trace --events reset,closed -o json --port PORT", "the facts for a report"),
            ],
            see_also: &["mptcp_rst_eunspec", "not_specified"],
        },
    ),
    (
        "max",
        Text {
            summary: "the end of the kernel's list, no reason",
            meaning: &["The last entry of `enum sk_rst_reason` only marks its length. No RST has it."],
            reasons: &["a record with this word comes from a damaged file or a bug of connprobe"],
            next: &[("connprobe doctor", "does the BTF of this kernel read well?")],
            see_also: &["not_specified"],
        },
    ),
];
