//! Installed packages start no service from here.

use std::fs::{self, OpenOptions};
use std::io::Write as _;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};
use std::{io, process};

use anyhow::{Context as _, Result};

/// The file that Debian's `invoke-rc.d` and `deb-systemd-invoke` ask before they start a service.
const POLICY: &str = "/usr/sbin/policy-rc.d";

/// While this lives, a package that is installed does not start its service: the tests want PostgreSQL's
/// programs, and a database that runs on the host is nobody's wish.
pub(crate) struct NoServices(Option<PathBuf>);

impl NoServices {
    /// A policy that is there already stays as it is.
    pub(crate) fn begin() -> Result<Self> {
        Self::at(Path::new(POLICY))
    }

    fn at(path: &Path) -> Result<Self> {
        match OpenOptions::new().write(true).create_new(true).mode(0o755).open(path) {
            Ok(mut file) => {
                let guard = Self(Some(path.to_owned()));
                file.write_all(policy(process::id()).as_bytes())
                    .with_context(|| format!("failed to write {}", path.display()))?;
                Ok(guard)
            }
            Err(e) if e.kind() == io::ErrorKind::AlreadyExists => Ok(Self(None)),
            Err(e) => Err(e).with_context(|| format!("failed to create {}", path.display())),
        }
    }
}

impl Drop for NoServices {
    fn drop(&mut self) {
        if let Some(path) = &self.0
            && let Err(e) = fs::remove_file(path)
        {
            eprintln!("left behind: {}: {e}", path.display());
        }
    }
}

/// Says no (101, see invoke-rc.d(8)) for as long as this process is there, so that the file does no harm
/// should it stay.
fn policy(pid: u32) -> String {
    format!(
        "#!/bin/sh\n# cargo xtask setup is installing packages.\n[ -d /proc/{pid} ] && exit 101\nexit 0\n"
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::process::Command;

    fn answer(pid: u32) -> Option<i32> {
        Command::new("sh")
            .args(["-c", &policy(pid), "policy-rc.d", "postgresql", "start"])
            .status()
            .unwrap()
            .code()
    }

    #[test]
    fn a_policy_forbids_only_while_its_process_is_there() {
        let mut gone = Command::new("true").spawn().unwrap();
        gone.wait().unwrap();
        assert_eq!((answer(process::id()), answer(gone.id())), (Some(101), Some(0)));
    }

    #[test]
    fn a_policy_goes_away_and_somebody_elses_stays() {
        let path = std::env::temp_dir().join(format!("policy-rc.d.{}", process::id()));
        let first = NoServices::at(&path).unwrap();
        drop(NoServices::at(&path).unwrap());
        assert!(path.exists());
        drop(first);
        assert!(!path.exists());
    }
}
