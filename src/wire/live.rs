//! The messages of the live door: JSON text frames.

pub mod change;
mod wanted;

pub use wanted::Wanted;
