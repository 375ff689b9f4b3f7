//! Roundtable: a collaboration server for tables and documents.

pub mod id;

pub mod document;
pub mod sync;
pub mod wire;

pub mod store;

pub mod room;

pub mod client;
pub mod server;
