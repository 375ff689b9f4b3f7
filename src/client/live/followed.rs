//! One table that this client follows: what the server told, what is shown here of ourselves, and what is still to be said.
//!
//! An edit that was answered may be told of a moment later. Until it is, it stays laid over the table, so that the cell does
//! not jump back in between; but not for long, since it may lie outside the window and never be told of.
//!
//! Pure: time comes in, messages go out.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::{Duration, Instant};

use rand::Rng;
use serde_json::{Value as Json, json};

use super::edit::{BatchItem, PendingEdit, RecordEdit, RecordKind, What};
use super::message::{Changes, Refusal, TableSnapshot};
use super::model::{Model, Scope};
use super::people::{Cursor, People, Selection, Typing};
use super::shown::{Table, shown};
use crate::document::table::{BlockId, RowId};
use crate::id::DocumentId;

/// Between two messages about our own cursor: the server tells it no more often than it.
const PACE: Duration = Duration::from_millis(50);

/// How long an edit that was answered, and not told of, is shown.
const SETTLING: Duration = Duration::from_secs(2);

/// Edits answered and not told of that are remembered.
const MOST_SETTLING: usize = 1_000;

/// Rows made here that share a block, as many as the schema wants in one.
const BLOCK: usize = 128;

/// How far a subscription is.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Standing {
    /// To be asked for, though not before this time.
    Wanted(Option<Instant>),
    Asked,
    Here,
    Refused(Refusal),
}

/// The newest of one thing that is shown of ourselves.
#[derive(Debug)]
struct Lane<T> {
    value: Option<T>,
    is_due: bool,
}

#[derive(Debug)]
struct Settling {
    edit: PendingEdit,
    version: String,
    /// Shown until then.
    until: Option<Instant>,
}

#[derive(Debug)]
pub(super) struct Followed {
    pub id: DocumentId,
    /// What is wanted.
    scope: Scope,
    pub standing: Standing,
    pub model: Model,
    pub people: People,
    cursor: Lane<Cursor>,
    selection: Lane<Selection>,
    typing: Lane<Typing>,
    /// When something was said of ourselves last.
    spoke: Instant,
    settling: VecDeque<Settling>,
    /// Where new rows go, and how many more may.
    block: Option<(BlockId, usize)>,
    /// As it was made last, until something changes.
    shown: Option<Arc<Table>>,
}

impl<T> Lane<T> {
    const EMPTY: Self = Self {
        value: None,
        is_due: false,
    };

    fn set(&mut self, value: Option<T>) {
        *self = Self { value, is_due: true };
    }

    fn take(&mut self) -> Option<Option<&T>> {
        std::mem::take(&mut self.is_due).then_some(self.value.as_ref())
    }
}

impl Followed {
    pub fn new(id: DocumentId, scope: Scope, now: Instant) -> Self {
        Self {
            id,
            scope,
            standing: Standing::Wanted(None),
            model: Model::default(),
            people: People::default(),
            cursor: Lane::EMPTY,
            selection: Lane::EMPTY,
            typing: Lane::EMPTY,
            spoke: now,
            settling: VecDeque::new(),
            block: None,
            shown: None,
        }
    }

    /// Another window or view is wanted, or the same after it was refused.
    pub fn show(&mut self, scope: Scope) {
        self.scope = scope;
        self.standing = Standing::Wanted(None);
    }

    /// Whether what is wanted is what is here.
    pub fn is_here(&self) -> bool {
        self.standing == Standing::Here && self.model.scope == self.scope
    }

    /// There is no connection any more: what was asked is to be asked again.
    pub fn disconnected(&mut self) {
        self.standing = Standing::Wanted(None);
        self.cursor.is_due = self.cursor.value.is_some();
        self.selection.is_due = self.selection.value.is_some();
        self.typing.is_due = self.typing.value.is_some();
    }

    pub fn set_cursor(&mut self, cursor: Option<Cursor>) {
        self.cursor.set(cursor);
    }

    pub fn set_selection(&mut self, selection: Option<Selection>) {
        self.selection.set(selection);
    }

    pub fn set_typing(&mut self, typing: Option<Typing>) {
        self.typing.set(typing);
    }

    /// The message that asks for the table, if it is due: for what was missed, where there is something to go on from.
    pub fn subscription(&mut self, now: Instant) -> Option<String> {
        match self.standing {
            Standing::Wanted(after) if after.is_none_or(|after| after <= now) => self.standing = Standing::Asked,
            _ => return None,
        }
        let mut data = json!({ "tableId": self.id.as_str() });
        if let Some(view) = &self.scope.view {
            data["viewId"] = json!(view);
        }
        if let Some(window) = self.scope.window {
            data["window"] = json!(window);
        }
        let known = self.model.version.as_ref().filter(|_| self.model.scope == self.scope);
        let kind = match known {
            Some(version) => {
                data["lastVersion"] = json!(version);
                "recover_connection"
            }
            None => "subscribe_to_table",
        };
        Some(json!({ "type": kind, "data": data }).to_string())
    }

    /// The next thing to be said of ourselves, if it is due.
    pub fn presence(&mut self, now: Instant) -> Option<String> {
        if self.presence_due().is_none_or(|due| now < due) {
            return None;
        }
        let table = self.id.as_str();
        let (kind, data) = if let Some(cursor) = self.cursor.take() {
            ("cursor_position", json!({ "tableId": table, "cursor": cursor }))
        } else if let Some(selection) = self.selection.take() {
            ("selection", json!({ "tableId": table, "selection": selection }))
        } else {
            let cell = self.typing.take()?;
            ("typing", json!({ "tableId": table, "cell": cell }))
        };
        self.spoke = now;
        Some(json!({ "type": kind, "data": data }).to_string())
    }

    fn presence_due(&self) -> Option<Instant> {
        let is_due = self.cursor.is_due || self.selection.is_due || self.typing.is_due;
        (is_due && self.standing == Standing::Here).then(|| self.spoke + PACE)
    }

    /// When there is something to do that no message sets off.
    pub fn deadline(&self) -> Option<Instant> {
        let ask = match self.standing {
            Standing::Wanted(after) => after,
            _ => None,
        };
        let settling = self.settling.iter().find_map(|settling| settling.until);
        [ask, self.presence_due(), settling].into_iter().flatten().min()
    }

    pub fn replace(&mut self, snapshot: TableSnapshot) {
        self.model.replace(snapshot);
        self.standing = match self.model.scope == self.scope {
            true => Standing::Here,
            // Of a window that has been left since: what is wanted now is asked for already.
            false => self.standing.clone(),
        };
        self.settling.clear();
        self.touch();
    }

    pub fn apply(&mut self, changes: &Changes) {
        self.model.apply(changes);
        let is_told = |edit: &PendingEdit| {
            let ids = changes.changes.iter().filter_map(|change| change.change_id.as_deref());
            ids.into_iter().any(|id| id == edit.change_id())
        };
        self.settling.retain(|settling| {
            settling.until.is_some() && settling.version != changes.version && !is_told(&settling.edit)
        });
        self.touch();
    }

    /// What was missed is here. If something else is wanted by now, that is still to come.
    pub fn recovered(&mut self) {
        if self.standing == Standing::Asked && self.model.scope == self.scope {
            self.standing = Standing::Here;
        }
        self.settling.clear();
        self.touch();
    }

    /// Up to this version all was told that is seen here.
    pub fn reached(&mut self, version: String) {
        if self.standing == Standing::Here && self.model.version.as_ref() != Some(&version) {
            self.settling
                .retain(|settling| settling.until.is_some() && settling.version != version);
            self.model.version = Some(version);
            self.touch();
        }
    }

    /// An edit was made, of which the server has not told yet.
    pub fn settle(&mut self, edit: PendingEdit, version: &str, now: Instant) {
        if self.model.version.as_deref() != Some(version) {
            if self.settling.len() == MOST_SETTLING {
                self.settling.pop_front();
            }
            let (version, until) = (version.to_owned(), Some(now + SETTLING));
            self.settling.push_back(Settling { edit, version, until });
        }
        self.touch();
    }

    /// Shows no longer what has been answered for a while. Whether anything was.
    pub fn forget_settled(&mut self, now: Instant) -> bool {
        let mut any = false;
        for settling in &mut self.settling {
            if settling.until.is_some_and(|until| until <= now) {
                settling.until = None;
                any = true;
            }
        }
        if any {
            self.touch();
        }
        any
    }

    /// Something has changed: what is shown is to be made anew.
    pub fn touch(&mut self) {
        self.shown = None;
    }

    /// What is shown, with these edits that the server has not told of.
    pub fn shown<'e>(&'e mut self, edits: impl Iterator<Item = &'e PendingEdit> + Clone) -> Arc<Table> {
        if let Some(known) = &self.shown {
            return known.clone();
        }
        let settling = self.settling.iter().filter(|settling| settling.until.is_some());
        let settling = settling.map(|settling| &settling.edit);
        let mut table = shown(&self.model, settling, edits.clone());
        table.users = self.people.all().cloned().collect();
        table.unsaved = edits.count();
        self.shown.insert(Arc::new(table)).clone()
    }

    /// Puts into an edit what is known here: ids for names, an id for a new row, and what is seen in the cells.
    pub fn complete(&mut self, mut what: What, table: &Table, rng: &mut impl Rng) -> What {
        let records: Vec<&mut RecordEdit> = match &mut what {
            What::Record(record) => vec![record],
            What::Batch { changes } => {
                let records = changes.iter_mut().filter_map(|item| match item {
                    BatchItem::Record(record) => Some(record),
                    BatchItem::Op(_) => None,
                });
                records.collect()
            }
        };
        for record in records {
            if record.kind == RecordKind::Create && record.record_id.is_empty() {
                record.record_id = self.new_row(rng).to_string();
            }
            let row = RowId::parse(&record.record_id).ok();
            let row = row
                .and_then(|row| table.row(&row))
                .filter(|_| record.kind == RecordKind::Update);
            for field in &mut record.changes {
                if let Some(column) = table.column(&field.field_id) {
                    field.field_id.clone_from(&column.id);
                }
                let seen = |cells: &std::collections::BTreeMap<String, Json>| cells.get(&field.field_id).cloned();
                field.old_value = row
                    .filter(|_| !record.overwrites)
                    .map(|row| seen(&row.cells).unwrap_or_default());
            }
        }
        what
    }

    /// The version that whoever edits here has seen. None of it, where it lacks an edit of theirs that was answered already:
    /// that would be taken for somebody else's.
    pub fn seen_by(&self, what: &What) -> Option<String> {
        let records =
            |edit: &PendingEdit| -> Vec<String> { edit.records().map(|record| record.record_id.clone()).collect() };
        let edit = PendingEdit::new(String::new(), self.id.clone(), what.clone());
        let mine = records(&edit);
        let is_overtaken = self
            .settling
            .iter()
            .any(|settling| records(&settling.edit).iter().any(|row| mine.contains(row)));
        let overwrites = edit.records().count() > 0 && edit.records().all(|record| record.overwrites);
        self.model.version.clone().filter(|_| !is_overtaken && !overwrites)
    }

    /// A new id, in a block of this client's own: so it need not be known which blocks there are.
    fn new_row(&mut self, rng: &mut impl Rng) -> RowId {
        let (block, left) = match self.block.take() {
            Some((block, left)) if left > 0 => (block, left),
            _ => (BlockId::random(rng), BLOCK),
        };
        let row = RowId::random(&block, rng);
        self.block = Some((block, left - 1));
        row
    }
}

#[cfg(test)]
mod tests;
