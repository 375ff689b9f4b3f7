//! A view as JSON, and the columns it names.
//!
//! What a view says is read and checked by the model; here names become ids before it, and schemas describe it.

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value as Json, json};
use utoipa::ToSchema;

use super::{Mistake, Names, step};
use crate::document::table::ColumnId;
use crate::document::view::{self, Part, StoredView};

/// A saved view of a table.
#[derive(Debug, Clone, PartialEq, Serialize, ToSchema)]
pub struct View {
    #[schema(example = "vK3nB0xYd")]
    pub id: String,
    #[schema(example = "Open items")]
    pub name: String,
    /// All of these hold.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Vec<Filter>, required = false)]
    pub filter: Option<Json>,
    /// The first key counts most.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Vec<SortKey>, required = false)]
    pub sort: Option<Json>,
    /// The visible columns in their order; all of them if it is not there.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Vec<String>, required = false)]
    pub columns: Option<Json>,
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Vec<SortKey>, required = false)]
    pub group: Option<Json>,
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Vec<Aggregate>, required = false)]
    pub aggregates: Option<Json>,
    /// What of the view is not followed, and why.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    #[schema(required = false)]
    pub skipped: Vec<Skipped>,
}

/// Something in a view that is not followed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Skipped {
    /// `filter`, `sort`, `columns`, `group` or `aggregates`.
    pub part: String,
    pub why: String,
}

/// A condition on rows.
#[derive(ToSchema)]
#[serde(untagged)]
pub enum Filter {
    All {
        #[schema(no_recursion)]
        and: Vec<Filter>,
    },
    Any {
        #[schema(no_recursion)]
        or: Vec<Filter>,
    },
    Test {
        /// An id, or in what you send a unique name.
        column: String,
        op: Operator,
        /// What is compared with: one value, a list for `anyOf`, `noneOf` and `between`, nothing for `isEmpty` and
        /// `isNotEmpty`.
        #[schema(required = false, nullable = false)]
        value: Option<Json>,
    },
}

#[derive(ToSchema)]
#[serde(rename_all = "camelCase")]
pub enum Operator {
    Equals,
    NotEquals,
    Contains,
    StartsWith,
    Less,
    LessOrEqual,
    Greater,
    GreaterOrEqual,
    Between,
    IsEmpty,
    IsNotEmpty,
    AnyOf,
    NoneOf,
}

/// A column to sort or group by.
#[derive(ToSchema)]
#[expect(dead_code, reason = "it describes what the model reads")]
pub struct SortKey {
    column: String,
    descending: Option<bool>,
}

/// A figure over rows; only `count` needs no column.
#[derive(ToSchema)]
#[expect(dead_code, reason = "it describes what the model reads")]
pub struct Aggregate {
    op: AggregateName,
    column: Option<String>,
}

#[derive(ToSchema)]
#[serde(rename_all = "camelCase")]
#[expect(dead_code, reason = "it describes what the model reads")]
pub enum AggregateName {
    Count,
    CountFilled,
    Sum,
    Min,
    Max,
    Average,
}

/// Rows of the same values.
#[derive(Debug, Clone, PartialEq, Serialize, ToSchema)]
pub struct Grouping {
    /// One value for each column grouped by.
    #[schema(value_type = Vec<serde_json::Value>)]
    pub key: Vec<Json>,
    /// The position of its first row among all rows of the answer's query.
    pub start: usize,
    /// How many rows it has.
    pub rows: usize,
    /// One for each aggregate.
    #[schema(value_type = Vec<serde_json::Value>)]
    pub totals: Vec<Json>,
}

impl From<&view::Group> for Grouping {
    fn from(group: &view::Group) -> Self {
        Self {
            key: group.key.clone(),
            start: group.rows.start,
            rows: group.rows.len(),
            totals: group.totals.clone(),
        }
    }
}

impl From<&view::Skipped> for Skipped {
    fn from(skipped: &view::Skipped) -> Self {
        Self {
            part: skipped.part.key().to_owned(),
            why: skipped.why.clone(),
        }
    }
}

impl From<&StoredView> for View {
    fn from(stored: &StoredView) -> Self {
        let part = |part| stored.view.part(part);
        Self {
            id: stored.id.to_string(),
            name: stored.view.name.clone(),
            filter: part(Part::Filter),
            sort: part(Part::Sort),
            columns: part(Part::Columns),
            group: part(Part::Group),
            aggregates: part(Part::Aggregates),
            skipped: stored.skipped.iter().map(Skipped::from).collect(),
        }
    }
}

/// The items of a list; what is no list is left to the model to refuse.
fn each(json: &Json, item: impl Fn(&Json) -> Result<Json, Mistake>) -> Result<Json, Mistake> {
    let Json::Array(items) = json else {
        return Ok(json.clone());
    };
    let read = |(at, json)| item(json).map_err(|mistake| mistake.under(&format!("/{at}")));
    items.iter().enumerate().map(read).collect()
}

fn filter(json: &Json, names: &Names) -> Result<Json, Mistake> {
    for nested in ["and", "or"] {
        if let Some(inside) = json.get(nested) {
            let inside = each(inside, |item| filter(item, names));
            return Ok(json!({ nested: inside.map_err(|mistake| mistake.under(&step(nested)))? }));
        }
    }
    with_column(json, names)
}

/// An object with its `column` as an id.
fn with_column(json: &Json, names: &Names) -> Result<Json, Mistake> {
    let (Json::Object(map), Some(column)) = (json, json.get("column")) else {
        return Ok(json.clone());
    };
    let mut map: Map<String, Json> = map.clone();
    let column = named(column, names).map_err(|mistake| mistake.under("/column"))?;
    map.insert("column".into(), column);
    Ok(Json::Object(map))
}

fn named(json: &Json, names: &Names) -> Result<Json, Mistake> {
    let Some(text) = json.as_str() else {
        return Ok(json.clone());
    };
    let id: ColumnId = names.find(text).map_err(|why| Mistake::new("", why))?;
    Ok(json!(id.as_str()))
}

impl Names {
    /// Reads parts of a view on top of a view that is there. Columns may be named.
    pub fn view(&self, base: &view::View, parts: Vec<(Part, Json)>) -> Result<view::View, Mistake> {
        let mut whole = base.to_json();
        for (part, json) in parts {
            let read = match part {
                Part::Name => Ok(json),
                Part::Filter => each(&json, |item| filter(item, self)),
                Part::Columns => each(&json, |item| named(item, self)),
                Part::Sort | Part::Group | Part::Aggregates => each(&json, |item| with_column(item, self)),
            };
            whole[part.key()] = read.map_err(|mistake| mistake.under(&step(part.key())))?;
        }
        view::View::from_json(&whole).map_err(|bad| Mistake::new(step(bad.0.part.key()), bad))
    }
}
