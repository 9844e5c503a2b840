//! Inside the peer program: many connections at full speed, counted.

use std::collections::BTreeMap;
use std::io::{Read, Write};
use std::net::{Ipv4Addr, Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use anyhow::{Context, Result, anyhow};
use serde_json::json;

use crate::clock::now_ns;

fn say(line: &serde_json::Value) -> Result<()> {
    let mut out = std::io::stdout().lock();
    writeln!(out, "{line}")?;
    Ok(out.flush()?)
}

/// Accepts with `threads` threads, reads each connection to its end and closes it; at the end of stdin says
/// how many there were.
pub fn serve(threads: usize) -> Result<()> {
    let listener = Arc::new(TcpListener::bind((Ipv4Addr::UNSPECIFIED, 0))?);
    let accepted = Arc::new(AtomicU64::new(0));
    for _ in 0..threads {
        let (listener, accepted) = (Arc::clone(&listener), Arc::clone(&accepted));
        std::thread::spawn(move || {
            while let Ok((mut stream, _)) = listener.accept() {
                accepted.fetch_add(1, Ordering::Relaxed);
                let _ = stream.read(&mut [0; 16]);
            }
        });
    }
    say(&json!({ "pid": std::process::id(), "port": listener.local_addr()?.port() }))?;
    std::io::stdin().read_to_end(&mut Vec::new())?;
    say(&json!({ "pid": std::process::id(), "accepted": accepted.load(Ordering::Relaxed) }))
}

/// A different loopback address for each connection: the client closes first, and the TIME-WAIT it leaves
/// takes a source port only towards that one address.
fn target(n: u64, port: u16) -> SocketAddr {
    let [.., a, b] = (1 + n / 250).to_be_bytes();
    let last = u8::try_from(1 + n % 250).unwrap_or(1);
    (Ipv4Addr::new(127, a, b, last), port).into()
}

/// Makes `total` connections with `threads` threads, each closed by the client first and waited for to the
/// server's FIN; says how many were established and which errors there were.
pub fn connect(port: u16, total: u64, threads: u64) -> Result<()> {
    let next = Arc::new(AtomicU64::new(0));
    let t0 = now_ns();
    let workers: Vec<_> = (0..threads)
        .map(|_| {
            let next = Arc::clone(&next);
            std::thread::spawn(move || {
                let mut done = 0u64;
                let mut errors = BTreeMap::<i32, u64>::new();
                loop {
                    let n = next.fetch_add(1, Ordering::Relaxed);
                    if n >= total {
                        return (done, errors);
                    }
                    match TcpStream::connect(target(n, port)) {
                        Ok(mut stream) => {
                            done += 1;
                            let _ = stream.shutdown(Shutdown::Write);
                            let _ = stream.read(&mut [0; 16]);
                        }
                        Err(e) => *errors.entry(e.raw_os_error().unwrap_or(0)).or_default() += 1,
                    }
                }
            })
        })
        .collect();
    let (mut established, mut errors) = (0, BTreeMap::<i32, u64>::new());
    for worker in workers {
        let (done, failed) = worker.join().map_err(|_| anyhow!("a client thread panicked"))?;
        established += done;
        for (errno, n) in failed {
            *errors.entry(errno).or_default() += n;
        }
    }
    let errors: BTreeMap<String, u64> = errors.into_iter().map(|(e, n)| (e.to_string(), n)).collect();
    say(&json!({
        "pid": std::process::id(), "established": established, "errors": errors, "elapsed_ns": now_ns() - t0,
    }))
    .context("failed to tell the truth")
}
