//! A table of a running server as a file.
//!
//! A file that is named is there whole or not at all: it is written beside its place and takes it when all has arrived.

use std::fs::File;
use std::io::{ErrorKind, IsTerminal, Write};
use std::path::{Path, PathBuf};

use super::address::{self, At};
use super::bar::Bar;
use super::http::{self, Ask, Failed};

#[derive(clap::Args)]
pub struct Export {
    /// The table: its id, its automerge: address, or base/name
    table: String,
    /// What to write [default: as the name of the output says, else csv]
    #[arg(long, value_enum)]
    format: Option<Format>,
    /// The rows and columns of this view, by its name or id, in its order
    #[arg(long)]
    view: Option<String>,
    /// Where to write [default: standard output]
    #[arg(long, value_name = "FILE")]
    output: Option<PathBuf>,
    /// Write text that looks like a formula as it is, without the apostrophe that keeps CSV readers from running it
    #[arg(long)]
    raw: bool,
    #[command(flatten)]
    at: At,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
enum Format {
    Csv,
    Xlsx,
}

impl Format {
    fn as_str(self) -> &'static str {
        match self {
            Format::Csv => "csv",
            Format::Xlsx => "xlsx",
        }
    }
}

#[derive(Debug, thiserror::Error)]
enum ExportError {
    #[error(transparent)]
    Failed(#[from] Failed),
    #[error("a workbook is nothing to look at here; say --output FILE")]
    Terminal,
    #[error("cannot write {to}: {why}")]
    Write { to: String, why: std::io::Error },
}

/// Fetches the table and writes it.
pub fn run(export: &Export) -> Result<(), String> {
    match super::runtime()?.block_on(export.write()) {
        // Who reads the output, as head does, has seen enough.
        Err(ExportError::Write { why, .. }) if export.output.is_none() && why.kind() == ErrorKind::BrokenPipe => Ok(()),
        written => written.map_err(|error| error.to_string()),
    }
}

impl Export {
    async fn write(&self) -> Result<(), ExportError> {
        let format = self.format();
        let is_shown = self.output.is_none() && std::io::stdout().is_terminal();
        if format == Format::Xlsx && is_shown {
            return Err(ExportError::Terminal);
        }
        let fields = [
            ("format", Some(format.as_str())),
            ("view", self.view.as_deref()),
            ("raw", self.raw.then_some("true")),
        ];
        let path = address::query(address::table(&self.table, "export"), &fields);
        // What is printed to a terminal shows by itself how far it is.
        let bar = (!is_shown).then(|| Bar::new("Fetching"));
        let mut answer = http::ask(&self.at.server, &Ask::get(path)).await?;
        let mut output = Output::open(self.output.as_deref())?;
        let mut written = 0;
        while let Some(bytes) = answer.next().await? {
            output.write(&bytes)?;
            written += bytes.len() as u64;
            if let Some(bar) = &bar {
                bar.bytes(written, answer.length);
            }
        }
        output.finish()
    }

    fn format(&self) -> Format {
        let named = self.output.as_ref().and_then(|output| output.extension());
        match self.format {
            Some(format) => format,
            None if named.is_some_and(|name| name.eq_ignore_ascii_case("xlsx")) => Format::Xlsx,
            None => Format::Csv,
        }
    }
}

/// Where an export is written to.
enum Output {
    Standard(std::io::Stdout),
    /// A pipe or a device, which has no place that could be taken.
    Device(File, PathBuf),
    File(Beside),
}

/// A file that is written beside the place it is to take. Removed if it does not come to that.
struct Beside {
    file: File,
    path: PathBuf,
    place: PathBuf,
}

impl Output {
    fn open(output: Option<&Path>) -> Result<Self, ExportError> {
        let Some(output) = output else {
            return Ok(Output::Standard(std::io::stdout()));
        };
        // Of a link it is what the link names that is written.
        let place = std::fs::canonicalize(output).unwrap_or_else(|_| output.to_owned());
        let failed = |why| unwritten(output, why);
        if std::fs::metadata(&place).is_ok_and(|there| !there.is_file()) {
            let file = File::options().write(true).open(&place).map_err(failed)?;
            return Ok(Output::Device(file, place));
        }
        let mut name = place.file_name().unwrap_or_default().to_owned();
        name.push(format!(".part-{}", std::process::id()));
        let path = place.with_file_name(name);
        let file = File::create_new(&path).map_err(failed)?;
        Ok(Output::File(Beside { file, path, place }))
    }

    fn write(&mut self, bytes: &[u8]) -> Result<(), ExportError> {
        match self {
            Output::Standard(out) => out
                .write_all(bytes)
                .map_err(|why| unwritten(Path::new("the output"), why)),
            Output::Device(file, path) => file.write_all(bytes).map_err(|why| unwritten(path, why)),
            Output::File(beside) => {
                let wrote = beside.file.write_all(bytes);
                wrote.map_err(|why| unwritten(&beside.place, why))
            }
        }
    }

    /// All of it was written.
    fn finish(self) -> Result<(), ExportError> {
        match self {
            Output::Standard(mut out) => out.flush().map_err(|why| unwritten(Path::new("the output"), why)),
            Output::Device(..) => Ok(()),
            Output::File(beside) => {
                let took = std::fs::rename(&beside.path, &beside.place);
                took.map_err(|why| unwritten(&beside.place, why))
            }
        }
    }
}

impl Drop for Beside {
    fn drop(&mut self) {
        // Not there any more if it has taken its place.
        let _ = std::fs::remove_file(&self.path);
    }
}

fn unwritten(to: &Path, why: std::io::Error) -> ExportError {
    ExportError::Write {
        to: to.display().to_string(),
        why,
    }
}
