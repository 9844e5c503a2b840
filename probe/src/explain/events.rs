//! Events: the words of the field `event`.

use super::Text;
use crate::vocab::EventName;

/// The text of an event. A new event does not compile without one.
pub(super) const fn of(event: EventName) -> &'static Text {
    match event {
        EventName::Listen => &LISTEN,
        EventName::ListenEnd => &LISTEN_END,
        EventName::Connect => &CONNECT,
        EventName::Established => &ESTABLISHED,
        EventName::Accept => &ACCEPT,
        EventName::Failed => &FAILED,
        EventName::Closed => &CLOSED,
        EventName::Reset => &RESET,
        EventName::RefusedInbound => &REFUSED_INBOUND,
        EventName::PortScan => &PORT_SCAN,
        EventName::ListenOverflow => &LISTEN_OVERFLOW,
        EventName::Retransmit => &RETRANSMIT,
        EventName::State => &STATE,
        EventName::Outage => &OUTAGE,
        EventName::Reconnected => &RECONNECTED,
        EventName::Flapping => &FLAPPING,
        EventName::Snapshot => &SNAPSHOT,
        EventName::Lost => &LOST,
        EventName::Start => &START,
        EventName::Stop => &STOP,
    }
}

const LISTEN: Text = Text {
    summary: "a socket starts to listen",
    meaning: &[
        "inet_csk_listen_start() moved a socket to LISTEN. `backlog` is the length of the accept queue that the \
                program asked for; net.core.somaxconn limits it.",
    ],
    reasons: &["a server starts or takes a new configuration"],
    next: &[
        ("connprobe ls --listening", "what listens now, and who"),
        ("sysctl net.core.somaxconn", "the limit of the backlog"),
    ],
    see_also: &["listen_end", "listen_overflow", "accept"],
};

const LISTEN_END: Text = Text {
    summary: "a socket stops listening",
    meaning: &[
        "The listener was closed. Connections in its accept queue that nobody took are reset: they come as \
                `closed` with the cause `never_accepted`.",
    ],
    reasons: &["a server ends, restarts or takes a new configuration", "it crashed"],
    next: &[(
        "connprobe trace --events listen,listen_end,closed --local-port PORT",
        "is there a gap, and who was cut?",
    )],
    see_also: &["listen", "never_accepted", "refused_inbound"],
};

const CONNECT: Text = Text {
    summary: "an attempt starts",
    meaning: &[
        "A socket went to SYN-SENT in connect() (tcp_v4_connect(), tcp_v6_connect()). One `failed` or one \
                `established` follows. `local_port` may be missing: the kernel chooses it a moment later.",
    ],
    reasons: &["a program opens a connection"],
    next: &[("connprobe trace --events connect,established,failed --comm NAME", "how do its attempts end?")],
    see_also: &["established", "failed", "EINPROGRESS"],
};

const ESTABLISHED: Text = Text {
    summary: "the handshake of a connection opened here is done",
    meaning: &[
        "The SYN-ACK came and tcp_finish_connect() moved the socket to ESTABLISHED. `connect_ns` is the time from \
                the first SYN, so one round trip and the time of the peer's kernel; the peer's program may not know of \
                it yet.",
    ],
    reasons: &["an attempt worked"],
    next: &[
        (
            "connprobe trace --events established -o json --remote-port PORT",
            "`connect_ns` and `syn_retransmits`",
        ),
        ("ss -tni dst ADDRESS", "round-trip times of what is open"),
    ],
    see_also: &["connect", "accept", "closed"],
};

const ACCEPT: Text = Text {
    summary: "accept() gave a connection to a process",
    meaning: &[
        "The kernel does the handshake by itself and puts the connection into the accept queue. `accept_wait_ns` is \
                how long it waited there until the program called accept().",
    ],
    reasons: &["a server takes a client; a long wait means that it is busy, blocked or has too few workers"],
    next: &[
        ("connprobe trace --events accept -o json --local-port PORT", "`accept_wait_ns` of each"),
        ("ss -tln 'sport = :PORT'", "Recv-Q is the accept queue now, Send-Q its limit"),
    ],
    see_also: &["listen_overflow", "never_accepted", "EMFILE"],
};

const FAILED: Text = Text {
    summary: "an attempt ended before it was established",
    meaning: &[
        "Exactly one for each attempt that does not work, with `cause`, and with `error` where the kernel or the \
                program got one. Attempts that never sent a packet are told, too.",
    ],
    reasons: &["see the cause in the record"],
    next: &[
        ("connprobe trace --failures", "only what goes wrong"),
        ("connprobe explain", "all causes, one a line"),
    ],
    see_also: &["refused", "timed_out", "abandoned", "no_route", "outage"],
};

const CLOSED: Text = Text {
    summary: "an established connection ended",
    meaning: &[
        "Exactly one for each connection, with its totals, its `cause` and `closed_by`. It is written when the end \
                is known to this host; a side in TIME-WAIT counts as ended.",
    ],
    reasons: &["see the cause in the record; `orderly` is no failure"],
    next: &[
        ("connprobe trace --events closed -o json", "all fields"),
        ("connprobe trace --failures", "only the ends that are not orderly"),
    ],
    see_also: &["orderly", "reset_by_peer", "reset_unread_data", "timed_out", "process_exit"],
};

const RESET: Text = Text {
    summary: "a RST was sent or received",
    meaning: &[
        "`reset_by` says by whom. A RST of this host has `reset_reason` on kernels from 6.10 on. Some belong to no \
                socket: the answer to a segment that nobody here knows. What it did to a connection is in the `failed` \
                or `closed` that follows.",
    ],
    reasons: &[
        "a refused attempt",
        "a program closed with unread data or a linger time of 0",
        "late segments for a connection that is gone: harmless",
    ],
    next: &[
        ("connprobe trace --events reset,failed,closed --port PORT", "the RST and what came of it"),
        ("nstat -az TcpOutRsts TcpEstabResets TcpAttemptFails", "how many are there?"),
    ],
    see_also: &["reset_by_peer", "reset_by_kernel", "no_socket", "ECONNRESET"],
};

const REFUSED_INBOUND: Text = Text {
    summary: "a peer tried a local port on which nothing listens",
    meaning: &[
        "A segment came for a port without a socket, and the kernel answered with a RST (tcp_v4_send_reset(), \
                tcp_v6_send_reset()). The first is told at once, more of the same peer, address and port come together \
                with `count`.",
    ],
    reasons: &[
        "the server for that port is not running or listens on another address",
        "a client or monitor has an old configuration",
        "somebody looks for open ports",
    ],
    next: &[
        ("ss -tlnp 'sport = :PORT'", "should something listen there?"),
        ("connprobe trace --events refused_inbound,port_scan", "who is it, and how often?"),
        ("journalctl -u UNIT --since '-1 hour'", "why does the server not run?"),
    ],
    see_also: &["port_scan", "no_socket", "refused", "listen_end"],
};

const PORT_SCAN: Text = Text {
    summary: "one peer tried many ports on which nothing listens",
    meaning: &[
        "At least `scan_ports` different local ports within `scan_window_s`. `ports` is how many so far. From then \
                on the tries of that peer come in records of this kind instead of `refused_inbound`.",
    ],
    reasons: &[
        "a security scanner of your own",
        "an attacker, or a worm in the local network",
        "a client that searches for its server through a range of ports",
    ],
    next: &[
        ("connprobe trace --addr ADDRESS", "what else does that peer do?"),
        ("connprobe ls --listening", "what could it find?"),
        ("nft list ruleset", "does the firewall let it through to here?"),
    ],
    see_also: &["refused_inbound", "no_socket", "tcp_flags"],
};

const LISTEN_OVERFLOW: Text = Text {
    summary: "connections were dropped at the full accept queue of a listener",
    meaning: &[
        "The accept queue holds connections whose handshake is done until the program calls accept(). While it is \
                full the kernel drops new SYNs (tcp_conn_request()) and last ACKs (tcp_v4_syn_recv_sock()) without a \
                word. The client repeats, becomes slow and at last times out.",
    ],
    reasons: &[
        "the server is too slow, blocked, stopped or has too few workers",
        "its backlog is too short for a burst: the program's own, or net.core.somaxconn",
        "it cannot accept because it has no file descriptors left",
    ],
    next: &[
        ("ss -tln 'sport = :PORT'", "Recv-Q is the accept queue now, Send-Q its limit"),
        ("nstat -az TcpExtListenOverflows TcpExtListenDrops", "how many on this host?"),
        ("connprobe trace --events listen_overflow", "which listener, whose, and how many at a time?"),
        (
            "connprobe trace --events accept -o json --local-port PORT",
            "`accept_wait_ns`: how slow is accept()?",
        ),
        ("sysctl net.core.somaxconn net.ipv4.tcp_abort_on_overflow", "the limit, and silence or RST?"),
        ("prlimit --nofile --pid PID", "has the server descriptors left?"),
    ],
    see_also: &["accept", "never_accepted", "timed_out", "invalid_syn", "EMFILE"],
};

const RETRANSMIT: Text = Text {
    summary: "a segment was sent again",
    meaning: &[
        "tcp_retransmit_skb() sent something a second time: no acknowledgement came in time, or duplicate ones say \
                that it is missing. Some are normal. Only shown with --events that name it.",
    ],
    reasons: &[
        "loss: a full queue on the way, a bad cable, weak radio",
        "a firewall that drops, or a peer that is gone: many of the same connection",
        "packets that overtake each other",
    ],
    next: &[
        ("ss -tni dst ADDRESS", "`retrans`, `rto` and `rtt` of the connections"),
        ("nstat -az TcpRetransSegs TcpOutSegs", "the share on this host"),
        ("ip -s link", "errors and drops of the interfaces"),
        ("tracepath -n ADDRESS", "the path MTU"),
    ],
    see_also: &["timed_out", "ETIMEDOUT", "state"],
};

const STATE: Text = Text {
    summary: "a socket changed its state",
    meaning: &[
        "The states of RFC 9293, as inet_sk_set_state() has them. TIME-WAIT and half-open connections on a listener \
                live in small sockets of their own and do not show here. Only with --events that name it.",
    ],
    reasons: &["every connection has some of them"],
    next: &[
        ("connprobe trace --events all --port PORT", "a whole life"),
        ("ss -tan", "the states of this moment"),
    ],
    see_also: &["established", "closed", "snapshot"],
};

const OUTAGE: Text = Text {
    summary: "a program lost a peer",
    meaning: &[
        "An abnormal end or a failed attempt after the peer had worked, with nothing else open to it; or a first \
                attempt that failed and is tried again. Once for each episode; `ts` is the moment of the loss. A \
                `reconnected` ends it.",
    ],
    reasons: &[
        "the peer was restarted or crashed",
        "the network between them was cut",
        "a firewall or NAT forgot the connection",
    ],
    next: &[
        ("connprobe trace --events outage,reconnected,flapping", "only the episodes"),
        ("connprobe trace --failures --addr ADDRESS", "each failed attempt and its cause"),
        ("journalctl --since '-10 min'", "what else happened on this host?"),
    ],
    see_also: &["reconnected", "flapping", "reset_by_peer", "timed_out"],
};

const RECONNECTED: Text = Text {
    summary: "an outage ended with an established connection",
    meaning: &[
        "`downtime_ns` is from the loss to ESTABLISHED, `attempts` counts the tries with the one that worked, \
                `errors` says how the others failed and `backoff_ns` how long the program waited in between. With \
                `role` = `server` a client that was lost is back.",
    ],
    reasons: &["the peer or the network is back"],
    next: &[
        ("connprobe trace --events outage,reconnected -o json", "all fields of the episodes"),
        ("connprobe trace --events connect,established,failed --addr ADDRESS", "each attempt"),
    ],
    see_also: &["outage", "flapping"],
};

const FLAPPING: Text = Text {
    summary: "a peer reconnects again and again",
    meaning: &[
        "More than `flapping` reconnects within `episode_window_s`; `count` is how many so far. It is told once, \
                until the peer is quiet again.",
    ],
    reasons: &[
        "the peer accepts and closes at once: wrong credentials or protocol, no healthy server behind a proxy",
        "an idle timeout on the way is shorter than the pauses of the program",
        "a service that crashes and restarts",
        "an unstable link",
    ],
    next: &[
        ("connprobe trace --events closed,established --addr ADDRESS", "who closes, and after how long?"),
        ("connprobe config", "`flapping` and `episode_window_s` in force"),
    ],
    see_also: &["outage", "reconnected", "orderly", "reset_by_peer"],
};

const SNAPSHOT: Text = Text {
    summary: "a socket that existed before the start",
    meaning: &[
        "Read from the kernel's socket tables when the trace started. Its end is told as that of any other, with \
                `pre_existing`, but its beginning and length are not known.",
    ],
    reasons: &["every trace has them at its start; `connprobe ls` prints nothing else"],
    next: &[("connprobe ls", "the sockets of this moment, without root")],
    see_also: &["start", "closed"],
};

const LOST: Text = Text {
    summary: "connprobe lost something, and says so",
    meaning: &[
        "`where` is the place and `count` how much since the last such record. After a loss in the kernel the table \
                is compared with the sockets that exist, and what may be touched is marked `incomplete`.",
    ],
    reasons: &[
        "`ring`: more events than connprobe read in time",
        "`sink` or `queue`: the output is slower than the events",
        "`tracker`: more connections at once than `max_connections`",
        "`hook`: the kernel skipped a program that was running on that CPU already",
    ],
    next: &[
        ("connprobe trace --buffer 256M --failures", "a larger ring buffer and fewer records"),
        ("connprobe config", "the limits in force"),
    ],
    see_also: &["stop", "start"],
};

const START: Text = Text {
    summary: "every hook is attached and the snapshot is done",
    meaning: &[
        "From here on nothing is missed without being counted. `tracer` has version, kernel, hooks, filters and \
                what is missing on this host.",
    ],
    reasons: &["every trace has one"],
    next: &[("connprobe doctor", "what is missing here, and what to do about it")],
    see_also: &["stop", "snapshot", "lost"],
};

const STOP: Text = Text {
    summary: "the end of the stream, with totals",
    meaning: &[
        "What was taken from the kernel, what was written and what was lost. A stream without it was cut off.",
    ],
    reasons: &["Ctrl-C, SIGTERM, --duration or --count"],
    next: &[("connprobe trace --events start,stop --duration 10s", "only the frame of a run")],
    see_also: &["start", "lost"],
};
