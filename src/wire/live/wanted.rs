//! From changes of records to edits of the model.
//!
//! A refusal of the model is told by the field of the change that is to blame, so it is kept which edits came from which
//! change, and which columns its fields are.

use std::collections::HashSet;
use std::ops::Range;

use automerge::ReadDoc;
use rand::Rng;

use super::change::{Ask, BatchItem, FieldChange, RecordKind};
use crate::document::table::sight::Saw;
use crate::document::table::{self, CellEdit, ColumnId, Outcome, Refusal, Refused, RowId, TableEdit};
use crate::wire::table::{Made, Mistake, Place, Resolver, Wishes};

/// What a change asks for, as the model has it.
#[derive(Debug, Default)]
pub struct Wanted {
    wishes: Wishes,
    /// What its author says they saw in cells, and where in what was sent they say so.
    saw: Vec<Saw>,
    saw_at: Vec<String>,
    records: Vec<Record>,
    /// The edits of each item of a batch.
    items: Vec<Range<usize>>,
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
        let (mut saw, mut records, mut items) = (Vec::new(), Vec::new(), Vec::new());
        let done = match self {
            Self::Record(change) => {
                let sent = Sent {
                    kind: change.kind,
                    record_id: change.record_id.as_deref(),
                    fields: &change.changes,
                    at: change.at.as_ref(),
                    place: String::new(),
                };
                sent.read(resolver, &mut saw).map(|record| records.push(record))
            }
            Self::Batch(batch) => batch.items.iter().enumerate().try_for_each(|(number, item)| {
                let (place, first) = (format!("/changes/{number}"), resolver.edits());
                let read = match item {
                    BatchItem::Edit(edit) => resolver.add(edit, &place),
                    BatchItem::Record(item) => {
                        let sent = Sent {
                            kind: item.kind,
                            record_id: item.record_id.as_deref(),
                            fields: &item.changes,
                            at: item.at.as_ref(),
                            place,
                        };
                        sent.read(resolver, &mut saw).map(|record| records.push(record))
                    }
                };
                items.push(first..resolver.edits());
                read
            }),
        };
        // Also after a mistake: the next change begins with nothing.
        let wishes = resolver.take();
        let (saw, saw_at) = saw.into_iter().unzip();
        done.map(|()| Wanted {
            wishes,
            saw,
            saw_at,
            records,
            items,
        })
    }
}

impl Wanted {
    pub fn edits(&self) -> &[TableEdit] {
        &self.wishes.edits
    }

    /// What its author says they saw in cells.
    pub fn saw(&self) -> &[Saw] {
        &self.saw
    }

    /// Where in what was sent the author says what they saw.
    pub fn saw_at(&self, saw: usize) -> &str {
        self.saw_at.get(saw).map_or("", String::as_str)
    }

    pub fn is_batch(&self) -> bool {
        !self.items.is_empty()
    }

    /// What each item of a batch has made, of what its edits have made.
    pub fn made(&self, outcomes: &[Outcome]) -> Vec<Made> {
        let of = |edits: &Range<usize>| {
            let made = outcomes.get(edits.clone()).unwrap_or_default();
            let told = made.iter().find(|outcome| **outcome != Outcome::Done);
            told.map_or_else(Made::default, Made::from)
        };
        self.items.iter().map(of).collect()
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
            Refusal::NoColumn(column) | Refusal::NoColumnThen(column) | Refusal::ColumnDeleted(column) => {
                of(column, "fieldId")
            }
            Refusal::NoRow(row) if self.row.as_ref() != Some(row) => "/at".into(),
            Refusal::NoRow(_) | Refusal::NoRowThen(_) | Refusal::RowDeleted(_) | Refusal::RowExists(_) => {
                "/recordId".into()
            }
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
        saw: &mut Vec<(Saw, String)>,
    ) -> Result<Record, Mistake> {
        let place = self.place.clone();
        self.edits(resolver, saw).map_err(|mistake| mistake.under(&place))
    }

    fn edits<D: ReadDoc, R: Rng>(
        self,
        resolver: &mut Resolver<'_, D, R>,
        saw: &mut Vec<(Saw, String)>,
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
                    let seen = field.old_value.clone().map(|value| Saw {
                        row: row.clone(),
                        column: column.clone(),
                        value,
                    });
                    let at = || format!("{}/changes/{number}/oldValue", self.place);
                    saw.extend(seen.map(|seen| (seen, at())));
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

#[cfg(test)]
mod tests {
    use automerge::Automerge;
    use rand::SeedableRng;
    use rand::rngs::SmallRng;
    use serde_json::{Value as Json, json};

    use super::*;
    use crate::document::table::{Column, Kind};
    use crate::wire::live::change::{BatchChanges, RecordChange};

    fn column(id: &str, name: &str) -> Column {
        Column {
            id: ColumnId::parse(id).unwrap(),
            name: name.into(),
            kind: Kind::Number,
            order: "a0".into(),
            width: None,
            options: Vec::new(),
            deleted: None,
        }
    }

    /// Reads a change of a table with the columns Amount (`cA`) and Price (`cB`).
    fn read(what: Json) -> Result<Wanted, Mistake> {
        let mut data = json!({ "changeId": "1767225600-1", "tableId": "t" });
        data.as_object_mut().unwrap().extend(what.as_object().unwrap().clone());
        let ask = match data.get("type") {
            Some(_) => Ask::Record(RecordChange::read(data).unwrap()),
            None => Ask::Batch(BatchChanges::read(data).unwrap()),
        };
        let columns = [column("cA", "Amount"), column("cB", "Price")];
        ask.read(&mut Resolver::new(
            &Automerge::new(),
            &columns,
            &mut SmallRng::seed_from_u64(1),
        ))
    }

    fn wrong(what: Json) -> String {
        read(what).unwrap_err().field
    }

    fn field(column: &str) -> Json {
        json!({ "fieldId": column, "newValue": 1 })
    }

    #[test]
    fn what_a_change_lacks_or_has_too_much_is_named() {
        let update = |fields: Json| json!({ "type": "update", "recordId": "b.r", "changes": fields });
        assert_eq!(
            wrong(json!({ "type": "update", "changes": [field("cA")] })),
            "/recordId"
        );
        assert_eq!(wrong(json!({ "type": "delete", "recordId": "none" })), "/recordId");
        assert_eq!(wrong(update(json!([]))), "/changes");
        assert_eq!(
            wrong(json!({ "type": "delete", "recordId": "b.r", "changes": [field("cA")] })),
            "/changes"
        );
        assert_eq!(wrong(update(json!([field("cA"), field("Tax")]))), "/changes/1/fieldId");
        assert_eq!(
            wrong(update(json!([field("cA"), field("Amount")]))),
            "/changes/1/fieldId"
        );
        let moved = json!({ "type": "update", "recordId": "b.r", "changes": [field("cA")], "at": "end" });
        assert_eq!(wrong(moved), "/at");
        let old = json!({ "type": "create", "changes": [{ "fieldId": "cA", "oldValue": 1, "newValue": 2 }] });
        assert_eq!(wrong(old), "/changes/0/oldValue");
        let batch = json!({ "changes": [{ "type": "create" }, { "type": "update", "recordId": "b.r" }] });
        assert_eq!(wrong(batch), "/changes/1/changes");
    }

    #[test]
    fn a_refusal_is_told_by_the_field_it_is_about() {
        let records = json!([
            { "op": "setCell", "row": "b.r", "column": "Price", "value": 1 },
            { "type": "update", "recordId": "b.r", "changes": [field("Price"), field("cA")] },
        ]);
        let wanted = read(json!({ "changes": records })).unwrap();
        let refused = |edit: usize, why: Refusal| {
            let why = Box::new(why);
            wanted.mistake(&Refused { edit, why }).field
        };
        let (row, other) = (RowId::parse("b.r").unwrap(), RowId::parse("b.s").unwrap());
        let amount = ColumnId::parse("cA").unwrap();
        assert_eq!(wanted.edits().len(), 3);
        assert_eq!(refused(0, Refusal::NoRow(row.clone())), "/changes/0");
        assert_eq!(refused(1, Refusal::NoRow(row)), "/changes/1/recordId");
        assert_eq!(refused(2, Refusal::NoRow(other)), "/changes/1/at");
        assert_eq!(
            refused(2, Refusal::ColumnDeleted(amount)),
            "/changes/1/changes/1/fieldId"
        );
        let made = wanted.made(&[Outcome::Done, Outcome::Done, Outcome::Done]);
        assert_eq!(made.len(), 2, "one for each item");
    }
}
