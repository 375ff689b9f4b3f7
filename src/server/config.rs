//! The configuration: every bound and every time of the server, by name.
//!
//! Layers, each over the one before: the defaults below, one TOML file, `ROUNDTABLE_*` variables (`__` between the parts of
//! a name), flags. Times are written with their unit (`15s`, `2m`); sizes are in bytes unless their name says otherwise.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::time::Duration;

use figment::Figment;
use figment::providers::{Env, Format, Serialized, Toml};
use serde::{Deserialize, Serialize};

use crate::room::RoomLimits;
use crate::store::StoreLimits;

#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Config {
    /// Where the server listens. Port 0 takes a free one.
    pub listen: SocketAddr,
    /// The data folder. One server at a time uses it.
    pub data: PathBuf,
    /// How log lines are written.
    pub log: LogFormat,
    /// The memory sled may use for its cache, in bytes.
    pub cache_bytes: u64,
    /// Web origins that may connect, beside the server's own host and loopback; `https://example.org`.
    pub origins: Vec<String>,
    /// Whether the demo page is served and a sample table made in an empty data folder.
    pub demo: bool,
    /// The most a shutdown may take before the process ends anyway.
    #[serde(with = "humantime_serde")]
    pub shutdown: Duration,
    pub sync: SyncLimits,
    pub live: LiveLimits,
    pub sweep: SweepTimes,
    pub store: StoreLimits,
    pub rooms: RoomsLimits,
    pub room: RoomLimits,
    pub rest: RestLimits,
    pub tables: TableTimes,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum LogFormat {
    Plain,
    Json,
}

/// The bounds of the connections of the sync door.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct SyncLimits {
    /// Open sockets, at most; one more is closed with 1013.
    pub connections: usize,
    /// The largest message taken, in bytes. It comes in one frame.
    pub message_bytes: usize,
    /// The largest message taken before a peer has joined, in bytes.
    pub join_bytes: usize,
    /// The bytes of large messages being received at once, over all connections. A connection that would need more is
    /// closed with 1013.
    pub receiving_bytes: usize,
    /// What a connection may receive without a share of `receiving_bytes`, in bytes.
    pub receiving_free_bytes: usize,
    /// Documents that one connection has open; a request for one more is answered unavailable.
    pub documents: usize,
    /// Documents that nobody has, and that one connection waits for.
    pub unknown_documents: usize,
    /// Messages of a connection that wait for their document, in bytes; beyond it the connection is not read.
    pub waiting_bytes: usize,
    /// Answers made from a document that wait for the disk or the socket, in bytes per connection; beyond it no further one
    /// is made.
    pub parked_bytes: usize,
    /// Answers being made at once for one connection.
    pub catch_ups: usize,
    /// The largest frame of an ephemeral message, in bytes; a larger one is ignored.
    pub ephemeral_bytes: usize,
    /// Ephemeral messages that wait for one connection; the oldest are dropped.
    pub lane_messages: usize,
    /// Their payloads, in bytes; likewise.
    pub lane_bytes: usize,
    /// Frames that are no document's and wait for the socket; beyond it the connection is not read.
    pub replies: usize,
    /// Storage ids whose heads one connection follows.
    pub followed_storages: usize,
    /// A message with more bytes than this is worked on off the runtime.
    pub light_bytes: usize,
}

impl Default for SyncLimits {
    fn default() -> Self {
        Self {
            connections: 100_000,
            message_bytes: 64 << 20,
            join_bytes: 64 << 10,
            receiving_bytes: 1 << 30,
            receiving_free_bytes: 64 << 10,
            documents: 10_000,
            unknown_documents: 1_000,
            waiting_bytes: 1 << 20,
            parked_bytes: 8 << 20,
            catch_ups: 4,
            ephemeral_bytes: 128 << 10,
            lane_messages: 1_024,
            lane_bytes: 1 << 20,
            replies: 1_024,
            followed_storages: 1_000,
            light_bytes: 16 << 10,
        }
    }
}

/// The bounds of the connections of the live door. They count among those of `sync.connections`.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct LiveLimits {
    /// The largest message taken, in bytes.
    pub message_bytes: usize,
    /// The JSON values in one message.
    pub message_values: usize,
    /// Requests of a connection that wait for those before them; beyond it the connection is not read.
    pub waiting: usize,
    /// Edits of a connection that are made and wait for the disk; likewise.
    pub unconfirmed: usize,
    /// Frames that answer a connection's requests and wait for the socket; likewise.
    pub replies: usize,
    /// Their bytes; beyond it no further request is done.
    pub replies_bytes: usize,
    /// Tables that one connection follows.
    pub subscriptions: usize,
    /// Rows of a window.
    pub window_rows: usize,
    /// Different windows and views of one table that are followed at once.
    pub panes: usize,
    /// Changes that had waited without a connection, in one message.
    pub offline_changes: usize,
}

impl Default for LiveLimits {
    fn default() -> Self {
        Self {
            message_bytes: 1 << 20,
            message_values: 100_000,
            waiting: 64,
            unconfirmed: 256,
            replies: 1_024,
            replies_bytes: 4 << 20,
            subscriptions: 64,
            window_rows: 1_000,
            panes: 2_000,
            offline_changes: 500,
        }
    }
}

/// The times of the sweeper, the one task that looks after everything that ends by itself.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct SweepTimes {
    /// How often it looks.
    #[serde(with = "humantime_serde")]
    pub every: Duration,
    /// A socket that has not joined by then is closed.
    #[serde(with = "humantime_serde")]
    pub join_timeout: Duration,
    /// A socket that was silent for this long is pinged; after two of these without an answer it is closed.
    #[serde(with = "humantime_serde")]
    pub keepalive: Duration,
    /// A socket that takes no byte for this long while frames wait is closed.
    #[serde(with = "humantime_serde")]
    pub stall_timeout: Duration,
}

impl Default for SweepTimes {
    fn default() -> Self {
        Self {
            every: Duration::from_secs(1),
            join_timeout: Duration::from_secs(10),
            keepalive: Duration::from_secs(15),
            stall_timeout: Duration::from_secs(60),
        }
    }
}

/// The bounds over all rooms.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct RoomsLimits {
    /// Rooms open at once; a request for one more is answered unavailable.
    pub open: usize,
    /// Documents being loaded at once; the others wait their turn.
    pub loads: usize,
}

impl Default for RoomsLimits {
    fn default() -> Self {
        Self {
            open: 500_000,
            loads: 8,
        }
    }
}

/// The bounds of REST.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct RestLimits {
    /// The largest body taken, in bytes; files have their own bound.
    pub body_bytes: usize,
    /// The largest file taken, in bytes.
    pub file_bytes: usize,
    /// The bytes of all bodies being received and worked on; a request that would need more is told to come back.
    pub receiving_bytes: usize,
    /// Bulk writes and imports under way at once; a request for one more is told to come back.
    pub bulk_writes: usize,
    /// How long a slice of a bulk write takes at least while somebody has the table open, so that their browsers keep up.
    #[serde(with = "humantime_serde")]
    pub bulk_pace: Duration,
    /// Files and lists of edits being read and checked at once; a request for one more waits its turn.
    pub checks: usize,
    /// Files being sent at once; a request for one more waits its turn.
    pub exports: usize,
    /// A file that was not taken whole by then is given up.
    #[serde(with = "humantime_serde")]
    pub export_time: Duration,
}

impl Default for RestLimits {
    fn default() -> Self {
        Self {
            body_bytes: 16 << 20,
            file_bytes: 64 << 20,
            receiving_bytes: 256 << 20,
            bulk_writes: 64,
            bulk_pace: Duration::from_millis(200),
            checks: 1,
            exports: 8,
            export_time: Duration::from_secs(600),
        }
    }
}

/// The times of tables.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct TableTimes {
    /// What was deleted longer ago is purged.
    #[serde(with = "humantime_serde")]
    pub retention: Duration,
    /// How often a table that is awake is looked through for it.
    #[serde(with = "humantime_serde")]
    pub clean_every: Duration,
}

impl Default for TableTimes {
    fn default() -> Self {
        Self {
            retention: Duration::from_secs(30 * 24 * 60 * 60),
            clean_every: Duration::from_secs(60 * 60),
        }
    }
}

impl Default for Config {
    fn default() -> Self {
        Self {
            listen: ([127, 0, 0, 1], 4000).into(),
            data: "./data".into(),
            log: LogFormat::Plain,
            cache_bytes: 128 << 20,
            origins: Vec::new(),
            demo: true,
            shutdown: Duration::from_secs(10),
            sync: SyncLimits::default(),
            live: LiveLimits::default(),
            sweep: SweepTimes::default(),
            store: StoreLimits::default(),
            rooms: RoomsLimits::default(),
            room: RoomLimits::default(),
            rest: RestLimits::default(),
            tables: TableTimes::default(),
        }
    }
}

/// Why there is no configuration.
#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    #[error("the configuration file {0} is not there")]
    NoFile(PathBuf),
    #[error("{0:?} is not a setting: write NAME=VALUE, as in sweep.keepalive=20s")]
    NotASetting(String),
    #[error("the configuration does not hold together: {}", one_line(&.0.to_string()))]
    Invalid(#[from] Box<figment::Error>),
}

/// A file that does not parse is shown with its line and a pointer below it; of that the words are kept.
fn one_line(text: &str) -> String {
    let is_picture = |line: &str| {
        line.trim_start_matches(|c: char| c.is_ascii_digit() || c == ' ')
            .starts_with('|')
    };
    let words: Vec<_> = text.lines().filter(|line| !is_picture(line)).map(str::trim).collect();
    words.join(", ")
}

impl Config {
    /// Lays the layers over one another. `settings` are `name=value` pairs, the names with dots.
    pub fn load(file: Option<&Path>, settings: &[String]) -> Result<Self, ConfigError> {
        let mut layers = Figment::from(Serialized::defaults(Self::default()));
        if let Some(file) = file {
            if !file.is_file() {
                return Err(ConfigError::NoFile(file.into()));
            }
            layers = layers.merge(Toml::file_exact(file));
        }
        layers = layers.merge(variables().filter(|name| is_setting(name.as_str())).split("__"));
        for setting in settings {
            let Some((name, value)) = setting.split_once('=') else {
                return Err(ConfigError::NotASetting(setting.clone()));
            };
            let value: figment::value::Value = value.parse().unwrap_or_else(|_| value.into());
            layers = layers.merge(Serialized::default(name.trim(), value));
        }
        layers.extract().map_err(|error| ConfigError::Invalid(Box::new(error)))
    }
}

/// The variables that look like settings and are none: other programs may own them, or they are misspelt.
pub fn variables_not_taken() -> Vec<String> {
    let others = variables().filter(|name| !is_setting(name.as_str()));
    others
        .iter()
        .map(|(name, _)| format!("{PREFIX}{}", name.as_str().to_ascii_uppercase()))
        .collect()
}

const PREFIX: &str = "ROUNDTABLE_";

fn variables() -> Env {
    // These belong to the command line.
    Env::prefixed(PREFIX).ignore(&["config", "server"])
}

/// Whether the first part of a variable's name is a setting. What follows is checked when the layers come together.
fn is_setting(name: &str) -> bool {
    let first = name.split("__").next().unwrap_or(name).to_ascii_lowercase();
    serde_json::to_value(Config::default()).is_ok_and(|settings| settings.get(&first).is_some())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn settings(list: &[&str]) -> Vec<String> {
        list.iter().map(ToString::to_string).collect()
    }

    #[test]
    fn flags_lie_over_the_file_and_the_file_over_the_defaults() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("roundtable.toml");
        std::fs::write(
            &file,
            "listen = '127.0.0.1:1'\n[sweep]\nkeepalive = '1m'\njoin_timeout = '3s'\n",
        )
        .unwrap();
        let config = Config::load(Some(&file), &settings(&["sweep.keepalive=2s", "room.log.changes=7"])).unwrap();
        assert_eq!(config.listen.port(), 1);
        assert_eq!(config.sweep.keepalive, Duration::from_secs(2));
        assert_eq!(config.sweep.join_timeout, Duration::from_secs(3));
        assert_eq!(config.room.log.changes, 7);
        assert_eq!(config.sync.message_bytes, 64 << 20);
    }

    #[test]
    fn a_name_that_is_none_and_a_value_that_does_not_fit_are_named() {
        let unknown = Config::load(None, &settings(&["sweep.keepalife=2s"]))
            .unwrap_err()
            .to_string();
        assert!(unknown.contains("keepalife"), "{unknown}");
        let unfit = Config::load(None, &settings(&["sweep.keepalive=soon"]))
            .unwrap_err()
            .to_string();
        assert!(unfit.contains("keepalive"), "{unfit}");
        let bare = Config::load(None, &settings(&["listen"])).unwrap_err().to_string();
        assert!(bare.contains("NAME=VALUE"), "{bare}");
        assert!(matches!(
            Config::load(Some(Path::new("/nowhere.toml")), &[]),
            Err(ConfigError::NoFile(_))
        ));
    }
}
