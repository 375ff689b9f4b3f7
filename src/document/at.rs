//! A document as it was at some version.
//!
//! What reads a table reads it through [`ReadDoc`], as it is now. Through this the same code reads it as it was: nothing is
//! copied, the library looks up what had been written by then. That costs about 10 us a read, where a copy of the document
//! at an old version takes a second.
//!
//! - What is asked of an explicit version is answered for that version.
//! - Ids of objects mean the same at every version.

use std::ops::RangeBounds;

use automerge::iter::{DocIter, Keys, ListRange, MapRange, Spans, Values};
use automerge::marks::{Mark, MarkSet};
use automerge::{
    AutomergeError, Change, ChangeHash, Cursor, CursorPosition, MoveCursor, ObjId, ObjType, Parents, Prop, ReadDoc,
    Stats, TextEncoding, Value, hydrate,
};

/// A document at these heads. The document must have them.
#[derive(Debug)]
pub struct At<'d, D> {
    document: &'d D,
    heads: &'d [ChangeHash],
}

impl<D> Clone for At<'_, D> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<D> Copy for At<'_, D> {}

impl<'d, D: ReadDoc> At<'d, D> {
    pub fn new(document: &'d D, heads: &'d [ChangeHash]) -> Self {
        Self { document, heads }
    }

    pub fn heads(&self) -> &'d [ChangeHash] {
        self.heads
    }
}

impl<D: ReadDoc> ReadDoc for At<'_, D> {
    fn parents<O: AsRef<ObjId>>(&self, obj: O) -> Result<Parents<'_>, AutomergeError> {
        self.document.parents_at(obj, self.heads)
    }

    fn parents_at<O: AsRef<ObjId>>(&self, obj: O, heads: &[ChangeHash]) -> Result<Parents<'_>, AutomergeError> {
        self.document.parents_at(obj, heads)
    }

    fn keys<O: AsRef<ObjId>>(&self, obj: O) -> Keys<'_> {
        self.document.keys_at(obj, self.heads)
    }

    fn keys_at<O: AsRef<ObjId>>(&self, obj: O, heads: &[ChangeHash]) -> Keys<'_> {
        self.document.keys_at(obj, heads)
    }

    fn iter_at<O: AsRef<ObjId>>(&self, obj: O, heads: Option<&[ChangeHash]>) -> DocIter<'_> {
        self.document.iter_at(obj, Some(heads.unwrap_or(self.heads)))
    }

    fn map_range<'a, O: AsRef<ObjId>, R: RangeBounds<String> + 'a>(&'a self, obj: O, range: R) -> MapRange<'a> {
        self.document.map_range_at(obj, range, self.heads)
    }

    fn map_range_at<'a, O: AsRef<ObjId>, R: RangeBounds<String> + 'a>(
        &'a self,
        obj: O,
        range: R,
        heads: &[ChangeHash],
    ) -> MapRange<'a> {
        self.document.map_range_at(obj, range, heads)
    }

    fn list_range<O: AsRef<ObjId>, R: RangeBounds<usize>>(&self, obj: O, range: R) -> ListRange<'_> {
        self.document.list_range_at(obj, range, self.heads)
    }

    fn list_range_at<O: AsRef<ObjId>, R: RangeBounds<usize>>(
        &self,
        obj: O,
        range: R,
        heads: &[ChangeHash],
    ) -> ListRange<'_> {
        self.document.list_range_at(obj, range, heads)
    }

    fn values<O: AsRef<ObjId>>(&self, obj: O) -> Values<'_> {
        self.document.values_at(obj, self.heads)
    }

    fn values_at<O: AsRef<ObjId>>(&self, obj: O, heads: &[ChangeHash]) -> Values<'_> {
        self.document.values_at(obj, heads)
    }

    fn length<O: AsRef<ObjId>>(&self, obj: O) -> usize {
        self.document.length_at(obj, self.heads)
    }

    fn length_at<O: AsRef<ObjId>>(&self, obj: O, heads: &[ChangeHash]) -> usize {
        self.document.length_at(obj, heads)
    }

    fn object_type<O: AsRef<ObjId>>(&self, obj: O) -> Result<ObjType, AutomergeError> {
        self.document.object_type(obj)
    }

    fn marks<O: AsRef<ObjId>>(&self, obj: O) -> Result<Vec<Mark>, AutomergeError> {
        self.document.marks_at(obj, self.heads)
    }

    fn marks_at<O: AsRef<ObjId>>(&self, obj: O, heads: &[ChangeHash]) -> Result<Vec<Mark>, AutomergeError> {
        self.document.marks_at(obj, heads)
    }

    fn get_marks<O: AsRef<ObjId>>(
        &self,
        obj: O,
        index: usize,
        heads: Option<&[ChangeHash]>,
    ) -> Result<MarkSet, AutomergeError> {
        self.document.get_marks(obj, index, Some(heads.unwrap_or(self.heads)))
    }

    fn text<O: AsRef<ObjId>>(&self, obj: O) -> Result<String, AutomergeError> {
        self.document.text_at(obj, self.heads)
    }

    fn text_at<O: AsRef<ObjId>>(&self, obj: O, heads: &[ChangeHash]) -> Result<String, AutomergeError> {
        self.document.text_at(obj, heads)
    }

    fn spans<O: AsRef<ObjId>>(&self, obj: O) -> Result<Spans<'_>, AutomergeError> {
        self.document.spans_at(obj, self.heads)
    }

    fn spans_at<O: AsRef<ObjId>>(&self, obj: O, heads: &[ChangeHash]) -> Result<Spans<'_>, AutomergeError> {
        self.document.spans_at(obj, heads)
    }

    fn get_cursor<O: AsRef<ObjId>, I: Into<CursorPosition>>(
        &self,
        obj: O,
        position: I,
        at: Option<&[ChangeHash]>,
    ) -> Result<Cursor, AutomergeError> {
        self.document.get_cursor(obj, position, Some(at.unwrap_or(self.heads)))
    }

    fn get_cursor_moving<O: AsRef<ObjId>, I: Into<CursorPosition>>(
        &self,
        obj: O,
        position: I,
        at: Option<&[ChangeHash]>,
        move_cursor: MoveCursor,
    ) -> Result<Cursor, AutomergeError> {
        let at = Some(at.unwrap_or(self.heads));
        self.document.get_cursor_moving(obj, position, at, move_cursor)
    }

    fn get_cursor_position<O: AsRef<ObjId>>(
        &self,
        obj: O,
        cursor: &Cursor,
        at: Option<&[ChangeHash]>,
    ) -> Result<usize, AutomergeError> {
        self.document
            .get_cursor_position(obj, cursor, Some(at.unwrap_or(self.heads)))
    }

    fn get<O: AsRef<ObjId>, P: Into<Prop>>(
        &self,
        obj: O,
        prop: P,
    ) -> Result<Option<(Value<'_>, ObjId)>, AutomergeError> {
        self.document.get_at(obj, prop, self.heads)
    }

    fn get_at<O: AsRef<ObjId>, P: Into<Prop>>(
        &self,
        obj: O,
        prop: P,
        heads: &[ChangeHash],
    ) -> Result<Option<(Value<'_>, ObjId)>, AutomergeError> {
        self.document.get_at(obj, prop, heads)
    }

    fn hydrate<O: AsRef<ObjId>>(&self, obj: O, heads: Option<&[ChangeHash]>) -> Result<hydrate::Value, AutomergeError> {
        self.document.hydrate(obj, Some(heads.unwrap_or(self.heads)))
    }

    fn get_all<O: AsRef<ObjId>, P: Into<Prop>>(
        &self,
        obj: O,
        prop: P,
    ) -> Result<Vec<(Value<'_>, ObjId)>, AutomergeError> {
        self.document.get_all_at(obj, prop, self.heads)
    }

    fn get_all_at<O: AsRef<ObjId>, P: Into<Prop>>(
        &self,
        obj: O,
        prop: P,
        heads: &[ChangeHash],
    ) -> Result<Vec<(Value<'_>, ObjId)>, AutomergeError> {
        self.document.get_all_at(obj, prop, heads)
    }

    /// Of the whole document: what has come since is no part of this version, but is not missing either.
    fn get_missing_deps(&self, heads: &[ChangeHash]) -> Vec<ChangeHash> {
        self.document.get_missing_deps(heads)
    }

    fn get_change_by_hash(&self, hash: &ChangeHash) -> Option<Change> {
        self.document.get_change_by_hash(hash)
    }

    fn stats(&self) -> Stats {
        self.document.stats()
    }

    fn text_encoding(&self) -> TextEncoding {
        self.document.text_encoding()
    }
}

#[cfg(test)]
mod tests {
    use automerge::transaction::Transactable;
    use automerge::{AutoCommit, Automerge, ROOT, ScalarValue};

    use super::*;

    /// What can be asked of an object, as text.
    fn seen(document: &impl ReadDoc, object: &ObjId) -> String {
        let sequence = matches!(document.object_type(object), Ok(ObjType::Text | ObjType::List));
        let entries = document.map_range(object, ..);
        let entries: Vec<_> = entries
            .map(|entry| format!("{} {:?}", entry.key, entry.value))
            .collect();
        let values: Vec<_> = document.values(object).map(|value| format!("{value:?}")).collect();
        let inside = document
            .iter_at(object, None)
            .map(|item| item.obj.to_string())
            .collect::<Vec<_>>();
        let items = sequence.then(|| {
            let items = document.list_range(object, ..);
            let items: Vec<_> = items.map(|item| format!("{:?}", item.value)).collect();
            let cursor = document.get_cursor(object, 0, None).ok()?;
            let position = document.get_cursor_position(object, &cursor, None).ok();
            Some((items, document.get(object, 0).ok(), position))
        });
        format!(
            "{entries:?} {values:?} {inside:?} {items:?} {:?} {:?} {} {:?} {:?} {:?} {:?}",
            document.keys(object).collect::<Vec<_>>(),
            document.parents(object).map(|parents| parents.path()),
            document.length(object),
            document.text(object).ok(),
            document.spans(object).map(|spans| spans.count()).ok(),
            document.get(object, "key").ok(),
            document.get_all(object, "key").ok(),
        )
    }

    #[test]
    fn a_document_at_old_heads_reads_as_its_fork_does() {
        let mut document = AutoCommit::new();
        let text = document.put_object(ROOT, "text", ObjType::Text).unwrap();
        document.splice_text(&text, 0, 0, "before").unwrap();
        let list = document.put_object(ROOT, "list", ObjType::List).unwrap();
        document.insert(&list, 0, "before").unwrap();
        let map = document.put_object(ROOT, "map", ObjType::Map).unwrap();
        document.put(&map, "key", "before").unwrap();
        document.put(&map, "count", ScalarValue::counter(1)).unwrap();
        let then = document.get_heads();
        document.splice_text(&text, 0, 6, "after").unwrap();
        document.insert(&list, 0, "after").unwrap();
        document.put(&map, "key", "after").unwrap();
        document.increment(&map, "count", 5).unwrap();
        document.delete(ROOT, "map").unwrap();
        let now = document.get_heads();
        let document: &Automerge = document.document();

        let fork = document.fork_at(&then).unwrap();
        let at = At::new(document, &then);
        for object in [&ROOT, &text, &list, &map] {
            assert_eq!(seen(&at, object), seen(&fork, object));
            assert_eq!(at.hydrate(object, None), ReadDoc::hydrate(&fork, object, None));
            assert_ne!(seen(&at, object), seen(document, object));
            assert_eq!(seen(&At::new(document, &now), object), seen(document, object));
        }
        // What is asked of a version is answered for that version.
        assert_eq!(at.text_at(&text, &now).unwrap(), "after");
        assert_eq!(at.get_at(&list, 0, &now).unwrap(), document.get(&list, 0).unwrap());
    }
}
