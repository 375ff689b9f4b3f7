//! Sorted lists that change in a few places at a time.
//!
//! The rows of a table and those of a view are long lists of which an edit touches one item; an import touches thousands,
//! which mostly stand side by side. No two items of a list are equal.

use std::cmp::Ordering;

/// Each single item moves the tail of the list; from so many on, the whole list is gone through once. Comparing is what
/// takes time, not moving, so that either way only what goes or comes is compared.
const MANY_PLACES: usize = 16;

/// Takes items out, as far as they are in the list. Both are sorted.
pub(super) fn take_out<T>(list: &mut Vec<T>, gone: &[T], compare: impl Fn(&T, &T) -> Ordering) {
    let place_of = |item| list.binary_search_by(|other| compare(other, item)).ok();
    let places: Vec<usize> = gone.iter().filter_map(place_of).collect();
    if places.len() < MANY_PLACES {
        for at in places.into_iter().rev() {
            list.remove(at);
        }
        return;
    }
    let (mut places, mut at) = (places.into_iter().peekable(), 0..);
    list.retain(|_| {
        let here = at.next();
        places.next_if(|place| Some(*place) == here).is_none()
    });
}

/// Puts items into the list that are not in it. Both are sorted. Those of an import stand side by side, and all go in at
/// once.
pub(super) fn put_in<T>(list: &mut Vec<T>, fresh: Vec<T>, compare: impl Fn(&T, &T) -> Ordering) {
    let place_of = |item| list.partition_point(|other| compare(other, item).is_lt());
    let places: Vec<usize> = fresh.iter().map(place_of).collect();
    let [Some(first), Some(last)] = [places.first(), places.last()] else {
        return;
    };
    if first == last {
        list.splice(*first..*first, fresh);
    } else if fresh.len() < MANY_PLACES {
        for (at, item) in places.into_iter().zip(fresh).rev() {
            list.insert(at, item);
        }
    } else {
        let mut merged = Vec::with_capacity(list.len() + fresh.len());
        let (mut known, mut taken) = (std::mem::take(list).into_iter(), 0);
        for (at, item) in places.into_iter().zip(fresh) {
            merged.extend(known.by_ref().take(at - taken));
            merged.push(item);
            taken = at;
        }
        merged.extend(known);
        *list = merged;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Few and many items, side by side and apart, give what sorting gives.
    #[test]
    fn items_go_out_and_come_in_wherever_they_stand() {
        let all: Vec<u32> = (0..1000).collect();
        for step in [1, 2, 7, 100, 999] {
            for part in [0..1000, 0..3, 400..500, 900..1000] {
                let gone: Vec<u32> = part.step_by(step).collect();
                let mut list = all.clone();
                take_out(&mut list, &gone, u32::cmp);
                let left: Vec<u32> = all.iter().filter(|item| !gone.contains(item)).copied().collect();
                assert_eq!(list, left, "{gone:?}");
                take_out(&mut list, &gone, u32::cmp);
                assert_eq!(list, left, "what is not there is left alone");
                put_in(&mut list, gone, u32::cmp);
                assert_eq!(list, all);
            }
        }
        put_in(&mut Vec::new(), Vec::<u32>::new(), u32::cmp);
    }
}
