//! The live door: what is shown is on disk, who is slow or hostile harms nobody else, and every bound holds.

mod bounds;
mod durable;
mod fuzz;
mod guest;
mod shared;
mod slow;
