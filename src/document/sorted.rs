//! Sorted lists that change in a few places at a time.
//!
//! The rows of a table and those of a view are long lists of which an edit touches one item; an import touches thousands,
//! which mostly stand side by side. No two items of a list are equal.

use std::cmp::Ordering;

/// Each single item moves the tail of the list; from so many on, the whole list is gone through once.
const MANY_PLACES: usize = 64;

/// Takes items out, as far as they are in the list. Both are sorted.
pub(super) fn take_out<T>(list: &mut Vec<T>, gone: &[T], compare: impl Fn(&T, &T) -> Ordering) {
    if gone.len() > MANY_PLACES {
        let mut gone = gone.iter().peekable();
        list.retain(|item| {
            while gone.next_if(|gone| compare(gone, item).is_lt()).is_some() {}
            gone.next_if(|gone| compare(gone, item).is_eq()).is_none()
        });
        return;
    }
    for item in gone {
        if let Ok(at) = list.binary_search_by(|other| compare(other, item)) {
            list.remove(at);
        }
    }
}

/// Puts sorted items into the list. Those of an import stand side by side, and all go in at once.
pub(super) fn put_in<T>(list: &mut Vec<T>, fresh: Vec<T>, compare: impl Fn(&T, &T) -> Ordering) {
    let place_of = |list: &[T], item: &T| list.partition_point(|other| compare(other, item).is_lt());
    let [Some(first), Some(last)] = [fresh.first(), fresh.last()] else {
        return;
    };
    let (start, end) = (place_of(list, first), place_of(list, last));
    if start == end {
        list.splice(start..start, fresh);
    } else if fresh.len() > MANY_PLACES {
        list.extend(fresh);
        // The stable sort merges the two sorted parts, where the other would sort all anew.
        list.sort_by(compare);
    } else {
        for item in fresh {
            let at = place_of(list, &item);
            list.insert(at, item);
        }
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
