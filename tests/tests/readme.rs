//! Every command of README.md is run, in the order of the page and in one directory, as a reader would. Traffic
//! on loopback goes on meanwhile. A command that this test does not know how to run is a failure.

use std::fs;
use std::io::{Read, Write as _};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::os::unix::fs::symlink;
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, bail, ensure};
use e2e::need;
use nix::sys::signal::{Signal, kill, killpg};
use nix::unistd::Pid;

/// A command that takes longer is stuck.
const LIMIT: Duration = Duration::from_secs(60);
/// `cargo xtask` may have to be built first.
const CARGO_LIMIT: Duration = Duration::from_secs(600);
/// What stands behind a `|` in the README.
const FILTERS: [&str; 1] = ["jq"];

/// How a command is run. All of them must exit with 0.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Way {
    /// It ends by itself.
    Ends,
    /// It runs until Ctrl-C: it gets a SIGINT when it has said that it started.
    UntilInterrupted,
    /// It would run this test again: only its help is asked for.
    HelpOnly,
}

#[test]
fn every_command_of_the_readme_works() -> Result<()> {
    let commands = commands(&fs::read_to_string(root().join("README.md"))?)?;
    ensure!(commands.len() >= 9, "the README has lost its examples: {commands:?}");
    let ways = commands.iter().map(|command| way(command)).collect::<Result<Vec<_>>>()?;
    if !need::satisfied(true) {
        return Ok(());
    }
    let binary = need::connprobe().context("CONNPROBE_BIN is not set")?;

    let bin = tempfile::tempdir()?;
    symlink(fs::canonicalize(binary)?, bin.path().join("connprobe"))?;
    let path = std::env::var_os("PATH").unwrap_or_default();
    let folders = std::iter::once(bin.path().to_owned()).chain(std::env::split_paths(&path));
    let path = std::env::join_paths(folders)?;
    let work = tempfile::tempdir()?;

    let stop = AtomicBool::new(false);
    thread::scope(|scope| {
        scope.spawn(|| traffic(&stop));
        let result = commands.iter().zip(ways).try_for_each(|(command, way)| {
            let mut shell = Command::new("sh");
            shell.env("PATH", &path);
            shell.current_dir(if way == Way::HelpOnly { root() } else { work.path().to_owned() });
            run(shell, command, way).with_context(|| format!("`{command}`"))
        });
        stop.store(true, Ordering::Relaxed);
        result
    })
}

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().map(Path::to_owned).unwrap_or_default()
}

/// The lines behind a prompt in `console` blocks. A block of another shell language would not be run.
fn commands(page: &str) -> Result<Vec<String>> {
    let (mut found, mut fence) = (Vec::new(), None);
    for line in page.lines() {
        match (line.strip_prefix("```"), fence) {
            (Some(_), Some(_)) => fence = None,
            (Some(language), None) => {
                let other = matches!(language, "sh" | "bash" | "shell" | "");
                ensure!(!other, "a block of `{language}`: commands are in `console` blocks");
                fence = Some(language);
            }
            (None, Some("console")) => {
                if let Some(command) = line.strip_prefix("$ ") {
                    ensure!(
                        !command.ends_with('\\'),
                        "`{command}` goes on in the next line: write it in one"
                    );
                    found.push(command.to_owned());
                }
            }
            (None, _) => {}
        }
    }
    Ok(found)
}

fn way(command: &str) -> Result<Way> {
    let parts: Vec<Vec<&str>> =
        pipeline(command).iter().map(|part| part.split_whitespace().collect()).collect();
    let known = parts[1..].iter().all(|part| part.first().is_some_and(|program| FILTERS.contains(program)));
    ensure!(known, "do not know how to run `{command}`: behind a `|` only {FILTERS:?}");
    let ends = parts[0].iter().any(|word| matches!(*word, "--duration" | "--count"));
    Ok(match parts[0][..] {
        ["cargo", "xtask", _, ..] if parts.len() == 1 => Way::HelpOnly,
        ["connprobe", "trace", ..] if ends => Way::Ends,
        ["connprobe", "trace", ..] if parts.len() == 1 => Way::UntilInterrupted,
        [
            "connprobe",
            "ls" | "explain" | "doctor" | "replay" | "report" | "config" | "schema" | "man" | "completions",
            ..,
        ] => Way::Ends,
        _ => bail!("do not know how to run `{command}`: tell `way` in {}", file!()),
    })
}

/// Splits at each `|` outside of single quotes.
fn pipeline(command: &str) -> Vec<&str> {
    let mut quoted = false;
    command
        .split(|c| {
            quoted ^= c == '\'';
            c == '|' && !quoted
        })
        .collect()
}

fn run(mut shell: Command, command: &str, way: Way) -> Result<()> {
    let (line, limit) = match way {
        Way::Ends => (command.to_owned(), LIMIT),
        // The signal is for connprobe, not for the shell around it.
        Way::UntilInterrupted => (format!("exec {command}"), LIMIT),
        Way::HelpOnly => {
            let words: Vec<_> = command.split_whitespace().take(3).collect();
            (format!("{} --help", words.join(" ")), CARGO_LIMIT)
        }
    };
    shell.arg("-c").arg(line).process_group(0).stdin(Stdio::null());
    let mut child = shell.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn()?;
    let pid = Pid::from_raw(i32::try_from(child.id())?);
    let (stdout, stderr) = (child.stdout.take(), child.stderr.take());
    let interrupted = (way == Way::UntilInterrupted).then_some(pid);
    thread::scope(|scope| {
        let errors = scope.spawn(|| read(stderr, None));
        let lines = scope.spawn(|| read(stdout, interrupted));
        let code = wait(&mut child, pid, limit);
        let (lines, errors) = (lines.join().unwrap_or_default(), errors.join().unwrap_or_default());
        let code = code.with_context(|| format!("stdout: {lines}\nstderr: {errors}"))?;
        ensure!(code == Some(0), "exit code {code:?}\nstdout: {lines}\nstderr: {errors}");
        let into_file = ["--output-file", "--record"].iter().any(|flag| command.contains(flag));
        ensure!(!lines.is_empty() || into_file, "it printed nothing; stderr: {errors}");
        Ok(())
    })
}

/// Everything a stream says. A process to interrupt gets its SIGINT when it has said that it started.
fn read(stream: Option<impl Read>, mut interrupt: Option<Pid>) -> String {
    let (mut said, mut chunk) = (Vec::new(), [0; 4096]);
    let Some(mut stream) = stream else { return String::new() };
    while let Some(length) = stream.read(&mut chunk).ok().filter(|length| *length > 0) {
        said.extend_from_slice(&chunk[..length]);
        if let Some(pid) = interrupt.filter(|_| String::from_utf8_lossy(&said).contains(" start ")) {
            interrupt = kill(pid, Signal::SIGINT).err().map(|_| pid);
        }
    }
    String::from_utf8_lossy(&said).into_owned()
}

/// The exit code. Kills everything the command started when the time is over.
fn wait(child: &mut Child, group: Pid, limit: Duration) -> Result<Option<i32>> {
    let deadline = Instant::now() + limit;
    loop {
        if let Some(status) = child.try_wait()? {
            return Ok(status.code());
        }
        if Instant::now() >= deadline {
            killpg(group, Signal::SIGKILL)?;
            child.wait()?;
            bail!("it did not end within {} s", limit.as_secs());
        }
        thread::sleep(Duration::from_millis(20));
    }
}

/// A connection that works and one that is refused, again and again, so that every example has something to show.
fn traffic(stop: &AtomicBool) {
    let Ok(listener) = TcpListener::bind("127.0.0.1:0") else { return };
    let (Ok(open), Ok(closed)) = (listener.local_addr(), free_port()) else { return };
    while !stop.load(Ordering::Relaxed) {
        if let (Ok(mut client), Ok((mut server, _))) = (TcpStream::connect(open), listener.accept()) {
            let _ = client.write_all(b"hello");
            let _ = server.read(&mut [0; 5]);
        }
        drop(TcpStream::connect(closed));
        thread::sleep(Duration::from_millis(50));
    }
}

/// An address nobody listens on: it was free a moment ago.
fn free_port() -> std::io::Result<SocketAddr> {
    TcpListener::bind("127.0.0.1:0")?.local_addr()
}

#[test]
fn commands_are_the_lines_behind_a_prompt() {
    let page = "$ no\n```console\n$ connprobe ls\ntcp listen\n$ connprobe doctor\n```\n```json\n$ no\n```\n";
    assert_eq!(commands(page).unwrap(), ["connprobe ls", "connprobe doctor"]);
    assert!(commands("```sh\nconnprobe ls\n```\n").is_err());
    assert!(commands("```console\n$ connprobe \\\n```\n").is_err());
}

#[test]
fn what_is_not_known_is_not_run() {
    assert_eq!(way("connprobe trace --failures").unwrap(), Way::UntilInterrupted);
    assert_eq!(way("connprobe trace --count 3 -o json | jq '.a|.b'").unwrap(), Way::Ends);
    assert_eq!(way("cargo xtask run -- trace --duration 5s").unwrap(), Way::HelpOnly);
    let unknown =
        ["rm -r /", "connprobe trace | jq .", "connprobe ls | sh", "connprobe fly", "cargo install x"];
    for command in unknown {
        assert!(way(command).is_err(), "{command}");
    }
}
