//! sync.

pub mod aside;
pub mod bindings;
pub mod conversation;
pub mod gate;
pub mod gossip;
pub mod lane;
pub mod log;
pub mod presence;
