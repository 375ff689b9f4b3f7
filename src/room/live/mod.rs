//! A room as the live door sees it.

pub mod board;
pub mod people;
#[cfg(test)]
mod stories;

pub use board::{Board, Frames, Told, Window};
pub use people::{Leaving, LiveUser, Showing};

pub(super) use board::{Ended, Shown};
pub(super) use people::Lives;
