//! Bytes and JSON to messages and back.

pub mod cbor;
pub mod json;
pub mod live;
pub mod payload;
pub mod read;
pub mod repo;
pub mod table;
pub mod version;
