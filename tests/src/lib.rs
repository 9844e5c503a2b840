//! End-to-end tests of connprobe: the built binary, the real kernel, network namespaces of their own.
//!
//! The modules in the order a test uses them: [`need`] decides whether this machine can run it, [`net`] makes
//! the namespaces, [`busy`] keeps the CPUs occupied, [`fault`] and [`cgroup`] break, [`peer`] steers the programs
//! whose connections are watched ([`actor`], [`uring`], [`flood`] and [`ordinary`] run inside those programs),
//! [`program`] starts real ones, [`probe`] runs connprobe, [`records`] selects from what it printed, [`matrix`]
//! counts causes, [`witness`] knows what no program on a tracepoint could see.
//!
//! `CONNPROBE_BIN` names the binary. A test that cannot run prints `SKIP <test>: <reason>`; with `CI` or
//! `CONNPROBE_REQUIRE_ALL` in the environment that is a failure.
#![allow(
    unsafe_code,
    reason = "pre_exec, fork and setns have no safe form, and they are what these tests are made of"
)]

pub mod actor;
pub mod busy;
pub mod cgroup;
pub mod clock;
pub mod fault;
pub mod flood;
pub mod matrix;
pub mod need;
pub mod net;
pub mod ordinary;
pub mod peer;
pub mod probe;
pub mod program;
pub mod records;
pub mod run;
pub mod uring;
pub mod witness;
