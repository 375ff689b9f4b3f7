//! Writing into text objects.
//!
//! A text is changed by what differs, so that two people who change different parts of it both win.

use automerge::transaction::Transactable;
use automerge::{AutomergeError, ObjId, TextEncoding};

/// The library's diff takes time in proportion to the product of these; beyond, the differing part is replaced whole.
const MAX_DIFF: usize = 4_000_000;

/// Makes this the text, changing what differs.
pub(super) fn replace(tx: &mut impl Transactable, text: &ObjId, wanted: &str) -> Result<(), AutomergeError> {
    let before = tx.text(text)?;
    if before == wanted {
        return Ok(());
    }
    let start = same(before.chars(), wanted.chars());
    let rest = |text: &str| -> Vec<char> { text.chars().skip(start).collect() };
    let (old, new) = (rest(&before), rest(wanted));
    let end = same(old.iter().rev(), new.iter().rev());
    let (old, new) = (&old[..old.len() - end], &new[..new.len() - end]);
    if old.len().saturating_mul(new.len()) <= MAX_DIFF {
        return tx.update_text(text, wanted);
    }
    splice(tx, text, start, old.len(), &new.iter().collect::<String>())
}

/// Replaces `delete` code points from the one at `at`, which must be in the text.
pub(super) fn splice(
    tx: &mut impl Transactable,
    text: &ObjId,
    at: usize,
    delete: usize,
    insert: &str,
) -> Result<(), AutomergeError> {
    let (at, delete) = match tx.text_encoding() {
        TextEncoding::UnicodeCodePoint => (at, delete),
        encoding => {
            let before = tx.text(text)?;
            let width = |from: usize, count: usize| -> usize {
                before
                    .chars()
                    .skip(from)
                    .take(count)
                    .map(|letter| units(encoding, letter))
                    .sum()
            };
            (width(0, at), width(at, delete))
        }
    };
    tx.splice_text(text, at, delete as isize, insert)
}

fn units(encoding: TextEncoding, letter: char) -> usize {
    match encoding {
        TextEncoding::Utf8CodeUnit => letter.len_utf8(),
        TextEncoding::Utf16CodeUnit => letter.len_utf16(),
        TextEncoding::UnicodeCodePoint | TextEncoding::GraphemeCluster => 1,
    }
}

fn same<T: PartialEq>(a: impl Iterator<Item = T>, b: impl Iterator<Item = T>) -> usize {
    a.zip(b).take_while(|(a, b)| a == b).count()
}
