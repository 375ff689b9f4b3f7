//! The real server as a child process, and plain HTTP towards it.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::path::Path;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;
use std::time::Duration;

/// Longer than anything takes on a busy machine; only a failing test waits for it.
pub const LONG: Duration = Duration::from_secs(20);

/// The command line of the server, in no way influenced by the variables of this process.
pub fn roundtable() -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_roundtable"));
    clean(&mut command);
    command
}

/// Removes what would configure a server started with this command.
pub fn clean(command: &mut Command) {
    for (name, _) in std::env::vars_os().filter(|(name, _)| name.to_string_lossy().starts_with("ROUNDTABLE_")) {
        command.env_remove(name);
    }
    command.env("RUST_LOG", "warn");
}

/// What `serve` is given: a free port and a data folder, no sample table, and further settings.
pub fn serve_arguments(data: &Path, settings: &[&str]) -> Vec<String> {
    let mut arguments = vec!["serve".into(), "--listen".into(), "127.0.0.1:0".into()];
    arguments.extend(["--data".into(), data.display().to_string()]);
    for setting in ["demo=false"].iter().chain(settings) {
        arguments.extend(["--set".into(), setting.to_string()]);
    }
    arguments
}

/// A server that runs. Killed when dropped.
pub struct Server {
    child: Child,
    pub address: SocketAddr,
    errors: Arc<Mutex<String>>,
    reading: Option<JoinHandle<()>>,
}

impl Server {
    pub fn start(data: &Path, settings: &[&str]) -> Self {
        let mut command = roundtable();
        command.args(serve_arguments(data, settings));
        Self::spawn(command)
    }

    /// As [`start`](Self::start), where another server was before.
    pub fn start_at(address: SocketAddr, data: &Path) -> Self {
        let mut arguments = serve_arguments(data, &[]);
        arguments[2] = address.to_string();
        let mut command = roundtable();
        command.args(arguments);
        Self::spawn(command)
    }

    /// Runs a command that becomes the server, and waits until it says where it is.
    pub fn spawn(mut command: Command) -> Self {
        let mut child = command
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .expect("the server can be started");
        let errors = Arc::new(Mutex::new(String::new()));
        let stderr = BufReader::new(child.stderr.take().expect("piped"));
        let kept = errors.clone();
        let reading = std::thread::spawn(move || {
            for line in stderr.lines().map_while(Result::ok) {
                let mut kept = kept.lock().unwrap();
                kept.push_str(&line);
                kept.push('\n');
            }
        });
        let mut line = String::new();
        BufReader::new(child.stdout.take().expect("piped"))
            .read_line(&mut line)
            .expect("standard output can be read");
        let address = line
            .trim()
            .strip_prefix("Roundtable is at http://")
            .and_then(|rest| rest.trim_end_matches('/').parse().ok());
        let Some(address) = address else {
            let _ = child.wait();
            let _ = reading.join();
            panic!("the server said {line:?} and {:?}", errors.lock().unwrap());
        };
        Self {
            child,
            address,
            errors,
            reading: Some(reading),
        }
    }

    pub fn sync_url(&self) -> String {
        format!("ws://{}/sync", self.address)
    }

    pub fn http_url(&self) -> String {
        format!("http://{}", self.address)
    }

    pub fn id(&self) -> u32 {
        self.child.id()
    }

    /// What it wrote to standard error so far.
    pub fn errors(&self) -> String {
        self.errors.lock().unwrap().clone()
    }

    /// `kill -9`, and waits until the process is gone and its data folder free.
    pub fn kill(mut self) {
        self.child.kill().expect("it still runs");
        self.child.wait().expect("it can be waited for");
    }

    pub fn signal(&self, name: &str) {
        let sent = Command::new("kill")
            .args([&format!("-{name}"), &self.id().to_string()])
            .status();
        assert!(sent.expect("kill can be run").success());
    }

    /// Waits for the process to end by itself; its status and what it wrote to standard error.
    pub fn ended(mut self) -> (ExitStatus, String) {
        let status = self.child.wait().expect("it can be waited for");
        if let Some(reading) = self.reading.take() {
            reading.join().expect("reading lines does not panic");
        }
        (status, self.errors())
    }

    pub fn stop(self) {
        self.signal("TERM");
        let (status, errors) = self.ended();
        assert!(status.success(), "{status}: {errors}");
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // Gone already if it was waited for.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// The status and the body of a GET.
pub fn get(address: SocketAddr, path: &str) -> (u16, String) {
    ask(address, "GET", path)
}

/// The status and the body of a request without a body.
pub fn ask(address: SocketAddr, method: &str, path: &str) -> (u16, String) {
    let mut stream = TcpStream::connect(address).expect("the server accepts");
    stream.set_read_timeout(Some(LONG)).expect("a time that is not zero");
    write!(
        stream,
        "{method} {path} HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\nContent-Length: 0\r\n\r\n"
    )
    .expect("it takes a request");
    let mut answer = String::new();
    stream.read_to_string(&mut answer).expect("an answer in time");
    let status = answer.get(9..12).and_then(|status| status.parse().ok());
    let body = answer.split_once("\r\n\r\n").map(|(_, body)| body.to_owned());
    (
        status.unwrap_or_else(|| panic!("no status in {answer:?}")),
        body.unwrap_or_default(),
    )
}

/// [`get`] off the runtime.
pub async fn get_later(address: SocketAddr, path: &str) -> (u16, String) {
    let path = path.to_owned();
    tokio::task::spawn_blocking(move || get(address, &path))
        .await
        .expect("a GET does not panic")
}

/// Runs a command to its end: whether it succeeded, and what it wrote to standard output and standard error.
pub fn run(command: &mut Command) -> (bool, String, String) {
    let output = command.stdin(Stdio::null()).output().expect("the command can be run");
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    (output.status.success(), text(&output.stdout), text(&output.stderr))
}

/// The one line that the command line says when it gives up; log lines look different.
pub fn complaint(errors: &str) -> &str {
    let mut lines = errors.lines().filter(|line| line.starts_with("roundtable: "));
    let line = lines.next().unwrap_or_else(|| panic!("no complaint in {errors:?}"));
    assert_eq!(lines.next(), None, "more than one complaint");
    assert!(errors.trim_end().ends_with(line), "more than one line: {errors:?}");
    line
}
