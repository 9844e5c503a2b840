//! Every fault there is, and the scenarios that make it.

use std::collections::BTreeSet;

use anyhow::{Result, ensure};

use crate::{ordinary, stage};

/// What happens to attempts and connections, and the ways to make it happen; which scenarios do.
const FAULTS: &[(&str, &[&str])] = &[
    // Before ESTABLISHED.
    (
        "refused by a RST, blocking or not",
        &[
            "a_refused_blocking_connect_is_refused",
            "a_refused_non_blocking_connect_is_refused",
            "a_refused_ipv6_connect_is_refused",
        ],
    ),
    (
        "SYN unanswered",
        &[
            "unanswered_syns_time_out",
            "unanswered_ipv6_syns_time_out",
            "an_attempt_with_a_user_timeout_times_out",
        ],
    ),
    ("SYN dropped by the own netfilter OUTPUT", &["syns_the_own_filter_drops_time_out"]),
    (
        "ICMP error to a blocking attempt, each kind of nftables reject",
        &[
            "the_router_rejects_in_every_way",
            "the_router_rejects_ipv6_in_every_way",
            "the_own_filter_rejects",
            "a_route_the_router_lacks_makes_it_unreachable",
        ],
    ),
    (
        "ICMP error to a non-blocking attempt, whose soft error the application takes",
        &[
            "an_icmp_error_the_application_took_is_still_the_cause",
            "the_server_rejects_non_blocking_attempts_in_every_way",
            "the_server_rejects_non_blocking_ipv6_attempts_in_every_way",
        ],
    ),
    (
        "no neighbour",
        &[
            "an_address_nobody_has_is_unreachable",
            "an_ipv6_address_nobody_has_is_unreachable",
            "a_router_without_a_neighbour_makes_it_unreachable",
        ],
    ),
    ("no route", &["without_a_route_it_fails_as_no_route"]),
    ("unreachable route", &["an_unreachable_route_fails_as_no_route"]),
    ("prohibit route", &["a_prohibited_route_fails_as_denied"]),
    ("blackhole route", &["a_blackhole_route_fails_as_invalid"]),
    ("denied by a cgroup's program", &["a_cgroup_that_denies_connect_fails_it_as_denied"]),
    (
        "no free source port",
        &["without_a_free_port_it_fails_as_no_port", "a_4_tuple_in_use_fails_as_no_port"],
    ),
    (
        "connect again on a socket",
        &[
            "connecting_while_connecting_is_no_attempt",
            "connecting_while_connected_is_no_attempt",
            "each_attempt_on_one_socket_is_its_own",
        ],
    ),
    ("the application closes in SYN-SENT", &["an_attempt_the_application_gives_up_is_abandoned"]),
    ("SO_SNDTIMEO", &["a_send_timeout_leaves_the_attempt_alone_until_the_close"]),
    ("connect(AF_UNSPEC) in SYN-SENT", &["af_unspec_while_connecting_abandons"]),
    ("ss -K in SYN-SENT", &["an_administrator_aborts_an_attempt"]),
    (
        "the process ends while connecting",
        &[
            "a_process_that_exits_while_connecting_says_so",
            "a_process_killed_while_connecting_says_so",
            "a_process_killed_in_a_blocking_connect_says_so",
        ],
    ),
    ("accept queue full", &["a_full_accept_queue_times_the_client_out_and_invents_no_server"]),
    // ESTABLISHED and later.
    ("SO_LINGER 0, seen from both sides", &["a_close_with_linger_0_is_a_reset_of_ours"]),
    (
        "close with unread data",
        &["a_close_with_unread_data_says_how_much_was_unread", "a_server_with_unread_data_resets"],
    ),
    ("RST in CLOSE-WAIT", &["a_reset_in_close_wait_is_the_peers_with_epipe"]),
    ("data after the close", &["data_after_the_close_is_answered_by_a_reset_of_ours"]),
    (
        "listener closed, child never accepted",
        &["a_connection_nobody_accepted_says_so", "a_listener_closed_with_children_resets_each_of_them"],
    ),
    ("ss -K", &["an_administrator_aborts_it_at_both_ends", "an_abort_at_one_end_is_a_reset_at_the_other"]),
    (
        "retransmissions run out",
        &["retransmissions_run_out", "a_router_says_the_path_is_gone_and_retransmissions_run_out"],
    ),
    (
        "ICMP error to a connection",
        &["an_icmp_error_to_a_connection_is_shown_as_soft", "an_icmp_error_that_was_overcome_is_no_cause"],
    ),
    (
        "TCP_USER_TIMEOUT, path down",
        &[
            "a_user_timeout_ends_it",
            "a_user_timeout_ends_it_where_a_router_says_why",
            "a_user_timeout_ends_an_idle_connection",
        ],
    ),
    ("keepalive finds nobody", &["keepalive_finds_the_path_cut"]),
    ("half-open", &["a_half_open_connection_lives_until_it_is_used"]),
    ("connect(AF_UNSPEC)", &["a_disconnect_by_af_unspec_is_a_reset_of_ours"]),
    (
        "in order",
        &[
            "a_client_that_closes_first_without_a_byte_is_orderly",
            "a_server_that_closes_first_without_a_byte_is_orderly",
            "one_byte_from_the_client_is_counted_as_one",
            "one_byte_from_the_server_is_counted_as_one",
            "a_mebibyte_each_way_is_counted_exactly_when_the_client_closes",
            "a_mebibyte_and_a_byte_is_counted_exactly_when_the_server_closes",
            "a_half_closed_connection_ends_only_with_the_second_fin",
            "ten_thousand_ordinary_connections_are_orderly",
        ],
    ),
    ("kill -9", &["a_killed_client_owns_its_end", "a_killed_server_owns_its_end"]),
    ("namespace deleted", &["a_namespace_deleted_with_live_connections_ends_them"]),
    ("TIME-WAIT used again", &["the_same_4_tuple_twice_is_two_lifetimes"]),
    // Who, and by which way.
    (
        "listener without a fault, and its process's end",
        &["a_listener_starts_with_its_backlog_and_ends", "a_listener_ends_with_its_process"],
    ),
    (
        "nobody listens",
        &["tries_at_one_closed_port_are_told_together", "a_remote_that_tries_many_closed_ports_scans"],
    ),
    ("SO_REUSEPORT", &["listeners_that_share_a_port_own_what_each_accepts"]),
    (
        "fork",
        &[
            "a_forked_worker_that_accepts_is_the_owner",
            "a_child_that_closes_last_is_the_closer",
            "a_process_gone_before_the_end_is_still_named",
        ],
    ),
    ("exec", &["a_process_that_becomes_another_program_stays_what_it_was"]),
    (
        "SCM_RIGHTS",
        &[
            "a_connection_passed_on_keeps_its_owner_and_names_its_closer",
            "a_connection_whose_giver_is_gone_keeps_its_owner",
        ],
    ),
    ("io_uring", &["io_uring_connects_and_accepts", "a_refused_connect_through_io_uring_is_refused"]),
    (
        "io_uring with SQPOLL",
        &[
            "io_uring_connects_and_accepts_by_the_kernels_thread",
            "a_refused_connect_by_the_kernels_thread_is_refused",
        ],
    ),
    ("MPTCP", &["multipath_at_both_ends_is_counted_once", "multipath_to_a_plain_server_is_counted_once"]),
    ("TCP Fast Open", &["a_fast_open_with_a_cookie_is_one_lifetime"]),
    ("IPv6", &["ipv6_is_ipv6"]),
    ("v4-mapped IPv6", &["v4_mapped_ipv6_is_shown_as_ipv4"]),
    (
        "open from both sides",
        &["a_simultaneous_open_is_a_client_at_both_ends", "a_socket_connected_to_itself_is_one_lifetime"],
    ),
];

/// The list names every scenario, and none that is not there.
pub(crate) fn must_be_covered() -> Result<()> {
    let named: BTreeSet<&str> = FAULTS.iter().flat_map(|(_, scenarios)| *scenarios).copied().collect();
    let there = stage::all().map(|(_, name, _)| name).chain(ordinary::ALL.iter().map(|(name, _)| *name));
    let there: BTreeSet<&str> = there.collect();
    let unlike: Vec<_> = named.symmetric_difference(&there).collect();
    ensure!(unlike.is_empty(), "named but not there, or there but not named: {unlike:?}");
    Ok(())
}
