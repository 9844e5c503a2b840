//! PostgreSQL that is stopped and started again, and its own clients: libpq held open for long, and `psql` in
//! a loop.

use std::path::{Path, PathBuf};

use anyhow::{Result, ensure};
use e2e::clock::boot_ns;
use e2e::probe::Probe;
use e2e::program::{Program, command, done};
use e2e::records::only;
use serde_json::json;
use tempfile::TempDir;

use super::chain::{Attempt, Comparison, Moment, Saw};
use super::scene::{Backoff, Client, scene, stop};
use crate::scene::Scene;

/// `nobody`: PostgreSQL does not run as root.
const USER: u32 = 65_534;

/// The folders of the installed versions, the newest first: Debian has the server's programs in no `PATH`.
fn folders() -> Vec<PathBuf> {
    let versions = std::fs::read_dir("/usr/lib/postgresql").into_iter().flatten().flatten();
    let mut versions: Vec<(u32, PathBuf)> = versions
        .filter_map(|entry| Some((entry.file_name().to_str()?.parse().ok()?, entry.path().join("bin"))))
        .collect();
    versions.sort_unstable();
    versions.into_iter().rev().map(|(_, bin)| bin).collect()
}

/// A cluster of its own in a folder of its own, and its server.
struct Postgres<'a> {
    scene: &'a Scene,
    folder: TempDir,
    postgres: PathBuf,
    pg_ctl: PathBuf,
    server: Program,
}

impl<'a> Postgres<'a> {
    const PORT: u16 = 5432;

    fn start(scene: &'a Scene, [initdb, postgres, pg_ctl]: [PathBuf; 3]) -> Result<Self> {
        let folder = TempDir::new()?;
        std::os::unix::fs::chown(folder.path(), Some(USER), Some(USER))?;
        let data = folder.path().join("data");
        let mut init = command(&initdb, &["--auth=trust", "--username=postgres", "--no-sync", "--no-locale"]);
        init.args(["--encoding=UTF8", "--pgdata"]).arg(&data).current_dir(folder.path());
        done(init, &scene.net.server, Some(USER))?;
        // The client comes from another address than loopback.
        let rules = format!("host all all {}/32 trust\n", scene.net.client_v4());
        std::fs::write(data.join("pg_hba.conf"), rules)?;
        let server = Self::run(scene, &folder, &postgres)?;
        Ok(Self { scene, folder, postgres, pg_ctl, server })
    }

    /// In the foreground, so that it dies with the test.
    fn run(scene: &Scene, folder: &TempDir, postgres: &Path) -> Result<Program> {
        let data = folder.path().join("data");
        let mut server = command(postgres, &["-D", &data.to_string_lossy()]);
        let at = format!("listen_addresses={}", scene.net.server_v4());
        for setting in
            [&at, "fsync=off", "unix_socket_directories=", "max_connections=10", "shared_buffers=1MB"]
        {
            server.args(["-c", setting]);
        }
        server.arg("-p").arg(Self::PORT.to_string()).current_dir(folder.path());
        let mut server = Program::spawn(server, &scene.net.server, Some(USER))?;
        server.hear("database system is ready to accept connections")?;
        Ok(server)
    }

    /// Stops it as an administrator does.
    fn stop(&mut self, mode: &str) -> Result<()> {
        let data = self.folder.path().join("data");
        let stop = command(&self.pg_ctl, &["stop", "--mode", mode, "--pgdata", &data.to_string_lossy()]);
        done(stop, &self.scene.net.server, Some(USER))?;
        self.server.end().map(drop)
    }

    fn start_again(&mut self) -> Result<()> {
        self.server = Self::run(self.scene, &self.folder, &self.postgres)?;
        Ok(())
    }
}

impl Drop for Postgres<'_> {
    /// At once and with everything it started, which the kill of its first process alone would leave to end
    /// by itself.
    fn drop(&mut self) {
        let _ = self.server.signal(nix::sys::signal::Signal::SIGQUIT);
        let _ = self.server.end();
    }
}

const SERVER: [&str; 3] = ["initdb", "postgres", "pg_ctl"];

/// A libpq client whose server is stopped in this way while it waits for news, and started again.
fn libpq_is_followed(mode: &str) -> Result<()> {
    let Some((scene, programs)) = scene(SERVER, &folders())? else { return Ok(()) };
    let mut server = Postgres::start(&scene, programs)?;
    let probe = Probe::start(&[])?;
    let at = scene.net.server_at(Postgres::PORT);
    let backoff = Backoff { first: 0.1, factor: 1.5, longest: 0.4, patience: 10.0 };
    let mut client = Client::start(&scene.net.client, "libpq", at, backoff)?;
    client.connected()?;
    server.stop(mode)?;
    client.lost()?;
    client.failed(3)?;
    server.start_again()?;
    client.connected()?;
    client.kill()?;
    server.stop("fast")?;
    let ends = stop(&scene, probe)?;
    let mut comparison = Comparison::new();
    comparison.check(&client.log, &ends.client)?;
    comparison.report();
    Ok(())
}

#[test]
fn a_libpq_client_is_followed_while_postgresql_is_stopped_fast_and_started() -> Result<()> {
    libpq_is_followed("fast")
}

#[test]
fn a_libpq_client_is_followed_while_postgresql_is_stopped_immediately_and_started() -> Result<()> {
    libpq_is_followed("immediate")
}

#[test]
fn psql_in_a_loop_is_followed_while_postgresql_is_stopped_and_started() -> Result<()> {
    let Some((scene, [initdb, postgres, pg_ctl, psql])) =
        scene(["initdb", "postgres", "pg_ctl", "psql"], &folders())?
    else {
        return Ok(());
    };
    let mut server = Postgres::start(&scene, [initdb, postgres, pg_ctl])?;
    let probe = Probe::start(&[])?;
    // psql measures nothing: its attempt lies somewhere between its start and its end.
    let once = |log: &mut Vec<Saw>| -> Result<bool> {
        let address = scene.net.server_v4().to_string();
        let words = ["-X", "-h", &address, "-U", "postgres", "-d", "postgres", "-c", "select 1"];
        let from = boot_ns();
        let mut psql = Program::measuring(command(&psql, &words), &scene.net.client)?;
        let status = psql.end()?;
        let to = boot_ns();
        let refused = psql.transcript().contains("Connection refused");
        ensure!(status.success() != refused, "psql ended with {status}: {}", psql.transcript());
        let (begin, end) = (Moment { from, to, known: from }, Moment { from, to, known: to });
        let errno = if refused { Some(111) } else { Some(0) };
        log.push(Saw::Attempt(Attempt { pid: psql.pid().into(), begin, end, errno }));
        log.extend(status.success().then_some(Saw::Left));
        Ok(status.success())
    };
    let mut log = Vec::new();
    ensure!(once(&mut log)? && once(&mut log)?, "psql failed");
    server.stop("fast")?;
    for _ in 0..6 {
        ensure!(!once(&mut log)?, "psql reached a server that was stopped");
    }
    server.start_again()?;
    ensure!(once(&mut log)?, "psql failed");
    server.stop("fast")?;
    let ends = stop(&scene, probe)?;
    let mut comparison = Comparison::new();
    comparison.check(&log, &ends.client)?;
    comparison.report();
    let outage = only(&ends.client, &json!({ "event": "outage" }))?;
    outage.must_be(&json!({ "comm": "psql", "cause": "refused", "error": "ECONNREFUSED" }))
}
