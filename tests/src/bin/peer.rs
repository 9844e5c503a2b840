//! The peer of the end-to-end tests: a real program that makes real connections and tells the truth about them.

use std::io::Write;
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

use anyhow::{Context, Result, bail};
use serde_json::json;

fn main() -> Result<()> {
    let args: Vec<String> = std::env::args().skip(1).collect();
    let args: Vec<&str> = args.iter().map(String::as_str).collect();
    if args.first() != Some(&"burn") {
        // Whatever happens to the test, this process ends. The busy ones end by themselves.
        nix::unistd::alarm::set(e2e::clock::LIFETIME_SECONDS);
    }
    match args.as_slice() {
        ["obey", ..] => e2e::actor::obey(std::io::stdin(), std::io::stdout()),
        ["obey-again", name] => e2e::actor::obey_again(std::io::stdin(), std::io::stdout(), name),
        ["once", addr, ..] => once(addr.parse()?),
        ["burn", seconds] => e2e::busy::burn(Duration::from_secs(seconds.parse()?)),
        ["flood-server", threads] => e2e::flood::serve(threads.parse()?),
        ["flood-client", port, total, threads] => {
            e2e::flood::connect(port.parse()?, total.parse()?, threads.parse()?)
        }
        ["ordinary-server", ip] => e2e::ordinary::serve(ip.parse()?),
        ["ordinary-client", total, ats @ ..] => {
            let ats = ats.iter().map(|at| at.parse()).collect::<Result<Vec<_>, _>>()?;
            e2e::ordinary::connect(&ats, total.parse()?)
        }
        _ => bail!(
            "usage: peer obey | once ADDR | burn SECONDS | flood-server THREADS | \
            flood-client PORT TOTAL THREADS | ordinary-server IP | ordinary-client TOTAL ADDR…"
        ),
    }
}

/// Connects, says one byte, closes and is gone.
fn once(addr: SocketAddr) -> Result<()> {
    let mut stream = TcpStream::connect(addr).context("failed to connect")?;
    stream.write_all(b"x")?;
    let local = stream.local_addr()?;
    drop(stream);
    println!("{}", json!({ "pid": std::process::id(), "local": local.to_string() }));
    Ok(())
}
