//! `import` and `export` as people call them, against the real server.

use std::path::Path;
use std::sync::Arc;

use roundtable::store::sled::{SledEngine, SledOptions};
use roundtable::store::{Listed, Store, StoreLimits};

use crate::process::{Server, complaint, roundtable, run};

/// How many documents a data folder holds.
fn documents(folder: &Path) -> usize {
    let engine = SledEngine::open(folder, SledOptions::default()).unwrap();
    let (store, _committer) = Store::open(Arc::new(engine), StoreLimits::default()).unwrap();
    store.documents(Listed::Present, None, 100).unwrap().documents.len()
}

#[test]
fn a_bad_file_is_refused_with_its_line_and_leaves_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path().join("data");
    let server = Server::start(&data, &[]);
    let bad: [(&str, &[u8], &str); 4] = [
        ("ragged.csv", b"name,amount\nrent,900\nfood\n", "line 3"),
        ("encoding.csv", b"name,amount\nrent,900\ncaf\xe9,4\n", "line 3"),
        ("quote.csv", b"name,amount\nrent,900\n\"food,4\nfun,2\n", "line 3"),
        ("empty.csv", b"", "empty"),
    ];
    for (name, bytes, telling) in bad {
        let file = folder.path().join(name);
        std::fs::write(&file, bytes).unwrap();
        let (succeeded, output, errors) = run(roundtable()
            .arg("import")
            .arg(&file)
            .args(["--server", &server.sync_url()]));
        assert!(!succeeded, "{name}");
        assert_eq!(output, "", "{name} has no address");
        let said = complaint(&errors);
        assert!(said.starts_with(&format!("roundtable: {}: ", file.display())), "{said}");
        assert!(said.contains(telling), "{said}");
    }
    server.stop();
    assert_eq!(documents(&data), 0);
}

#[test]
fn what_was_imported_is_exported_the_same() {
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path().join("data");
    let server = Server::start(&data, &[]);
    let file = folder.path().join("Budget.csv");
    let text = "name,amount,due\nrent,900,2026-01-31\n\"food, mostly\",412.5,\n\"she said \"\"no\"\"\",-3,2026-02-01\n";
    std::fs::write(&file, text).unwrap();
    let url = server.sync_url();
    let (succeeded, address, errors) = run(roundtable().arg("import").arg(&file).args(["--server", &url]));
    assert!(succeeded, "{errors}");
    assert!(errors.contains("3 rows, 3 columns, saved"), "{errors}");
    let address = address.trim();
    assert!(address.starts_with("automerge:"), "{address}");
    let export = |address: &str, url: &str| run(roundtable().args(["export", address, "--server", url]));
    let (succeeded, exported, errors) = export(address, &url);
    assert!(succeeded, "{errors}");
    assert_eq!(exported.replace("\r\n", "\n"), text);
    server.stop();

    let server = Server::start(&data, &[]);
    let url = server.sync_url();
    assert_eq!(export(address, &url).1, exported, "it is still there");
    let (succeeded, output, errors) = export("automerge:nonsense", &url);
    assert!(!succeeded && output.is_empty());
    assert!(complaint(&errors).contains("nonsense"), "{errors}");
    let nobody_has = crate::local::new_id();
    let (succeeded, output, errors) = export(nobody_has.as_str(), &url);
    assert!(!succeeded && output.is_empty());
    assert!(complaint(&errors).contains("does not have document"), "{errors}");
    server.stop();
    let (succeeded, _, errors) = export(address, &url);
    assert!(!succeeded);
    assert!(complaint(&errors).contains("cannot connect"), "{errors}");
    assert_eq!(documents(&data), 1);
}
