//! document.

pub mod at;
pub mod author;
pub mod crdt;
pub mod directory;
pub mod export;
pub mod feed;
pub mod import;
pub mod json;
pub mod order;
pub mod sheet;
mod sorted;
pub mod table;
pub mod view;
