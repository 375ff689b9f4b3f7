//! What planned edits will have changed, so that it can be taken back.
//!
//! Of many lists of edits that are planned together one may be refused in the middle. The others are then planned as if it
//! had never been there.

use std::borrow::Borrow;
use std::collections::HashMap;
use std::hash::Hash;

/// A map that remembers what its entries were before.
#[derive(Debug)]
pub(super) struct Overlay<K, V> {
    map: HashMap<K, V>,
    /// What was replaced, the last at the end; nothing is kept if nobody will ask.
    replaced: Option<Vec<(K, Option<V>)>>,
}

impl<K: Clone + Eq + Hash, V> Overlay<K, V> {
    /// One that is never taken back.
    pub fn lasting() -> Self {
        Self {
            map: HashMap::new(),
            replaced: None,
        }
    }

    pub fn revocable() -> Self {
        Self {
            map: HashMap::new(),
            replaced: Some(Vec::new()),
        }
    }

    pub fn insert(&mut self, key: K, value: V) {
        let before = self.map.insert(key.clone(), value);
        if let Some(replaced) = &mut self.replaced {
            replaced.push((key, before));
        }
    }

    pub fn get<Q: Eq + Hash + ?Sized>(&self, key: &Q) -> Option<&V>
    where
        K: Borrow<Q>,
    {
        self.map.get(key)
    }

    pub fn contains_key(&self, key: &K) -> bool {
        self.map.contains_key(key)
    }

    pub fn values(&self) -> impl Iterator<Item = &V> {
        self.map.values()
    }

    /// To be given to [`back_to`](Self::back_to).
    pub fn mark(&self) -> usize {
        self.replaced.as_ref().map_or(0, Vec::len)
    }

    /// Makes everything as it was at the mark.
    pub fn back_to(&mut self, mark: usize) {
        let replaced = self
            .replaced
            .iter_mut()
            .flat_map(|replaced| replaced.drain(mark..).rev());
        for (key, before) in replaced {
            match before {
                Some(value) => self.map.insert(key, value),
                None => self.map.remove(&key),
            };
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_entry_goes_back_through_all_it_was() {
        let mut overlay = Overlay::revocable();
        overlay.insert("a", 1);
        let mark = overlay.mark();
        overlay.insert("a", 2);
        overlay.insert("b", 3);
        overlay.insert("a", 4);
        overlay.back_to(mark);
        assert_eq!((overlay.get("a"), overlay.get("b")), (Some(&1), None));
        overlay.back_to(0);
        assert_eq!(overlay.values().count(), 0);
    }
}
