//! The real server in a process of its own, and what the kernel says about it.

#![allow(dead_code, reason = "each program uses its part of it")]

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

/// A server that runs on a folder of its own, and ends with this value.
pub struct Server {
    child: Child,
    address: SocketAddr,
    folder: tempfile::TempDir,
    settings: Vec<String>,
}

impl Server {
    /// Starts the binary of this very build, or the one that `ROUNDTABLE_BIN` names, on an empty folder.
    pub fn start(settings: &[&str]) -> Self {
        let folder = tempfile::tempdir().expect("a folder for the data");
        let settings: Vec<String> = settings.iter().map(|setting| setting.to_string()).collect();
        let (child, address) = spawn(&folder, &settings);
        Self {
            child,
            address,
            folder,
            settings,
        }
    }

    /// Ends the process as an administrator does, and starts another one on the same data, at another address.
    pub fn restart(&mut self) {
        let ended = Command::new("kill").arg(self.child.id().to_string()).status();
        assert!(ended.expect("kill can be run").success());
        self.child.wait().expect("it ends");
        (self.child, self.address) = spawn(&self.folder, &self.settings);
    }

    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// The sync door.
    pub fn url(&self) -> String {
        format!("ws://{}/sync", self.address)
    }

    /// The address of something over HTTP.
    pub fn http(&self, path: &str) -> String {
        format!("http://{}{path}", self.address)
    }

    /// One figure of the page for Prometheus.
    pub fn metric(&self, name: &str) -> f64 {
        let mut socket = TcpStream::connect(self.address).expect("the server listens");
        let request = "GET /metrics HTTP/1.1\r\nHost: bench\r\nConnection: close\r\n\r\n";
        socket.write_all(request.as_bytes()).expect("the server reads");
        let mut page = String::new();
        socket.read_to_string(&mut page).expect("the server answers");
        let figure = page.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(' '));
        figure
            .and_then(|figure| figure.trim().parse().ok())
            .unwrap_or_else(|| panic!("no figure {name}"))
    }

    /// The memory of the process that is in RAM, in bytes.
    pub fn resident(&self) -> u64 {
        resident(&format!("/proc/{}/status", self.child.id()), "VmRSS:")
    }

    /// The most memory the process has ever had in RAM, in bytes.
    pub fn peak(&self) -> u64 {
        resident(&format!("/proc/{}/status", self.child.id()), "VmHWM:")
    }

    /// The processor time the process has used, in user and kernel mode together.
    pub fn cpu(&self) -> Duration {
        let stat = std::fs::read_to_string(format!("/proc/{}/stat", self.child.id())).expect("the server runs");
        // The name in parentheses may contain spaces; the fields are counted behind it.
        let fields: Vec<&str> = stat
            .rsplit(')')
            .next()
            .expect("there is a name")
            .split_whitespace()
            .collect();
        let ticks: u64 = [11, 12]
            .iter()
            .map(|at| fields[*at].parse::<u64>().expect("a number of ticks"))
            .sum();
        // A tick is a hundredth of a second on every Linux that user space sees.
        Duration::from_millis(ticks * 10)
    }

    /// The resident memory once it has settled: the allocator gives pages back only after a while.
    pub async fn settled(&self) -> u64 {
        let deadline = Instant::now() + Duration::from_secs(20);
        let (mut lowest, mut since) = (self.resident(), Instant::now());
        while Instant::now() < deadline && since.elapsed() < Duration::from_secs(4) {
            tokio::time::sleep(Duration::from_millis(250)).await;
            let now = self.resident();
            if now.abs_diff(lowest) > 128 << 10 {
                (lowest, since) = (now, Instant::now());
            }
        }
        self.resident()
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn spawn(folder: &tempfile::TempDir, settings: &[String]) -> (Child, SocketAddr) {
    let binary = std::env::var_os("ROUNDTABLE_BIN").unwrap_or_else(|| env!("CARGO_BIN_EXE_roundtable").into());
    let mut command = Command::new(binary);
    command
        .args(["serve", "--listen", "127.0.0.1:0", "--set", "demo=false", "--data"])
        .arg(folder.path().join("data"))
        .env("RUST_LOG", "warn")
        .stdout(Stdio::piped());
    for setting in settings {
        command.args(["--set", setting]);
    }
    let mut child = command.spawn().expect("the server's binary starts");
    let mut line = String::new();
    let stdout = child.stdout.take().expect("asked for");
    BufReader::new(stdout)
        .read_line(&mut line)
        .expect("the server says where it is");
    let address = line
        .split("http://")
        .nth(1)
        .map(|rest| rest.trim().trim_end_matches('/'));
    let address = address.and_then(|address| address.parse().ok());
    (child, address.expect("an address in its first line"))
}

/// One line of a status file of the kernel, in bytes.
pub fn resident(file: &str, name: &str) -> u64 {
    let status = std::fs::read_to_string(file).expect("the process runs");
    let line = status
        .lines()
        .find_map(|line| line.strip_prefix(name))
        .expect("Linux says so");
    let kibibytes: u64 = line.trim().trim_end_matches("kB").trim().parse().expect("a number");
    kibibytes * 1024
}
