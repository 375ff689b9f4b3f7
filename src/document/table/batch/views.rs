//! Planning what happens to saved views.

use automerge::ReadDoc;
use rand::Rng;
use serde_json::json;

use super::lane::{Lane, Spot};
use super::write::Write;
use super::{Outcome, Place, Planner, Refusal, short};
use crate::document::table::{ViewId, key};
use crate::document::view::{self, Part, StoredView, View};

/// The most views of a table.
const MAX_VIEWS: usize = 1000;

/// All views of the table as they will be.
pub(super) type Views = Vec<StoredView>;

impl<D: ReadDoc, R: Rng> Planner<'_, D, R> {
    pub(super) fn create_view(&mut self, id: Option<&ViewId>, view: &View) -> Result<Outcome, Refusal> {
        short("view name", &view.name)?;
        view.checked(self.all_columns(), &Part::ALL)?;
        let id = id.cloned().unwrap_or_else(|| ViewId::random(&mut self.rng));
        if self.views().iter().any(|view| view.id == id) {
            return Err(Refusal::ViewExists(id));
        }
        if self.views().len() >= MAX_VIEWS {
            return Err(Refusal::TooMuch {
                what: "table",
                limit: MAX_VIEWS,
                unit: "views",
            });
        }
        for part in Part::ALL {
            self.write_part(&id, part, view);
        }
        self.views().push(StoredView {
            id: id.clone(),
            order: String::new(),
            view: view.clone(),
            skipped: Vec::new(),
        });
        self.place_view(&id, &Place::End)?;
        Ok(Outcome::View(id))
    }

    pub(super) fn change_view(&mut self, id: &ViewId, view: &View) -> Result<Outcome, Refusal> {
        short("view name", &view.name)?;
        let stored = self.views().iter().find(|stored| stored.id == *id);
        let stored = stored.ok_or_else(|| Refusal::NoView(id.clone()))?;
        let parts: Vec<Part> = stored.differs(view).collect();
        // A part that stays as it is may name a column that is deleted by now.
        view.checked(self.all_columns(), &parts)?;
        for part in parts {
            self.write_part(id, part, view);
        }
        for stored in self.views().iter_mut().filter(|stored| stored.id == *id) {
            stored.view = view.clone();
            stored.skipped.clear();
        }
        Ok(Outcome::Done)
    }

    pub(super) fn move_view(&mut self, id: &ViewId, to: &Place<ViewId>) -> Result<Outcome, Refusal> {
        self.find_view(id)?;
        if matches!(to, Place::Before(anchor) | Place::After(anchor) if anchor == id) {
            return Err(Refusal::AnchorMoves(id.to_string()));
        }
        self.place_view(id, to)?;
        Ok(Outcome::Done)
    }

    /// Views are taken away, not marked: nobody's work but the view itself is in one.
    pub(super) fn delete_view(&mut self, id: &ViewId) -> Result<Outcome, Refusal> {
        self.find_view(id)?;
        self.views().retain(|view| view.id != *id);
        self.writes.push(Write::DeleteView(id.clone()));
        Ok(Outcome::Done)
    }

    fn find_view(&mut self, id: &ViewId) -> Result<(), Refusal> {
        match self.views().iter().any(|view| view.id == *id) {
            true => Ok(()),
            false => Err(Refusal::NoView(id.clone())),
        }
    }

    fn views(&mut self) -> &mut Views {
        self.views.get_or_insert_with(|| view::read_all(self.document))
    }

    fn write_part(&mut self, id: &ViewId, part: Part, view: &View) {
        self.writes.push(Write::ViewPart {
            view: id.clone(),
            name: part.key(),
            value: view.part(part),
        });
    }

    fn place_view(&mut self, id: &ViewId, at: &Place<ViewId>) -> Result<(), Refusal> {
        let spots = self.views().iter().filter(|view| view.id != *id).map(|view| Spot {
            order: view.order.as_str().into(),
            id: view.id.clone(),
            live: true,
        });
        let mut lane = Lane::short(spots.collect());
        let placed = lane.insert("views", at, std::slice::from_ref(id))?;
        let placed = placed.ok_or_else(|| match at {
            Place::Before(id) | Place::After(id) => Refusal::NoView(id.clone()),
            Place::Start | Place::End | Place::Index(_) => unreachable!("these places are always there"),
        })?;
        let own = placed.keys.into_iter().map(|key| (id.clone(), key));
        for (id, order) in placed.rekeyed.into_iter().chain(own) {
            for view in self.views().iter_mut().filter(|view| view.id == id) {
                view.order = order.as_str().to_owned();
            }
            self.writes.push(Write::ViewPart {
                view: id,
                name: key::ORDER,
                value: Some(json!(order.as_str())),
            });
        }
        self.views().sort_by(|a, b| (&a.order, &a.id).cmp(&(&b.order, &b.id)));
        Ok(())
    }
}
