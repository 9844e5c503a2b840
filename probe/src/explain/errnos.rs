//! Errnos that tell of an attempt or a connection: what the network, the peer or the kernel's timers said. Those of
//! calls that leave the connection as it is are in `calls`.

use super::Text;

/// By name.
pub(super) const TABLE: &[(&str, Text)] = &[
    (
        "ECONNREFUSED",
        Text {
            summary: "nothing takes connections at that address and port",
            meaning: &[
                "tcp_reset() sets it when a RST answers the SYN (SYN-SENT); connect() returns it, or SO_ERROR for a \
                 non-blocking socket. An ICMP `port unreachable` gives the same errno (tcp_v4_err(), tcp_v6_err()).",
                "The cause says which of the two it was: `refused` or `refused_icmp`.",
            ],
            reasons: &[
                "no program listens on that port at the peer, or only on another address",
                "the wrong port or address, for example an old DNS entry",
                "a firewall rejects instead of dropping",
            ],
            next: &[
                ("connprobe trace --failures --remote-port PORT", "who is refused, and is it a RST or ICMP?"),
                ("ss -tlnp 'sport = :PORT'", "on the peer: does a program listen, and on which address?"),
                ("getent ahosts NAME", "which addresses does the name of the peer have?"),
                ("nft list ruleset", "on both ends: is there a rule with `reject`?"),
            ],
            see_also: &["refused", "refused_icmp", "refused_inbound", "ECONNRESET"],
        },
    ),
    (
        "ETIMEDOUT",
        Text {
            summary: "the peer did not answer for too long",
            meaning: &[
                "tcp_write_err() sets it when the kernel has used up its retransmissions: of the SYN \
                 (net.ipv4.tcp_syn_retries) or of data (net.ipv4.tcp_retries2). Unanswered keepalive probes and \
                 TCP_USER_TIMEOUT end there, too.",
                "When an ICMP error was noted meanwhile (`sk_err_soft`), the program gets that one instead.",
            ],
            reasons: &[
                "packets are dropped: by a firewall, on a broken path, by a peer that is down",
                "a server whose accept queue is full drops SYNs silently",
                "an idle connection was forgotten by a NAT or firewall on the way",
            ],
            next: &[
                (
                    "connprobe trace --failures --remote-port PORT",
                    "`timed_out` or `keepalive_timeout`, and how many repeats?",
                ),
                ("tcpdump -ni any host ADDRESS and tcp port PORT", "does anything come back?"),
                ("tracepath -n ADDRESS", "where does the way end?"),
                ("sysctl net.ipv4.tcp_syn_retries net.ipv4.tcp_retries2", "how long does this host wait?"),
            ],
            see_also: &["timed_out", "keepalive_timeout", "user_timeout", "EHOSTUNREACH", "abandoned"],
        },
    ),
    (
        "ECONNRESET",
        Text {
            summary: "the connection was reset",
            meaning: &[
                "A RST ended a connection that was open: tcp_reset() sets ECONNRESET in every state but SYN-SENT \
                 (ECONNREFUSED) and CLOSE-WAIT (EPIPE). The program gets it once from its next call; later calls \
                 say EPIPE for writing and end of file for reading.",
                "tcp_disconnect() leaves it in a socket of our own that was closed with a linger time of 0, and new \
                 data after close() gives it as well: not every ECONNRESET is a RST of the peer. `reset_by` tells.",
            ],
            reasons: &[
                "the peer closed with unread data, or with a linger time of 0",
                "we used an idle connection that the peer or a device on the way had given up",
                "the peer was restarted",
                "the server closed its listener before it accepted us",
            ],
            next: &[
                ("connprobe trace --failures --port PORT", "who sent the RST, and in which state?"),
                ("connprobe trace --failures --local-port PORT", "on the peer: why did it send it?"),
                ("nstat -az TcpEstabResets TcpOutRsts", "how many are received and sent?"),
            ],
            see_also: &["reset_by_peer", "reset_unread_data", "reset_linger", "EPIPE", "never_accepted"],
        },
    ),
    (
        "EPIPE",
        Text {
            summary: "writing to a connection that takes nothing any more",
            meaning: &[
                "The writing side is closed: by shutdown(), because the connection ended, or because it never was. \
                 sk_stream_error() returns it and sends SIGPIPE, unless the program uses MSG_NOSIGNAL.",
                "A RST in CLOSE-WAIT sets EPIPE in tcp_reset(): the peer had closed, we went on writing, and its RST \
                 came back. connprobe calls that `reset_by_peer`.",
            ],
            reasons: &[
                "the peer closed, and the program wrote a second time without reading the end of file",
                "a browser or client went away while the server was answering",
                "an earlier ECONNRESET was not noticed",
                "send() on a socket that is not connected: TCP says EPIPE there, not ENOTCONN",
            ],
            next: &[
                ("connprobe trace --events closed --port PORT", "who closed first, and how?"),
                ("ss -tan state close-wait", "connections whose peer has closed and whose program has not"),
                ("strace -f -e trace=write,sendto,sendmsg,shutdown -p PID", "which write gets it?"),
            ],
            see_also: &["reset_by_peer", "ECONNRESET", "ENOTCONN"],
        },
    ),
    (
        "EHOSTUNREACH",
        Text {
            summary: "a host cannot be reached, somebody on the way says",
            meaning: &[
                "It comes from an ICMP message (host unreachable, filtered, time exceeded; tcp_v4_err() and \
                 icmp_err_convert), from a neighbour that does not answer ARP or neighbour discovery, or at once \
                 from a route of the type `unreachable`.",
                "During an established connection, and since 6.10 during an attempt as well, the kernel notes a \
                 mere host unreachable and goes on trying; the program gets it when the time is over or when it \
                 asks for SO_ERROR.",
            ],
            reasons: &[
                "the peer is off or has another address (after about three seconds, in the local network)",
                "a router or firewall on the way answers with ICMP",
                "an `unreachable` route on this host (at once)",
            ],
            next: &[
                ("ip neigh show ADDRESS", "FAILED or INCOMPLETE: nobody answers for that address"),
                ("ip route get ADDRESS", "is it the routing table of this host?"),
                ("tcpdump -ni any 'icmp or icmp6'", "who sends the ICMP message, with which code?"),
                (
                    "connprobe trace --failures --addr ADDRESS",
                    "`no_route` is at once, `unreachable` comes from outside",
                ),
            ],
            see_also: &["unreachable", "no_route", "ENETUNREACH", "EHOSTDOWN", "ETIMEDOUT"],
        },
    ),
    (
        "ENETUNREACH",
        Text {
            summary: "there is no way to that network",
            meaning: &[
                "Mostly from connect() at once: fib_lookup() finds no route (`no_route`). From outside it is an ICMP \
                 `net unreachable` or `net prohibited` (`unreachable`).",
                "For TCP a broadcast or multicast address gives it, too.",
            ],
            reasons: &[
                "an IPv6 address on a host without IPv6 connectivity: often harmless, IPv4 follows",
                "no default route: the interface is down, or the network is not set up yet",
                "a VPN or tunnel went down; open connections then end with it",
            ],
            next: &[
                ("ip route get ADDRESS", "does this host know a way?"),
                ("ip route show default", "is there a default route?"),
                ("ip -6 route show default", "the same for IPv6"),
                ("ip -br address", "which addresses do the interfaces have?"),
            ],
            see_also: &["no_route", "unreachable", "EHOSTUNREACH", "ENETDOWN"],
        },
    ),
    (
        "ENETDOWN",
        Text {
            summary: "the interface is down",
            meaning: &[
                "Rare for TCP: a missing interface mostly shows as ENETUNREACH or as a timeout, because the routes go \
                 away with it. connprobe takes it as `no_route` from connect() and as `unreachable` later.",
            ],
            reasons: &["an interface or tunnel was taken down"],
            next: &[
                ("ip -br link", "which interfaces are down?"),
                ("ip route get ADDRESS", "which interface would be used?"),
                ("ip monitor link", "changes as they happen"),
            ],
            see_also: &["ENETUNREACH", "no_route", "unreachable"],
        },
    ),
    (
        "EHOSTDOWN",
        Text {
            summary: "a router says that it does not know the host",
            meaning: &[
                "The errno of an ICMP `host unknown` (icmp_err_convert). Hardly any router sends that today; a host \
                 that does not answer ARP gives EHOSTUNREACH.",
            ],
            reasons: &["an old or unusual router on the way"],
            next: &[
                ("tcpdump -ni any 'icmp or icmp6'", "who sends the message?"),
                ("tracepath -n ADDRESS", "where does the way end?"),
            ],
            see_also: &["EHOSTUNREACH", "unreachable"],
        },
    ),
    (
        "ENONET",
        Text {
            summary: "a router says that the host is isolated",
            meaning: &[
                "The errno of an ICMP `source host isolated` (icmp_err_convert), which is long out of use.",
            ],
            reasons: &["an old or unusual router on the way", "forged ICMP"],
            next: &[("tcpdump -ni any 'icmp or icmp6'", "who sends the message?")],
            see_also: &["EHOSTUNREACH", "EHOSTDOWN"],
        },
    ),
    (
        "EPROTO",
        Text {
            summary: "a protocol error",
            meaning: &[
                "For TCP it is the errno of an ICMP `parameter problem` (tcp_v4_err(), icmpv6_err_convert()): a router \
                 or the peer could not read a header of ours.",
            ],
            reasons: &[
                "IP options or IPv6 extension headers that a device on the way does not like",
                "a tunnel that damages packets",
            ],
            next: &[
                ("tcpdump -ni any -v 'icmp or icmp6'", "who sends the message, and what does it quote?"),
                ("nstat -az TcpInErrs TcpExtTCPMD5Failure", "are segments damaged, too?"),
            ],
            see_also: &["ENOPROTOOPT", "EHOSTUNREACH"],
        },
    ),
    (
        "ENOPROTOOPT",
        Text {
            summary: "no such option, or no such protocol at the peer",
            meaning: &[
                "From setsockopt() and getsockopt(): the kernel does not know the option. For a connection: an ICMP \
                 `protocol unreachable`, so the peer does not speak TCP at all.",
            ],
            reasons: &[
                "a program that is newer than the kernel, or a part that was not built in",
                "a filter that answers with `protocol unreachable`",
            ],
            next: &[
                ("strace -f -e trace=setsockopt,getsockopt -p PID", "which option?"),
                ("tcpdump -ni any 'icmp or icmp6'", "or is it an ICMP message?"),
            ],
            see_also: &["EPROTO", "EOPNOTSUPP", "ECONNREFUSED"],
        },
    ),
    (
        "EMSGSIZE",
        Text {
            summary: "too large",
            meaning: &[
                "It is the errno of an ICMP `fragmentation needed`, but TCP does not hand it on: it makes its segments \
                 smaller instead (tcp_v4_mtu_reduced()). A program gets it when it gives sendmsg() more pieces than \
                 the kernel takes (1024).",
                "When that ICMP message is filtered on the way, a connection hangs and ends as `timed_out`.",
            ],
            reasons: &["a bug in the program"],
            next: &[
                ("tracepath -n ADDRESS", "the path MTU"),
                ("ip route get ADDRESS", "does the kernel have a smaller `mtu` for this peer?"),
                ("sysctl net.ipv4.tcp_mtu_probing", "1 finds such paths by itself"),
            ],
            see_also: &["timed_out", "retransmit"],
        },
    ),
    (
        "ECONNABORTED",
        Text {
            summary: "the connection was aborted on this host",
            meaning: &[
                "tcp_abort() sets it: somebody on this host destroyed the socket over netlink (SOCK_DESTROY) or with \
                 a BPF program. connprobe calls that `aborted`.",
                "Libraries and other systems use this word for other things, such as a connection that is reset \
                 before accept().",
            ],
            reasons: &["`ss -K`", "a network manager or VPN client", "a container network with BPF"],
            next: &[
                ("connprobe trace --failures -o json --port PORT", "`closer_pid` and `closer_comm`"),
                ("journalctl --since '-10 min'", "what else happened on this host?"),
            ],
            see_also: &["aborted", "ECONNRESET", "tcp_state"],
        },
    ),
    (
        "EADDRNOTAVAIL",
        Text {
            summary: "no usable local address or port",
            meaning: &[
                "From connect(): __inet_hash_connect() found no free local port towards this peer, or the port that \
                 the program bound is in use towards it. From bind(): the address does not belong to this host.",
                "For IPv6, connect() also says it when no source address fits.",
            ],
            reasons: &[
                "very many short connections to one server have used up the ports",
                "bind() to an address of another host, or one that is not up yet at boot",
                "connect() to localhost as ::1 where IPv6 is switched off",
            ],
            next: &[
                ("ss -tan dst ADDRESS", "how many sockets towards this peer, and in which states?"),
                ("sysctl net.ipv4.ip_local_port_range net.ipv4.tcp_tw_reuse", "how many ports are there?"),
                ("ip -br address", "does the local address exist?"),
                ("sysctl net.ipv4.ip_nonlocal_bind", "1 lets programs bind before the address is up"),
            ],
            see_also: &["no_port", "EADDRINUSE", "no_route"],
        },
    ),
    (
        "EACCES",
        Text {
            summary: "a policy forbids it",
            meaning: &[
                "From connect(): a route of the type `prohibit`, or a security module such as SELinux or Landlock. \
                 From bind(): a port below net.ipv4.ip_unprivileged_port_start without CAP_NET_BIND_SERVICE.",
                "From outside: an ICMPv6 `administratively prohibited` (icmpv6_err_convert()).",
            ],
            reasons: &[
                "an unprivileged program wants a port below 1024",
                "a security module denies it",
                "a `prohibit` route",
                "an IPv6 firewall that rejects",
            ],
            next: &[
                ("ausearch -m avc -ts recent", "what did SELinux or AppArmor forbid?"),
                ("ip route get ADDRESS", "a `prohibit` route answers with `Permission denied`"),
                ("sysctl net.ipv4.ip_unprivileged_port_start", "from which port on is bind() free?"),
                ("getpcaps PID", "has the program CAP_NET_BIND_SERVICE?"),
            ],
            see_also: &["denied", "EPERM"],
        },
    ),
    (
        "EPERM",
        Text {
            summary: "not permitted",
            meaning: &[
                "connect() gives it when a BPF program of the cgroup says no (BPF_CGROUP_INET4_CONNECT and its \
                 relatives), before a packet is sent. Options such as SO_MARK need CAP_NET_ADMIN.",
                "A SYN that a firewall rule of this host drops on its way out is not reported like this: the attempt \
                 ends as `timed_out` or `abandoned`.",
            ],
            reasons: &[
                "a container platform or systemd has a BPF program on the cgroup",
                "a seccomp filter of a sandbox",
                "a capability is missing",
            ],
            next: &[
                ("bpftool cgroup tree", "which BPF programs are on the cgroups?"),
                (
                    "systemctl show -p IPAddressDeny,RestrictAddressFamilies UNIT",
                    "what does the unit forbid?",
                ),
                ("grep Seccomp /proc/PID/status", "2: a filter is in force"),
            ],
            see_also: &["denied", "EACCES"],
        },
    ),
    (
        "ENOBUFS",
        Text {
            summary: "the kernel has no memory for it",
            meaning: &[
                "connect() says it when tcp_connect() gets no buffer for the SYN, socket() when the socket itself \
                 cannot be made. An established connection waits instead.",
            ],
            reasons: &["memory is short, on the host or in the cgroup", "net.ipv4.tcp_mem is used up"],
            next: &[
                ("cat /proc/net/sockstat", "`mem` of TCP, in pages"),
                ("sysctl net.ipv4.tcp_mem", "the limits, in pages"),
                ("nstat -az TcpExtTCPMemoryPressures TcpExtTCPAbortOnMemory", "was it short before?"),
            ],
            see_also: &["ENOMEM", "tcp_abort_on_memory"],
        },
    ),
    (
        "EINPROGRESS",
        Text {
            summary: "the attempt has started and goes on",
            meaning: &[
                "No failure: connect() on a non-blocking socket returns at once (__inet_stream_connect()). The program \
                 waits until the socket is writable and asks for SO_ERROR.",
                "A blocking connect() gives it when SO_SNDTIMEO is over. The attempt goes on until the program closes.",
            ],
            reasons: &["a non-blocking socket: normal", "SO_SNDTIMEO is shorter than the handshake"],
            next: &[
                ("ss -tan state syn-sent", "which attempts are under way?"),
                ("connprobe trace --events connect,established,failed --pid PID", "how does it end?"),
            ],
            see_also: &["EALREADY", "abandoned", "connect"],
        },
    ),
];
