//! wire.

pub mod repo;
