//! Bytes to messages and back, without opinions about what the messages mean.

pub mod cbor;
pub mod json;
pub mod payload;
pub mod repo;
pub mod table;
