use automerge::transaction::Transactable;
use automerge::{Automerge, AutomergeError};
use uuid::Uuid;

use super::*;

fn base(text: &str) -> BaseId {
    BaseId(text.into())
}

fn table(n: u128) -> DocumentId {
    DocumentId::from_uuid(Uuid::from_u128(n))
}

fn edited<T>(
    document: &mut Automerge,
    edit: impl FnOnce(&mut automerge::transaction::Transaction<'_>) -> Result<T, Refused>,
) -> Result<T, Refused> {
    document
        .transact(edit)
        .map(|done| done.result)
        .map_err(|failed| failed.error)
}

/// A base with two tables.
fn crm() -> Automerge {
    let mut document = Automerge::new();
    edited(&mut document, |tx| create_base(tx, &base("b1"), "CRM")).unwrap();
    edited(&mut document, |tx| put_table(tx, "crm", "Contacts", &table(1))).unwrap();
    edited(&mut document, |tx| put_table(tx, "b1", "Deals", &table(2))).unwrap();
    document
}

#[test]
fn tables_are_found_by_base_and_name() {
    let directory = Directory::read(&crm());
    let crm = directory.base("Crm").unwrap();
    assert_eq!(crm.table("contacts").unwrap().table, table(1));
    assert_eq!(
        crm.tables.iter().map(|entry| &*entry.name).collect::<Vec<_>>(),
        ["Contacts", "Deals"]
    );
    assert!(directory.base("nothing").is_none() && crm.table("nothing").is_none());
    assert!(Directory::read(&Automerge::new()).bases.is_empty());
}

#[test]
fn names_are_changed_archived_and_taken_away() {
    let mut document = crm();
    edited(&mut document, |tx| rename_base(tx, "CRM", "Sales")).unwrap();
    edited(&mut document, |tx| rename_table(tx, "sales", "deals", "DEALS")).unwrap();
    let mark = Archived {
        at: 7,
        by: "ada".into(),
    };
    edited(&mut document, |tx| archive_table(tx, "sales", "deals", Some(&mark))).unwrap();
    edited(&mut document, |tx| archive_base(tx, "sales", Some(&mark))).unwrap();
    edited(&mut document, |tx| remove_table(tx, "sales", "contacts")).unwrap();
    let expected = Base {
        id: base("b1"),
        name: "Sales".into(),
        is_double: false,
        archived: Some(mark.clone()),
        tables: vec![Entry {
            table: table(2),
            name: "DEALS".into(),
            is_double: false,
            archived: Some(mark),
        }],
    };
    assert_eq!(Directory::read(&document).bases, [expected]);
    edited(&mut document, |tx| archive_base(tx, "b1", None)).unwrap();
    assert_eq!(Directory::read(&document).bases[0].archived, None);
}

#[test]
fn a_name_is_unique_whatever_its_case_and_has_a_shape() {
    let mut document = crm();
    let heads = document.get_heads();
    let taken = edited(&mut document, |tx| create_base(tx, &base("b2"), "crm"));
    assert!(matches!(taken, Err(Refused::BaseTaken(name)) if name == "CRM"));
    let taken = edited(&mut document, |tx| put_table(tx, "crm", "DEALS", &table(3)));
    assert!(matches!(taken, Err(Refused::TableTaken { table: by, .. }) if by == table(2)));
    let taken = edited(&mut document, |tx| rename_table(tx, "crm", "deals", "contacts"));
    assert!(matches!(taken, Err(Refused::TableTaken { .. })));
    for name in ["", " a", "a/b", "a\nb", &"x".repeat(129)] {
        let bad = edited(&mut document, |tx| create_base(tx, &base("b2"), name));
        assert!(matches!(bad, Err(Refused::BadName(_))), "{name:?}");
    }
    let same = edited(&mut document, |tx| put_table(tx, "crm", "Deals", &table(2))).unwrap();
    assert_eq!((same, document.get_heads()), (Put::Known, heads), "nothing was changed");
    edited(&mut document, |tx| create_base(tx, &base("b2"), &"ü".repeat(128))).unwrap();
}

/// Ada and Ben give the same name at the same time, far from one another.
#[test]
fn of_two_with_one_name_the_lower_id_has_it_and_the_other_is_marked() {
    let mut ada = crm();
    let mut ben = ada.fork();
    edited(&mut ada, |tx| put_table(tx, "crm", "Plans", &table(8))).unwrap();
    edited(&mut ben, |tx| put_table(tx, "crm", "plans", &table(9))).unwrap();
    edited(&mut ada, |tx| create_base(tx, &base("b7"), "New")).unwrap();
    edited(&mut ben, |tx| create_base(tx, &base("b6"), "NEW")).unwrap();
    ada.merge(&mut ben).unwrap();
    let directory = Directory::read(&ada);
    let (lower, higher) = (table(8).min(table(9)), table(8).max(table(9)));
    let crm = directory.base("crm").unwrap();
    assert_eq!(crm.table("plans").unwrap().table, lower);
    let doubles: Vec<_> = crm.tables.iter().filter(|entry| entry.is_double).collect();
    assert_eq!(doubles.iter().map(|entry| &entry.table).collect::<Vec<_>>(), [&higher]);
    assert_eq!(directory.base("new").unwrap().id, base("b6"));
    assert!(directory.base("b7").unwrap().is_double);
    // The double is renamed by its id.
    edited(&mut ada, |tx| rename_table(tx, "crm", higher.as_str(), "Other plans")).unwrap();
    assert!(
        Directory::read(&ada)
            .base("crm")
            .unwrap()
            .tables
            .iter()
            .all(|entry| !entry.is_double)
    );
}

#[test]
fn what_is_odd_is_skipped() {
    let mut document = crm();
    let odd = document.transact::<_, _, AutomergeError>(|tx| {
        let bases = map_at(tx, &ROOT, "bases").unwrap();
        tx.put(&bases, "odd", 7)?;
        tx.put_object(&bases, "nameless", ObjType::Map)?;
        let javascript = tx.put_object(&bases, "js", ObjType::Map)?;
        let name = tx.put_object(&javascript, "name", ObjType::Text)?;
        tx.splice_text(&name, 0, 0, "From a page")?;
        tx.put(&javascript, "archived", true)?;
        let crm = map_at(tx, &bases, "b1").unwrap();
        let tables = map_at(tx, &crm, "tables").unwrap();
        tx.put_object(&tables, "no document id", ObjType::Map)?;
        tx.put(&tables, table(5).as_str(), "no map")
    });
    odd.unwrap();
    let directory = Directory::read(&document);
    assert_eq!(directory.bases.len(), 2);
    assert_eq!(directory.base("crm").unwrap().tables.len(), 2);
    assert!(directory.base("from a page").unwrap().archived.is_some());
}

#[test]
fn the_document_of_the_bases_is_the_same_after_every_start_and_another_for_every_folder() {
    let storage = |text: &str| StorageId::parse(text).unwrap();
    assert_eq!(id_of(&storage("one")), id_of(&storage("one")));
    assert_ne!(id_of(&storage("one")), id_of(&storage("two")));
}
