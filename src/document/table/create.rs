//! A table that is still empty.
//!
//! Everything else about a table is an [edit](super::TableEdit) of one that is there; this is what makes it be there.

use automerge::transaction::Transactable;
use automerge::{AutomergeError, ObjType, ROOT, ScalarValue};

use super::batch::MAX_NAME_BYTES;
use super::{SCHEMA_VERSION, key};

/// Makes an empty document a table of this title without columns and rows.
pub fn create(tx: &mut impl Transactable, title: &str) -> Result<(), CreateError> {
    if title.len() > MAX_NAME_BYTES {
        return Err(CreateError::LongTitle);
    }
    if tx.keys(ROOT).next().is_some() {
        return Err(CreateError::NotEmpty);
    }
    tx.put(ROOT, key::TYPE, key::TABLE)?;
    tx.put(ROOT, key::SCHEMA_VERSION, ScalarValue::Int(SCHEMA_VERSION as i64))?;
    tx.put(ROOT, key::TITLE, title)?;
    for map in [key::COLUMNS, key::BLOCKS, key::VIEWS] {
        tx.put_object(ROOT, map, ObjType::Map)?;
    }
    Ok(())
}

/// Why a document was not made a table.
#[derive(Debug, thiserror::Error)]
pub enum CreateError {
    #[error("the document is not empty, a table cannot be made of it")]
    NotEmpty,
    #[error("a title has at most {MAX_NAME_BYTES} bytes")]
    LongTitle,
    #[error("the document did not take the table: {0}")]
    Document(#[from] AutomergeError),
}
