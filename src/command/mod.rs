//! The commands, behind the command line.
//!
//! `import` and `export` are programs like any other at the REST door: they speak HTTP to a running server and know nothing
//! of its inside, so that what they can do everybody can do.
//!
//! - [`address`]: where the server is, and what is asked of it. [`http`]: one request and its answer. [`events`]: an answer
//!   that goes on for long. [`again`]: how long something lost is tried again. [`bar`]: how far it is, for a person.
//! - Standard output has what a script wants (an address, a file); everything said to a person goes to standard error.

mod address;
mod again;
mod bar;
mod events;
pub mod export;
mod http;
pub mod import;
pub mod serve;

/// The runtime of a command that asks one thing after the other.
fn runtime() -> Result<tokio::runtime::Runtime, String> {
    tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(|error| format!("the runtime cannot be started: {error}"))
}
