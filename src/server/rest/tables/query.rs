//! Which rows a request asks for: its query, read in two steps.
//!
//! What can be judged without the table is judged before the table is touched; columns and views are looked up in the very
//! version that is answered. Parts of the query replace those of the view it names.

use serde::{Deserialize, Serialize};
use serde_json::{Value as Json, json};
use utoipa::{IntoParams, ToSchema};

use automerge::ReadDoc;

use super::super::problem::{Code, Problem};
use super::cursor::{self, Cursor};
use super::{no_view, view_id};
use crate::document::table::{self, TableIndex, ViewId};
use crate::document::view::{self, Part, View};
use crate::id::DocumentId;
use crate::wire::table::{Mistake, Names, Shown, Skipped};

/// Rows on a page, unless the request says otherwise, and at most.
const PAGE: usize = 100;
const LARGEST_PAGE: usize = 1000;

#[derive(Debug, Default, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
pub(super) struct RowsQuery {
    /// Rows on a page.
    #[param(value_type = Option<usize>, minimum = 1, maximum = 1000, example = 100)]
    limit: Option<String>,
    /// `next` of the page before.
    cursor: Option<String>,
    /// Conditions as in a view, as JSON: a list of which all hold, or a single one.
    #[param(example = r#"{"column":"Amount","op":"greater","value":100}"#)]
    filter: Option<String>,
    /// Columns by id or name, separated by commas; `-` before one for the other direction.
    #[param(example = "-Amount,Name")]
    sort: Option<String>,
    /// Columns to group by, as in `sort`: rows of equal values stand together.
    #[param(example = "State")]
    group: Option<String>,
    /// Figures as in a view, as JSON.
    #[param(example = r#"[{"op":"sum","column":"Amount"}]"#)]
    aggregates: Option<String>,
    /// The columns to be shown, by id or name, separated by commas.
    #[param(example = "Name,Amount")]
    fields: Option<String>,
    /// A saved view: its filter, sort, columns, groups and aggregates, as far as the query does not replace them.
    view: Option<String>,
    /// Whether cells go by the ids of their columns or by their names, where these are unique.
    #[param(value_type = Option<Keys>, inline)]
    keys: Option<String>,
    /// The deleted rows instead of the others.
    #[param(value_type = Option<bool>)]
    deleted: Option<String>,
}

/// What of a row is to be shown.
#[derive(Debug, Default, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
pub(super) struct RowQuery {
    /// The columns to be shown, by id or name, separated by commas.
    #[param(example = "Name,Amount")]
    fields: Option<String>,
    /// Whether cells go by the ids of their columns or by their names, where these are unique.
    #[param(value_type = Option<Keys>, inline)]
    keys: Option<String>,
}

/// What is listed of columns.
#[derive(Debug, Default, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
pub(super) struct ColumnsQuery {
    /// The deleted columns instead of the others.
    #[param(value_type = Option<bool>)]
    deleted: Option<String>,
}

/// What cells are called by.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub(super) enum Keys {
    #[default]
    Id,
    Name,
}

/// Which columns are shown, and how.
#[derive(Debug, Clone, Default)]
pub(super) struct Showing {
    fields: Option<Vec<String>>,
    keys: Keys,
}

/// A query for rows, as far as it can be read without the table.
#[derive(Debug)]
pub(super) struct Rows {
    pub limit: usize,
    pub deleted: bool,
    pub cursor: Option<Cursor>,
    pub query: cursor::Query,
    pub showing: Showing,
    view: Option<ViewId>,
    /// Parts of a view, with columns as they were named.
    parts: Vec<(Part, Json)>,
}

/// A query for rows that are not in the order of the table, or not all of them.
pub(super) struct Viewed {
    pub view: View,
    /// What of the stored view is not understood.
    pub skipped: Vec<Skipped>,
}

impl Rows {
    pub fn read(asked: RowsQuery, table: &DocumentId) -> Result<Self, Problem> {
        let limit = match &asked.limit {
            None => PAGE,
            Some(text) => limit(text)?,
        };
        let deleted = truth("/deleted", asked.deleted.as_deref())?;
        let view = asked.view.as_deref().map(view_id).transpose();
        let view = view.map_err(|problem| bad("/view", problem.detail))?;
        let mut parts = Vec::new();
        if let Some(text) = &asked.filter {
            let filter = json_in("/filter", text)?;
            let all = if filter.is_array() { filter } else { json!([filter]) };
            parts.push((Part::Filter, all));
        }
        let keys = [(Part::Sort, &asked.sort), (Part::Group, &asked.group)];
        parts.extend(
            keys.into_iter()
                .filter_map(|(part, text)| Some((part, keys_of(text.as_deref()?)))),
        );
        if let Some(text) = &asked.aggregates {
            parts.push((Part::Aggregates, json_in("/aggregates", text)?));
        }
        if deleted && (view.is_some() || !parts.is_empty()) {
            let why =
                "deleted rows are listed in the order of the table, without filter, sort, group, aggregates or view";
            return Err(bad("/deleted", why));
        }
        let text = |text: &Option<String>| text.clone().unwrap_or_default();
        let query = cursor::Query::of([
            table.as_str(),
            if deleted { "deleted" } else { "" },
            &text(&asked.view),
            &text(&asked.filter),
            &text(&asked.sort),
            &text(&asked.group),
        ]);
        let cursor = asked
            .cursor
            .as_deref()
            .map(|text| Cursor::open(text, query))
            .transpose();
        Ok(Self {
            limit,
            deleted,
            cursor: cursor.map_err(|why| bad("/cursor", why))?,
            query,
            showing: Showing::read(asked.fields, asked.keys)?,
            view,
            parts,
        })
    }

    /// Whether all rows are asked for, as they stand: such a page needs no look at the others.
    pub fn is_plain(&self) -> bool {
        self.view.is_none() && self.parts.is_empty()
    }

    /// The view that is asked for. What the query says must be right; a stored view may name what is gone.
    pub fn viewed(&self, document: &impl ReadDoc, columns: &[table::Column]) -> Result<Viewed, Problem> {
        let stored = match &self.view {
            Some(id) => Some(view::find(document, id).ok_or_else(|| no_view(id).at("/view"))?),
            None => None,
        };
        let given: Vec<Part> = self.parts.iter().map(|(part, _)| *part).collect();
        let skipped = stored.iter().flat_map(|stored| &stored.skipped);
        let skipped = skipped
            .filter(|skipped| !given.contains(&skipped.part))
            .map(Into::into)
            .collect();
        let mut base = stored.map(|stored| stored.view).unwrap_or_default();
        base.name = String::new();
        let view = Names::of(columns).view(&base, self.parts.clone()).map_err(in_query)?;
        view.checked(columns, &given)
            .map_err(|wrong| bad(&format!("/{}", wrong.0.part.key()), wrong.0.why))?;
        Ok(Viewed { view, skipped })
    }
}

impl RowQuery {
    pub fn showing(self) -> Result<Showing, Problem> {
        Showing::read(self.fields, self.keys)
    }
}

impl ColumnsQuery {
    pub fn deleted(&self) -> Result<bool, Problem> {
        truth("/deleted", self.deleted.as_deref())
    }
}

impl Showing {
    fn read(fields: Option<String>, keys: Option<String>) -> Result<Self, Problem> {
        let keys = match keys.as_deref() {
            None | Some("id") => Keys::Id,
            Some("name") => Keys::Name,
            Some(other) => return Err(bad("/keys", format!("keys is \"id\" or \"name\", not {other:?}"))),
        };
        let fields = fields.map(|fields| names(&fields).map(str::to_owned).collect());
        Ok(Self { fields, keys })
    }

    /// The columns to be shown: those asked for, or else those of the view, or else all that are there.
    pub fn columns(&self, index: &TableIndex, of_view: Option<&[table::ColumnId]>) -> Result<Shown, Problem> {
        let names = Names::of(index.columns());
        let mut ids = match (&self.fields, of_view) {
            (Some(fields), _) => {
                let find = |name: &String| names.find(name).map_err(|why| bad("/fields", why));
                fields.iter().map(find).collect::<Result<Vec<_>, _>>()?
            }
            (None, Some(ids)) => ids.to_vec(),
            (None, None) => index.live_columns().map(|column| column.id.clone()).collect(),
        };
        let mut seen = std::collections::HashSet::new();
        ids.retain(|id| seen.insert(id.clone()));
        let columns = ids.iter().filter_map(|id| index.column(id));
        Ok(match self.keys {
            Keys::Id => Shown::by_id(columns),
            Keys::Name => Shown::by_name(columns, &names),
        })
    }
}

fn bad(field: &str, why: impl std::fmt::Display) -> Problem {
    Problem::new(Code::BadQuery, why.to_string()).at(field)
}

/// A mistake in a view that came as a query.
fn in_query(mistake: Mistake) -> Problem {
    bad(&mistake.field, mistake.detail)
}

fn limit(text: &str) -> Result<usize, Problem> {
    let limit = text.parse().ok().filter(|limit| (1..=LARGEST_PAGE).contains(limit));
    limit.ok_or_else(|| {
        let text: String = text.chars().take(80).collect();
        bad(
            "/limit",
            format!("limit is a number from 1 to {LARGEST_PAGE}, not {text:?}"),
        )
    })
}

fn truth(field: &str, text: Option<&str>) -> Result<bool, Problem> {
    match text {
        None | Some("false") => Ok(false),
        Some("true") => Ok(true),
        Some(other) => {
            let other: String = other.chars().take(80).collect();
            Err(bad(field, format!("expected \"true\" or \"false\", not {other:?}")))
        }
    }
}

fn json_in(field: &str, text: &str) -> Result<Json, Problem> {
    serde_json::from_str(text).map_err(|error| bad(field, format!("this is not JSON: {error}")))
}

fn names(text: &str) -> impl Iterator<Item = &str> {
    text.split(',').map(str::trim).filter(|name| !name.is_empty())
}

/// `-Amount,Name` as keys of a view.
fn keys_of(text: &str) -> Json {
    let key = |name: &str| match name.strip_prefix('-') {
        Some(name) => json!({ "column": name, "descending": true }),
        None => json!({ "column": name }),
    };
    names(text).map(key).collect()
}
