//! `import` and `export` as people call them, against the real server.

use std::path::{Path, PathBuf};
use std::process::{Child, Stdio};
use std::sync::Arc;

use roundtable::store::sled::{SledEngine, SledOptions};
use roundtable::store::{Listed, Store, StoreLimits};
use serde_json::json;

use crate::http::{Http, Request};
use crate::process::{Server, complaint, roundtable, run};

/// 4,638 records of the IANA time zone database.
const ZONES: &str = include_str!("../fixtures/timezones.csv");

/// How many documents a data folder holds.
fn documents(folder: &Path) -> usize {
    let engine = SledEngine::open(folder, SledOptions::default()).unwrap();
    let (store, _committer) = Store::open(Arc::new(engine), StoreLimits::default()).unwrap();
    store.documents(Listed::Present, None, 100).unwrap().documents.len()
}

/// A server, and files beside its data.
struct Place {
    folder: tempfile::TempDir,
    server: Server,
}

impl Place {
    fn new(settings: &[&str]) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let server = Server::start(&folder.path().join("data"), settings);
        Self { folder, server }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn file(&self, name: &str, content: impl AsRef<[u8]>) -> String {
        std::fs::write(self.path(name), content).unwrap();
        self.path(name).display().to_string()
    }

    /// What a command comes to that succeeds: standard output and standard error.
    fn does(&self, arguments: &[&str]) -> (String, String) {
        let (succeeded, output, errors) = self.tries(arguments);
        assert!(succeeded, "{arguments:?}: {errors}");
        (output, errors)
    }

    /// The complaint of a command that fails and prints nothing.
    fn refuses(&self, arguments: &[&str]) -> String {
        let (succeeded, output, errors) = self.tries(arguments);
        assert!(!succeeded && output.is_empty(), "{arguments:?}: {output}");
        complaint(&errors).to_owned()
    }

    fn tries(&self, arguments: &[&str]) -> (bool, String, String) {
        run(roundtable().args(arguments).args(["--server", &self.server.http_url()]))
    }
}

fn same_text(exported: &str, file: &str) {
    let (exported, file) = (exported.replace("\r\n", "\n"), file.replace("\r\n", "\n"));
    let differing = exported.lines().zip(file.lines()).find(|(one, other)| one != other);
    assert_eq!(differing, None);
    assert_eq!(exported.len(), file.len(), "one of them ends early");
}

#[test]
fn a_bad_file_is_refused_with_its_line_and_leaves_nothing() {
    let place = Place::new(&["rest.file_bytes=1048576"]);
    let large = ZONES.repeat(60);
    let bad: [(&str, &[u8], &str); 5] = [
        ("ragged.csv", b"name,amount\nrent,900\nfood\n", "line 3"),
        ("encoding.csv", b"name,amount\nrent,900\ncaf\xe9,4\n", "line 3"),
        ("quote.csv", b"name,amount\nrent,900\n\"food,4\nfun,2\n", "line 3"),
        ("empty.csv", b"", "empty"),
        ("large.csv", large.as_bytes(), "1048576 bytes"),
    ];
    for (name, bytes, telling) in bad {
        let file = place.file(name, bytes);
        let said = place.refuses(&["import", &file]);
        assert!(said.starts_with(&format!("roundtable: {file}: ")), "{said}");
        assert!(said.contains(telling), "{said}");
    }
    let Place { folder, server } = place;
    server.stop();
    assert_eq!(documents(&folder.path().join("data")), 0);
}

#[test]
fn what_was_imported_is_exported_the_same() {
    let mut place = Place::new(&[]);
    let text = "name,amount,due\nrent,900,2026-01-31\n\"food, mostly\",412.5,\n\"she said \"\"no\"\"\",-3,2026-02-01\n";
    let file = place.file("Budget.csv", text);
    let (address, errors) = place.does(&["import", &file]);
    assert_eq!(errors, "3 rows, 3 columns, saved\n");
    let address = address.trim();
    assert!(address.starts_with("automerge:"), "{address}");
    let (exported, _) = place.does(&["export", address]);
    assert_eq!(exported, text);
    let table = Http::to(place.server.address).read(&format!("/v1/tables/{address}"));
    assert_eq!(table["title"], "Budget");

    // The same server by the address that front ends have, after a restart.
    let (data, at) = (place.path("data"), place.server.address);
    place.server.stop();
    place.server = Server::start_at(at, &data);
    let by_sync_door = ["export", address, "--server", &place.server.sync_url()];
    assert_eq!(run(roundtable().args(by_sync_door)).1, text, "it is still there");
    assert!(place.refuses(&["export", "automerge:nonsense"]).contains("nonsense"));
    let nobody_has = crate::local::new_id();
    let said = place.refuses(&["export", nobody_has.as_str()]);
    assert!(said.contains(nobody_has.as_str()), "{said}");
    let said = place.refuses(&["export", address, "--view", "Open"]);
    assert!(said.ends_with("the table has no view \"Open\" (/view)"), "{said}");

    let gone = place.server.http_url();
    place.server.stop();
    for arguments in [["export", address], ["import", &file]] {
        let (succeeded, _, errors) = run(roundtable().args(arguments).args(["--server", &gone]));
        assert!(!succeeded);
        assert!(complaint(&errors).contains("cannot connect"), "{errors}");
    }
    assert_eq!(documents(&data), 1);
}

#[test]
fn a_file_of_the_world_goes_through_csv_and_xlsx() {
    let place = Place::new(&[]);
    let file = place.file("zones.csv", ZONES);
    let (address, _) = place.does(&["import", &file, "--title", "Time zones"]);
    // A link to a workbook that is there: what it names is replaced.
    let (book, link) = (place.file("old.xlsx", "old"), place.path("zones.xlsx"));
    std::os::unix::fs::symlink(&book, &link).unwrap();
    let link = link.display().to_string();
    let (output, _) = place.does(&["export", address.trim(), "--output", &link]);
    assert_eq!(output, "");
    assert!(std::fs::read(&book).unwrap().starts_with(b"PK"));
    let (again, errors) = place.does(&["import", &link, "--sheet", "Time zones"]);
    assert_eq!(errors, "4638 rows, 11 columns, saved\n");
    assert_ne!(again, address);
    let said = place.refuses(&["import", &link, "--sheet", "March"]);
    assert!(said.contains("\"March\"") && said.ends_with("(/sheet)"), "{said}");
    let down = place.path("down.csv").display().to_string();
    place.does(&["export", again.trim(), "--raw", "--output", &down]);
    same_text(&std::fs::read_to_string(&down).unwrap(), ZONES);
    // Offsets west of Greenwich look like formulas.
    let (careful, _) = place.does(&["export", address.trim()]);
    assert!(careful.contains(",'-0:"));
    // Nothing is left beside the files.
    let names = std::fs::read_dir(place.folder.path()).unwrap();
    let names: Vec<_> = names.map(|entry| entry.unwrap().file_name()).collect();
    assert_eq!(names.len(), 5, "{names:?}");
}

#[test]
fn rows_are_added_to_a_table_or_changed_by_a_key() {
    let place = Place::new(&[]);
    let base = Request::new("POST", "/v1/bases", json!({ "name": "Shop" }));
    assert_eq!(Http::to(place.server.address).send(&base).unwrap().status, 201);
    let first = place.file("first.csv", "sku,stock\nA1,5\nB2,7\n");
    let (address, _) = place.does(&["import", &first, "--base", "shop", "--name", "Größen & so"]);
    let table = "shop/Größen & so";
    let more = place.file("more.csv", "sku,stock\nC3,1\n");
    let (same, errors) = place.does(&["import", &more, "--into", table]);
    assert_eq!((same, errors.as_str()), (address, "1 rows new, 0 changed, saved\n"));
    let next = place.file("next.csv", "sku,stock\nB2,6\nD4,2\nA1,5\n");
    let (_, errors) = place.does(&["import", &next, "--into", table, "--key", "sku"]);
    assert_eq!(errors, "1 rows new, 1 changed, saved\n");
    let (exported, _) = place.does(&["export", table]);
    assert_eq!(exported, "sku,stock\nA1,5\nB2,6\nC3,1\nD4,2\n");
    let said = place.refuses(&["import", &next, "--into", table, "--key", "ean"]);
    assert!(said.contains("ean") && said.ends_with("(/key)"), "{said}");
    let said = place.refuses(&["import", &next, "--base", "shop", "--name", "größen & so"]);
    assert!(said.contains("Größen & so") || said.contains("größen & so"), "{said}");
    let said = place.refuses(&["export", "shop/Nothing"]);
    assert!(said.contains("Nothing"), "{said}");
    // The base, its one table, and nothing of what was refused.
    let Place { folder, server } = place;
    server.stop();
    assert_eq!(documents(&folder.path().join("data")), 2);
}

/// Begins an import of the time zones.
fn import_of_zones(place: &Place, patience: &str) -> Child {
    roundtable()
        .args(["import", &place.file("zones.csv", ZONES), "--patience", patience])
        .args(["--server", &place.server.http_url()])
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap()
}

/// Looks again, each time by a round trip over HTTP, until some of the zones are on disk and some are not.
fn until_the_middle(place: &Place) {
    let http = Http::to(place.server.address);
    let mut rows = 0;
    while rows == 0 {
        if let Some(table) = http.read("/v1/documents")["documents"][0].as_str() {
            rows = http.read(&format!("/v1/tables/{table}"))["rowCount"].as_u64().unwrap();
        }
    }
    assert!(rows < 4638, "the import was over before it could be looked at");
}

#[test]
fn an_import_outlives_a_server_that_is_killed_and_started_again() {
    let Place { folder, server } = Place::new(&[]);
    let at = server.address;
    let mut place = Place { folder, server };
    let import = import_of_zones(&place, "60");
    until_the_middle(&place);
    let data = place.path("data");
    place.server.kill();
    place.server = Server::start_at(at, &data);
    let ended = import.wait_with_output().unwrap();
    let errors = String::from_utf8_lossy(&ended.stderr);
    assert!(ended.status.success(), "{errors}");
    let lines: Vec<_> = errors.lines().collect();
    assert_eq!(lines.len(), 2, "{errors}");
    assert!(lines[0].ends_with("; trying again"), "{errors}");
    assert_eq!(lines[1], "4638 rows, 11 columns, saved");
    let address = String::from_utf8(ended.stdout).unwrap();
    let (exported, _) = place.does(&["export", address.trim(), "--raw"]);
    same_text(&exported, ZONES);
    place.server.stop();
    assert_eq!(documents(&data), 1);
}

#[test]
fn an_import_gives_up_on_a_server_that_stays_away_and_says_what_is_left() {
    let mut place = Place::new(&[]);
    let import = import_of_zones(&place, "1");
    until_the_middle(&place);
    let (data, at) = (place.path("data"), place.server.address);
    place.server.kill();
    let ended = import.wait_with_output().unwrap();
    assert!(!ended.status.success() && ended.stdout.is_empty());
    let errors = String::from_utf8_lossy(&ended.stderr);
    let said = complaint(&errors);
    assert!(said.contains("gave up after 1s in which nothing went on"), "{said}");
    let (_, left) = said.split_once("what was written before that is in ").unwrap();
    place.server = Server::start_at(at, &data);
    let (exported, _) = place.does(&["export", left, "--raw"]);
    let file = ZONES.replace("\r\n", "\n");
    assert!(
        file.starts_with(&exported) && exported.lines().count() > 1,
        "not a part of the file"
    );
}
