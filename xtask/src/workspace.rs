//! Where the workspace is, and how its commands start other programs.

use std::ffi::OsStr;
use std::io::{IsTerminal as _, stderr};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::{env, fs};

use anyhow::{Context as _, Result, bail};

/// The environment variable that makes `probe`'s build script build the eBPF object, with this toolchain.
pub(crate) const EBPF_TOOLCHAIN: &str = "CONNPROBE_EBPF_TOOLCHAIN";

/// The folder of the workspace's `Cargo.toml`.
pub(crate) fn root() -> PathBuf {
    let package = env::var_os("CARGO_MANIFEST_DIR").unwrap_or_else(|| env!("CARGO_MANIFEST_DIR").into());
    Path::new(&package).parent().unwrap_or(Path::new(".")).to_path_buf()
}

/// The cargo that started this program, in the workspace's folder, without the eBPF build.
pub(crate) fn cargo() -> Command {
    let mut command = Command::new(env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    command.current_dir(root()).env_remove(EBPF_TOOLCHAIN);
    command
}

/// The folder cargo builds into, which the environment or the user's configuration may have moved.
pub(crate) fn target_dir() -> Result<PathBuf> {
    let metadata = output(cargo().args(["metadata", "--no-deps", "--format-version=1", "--quiet"]))?;
    let metadata: serde_json::Value =
        serde_json::from_str(&metadata).context("failed to read the output of `cargo metadata`")?;
    let folder = metadata["target_directory"].as_str().context("`cargo metadata` names no target folder")?;
    Ok(PathBuf::from(folder))
}

/// Finds a program in `PATH` or, as an ordinary user's `PATH` may lack them, in the folders of root's.
pub(crate) fn find(program: &str) -> Option<PathBuf> {
    let path = env::var_os("PATH").unwrap_or_default();
    let folders = env::split_paths(&path).chain(["/usr/sbin".into(), "/sbin".into()]);
    let folders = env::join_paths(folders).unwrap_or(path);
    which::which_in(program, Some(folders), "/").ok()
}

pub(crate) fn is_root() -> bool {
    nix::unistd::geteuid().is_root()
}

/// True where a person watches: progress is shown there and nowhere else.
pub(crate) fn is_watched() -> bool {
    stderr().is_terminal() && env::var_os("CI").is_none()
}

/// Runs a program that reports to the terminal by itself; its failure is an error that names it.
pub(crate) fn status(command: &mut Command) -> Result<()> {
    let status = command.status().with_context(|| format!("failed to start {}", shown(command)))?;
    if !status.success() {
        bail!("{} failed with {status}", shown(command));
    }
    Ok(())
}

/// Runs a program and returns what it wrote to its standard output; its failure is an error that quotes it.
pub(crate) fn output(command: &mut Command) -> Result<String> {
    let output = command
        .stdin(Stdio::null())
        .output()
        .with_context(|| format!("failed to start {}", shown(command)))?;
    if !output.status.success() {
        let said = String::from_utf8_lossy(&output.stderr);
        bail!("{} failed with {}:\n{}", shown(command), output.status, said.trim_end());
    }
    Ok(String::from_utf8_lossy(&output.stdout).into_owned())
}

/// Runs an installer: in full view where a person watches, otherwise silent unless it fails.
/// Nothing reaches standard output, which belongs to the program that `run` starts.
pub(crate) fn install(command: &mut Command) -> Result<()> {
    if is_watched() {
        return status(command.stdin(Stdio::null()).stdout(stderr_handle()?));
    }
    let output = command
        .stdin(Stdio::null())
        .output()
        .with_context(|| format!("failed to start {}", shown(command)))?;
    if !output.status.success() {
        eprint!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
        bail!("{} failed with {}", shown(command), output.status);
    }
    Ok(())
}

/// Standard error, as something a child's standard output can be sent to.
pub(crate) fn stderr_handle() -> Result<Stdio> {
    use std::os::fd::AsFd as _;
    let fd = stderr().as_fd().try_clone_to_owned().context("failed to duplicate standard error")?;
    Ok(Stdio::from(fd))
}

/// The command line as a person would type it.
pub(crate) fn shown(command: &Command) -> String {
    let program = Path::new(command.get_program()).file_name().unwrap_or(command.get_program());
    let words: Vec<_> =
        std::iter::once(program).chain(command.get_args()).map(OsStr::to_string_lossy).collect();
    format!("`{}`", words.join(" "))
}

/// Every file of the workspace that is text and written by hand, in a stable order, relative to `root`.
pub(crate) fn text_files(root: &Path) -> Result<Vec<PathBuf>> {
    let mut found = Vec::new();
    let mut folders = vec![root.to_path_buf()];
    while let Some(folder) = folders.pop() {
        let entries =
            fs::read_dir(&folder).with_context(|| format!("failed to list {}", folder.display()))?;
        for entry in entries {
            let path = entry?.path();
            let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
            if path.is_symlink() || name == ".git" || (folder == root && name == "target") {
                continue;
            } else if path.is_dir() {
                folders.push(path);
            } else if is_text(&path) {
                found.push(path.strip_prefix(root).unwrap_or(&path).to_path_buf());
            }
        }
    }
    found.sort();
    Ok(found)
}

fn is_text(path: &Path) -> bool {
    const ENDINGS: [&str; 9] = ["rs", "toml", "md", "sh", "yml", "yaml", "service", "sql", "js"];
    let ending = path.extension().unwrap_or_default();
    ENDINGS.iter().any(|known| ending == *known) || path.ends_with(".ci/run")
}
