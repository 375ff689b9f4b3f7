//! What keeps the server from starting is said in one line, and the exit code is not 0.

use std::net::TcpListener;
use std::path::Path;
use std::process::Command;

use roundtable::store::engine::{Batch, Engine};
use roundtable::store::layout::{FORMAT, meta_key, put_small};
use roundtable::store::sled::{SledEngine, SledOptions};

use crate::process::{Server, clean, complaint, roundtable, run, serve_arguments};

/// What `serve` says when it cannot.
fn refusal(arguments: &[String]) -> String {
    let (succeeded, output, errors) = run(roundtable().args(arguments));
    assert!(!succeeded);
    assert_eq!(output, "", "it has no address");
    complaint(&errors).to_owned()
}

fn refusal_with(setting: &str) -> String {
    let folder = tempfile::tempdir().unwrap();
    refusal(&serve_arguments(&folder.path().join("data"), &[setting]))
}

#[test]
fn a_data_folder_in_use() {
    let folder = tempfile::tempdir().unwrap();
    let server = Server::start(folder.path(), &[]);
    let said = refusal(&serve_arguments(folder.path(), &[]));
    let expected = format!(
        "roundtable: the data folder {} is in use by another process",
        folder.path().display()
    );
    assert_eq!(said, expected);
    server.stop();
}

#[test]
fn a_data_folder_below_a_file() {
    let file = tempfile::NamedTempFile::new().unwrap();
    let data = file.path().join("data");
    let said = refusal(&serve_arguments(&data, &[]));
    let expected = format!(
        "roundtable: the data folder {} is not writable: Not a directory",
        data.display()
    );
    assert!(said.starts_with(&expected), "{said}");
}

#[test]
fn a_data_folder_that_is_a_file() {
    let file = tempfile::NamedTempFile::new().unwrap();
    let said = refusal(&serve_arguments(file.path(), &[]));
    let expected = format!("roundtable: the data folder {} ", file.path().display());
    assert!(said.starts_with(&expected), "{said}");
}

/// Nothing stops the superuser, so the server runs as nobody. What it may not write is an empty folder, and one in use
/// before by somebody else.
#[test]
fn a_data_folder_of_somebody_else() {
    let nobody = ["--reuid=65534", "--regid=65534", "--clear-groups"];
    let may_run = Command::new("setpriv")
        .args(nobody)
        .args([env!("CARGO_BIN_EXE_roundtable"), "--version"])
        .output();
    if !may_run.is_ok_and(|output| output.status.success()) {
        println!("skipped: this user cannot run the server as another one");
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let open_to_all = std::os::unix::fs::PermissionsExt::from_mode(0o755);
    std::fs::set_permissions(folder.path(), open_to_all).unwrap();
    let refusal_to_nobody = |data: &Path| {
        let mut command = Command::new("setpriv");
        clean(&mut command);
        command
            .args(nobody)
            .arg(env!("CARGO_BIN_EXE_roundtable"))
            .args(serve_arguments(data, &[]));
        let (succeeded, _, errors) = run(&mut command);
        assert!(!succeeded);
        let expected = format!(
            "roundtable: the data folder {} is not writable: Permission denied",
            data.display()
        );
        let said = complaint(&errors);
        assert!(said.starts_with(&expected), "{said}");
    };
    refusal_to_nobody(&folder.path().join("new"));
    let used = folder.path().join("used");
    Server::start(&used, &[]).stop();
    refusal_to_nobody(&used);
}

#[test]
fn a_data_folder_of_a_newer_format() {
    let folder = tempfile::tempdir().unwrap();
    Server::start(folder.path(), &[]).stop();
    let newer = FORMAT + 1;
    {
        let engine = SledEngine::open(folder.path(), SledOptions::default()).unwrap();
        let mut batch = Batch::default();
        put_small(&mut batch, meta_key("format"), &newer.to_be_bytes());
        engine.apply(&batch).unwrap();
        engine.sync().unwrap();
    }
    let said = refusal(&serve_arguments(folder.path(), &[]));
    let expected = format!("has format {newer}, written by a newer version; this one knows formats up to {FORMAT}");
    assert!(said.ends_with(&expected), "{said}");
}

#[test]
fn a_data_folder_of_something_else() {
    let folder = tempfile::tempdir().unwrap();
    {
        let engine = SledEngine::open(folder.path(), SledOptions::default()).unwrap();
        let mut batch = Batch::default();
        batch.put(b"somebody's".to_vec(), b"data".to_vec());
        engine.apply(&batch).unwrap();
        engine.sync().unwrap();
    }
    let said = refusal(&serve_arguments(folder.path(), &[]));
    assert!(said.ends_with("it is not a folder of this server"), "{said}");
}

#[test]
fn settings_that_are_none() {
    let said = refusal_with("sweep.keepalife=2s");
    assert!(said.contains("keepalife") && said.contains("keepalive"), "{said}");
    let said = refusal_with("sweep.keepalive=soon");
    assert!(said.contains("sweep.keepalive") && said.contains("soon"), "{said}");
    let said = refusal_with("keepalive");
    assert!(
        said.ends_with("is not a setting: write NAME=VALUE, as in sweep.keepalive=20s"),
        "{said}"
    );
    let said = refusal_with("rooms.open=-1");
    assert!(said.contains("rooms.open"), "{said}");
}

#[test]
fn a_configuration_file_that_is_not_there_or_none() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("roundtable.toml");
    let with_file = || {
        let mut arguments = serve_arguments(&folder.path().join("data"), &[]);
        arguments.extend(["--config".into(), file.display().to_string()]);
        refusal(&arguments)
    };
    let expected = format!("roundtable: the configuration file {} is not there", file.display());
    assert_eq!(with_file(), expected);
    std::fs::write(&file, "sweep = {\n").unwrap();
    let said = with_file();
    assert!(said.contains("the configuration does not hold together"), "{said}");
}

#[test]
fn a_port_in_use() {
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap();
    let folder = tempfile::tempdir().unwrap();
    let mut arguments = serve_arguments(&folder.path().join("data"), &[]);
    let listen = arguments.iter_mut().find(|argument| *argument == "127.0.0.1:0");
    *listen.expect("the address to listen at") = address.to_string();
    let said = refusal(&arguments);
    let expected = format!("roundtable: cannot listen on {address}: Address already in use");
    assert!(said.starts_with(&expected), "{said}");
}
