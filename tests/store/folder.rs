//! The data folder of a server: who else holds it, whether it can be written, which format it has.

use std::path::Path;

use roundtable::store::sled::{OpenError, SledEngine, SledOptions};

use crate::{World, assert_whole, document, open_sled};

fn refused(folder: &Path) -> OpenError {
    let error = SledEngine::open(folder, SledOptions::default())
        .err()
        .expect("the folder is refused");
    let text = error.to_string();
    assert!(!text.contains('\n'), "one line: {text}");
    assert!(text.contains(folder.to_str().unwrap()), "it names the folder: {text}");
    error
}

#[test]
fn a_folder_in_use_is_refused_and_free_again_afterwards() {
    let folder = tempfile::tempdir().unwrap();
    let world = World::on(open_sled(folder.path()));
    world.append(&document(1), [1]);
    world.settle();
    let error = refused(folder.path());
    assert!(matches!(error, OpenError::InUse(_)), "{error}");

    // The holder is not harmed by the attempt.
    world.append(&document(1), [2]);
    world.settle();
    drop(world);
    let world = World::on(open_sled(folder.path()));
    assert_whole(&world.load(&document(1)).unwrap(), 2, "after the attempt");
}

#[test]
fn a_folder_that_cannot_be_made_or_written_is_refused() {
    let base = tempfile::tempdir().unwrap();
    let file = base.path().join("a-file");
    std::fs::write(&file, b"not a folder").unwrap();
    let error = refused(&file.join("data"));
    assert!(matches!(error, OpenError::NotWritable { .. }), "{error}");

    let folder = base.path().join("data");
    drop(open_sled(&folder));
    let mut permissions = std::fs::metadata(folder.join("db")).unwrap().permissions();
    permissions.set_readonly(true);
    std::fs::set_permissions(folder.join("db"), permissions).unwrap();
    // Whoever may write everywhere is not stopped by permissions, and need not be.
    if std::fs::File::options().write(true).open(folder.join("db")).is_err() {
        let error = refused(&folder);
        assert!(matches!(error, OpenError::NotWritable { .. }), "{error}");
    }
}

#[test]
fn a_folder_of_another_sled_is_refused() {
    let base = tempfile::tempdir().unwrap();
    drop(open_sled(base.path()));
    let conf = base.path().join("conf");
    let text = std::fs::read(&conf).unwrap();
    let at = text
        .windows(4)
        .position(|window| window == b"0.34")
        .expect("the version is in it");
    let mut newer = text.clone();
    newer[at..at + 4].copy_from_slice(b"0.99");
    std::fs::write(&conf, newer).unwrap();
    let error = refused(base.path());
    assert!(matches!(error, OpenError::OtherFormat { .. }), "{error}");
}

#[test]
fn large_documents_make_no_files_that_sled_does_not_sync() {
    let folder = tempfile::tempdir().unwrap();
    let world = World::on(open_sled(folder.path()));
    let alpha = document(1);
    world.append(&alpha, 1..=400);
    world.settle();
    world.compact(&alpha, 400);
    assert_whole(&world.load(&alpha).unwrap(), 400, "on sled");
    let blobs = std::fs::read_dir(folder.path().join("blobs")).unwrap().count();
    assert_eq!(blobs, 0, "a leaf was larger than its segment allows");
}
