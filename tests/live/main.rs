//! The live door: what is shown is on disk, who is slow or hostile harms nobody else, and every bound holds.

mod bounds;
mod client;
mod durable;
mod fuzz;
mod guest;
mod names;
#[path = "../durability/process.rs"]
#[allow(dead_code, reason = "other tests use the rest of it")]
mod process;
mod restarts;
mod shared;
mod slow;
