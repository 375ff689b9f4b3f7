//! What people do to a table that is watched: all edits, views, clean-up, and what front ends write in their own ways.

use automerge::transaction::{Transactable, Transaction};
use automerge::{AutomergeError, ObjId, ObjType, ROOT, ReadDoc, ScalarValue, Value};
use rand::Rng;
use rand::rngs::SmallRng;
use rand::seq::IndexedRandom;
use roundtable::document::table::purge::expired;
use roundtable::document::table::{Kind, RowId, TableEdit, ViewId};
use roundtable::document::view::{self, View};
use serde_json::{Value as Json, json};

use crate::batch::Batch;
use crate::ledger::Ledger;
use crate::replica::Replica;
use crate::values::random_value;

pub const VIEWS: [&str; 3] = ["vOne", "vTwo", "vThree"];

/// A few of the kinds, so that several columns have values of few kinds to sort and filter by.
pub const KINDS: [Kind; 7] = [
    Kind::Text,
    Kind::Number,
    Kind::Checkbox,
    Kind::Select,
    Kind::MultiSelect,
    Kind::LongText,
    Kind::Counter,
];

/// One change by one person. What is refused is not done.
pub fn act(replica: &mut Replica, ledger: &mut Ledger) {
    match replica.rng.random_range(0..40) {
        0..3 => change_view(replica, ledger),
        3 => {
            for edit in expired(&replica.document, &replica.index, i64::MAX) {
                replica.edit(&[edit]).unwrap();
            }
        }
        4..16 => write_raw(replica),
        16..18 => tick(replica, ledger),
        _ => {
            let mut batch = Batch::default();
            for _ in 0..replica.rng.random_range(1..=4) {
                batch.add(replica, ledger);
            }
            let _ = replica.edit(&batch.edits);
        }
    }
}

/// Writes into many rows of one column at once.
fn tick(replica: &mut Replica, ledger: &mut Ledger) {
    let columns: Vec<_> = replica.index.live_columns().cloned().collect();
    let Some(column) = columns.choose(&mut replica.rng) else {
        return;
    };
    for at in 0..replica.index.live().len() {
        if replica.rng.random_bool(0.5) {
            let value = random_value(replica, ledger, &column.kind, &column.id);
            let row = replica.row(at);
            let _ = replica.edit(&[crate::edits::set(&row, &column.id, value)]);
        }
    }
}

pub fn change_view(replica: &mut Replica, ledger: &mut Ledger) {
    let id = ViewId::parse(VIEWS.choose(&mut replica.rng).unwrap()).unwrap();
    let view = random_view(replica, ledger);
    let edit = match view::find(&replica.document, &id) {
        None => TableEdit::CreateView { id: Some(id), view },
        Some(_) if replica.rng.random_bool(0.1) => TableEdit::DeleteView(id),
        Some(mut stored) => {
            match replica.rng.random_range(0..4) {
                0 => stored.view.name = view.name,
                1 => stored.view.filter = view.filter,
                2 => stored.view.columns = view.columns,
                _ => stored.view = view,
            }
            TableEdit::ChangeView { id, view: stored.view }
        }
    };
    // A view that was fine may name a column that is gone by now.
    let _ = replica.edit(&[edit]);
}

fn random_view(replica: &mut Replica, ledger: &mut Ledger) -> View {
    let columns: Vec<_> = replica.index.live_columns().cloned().collect();
    let some = |rng: &mut SmallRng, most: usize| -> Vec<Json> {
        let count = rng.random_range(0..=most);
        let chosen: Vec<_> = columns.choose_multiple(rng, count).collect();
        let sort = |column: &&roundtable::document::table::Column| json!({ "column": column.id.as_str(), "descending": rng.random_bool(0.4) });
        chosen.iter().map(sort).collect()
    };
    let (sort, group) = (some(&mut replica.rng, 2), some(&mut replica.rng, 1));
    let visible: Option<Vec<_>> = replica.rng.random_bool(0.4).then(|| {
        let count = replica.rng.random_range(0..=columns.len());
        let chosen = columns.choose_multiple(&mut replica.rng, count);
        chosen.map(|column| column.id.as_str()).collect()
    });
    let mut filter = Vec::new();
    if replica.rng.random_bool(0.7)
        && let Some(column) = columns.choose(&mut replica.rng)
    {
        let value = random_value(replica, ledger, &column.kind, &column.id);
        let value = if column.kind == Kind::Checkbox {
            json!(true)
        } else {
            value
        };
        let less = matches!(column.kind, Kind::Number | Kind::Counter) && !value.is_null();
        filter.push(match (less, value) {
            (true, value) => json!({ "column": column.id.as_str(), "op": "lessOrEqual", "value": value }),
            (false, Json::Bool(yes)) => json!({ "column": column.id.as_str(), "op": "equals", "value": yes }),
            (false, _) => json!({ "column": column.id.as_str(), "op": "isNotEmpty" }),
        });
    }
    let mut view =
        json!({ "name": format!("View {}", ledger.number()), "sort": sort, "group": group, "filter": filter });
    if let Some(visible) = visible {
        view["columns"] = json!(visible);
    }
    View::read(&view).0
}

/// As front ends write that do not go through our edits, well or badly.
fn write_raw(replica: &mut Replica) {
    let Some(target) = Target::choose(replica) else { return };
    let what = replica.rng.random_range(0..24);
    let mut rng = replica.rng.clone();
    replica.rng.random::<u64>();
    replica
        .document
        .transact::<_, _, AutomergeError>(|tx| match what {
            0..10 => target.write_cell(tx, &mut rng),
            10..17 => target.write_row(tx, &mut rng),
            17..19 => target.write_block(tx, &mut rng),
            19..23 => target.write_column(tx, &mut rng),
            _ => target.write_root(tx, &mut rng),
        })
        .unwrap();
    replica.index.follow(&replica.document).unwrap();
    replica.check_index();
}

/// Something to write to.
struct Target {
    blocks: ObjId,
    block: ObjId,
    row: RowId,
    object: ObjId,
    column: String,
    columns: ObjId,
}

const ORDERS: [&str; 7] = ["a0", "a1", "a1V", "a2", "a5", "Zz", "no key"];

impl Target {
    fn choose(replica: &mut Replica) -> Option<Self> {
        let (rows, columns) = (replica.index.rows(), replica.index.columns());
        let row = rows.choose(&mut replica.rng)?;
        let choices: Vec<_> = columns.iter().filter(|column| column.kind.has_options()).collect();
        let map = |parent: &ObjId, name: &str| replica.document.get(parent, name).unwrap().unwrap().1;
        let blocks = map(&ROOT, "blocks");
        Some(Self {
            block: map(&blocks, row.id.block()),
            row: row.id.clone(),
            object: row.object.clone(),
            column: match replica.rng.random_range(0..8) {
                // A column that is not there, and may come to be.
                0 => "cGhost".into(),
                1..4 if !choices.is_empty() => choices.choose(&mut replica.rng)?.id.as_str().to_owned(),
                _ => columns.choose(&mut replica.rng)?.id.as_str().to_owned(),
            },
            columns: map(&ROOT, "columns"),
            blocks,
        })
    }

    fn write_cell(&self, tx: &mut Transaction<'_>, rng: &mut SmallRng) -> Result<(), AutomergeError> {
        let (row, column) = (&self.object, self.column.as_str());
        let held = tx.get(row, column)?.map(|(value, id)| (value.to_owned(), id));
        match (rng.random_range(0..9), held) {
            (0..4, Some((Value::Object(ObjType::Text), text))) => {
                let length = tx.length(&text);
                let at = rng.random_range(0..=length);
                return tx.splice_text(&text, at, isize::from(at < length), "é");
            }
            (0..4, Some((Value::Object(ObjType::Map), ids))) => {
                let id = *["red", "green", "nobody knows"].choose(rng).unwrap();
                return tx.put(&ids, id, rng.random_bool(0.6));
            }
            (0..4, Some((Value::Scalar(scalar), _))) if matches!(*scalar, ScalarValue::Counter(_)) => {
                return tx.increment(row, column, rng.random_range(-2..3));
            }
            _ => {}
        }
        match rng.random_range(0..9) {
            0 => tx.put(row, column, ScalarValue::Null),
            1 => tx.put(row, column, rng.random_range(0..5)),
            2 => tx.put(row, column, 1.5),
            3 => tx.put(row, column, *["red", "", "2026-01-31"].choose(rng).unwrap()),
            4 => tx.put(row, column, ScalarValue::Timestamp(5)),
            5 => tx.put(row, column, ScalarValue::counter(2)),
            6 => {
                let text = tx.put_object(row, column, ObjType::Text)?;
                tx.splice_text(&text, 0, 0, ["", "plain"].choose(rng).unwrap())
            }
            7 => {
                let ids = tx.put_object(row, column, ObjType::Map)?;
                tx.put(&ids, "red", true)
            }
            _ => match tx.get(row, column)? {
                Some(_) => tx.delete(row, column),
                None => Ok(()),
            },
        }
    }

    fn write_row(&self, tx: &mut Transaction<'_>, rng: &mut SmallRng) -> Result<(), AutomergeError> {
        let order = *ORDERS.choose(rng).unwrap();
        match rng.random_range(0..10) {
            0..3 => tx.put(&self.object, "order", order),
            3 => {
                let text = tx.put_object(&self.object, "order", ObjType::Text)?;
                tx.splice_text(&text, 0, 0, order)
            }
            4 => match tx.get(&self.object, "order")? {
                Some((Value::Object(ObjType::Text), text)) => tx.splice_text(&text, tx.length(&text), 0, "V"),
                _ => tx.put(&self.object, "order", order),
            },
            5 => tx.put(&self.object, "deleted", rng.random_bool(0.5)),
            6 => match tx.get(&self.object, "deleted")? {
                Some((Value::Object(ObjType::Map), mark)) => tx.put(&mark, "by", "somebody else"),
                Some(_) => tx.delete(&self.object, "deleted"),
                None => Ok(()),
            },
            7 => tx.put(&self.object, "color", "red"),
            8 => tx.delete(&self.block, self.row.as_str()),
            _ => {
                let kept = tx
                    .get(&self.object, "order")?
                    .and_then(|(order, _)| order.into_string().ok());
                let order = kept
                    .filter(|_| rng.random_bool(0.7))
                    .unwrap_or_else(|| order.to_owned());
                let object = tx.put_object(&self.block, self.row.as_str(), ObjType::Map)?;
                tx.put(&object, "order", order)?;
                tx.put(&object, self.column.as_str(), "another row")
            }
        }
    }

    fn write_block(&self, tx: &mut Transaction<'_>, rng: &mut SmallRng) -> Result<(), AutomergeError> {
        let name = *["new1", "new2", "new3"].choose(rng).unwrap();
        let block = match tx.get(&self.blocks, name)? {
            Some((Value::Object(ObjType::Map), block)) if rng.random_bool(0.9) => block,
            Some(_) if rng.random_bool(0.5) => return tx.delete(&self.blocks, name),
            _ => tx.put_object(&self.blocks, name, ObjType::Map)?,
        };
        let row = format!("{name}.{}", rng.random_range(0..6));
        match rng.random_range(0..8) {
            0 => tx.put(&block, row, 5),
            1 => tx.put_object(&block, "odd", ObjType::Map).map(|_| ()),
            _ => {
                let object = tx.put_object(&block, row, ObjType::Map)?;
                tx.put(&object, "order", *ORDERS.choose(rng).unwrap())?;
                tx.put(&object, self.column.as_str(), rng.random_range(0..5))
            }
        }
    }

    fn write_column(&self, tx: &mut Transaction<'_>, rng: &mut SmallRng) -> Result<(), AutomergeError> {
        let found = tx.get(&self.columns, self.column.as_str())?;
        let Some((Value::Object(ObjType::Map), column)) = found.map(|(value, id)| (value.to_owned(), id)) else {
            let column = tx.put_object(&self.columns, self.column.as_str(), ObjType::Map)?;
            tx.put(&column, "kind", *["text", "number", "select"].choose(rng).unwrap())?;
            return tx.put(&column, "order", *ORDERS.choose(rng).unwrap());
        };
        let options = tx.get(&column, "options")?.map(|(_, options)| options);
        match (rng.random_range(0..9), options) {
            (0..4, Some(options)) => {
                let id = *["red", "green", "blue"].choose(rng).unwrap();
                match tx.get(&options, id)? {
                    Some(_) if rng.random_bool(0.5) => tx.delete(&options, id),
                    Some((_, option)) => tx.put(&option, "name", *["A", "B"].choose(rng).unwrap()),
                    None => tx.put_object(&options, id, ObjType::Map).map(|_| ()),
                }
            }
            (0..5, _) => {
                let name = tx.put_object(&column, "name", ObjType::Text)?;
                tx.splice_text(&name, 0, 0, ["A", "B"].choose(rng).unwrap())
            }
            (5, _) => tx.put(&column, "deleted", rng.random_bool(0.5)),
            (6, _) => tx.put(&column, "order", *ORDERS.choose(rng).unwrap()),
            (7, _) => tx.put(&column, "note", 1),
            _ if rng.random_bool(0.2) => tx.delete(&self.columns, self.column.as_str()),
            _ => tx.put(&column, "width", rng.random_range(40..44)),
        }
    }

    fn write_root(&self, tx: &mut Transaction<'_>, rng: &mut SmallRng) -> Result<(), AutomergeError> {
        match (rng.random_range(0..4), tx.get(ROOT, "title")?) {
            (0, _) => {
                let title = tx.put_object(ROOT, "title", ObjType::Text)?;
                tx.splice_text(&title, 0, 0, "Plain")
            }
            (1, Some((Value::Object(ObjType::Text), title))) => tx.splice_text(&title, 0, 1, "!"),
            (2, _) => tx.put(ROOT, "note", rng.random_range(0..3)),
            _ => tx.put_object(ROOT, "elsewhere", ObjType::List).map(|_| ()),
        }
    }
}
