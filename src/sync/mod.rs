//! Floor 1: the sync protocol and presence, pure. Bytes, time and randomness come in as arguments, results go out as values.

pub mod aside;
pub mod bindings;
pub mod conversation;
pub mod gate;
pub mod gossip;
pub mod lane;
pub mod log;
pub mod presence;
pub mod replica;
