//! What edits have made, as JSON: the ids that only the server knows until then.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::document::table::Outcome;

/// What an edit of a batch has made; nothing, of most of them.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize, ToSchema)]
pub struct Made {
    /// The ids of the rows inserted.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub rows: Option<Vec<String>>,
    /// The id of the column added.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub column: Option<String>,
    /// The ids of the column's options, in order.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub options: Option<Vec<String>>,
    /// The id of the view made.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub view: Option<String>,
}

impl From<&Outcome> for Made {
    fn from(outcome: &Outcome) -> Self {
        let nothing = Self::default();
        match outcome {
            Outcome::Done => nothing,
            Outcome::Rows(rows) => Self {
                rows: Some(rows.iter().map(ToString::to_string).collect()),
                ..nothing
            },
            Outcome::Column(column) => Self {
                column: Some(column.to_string()),
                ..nothing
            },
            Outcome::Options(options) => Self {
                options: Some(options.clone()),
                ..nothing
            },
            Outcome::View(view) => Self {
                view: Some(view.to_string()),
                ..nothing
            },
        }
    }
}
