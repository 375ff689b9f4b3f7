//! Making what a subscription shows: the pane is followed first, then shown, and told once all of it is on disk.

use std::sync::Arc;
use std::time::Instant;

use super::super::Server;
use super::super::rest::{Code, Problem, off_runtime};
use crate::document::feed::Window;
use crate::document::table::ViewId;
use crate::room::Room;
use crate::room::inbox::Mark;
use crate::room::live::pane::{Pane, PaneKey};
use crate::room::live::{Brought, Following, NotShown};
use crate::wire::live::WindowClaim;
use crate::wire::version;

/// How often a document that falls asleep again, or a view that changes again, is tried.
const TRIES: usize = 5;

/// What is to be followed.
pub(super) struct Asked {
    pub address: String,
    pub view: Option<String>,
    pub window: Option<WindowClaim>,
    pub since: Option<String>,
    pub recovers: bool,
}

/// A subscription that is there now.
pub(super) struct Followed {
    pub address: String,
    pub following: Following,
    pub brought: Brought,
    pub recovers: bool,
    /// The version to go on from is none of the table's.
    pub unknown_version: bool,
}

/// What is asked for, if it can be: else the field that is wrong, and why.
pub(super) fn pane_of(asked: &Asked, most_rows: usize) -> Result<PaneKey, (&'static str, String)> {
    let view = asked.view.as_deref().map(ViewId::parse).transpose();
    let view = view.map_err(|bad| ("/viewId", bad.to_string()))?;
    let window = match asked.window {
        None => None,
        Some(WindowClaim { limit, .. }) if limit == 0 || limit > most_rows => {
            let why = format!("a window has 1 to {most_rows} rows, not {limit}");
            return Err(("/window/limit", why));
        }
        Some(WindowClaim { offset, limit }) => Some(Window { offset, limit }),
    };
    Ok(PaneKey { view, window })
}

impl Server {
    pub(super) async fn follow(
        self: &Arc<Self>,
        asked: Asked,
        key: PaneKey,
        mark: Arc<Mark>,
    ) -> Result<Followed, Problem> {
        let id = self.table_id(&asked.address).await?;
        let since = asked.since.as_deref().map(version::heads);
        let mut unknown_version = since.as_ref().is_some_and(Option::is_none);
        let mut since = since.flatten();
        for _ in 0..TRIES {
            let room = self.find(&id).await?;
            let most = self.config.live.panes;
            // Followed before it is looked at, so that nothing that happens in between is missed (lost wakeup).
            let (wanted, mark, entered) = (key.clone(), mark.clone(), room.clone());
            let following = off_runtime(move || entered.follow_pane(wanted, mark, most))
                .await?
                .map_err(|error| Problem::new(Code::Busy, error.to_string()))?;
            let (error, seen) = match self.show(&room, &following.pane, since.as_deref()).await {
                Ok(brought) => {
                    let reached = &brought.reached;
                    if self.saved(&room, reached.position, reached.epoch).await? {
                        return Ok(Followed {
                            address: asked.address,
                            following,
                            brought,
                            recovers: asked.recovers,
                            unknown_version,
                        });
                    }
                    // Rolled back meanwhile.
                    continue;
                }
                Err(NotShown::NotAwake) => continue,
                Err(NotShown::UnknownVersion) => {
                    unknown_version = true;
                    since = None;
                    continue;
                }
                Err(error @ NotShown::Failed) => return Err(Problem::new(Code::Failed, error.to_string())),
                Err(ref error @ NotShown::NoView { seen, .. }) => {
                    (Problem::new(Code::NotFound, error.to_string()).at("/viewId"), seen)
                }
                Err(ref error @ NotShown::NotATable { seen, .. }) => {
                    (Problem::new(Code::NotATable, format!("document {id}: {error}")), seen)
                }
            };
            if self.saved(&room, seen.position, seen.epoch).await? {
                return Err(error);
            }
        }
        Err(Problem::new(
            Code::Busy,
            "the table changes too quickly to be shown; try again",
        ))
    }

    /// What a pane shows: made by the first who asks.
    pub(super) async fn show(
        &self,
        room: &Arc<Room>,
        pane: &Arc<Pane>,
        since: Option<&[automerge::ChangeHash]>,
    ) -> Result<Brought, NotShown> {
        let _turn = pane.turn.acquire().await;
        if let Some(known) = room.shown_before(pane, since) {
            return Ok(known);
        }
        for _ in 0..TRIES {
            let (showing, of, from) = (room.clone(), pane.clone(), since.map(<[_]>::to_vec));
            let show = move || showing.show_pane(&of, from.as_deref(), Instant::now());
            match off_runtime(show).await {
                Ok(Err(NotShown::NotAwake)) => {
                    if self.room_awake(room.id()).await.is_err() {
                        break;
                    }
                }
                Ok(shown) => return shown,
                Err(_) => return Err(NotShown::Failed),
            }
        }
        Err(NotShown::NotAwake)
    }
}
