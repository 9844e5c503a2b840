//! Bytes to [`Event`].
pub mod event;
