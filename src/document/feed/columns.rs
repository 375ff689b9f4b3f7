//! The columns of a scope at two versions.
//!
//! A column that is new, or whose options came or went, shows other cells in rows that nobody has touched; those cells are
//! compared row by row. A column of another kind, or one that was restored, shows others in nearly every row: then a
//! snapshot says it better.

use std::borrow::Cow;
use std::collections::{BTreeSet, HashMap};

use automerge::ReadDoc;

use super::{ColumnsTouched, Scope, visible};
use crate::document::table::{Column, ColumnId, SelectOption, TableIndex, columns_of};
use crate::document::view::{Filter, View};

/// The visible columns, and what they were.
pub(super) struct Columns<'i> {
    pub now: Vec<&'i Column>,
    /// Those that were visible and are.
    then: HashMap<ColumnId, Cow<'i, Column>>,
    /// Those whose cells may show something else although nobody has touched them.
    dirty: BTreeSet<ColumnId>,
    /// Whether a person sees other columns, or the same ones in another way.
    pub differ: bool,
}

impl<'i> Columns<'i> {
    /// None if a snapshot is due. `then` is the document as it was.
    pub fn compare(
        then: &impl ReadDoc,
        index: &'i TableIndex,
        scope: &Scope<'_>,
        touched: ColumnsTouched,
    ) -> Option<Self> {
        let now = scope.columns(index);
        if touched == ColumnsTouched::No {
            let then = now.iter().map(|column| (column.id.clone(), Cow::Borrowed(*column)));
            return Some(Self {
                then: then.collect(),
                now,
                dirty: BTreeSet::new(),
                differ: false,
            });
        }
        let all_then = columns_of(then);
        let view = scope.view.map(|(_, rows)| rows.view());
        let is_another = |view: &View| {
            !decides_alike(view, &all_then, index.columns()) || view.check(&all_then) != view.check(index.columns())
        };
        if view.is_some_and(is_another) {
            return None;
        }
        let mut dirty = BTreeSet::new();
        for column in &now {
            match all_then.iter().find(|old| old.id == column.id) {
                Some(old) if old.deleted.is_some() || old.kind != column.kind => return None,
                Some(old) if ids(&old.options).eq(ids(&column.options)) => {}
                Some(_) if !column.kind.has_options() => {}
                Some(_) | None => dirty.extend([column.id.clone()]),
            }
        }
        let visible_then = visible(view, &all_then);
        let differ =
            visible_then.len() != now.len() || visible_then.iter().zip(&now).any(|(old, new)| !looks_alike(old, new));
        let then = visible_then
            .into_iter()
            .map(|column| (column.id.clone(), Cow::Owned(column.clone())));
        Some(Self {
            then: then.collect(),
            now,
            dirty,
            differ,
        })
    }

    pub fn then(&self, column: &ColumnId) -> Option<&Column> {
        self.then.get(column).map(|column| &**column)
    }

    pub fn is_dirty(&self, column: &ColumnId) -> bool {
        self.dirty.contains(column)
    }

    pub fn any_dirty(&self) -> bool {
        !self.dirty.is_empty()
    }
}

/// Whether the columns that decide which rows a view has, and in which order, are the same at both versions.
fn decides_alike(view: &View, then: &[Column], now: &[Column]) -> bool {
    let mut asked = BTreeSet::new();
    view.filter.iter().for_each(|filter| columns_in(filter, &mut asked));
    asked.extend(view.sort.iter().chain(&view.group).map(|sort| &sort.column));
    let live = |columns: &'_ [Column], id: &ColumnId| {
        let column = columns.iter().find(|column| column.id == *id);
        let column = column.filter(|column| column.deleted.is_none())?;
        Some((
            column.kind.clone(),
            ids(&column.options).map(str::to_owned).collect::<Vec<_>>(),
        ))
    };
    asked.into_iter().all(|id| live(then, id) == live(now, id))
}

fn columns_in<'f>(filter: &'f Filter, found: &mut BTreeSet<&'f ColumnId>) {
    match filter {
        Filter::All(inside) | Filter::Any(inside) => inside.iter().for_each(|filter| columns_in(filter, found)),
        Filter::Test(condition) => found.extend([&condition.column]),
    }
}

fn ids(options: &[SelectOption]) -> impl Iterator<Item = &str> {
    options.iter().map(|option| option.id.as_str())
}

/// Whether a person sees the same: keys of order say nothing of their own.
fn looks_alike(one: &Column, two: &Column) -> bool {
    let options = |column: &Column| -> Vec<(String, String, Option<String>)> {
        let shown = |option: &SelectOption| (option.id.clone(), option.name.clone(), option.color.clone());
        column.options.iter().map(shown).collect()
    };
    one.id == two.id
        && one.name == two.name
        && one.kind == two.kind
        && one.width == two.width
        && options(one) == options(two)
}
