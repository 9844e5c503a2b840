//! Reset reasons of Multipath TCP: the codes of the MP_TCPRST option, RFC 8684, section 3.6.

use crate::explain::Text;

/// By name, in the order of the codes.
pub(super) const TABLE: &[(&str, Text)] = &[
    (
        "mptcp_rst_eunspec",
        Text {
            summary: "Multipath TCP: a subflow was reset, no reason given",
            meaning: &[
                "A RST with the MP_TCPRST option and code 0 of RFC 8684: the subflow is gone. It is what the kernel \
                 uses when it has nothing more exact. Other subflows of the connection may go on.",
            ],
            reasons: &[
                "the Multipath TCP connection above the subflow is closed or timed out",
                "the kernel gives the subflow up, and nothing more exact is known",
            ],
            next: &[
                ("ss -Mni", "Multipath TCP connections and their subflows"),
                (
                    "nstat -az MPTcpExtMPRstTx MPTcpExtRmSubflow",
                    "how many resets, and how many subflows are removed?",
                ),
                ("ip mptcp monitor", "subflows as they come and go"),
            ],
            see_also: &["mptcp_rst_emptcp", "reset_by_kernel"],
        },
    ),
    (
        "mptcp_rst_emptcp",
        Text {
            summary: "Multipath TCP: the options made no sense",
            meaning: &[
                "Code 1 of RFC 8684: an error in the Multipath TCP options. A subflow that joins cannot fall back \
                 to plain TCP, so the kernel resets it.",
            ],
            reasons: &[
                "a join with a token that this host does not know: a load balancer sent it to another server",
                "a middlebox removed or changed the options of a subflow",
                "the data of a subflow does not match its mapping",
            ],
            next: &[
                (
                    "nstat -az MPTcpExtMPJoinNoTokenFound MPTcpExtMPJoinAckHMacFailure MPTcpExtDSSCorruptionReset",
                    "which of these?",
                ),
                ("ss -Mni", "Multipath TCP connections and their subflows"),
            ],
            see_also: &["mptcp_rst_emiddlebox", "mptcp_rst_eprohibit", "mptcp_rst_eunspec"],
        },
    ),
    (
        "mptcp_rst_eresource",
        Text {
            summary: "Multipath TCP: not enough resources for the subflow",
            meaning: &[
                "Code 2 of RFC 8684: the sender of the RST has not the means to support this subflow.",
            ],
            reasons: &["memory is short", "more subflows than the host wants to serve"],
            next: &[
                ("ip mptcp limits show", "how many subflows are allowed?"),
                ("ss -s", "how many sockets are there?"),
            ],
            see_also: &["mptcp_rst_eprohibit", "mptcp_rst_eunspec"],
        },
    ),
    (
        "mptcp_rst_eprohibit",
        Text {
            summary: "Multipath TCP: the subflow is not allowed",
            meaning: &[
                "Code 3 of RFC 8684: a policy of this host forbids the subflow. Linux says it for a join to a \
                 connection that takes no more subflows (mptcp_can_accept_new_subflow()).",
            ],
            reasons: &[
                "the limit of subflows is reached",
                "the connection is closing or has fallen back to plain TCP",
            ],
            next: &[
                ("ip mptcp limits show", "how many subflows are allowed?"),
                ("ip mptcp endpoint show", "which addresses may be used?"),
                (
                    "nstat -az MPTcpExtMPJoinSynRx MPTcpExtMPJoinAckRx",
                    "how many joins come, and how many succeed?",
                ),
            ],
            see_also: &["mptcp_rst_eresource", "mptcp_rst_emptcp"],
        },
    ),
    (
        "mptcp_rst_ewq2big",
        Text {
            summary: "Multipath TCP: too much waits on this subflow",
            meaning: &[
                "Code 4 of RFC 8684: data that other subflows have delivered already is still queued here. It is \
                 cheaper to reset the subflow and start again than to send all of that.",
            ],
            reasons: &["a path was interrupted for a while", "a path that is much slower than the others"],
            next: &[
                ("ss -Mni", "Multipath TCP connections and their subflows"),
                ("nstat -az MPTcpExtMPTCPRetrans MPTcpExtSubflowStale", "are paths given up as stale?"),
            ],
            see_also: &["mptcp_rst_ebadperf", "mptcp_rst_eunspec"],
        },
    ),
    (
        "mptcp_rst_ebadperf",
        Text {
            summary: "Multipath TCP: the subflow is too slow",
            meaning: &["Code 5 of RFC 8684: compared with the other subflows this one performs too badly."],
            reasons: &["a lossy or slow path, such as a weak radio link"],
            next: &[
                ("ss -tni dst ADDRESS", "round-trip time and retransmissions of the subflows"),
                ("ip mptcp endpoint show", "should that address be a backup only?"),
            ],
            see_also: &["mptcp_rst_ewq2big", "mptcp_rst_eunspec"],
        },
    ),
    (
        "mptcp_rst_emiddlebox",
        Text {
            summary: "Multipath TCP: something on the way changes the data",
            meaning: &[
                "Code 6 of RFC 8684: a checksum or the signalling does not fit, so a middlebox interferes. \
                 subflow_check_data_avail() resets a subflow whose checksum is wrong when it cannot fall back to \
                 plain TCP.",
            ],
            reasons: &["a proxy, NAT or application gateway rewrites payload or options on one path"],
            next: &[
                ("nstat -az MPTcpExtDataCsumErr MPTcpExtMPFailTx", "are checksums wrong?"),
                ("sysctl net.mptcp.checksum_enabled", "does this host use checksums?"),
            ],
            see_also: &["mptcp_rst_emptcp", "mptcp_rst_eunspec"],
        },
    ),
];
