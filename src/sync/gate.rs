//! What may come in: sync messages and changes from peers that nobody can trust.
//!
//! Automerge is not made for hostile bytes. 42 of them make it panic, 126 make two million operations, and one in twenty
//! mutated changes is applied without a word to a document that then saves but never loads again. So nothing reaches it
//! unlooked at:
//!
//! 1. [`open`] reads a message: counts and Bloom headers are bounded before anything uses them, changes are cut out one by
//!    one, whole documents are taken apart into their changes, everything compressed is inflated under a budget, and every
//!    change must write itself out again under its own hash.
//! 2. [`admit`] holds one change against the document: what it builds on, its number in its author's sequence, every object,
//!    element and predecessor it names.
//!
//! - A message that cannot be read is [`BadMessage`]: its socket is closed.
//! - A change that is not taken is a [`Refusal`]: its conversation goes deaf, everybody else goes on.
//! - No panic of the library escapes, and what is admitted neither panics in `apply` nor spoils what is saved.

mod admit;
mod ahead;
mod chunk;
#[cfg(test)]
mod craft;
mod limits;
mod marks;
mod message;
mod ops;
mod refusal;
mod whole;

pub use admit::{Admission, admit, admit_after};
pub use ahead::Ahead;
pub use limits::GateLimits;
pub use message::{Offered, Opened, open, open_file};
pub use refusal::{BadMessage, OperationFault, Refusal};
