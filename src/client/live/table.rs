//! A handle on one table that a client follows: look at it, wait for it, edit it, be seen in it.
//!
//! What is waited for is a fact about the table as it is shown, looked at again after each change of it; waiting keeps
//! nothing and misses nothing.

use std::sync::Arc;
use std::time::Duration;

use serde_json::Value as Json;
use tokio::sync::{oneshot, watch};
use tokio::time::timeout;

use super::LiveError;
use super::board::{Answer, Board, Events};
use super::edit::{BatchItem, RecordEdit, What};
use super::end::LiveEnd;
use super::event::Saved;
use super::followed::Standing;
use super::model::Scope;
use super::people::{Cursor, Selection, Typing};
use super::session::Session;
use super::shown::Table;
use crate::document::table::RowId;
use crate::id::DocumentId;

/// One table of one client. Handles may be cloned; all of them mean the same table.
#[derive(Debug, Clone)]
pub struct LiveTable {
    board: Arc<Board>,
    id: DocumentId,
    /// What this handle has been told of.
    news: watch::Receiver<()>,
}

/// An edit on its way. It is sent, or kept until it can be, whether this is held or not.
#[derive(Debug)]
pub struct Edit {
    change_id: String,
    record: Option<RowId>,
    answer: oneshot::Receiver<Answer>,
    /// The answer, once it was asked for and there.
    told: Option<Answer>,
    board: Arc<Board>,
}

impl LiveTable {
    pub(super) fn new(board: Arc<Board>, id: DocumentId) -> Self {
        let news = board.news_of(&id).unwrap_or_else(|| watch::Sender::new(()).subscribe());
        Self { board, id, news }
    }

    pub fn id(&self) -> &DocumentId {
        &self.id
    }

    /// The table as it is shown now: what the server has told, and over it what was edited here and has no answer yet.
    pub fn shown(&self) -> Arc<Table> {
        self.board.state().session.shown(&self.id).unwrap_or_default()
    }

    /// Waits until the rows that are wanted are here.
    pub async fn ready(&self, limit: Duration) -> Result<(), LiveError> {
        self.wait("showing the table", limit, |session, id| {
            session.table(id).is_some_and(|table| table.is_here()).then_some(())
        })
        .await
    }

    /// Waits until a look at the table finds something. `what` completes "… took longer than" the limit.
    pub async fn until<T>(
        &self,
        what: &'static str,
        limit: Duration,
        mut look: impl FnMut(&Table) -> Option<T>,
    ) -> Result<T, LiveError> {
        let mut news = self.board.news_of(&self.id).ok_or_else(|| self.not_followed())?;
        let found = async {
            loop {
                // Subscribed before looking, and looking for the end before the last look: no lost wakeup, and what came in
                // before the end still counts. The look is outside of the lock, since it is the caller's.
                let end = self.problem();
                if let Some(found) = look(&self.shown()) {
                    return Ok(found);
                }
                if let Some(end) = end {
                    return Err(end);
                }
                // A table that was left has no sender any more.
                let _ = news.changed().await;
            }
        };
        timeout(limit, found)
            .await
            .map_err(|_| LiveError::TimedOut { what, limit })?
    }

    async fn wait<T>(
        &self,
        what: &'static str,
        limit: Duration,
        look: impl Fn(&mut Session, &DocumentId) -> Option<T>,
    ) -> Result<T, LiveError> {
        self.until(what, limit, |_| look(&mut self.board.state().session, &self.id))
            .await
    }

    /// Why waiting is of no use, if it is not.
    fn problem(&self) -> Option<LiveError> {
        if let Some(end) = self.board.ended() {
            return Some(LiveError::Ended(end));
        }
        match self.board.state().session.table(&self.id) {
            None => Some(self.not_followed()),
            Some(table) => match &table.standing {
                Standing::Refused(why) => Some(LiveError::Refused {
                    table: self.id.clone(),
                    why: why.clone(),
                }),
                _ => None,
            },
        }
    }

    fn not_followed(&self) -> LiveError {
        LiveError::NotFollowed(self.id.clone())
    }

    /// Waits for anything new since the last call on this handle. Several things at once are told once; what they were is
    /// in [`shown`](Self::shown).
    pub async fn changed(&mut self, limit: Duration) -> Result<(), LiveError> {
        let told = timeout(limit, self.news.changed()).await;
        let what = "the next change";
        let told = told.map_err(|_| LiveError::TimedOut { what, limit })?;
        match self.problem() {
            Some(problem) => Err(problem),
            None => told.map_err(|_| self.not_followed()),
        }
    }

    /// What happens to this table, from now on.
    pub fn events(&self) -> Events {
        self.board.events(Some(self.id.clone()))
    }

    /// Follows another part of the table, or another view of it: scrolling. What was followed stays shown until it is here;
    /// [`ready`](Self::ready) waits for that.
    pub fn show(&self, scope: Scope) {
        self.board.act(&self.id, |session| session.show(&self.id, scope));
    }

    /// Inserts a row at the end, with these values by the ids or the unique names of their columns.
    pub fn create<F: Into<String>>(&self, cells: impl IntoIterator<Item = (F, Json)>) -> Result<Edit, LiveError> {
        self.edit(RecordEdit::create(cells))
    }

    /// Writes to cells of a row; `null` empties one. If somebody else has written to one of them and it is not shown here
    /// yet, both values are kept, side by side.
    pub fn update<F: Into<String>>(
        &self,
        row: &RowId,
        cells: impl IntoIterator<Item = (F, Json)>,
    ) -> Result<Edit, LiveError> {
        self.edit(RecordEdit::update(row, cells))
    }

    pub fn delete(&self, row: &RowId) -> Result<Edit, LiveError> {
        self.edit(RecordEdit::delete(row))
    }

    /// Takes back that a row was deleted.
    pub fn restore(&self, row: &RowId) -> Result<Edit, LiveError> {
        self.edit(RecordEdit::restore(row))
    }

    /// Makes one edit. It is shown at once, sent as soon as possible, and made once.
    pub fn edit(&self, edit: RecordEdit) -> Result<Edit, LiveError> {
        self.make(What::Record(edit))
    }

    /// Makes several edits as one: all of them or none.
    pub fn batch(&self, items: Vec<BatchItem>) -> Result<Edit, LiveError> {
        self.make(What::Batch { changes: items })
    }

    fn make(&self, what: What) -> Result<Edit, LiveError> {
        let (edit, answer) = self.board.edit(&self.id, what)?;
        let record = match &edit.what {
            What::Record(record) => RowId::parse(&record.record_id).ok(),
            What::Batch { .. } => None,
        };
        Ok(Edit {
            change_id: edit.change_id().to_owned(),
            record,
            answer,
            told: None,
            board: self.board.clone(),
        })
    }

    /// Shows others where we are; none: nowhere.
    pub fn point(&self, cursor: Option<Cursor>) {
        self.board.act(&self.id, |session| session.point(&self.id, cursor));
    }

    /// Shows others what is selected here.
    pub fn select(&self, selection: Option<Selection>) {
        self.board.act(&self.id, |session| session.select(&self.id, selection));
    }

    /// Shows others what is being typed here.
    pub fn type_into(&self, typing: Option<Typing>) {
        self.board.act(&self.id, |session| session.type_into(&self.id, typing));
    }

    /// Follows the table no more: others see that at once. Edits that wait are sent all the same.
    pub fn unsubscribe(self) {
        self.board.leave_table(&self.id);
    }
}

impl Edit {
    /// The name of the edit.
    pub fn change_id(&self) -> &str {
        &self.change_id
    }

    /// The row that it is about, the new one of a `create`; none of a batch.
    pub fn row(&self) -> Option<&RowId> {
        self.record.as_ref()
    }

    /// Waits until the server has it on disk, or refuses it.
    pub async fn saved(&mut self, limit: Duration) -> Result<Saved, LiveError> {
        if self.told.is_none() {
            let what = "saving the edit";
            let answer = timeout(limit, &mut self.answer).await;
            let answer = answer.map_err(|_| LiveError::TimedOut { what, limit })?;
            // Without an answer the client is gone, and with it whoever would have told it.
            let gone = |_| LiveError::Ended(self.board.ended().unwrap_or(LiveEnd::Left));
            self.told = Some(answer.map_err(gone)?);
        }
        let told = self.told.clone().expect("it is told by now");
        told.map_err(LiveError::Rejected)
    }
}
