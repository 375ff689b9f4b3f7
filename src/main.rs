//! The command line.

mod command;

use std::process::ExitCode;

use clap::{Parser, Subcommand};
use command::{export, import, serve};

#[global_allocator]
static ALLOCATOR: tikv_jemallocator::Jemalloc = tikv_jemallocator::Jemalloc;

/// How the allocator is set up. By itself it gives memory back only when it is asked for some: a server that has put
/// 2,000 documents to sleep and then idles would keep the memory of all of them. A thread of its own does it at any time.
// SAFETY: the allocator reads a text that ends in a zero byte through the symbol of this name, and nothing else has it.
#[unsafe(export_name = "_rjem_malloc_conf")]
static ALLOCATOR_SETTINGS: &[u8; 43] = b"background_thread:true,dirty_decay_ms:2000\0";

#[derive(Parser)]
#[command(version, about = "A collaboration server for tables and documents")]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Run the server.
    Serve(serve::Serve),
    /// Bring a CSV or XLSX file to a running server: as a new table, whose address is printed, or into one that is there.
    Import(import::Import),
    /// Get a table of a running server as CSV or XLSX.
    Export(export::Export),
}

fn main() -> ExitCode {
    let Arguments { command } = Arguments::parse();
    let result = match command {
        Command::Serve(serve) => serve::run(&serve),
        Command::Import(import) => import::run(&import),
        Command::Export(export) => export::run(&export),
    };
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(message) => {
            eprintln!("roundtable: {message}");
            ExitCode::FAILURE
        }
    }
}
