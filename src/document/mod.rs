//! document.

pub mod author;
pub mod crdt;
pub mod csv;
pub mod order;
pub mod table;
pub mod view;
