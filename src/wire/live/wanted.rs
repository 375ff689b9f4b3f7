//! From changes of records to edits of the model.
//!
//! A refusal of the model is told by the field of the change that is to blame, so it is kept which edits came from which
//! change, and which columns its fields are.

use std::collections::HashSet;
use std::ops::Range;

use automerge::ReadDoc;
use rand::Rng;
use serde_json::Value as Json;

use super::change::{Ask, BatchItem, FieldChange, RecordKind};
use crate::document::table::{self, CellEdit, ColumnId, Refusal, Refused, RowId, TableEdit};
use crate::wire::table::{Mistake, Place, Resolver, Wishes};

/// What a change asks for, as the model has it.
#[derive(Debug)]
pub struct Wanted {
    wishes: Wishes,
    /// What its author says they saw in cells.
    pub olds: Vec<Old>,
    records: Vec<Record>,
}

/// What the author of a change saw in a cell that it writes to.
#[derive(Debug, Clone, PartialEq)]
pub struct Old {
    pub row: RowId,
    pub column: ColumnId,
    pub value: Json,
    /// Where it stands in what was sent.
    pub field: String,
}

/// A record of the change, and the edits that came of it.
#[derive(Debug)]
struct Record {
    edits: Range<usize>,
    place: String,
    row: Option<RowId>,
    /// The columns of its fields.
    columns: Vec<ColumnId>,
}

/// A change of a record, alone or of a batch.
struct Sent<'s> {
    kind: RecordKind,
    record_id: Option<&'s str>,
    fields: &'s [FieldChange],
    at: Option<&'s Place>,
    place: String,
}

impl Ask {
    /// Reads the change against a version of its table. Fields of mistakes are within the data of the change.
    pub fn read<D: ReadDoc, R: Rng>(&self, resolver: &mut Resolver<'_, D, R>) -> Result<Wanted, Mistake> {
        let (mut olds, mut records) = (Vec::new(), Vec::new());
        let done = match self {
            Self::Record(change) => {
                let sent = Sent {
                    kind: change.kind,
                    record_id: change.record_id.as_deref(),
                    fields: &change.changes,
                    at: change.at.as_ref(),
                    place: String::new(),
                };
                sent.read(resolver, &mut olds).map(|record| records.push(record))
            }
            Self::Batch(batch) => batch.items.iter().enumerate().try_for_each(|(number, item)| {
                let place = format!("/changes/{number}");
                match item {
                    BatchItem::Edit(edit) => resolver.add(edit, &place),
                    BatchItem::Record(item) => {
                        let sent = Sent {
                            kind: item.kind,
                            record_id: item.record_id.as_deref(),
                            fields: &item.changes,
                            at: item.at.as_ref(),
                            place,
                        };
                        sent.read(resolver, &mut olds).map(|record| records.push(record))
                    }
                }
            }),
        };
        // Also after a mistake: the next change begins with nothing.
        let wishes = resolver.take();
        done.map(|()| Wanted { wishes, olds, records })
    }
}

impl Wanted {
    pub fn edits(&self) -> &[TableEdit] {
        &self.wishes.edits
    }

    /// What the sender did wrong, of a refusal of these edits.
    pub fn mistake(&self, refused: &Refused) -> Mistake {
        match self.records.iter().find(|record| record.edits.contains(&refused.edit)) {
            Some(record) => Mistake::new(record.field(refused), &refused.why),
            None => self.wishes.mistake(refused),
        }
    }

    /// Where an edit was sent.
    pub fn place(&self, edit: usize) -> String {
        let record = self.records.iter().find(|record| record.edits.contains(&edit));
        record.map_or_else(|| self.wishes.place(edit).to_owned(), |record| record.place.clone())
    }
}

impl Record {
    /// The field that a refusal is about.
    fn field(&self, refused: &Refused) -> String {
        let of = |column: &ColumnId, part: &str| {
            let number = self.columns.iter().position(|other| other == column);
            number.map_or_else(String::new, |number| format!("/changes/{number}/{part}"))
        };
        let inside = match &*refused.why {
            Refusal::WrongValue { column, .. } | Refusal::WrongEdit { column, .. } => of(column, "newValue"),
            Refusal::NoColumn(column) | Refusal::ColumnDeleted(column) => of(column, "fieldId"),
            Refusal::NoRow(row) if self.row.as_ref() != Some(row) => "/at".into(),
            Refusal::NoRow(_) | Refusal::RowDeleted(_) | Refusal::RowExists(_) => "/recordId".into(),
            Refusal::OutOfList { .. } => "/at".into(),
            _ => String::new(),
        };
        format!("{}{inside}", self.place)
    }
}

impl Sent<'_> {
    fn read<D: ReadDoc, R: Rng>(
        self,
        resolver: &mut Resolver<'_, D, R>,
        olds: &mut Vec<Old>,
    ) -> Result<Record, Mistake> {
        let place = self.place.clone();
        self.edits(resolver, olds).map_err(|mistake| mistake.under(&place))
    }

    fn edits<D: ReadDoc, R: Rng>(
        self,
        resolver: &mut Resolver<'_, D, R>,
        olds: &mut Vec<Old>,
    ) -> Result<Record, Mistake> {
        let row = self.row()?;
        let columns = self.columns(resolver)?;
        let first = resolver.edits();
        let mut push = |edit| resolver.push(edit, self.place.clone());
        match (self.kind, &row) {
            (RecordKind::Create, id) => {
                let at = self.at.unwrap_or(&Place::End).read(RowId::parse);
                let values = self.fields.iter().map(|field| field.new_value.clone());
                let new = table::NewRow {
                    id: id.clone(),
                    cells: columns.iter().cloned().zip(values).collect(),
                };
                push(TableEdit::InsertRows {
                    at: at.map_err(|mistake| mistake.under("/at"))?,
                    rows: vec![new],
                });
            }
            (RecordKind::Update, Some(row)) => {
                for (number, (column, field)) in columns.iter().zip(self.fields).enumerate() {
                    push(TableEdit::Cell {
                        row: row.clone(),
                        column: column.clone(),
                        edit: CellEdit::Set(field.new_value.clone()),
                    });
                    olds.extend(field.old_value.clone().map(|value| Old {
                        row: row.clone(),
                        column: column.clone(),
                        value,
                        field: format!("{}/changes/{number}/oldValue", self.place),
                    }));
                }
            }
            (RecordKind::Delete, Some(row)) => push(TableEdit::DeleteRows(vec![row.clone()])),
            (RecordKind::Restore, Some(row)) => push(TableEdit::RestoreRows(vec![row.clone()])),
            (_, None) => unreachable!("only a new record comes without an id"),
        }
        Ok(Record {
            edits: first..resolver.edits(),
            place: self.place,
            row,
            columns,
        })
    }

    /// The id of the record; whether the change has the parts that its kind has.
    fn row(&self) -> Result<Option<RowId>, Mistake> {
        let new = self.kind == RecordKind::Create;
        let writes = new || self.kind == RecordKind::Update;
        if !writes && !self.fields.is_empty() {
            return Err(Mistake::new("/changes", "only a new record or an update has fields"));
        }
        if self.kind == RecordKind::Update && self.fields.is_empty() {
            return Err(Mistake::new("/changes", "an update changes at least one field"));
        }
        if !new && self.at.is_some() {
            return Err(Mistake::new(
                "/at",
                "only a new record is placed; moveRows of a batch moves others",
            ));
        }
        let seen = |field: &FieldChange| field.old_value.as_ref().is_some_and(|old| !old.is_null());
        if let (true, Some(number)) = (new, self.fields.iter().position(seen)) {
            let field = format!("/changes/{number}/oldValue");
            return Err(Mistake::new(field, "a new record has no old value"));
        }
        match self.record_id {
            Some(text) => RowId::parse(text)
                .map(Some)
                .map_err(|bad| Mistake::new("/recordId", bad)),
            None if new => Ok(None),
            None => Err(Mistake::new("/recordId", "it is to be said which record this is about")),
        }
    }

    fn columns<D: ReadDoc, R: Rng>(&self, resolver: &mut Resolver<'_, D, R>) -> Result<Vec<ColumnId>, Mistake> {
        let mut named = HashSet::new();
        let column = |(number, field): (usize, &FieldChange)| {
            let place = format!("/changes/{number}/fieldId");
            let column = resolver
                .column(&field.field_id)
                .map_err(|mistake| mistake.under(&place))?;
            match named.insert(column.clone()) {
                true => Ok(column),
                false => Err(Mistake::new(place, format!("column {column} is named twice"))),
            }
        };
        self.fields.iter().enumerate().map(column).collect()
    }
}
