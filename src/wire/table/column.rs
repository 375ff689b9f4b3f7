//! A column as JSON.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::document::table::{self, Deleted, Kind};

/// What a column may be made to hold.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum KindName {
    Text,
    Number,
    Checkbox,
    Date,
    Select,
    MultiSelect,
    Link,
    LongText,
    Counter,
}

impl From<KindName> for Kind {
    fn from(name: KindName) -> Self {
        match name {
            KindName::Text => Self::Text,
            KindName::Number => Self::Number,
            KindName::Checkbox => Self::Checkbox,
            KindName::Date => Self::Date,
            KindName::Select => Self::Select,
            KindName::MultiSelect => Self::MultiSelect,
            KindName::Link => Self::Link,
            KindName::LongText => Self::LongText,
            KindName::Counter => Self::Counter,
        }
    }
}

/// A column of a table.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Column {
    #[schema(example = "c4Tz81bQx")]
    pub id: String,
    #[schema(example = "Amount")]
    pub name: String,
    /// `text`, `number`, `checkbox`, `date`, `select`, `multiselect`, `link`, `longtext`, `counter`, or what another
    /// program calls a kind of its own.
    #[schema(example = "number")]
    pub kind: String,
    /// Pixels.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub width: Option<f64>,
    /// Of a select or multiselect, in their order.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub options: Option<Vec<Choice>>,
    /// Who deleted it, and when.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub deleted: Option<Mark>,
}

/// An option of a select or multiselect column.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Choice {
    #[schema(example = "o7Hq2LmWz")]
    pub id: String,
    pub name: String,
    /// A CSS colour, or a name the front end knows.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub color: Option<String>,
}

/// The mark of what was deleted. Both parts are claims of whoever deleted it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Mark {
    /// Milliseconds since 1970.
    pub at: Option<i64>,
    pub by: Option<String>,
}

impl From<&Deleted> for Mark {
    fn from(deleted: &Deleted) -> Self {
        Self {
            at: deleted.at,
            by: deleted.by.clone(),
        }
    }
}

impl From<&table::Column> for Column {
    fn from(column: &table::Column) -> Self {
        let options = column.options.iter().map(|option| Choice {
            id: option.id.clone(),
            name: option.name.clone(),
            color: option.color.clone(),
        });
        Self {
            id: column.id.to_string(),
            name: column.name.clone(),
            kind: column.kind.as_str().to_owned(),
            // What another program wrote may be no number that JSON has.
            width: column.width.filter(|width| width.is_finite()),
            options: column.kind.has_options().then(|| options.collect()),
            deleted: column.deleted.as_ref().map(Mark::from),
        }
    }
}
