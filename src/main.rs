//! The command line.

use std::io::Write;
use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Parser, Subcommand};
use roundtable::client::{self, TransferOptions};
use roundtable::id::DocumentId;
use roundtable::server::config::{Config, LogFormat};
use roundtable::server::start;

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
    Serve(Serve),
    /// Make a new table of a CSV or XLSX file on a running server, and print its address.
    Import(Import),
    /// Print a table of a running server as CSV.
    Export(Export),
}

#[derive(clap::Args)]
struct Import {
    /// An XLSX file, or a CSV file: UTF-8, or UTF-16 with a byte order mark; comma, semicolon or tab
    file: PathBuf,
    /// The title of the table [default: the name of the file]
    #[arg(long)]
    title: Option<String>,
    #[command(flatten)]
    server: At,
}

#[derive(clap::Args)]
struct Export {
    /// The address of the table: automerge:<id>, or the id alone
    address: String,
    #[command(flatten)]
    server: At,
}

#[derive(clap::Args)]
struct At {
    /// The sync door of the server
    #[arg(
        long = "server",
        value_name = "URL",
        default_value = "ws://127.0.0.1:4000/sync",
        env = "ROUNDTABLE_SERVER"
    )]
    url: String,
}

#[derive(clap::Args)]
struct Serve {
    /// Where to listen; port 0 takes a free one [default: 127.0.0.1:4000]
    #[arg(long, value_name = "ADDRESS:PORT")]
    listen: Option<String>,
    /// The data folder [default: ./data]
    #[arg(long, value_name = "FOLDER")]
    data: Option<PathBuf>,
    /// A TOML file with settings
    #[arg(long, value_name = "FILE", env = "ROUNDTABLE_CONFIG")]
    config: Option<PathBuf>,
    /// One setting, as in sweep.keepalive=20s; may be given many times
    #[arg(long = "set", value_name = "NAME=VALUE")]
    settings: Vec<String>,
}

impl Serve {
    fn config(&self) -> Result<Config, roundtable::server::config::ConfigError> {
        let mut settings = self.settings.clone();
        settings.extend(self.listen.iter().map(|listen| format!("listen={listen:?}")));
        settings.extend(
            self.data
                .iter()
                .map(|data| format!("data={:?}", data.display().to_string())),
        );
        Config::load(self.config.as_deref(), &settings)
    }
}

fn main() -> ExitCode {
    let Arguments { command } = Arguments::parse();
    let result = match command {
        Command::Serve(serve) => run_server(&serve),
        Command::Import(import) => run_import(&import),
        Command::Export(export) => run_export(&export),
    };
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(message) => {
            eprintln!("roundtable: {message}");
            ExitCode::FAILURE
        }
    }
}

fn run_server(serve: &Serve) -> Result<(), String> {
    let config = serve.config().map_err(|error| error.to_string())?;
    write_logs(config.log);
    for variable in roundtable::server::config::variables_not_taken() {
        tracing::warn!(variable, "this variable is not a setting");
    }
    let open_files = rlimit::increase_nofile_limit(u64::MAX).unwrap_or(0);
    tracing::info!(open_files, "raised the limit of open files");
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
        .map_err(|error| format!("the runtime cannot be started: {error}"))?;
    let ended = runtime.block_on(async {
        // Caught from the beginning: whoever has read the address may end the server.
        let asked_to_end = wait_for_signal();
        let running = start::start(config).await.map_err(|error| error.to_string())?;
        println!("Roundtable is at http://{}/", running.address);
        let _ = std::io::stdout().flush();
        asked_to_end.await;
        tracing::info!("shutting down");
        match running.drain().await {
            true => Ok(()),
            false => Err("the shutdown took longer than it may; everything acknowledged is on disk".into()),
        }
    });
    // Work that goes on beyond its time does not keep the process.
    runtime.shutdown_background();
    ended
}

fn run_import(import: &Import) -> Result<(), String> {
    let Import { file, title, server } = import;
    let bytes = std::fs::read(file).map_err(|error| format!("{}: {error}", file.display()))?;
    let name = || {
        file.file_stem()
            .map(|name| name.to_string_lossy().into_owned())
            .unwrap_or_default()
    };
    let title = title.clone().unwrap_or_else(name);
    let imported = client_runtime()?
        .block_on(client::import_csv(
            &server.url,
            &title,
            &bytes,
            &TransferOptions::default(),
        ))
        .map_err(|error| format!("{}: {error}", file.display()))?;
    eprintln!("{} rows, {} columns, saved", imported.rows, imported.columns);
    println!("{}", imported.document.url());
    Ok(())
}

fn run_export(export: &Export) -> Result<(), String> {
    let id = DocumentId::parse_address(&export.address).map_err(|error| error.to_string())?;
    let exported = client_runtime()?
        .block_on(client::export_csv(&export.server.url, &id, &TransferOptions::default()))
        .map_err(|error| error.to_string())?;
    std::io::stdout()
        .write_all(exported.csv.text.as_bytes())
        .map_err(|error| format!("cannot write: {error}"))
}

fn client_runtime() -> Result<tokio::runtime::Runtime, String> {
    tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
        .map_err(|error| format!("the runtime cannot be started: {error}"))
}

/// Logs go to standard error: standard output has the address, once, for scripts.
fn write_logs(format: LogFormat) {
    let filter = tracing_subscriber::EnvFilter::try_from_default_env().unwrap_or_else(|_| "info".into());
    let logs = tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(std::io::stderr);
    match format {
        LogFormat::Plain => logs.init(),
        LogFormat::Json => logs.json().init(),
    }
}

/// Sets the handlers at once; the future is done when a signal came.
fn wait_for_signal() -> impl Future<Output = ()> {
    use tokio::signal::unix::{SignalKind, signal};
    let mut terminate = signal(SignalKind::terminate()).expect("a handler for SIGTERM can be set");
    let mut interrupt = signal(SignalKind::interrupt()).expect("a handler for SIGINT can be set");
    async move {
        tokio::select! {
            _ = interrupt.recv() => {}
            _ = terminate.recv() => {}
        }
    }
}
