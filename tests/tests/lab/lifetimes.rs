//! Lifetimes that end in order: exact bytes, plausible times, and who ended them.

use anyhow::{Result, ensure};
use e2e::records::and;
use serde_json::json;

use crate::lab::{Lab, from_to};
use crate::life::{Life, bytes, orderly};
use crate::stage::scenarios;

scenarios![
    a_client_that_closes_first_without_a_byte_is_orderly,
    a_server_that_closes_first_without_a_byte_is_orderly,
    one_byte_from_the_client_is_counted_as_one,
    one_byte_from_the_server_is_counted_as_one,
    a_mebibyte_each_way_is_counted_exactly_when_the_client_closes,
    a_mebibyte_and_a_byte_is_counted_exactly_when_the_server_closes,
    a_half_closed_connection_ends_only_with_the_second_fin,
    the_same_4_tuple_twice_is_two_lifetimes,
];

/// One connection over which each side sends as many bytes as told; the client or the server closes first.
fn ends_in_order(lab: &Lab, up: u64, down: u64, client_first: bool) -> Result<()> {
    let mut life = Life::begin(lab)?;
    life.upload(up)?;
    life.download(down)?;
    let (end, client, server) = if client_first {
        (life.close()?, "local", "remote")
    } else {
        let end = life.server.ask("close s")?.t0();
        ensure!(life.client.ask("drain c")?.n() == 0, "more than was known");
        life.client.ask("close c")?;
        (end, "remote", "local")
    };
    life.client_closed(end, &and(&orderly(client), &bytes(up, down)))?;
    life.server_closed(end, &and(&orderly(server), &bytes(down, up))).map(drop)
}

fn a_client_that_closes_first_without_a_byte_is_orderly(lab: &Lab) -> Result<()> {
    ends_in_order(lab, 0, 0, true)
}

fn a_server_that_closes_first_without_a_byte_is_orderly(lab: &Lab) -> Result<()> {
    ends_in_order(lab, 0, 0, false)
}

fn one_byte_from_the_client_is_counted_as_one(lab: &Lab) -> Result<()> {
    ends_in_order(lab, 1, 0, true)
}

fn one_byte_from_the_server_is_counted_as_one(lab: &Lab) -> Result<()> {
    ends_in_order(lab, 0, 1, false)
}

fn a_mebibyte_each_way_is_counted_exactly_when_the_client_closes(lab: &Lab) -> Result<()> {
    ends_in_order(lab, 1 << 20, 1 << 20, true)
}

fn a_mebibyte_and_a_byte_is_counted_exactly_when_the_server_closes(lab: &Lab) -> Result<()> {
    ends_in_order(lab, 1 << 20, (1 << 20) + 1, false)
}

fn a_half_closed_connection_ends_only_with_the_second_fin(lab: &Lab) -> Result<()> {
    let mut life = Life::begin(lab)?;
    life.client.ask("shutdown c")?;
    ensure!(life.server.ask("drain s")?.n() == 0, "more than was known");
    life.download(5000)?;
    let end = life.server.ask("close s")?.t0();
    ensure!(life.client.ask("drain c")?.n() == 0, "more than was known");
    life.client.ask("close c")?;
    life.client_closed(end, &and(&orderly("local"), &bytes(0, 5000)))?;
    life.server_closed(end, &and(&orderly("remote"), &bytes(5000, 0))).map(drop)
}

fn the_same_4_tuple_twice_is_two_lifetimes(lab: &Lab) -> Result<()> {
    let (mut client, mut server) = (lab.client()?, lab.server()?);
    let at = server.listen("l", lab.net().server_at(0), 16)?;
    let from = std::net::SocketAddr::from((lab.net().client_v4(), 20_000));
    for n in [11, 22] {
        client.ask("socket c 4")?;
        client.ask(&format!("bind c {from}"))?;
        server.begin("accept l s")?;
        client.ask(&format!("connect c {at}"))?;
        server.finish()?;
        client.ask(&format!("send c {n}"))?;
        server.ask(&format!("recv s {n}"))?;
        // The server is left with the TIME-WAIT, which the next SYN takes over.
        server.ask("close s")?;
        ensure!(client.ask("drain c")?.n() == 0, "more than was known");
        client.ask("close c")?;
        let whole =
            and(&and(&from_to(from, at), &orderly("remote")), &json!({ "error": null, "reset_by": null }));
        let here = and(&e2e::peer::connected_by(&client), &whole);
        lab.tells(&lab.net().client, "closed", &json!({ "bytes_sent": n, "bytes_received": 0 }), &here)?;
        let whole =
            and(&and(&from_to(at, from), &orderly("local")), &json!({ "error": null, "reset_by": null }));
        let there = and(&e2e::peer::accepted_by(&server), &whole);
        lab.tells(&lab.net().server, "closed", &json!({ "bytes_sent": 0, "bytes_received": n }), &there)?;
    }
    Ok(())
}
