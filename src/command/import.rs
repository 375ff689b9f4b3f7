//! A file to a running server: a new table, rows behind those of a table, or over them by a key.
//!
//! The import is one request with an idempotency key made up before. Whenever the connection or the server is lost, the same
//! request is sent again: the server goes on behind what it has on disk, so that every row is there once.

use std::path::PathBuf;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use bytes::Bytes;
use hyper::header::{HeaderName, LOCATION};
use hyper::{Method, StatusCode};
use serde::Deserialize;

use super::address::{self, Address, At};
use super::again::Again;
use super::bar::Bar;
use super::events::Events;
use super::http::{self, Answer, Ask, Failed, Problem};

#[derive(clap::Args)]
pub struct Import {
    /// An XLSX file, or a CSV file: UTF-8, or UTF-16 with a byte order mark; comma, semicolon or tab
    file: PathBuf,
    /// The title of the new table [default: the name of the file]
    #[arg(long, conflicts_with = "into")]
    title: Option<String>,
    /// The base in which the new table gets a name
    #[arg(long, requires = "name", conflicts_with = "into")]
    base: Option<String>,
    /// Its name in the base
    #[arg(long, requires = "base")]
    name: Option<String>,
    /// Bring the rows into this table instead: its id, its automerge: address, or base/name
    #[arg(long, value_name = "TABLE")]
    into: Option<String>,
    /// Change the rows that have the same value in this column, by its name or id, and add only the others
    #[arg(long, value_name = "COLUMN", requires = "into")]
    key: Option<String>,
    /// The sheet of a workbook [default: the first]
    #[arg(long)]
    sheet: Option<String>,
    /// For how many seconds to try again when the server or the connection is lost
    #[arg(long, value_name = "SECONDS", default_value_t = 120)]
    patience: u64,
    #[command(flatten)]
    at: At,
}

#[derive(Debug, thiserror::Error)]
enum ImportError {
    #[error(transparent)]
    Failed(#[from] Failed),
    #[error("{failed}; gave up after {patience:?} in which nothing went on{}", left(.began))]
    GaveUp {
        failed: Failed,
        patience: Duration,
        began: Option<String>,
    },
    #[error("{problem}{}", left(.began))]
    Ended { problem: Problem, began: Option<String> },
}

/// What is left of an import that had begun.
fn left(began: &Option<String>) -> String {
    match began {
        Some(table) => format!("; what was written before that is in {table}"),
        None => String::new(),
    }
}

/// What an import has come to.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Imported {
    url: String,
    rows: usize,
    changed_rows: usize,
    columns: usize,
}

/// An import that has begun.
#[derive(Deserialize)]
struct Begun {
    url: String,
}

/// How far an import is.
#[derive(Debug, Deserialize)]
struct Progress {
    state: State,
    slices: u64,
    done: u64,
    problem: Option<Problem>,
    answer: Option<Imported>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
enum State {
    Running,
    Done,
    Stopped,
    Failed,
}

/// Imports the file, and says what it has come to.
pub fn run(import: &Import) -> Result<(), String> {
    let of_file = |error: &dyn std::fmt::Display| format!("{}: {error}", import.file.display());
    let file = std::fs::read(&import.file).map_err(|error| of_file(&error))?;
    let request = import.request(file.into());
    let sending = async {
        let patience = Duration::from_secs(import.patience);
        Sending::new(&import.at.server, patience).finish(&request).await
    };
    let imported = super::runtime()?.block_on(sending).map_err(|error| of_file(&error))?;
    match import.into {
        None => eprintln!("{} rows, {} columns, saved", imported.rows, imported.columns),
        Some(_) => eprintln!("{} rows new, {} changed, saved", imported.rows, imported.changed_rows),
    }
    println!("{}", imported.url);
    Ok(())
}

impl Import {
    /// The request that is sent, as often as it takes.
    fn request(&self, file: Bytes) -> Ask {
        let sheet = ("sheet", self.sheet.as_deref());
        let path = match &self.into {
            Some(table) => {
                let mode = if self.key.is_some() { "update" } else { "append" };
                let fields = [("mode", Some(mode)), ("key", self.key.as_deref()), sheet];
                address::query(address::table(table, "import"), &fields)
            }
            None => {
                let named = || self.file.file_stem().map(|name| name.to_string_lossy().into_owned());
                let title = self.title.clone().or_else(named);
                let (base, name) = (self.base.as_deref(), self.name.as_deref());
                let fields = [("title", title.as_deref()), ("base", base), ("name", name), sheet];
                address::query("/v1/imports".into(), &fields)
            }
        };
        let headers = [("idempotency-key", new_key()), ("prefer", "respond-async".to_owned())];
        Ask {
            method: Method::POST,
            path,
            headers: headers
                .map(|(name, value)| (HeaderName::from_static(name), value))
                .into(),
            body: file,
        }
    }
}

/// An idempotency key nobody else has. It begins with the time, which tells the server how long to remember it.
fn new_key() -> String {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    format!("{:013}-{}", now.as_millis(), uuid::Uuid::new_v4().simple())
}

/// An import on its way.
struct Sending<'a> {
    server: &'a Address,
    patience: Duration,
    again: Again,
    bar: Bar,
    /// Whether the server has ever been there: one that never was is more likely a wrong address.
    met: bool,
    /// The table, once the server has begun with it.
    began: Option<String>,
    /// Slices that are on disk.
    done: u64,
    /// Whether it was said that something was lost.
    said: bool,
}

/// What one sending of the request has come to.
enum Outcome {
    Imported(Imported),
    /// The server has ended it before its end.
    Ended(Problem),
}

impl<'a> Sending<'a> {
    fn new(server: &'a Address, patience: Duration) -> Self {
        Self {
            server,
            patience,
            again: Again::new(patience, Instant::now()),
            bar: Bar::new("Sending the file"),
            met: false,
            began: None,
            done: 0,
            said: false,
        }
    }

    /// Sends the request until it was done, or was refused, or nothing goes on any more.
    async fn finish(mut self, request: &Ask) -> Result<Imported, ImportError> {
        loop {
            let failed = match self.once(request).await {
                Ok(Outcome::Imported(imported)) => return Ok(imported),
                Ok(Outcome::Ended(problem)) => {
                    let began = self.began.take();
                    return Err(ImportError::Ended { problem, began });
                }
                Err(failed) => failed,
            };
            self.met |= !matches!(failed, Failed::Unreachable { .. });
            if !(self.met && failed.may_pass()) {
                return Err(failed.into());
            }
            let Some(pause) = self.again.pause(Instant::now()) else {
                let (patience, began) = (self.patience, self.began.take());
                return Err(ImportError::GaveUp {
                    failed,
                    patience,
                    began,
                });
            };
            self.bar.say("Trying again");
            if !std::mem::replace(&mut self.said, true) {
                self.bar.note(&format!("{failed}; trying again"));
            }
            tokio::time::sleep(pause).await;
        }
    }

    /// Sends the request once and follows what becomes of it.
    async fn once(&mut self, request: &Ask) -> Result<Outcome, Failed> {
        let answer = http::ask(self.server, request).await?;
        self.met = true;
        if answer.status != StatusCode::ACCEPTED {
            // It was done before; the answer was lost.
            return answer.json().await.map(Outcome::Imported);
        }
        let Some(progress) = answer.header(LOCATION) else {
            return Err(answer.strange("it does not say where the progress is"));
        };
        let begun: Begun = answer.json().await?;
        self.began = Some(begun.url);
        self.bar.say("Saving");
        let events = http::ask(self.server, &Ask::get(format!("{progress}/events"))).await?;
        self.follow(events).await
    }

    async fn follow(&mut self, mut stream: Answer) -> Result<Outcome, Failed> {
        let mut events = Events::default();
        while let Some(bytes) = stream.next().await? {
            let told = events.take(&bytes).map_err(|error| stream.strange(error))?;
            for data in told {
                let progress: Progress = serde_json::from_str(&data).map_err(|error| stream.strange(error))?;
                self.went_on(&progress);
                match (progress.state, progress.answer, progress.problem) {
                    (State::Running, _, _) => {}
                    (State::Done, Some(imported), _) => return Ok(Outcome::Imported(imported)),
                    (State::Failed | State::Stopped, _, Some(problem)) if !Failed::passes(problem.status) => {
                        return Ok(Outcome::Ended(problem));
                    }
                    // The server is about to end, or has ended since. Sent again, the import goes on.
                    (_, _, problem) => {
                        let why = problem.map_or("the server stopped".into(), |problem| problem.to_string());
                        return Err(stream.lost(why));
                    }
                }
            }
        }
        Err(stream.lost("it ended too early".into()))
    }

    fn went_on(&mut self, progress: &Progress) {
        self.bar.parts(progress.done, progress.slices);
        if progress.done > self.done {
            self.done = progress.done;
            self.said = false;
            self.again.went_on(Instant::now());
        }
    }
}
