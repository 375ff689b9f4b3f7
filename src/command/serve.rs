//! The server as a process: its configuration, its logs, its end.

use std::io::Write;
use std::path::PathBuf;

use roundtable::server::config::{self, Config, ConfigError, LogFormat};
use roundtable::server::start;

#[derive(clap::Args)]
pub struct Serve {
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
    fn config(&self) -> Result<Config, ConfigError> {
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

/// Runs a server until it is asked to end.
pub fn run(serve: &Serve) -> Result<(), String> {
    let config = serve.config().map_err(|error| error.to_string())?;
    write_logs(config.log);
    for variable in config::variables_not_taken() {
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
