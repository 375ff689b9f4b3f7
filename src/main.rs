//! The command line.

use std::io::Write;
use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Parser, Subcommand};
use roundtable::server::config::{Config, LogFormat};
use roundtable::server::start;

#[global_allocator]
static ALLOCATOR: tikv_jemallocator::Jemalloc = tikv_jemallocator::Jemalloc;

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
    let open_files = rlimit::increase_nofile_limit(u64::MAX).unwrap_or(0);
    tracing::info!(open_files, "raised the limit of open files");
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
        .map_err(|error| format!("the runtime cannot be started: {error}"))?;
    runtime.block_on(async {
        let running = start::start(config).await.map_err(|error| error.to_string())?;
        println!("Roundtable is at http://{}/", running.address);
        let _ = std::io::stdout().flush();
        wait_for_signal().await;
        tracing::info!("shutting down");
        match running.drain().await {
            true => Ok(()),
            false => Err("the shutdown took longer than it may; everything acknowledged is on disk".into()),
        }
    })
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

async fn wait_for_signal() {
    use tokio::signal::unix::{SignalKind, signal};
    let mut terminate = signal(SignalKind::terminate()).expect("a handler for SIGTERM can be set");
    tokio::select! {
        _ = tokio::signal::ctrl_c() => {}
        _ = terminate.recv() => {}
    }
}
