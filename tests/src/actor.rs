//! Inside the peer program: obeys one command a line and answers each with one JSON object: what it did, when
//! (`t0`, `t1`: `CLOCK_MONOTONIC` before and after the system call, ns), with what errno, and by whom.
//!
//! ```text
//! socket S 4|6 [mptcp]  bind S ADDR       listen S BACKLOG    connect S ADDR      nonblock S
//! accept L S          send S BYTES        recv S BYTES        drain S             peek S BYTES
//! so_error S          shutdown S          linger0 S           disconnect S        close S
//! fork W              in W COMMAND…       name COMM           setuid UID          exit
//! poll S in|out|hup MILLISECONDS          set S OPTION NUMBER
//! give W S            take S              hand S              receive W S
//! leave W             exec PROGRAM S      unacked S
//! uring connect S ADDR [polled]           uring accept L S [polled]
//! ```

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{BufRead, BufReader, Write};
use std::net::{SocketAddr, SocketAddrV4, SocketAddrV6};
use std::os::fd::{AsFd, AsRawFd, FromRawFd, OwnedFd};
use std::os::unix::net::UnixStream;
use std::os::unix::process::CommandExt;

use nix::errno::Errno;
use nix::fcntl::{FcntlArg, OFlag, fcntl};
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::sys::socket::{
    self, Backlog, ControlMessage, ControlMessageOwned, MsgFlags, Shutdown, SockFlag, SockaddrLike,
    SockaddrStorage, setsockopt, sockopt,
};
use nix::sys::wait::waitpid;
use nix::unistd::{ForkResult, Pid, Uid, fork, pipe, setresuid};
use serde_json::{Value, json};

use crate::clock::now_ns;
use crate::uring::{self, Op};

/// What one command found out beside its errno.
type Facts = Vec<(&'static str, Value)>;

#[derive(Default)]
struct Actor {
    sockets: BTreeMap<String, OwnedFd>,
    workers: BTreeMap<String, Worker>,
    /// Where a worker takes what its parent gives.
    parent: Option<UnixStream>,
}

struct Worker {
    pid: Pid,
    commands: File,
    answers: BufReader<File>,
    gifts: UnixStream,
}

/// The descriptor that is kept over an exec.
const KEPT: i32 = 100;

/// Obeys commands until `input` ends or one says `exit`; then the process ends.
pub fn obey(input: impl std::io::Read, mut output: impl Write) -> ! {
    obey_as(Actor::default(), BufReader::new(input), &mut output)
}

/// The same in a program that another became: answers the `exec`, and has what that one kept as `S`.
pub fn obey_again(input: impl std::io::Read, mut output: impl Write, name: &str) -> ! {
    let mut actor = Actor::default();
    // SAFETY: the descriptor was left open for this program, which just began.
    actor.sockets.insert(name.into(), unsafe { OwnedFd::from_raw_fd(KEPT) });
    let now = now_ns();
    let answer = json!({ "did": "exec", "pid": std::process::id(), "t0": now, "t1": now, "errno": 0 });
    let _ = writeln!(output, "{answer}").and_then(|()| output.flush());
    obey_as(actor, BufReader::new(input), &mut output)
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

/// Sets a socket option that is a number; `SO_SNDTIMEO` in milliseconds.
fn set(fd: &OwnedFd, option: &str, value: i32) -> Result<(), Errno> {
    let (level, name) = match option {
        "sndtimeo" => {
            let time = nix::sys::time::TimeVal::new(0, i64::from(value) * 1000);
            return setsockopt(fd, sockopt::SendTimeout, &time);
        }
        "keepalive" => (libc::SOL_SOCKET, libc::SO_KEEPALIVE),
        "keepidle" => (libc::IPPROTO_TCP, libc::TCP_KEEPIDLE),
        "keepintvl" => (libc::IPPROTO_TCP, libc::TCP_KEEPINTVL),
        "keepcnt" => (libc::IPPROTO_TCP, libc::TCP_KEEPCNT),
        "syncnt" => (libc::IPPROTO_TCP, libc::TCP_SYNCNT),
        "user_timeout" => (libc::IPPROTO_TCP, libc::TCP_USER_TIMEOUT),
        "fastopen" => (libc::IPPROTO_TCP, libc::TCP_FASTOPEN),
        "fastopen_connect" => (libc::IPPROTO_TCP, libc::TCP_FASTOPEN_CONNECT),
        "reuseport" => (libc::SOL_SOCKET, libc::SO_REUSEPORT),
        _ => return Err(Errno::ENOSYS),
    };
    let size = libc::socklen_t::try_from(size_of_val(&value)).unwrap_or(0);
    // SAFETY: the value is valid for the call and its size is its own.
    let done = unsafe { libc::setsockopt(fd.as_raw_fd(), level, name, (&raw const value).cast(), size) };
    Errno::result(done).map(drop)
}

/// Sends one descriptor.
fn give(to: &UnixStream, fd: &OwnedFd) -> Result<(), Errno> {
    let fds = [fd.as_raw_fd()];
    let byte = [std::io::IoSlice::new(b"x")];
    let gift = [ControlMessage::ScmRights(&fds)];
    socket::sendmsg::<()>(to.as_raw_fd(), &byte, &gift, MsgFlags::empty(), None).map(drop)
}

/// Receives one descriptor.
fn take(from: &UnixStream) -> Result<i32, Errno> {
    let mut byte = [0];
    let mut into = [std::io::IoSliceMut::new(&mut byte)];
    let mut space = nix::cmsg_space!(i32);
    let flags = MsgFlags::MSG_CMSG_CLOEXEC;
    let message = socket::recvmsg::<()>(from.as_raw_fd(), &mut into, Some(&mut space), flags)?;
    let fd = message.cmsgs()?.find_map(|gift| match gift {
        ControlMessageOwned::ScmRights(fds) => fds.first().copied(),
        _ => None,
    });
    fd.ok_or(Errno::EBADMSG)
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
            ["socket", s, family, ref rest @ ..] => {
                let family = if family == "6" { libc::AF_INET6 } else { libc::AF_INET };
                let protocol = if rest == ["mptcp"] { libc::IPPROTO_MPTCP } else { 0 };
                // SAFETY: passes no memory.
                let raw = unsafe { libc::socket(family, libc::SOCK_STREAM | libc::SOCK_CLOEXEC, protocol) };
                self.adopt(s, Errno::result(raw)?);
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
                return Ok(self.adopt(s, raw));
            }
            ["uring", "accept", l, s, ref rest @ ..] => {
                let raw = uring::run(self.fd(l)?, Op::Accept, rest == ["polled"])?;
                return Ok(self.adopt(s, raw));
            }
            ["uring", "connect", s, to, ref rest @ ..] => {
                let to = SockaddrStorage::from(number::<SocketAddr>(to)?);
                // SAFETY: any bytes are a sockaddr_storage.
                let mut plain: libc::sockaddr_storage = unsafe { std::mem::zeroed() };
                // SAFETY: an address is not longer than the storage of any address.
                unsafe {
                    std::ptr::copy_nonoverlapping(
                        to.as_ptr().cast::<u8>(),
                        (&raw mut plain).cast::<u8>(),
                        to.len() as usize,
                    );
                }
                uring::run(self.fd(s)?, Op::Connect(&plain, to.len()), rest == ["polled"])?;
                return Ok(ends(self.fd(s)?));
            }
            ["set", s, option, value] => set(self.fd(s)?, option, number(value)?)?,
            ["give", w, s] => {
                give(&self.workers.get(w).ok_or(Errno::ECHILD)?.gifts, self.fd(s)?)?;
            }
            ["hand", s] => give(self.parent.as_ref().ok_or(Errno::ECHILD)?, self.fd(s)?)?,
            ["receive", w, s] => {
                let raw = take(&self.workers.get(w).ok_or(Errno::ECHILD)?.gifts)?;
                return Ok(self.adopt(s, raw));
            }
            ["leave", w] => {
                // A worker ends when its commands do.
                let Worker { pid, commands, .. } = self.workers.remove(w).ok_or(Errno::ECHILD)?;
                drop(commands);
                waitpid(pid, None)?;
            }
            ["take", s] => {
                let raw = take(self.parent.as_ref().ok_or(Errno::ECHILD)?)?;
                return Ok(self.adopt(s, raw));
            }
            ["exec", program, s] => {
                // SAFETY: dup2 to a number nothing else here has.
                Errno::result(unsafe { libc::dup2(self.fd(s)?.as_raw_fd(), KEPT) })?;
                let failed = std::process::Command::new(program).args(["obey-again", s]).exec();
                return Err(failed.raw_os_error().map_or(Errno::EIO, Errno::from_raw));
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
            ["unacked", s] => {
                let mut bytes: libc::c_int = 0;
                // SAFETY: the number is valid for the call.
                Errno::result(unsafe {
                    libc::ioctl(self.fd(s)?.as_raw_fd(), libc::TIOCOUTQ, &raw mut bytes)
                })?;
                return Ok(vec![("n", json!(bytes))]);
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

    /// Keeps a descriptor just made, owned by nobody else.
    fn adopt(&mut self, name: &str, raw: i32) -> Facts {
        // SAFETY: see above.
        let fd = unsafe { OwnedFd::from_raw_fd(raw) };
        let facts = ends(&fd);
        self.sockets.insert(name.into(), fd);
        facts
    }

    /// Forks a worker that inherits every socket and obeys what is forwarded to it.
    fn fork(&mut self, name: &str) -> Result<Facts, Errno> {
        let (command_out, command_in) = pipe()?;
        let (answer_out, answer_in) = pipe()?;
        let (giver, taker) = UnixStream::pair().map_err(|_| Errno::EMFILE)?;
        // SAFETY: this process has one thread, so the child may do anything.
        match unsafe { fork() }? {
            ForkResult::Parent { child } => {
                let answers = BufReader::new(File::from(answer_out));
                let worker = Worker { pid: child, commands: File::from(command_in), answers, gifts: giver };
                self.workers.insert(name.into(), worker);
                Ok(vec![("n", json!(child.as_raw()))])
            }
            ForkResult::Child => {
                // The parent's end of the pipe must close here, or the worker would never see its end.
                drop((command_in, answer_out, giver));
                // Neither bound of the parent's life is inherited.
                // SAFETY: passes no memory.
                unsafe { libc::prctl(libc::PR_SET_PDEATHSIG, libc::SIGKILL) };
                nix::unistd::alarm::set(crate::clock::LIFETIME_SECONDS);
                let sockets = std::mem::take(&mut self.sockets);
                self.workers.clear();
                let actor = Self { sockets, workers: BTreeMap::new(), parent: Some(taker) };
                obey_as(actor, BufReader::new(File::from(command_out)), &mut File::from(answer_in))
            }
        }
    }

    fn forward(&mut self, worker: &str, command: &str) -> String {
        let mut answer = String::new();
        let done = self.workers.get_mut(worker).map(|w| {
            writeln!(w.commands, "{command}").and_then(|()| w.answers.read_line(&mut answer)).map(|_| ())
        });
        match done {
            Some(Ok(())) if !answer.is_empty() => answer.trim_end().into(),
            _ => json!({ "did": command, "errno": Errno::ECHILD as i32 }).to_string(),
        }
    }
}
