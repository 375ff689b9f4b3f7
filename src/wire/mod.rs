//! Bytes and JSON to messages and back.

pub mod cbor;
pub mod json;
pub mod payload;
pub mod read;
pub mod repo;
pub mod table;
pub mod version;
