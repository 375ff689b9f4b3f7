//! document.

pub mod author;
pub mod crdt;
pub mod csv;
pub mod directory;
pub mod json;
pub mod order;
pub mod table;
pub mod view;
