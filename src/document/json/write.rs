//! JSON written into a document by difference: what is there already stays as it is.
//!
//! An edit that others make at the same time then lives on: in a text, in a part of an object that was replaced by a
//! similar one, in the items of a list that are in both.

use automerge::transaction::Transactable;
use automerge::{AutomergeError, ObjId, ObjType, Prop, ScalarValue, Value as Found};
use serde_json::{Map, Value};

use super::{MAX_DEPTH, Reader, TooMuch, from_scalar, to_scalar};

/// Why something could not be read or written.
#[derive(Debug, thiserror::Error)]
pub enum Fault {
    #[error("nothing is at {0:?}")]
    Absent(String),
    #[error("{token:?} is no position in a list of {length}")]
    NoPosition { token: String, length: usize },
    #[error("what is at {0:?} is a single value, which has no parts")]
    Single(String),
    #[error("the document as a whole can be replaced by an object, and by nothing else")]
    Whole,
    #[error("a value cannot be moved into itself")]
    IntoItself,
    #[error("it is {found}")]
    Differs { found: String },
    #[error("it would be nested deeper than {MAX_DEPTH} levels")]
    TooDeep,
    #[error("the patch reads and writes more than {} values", super::patch::MAX_VALUES)]
    TooMuch,
    #[error("the library refused it: {0}")]
    Library(Box<AutomergeError>),
}

impl From<AutomergeError> for Fault {
    fn from(error: AutomergeError) -> Self {
        Self::Library(Box::new(error))
    }
}

impl From<TooMuch> for Fault {
    fn from(_: TooMuch) -> Self {
        Self::TooMuch
    }
}

/// A value apart from the document, in the kinds that the document has: what is moved or copied stays a text, a counter.
#[derive(Debug, Clone)]
pub(super) enum Piece {
    Scalar(ScalarValue),
    Text(String),
    List(Vec<Piece>),
    Map(Vec<(String, Piece)>),
}

impl Piece {
    pub fn of(value: &Value) -> Self {
        match value {
            Value::Array(items) => Self::List(items.iter().map(Self::of).collect()),
            Value::Object(fields) => Self::Map(
                fields
                    .iter()
                    .map(|(key, value)| (key.clone(), Self::of(value)))
                    .collect(),
            ),
            single => Self::Scalar(to_scalar(single)),
        }
    }

    /// The levels it has below itself.
    pub fn depth(&self) -> usize {
        match self {
            Self::Scalar(_) | Self::Text(_) => 0,
            Self::List(items) => 1 + items.iter().map(Self::depth).max().unwrap_or(0),
            Self::Map(fields) => 1 + fields.iter().map(|(_, piece)| piece.depth()).max().unwrap_or(0),
        }
    }
}

/// Where a piece goes.
#[derive(Debug, Clone)]
pub(super) enum Place {
    /// In the place of what is there.
    At(Prop),
    /// Into a list, before what is there.
    Before(usize),
}

/// A transaction and what may still be read and written in it.
pub(super) struct Editor<'t, T> {
    pub tx: &'t mut T,
    left: usize,
}

impl<'t, T: Transactable> Editor<'t, T> {
    pub fn new(tx: &'t mut T, left: usize) -> Self {
        Self { tx, left }
    }

    pub fn found(&self, object: &ObjId, prop: Prop) -> Result<Option<(Found<'static>, ObjId)>, Fault> {
        Ok(self.tx.get(object, prop)?.map(|(value, id)| (value.into_owned(), id)))
    }

    /// What was found, as JSON.
    pub fn json(&mut self, (value, id): &(Found<'static>, ObjId)) -> Result<Value, Fault> {
        let mut reader = Reader {
            document: &*self.tx,
            heads: None,
            left: self.left,
        };
        let json = reader.value(value, id, 0)?;
        self.left = reader.left;
        Ok(json)
    }

    /// What was found, apart from the document.
    pub fn piece(&mut self, (value, id): &(Found<'static>, ObjId), depth: usize) -> Result<Piece, Fault> {
        self.spend(1)?;
        if depth > MAX_DEPTH {
            return Err(Fault::TooDeep);
        }
        let kind = match value {
            Found::Scalar(scalar) => return Ok(Piece::Scalar(scalar.as_ref().clone())),
            Found::Object(kind) => *kind,
        };
        match kind {
            ObjType::Text => {
                self.spend(self.tx.length(id))?;
                Ok(Piece::Text(self.tx.text(id)?))
            }
            ObjType::List => {
                let mut items = Vec::new();
                for index in 0..self.tx.length(id) {
                    let Some(item) = self.found(id, index.into())? else {
                        break;
                    };
                    items.push(self.piece(&item, depth + 1)?);
                }
                Ok(Piece::List(items))
            }
            ObjType::Map | ObjType::Table => {
                let keys: Vec<String> = self.tx.keys(id).collect();
                let mut fields = Vec::new();
                for key in keys {
                    let Some(field) = self.found(id, key.as_str().into())? else {
                        continue;
                    };
                    let piece = self.piece(&field, depth + 1)?;
                    fields.push((key, piece));
                }
                Ok(Piece::Map(fields))
            }
        }
    }

    /// Makes a key, or what is at a position, what `value` says.
    pub fn set(&mut self, object: &ObjId, prop: Prop, value: &Value) -> Result<(), Fault> {
        let current = self.found(object, prop.clone())?;
        match (value, &current) {
            (Value::Object(fields), Some((Found::Object(ObjType::Map), map))) => self.set_map(map, fields),
            (Value::Array(items), Some((Found::Object(ObjType::List), list))) => self.set_list(list, items),
            (Value::String(text), Some((Found::Object(ObjType::Text), id))) => {
                self.spend(self.tx.length(id))?;
                Ok(self.tx.update_text(id, text)?)
            }
            (value, Some((Found::Scalar(old), _))) if from_scalar(old) == *value => Ok(()),
            (value, _) => self.make(object, Place::At(prop), &Piece::of(value)),
        }
    }

    /// Makes a map what the object says.
    pub fn set_map(&mut self, map: &ObjId, fields: &Map<String, Value>) -> Result<(), Fault> {
        let keys: Vec<String> = self.tx.keys(map).collect();
        self.spend(keys.len())?;
        for key in keys.iter().filter(|key| !fields.contains_key(*key)) {
            self.tx.delete(map, key.as_str())?;
        }
        fields
            .iter()
            .try_for_each(|(key, value)| self.set(map, key.as_str().into(), value))
    }

    /// Makes a list what the array says. The items at its begin and its end that are the same stay untouched.
    fn set_list(&mut self, list: &ObjId, items: &[Value]) -> Result<(), Fault> {
        let old = self.json(&(Found::Object(ObjType::List), list.clone()))?;
        let old = old.as_array().map_or(&[][..], Vec::as_slice);
        let begin = old.iter().zip(items).take_while(|(old, new)| old == new).count();
        let (old, items) = (&old[begin..], &items[begin..]);
        let pairs = old.iter().rev().zip(items.iter().rev());
        let end = pairs.take_while(|(old, new)| old == new).count();
        let (old, items) = (old.len() - end, &items[..items.len() - end]);
        for (offset, item) in items.iter().enumerate() {
            match offset < old {
                true => self.set(list, (begin + offset).into(), item)?,
                false => self.make(list, Place::Before(begin + offset), &Piece::of(item))?,
            }
        }
        for _ in items.len()..old {
            self.tx.delete(list, begin + items.len())?;
        }
        Ok(())
    }

    /// Puts a piece somewhere, as a new value.
    pub fn make(&mut self, object: &ObjId, place: Place, piece: &Piece) -> Result<(), Fault> {
        self.spend(1)?;
        match piece {
            Piece::Scalar(scalar) => match place {
                Place::At(prop) => self.tx.put(object, prop, scalar.clone())?,
                Place::Before(index) => self.tx.insert(object, index, scalar.clone())?,
            },
            Piece::Text(text) => {
                let id = self.make_object(object, place, ObjType::Text)?;
                self.spend(text.len())?;
                self.tx.splice_text(&id, 0, 0, text)?;
            }
            Piece::List(items) => {
                let list = self.make_object(object, place, ObjType::List)?;
                for (index, item) in items.iter().enumerate() {
                    self.make(&list, Place::Before(index), item)?;
                }
            }
            Piece::Map(fields) => {
                let map = self.make_object(object, place, ObjType::Map)?;
                for (key, piece) in fields {
                    self.make(&map, Place::At(key.as_str().into()), piece)?;
                }
            }
        }
        Ok(())
    }

    fn make_object(&mut self, object: &ObjId, place: Place, kind: ObjType) -> Result<ObjId, Fault> {
        Ok(match place {
            Place::At(prop) => self.tx.put_object(object, prop, kind)?,
            Place::Before(index) => self.tx.insert_object(object, index, kind)?,
        })
    }

    fn spend(&mut self, values: usize) -> Result<(), Fault> {
        self.left = self.left.checked_sub(values).ok_or(Fault::TooMuch)?;
        Ok(())
    }
}
