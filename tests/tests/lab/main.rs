//! The fault lab: one connprobe watches every scenario, each in namespaces of its own with a router between them,
//! several at a time. The faults and their scenarios are listed in [`faults`].
//!
//! `CONNPROBE_LAB_RUNS` says how often the whole lab is gone through. At the end the stream is checked as a whole
//! and the matrix of causes is printed: what a scenario wanted against what connprobe gave.

mod aborts;
mod attempt;
mod attempts;
mod faults;
mod lab;
mod life;
mod lifetimes;
mod listeners;
mod ordinary;
mod owners;
mod rejects;
mod stage;
mod timers;
mod transports;

use std::process::ExitCode;

use libtest_mimic::Arguments;

fn main() -> ExitCode {
    stage::run(Arguments::from_args())
}
