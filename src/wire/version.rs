//! The version of a document as text: its heads, in hexadecimal, joined with dots. Whoever gets one treats it as opaque.

use automerge::ChangeHash;

/// The heads of the longest version that is read. A document has a handful; each costs whoever reads an old version.
const MAX_HEADS: usize = 256;

pub fn of(heads: &[ChangeHash]) -> String {
    let heads: Vec<String> = heads.iter().map(ToString::to_string).collect();
    heads.join(".")
}

/// The heads that a version names; none if it cannot be one.
pub fn heads(text: &str) -> Option<Vec<ChangeHash>> {
    if text.len() > MAX_HEADS * 65 {
        return None;
    }
    let heads: Option<Vec<ChangeHash>> = text.split('.').map(|hash| hash.parse().ok()).collect();
    let mut heads = heads?;
    heads.sort_unstable();
    heads.dedup();
    Some(heads)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_version_round_trips_and_other_text_is_none() {
        let two = vec![ChangeHash([1; 32]), ChangeHash([255; 32])];
        let twice = format!("{}.{}", of(&two), of(&two));
        assert_eq!((heads(&of(&two)), heads(&twice)), (Some(two.clone()), Some(two)));
        for text in ["", "x", "00", "..", &"0".repeat(63), &format!("{}.", "0".repeat(64))] {
            assert_eq!(heads(text), None, "{text}");
        }
    }
}
