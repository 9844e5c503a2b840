//! The peer of the end-to-end tests: a real program that makes real connections and tells the truth about them.

use std::io::Write;
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

use anyhow::{Context, Result, bail};
use serde_json::json;

fn main() -> Result<()> {
    // Whatever happens to the test, this process ends.
    nix::unistd::alarm::set(e2e::clock::LIFETIME_SECONDS);
    let args: Vec<String> = std::env::args().skip(1).collect();
    match args.iter().map(String::as_str).collect::<Vec<_>>().as_slice() {
        ["obey", ..] => e2e::actor::obey(std::io::stdin(), std::io::stdout()),
        ["obey-again", name] => e2e::actor::obey_again(std::io::stdin(), std::io::stdout(), name),
        ["once", addr, ..] => once(addr.parse()?),
        ["burn", seconds] => e2e::busy::burn(Duration::from_secs(seconds.parse()?)),
        ["flood-server", threads] => e2e::flood::serve(threads.parse()?),
        ["flood-client", port, total, threads] => {
            e2e::flood::connect(port.parse()?, total.parse()?, threads.parse()?)
        }
        _ => bail!(
            "usage: peer obey | once ADDR | burn SECONDS | flood-server THREADS | flood-client PORT TOTAL THREADS"
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
