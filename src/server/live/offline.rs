//! Changes that were made without a connection: a list of them, of any tables, answered together.
//!
//! Each is granted or not by itself. What a rejection names as the field is where it stands in the list. Those of one table
//! are granted together and in their order, by whatever names it is called.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::super::Server;
use super::super::rest::Problem;
use super::answers::Answer;
use super::door::{Done, LiveDoor};
use super::editing::{Edited, Editor, Made, bad_key, not_saved, not_taken, rejected, rejection};
use crate::document::table::CHANGE_CELLS;
use crate::id::DocumentId;
use crate::room::live::Wish;
use crate::wire::live::change::{Ask, Malformed, RecordChange};
use crate::wire::live::{OfflineDone, Rejected, text};
use crate::wire::version;

/// What the changes that had waited have come to, before it is on disk.
pub(super) struct Waited {
    made: Vec<MadeOf>,
    rejected: Vec<Rejected>,
}

/// Those of one table, and where each stands in the list.
struct MadeOf {
    made: Made,
    numbers: Vec<usize>,
}

/// Wishes about a table as it is called, each with where it stands in the list.
struct WishesOf {
    table: String,
    wishes: Vec<(usize, Wish)>,
}

/// Wishes about one table, and who has them.
struct Group {
    table: DocumentId,
    editor: Editor,
    wishes: Vec<(usize, Wish)>,
}

impl LiveDoor {
    pub(super) fn offline(&mut self, changes: Vec<Result<RecordChange, Malformed>>) {
        let most = self.server.config.live.offline_changes;
        if changes.len() > most {
            let why = format!("at most {most} changes are sent at once, not {}", changes.len());
            return self.tell_error("too-large", why, "sync_offline_changes", None);
        }
        let (by_table, rejected) = sorted(changes);
        let with_editor = |of: WishesOf| (self.editor(&of.table), of);
        let by_table: Vec<_> = by_table.into_iter().map(with_editor).collect();
        let server = self.server.clone();
        self.queue.edits(None);
        self.job(async move {
            let mut waited = Waited {
                made: Vec::new(),
                rejected,
            };
            for group in waited.groups(&server, by_table).await {
                waited.grant(&server, group).await;
            }
            Done::Edited(Box::new(Edited::Offline(waited)))
        });
    }
}

/// The changes that can be read, by table, and the rejections of the others.
fn sorted(changes: Vec<Result<RecordChange, Malformed>>) -> (Vec<WishesOf>, Vec<Rejected>) {
    let (mut by_table, mut rejected) = (Vec::<WishesOf>::new(), Vec::new());
    for (number, change) in changes.into_iter().enumerate() {
        let change = match change {
            Ok(change) => change,
            Err(Malformed { change_id, why }) => {
                let message = why.to_string();
                rejected.push(rejection(change_id, None, "bad-message", message, why.field()));
                continue;
            }
        };
        let (id, table) = (change.change_id.clone(), change.table_id.clone());
        if change.cells() > CHANGE_CELLS {
            let why = format!("a change has at most {CHANGE_CELLS} cells, not {}", change.cells());
            rejected.push(placed(number, rejection(id, Some(table), "too-large", why, None)));
            continue;
        }
        match Wish::new(Ask::Record(change)) {
            Err(bad) => rejected.push(placed(number, bad_key(id, Some(table), &bad))),
            Ok(wish) => {
                let of = match by_table.iter().position(|of| of.table == table) {
                    Some(at) => &mut by_table[at],
                    None => {
                        let wishes = Vec::new();
                        by_table.push(WishesOf { table, wishes });
                        by_table.last_mut().expect("it was just put there")
                    }
                };
                of.wishes.push((number, wish));
            }
        }
    }
    (by_table, rejected)
}

/// A rejection whose field is within a change, as the field of the list.
fn placed(number: usize, rejected: Rejected) -> Rejected {
    let field = rejected.field.unwrap_or_default();
    Rejected {
        field: Some(format!("/changes/{number}{field}")),
        ..rejected
    }
}

impl Waited {
    /// The wishes by table; those about something else are rejected.
    async fn groups(&mut self, server: &Arc<Server>, called: Vec<(Editor, WishesOf)>) -> Vec<Group> {
        let mut groups = Vec::<Group>::new();
        for (editor, WishesOf { table, wishes }) in called {
            let table = match server.table_id(&table).await {
                Ok(table) => table,
                Err(problem) => {
                    self.reject(wishes.iter().map(|(number, wish)| (*number, wish)), &problem);
                    continue;
                }
            };
            match groups.iter_mut().find(|group| group.table == table) {
                Some(group) => {
                    group.wishes.extend(wishes);
                    group.wishes.sort_by_key(|(number, _)| *number);
                }
                None => groups.push(Group { table, editor, wishes }),
            }
        }
        groups
    }

    async fn grant(&mut self, server: &Arc<Server>, group: Group) {
        let (numbers, wishes): (Vec<_>, Vec<_>) = group.wishes.into_iter().unzip();
        let wishes = Arc::new(wishes);
        match server.grant(&group.table, group.editor, wishes.clone()).await {
            Ok(made) => self.made.push(MadeOf { made, numbers }),
            Err(problem) => self.reject(numbers.into_iter().zip(wishes.iter()), &problem),
        }
    }

    fn reject<'w>(&mut self, wishes: impl Iterator<Item = (usize, &'w Wish)>, problem: &Problem) {
        let rejected = wishes.map(|(number, wish)| {
            let (id, table) = (wish.ask().change_id(), wish.ask().table_id());
            placed(number, rejected(id.to_owned(), Some(table.to_owned()), problem))
        });
        self.rejected.extend(rejected);
    }

    /// The answer, once all of it is on disk.
    pub async fn told(self, server: &Server) -> Answer {
        let (mut applied, mut merged) = (Vec::new(), Vec::new());
        let (mut created, mut versions) = (BTreeMap::new(), BTreeMap::new());
        let (mut rejected_all, mut behind) = (self.rejected, Vec::new());
        for MadeOf { made, numbers } in self.made {
            let table = made.table.to_string();
            let saved = server.confirmed(&made.room, made.seen).await;
            if matches!(saved, Ok(true)) && made.results.iter().any(Result::is_ok) {
                behind.push((made.table, made.seen));
            }
            for ((id, result), number) in made.ids.into_iter().zip(made.results).zip(numbers) {
                let not = match (&saved, result) {
                    (Ok(true), Ok(accepted)) => {
                        // Not that of the change: one that was made before was told an older one.
                        versions
                            .entry(table.clone())
                            .or_insert_with(|| version::of(&made.heads));
                        created.extend(accepted.record.map(|record| (id.clone(), record.to_string())));
                        match accepted.merged {
                            true => merged.push(id),
                            false => applied.push(id),
                        }
                        continue;
                    }
                    (Ok(true), Err(not)) => not_taken(id, &table, &not),
                    (Ok(false), _) => not_saved(id, &table),
                    (Err(problem), _) => rejected(id, Some(table.clone()), problem),
                };
                rejected_all.push(placed(number, not));
            }
        }
        let done = OfflineDone {
            applied: &applied,
            merged: &merged,
            rejected: &rejected_all,
            created: &created,
            versions: &versions,
            durable: true,
        };
        let frames = vec![text("offline_sync_complete", &done).into()];
        Answer { behind, frames }
    }
}
