//! Inside the peer program: obeys one command a line and answers each with one JSON object: what it did, when
//! (`t0`, `t1`: `CLOCK_MONOTONIC` before and after the system call, ns), with what errno, and by whom.
//!
//! ```text
//! socket S 4|6        bind S ADDR         listen S BACKLOG    connect S ADDR      nonblock S
//! accept L S          send S BYTES        recv S BYTES        drain S             peek S BYTES
//! so_error S          shutdown S          linger0 S           disconnect S        close S
//! fork W              in W COMMAND…       name COMM           setuid UID          exit
//! poll S in|out|hup MILLISECONDS
//! ```

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{BufRead, BufReader, Write};
use std::net::{SocketAddr, SocketAddrV4, SocketAddrV6};
use std::os::fd::{AsFd, AsRawFd, OwnedFd};

use nix::errno::Errno;
use nix::fcntl::{FcntlArg, OFlag, fcntl};
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::sys::socket::{
    self, AddressFamily, Backlog, MsgFlags, Shutdown, SockFlag, SockType, SockaddrStorage, setsockopt,
    sockopt,
};
use nix::unistd::{ForkResult, Uid, fork, pipe, setresuid};
use serde_json::{Value, json};

use crate::clock::now_ns;

/// What one command found out beside its errno.
type Facts = Vec<(&'static str, Value)>;

#[derive(Default)]
struct Actor {
    sockets: BTreeMap<String, OwnedFd>,
    workers: BTreeMap<String, (File, BufReader<File>)>,
}

/// Obeys commands until `input` ends or one says `exit`; then the process ends.
pub fn obey(input: impl std::io::Read, mut output: impl Write) -> ! {
    obey_as(Actor::default(), BufReader::new(input), &mut output)
}

fn obey_as(mut actor: Actor, input: impl BufRead, output: &mut dyn Write) -> ! {
    for line in input.lines().map_while(Result::ok) {
        let words: Vec<&str> = line.split_whitespace().collect();
        let answer = match words.as_slice() {
            ["exit"] => break,
            ["in", worker, ..] => actor.forward(worker, &words[2..].join(" ")),
            _ => {
                let t0 = now_ns();
                let done = actor.act(&words);
                let t1 = now_ns();
                let (errno, facts) = match done {
                    Ok(facts) => (0, facts),
                    Err((errno, facts)) => (errno as i32, facts),
                };
                let mut answer =
                    json!({ "did": line, "pid": std::process::id(), "t0": t0, "t1": t1, "errno": errno });
                for (name, value) in facts {
                    answer[name] = value;
                }
                answer.to_string()
            }
        };
        if writeln!(output, "{answer}").and_then(|()| output.flush()).is_err() {
            break;
        }
    }
    // Not `exit`: a forked worker must not run what its parent registered. The kernel closes the sockets.
    // SAFETY: ends the process, nothing of it is used afterwards.
    unsafe { libc::_exit(0) }
}

fn number<T: std::str::FromStr>(word: &str) -> Result<T, Errno> {
    word.parse().map_err(|_| Errno::EDOM)
}

fn std_addr(addr: &SockaddrStorage) -> Option<SocketAddr> {
    let v4 = addr.as_sockaddr_in().map(|a| SocketAddr::V4(SocketAddrV4::from(*a)));
    v4.or_else(|| addr.as_sockaddr_in6().map(|a| SocketAddr::V6(SocketAddrV6::from(*a))))
}

fn ends(fd: &OwnedFd) -> Facts {
    let local = socket::getsockname::<SockaddrStorage>(fd.as_raw_fd()).ok().and_then(|a| std_addr(&a));
    let remote = socket::getpeername::<SockaddrStorage>(fd.as_raw_fd()).ok().and_then(|a| std_addr(&a));
    let mut facts = Facts::new();
    facts.extend(local.map(|a| ("local", json!(a.to_string()))));
    facts.extend(remote.map(|a| ("remote", json!(a.to_string()))));
    facts
}

fn moved(n: usize, result: Result<(), Errno>) -> Result<Facts, (Errno, Facts)> {
    let facts = vec![("n", json!(n))];
    result.map(|()| facts.clone()).map_err(|e| (e, facts))
}

/// Sends exactly `n` bytes.
fn send(fd: &OwnedFd, n: usize) -> (usize, Result<(), Errno>) {
    let chunk = vec![b'x'; n.min(65_536)];
    let mut done = 0;
    while done < n {
        match socket::send(fd.as_raw_fd(), &chunk[..chunk.len().min(n - done)], MsgFlags::MSG_NOSIGNAL) {
            Ok(sent) => done += sent,
            Err(e) => return (done, Err(e)),
        }
    }
    (done, Ok(()))
}

/// Reads `n` bytes, or to the end of the stream.
fn recv(fd: &OwnedFd, n: usize) -> (usize, Result<(), Errno>) {
    let mut chunk = vec![0; n.min(65_536)];
    let mut done = 0;
    while done < n {
        let want = chunk.len().min(n - done);
        match socket::recv(fd.as_raw_fd(), &mut chunk[..want], MsgFlags::empty()) {
            Ok(0) => break,
            Ok(got) => done += got,
            Err(e) => return (done, Err(e)),
        }
    }
    (done, Ok(()))
}

impl Actor {
    fn fd(&self, name: &str) -> Result<&OwnedFd, Errno> {
        self.sockets.get(name).ok_or(Errno::EBADF)
    }

    /// Runs one command. An errno of the command itself is the answer, not a failure of the actor; an
    /// unknown command is ENOSYS, an unknown socket EBADF.
    fn act(&mut self, words: &[&str]) -> Result<Facts, (Errno, Facts)> {
        let plain = |e: Errno| (e, Facts::new());
        match *words {
            ["send", s, n] => {
                let (done, result) = send(self.fd(s).map_err(plain)?, number(n).map_err(plain)?);
                moved(done, result)
            }
            ["recv", s, n] => {
                let (done, result) = recv(self.fd(s).map_err(plain)?, number(n).map_err(plain)?);
                moved(done, result)
            }
            ["drain", s] => {
                let (done, result) = recv(self.fd(s).map_err(plain)?, usize::MAX);
                moved(done, result)
            }
            ["connect", s, to] => {
                let fd = self.fd(s).map_err(plain)?;
                let to: SocketAddr = number(to).map_err(plain)?;
                let result = socket::connect(fd.as_raw_fd(), &SockaddrStorage::from(to));
                result.map(|()| ends(fd)).map_err(|e| (e, ends(fd)))
            }
            _ => self.act_simply(words).map_err(plain),
        }
    }

    fn act_simply(&mut self, words: &[&str]) -> Result<Facts, Errno> {
        match *words {
            ["socket", s, family] => {
                let family = if family == "6" { AddressFamily::Inet6 } else { AddressFamily::Inet };
                let fd = socket::socket(family, SockType::Stream, SockFlag::SOCK_CLOEXEC, None)?;
                self.sockets.insert(s.into(), fd);
            }
            ["bind", s, at] => {
                let fd = self.fd(s)?;
                setsockopt(fd, sockopt::ReuseAddr, &true)?;
                socket::bind(fd.as_raw_fd(), &SockaddrStorage::from(number::<SocketAddr>(at)?))?;
                return Ok(ends(fd));
            }
            ["listen", s, backlog] => {
                let fd = self.fd(s)?;
                socket::listen(fd, Backlog::new(number::<i32>(backlog)?)?)?;
                return Ok(ends(fd));
            }
            ["nonblock", s] => {
                fcntl(self.fd(s)?, FcntlArg::F_SETFL(OFlag::O_NONBLOCK))?;
            }
            ["accept", l, s] => {
                let raw = socket::accept4(self.fd(l)?.as_raw_fd(), SockFlag::SOCK_CLOEXEC)?;
                // SAFETY: a descriptor accept4 just made, owned by nobody else.
                let fd: OwnedFd = unsafe { std::os::fd::FromRawFd::from_raw_fd(raw) };
                let facts = ends(&fd);
                self.sockets.insert(s.into(), fd);
                return Ok(facts);
            }
            ["peek", s, n] => {
                let mut buffer = vec![0; number(n)?];
                let flags = MsgFlags::MSG_PEEK | MsgFlags::MSG_WAITALL;
                let got = socket::recv(self.fd(s)?.as_raw_fd(), &mut buffer, flags)?;
                return Ok(vec![("n", json!(got))]);
            }
            ["poll", s, what, ms] => {
                let flags = match what {
                    "in" => PollFlags::POLLIN,
                    "out" => PollFlags::POLLOUT,
                    // POLLHUP and POLLERR are always waited for.
                    _ => PollFlags::empty(),
                };
                let mut fds = [PollFd::new(self.fd(s)?.as_fd(), flags)];
                let ready = poll(&mut fds, PollTimeout::from(number::<u16>(ms)?))?;
                return Ok(vec![("n", json!(ready))]);
            }
            ["so_error", s] => {
                let error = socket::getsockopt(self.fd(s)?, sockopt::SocketError)?;
                return Ok(vec![("n", json!(error))]);
            }
            ["shutdown", s] => socket::shutdown(self.fd(s)?.as_raw_fd(), Shutdown::Write)?,
            ["linger0", s] => {
                let linger = libc::linger { l_onoff: 1, l_linger: 0 };
                setsockopt(self.fd(s)?, sockopt::Linger, &linger)?;
            }
            ["disconnect", s] => {
                let unspec = libc::sockaddr { sa_family: 0, sa_data: [0; 14] };
                let size = libc::socklen_t::try_from(size_of_val(&unspec)).unwrap_or(0);
                // SAFETY: the address is valid for the call and its size is its own.
                Errno::result(unsafe { libc::connect(self.fd(s)?.as_raw_fd(), &raw const unspec, size) })?;
            }
            ["close", s] => drop(self.sockets.remove(s).ok_or(Errno::EBADF)?),
            ["fork", w] => return self.fork(w),
            ["name", comm] => std::fs::write("/proc/self/comm", comm).map_err(|_| Errno::EIO)?,
            ["setuid", id] => {
                let uid = Uid::from_raw(number(id)?);
                setresuid(uid, uid, uid)?;
            }
            _ => return Err(Errno::ENOSYS),
        }
        Ok(Facts::new())
    }

    /// Forks a worker that inherits every socket and obeys what is forwarded to it.
    fn fork(&mut self, name: &str) -> Result<Facts, Errno> {
        let (command_out, command_in) = pipe()?;
        let (answer_out, answer_in) = pipe()?;
        // SAFETY: this process has one thread, so the child may do anything.
        match unsafe { fork() }? {
            ForkResult::Parent { child } => {
                let ends = (File::from(command_in), BufReader::new(File::from(answer_out)));
                self.workers.insert(name.into(), ends);
                Ok(vec![("n", json!(child.as_raw()))])
            }
            ForkResult::Child => {
                // The parent's end of the pipe must close here, or the worker would never see its end.
                drop((command_in, answer_out));
                // Neither bound of the parent's life is inherited.
                // SAFETY: passes no memory.
                unsafe { libc::prctl(libc::PR_SET_PDEATHSIG, libc::SIGKILL) };
                nix::unistd::alarm::set(crate::clock::LIFETIME_SECONDS);
                let sockets = std::mem::take(&mut self.sockets);
                self.workers.clear();
                let actor = Self { sockets, workers: BTreeMap::new() };
                obey_as(actor, BufReader::new(File::from(command_out)), &mut File::from(answer_in))
            }
        }
    }

    fn forward(&mut self, worker: &str, command: &str) -> String {
        let mut answer = String::new();
        let done = self.workers.get_mut(worker).map(|(to, from)| {
            writeln!(to, "{command}").and_then(|()| from.read_line(&mut answer)).map(|_| ())
        });
        match done {
            Some(Ok(())) if !answer.is_empty() => answer.trim_end().into(),
            _ => json!({ "did": command, "errno": Errno::ECHILD as i32 }).to_string(),
        }
    }
}
