//! A list in order, as it will be after the edits planned so far.
//!
//! Positions are found by order key and id, never by looking through the list: it may have tens of thousands of rows.

use std::collections::HashMap;
use std::fmt::Display;
use std::hash::Hash;
use std::sync::Arc;

use super::{Place, Refusal};
use crate::document::order::{OrderKey, place_by};

/// One item of the list.
#[derive(Debug, Clone)]
pub(super) struct Spot<I> {
    pub order: Arc<str>,
    pub id: I,
    /// Deleted items keep their place but are not counted.
    pub live: bool,
}

/// Says the order text of an item.
type Given<'a, I> = dyn Fn(&I) -> Option<Arc<str>> + 'a;

/// Items sorted by (order as bytes, id).
pub(super) struct Lane<'a, I> {
    spots: Vec<Spot<I>>,
    /// The order texts as the list was given. Asked of whoever has them: a map of all rows would take longer to make than
    /// all else about an insert.
    given: Box<Given<'a, I>>,
    /// What has another order by now; none for what was taken out.
    changed: HashMap<I, Option<Arc<str>>>,
}

/// Where items go, and what must be written for it.
#[derive(Debug)]
pub(super) struct Placed<I> {
    /// Items of a tie that need a new key first.
    pub rekeyed: Vec<(I, OrderKey)>,
    pub keys: Vec<OrderKey>,
}

impl<'a, I: Clone + Ord + Hash + Display + 'a> Lane<'a, I> {
    /// `spots` must be sorted; `given` knows the order text of each.
    pub fn new(spots: Vec<Spot<I>>, given: impl Fn(&I) -> Option<Arc<str>> + 'a) -> Self {
        Self {
            spots,
            given: Box::new(given),
            changed: HashMap::new(),
        }
    }

    /// A list that is short.
    pub fn short(spots: Vec<Spot<I>>) -> Self {
        let orders: HashMap<I, Arc<str>> = spots.iter().map(|spot| (spot.id.clone(), spot.order.clone())).collect();
        Self::new(spots, move |id| orders.get(id).cloned())
    }

    /// Puts new items at a place, in the order given. `None` if the place names something that is not in the list.
    pub fn insert(&mut self, what: &'static str, at: &Place<I>, ids: &[I]) -> Result<Option<Placed<I>>, Refusal> {
        let Some(at) = self.find(what, at)? else {
            return Ok(None);
        };
        let placement = place_by(&self.spots, |spot| &spot.order, at, ids.len());
        let mut rekeyed = Vec::with_capacity(placement.rekeyed.len());
        for (index, key) in placement.rekeyed {
            let spot = &mut self.spots[index];
            spot.order = key.as_str().into();
            self.changed.insert(spot.id.clone(), Some(spot.order.clone()));
            rekeyed.push((spot.id.clone(), key));
        }
        let fresh: Vec<_> = ids
            .iter()
            .zip(&placement.keys)
            .map(|(id, key)| Spot {
                order: key.as_str().into(),
                id: id.clone(),
                live: true,
            })
            .collect();
        self.changed
            .extend(fresh.iter().map(|spot| (spot.id.clone(), Some(spot.order.clone()))));
        self.spots.splice(at..at, fresh);
        Ok(Some(Placed {
            rekeyed,
            keys: placement.keys,
        }))
    }

    /// Takes items out, so that they can be put elsewhere; unknown ones are passed over.
    pub fn take(&mut self, ids: &[I]) {
        for id in ids {
            if let Some(at) = self.at(id) {
                self.spots.remove(at);
                self.changed.insert(id.clone(), None);
            }
        }
    }

    pub fn set_live(&mut self, id: &I, live: bool) {
        if let Some(at) = self.at(id) {
            self.spots[at].live = live;
        }
    }

    fn at(&self, id: &I) -> Option<usize> {
        let order = match self.changed.get(id) {
            Some(order) => order.clone()?,
            None => (self.given)(id)?,
        };
        self.spots
            .binary_search_by(|spot| (&*spot.order, &spot.id).cmp(&(&*order, id)))
            .ok()
    }

    fn find(&self, what: &'static str, place: &Place<I>) -> Result<Option<usize>, Refusal> {
        Ok(match place {
            Place::Start => Some(0),
            Place::End => Some(self.spots.len()),
            Place::Before(id) => self.at(id),
            Place::After(id) => self.at(id).map(|at| at + 1),
            Place::Index(index) => {
                let mut live = self.spots.iter().enumerate().filter(|(_, spot)| spot.live);
                let (found, passed) = match live.nth(*index) {
                    Some((at, _)) => (Some(at), 0),
                    None => (None, self.spots.iter().filter(|spot| spot.live).count()),
                };
                match found {
                    Some(at) => Some(at),
                    None if passed == *index => Some(self.spots.len()),
                    None => {
                        return Err(Refusal::OutOfList {
                            what,
                            index: *index,
                            length: passed,
                        });
                    }
                }
            }
        })
    }
}
