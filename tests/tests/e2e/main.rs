//! End-to-end tests: one file per topic, one behaviour per test.

mod cli;
mod filters;
mod harness;
mod pipe;
mod pre_existing;
mod reconnects;
mod report;
mod scene;
mod throughput;
