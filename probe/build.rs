//! Puts the eBPF object where `probe` includes it from: `$OUT_DIR/probe-ebpf`.
//!
//! The object needs a compiler for the BPF target, its library source and bpf-linker, which plain
//! `cargo check`, `clippy`, `test` and `doc` must not ask for. So it is built only when `cargo xtask` names
//! a rustup toolchain for it; otherwise an empty file takes its place, and the loader says so.

use std::path::Path;
use std::{env, fs};

use anyhow::{Context as _, Result};
use aya_build::{Package, Toolchain};

/// Set by `cargo xtask build`, `run` and `test` to the rustup toolchain that compiles `probe-ebpf`.
const TOOLCHAIN: &str = "CONNPROBE_EBPF_TOOLCHAIN";
const OBJECT: &str = "probe-ebpf";
/// What the object is made of, seen from this package: its own source, the wire types, the locked versions
/// and the profile it is built with. Cargo follows none of these by itself.
const SOURCES: [&str; 4] = ["../probe-ebpf", "../probe-common", "../Cargo.lock", "../Cargo.toml"];

fn main() -> Result<()> {
    println!("cargo::rerun-if-changed=build.rs");
    println!("cargo::rerun-if-env-changed={TOOLCHAIN}");

    match env::var(TOOLCHAIN) {
        Ok(toolchain) if !toolchain.is_empty() => build_object(&toolchain),
        _ => write_stub(),
    }
}

fn build_object(toolchain: &str) -> Result<()> {
    for source in SOURCES {
        println!("cargo::rerun-if-changed={source}");
    }
    prepare_environment();
    aya_build::build_ebpf(
        [Package { name: OBJECT, root_dir: "../probe-ebpf", ..Package::default() }],
        Toolchain::Custom(toolchain),
    )
    .context("failed to build the eBPF object: run `cargo xtask setup`")
}

/// Sets what the cargo that aya-build starts is told through the environment.
///
/// `RUSTC_BOOTSTRAP`: a stable compiler refuses `-Z build-std` without it. Not set by xtask, because cargo
/// makes it part of the fingerprint of every crate: the host's would all be rebuilt.
/// `CARGO_TERM_QUIET`: aya-build turns each line of progress into a warning of this package.
fn prepare_environment() {
    #[allow(unsafe_code, reason = "the environment is how aya-build is told, and setting it is unsafe")]
    // SAFETY: no other thread of this build script has been started yet.
    unsafe {
        env::set_var("RUSTC_BOOTSTRAP", "1");
        env::set_var("CARGO_TERM_QUIET", "true");
    }
}

fn write_stub() -> Result<()> {
    let out_dir = env::var_os("OUT_DIR").context("OUT_DIR is not set: run this through cargo")?;
    let object = Path::new(&out_dir).join(OBJECT);
    fs::write(&object, b"").with_context(|| format!("failed to write {}", object.display()))
}
