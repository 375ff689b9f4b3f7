//! The requests of a connection that wait, and which of them may be done while others are.
//!
//! Requests about one table are done in the order they came, and so are all edits. A table that has to be loaded first holds up
//! nothing else, where tables are called by their ids: one that is called by a name may be any.

use std::collections::VecDeque;

use crate::id::DocumentId;
use crate::wire::live::Request;

/// So many tables are loaded at once for one connection: others load tables as well.
const FOLLOWED_AT_ONCE: usize = 2;

#[derive(Default)]
pub(super) struct Queue {
    waiting: VecDeque<Waiting>,
    /// Of the frames of those that wait.
    bytes: usize,
    /// The tables that an edit is being made in.
    editing: Option<Tables>,
    /// The tables that are about to be followed.
    following: Vec<Tables>,
}

struct Waiting {
    request: Request,
    bytes: usize,
    tables: Tables,
    act: Act,
}

/// Which tables something is about.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Tables {
    /// None: it may be done at any time.
    None,
    One(DocumentId),
    /// Several, or one that is called by a name; or it is about the connection.
    Any,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Act {
    Edit,
    Follow,
    Other,
}

impl Tables {
    fn of(request: &Request) -> Self {
        match (request, request.table()) {
            (Request::Heartbeat(_), None) => Self::None,
            (_, Some(table)) => Self::called(table),
            (_, None) => Self::Any,
        }
    }

    fn called(table: &str) -> Self {
        DocumentId::parse_address(table).map_or(Self::Any, Self::One)
    }

    fn may_share_one(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::None, _) | (_, Self::None) => false,
            (Self::Any, _) | (_, Self::Any) => true,
            (Self::One(one), Self::One(other)) => one == other,
        }
    }
}

impl Queue {
    pub fn push(&mut self, request: Request, bytes: usize) {
        let act = match &request {
            Request::Record(_) | Request::Batch(_) | Request::Offline(_) => Act::Edit,
            Request::Subscribe(_) | Request::Recover(_) => Act::Follow,
            _ => Act::Other,
        };
        self.bytes += bytes;
        self.waiting.push_back(Waiting {
            tables: Tables::of(&request),
            request,
            bytes,
            act,
        });
    }

    pub fn len(&self) -> usize {
        self.waiting.len()
    }

    pub fn bytes(&self) -> usize {
        self.bytes
    }

    /// How many of the tables that are about to be followed are of this kind, and how many more may be.
    pub fn following(&self, is_so: impl Fn(&DocumentId) -> bool) -> usize {
        let following = self.following.iter();
        following
            .filter(|tables| match tables {
                Tables::One(table) => is_so(table),
                Tables::None | Tables::Any => true,
            })
            .count()
    }

    /// The first request that need not wait for any before it, and the bytes of its frame.
    pub fn next(&mut self) -> Option<(Request, usize)> {
        let at = self.first_free()?;
        let Waiting { request, bytes, .. } = self.waiting.remove(at)?;
        self.bytes -= bytes;
        Some((request, bytes))
    }

    fn first_free(&self) -> Option<usize> {
        let mut before: Vec<&Tables> = self.following.iter().chain(&self.editing).collect();
        let mut edits = self.editing.is_some();
        let follows = self.following.len() >= FOLLOWED_AT_ONCE;
        for (at, waiting) in self.waiting.iter().enumerate() {
            let is_held = match waiting.act {
                Act::Edit => edits,
                Act::Follow => follows,
                Act::Other => false,
            };
            if !is_held && !before.iter().any(|tables| tables.may_share_one(&waiting.tables)) {
                return Some(at);
            }
            before.push(&waiting.tables);
            edits |= waiting.act == Act::Edit;
        }
        None
    }

    /// An edit of a table is being made; of several tables, if none is named.
    pub fn edits(&mut self, table: Option<&str>) {
        self.editing = Some(table.map_or(Tables::Any, Tables::called));
    }

    pub fn edited(&mut self) {
        self.editing = None;
    }

    /// A table is about to be followed.
    pub fn follows(&mut self, table: &str) {
        self.following.push(Tables::called(table));
    }

    pub fn followed(&mut self, table: &str) {
        let tables = Tables::called(table);
        if let Some(at) = self.following.iter().position(|following| *following == tables) {
            self.following.swap_remove(at);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const COLD: &str = "4NMNnkMhL8jXrdJ9jamS58PAVdXu";
    const WARM: &str = "automerge:4Y379J4LpGUJCz5FM7miCHH5AK4u";

    fn request(kind: &str, table: &str) -> Request {
        let change = r#""changeId": "1767225600123-a", "type": "delete", "recordId": "b0.row00000""#;
        let data = match kind {
            "record_change" => format!(r#"{{"tableId": "{table}", {change}}}"#),
            "sync_offline_changes" => r#"{"changes": []}"#.into(),
            "heartbeat" if table.is_empty() => "{}".into(),
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
    fn done(queue: &mut Queue) -> Vec<&'static str> {
        let next = std::iter::from_fn(|| queue.next());
        next.map(|(request, _)| request.name()).collect()
    }

    #[test]
    fn a_table_that_is_about_to_be_followed_holds_up_its_own_requests_alone() {
        let mut queue = queue(&[
            ("record_change", COLD),
            ("unsubscribe_from_table", COLD),
            ("subscribe_to_table", WARM),
            ("cursor_position", WARM),
        ]);
        queue.follows(COLD);
        assert_eq!(done(&mut queue), ["subscribe_to_table", "cursor_position"]);
        assert_eq!((queue.len(), queue.bytes()), (2, 20));
        queue.followed(COLD);
        assert_eq!(queue.next().map(|(request, _)| request.name()), Some("record_change"));
        queue.edits(Some(COLD));
        assert!(queue.next().is_none(), "it is made first");
        queue.edited();
        assert_eq!(done(&mut queue), ["unsubscribe_from_table"]);
        assert_eq!((queue.len(), queue.bytes()), (0, 0));
    }

    #[test]
    fn a_table_that_is_called_by_a_name_may_be_any() {
        for (one, other) in [("crm/one", COLD), (COLD, "crm/one"), ("crm/one", "crm/other")] {
            let mut queue = queue(&[("unsubscribe_from_table", other), ("heartbeat", "")]);
            queue.follows(one);
            assert_eq!(done(&mut queue), ["heartbeat"]);
            queue.followed(one);
            assert_eq!(done(&mut queue), ["unsubscribe_from_table"]);
        }
        // Two spellings of one id.
        let mut queue = queue(&[("unsubscribe_from_table", COLD)]);
        queue.follows(&format!("automerge:{COLD}"));
        assert!(queue.next().is_none());
    }

    #[test]
    fn edits_are_made_one_after_the_other_in_whatever_tables() {
        let mut queue = queue(&[
            ("record_change", COLD),
            ("record_change", WARM),
            ("subscribe_to_table", WARM),
        ]);
        queue.follows(COLD);
        assert!(queue.next().is_none());
        queue.followed(COLD);
        queue.next();
        queue.edits(Some(COLD));
        assert!(queue.next().is_none());
        queue.edited();
        assert_eq!(queue.next().map(|(request, _)| request.name()), Some("record_change"));
        queue.edits(Some(WARM));
        assert!(queue.next().is_none(), "it shows what was edited before");
    }

    #[test]
    fn what_is_about_several_tables_waits_for_all_and_all_for_it() {
        let mut queue = queue(&[("sync_offline_changes", ""), ("subscribe_to_table", WARM)]);
        queue.follows(COLD);
        assert!(queue.next().is_none());
        queue.followed(COLD);
        assert_eq!(
            queue.next().map(|(request, _)| request.name()),
            Some("sync_offline_changes")
        );
        queue.edits(None);
        assert!(queue.next().is_none());
        queue.edited();
        assert_eq!(done(&mut queue), ["subscribe_to_table"]);
    }

    #[test]
    fn one_connection_loads_few_tables_at_once() {
        let ids: Vec<String> = (0..5)
            .map(|_| DocumentId::from_uuid(uuid::Uuid::new_v4()).to_string())
            .collect();
        let mut queue = Queue::default();
        ids.iter()
            .for_each(|id| queue.push(request("subscribe_to_table", id), 10));
        queue.push(request("record_change", WARM), 10);
        for id in &ids[..FOLLOWED_AT_ONCE] {
            assert_eq!(queue.next().unwrap().0.table(), Some(&**id));
            queue.follows(id);
        }
        assert_eq!(done(&mut queue), ["record_change"]);
        queue.followed(&ids[0]);
        assert_eq!(queue.next().unwrap().0.table(), Some(&*ids[FOLLOWED_AT_ONCE]));
    }
}
