//! Inside the peer program: many connections as programs have them every day, that nothing is wrong with.

use std::collections::VecDeque;
use std::io::{BufRead, Read, Write};
use std::net::{IpAddr, Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use nix::sys::resource::{Resource, setrlimit};
use nix::sys::socket::Backlog;
use serde_json::{Value, json};

/// How a connection is used. Each kind has a port of its own.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// Data, then nothing for a while; the client closes.
    Idle,
    /// The server answers and closes; then the client.
    ServedAway,
    /// The client shuts its side down; the server answers a good while later, and closes.
    HalfClosed,
    /// Open from the first connection to the last; the client closes.
    LongLived,
    /// Data both ways; the client closes.
    Exchange,
}

/// All kinds, in the order of their ports.
pub const KINDS: [Kind; 5] =
    [Kind::Idle, Kind::ServedAway, Kind::HalfClosed, Kind::LongLived, Kind::Exchange];

/// How many of a kind stay open, or half open, while others are made.
const MEANWHILE: usize = 100;

impl Kind {
    /// Bytes of payload from the client and from the server, by the client's port.
    pub fn bytes(self, port: u16) -> (u64, u64) {
        let up = 1 + u64::from(port % 4000);
        match self {
            Self::Idle | Self::LongLived => (up, 0),
            Self::ServedAway | Self::HalfClosed | Self::Exchange => (up, 2 * up + 1),
        }
    }

    /// True when the client's FIN is the first.
    pub fn ends_at_client(self) -> bool {
        self != Self::ServedAway
    }
}

fn say(line: &Value) -> Result<()> {
    let mut out = std::io::stdout().lock();
    writeln!(out, "{line}")?;
    Ok(out.flush()?)
}

fn allow_many_files() -> Result<()> {
    setrlimit(Resource::RLIMIT_NOFILE, 16_384, 16_384).context("failed to raise the limit of open files")
}

fn send(mut stream: &TcpStream, bytes: u64) -> Result<()> {
    Ok(stream.write_all(&vec![b'x'; usize::try_from(bytes)?])?)
}

/// Reads exactly so many bytes.
fn take(mut stream: &TcpStream, bytes: u64) -> Result<()> {
    Ok(stream.read_exact(&mut vec![0; usize::try_from(bytes)?])?)
}

/// Nothing more comes but the end.
fn end(mut stream: &TcpStream) -> Result<()> {
    let mut more = [0];
    ensure!(stream.read(&mut more)? == 0, "more than was known");
    Ok(())
}

/// Listens for each kind and says where; on a line of stdin, answers the half-closed at once from then on. Ends
/// with stdin, and says then how many of all went as they should.
pub fn serve(ip: IpAddr) -> Result<()> {
    allow_many_files()?;
    let hurry = Arc::new(AtomicBool::new(false));
    let (mut ports, mut workers) = (Vec::new(), Vec::new());
    for kind in KINDS {
        let listener = TcpListener::bind((ip, 0))?;
        // The standard library's backlog of 128 does overflow.
        nix::sys::socket::listen(&listener, Backlog::new(4096)?)?;
        ports.push(listener.local_addr()?.port());
        let (to, accepted) = channel();
        std::thread::spawn(move || {
            while let Ok((stream, _)) = listener.accept() {
                if to.send(stream).is_err() {
                    break;
                }
            }
        });
        let hurry = Arc::clone(&hurry);
        workers.push(std::thread::spawn(move || serve_kind(kind, &accepted, &hurry)));
    }
    say(&json!({ "pid": std::process::id(), "ports": ports }))?;
    let mut lines = std::io::stdin().lock().lines();
    lines.next();
    hurry.store(true, Ordering::Relaxed);
    say(&json!({ "pid": std::process::id() }))?;
    lines.next();
    let served: u64 = workers.into_iter().map(|worker| worker.join().unwrap_or(0)).sum();
    say(&json!({ "pid": std::process::id(), "n": served }))
}

/// Serves a kind in the order of arrival, to the end of the hurry; how many went as they should.
fn serve_kind(kind: Kind, accepted: &Receiver<TcpStream>, hurry: &AtomicBool) -> u64 {
    let (mut served, mut waiting) = (0, VecDeque::new());
    loop {
        let next = accepted.recv_timeout(Duration::from_millis(50));
        let hurried = hurry.load(Ordering::Relaxed);
        match next {
            Ok(stream) => waiting.push_back(stream),
            Err(RecvTimeoutError::Timeout) if hurried && waiting.is_empty() => return served,
            Err(RecvTimeoutError::Timeout) => {}
            Err(RecvTimeoutError::Disconnected) => return served,
        }
        let kept = if kind == Kind::HalfClosed && !hurried { MEANWHILE } else { 0 };
        while waiting.len() > kept
            && let Some(stream) = waiting.pop_front()
        {
            match serve_one(kind, &stream) {
                Ok(()) => served += 1,
                Err(e) => eprintln!("{kind:?}: {e:#}"),
            }
        }
    }
}

fn serve_one(kind: Kind, stream: &TcpStream) -> Result<()> {
    let (up, down) = kind.bytes(stream.peer_addr()?.port());
    take(stream, up)?;
    if kind == Kind::HalfClosed {
        end(stream)?;
    }
    send(stream, down)?;
    if kind != Kind::HalfClosed && kind.ends_at_client() {
        end(stream)?;
    }
    Ok(())
}

/// Makes `total` connections, as many of each kind, to the ports of the kinds. Says when all are made; then ends what
/// is still open and says how many went as they should.
pub fn connect(ats: &[SocketAddr], total: u64) -> Result<()> {
    allow_many_files()?;
    ensure!(ats.len() == KINDS.len(), "a port for each kind");
    let at = |kind: Kind| ats[KINDS.iter().position(|k| *k == kind).unwrap_or(0)];
    let each = total / KINDS.len() as u64;
    let open = |kind: Kind| -> Result<TcpStream> {
        let stream = TcpStream::connect(at(kind)).with_context(|| format!("{kind:?}"))?;
        send(&stream, kind.bytes(stream.local_addr()?.port()).0)?;
        Ok(stream)
    };
    let long_lived = (0..each).map(|_| open(Kind::LongLived)).collect::<Result<Vec<_>>>()?;
    let (mut idle, mut half_closed) = (VecDeque::new(), VecDeque::new());
    for _ in 0..each {
        idle.push_back(open(Kind::Idle)?);
        if idle.len() > MEANWHILE {
            idle.pop_front();
        }
        for kind in [Kind::ServedAway, Kind::Exchange] {
            let stream = open(kind)?;
            take(&stream, kind.bytes(stream.local_addr()?.port()).1)?;
            if !kind.ends_at_client() {
                end(&stream)?;
            }
        }
        let stream = open(Kind::HalfClosed)?;
        stream.shutdown(Shutdown::Write)?;
        half_closed.push_back(stream);
        if half_closed.len() > 2 * MEANWHILE
            && let Some(stream) = half_closed.pop_front()
        {
            is_answered(&stream)?;
        }
    }
    say(&json!({ "pid": std::process::id(), "n": each * KINDS.len() as u64 }))?;
    half_closed.iter().try_for_each(is_answered)?;
    drop((idle, half_closed, long_lived));
    say(&json!({ "pid": std::process::id(), "n": each * KINDS.len() as u64 }))
}

/// The whole answer to a half-closed connection comes, and then the end.
fn is_answered(stream: &TcpStream) -> Result<()> {
    take(stream, Kind::HalfClosed.bytes(stream.local_addr()?.port()).1)?;
    end(stream)
}
