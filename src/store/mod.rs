//! store.

pub mod committer;
pub mod engine;
pub mod layout;
pub mod memory;
pub mod sled;
