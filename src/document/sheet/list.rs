//! Several names in one field.
//!
//! Names are joined by `, `. A name that holds a comma or a quote, that begins or ends with a blank, or is empty, is put in
//! quotes, and quotes within it are doubled: as CSV itself does with fields. So what was joined is split into the same.

use std::borrow::Cow;

/// Joins names so that [`split`] finds them again.
pub fn join<'a>(names: impl IntoIterator<Item = &'a str>) -> String {
    let mut text = String::new();
    for (index, name) in names.into_iter().enumerate() {
        if index > 0 {
            text.push_str(", ");
        }
        match name.contains([',', '"']) || name.trim() != name || name.is_empty() {
            true => text.extend(["\"", &name.replace('"', "\"\""), "\""]),
            false => text.push_str(name),
        }
    }
    text
}

/// The names in a text; empty parts between commas are none. `None` if a quote is left open, or is closed before more
/// than a comma.
pub fn split(text: &str) -> Option<Vec<Cow<'_, str>>> {
    let mut names = Vec::new();
    let mut rest = text.trim();
    while !rest.is_empty() {
        match rest.strip_prefix('"') {
            Some(quoted) => {
                let end = closing(quoted)?;
                let name = &quoted[..end];
                names.push(match name.contains('"') {
                    true => Cow::Owned(name.replace("\"\"", "\"")),
                    false => Cow::Borrowed(name),
                });
                let after = quoted[end + 1..].trim_start();
                rest = match after.strip_prefix(',') {
                    Some(more) => more.trim_start(),
                    None if after.is_empty() => after,
                    None => return None,
                };
            }
            None => {
                let (name, more) = rest.split_once(',').unwrap_or((rest, ""));
                if !name.trim().is_empty() {
                    names.push(name.trim().into());
                }
                rest = more.trim_start();
            }
        }
    }
    Some(names)
}

/// Where the quote is that is not one of two.
fn closing(text: &str) -> Option<usize> {
    let bytes = text.as_bytes();
    let mut at = 0;
    loop {
        at += text[at..].find('"')?;
        match bytes.get(at + 1) {
            Some(b'"') => at += 2,
            _ => return Some(at),
        }
    }
}

#[cfg(test)]
mod tests {
    use rand::{Rng, SeedableRng, rngs::SmallRng};

    use super::*;

    #[test]
    fn what_was_joined_is_split_into_the_same() {
        assert_eq!(join(["red", "a, b", "5\" pipe"]), "red, \"a, b\", \"5\"\" pipe\"");
        for seed in 0..5_000 {
            let mut rng = SmallRng::seed_from_u64(seed);
            let names: Vec<String> = (0..rng.random_range(0..4))
                .map(|_| {
                    let length = rng.random_range(0..5);
                    (0..length)
                        .map(|_| char::from(b"ab,\" "[rng.random_range(0..5)]))
                        .collect()
                })
                .collect();
            let text = join(names.iter().map(String::as_str));
            assert_eq!(split(&text).expect(&text), names, "seed {seed}: {text:?}");
        }
    }

    #[test]
    fn people_write_lists_in_their_own_ways() {
        assert_eq!(split(" red,green ,, blue ,").unwrap(), ["red", "green", "blue"]);
        assert_eq!(split("5\" pipe, x").unwrap(), ["5\" pipe", "x"]);
        for text in ["\"open", "\"a\" b", "a, \"b"] {
            assert_eq!(split(text), None, "{text:?}");
        }
    }
}
