//! Names of columns, blocks and rows: stable, random, never reused.
//!
//! A position changes and a name gets edited; what a cell belongs to must not. A row's id begins with the key of its
//! block, so that a row is found in the document without an index. Ids are made from random characters alone: people who
//! add at the same time, or offline, never make the same one.

use std::borrow::Borrow;
use std::fmt;
use std::sync::Arc;

use rand::Rng;
use rand::distr::{Alphanumeric, SampleString};

/// Random base62 characters in a new id: 47 bits, for ids that must differ within one document.
const RANDOM: usize = 8;

/// The longest part taken on either side of the dot, in bytes.
const MAX_PART: usize = 64;

/// Why a text is not the id it was given for.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("not a {what} id: {text:?}")]
pub struct BadId {
    pub what: &'static str,
    pub text: String,
}

fn checked(what: &'static str, text: &str, good: bool) -> Result<Arc<str>, BadId> {
    match good {
        true => Ok(text.into()),
        false => Err(BadId {
            what,
            text: text.chars().take(80).collect(),
        }),
    }
}

/// Characters that need no escaping in an address, and no dot; not the one name under which JavaScript finds no entry of a map.
pub(super) fn is_part(text: &str) -> bool {
    (1..=MAX_PART).contains(&text.len())
        && text != "__proto__"
        && text
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-'))
}

/// `c` and random characters: the key of a column, and of its cells in every row.
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ColumnId(Arc<str>);

impl ColumnId {
    pub fn parse(text: &str) -> Result<Self, BadId> {
        checked("column", text, text.strip_prefix('c').is_some_and(is_part)).map(Self)
    }

    pub fn random(rng: &mut impl Rng) -> Self {
        Self(format!("c{}", characters(rng)).into())
    }

    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for ColumnId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Debug for ColumnId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// The key of a block of rows.
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct BlockId(Arc<str>);

impl BlockId {
    pub fn parse(text: &str) -> Result<Self, BadId> {
        checked("block", text, is_part(text)).map(Self)
    }

    pub fn random(rng: &mut impl Rng) -> Self {
        Self(characters(rng).into())
    }

    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for BlockId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Debug for BlockId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// `v` and random characters: the key of a saved view.
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ViewId(Arc<str>);

impl ViewId {
    pub fn parse(text: &str) -> Result<Self, BadId> {
        checked("view", text, is_part(text)).map(Self)
    }

    pub fn random(rng: &mut impl Rng) -> Self {
        Self(format!("v{}", characters(rng)).into())
    }

    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for ViewId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Debug for ViewId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// `<block>.<random characters>`: the key of a row within its block.
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct RowId(Arc<str>);

impl RowId {
    pub fn parse(text: &str) -> Result<Self, BadId> {
        let parts = text.split_once('.');
        checked(
            "row",
            text,
            parts.is_some_and(|(block, own)| is_part(block) && is_part(own)),
        )
        .map(Self)
    }

    pub fn random(block: &BlockId, rng: &mut impl Rng) -> Self {
        Self(format!("{block}.{}", characters(rng)).into())
    }

    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The key of the block this row lies in.
    pub fn block(&self) -> &str {
        self.0.split_once('.').map_or("", |(block, _)| block)
    }
}

/// Sets of rows are asked with the text of a message, which need not be an id.
impl Borrow<str> for RowId {
    fn borrow(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for RowId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Debug for RowId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

fn characters(rng: &mut impl Rng) -> String {
    Alphanumeric.sample_string(rng, RANDOM)
}

#[cfg(test)]
mod tests {
    use rand::{SeedableRng, rngs::SmallRng};

    use super::*;

    #[test]
    fn new_ids_read_back_and_a_row_knows_its_block() {
        let mut rng = SmallRng::seed_from_u64(1);
        let (column, block) = (ColumnId::random(&mut rng), BlockId::random(&mut rng));
        let row = RowId::random(&block, &mut rng);
        assert_eq!(ColumnId::parse(column.as_str()), Ok(column));
        assert_eq!(BlockId::parse(block.as_str()), Ok(block.clone()));
        assert_eq!(RowId::parse(row.as_str()), Ok(row.clone()));
        assert_eq!(row.block(), block.as_str());
        assert_ne!(row, RowId::random(&block, &mut rng));
    }

    #[test]
    fn what_is_no_id_is_refused() {
        for text in ["", "c", "order", "c.", "cä", "c1.2"] {
            assert!(ColumnId::parse(text).is_err(), "{text:?}");
        }
        for text in ["", ".", "b.", ".r", "b", "b.r.x", "b r.x"] {
            assert!(RowId::parse(text).is_err(), "{text:?}");
        }
    }
}
