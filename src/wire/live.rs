//! The live door's messages: JSON text, one message a frame.

pub mod presence;
