//! Views from JSON and back.
//!
//! One reader serves both: read from a document, what it skips is reported; read from a request, it is an error.

use serde_json::{Map, Value as Json, json};

use super::{
    Aggregate, AggregateOp, BadView, Condition, Filter, MAX_DEPTH, MAX_GROUPS, MAX_ITEMS, Op, Part, Skipped, Sort, View,
};
use crate::document::table::ColumnId;
use crate::document::table::value::shortened;

impl View {
    /// Reads a view that is to be written. Says what is wrong with the first thing that is not understood; whether its
    /// columns are there and fit is checked against the table, by [`check`](Self::check).
    pub fn from_json(json: &Json) -> Result<Self, BadView> {
        if let Some(unknown) = json.as_object().and_then(|map| map.keys().find(|key| !is_part(key))) {
            return Err(BadView(Skipped {
                part: Part::Name,
                why: format!("a view has no {unknown:?}"),
            }));
        }
        let (view, skipped) = Self::read(json);
        match skipped.into_iter().next() {
            Some(first) => Err(BadView(first)),
            None => Ok(view),
        }
    }

    /// Reads a view as it was found, leaving out what is not understood.
    pub fn read(json: &Json) -> (Self, Vec<Skipped>) {
        let mut reader = Reader {
            part: Part::Name,
            skipped: Vec::new(),
            conditions: 0,
        };
        let view = reader.view(json);
        (view, reader.skipped)
    }

    /// One part as it lies in the document; `None` if it says nothing and so has no key.
    pub fn part(&self, part: Part) -> Option<Json> {
        let list = |items: Vec<Json>| (!items.is_empty()).then_some(Json::Array(items));
        match part {
            Part::Name => Some(json!(self.name)),
            Part::Filter => list(self.filter.iter().map(Filter::to_json).collect()),
            Part::Sort => list(self.sort.iter().map(Sort::to_json).collect()),
            Part::Columns => self
                .columns
                .as_ref()
                .map(|columns| columns.iter().map(|column| json!(column.as_str())).collect()),
            Part::Group => list(self.group.iter().map(Sort::to_json).collect()),
            Part::Aggregates => list(self.aggregates.iter().map(Aggregate::to_json).collect()),
        }
    }

    pub fn to_json(&self) -> Json {
        let parts = Part::ALL
            .iter()
            .filter_map(|part| Some((part.key().to_owned(), self.part(*part)?)));
        Json::Object(parts.collect())
    }
}

fn is_part(key: &str) -> bool {
    Part::ALL.iter().any(|part| part.key() == key)
}

impl Filter {
    fn to_json(&self) -> Json {
        let all = |filters: &[Self]| filters.iter().map(Self::to_json).collect::<Vec<_>>();
        match self {
            Self::All(filters) => json!({ "and": all(filters) }),
            Self::Any(filters) => json!({ "or": all(filters) }),
            Self::Test(Condition { column, op, value }) => {
                let mut test = json!({ "column": column.as_str(), "op": op.name() });
                if !value.is_null() {
                    test["value"] = value.clone();
                }
                test
            }
        }
    }
}

impl Sort {
    fn to_json(&self) -> Json {
        match self.descending {
            true => json!({ "column": self.column.as_str(), "descending": true }),
            false => json!({ "column": self.column.as_str() }),
        }
    }
}

impl Aggregate {
    fn to_json(&self) -> Json {
        match &self.column {
            Some(column) => json!({ "column": column.as_str(), "op": self.op.name() }),
            None => json!({ "op": self.op.name() }),
        }
    }
}

struct Reader {
    part: Part,
    skipped: Vec<Skipped>,
    conditions: usize,
}

impl Reader {
    fn view(&mut self, json: &Json) -> View {
        let Some(map) = json.as_object() else {
            self.skip::<()>(format!("a view is an object, not {}", shortened(json)));
            return View::default();
        };
        let name = match map.get("name") {
            Some(Json::String(name)) => name.clone(),
            None => String::new(),
            Some(other) => {
                self.skip::<()>(format!("a name is a text, not {}", shortened(other)));
                String::new()
            }
        };
        View {
            name,
            filter: self.list(map, Part::Filter, MAX_ITEMS, |reader, item| reader.filter(item, 1)),
            sort: self.list(map, Part::Sort, MAX_ITEMS, Self::sort),
            columns: self.columns(map),
            group: self.list(map, Part::Group, MAX_GROUPS, Self::sort),
            aggregates: self.list(map, Part::Aggregates, MAX_ITEMS, Self::aggregate),
        }
    }

    fn skip<T>(&mut self, why: String) -> Option<T> {
        if self.skipped.len() < MAX_ITEMS {
            self.skipped.push(Skipped { part: self.part, why });
        }
        None
    }

    fn list<T>(
        &mut self,
        map: &Map<String, Json>,
        part: Part,
        limit: usize,
        mut item: impl FnMut(&mut Self, &Json) -> Option<T>,
    ) -> Vec<T> {
        self.part = part;
        match map.get(part.key()) {
            None | Some(Json::Null) => Vec::new(),
            Some(Json::Array(items)) => {
                if items.len() > limit {
                    self.skip::<()>(format!("there are {} items, at most {limit} are read", items.len()));
                }
                items.iter().take(limit).filter_map(|json| item(self, json)).collect()
            }
            Some(other) => {
                self.skip::<()>(format!("expected a list, found {}", shortened(other)));
                Vec::new()
            }
        }
    }

    fn columns(&mut self, map: &Map<String, Json>) -> Option<Vec<ColumnId>> {
        let given = map.get(Part::Columns.key()).is_some_and(|columns| !columns.is_null());
        // A table has more columns than a filter has conditions.
        let columns = self.list(map, Part::Columns, 50 * MAX_ITEMS, |reader, json| match json.as_str() {
            Some(text) => reader.column_id(text),
            None => reader.skip(format!("expected a column id, found {}", shortened(json))),
        });
        given.then_some(columns)
    }

    fn filter(&mut self, json: &Json, depth: usize) -> Option<Filter> {
        self.conditions += 1;
        if depth > MAX_DEPTH || self.conditions > MAX_ITEMS {
            return self.skip(format!(
                "at most {MAX_ITEMS} conditions, nested at most {MAX_DEPTH} deep, are read"
            ));
        }
        for (name, make) in [("and", Filter::All as fn(_) -> _), ("or", Filter::Any)] {
            match json.get(name) {
                None => {}
                Some(Json::Array(items)) => {
                    let inside = items.iter().filter_map(|item| self.filter(item, depth + 1)).collect();
                    return Some(make(inside));
                }
                Some(other) => return self.skip(format!("{name:?} takes a list, not {}", shortened(other))),
            }
        }
        let column = self.column(json)?;
        let Some(op) = json.get("op").and_then(Json::as_str) else {
            return self.skip(format!("{} names no operator", shortened(json)));
        };
        let Some(op) = Op::parse(op) else {
            return self.skip(format!("there is no operator {:?}; there are {}", op, Op::names()));
        };
        let value = json.get("value").cloned().unwrap_or(Json::Null);
        Some(Filter::Test(Condition { column, op, value }))
    }

    fn sort(&mut self, json: &Json) -> Option<Sort> {
        let column = self.column(json)?;
        match json.get("descending") {
            None | Some(Json::Null) => Some(Sort {
                column,
                descending: false,
            }),
            Some(Json::Bool(descending)) => Some(Sort {
                column,
                descending: *descending,
            }),
            Some(other) => self.skip(format!("\"descending\" is true or false, not {}", shortened(other))),
        }
    }

    fn aggregate(&mut self, json: &Json) -> Option<Aggregate> {
        let name = json.get("op").and_then(Json::as_str).unwrap_or_default();
        let Some(op) = AggregateOp::parse(name) else {
            return self.skip(format!(
                "there is no aggregate {name:?}; there are {}",
                AggregateOp::names()
            ));
        };
        let column = match op {
            AggregateOp::Count if json.get("column").is_none_or(Json::is_null) => None,
            _ => Some(self.column(json)?),
        };
        Some(Aggregate { column, op })
    }

    fn column(&mut self, json: &Json) -> Option<ColumnId> {
        match json.get("column").and_then(Json::as_str) {
            Some(text) => self.column_id(text),
            None => self.skip(format!("{} names no column", shortened(json))),
        }
    }

    fn column_id(&mut self, text: &str) -> Option<ColumnId> {
        match ColumnId::parse(text) {
            Ok(id) => Some(id),
            Err(bad) => self.skip(bad.to_string()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_view_survives_json() {
        let json = json!({
            "name": "Open items",
            "filter": [
                { "column": "c1", "op": "equals", "value": "o1" },
                { "or": [
                    { "column": "c2", "op": "between", "value": [1, 2.5] },
                    { "and": [{ "column": "c3", "op": "isEmpty" }] },
                ] },
            ],
            "sort": [{ "column": "c2", "descending": true }, { "column": "c1" }],
            "columns": ["c2", "c1"],
            "group": [{ "column": "c1" }],
            "aggregates": [{ "op": "count" }, { "column": "c2", "op": "sum" }],
        });
        let view = View::from_json(&json).unwrap();
        assert_eq!(view.to_json(), json);
        assert_eq!(
            View::from_json(&json!({ "name": "All" })).unwrap().to_json(),
            json!({ "name": "All" })
        );
        // No columns at all is not the same as all columns.
        let bare = View::from_json(&json!({ "name": "", "columns": [] })).unwrap();
        assert_eq!(bare.columns, Some(vec![]));
        assert_eq!(bare.to_json(), json!({ "name": "", "columns": [] }));
    }

    #[test]
    fn what_is_not_understood_is_an_error_at_writing_and_skipped_at_reading() {
        let strange = json!({
            "name": "Strange",
            "filter": [
                { "column": "c1", "op": "resembles", "value": 1 },
                { "column": "c1", "op": "equals", "value": 1 },
                { "or": 5 },
            ],
            "sort": "c1",
            "group": [{ "column": "x1" }],
            "aggregates": [{ "column": "c1", "op": "median" }],
        });
        let error = View::from_json(&strange).unwrap_err().to_string();
        assert!(
            error.starts_with("the view's filter: there is no operator \"resembles\"; there are equals, "),
            "{error}"
        );
        let (view, skipped) = View::read(&strange);
        assert_eq!((view.filter.len(), view.sort.len(), view.group.len()), (1, 0, 0));
        let parts: Vec<_> = skipped.iter().map(|skipped| skipped.part).collect();
        assert_eq!(
            parts,
            [Part::Filter, Part::Filter, Part::Sort, Part::Group, Part::Aggregates]
        );
        assert!(View::from_json(&json!({ "name": "x", "filters": [] })).is_err());
    }

    #[test]
    fn a_filter_is_bounded() {
        let mut deep = json!({ "column": "c1", "op": "isEmpty" });
        for _ in 0..MAX_DEPTH {
            deep = json!({ "and": [deep] });
        }
        assert!(View::from_json(&json!({ "filter": [deep] })).is_err());
        let many = vec![json!({ "column": "c1", "op": "isEmpty" }); MAX_ITEMS + 1];
        assert!(View::from_json(&json!({ "filter": many })).is_err());
    }
}
