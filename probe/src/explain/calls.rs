//! Errnos of single calls on TCP sockets: they leave the connection as it is, or there is none yet.

use super::Text;

/// By name.
pub(super) const TABLE: &[(&str, Text)] = &[
    (
        "EADDRINUSE",
        Text {
            summary: "another socket has that local address and port",
            meaning: &[
                "From bind() and listen(): inet_csk_get_port() found a conflict. bind() to port 0 says it when no port \
                 is left.",
                "connect() rarely says it: for a port that the program bound itself it mostly says EADDRNOTAVAIL.",
            ],
            reasons: &[
                "the server runs already, or its predecessor has not ended yet",
                "connections of the old server are in TIME-WAIT and the program does not set SO_REUSEADDR",
                "an outgoing connection happened to get that port",
                "another program listens on 0.0.0.0 or [::] with the same port",
            ],
            next: &[
                ("ss -tlnp 'sport = :PORT'", "who listens there?"),
                ("ss -tanp 'sport = :PORT'", "who else has the port?"),
                ("sysctl net.ipv4.ip_local_reserved_ports", "keep the port out of outgoing connections"),
            ],
            see_also: &["address_in_use", "EADDRNOTAVAIL", "no_port"],
        },
    ),
    (
        "EINVAL",
        Text {
            summary: "the arguments do not fit",
            meaning: &[
                "From connect(): the address is too short, an IPv6 link-local address lacks its interface, or a \
                 `blackhole` route leads to the peer. From bind(): the socket has an address already. From accept(): \
                 the socket does not listen, or does not any more.",
            ],
            reasons: &[
                "a bug in the program, or a listener that another thread has shut down",
                "a `blackhole` route",
                "fe80:: without `%eth0`",
            ],
            next: &[
                ("strace -f -e trace=%network -p PID", "which call, with which arguments?"),
                ("ip route get ADDRESS", "a `blackhole` route answers with `Invalid argument`"),
            ],
            see_also: &["invalid", "EAFNOSUPPORT"],
        },
    ),
    (
        "EAFNOSUPPORT",
        Text {
            summary: "the address family does not fit",
            meaning: &[
                "From connect(): the address is of another family than the socket (tcp_v4_connect(), \
                 tcp_v6_connect()). From socket(): the kernel has no such family, for example no IPv6, or the sandbox \
                 of the program does not allow it.",
            ],
            reasons: &[
                "IPv6 was switched off with ipv6.disable=1",
                "RestrictAddressFamilies= of the systemd unit",
                "a bug in the program",
            ],
            next: &[
                ("cat /proc/cmdline", "is there an `ipv6.disable=1`?"),
                ("systemctl show -p RestrictAddressFamilies UNIT", "which families may the unit use?"),
                ("strace -f -e trace=socket,connect -p PID", "what does the program ask for?"),
            ],
            see_also: &["invalid", "EINVAL", "EADDRNOTAVAIL"],
        },
    ),
    (
        "EISCONN",
        Text {
            summary: "the socket is connected already",
            meaning: &[
                "connect() was called again on a socket that has its connection. After a non-blocking connect() some \
                 programs ask like this whether it is done. It is no attempt and gives no record.",
            ],
            reasons: &["a program that polls with connect(): harmless", "a bug in the program"],
            next: &[("strace -f -e trace=connect -p PID", "who calls it again?")],
            see_also: &["EALREADY", "EINPROGRESS"],
        },
    ),
    (
        "EALREADY",
        Text {
            summary: "an attempt is under way already",
            meaning: &[
                "connect() was called again on a non-blocking socket before its first attempt had an answer. It is no \
                 new attempt and gives no record.",
            ],
            reasons: &["a program that polls with connect(): harmless", "two threads use one socket"],
            next: &[
                ("ss -tan state syn-sent", "which attempts are under way?"),
                ("strace -f -e trace=connect -p PID", "who calls it again?"),
            ],
            see_also: &["EINPROGRESS", "EISCONN"],
        },
    ),
    (
        "ENOTCONN",
        Text {
            summary: "the socket is not connected",
            meaning: &[
                "From recv(), shutdown() and getpeername() on a socket that was never connected or whose connection \
                 has ended. send() says EPIPE in that case.",
            ],
            reasons: &[
                "the peer reset the connection before the program asked for its address",
                "shutdown() after the connection was gone: mostly harmless",
                "a bug in the program",
            ],
            next: &[
                ("connprobe trace --events closed,failed --pid PID", "how did the connection end before?"),
                ("strace -f -e trace=%network -p PID", "which call gets it?"),
            ],
            see_also: &["EPIPE", "ECONNRESET"],
        },
    ),
    (
        "EAGAIN",
        Text {
            summary: "not now (the same number as EWOULDBLOCK)",
            meaning: &[
                "A non-blocking call would have to wait: nothing to read, no room to write, nobody to accept. With \
                 SO_RCVTIMEO or SO_SNDTIMEO a blocking read or write says it when the time is over.",
                "The connection is as it was.",
            ],
            reasons: &[
                "normal for non-blocking sockets",
                "a read timeout of the program: the peer is slow to answer",
                "the peer does not read, so that the send buffer stays full",
            ],
            next: &[
                ("ss -tnoi dst ADDRESS", "Recv-Q, Send-Q and timers"),
                ("strace -f -e trace=%network,read,write -p PID", "which call?"),
            ],
            see_also: &["EINPROGRESS", "ETIMEDOUT", "EINTR"],
        },
    ),
    (
        "EINTR",
        Text {
            summary: "a signal interrupted the call",
            meaning: &[
                "A signal came while connect(), accept(), recv() or send() was waiting. After connect() the attempt \
                 goes on without the program: it has to wait until the socket is writable and ask for SO_ERROR.",
            ],
            reasons: &[
                "a signal handler without SA_RESTART",
                "a timeout on the socket together with any signal",
            ],
            next: &[("strace -f -e trace=%network,%signal -p PID", "which signal, in which call?")],
            see_also: &["EALREADY", "EINPROGRESS", "EAGAIN"],
        },
    ),
    (
        "EMFILE",
        Text {
            summary: "the process has no file descriptors left",
            meaning: &[
                "From socket() and accept(): the limit of the process (RLIMIT_NOFILE) is reached. Connections go on \
                 arriving and wait in the accept queue until that is full, too.",
            ],
            reasons: &[
                "the program leaks sockets: look for many in CLOSE-WAIT",
                "the limit is too low for the load",
            ],
            next: &[
                ("prlimit --nofile --pid PID", "the limit"),
                ("ls /proc/PID/fd | wc -l", "how many are open?"),
                (
                    "connprobe ls --pid PID --state close-wait",
                    "sockets that the peer closed and the program did not",
                ),
                ("ss -tln 'sport = :PORT'", "Recv-Q of the listener is the accept queue"),
            ],
            see_also: &["ENFILE", "listen_overflow", "never_accepted", "accept"],
        },
    ),
    (
        "ENFILE",
        Text {
            summary: "the system has no open files left",
            meaning: &["From socket() and accept(): the limit of the whole host (fs.file-max) is reached."],
            reasons: &[
                "a program leaks descriptors, and its own limit is very high",
                "fs.file-max was made small",
            ],
            next: &[
                ("cat /proc/sys/fs/file-nr", "in use, unused, limit"),
                ("ss -s", "how many sockets are there?"),
            ],
            see_also: &["EMFILE", "ENOMEM"],
        },
    ),
    (
        "ENOMEM",
        Text {
            summary: "out of memory",
            meaning: &[
                "The kernel could not get memory for the call, for example for a key, a filter or a buffer of the \
                 socket. Often it is the limit of the cgroup, not of the host.",
            ],
            reasons: &["the memory limit of the container or unit", "the host is out of memory"],
            next: &[
                ("journalctl -k --grep 'Out of memory|oom'", "did the kernel kill something?"),
                ("cat /proc/net/sockstat", "how much memory do sockets use, in pages?"),
            ],
            see_also: &["ENOBUFS", "tcp_abort_on_memory"],
        },
    ),
    (
        "EOPNOTSUPP",
        Text {
            summary: "this socket cannot do that",
            meaning: &[
                "For TCP mostly: sendto() with MSG_FASTOPEN while net.ipv4.tcp_fastopen does not allow it for clients, \
                 or listen() and accept() on a socket of another kind. ENOTSUP is the same number.",
                "An ICMP `source route failed` has this errno as well.",
            ],
            reasons: &["TCP Fast Open is switched off", "a bug in the program"],
            next: &[
                ("sysctl net.ipv4.tcp_fastopen", "1 in the sum: allowed for clients"),
                ("strace -f -e trace=%network -p PID", "which call?"),
            ],
            see_also: &["ENOPROTOOPT", "EINVAL"],
        },
    ),
    (
        "EBADF",
        Text {
            summary: "no such file descriptor",
            meaning: &[
                "The number is not open in this process. It says nothing of the network: the program closed the \
                 socket, perhaps in another thread.",
            ],
            reasons: &["a socket is used after close()", "two threads close the same number"],
            next: &[("strace -f -e trace=%network,close -p PID", "who closed it before?")],
            see_also: &["ENOTSOCK", "ENOTCONN"],
        },
    ),
    (
        "ENOTSOCK",
        Text {
            summary: "the file descriptor is no socket",
            meaning: &["The number is open, but it is a file, a pipe or something else that is no socket."],
            reasons: &[
                "the socket was closed, and the number was given to a file meanwhile",
                "a service expects a socket from systemd and was started without it",
            ],
            next: &[
                ("ls -l /proc/PID/fd", "what are the numbers?"),
                ("strace -f -e trace=%network,close,openat -p PID", "where does the number come from?"),
            ],
            see_also: &["EBADF"],
        },
    ),
    (
        "ENODEV",
        Text {
            summary: "no such interface",
            meaning: &[
                "From setsockopt() with SO_BINDTODEVICE, and from bind() with an IPv6 scope: the interface is not \
                 there, or not in this network namespace.",
            ],
            reasons: &[
                "the interface has another name, or comes up later",
                "the program runs in another namespace",
            ],
            next: &[
                ("ip -br link", "which interfaces are there?"),
                ("nsenter -n -t PID ip -br link", "and which does the program see?"),
            ],
            see_also: &["EADDRNOTAVAIL", "ENETDOWN"],
        },
    ),
    (
        "ECANCELED",
        Text {
            summary: "a request through io_uring was cancelled",
            meaning: &[
                "Not from TCP itself: io_uring completes a connect, accept, send or receive with it when the program \
                 cancels the request, when a linked timeout is over, or when an earlier request of a chain failed.",
            ],
            reasons: &["a timeout of the program", "the program ends its ring"],
            next: &[(
                "connprobe trace --failures --pid PID",
                "an attempt that is cancelled and closed is `abandoned`",
            )],
            see_also: &["abandoned", "process_exit"],
        },
    ),
    (
        "EFAULT",
        Text {
            summary: "an address in memory is not readable",
            meaning: &[
                "The program gave the kernel a pointer that is not its own. It says nothing of the network.",
            ],
            reasons: &["a bug in the program or its library"],
            next: &[("strace -f -e trace=%network -p PID", "which call, with which arguments?")],
            see_also: &["EINVAL"],
        },
    ),
];
