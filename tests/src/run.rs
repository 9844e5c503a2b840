//! Child processes: bounded waits, and where they start (namespace, CPU, user).

use std::fs::File;
use std::io::{BufRead, BufReader, Read};
use std::os::fd::AsRawFd;
use std::os::unix::process::CommandExt;
use std::process::{Child, Command, ExitStatus};
use std::sync::mpsc::{Receiver, channel};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail, ensure};
use nix::sched::{CloneFlags, CpuSet, sched_setaffinity, setns};
use nix::unistd::Pid;

/// Runs a command to its end; its stdout, or an error with its stderr.
pub fn output(program: &str, args: &[&str]) -> Result<String> {
    let out =
        Command::new(program).args(args).output().with_context(|| format!("failed to run {program}"))?;
    let err = String::from_utf8_lossy(&out.stderr);
    ensure!(out.status.success(), "{program} {} failed: {}", args.join(" "), err.trim());
    Ok(String::from_utf8_lossy(&out.stdout).into_owned())
}

/// Waits for the end of a child, on its pidfd; kills it and fails when `patience` is over.
pub fn wait(child: &mut Child, patience: Duration) -> Result<ExitStatus> {
    let pid = i32::try_from(child.id())?;
    let deadline = Instant::now() + patience;
    // SAFETY: no memory is passed; the child is ours and not yet reaped, so the pid is its own.
    let fd = unsafe { libc::syscall(libc::SYS_pidfd_open, pid, 0) };
    if fd < 0 {
        return child.try_wait()?.context("pidfd_open failed");
    }
    // SAFETY: a descriptor just made, owned by nobody else.
    let fd: std::os::fd::OwnedFd = unsafe { std::os::fd::FromRawFd::from_raw_fd(i32::try_from(fd)?) };
    loop {
        let left = deadline.saturating_duration_since(Instant::now());
        if readable(&fd, left)? {
            return Ok(child.wait()?);
        }
        if Instant::now() >= deadline {
            child.kill()?;
            child.wait()?;
            bail!("process {pid} did not end within {patience:?}");
        }
    }
}

/// True when `fd` is readable (or at its end) within `patience`.
pub fn readable(fd: &impl std::os::fd::AsFd, patience: Duration) -> Result<bool> {
    use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
    let mut fds = [PollFd::new(fd.as_fd(), PollFlags::POLLIN)];
    let ms = PollTimeout::try_from(patience).unwrap_or(PollTimeout::MAX);
    match poll(&mut fds, ms) {
        Ok(n) => Ok(n > 0),
        Err(nix::errno::Errno::EINTR) => Ok(false),
        Err(e) => Err(e.into()),
    }
}

/// The lines of a stream as they come, read on a thread of their own so that waiting for one can be bounded.
pub fn lines(stream: impl Read + Send + 'static) -> Receiver<String> {
    let (to, lines) = channel();
    std::thread::spawn(move || {
        for line in BufReader::new(stream).lines().map_while(Result::ok) {
            if to.send(line).is_err() {
                break;
            }
        }
    });
    lines
}

/// Sends a signal to a child that is not reaped yet.
pub fn signal(child: &Child, signal: nix::sys::signal::Signal) -> Result<()> {
    Ok(nix::sys::signal::kill(Pid::from_raw(i32::try_from(child.id())?), signal)?)
}

/// A command whose process dies with the thread that starts it, so that a test killed half-way leaves none.
pub fn bound_to_us(command: &mut Command) -> &mut Command {
    // SAFETY: prctl is async-signal-safe and touches no memory of the parent.
    unsafe {
        command.pre_exec(|| match libc::prctl(libc::PR_SET_PDEATHSIG, libc::SIGKILL) {
            0 => Ok(()),
            _ => Err(std::io::Error::last_os_error()),
        })
    }
}

/// A command that starts in a network namespace.
pub fn in_netns(command: &mut Command, netns: File) -> &mut Command {
    // SAFETY: setns is async-signal-safe; the descriptor lives in the closure.
    unsafe {
        command.pre_exec(move || {
            let _ = netns.as_raw_fd();
            setns(&netns, CloneFlags::CLONE_NEWNET).map_err(Into::into)
        })
    }
}

/// A command that starts, and stays, on one CPU.
pub fn on_cpu(command: &mut Command, cpu: usize) -> &mut Command {
    let mut set = CpuSet::new();
    let fits = set.set(cpu);
    // SAFETY: sched_setaffinity is async-signal-safe; the set lives in the closure.
    unsafe {
        command.pre_exec(move || {
            fits?;
            sched_setaffinity(Pid::from_raw(0), &set).map_err(Into::into)
        })
    }
}

/// A command that starts as another user with no capability and no supplementary group.
pub fn as_user(command: &mut Command, id: u32) -> &mut Command {
    // The standard library drops the supplementary groups itself before setuid when it is root, and leaving
    // uid 0 clears the permitted and effective capabilities.
    command.uid(id).gid(id)
}

/// A command that starts as another user, with nothing of root's, in a network namespace. Not [`as_user`] and
/// [`in_netns`] together: the standard library changes the user first, who then may not enter.
pub fn as_user_in(command: &mut Command, id: u32, netns: File) -> &mut Command {
    // SAFETY: all four are async-signal-safe; the descriptor lives in the closure.
    unsafe {
        command.pre_exec(move || {
            setns(&netns, CloneFlags::CLONE_NEWNET)?;
            nix::unistd::setgroups(&[])?;
            nix::unistd::setgid(id.into())?;
            nix::unistd::setuid(id.into()).map_err(Into::into)
        })
    }
}

/// Puts a process (0: the caller) ahead of every ordinary one, where the machine allows that: what it measures
/// is then not how long it waited for a CPU.
pub fn put_ahead(pid: i32) {
    let first = libc::sched_param { sched_priority: 1 };
    // SAFETY: the parameter is valid for the whole call.
    unsafe { libc::sched_setscheduler(pid, libc::SCHED_FIFO, &raw const first) };
}

/// CPUs this process may use.
pub fn cpus() -> usize {
    std::thread::available_parallelism().map_or(1, std::num::NonZero::get)
}

/// Waits until a file exists and its text satisfies `enough`, woken by inotify; the text then.
pub fn await_file(path: &std::path::Path, enough: impl Fn(&str) -> bool) -> Result<String> {
    use nix::sys::inotify::{AddWatchFlags, InitFlags, Inotify};
    let folder = path.parent().context("a file without a folder")?;
    let changes = Inotify::init(InitFlags::IN_NONBLOCK | InitFlags::IN_CLOEXEC)?;
    changes.add_watch(
        folder,
        AddWatchFlags::IN_MODIFY | AddWatchFlags::IN_CREATE | AddWatchFlags::IN_MOVED_TO,
    )?;
    let deadline = Instant::now() + crate::clock::PATIENCE;
    loop {
        let text = std::fs::read_to_string(path).unwrap_or_default();
        if enough(&text) {
            return Ok(text);
        }
        let left = deadline.saturating_duration_since(Instant::now());
        ensure!(!left.is_zero(), "{} never got what was awaited; it has:\n{text}", path.display());
        if readable(&changes, left)? {
            let _ = changes.read_events();
        }
    }
}
