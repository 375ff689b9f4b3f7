//! The live door's part of a room.

pub mod edits;
mod wish;

pub use wish::{Accepted, NotTaken, Why, Wish};
