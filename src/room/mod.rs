//! room.

pub mod inbox;
