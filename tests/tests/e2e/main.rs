//! End-to-end tests: one file per topic, one behaviour per test.

mod attempts;
mod cli;
mod filters;
mod harness;
mod identity;
mod lab;
mod lab_attempts;
mod lab_identity;
mod lab_lifetimes;
mod lifetimes;
mod listeners;
mod pipe;
mod pre_existing;
mod reconnects;
mod report;
mod resets;
mod scene;
mod throughput;
