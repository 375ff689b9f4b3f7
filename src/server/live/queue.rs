//! The requests of a connection that wait, and which of them may be done while others are.
//!
//! Requests about one table are done in the order they came, and so are all edits, of whatever tables: what a client says twice
//! under two names of a table keeps its order. A table that has to be loaded first holds up nothing else.

use std::collections::VecDeque;

use crate::wire::live::Request;

#[derive(Default)]
pub(super) struct Queue {
    waiting: VecDeque<(Request, usize)>,
    /// Of the frames of those that wait.
    bytes: usize,
    /// The table that an edit is being made in.
    editing: Option<Edits>,
    /// Tables that are about to be followed, as the client calls them: each once.
    following: Vec<String>,
}

enum Edits {
    One(String),
    /// Of several tables, which are not looked at here.
    Many,
}

impl Queue {
    pub fn push(&mut self, request: Request, bytes: usize) {
        self.bytes += bytes;
        self.waiting.push_back((request, bytes));
    }

    pub fn len(&self) -> usize {
        self.waiting.len()
    }

    pub fn bytes(&self) -> usize {
        self.bytes
    }

    /// How many tables are about to be followed.
    pub fn following(&self) -> usize {
        self.following.len()
    }

    /// The first request that need not wait for any before it, and the bytes of its frame.
    pub fn next(&mut self) -> Option<(Request, usize)> {
        let at = self.first_free()?;
        let next = self.waiting.remove(at)?;
        self.bytes -= next.1;
        Some(next)
    }

    fn first_free(&self) -> Option<usize> {
        let mut tables: Vec<&str> = self.following.iter().map(String::as_str).collect();
        let mut edits = self.editing.is_some();
        match &self.editing {
            Some(Edits::Many) => return None,
            Some(Edits::One(table)) => tables.push(table),
            None => {}
        }
        for (at, (request, _)) in self.waiting.iter().enumerate() {
            let is_edit = matches!(request, Request::Record(_) | Request::Batch(_));
            let free = match request.table() {
                Some(table) => !(is_edit && edits || tables.contains(&table)),
                None if matches!(request, Request::Heartbeat(_)) => true,
                // It is about several tables, or about the connection.
                None => !edits && tables.is_empty(),
            };
            if free {
                return Some(at);
            }
            tables.push(request.table()?);
            edits |= is_edit;
        }
        None
    }

    /// An edit of a table is being made; of several tables, if none is named.
    pub fn edits(&mut self, table: Option<&str>) {
        self.editing = Some(table.map_or(Edits::Many, |table| Edits::One(table.to_owned())));
    }

    pub fn edited(&mut self) {
        self.editing = None;
    }

    /// A table is about to be followed.
    pub fn follows(&mut self, table: &str) {
        self.following.push(table.to_owned());
    }

    pub fn followed(&mut self, table: &str) {
        self.following.retain(|following| following != table);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn request(kind: &str, table: &str) -> Request {
        let data = match kind {
            "record_change" => format!(
                r#"{{"tableId": "{table}", "changeId": "1767225600123-a", "type": "delete", "recordId": "b0.row00000"}}"#
            ),
            "sync_offline_changes" => r#"{"changes": []}"#.into(),
            _ => format!(r#"{{"tableId": "{table}"}}"#),
        };
        Request::read(format!(r#"{{"type": "{kind}", "data": {data}}}"#).as_bytes(), 100).expect("it is a request")
    }

    fn queue(requests: &[(&str, &str)]) -> Queue {
        let mut queue = Queue::default();
        for (kind, table) in requests {
            queue.push(request(kind, table), 10);
        }
        queue
    }

    /// What may be done now, all of it.
    fn done(queue: &mut Queue) -> Vec<(&'static str, String)> {
        let next = std::iter::from_fn(|| queue.next());
        next.map(|(request, _)| (request.name(), request.table().unwrap_or_default().to_owned()))
            .collect()
    }

    #[test]
    fn a_table_that_is_about_to_be_followed_holds_up_its_own_requests_alone() {
        let mut queue = queue(&[
            ("record_change", "cold"),
            ("unsubscribe_from_table", "cold"),
            ("subscribe_to_table", "warm"),
            ("heartbeat", "warm"),
        ]);
        queue.follows("cold");
        let both = [("subscribe_to_table", "warm".into()), ("heartbeat", "warm".into())];
        assert_eq!(done(&mut queue), both);
        assert_eq!((queue.len(), queue.bytes()), (2, 20));
        queue.followed("cold");
        assert_eq!(queue.next().map(|(request, _)| request.name()), Some("record_change"));
        queue.edits(Some("cold"));
        assert!(queue.next().is_none(), "it is made first");
        queue.edited();
        assert_eq!(done(&mut queue), [("unsubscribe_from_table", "cold".into())]);
        assert_eq!((queue.len(), queue.bytes()), (0, 0));
    }

    #[test]
    fn edits_are_made_one_after_the_other_by_whatever_names() {
        let mut queue = queue(&[
            ("record_change", "one"),
            ("record_change", "crm/one"),
            ("subscribe_to_table", "two"),
        ]);
        queue.follows("one");
        assert_eq!(done(&mut queue), [("subscribe_to_table", "two".into())]);
        queue.followed("one");
        queue.next();
        queue.edits(Some("one"));
        assert!(queue.next().is_none());
        queue.edited();
        assert_eq!(done(&mut queue), [("record_change", "crm/one".into())]);
    }

    #[test]
    fn what_is_about_several_tables_waits_for_all_and_all_for_it() {
        let mut queue = queue(&[("sync_offline_changes", ""), ("subscribe_to_table", "two")]);
        queue.follows("one");
        assert!(queue.next().is_none());
        queue.followed("one");
        assert_eq!(
            queue.next().map(|(request, _)| request.name()),
            Some("sync_offline_changes")
        );
        queue.edits(None);
        assert!(queue.next().is_none());
        queue.edited();
        assert_eq!(done(&mut queue), [("subscribe_to_table", "two".into())]);
    }
}
