//! Causes: the words of the field `cause`, as `conn` decides them.

use super::Text;
use crate::vocab::Cause;

/// The text of a cause. A new cause does not compile without one.
pub(super) const fn of(cause: Cause) -> &'static Text {
    match cause {
        Cause::Refused => &REFUSED,
        Cause::RefusedIcmp => &REFUSED_ICMP,
        Cause::TimedOut => &TIMED_OUT,
        Cause::Unreachable => &UNREACHABLE,
        Cause::NoRoute => &NO_ROUTE,
        Cause::NoPort => &NO_PORT,
        Cause::AddressInUse => &ADDRESS_IN_USE,
        Cause::Denied => &DENIED,
        Cause::Abandoned => &ABANDONED,
        Cause::Aborted => &ABORTED,
        Cause::ProcessExit => &PROCESS_EXIT,
        Cause::Invalid => &INVALID,
        Cause::Orderly => &ORDERLY,
        Cause::ResetByPeer => &RESET_BY_PEER,
        Cause::ResetUnreadData => &RESET_UNREAD_DATA,
        Cause::ResetLinger => &RESET_LINGER,
        Cause::ResetByKernel => &RESET_BY_KERNEL,
        Cause::KeepaliveTimeout => &KEEPALIVE_TIMEOUT,
        Cause::UserTimeout => &USER_TIMEOUT,
        Cause::NeverAccepted => &NEVER_ACCEPTED,
        Cause::Other => &OTHER,
    }
}

const REFUSED: Text = Text {
    summary: "the peer answered the SYN with a RST",
    meaning: &[
        "A RST came back for our SYN. tcp_reset() puts ECONNREFUSED into a socket in SYN-SENT, and connect() \
         returns it.",
        "The way to the peer works: the answer came within one round trip. Either the peer itself said no, or \
         something on the way spoke in its name.",
    ],
    reasons: &[
        "no program listens on that port at the peer: it is not started, has crashed or is just restarting",
        "it listens on another address, often only on 127.0.0.1 or only on IPv4",
        "the port number or the address is wrong, for example an old DNS entry",
        "a firewall rejects with a TCP reset, or a load balancer has no healthy server behind it",
        "the accept queue of the peer is full and its net.ipv4.tcp_abort_on_overflow is 1",
    ],
    next: &[
        ("ss -tlnp 'sport = :PORT'", "on the peer: does a program listen, and on which address?"),
        ("connprobe trace --failures --remote-port PORT", "here: who else is refused, and how often?"),
        ("connprobe trace --events refused_inbound --local-port PORT", "on the peer: does the SYN arrive?"),
        ("getent ahosts NAME", "which addresses does the name of the peer have?"),
        ("nft list ruleset", "on both ends: is there a rule with `reject`?"),
    ],
    see_also: &["ECONNREFUSED", "refused_icmp", "refused_inbound", "no_socket"],
};

const REFUSED_ICMP: Text = Text {
    summary: "an ICMP message refused the attempt",
    meaning: &[
        "The socket has ECONNREFUSED, but no RST was received for it. tcp_v4_err() and tcp_v6_err() set that \
         errno when an ICMP `port unreachable` answers the SYN.",
        "A Linux host without a listener sends a RST, not ICMP. So this is nearly always a firewall rule.",
    ],
    reasons: &[
        "a firewall at the peer or on the way rejects: the default of REJECT in iptables is this ICMP message",
        "a rule for outgoing packets on this host rejects",
        "a Kubernetes service without a ready pod: kube-proxy rejects for it",
    ],
    next: &[
        ("tcpdump -ni any 'icmp or icmp6'", "which host sends the ICMP message?"),
        ("nft list ruleset", "is there a rule with `reject` on this host or on that one?"),
        ("iptables -S", "the same, where rules are made with the legacy tables"),
        ("connprobe trace --failures --remote-port PORT", "which programs and peers are touched?"),
    ],
    see_also: &["ECONNREFUSED", "refused", "denied", "unreachable"],
};

const TIMED_OUT: Text = Text {
    summary: "nothing was answered until the kernel gave up",
    meaning: &[
        "The retransmission timer ran out: tcp_write_timeout() counts, tcp_write_err() sets ETIMEDOUT and ends \
         the socket without sending anything.",
        "In `failed`, no SYN was answered. With the defaults that takes a little more than two minutes \
         (net.ipv4.tcp_syn_retries is 6). In `closed`, data was not acknowledged: about 15 minutes with the \
         default of net.ipv4.tcp_retries2, which is 15.",
        "When an ICMP error came meanwhile, tcp_write_err() reports that instead and the cause is \
         `unreachable`.",
    ],
    reasons: &[
        "a firewall or security group drops the packets without an answer",
        "the peer is down, or its address is no longer used",
        "the accept queue of the peer is full: it drops SYNs silently",
        "the answers take another way back and get lost",
        "in `closed`: the network was cut, or a NAT or firewall has forgotten the connection",
        "in `closed`: large packets are dropped on the way (a path MTU problem), small ones pass",
    ],
    next: &[
        ("tcpdump -ni any host ADDRESS and tcp port PORT", "do the SYNs leave, and does anything come back?"),
        ("ip route get ADDRESS", "which interface and source address are used?"),
        ("tracepath -n ADDRESS", "where does the way end, and what MTU has it?"),
        ("nstat -az TcpExtListenOverflows TcpExtListenDrops", "on the peer: is its accept queue full?"),
        ("nstat -az TcpExtTCPSynRetrans TcpRetransSegs", "here: is it one peer or everything?"),
        ("sysctl net.ipv4.tcp_syn_retries net.ipv4.tcp_retries2", "how long does this host wait?"),
    ],
    see_also: &["ETIMEDOUT", "abandoned", "unreachable", "listen_overflow", "retransmit"],
};

const UNREACHABLE: Text = Text {
    summary: "a router or the neighbour table said that the peer cannot be reached",
    meaning: &[
        "The attempt or connection ended with EHOSTUNREACH or ENETUNREACH. tcp_v4_err() and tcp_v6_err() get \
         it from an ICMP message; when no neighbour answers ARP or neighbour discovery on the last hop, this \
         host makes such a message itself after about three seconds.",
        "For an established connection an ICMP error is only noted (`sk_err_soft`): the kernel goes on trying, \
         and tcp_write_err() reports the note instead of ETIMEDOUT when it gives up. Since 6.10 host and net \
         unreachable are treated like that during an attempt, too.",
    ],
    reasons: &[
        "the peer is off, or nobody in the local network has that address",
        "a router has no route to the network of the peer",
        "a firewall rejects with `host unreachable` or `administratively prohibited`",
        "a link or tunnel on the way, or on this host, went down",
    ],
    next: &[
        ("ip neigh show ADDRESS", "FAILED or INCOMPLETE: nobody answers for that address"),
        ("ip route get ADDRESS", "which way is taken, and is the next hop the right one?"),
        ("tcpdump -ni any 'icmp or icmp6'", "who sends the ICMP message?"),
        ("tracepath -n ADDRESS", "where does the way end?"),
        ("ip -br link", "are the interfaces up?"),
    ],
    see_also: &["EHOSTUNREACH", "ENETUNREACH", "no_route", "timed_out"],
};

const NO_ROUTE: Text = Text {
    summary: "the routing table of this host said no; no packet was sent",
    meaning: &[
        "connect() asks the routing table before it sends anything (ip_route_connect(), or ip6_dst_lookup_flow() \
         for IPv6). No route at all gives ENETUNREACH, a route of the type `unreachable` gives EHOSTUNREACH.",
        "It takes microseconds, and the peer never hears of it.",
    ],
    reasons: &[
        "an IPv6 address was tried on a host that has no IPv6 connectivity; often harmless, IPv4 follows",
        "there is no default route: the interface is down, or DHCP has not finished",
        "a VPN or tunnel is down and took its routes away",
        "the program runs in a network namespace or container without that network",
        "somebody added an `unreachable` route on purpose",
    ],
    next: &[
        ("ip route get ADDRESS", "the answer of the routing table, in the same words"),
        ("ip route show table all type unreachable", "routes that say no on purpose"),
        ("ip -6 route show default", "has IPv6 a default route?"),
        ("ip -br address", "which addresses do the interfaces have?"),
        ("ip rule show", "do policy rules choose another table?"),
    ],
    see_also: &["ENETUNREACH", "EHOSTUNREACH", "unreachable", "denied", "invalid"],
};

const NO_PORT: Text = Text {
    summary: "no local port is left towards this peer",
    meaning: &[
        "connect() has to choose a local port. __inet_hash_connect() goes through \
         net.ipv4.ip_local_port_range and found every port taken for this peer's address and port, so it \
         returns EADDRNOTAVAIL. Nothing was sent.",
        "The limit counts for each combination of local address, peer address and peer port: about 28,000 with \
         the defaults.",
    ],
    reasons: &[
        "very many short connections to one server: closed ones stay in TIME-WAIT for 60 seconds",
        "a program opens connections and never closes them",
        "the program binds to a local port itself, and the connection exists already",
        "the port range was made small, or much of it is reserved",
    ],
    next: &[
        ("ss -tan dst ADDRESS", "how many sockets towards this peer, and in which states?"),
        ("ss -s", "how many sockets are in TIME-WAIT?"),
        ("sysctl net.ipv4.ip_local_port_range net.ipv4.ip_local_reserved_ports", "how many ports are there?"),
        ("sysctl net.ipv4.tcp_tw_reuse", "may ports in TIME-WAIT be used again?"),
        (
            "connprobe trace --events closed --addr ADDRESS",
            "who closes so many connections? Reuse them instead",
        ),
    ],
    see_also: &["EADDRNOTAVAIL", "address_in_use", "orderly"],
};

const ADDRESS_IN_USE: Text = Text {
    summary: "the local address and port are taken",
    meaning: &[
        "connect() returned EADDRINUSE: the socket was to use a local address and port that another socket has.",
        "This is rare for connect(): for a port that the program chose itself Linux mostly says EADDRNOTAVAIL \
         there. The usual place of EADDRINUSE is bind() or listen(), which are no attempts and give no record.",
    ],
    reasons: &[
        "the program binds its outgoing connections to a fixed local port",
        "two instances of the program run",
    ],
    next: &[
        ("ss -tanp 'sport = :PORT'", "who has the local port?"),
        ("connprobe ls --port PORT", "the same, with unit and container in --output json"),
    ],
    see_also: &["EADDRINUSE", "no_port", "EADDRNOTAVAIL"],
};

const DENIED: Text = Text {
    summary: "a policy of this host forbade it",
    meaning: &[
        "The attempt ended with EACCES or EPERM. The question is asked in connect(), before a packet is sent: by \
         a security module in security_socket_connect(), by a BPF program of the cgroup, or by a route of the \
         type `prohibit`.",
        "An ICMPv6 `administratively prohibited` from the way gives EACCES, too, but only after a SYN was sent.",
    ],
    reasons: &[
        "SELinux, AppArmor or Landlock do not allow the program to connect there",
        "the unit has IPAddressDeny= or SocketBindDeny=, or a container platform has put a BPF program on its cgroup",
        "a `prohibit` route",
        "a seccomp filter of a sandbox or container",
    ],
    next: &[
        ("ausearch -m avc -ts recent", "what did SELinux or AppArmor forbid?"),
        ("journalctl -k --grep 'denied|audit'", "the same, where auditd does not run"),
        ("systemctl show -p IPAddressDeny,RestrictAddressFamilies UNIT", "what does the unit forbid?"),
        ("bpftool cgroup tree", "which BPF programs are on the cgroups?"),
        ("ip route get ADDRESS", "a `prohibit` route answers with `Permission denied`"),
    ],
    see_also: &["EACCES", "EPERM", "no_route", "invalid"],
};

const ABANDONED: Text = Text {
    summary: "the program gave up before an answer came",
    meaning: &[
        "The program closed the socket while it was in SYN-SENT. The kernel had no error and would have gone on \
         sending SYNs; tcp_close() just throws the attempt away and nothing is sent to the peer.",
        "This is what a program calls its connect timeout. `duration_ns` is how long it was willing to wait.",
    ],
    reasons: &[
        "a timeout of the program that is shorter than the two minutes of the kernel, with a peer that does not \
         answer: look at the reasons of `timed_out`",
        "the program tries several addresses at once (happy eyeballs) and another one was faster: harmless",
        "the user or a caller cancelled the request",
        "the way is slow or lossy, and the timeout is shorter than one repeated SYN (one second)",
    ],
    next: &[
        (
            "connprobe trace --failures -o json --remote-port PORT",
            "`duration_ns` and `syn_retransmits` of each",
        ),
        ("tcpdump -ni any host ADDRESS and tcp port PORT", "do the SYNs leave, and does anything come back?"),
        ("ip route get ADDRESS", "which way is taken?"),
        ("nstat -az TcpExtListenOverflows TcpExtListenDrops", "on the peer: is its accept queue full?"),
    ],
    see_also: &["timed_out", "ETIMEDOUT", "EINPROGRESS", "listen_overflow", "process_exit"],
};

const ABORTED: Text = Text {
    summary: "an administrator killed it on this host",
    meaning: &[
        "tcp_abort() ended the socket from outside of the program: it sets ECONNABORTED and, if the connection \
         was established, sends a RST to the peer. The program learns it with its next call.",
        "`closer_comm` says who did it, where that is known.",
    ],
    reasons: &[
        "somebody ran `ss -K`",
        "a network manager or a VPN client closes the connections of an interface that went away",
        "a BPF program of a container network called bpf_sock_destroy() for a backend that is gone",
    ],
    next: &[
        ("connprobe trace --failures -o json --port PORT", "`closer_pid` and `closer_comm` of the next one"),
        ("journalctl --since '-10 min'", "what else happened on this host?"),
        ("bpftool prog list", "are there BPF programs that may do it?"),
    ],
    see_also: &["ECONNABORTED", "tcp_state", "process_exit", "reset_linger"],
};

const PROCESS_EXIT: Text = Text {
    summary: "the owner died, and the kernel closed for it",
    meaning: &[
        "do_exit() closes the files of a dying process, and with the last descriptor the socket goes through \
         tcp_close(). In `closed` the first FIN was sent like that, in `failed` the attempt was thrown away.",
        "The peer sees an ordinary FIN and cannot tell it from a close() of the program.",
    ],
    reasons: &[
        "the program ended without closing its sockets, which is allowed and common for short tools",
        "it crashed, or it was killed by a signal",
        "the kernel killed it because memory ran out",
        "its service was stopped or restarted",
    ],
    next: &[
        ("journalctl -k --grep 'Out of memory|segfault'", "was it killed or did it crash?"),
        ("coredumpctl list", "has it left a core?"),
        ("systemctl status UNIT", "was the service restarted?"),
        ("connprobe trace --events closed,failed --comm NAME", "does it happen at each end of that program?"),
    ],
    see_also: &["orderly", "abandoned", "reset_unread_data", "never_accepted"],
};

const INVALID: Text = Text {
    summary: "the kernel rejected the arguments, or a blackhole route did",
    meaning: &[
        "connect() returned EINVAL or EAFNOSUPPORT at once; nothing was sent. A route of the type `blackhole` \
         gives EINVAL, too: the kernel does not tell the two apart.",
    ],
    reasons: &[
        "an IPv6 link-local address (fe80::) without the interface: `%eth0` is missing",
        "a `blackhole` route to the peer, as some VPNs and routing daemons make them",
        "the address is of another family than the socket: a bug in the program",
        "the address structure is too short: a bug in the program",
    ],
    next: &[
        ("ip route get ADDRESS", "a `blackhole` route answers with `Invalid argument`"),
        ("ip route show table all type blackhole", "are there such routes?"),
        ("strace -f -e trace=connect -p PID", "what does the program hand to connect()?"),
    ],
    see_also: &["EINVAL", "EAFNOSUPPORT", "no_route", "denied"],
};

const ORDERLY: Text = Text {
    summary: "a FIN went each way",
    meaning: &[
        "Both sides closed: each sent a FIN and had it acknowledged. `closed_by` says who was first. That side \
         keeps the address and port in TIME-WAIT for 60 seconds, in a small socket of its own \
         (tcp_time_wait()).",
        "This is no failure. Whether the programs were content is for their own logs to say.",
    ],
    reasons: &[
        "the exchange was done",
        "a keep-alive or idle timeout of a server or a proxy: `closed_by` is then the side of that timeout",
        "a server that ended in an orderly way, for a restart",
    ],
    next: &[
        ("connprobe trace --events closed --port PORT", "who closes first, and after how long?"),
        ("ss -tan state time-wait", "what is still in TIME-WAIT?"),
    ],
    see_also: &["closed", "process_exit", "reset_by_peer", "tcp_timewait_socket"],
};

const RESET_BY_PEER: Text = Text {
    summary: "the peer sent a RST",
    meaning: &[
        "A RST came in and tcp_reset() ended the connection. The program gets ECONNRESET, or EPIPE when the peer \
         had sent its FIN before (CLOSE-WAIT).",
        "A RST carries no reason. If the peer runs Linux, connprobe on that host knows it (`reset_reason`).",
    ],
    reasons: &[
        "the peer closed with unread data: its kernel then sends a RST instead of a FIN",
        "we sent to a connection that the peer had closed already, for example an idle one from a pool",
        "the program of the peer closes with a linger time of 0",
        "the peer was restarted and knows nothing of the connection",
        "a firewall, NAT or load balancer dropped the connection and answers in the name of the peer",
        "the peer never accepted it, and its listener was closed",
    ],
    next: &[
        ("connprobe trace --failures --local-port PORT", "on the peer: its cause and `reset_reason`"),
        ("connprobe trace --events reset,closed --addr ADDRESS", "here: in which state, and after how long?"),
        (
            "tcpdump -ni any 'tcp[tcpflags] & tcp-rst != 0' and host ADDRESS",
            "is the TTL of the RST that of the peer?",
        ),
        ("nstat -az TcpEstabResets", "how many connections of this host end like that?"),
    ],
    see_also: &["ECONNRESET", "EPIPE", "reset_unread_data", "reset_linger", "never_accepted"],
};

const RESET_UNREAD_DATA: Text = Text {
    summary: "closed here with unread data, so the kernel sent a RST",
    meaning: &[
        "The program closed while data that had arrived was still in the socket. __tcp_close() then sends a RST \
         instead of a FIN, to tell the peer that not everything was taken. `unread_bytes` says how much it was.",
        "The peer sees ECONNRESET, and data that we had sent but the peer had not read may be lost with it.",
    ],
    reasons: &[
        "a server answers an error and closes without reading the rest of the request",
        "the program stopped reading after an error of its own, or crashed",
        "the peer sent more than the program expected, such as a trailing newline or a TLS close message",
        "a health check that opens, gets a greeting and closes",
    ],
    next: &[
        ("connprobe trace --failures -o json --comm NAME", "`unread_bytes` and the peers"),
        ("nstat -az TcpExtTCPAbortOnClose", "how often does this host do it?"),
        (
            "strace -f -e trace=read,recvfrom,recvmsg,close,shutdown -p PID",
            "where does the program stop reading?",
        ),
    ],
    see_also: &["tcp_abort_on_close", "reset_by_peer", "reset_linger", "ECONNRESET"],
};

const RESET_LINGER: Text = Text {
    summary: "closed here with a linger time of 0, or disconnected: a RST instead of a FIN",
    meaning: &[
        "The program asked for it: close() with SO_LINGER at 0 goes to tcp_disconnect(), which sends a RST and \
         throws away what was not sent yet. connect() with AF_UNSPEC does the same. There is no TIME-WAIT \
         afterwards.",
        "It is also the word for a RST of ours without any better explanation, on kernels that give no reason.",
    ],
    reasons: &[
        "the program wants to avoid TIME-WAIT, as load generators and some proxies do",
        "a load balancer or health check that probes the port and resets",
        "a library that drops a connection after an error",
        "a FIN-WAIT-2 time below zero (TCP_LINGER2)",
    ],
    next: &[
        ("connprobe trace --failures --comm NAME", "each of them, with the reason in brackets"),
        (
            "nstat -az TcpExtTCPAbortOnData TcpExtTCPAbortOnLinger",
            "the kernel counts linger 0 in the first of these",
        ),
        ("strace -f -e trace=setsockopt,close,connect -p PID", "does the program set SO_LINGER?"),
    ],
    see_also: &["tcp_state", "tcp_disconnect_with_data", "tcp_abort_on_linger", "reset_unread_data"],
};

const RESET_BY_KERNEL: Text = Text {
    summary: "this kernel sent a RST for another reason",
    meaning: &[
        "The RST was ours, and neither unread data nor a linger time explains it. `reset_reason` has the word of \
         the kernel (6.10 and later): explain that one.",
    ],
    reasons: &[
        "data arrived after the program had closed (`tcp_abort_on_data`)",
        "memory for sockets ran out (`tcp_abort_on_memory`)",
        "the peer sent what does not fit to the connection",
        "Multipath TCP gave up a subflow",
    ],
    next: &[
        ("connprobe trace --events reset,closed -o json --port PORT", "`reset_reason` of each"),
        ("nstat -az TcpOutRsts TcpExtTCPAbortOnData TcpExtTCPAbortOnMemory", "what does the kernel count?"),
        ("ss -s", "how many orphaned sockets are there?"),
    ],
    see_also: &["tcp_abort_on_data", "tcp_abort_on_memory", "reset", "reset_linger"],
};

const KEEPALIVE_TIMEOUT: Text = Text {
    summary: "the peer did not answer keepalive probes",
    meaning: &[
        "The connection was idle and SO_KEEPALIVE is set. tcp_keepalive_timer() sent its probes, none was \
         answered; it sends a RST that will hardly arrive and sets ETIMEDOUT.",
        "With the defaults the first probe goes out after two hours, and nine of them are sent, 75 seconds \
         apart. Programs often set shorter times for a socket.",
    ],
    reasons: &[
        "the peer is gone without a word: power cut, crash, network cable",
        "a NAT, firewall or load balancer forgot the idle connection and drops the probes",
        "a laptop or phone slept or changed its network",
        "the route to the peer was lost",
    ],
    next: &[
        ("ss -tno dst ADDRESS", "the keepalive timers of the connections that are left"),
        (
            "sysctl net.ipv4.tcp_keepalive_time net.ipv4.tcp_keepalive_intvl net.ipv4.tcp_keepalive_probes",
            "the times for programs that set none; a NAT on the way may forget sooner",
        ),
        ("nstat -az TcpExtTCPKeepAlive TcpExtTCPAbortOnTimeout", "how many probes and losses are there?"),
        ("connprobe trace --failures --addr ADDRESS", "who else loses this peer?"),
    ],
    see_also: &["tcp_keepalive_timeout", "ETIMEDOUT", "timed_out", "user_timeout", "outage"],
};

const USER_TIMEOUT: Text = Text {
    summary: "TCP_USER_TIMEOUT ran out",
    meaning: &[
        "The program limited with TCP_USER_TIMEOUT how long sent data may stay unacknowledged. \
         tcp_write_timeout() uses it in place of net.ipv4.tcp_retries2.",
        "tcp_keepalive_timer() asks it too, instead of net.ipv4.tcp_keepalive_probes: then a RST goes out with the \
         reason `tcp_keepalive_timeout`.",
        "The program sees an ordinary timeout: ETIMEDOUT, or the last ICMP error. connprobe tells it by the option: \
         where it is set the kernel looks at no other limit, but for a peer whose window stays closed. A SYN without \
         an answer stays `timed_out`.",
    ],
    reasons: &[
        "the path to the peer was cut for longer than the program wants to wait",
        "the peer does not read and its window stays closed",
        "the time is set too short for a slow path",
    ],
    next: &[
        ("ss -tnoi dst ADDRESS", "timers, retransmissions and unacknowledged data"),
        ("connprobe trace --events closed,retransmit --addr ADDRESS", "what is sent again before the end?"),
        ("strace -f -e trace=setsockopt -p PID", "which TCP_USER_TIMEOUT does the program set?"),
    ],
    see_also: &["timed_out", "unreachable", "keepalive_timeout", "ETIMEDOUT"],
};

const NEVER_ACCEPTED: Text = Text {
    summary: "the listener was closed before anybody accepted the connection",
    meaning: &[
        "The handshake was done by the kernel and the connection waited in the accept queue. Then the listener \
         was closed: inet_csk_listen_stop() disconnects what is left in the queue, and the peer gets a RST.",
        "The client thinks that it was connected; it sees ECONNRESET and may have sent a request already.",
    ],
    reasons: &[
        "the server was restarted or ended while clients were waiting",
        "the server is too slow or hangs in front of accept(), and was then killed",
        "it has no file descriptors left, so accept() fails with EMFILE",
        "several listeners share the port (SO_REUSEPORT) and one of them was closed",
    ],
    next: &[
        ("ss -tln 'sport = :PORT'", "Recv-Q is the accept queue now, Send-Q its limit"),
        ("connprobe trace --role server --local-port PORT", "how long do connections wait for accept()?"),
        ("nstat -az TcpExtListenOverflows TcpExtListenDrops", "was the queue full as well?"),
        (
            "sysctl net.ipv4.tcp_migrate_req",
            "1 hands them to another listener of the same port (SO_REUSEPORT)",
        ),
        ("prlimit --nofile --pid PID", "how many descriptors may the server have?"),
    ],
    see_also: &["listen_overflow", "accept", "ECONNRESET", "EMFILE", "tcp_state"],
};

const OTHER: Text = Text {
    summary: "none of the known causes",
    meaning: &[
        "What connprobe saw does not fit to any rule. The fields `error`, `state`, `prev_state` and \
         `reset_reason` of the record have the facts, as far as there are any.",
        "A lifetime without an error, a FIN or a RST is one of these: the kernel gave the socket up silently, or \
         the RST was lost on the way to connprobe. `incomplete` tells the second.",
    ],
    reasons: &[
        "an errno that is rare for TCP; explain that one",
        "the kernel was out of memory for sockets",
        "events were lost, see the `lost` records",
    ],
    next: &[
        ("connprobe trace --failures -o json", "all fields of the record"),
        ("connprobe doctor", "which hooks are missing on this host?"),
        ("connprobe trace --events lost", "is anything lost?"),
    ],
    see_also: &["lost", "reset_by_kernel", "tcp_abort_on_memory"],
};
