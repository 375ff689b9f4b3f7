//! The live door's part of a room.

pub mod edits;
mod granting;
mod wish;

pub use edits::{Granted, Hand, NotDone, need};
pub use wish::{Accepted, NotTaken, Why, Wish};
