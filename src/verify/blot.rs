//! A provider may repeat the key that it was given, in an error or in a log: no report shows one.

use super::check::Finding;
use crate::secret::Secret;
use regex::Regex;
use std::sync::OnceLock;

/// How keys of known makers begin, with as many characters as a key has and a word has not.
const SHAPES: &str = r"(?x-u)
    \b(?: sk-[\w-]{12,} | sk_[\w-]{12,} | pk-[\w-]{12,} | AIza[\w-]{20,} | A[KS]IA[A-Z0-9]{12,} | ABSK[\w+/=-]{16,}
      | ya29\.[\w.-]{12,} | gsk_\w{12,} | xai-[\w-]{12,} | hf_\w{12,} | gh[pousr]_\w{12,} | gw-[0-9a-f]{32,}
      | eyJ[\w-]{8,}\.[\w-]{8,}(?:\.[\w-]*)? )";
const BEARER: &str = r"(?i-u)\b(bearer|basic)\s+([\w.~+/=-]{8,})";

/// Takes every key that is known here, and every text of a known key's shape, out of what others said.
pub fn blot(findings: &mut [Finding], known: &[Secret]) {
    for text in findings.iter_mut().flat_map(Finding::texts) {
        *text = clean(text, known);
    }
}

pub fn clean(text: &str, known: &[Secret]) -> String {
    let text = known
        .iter()
        .fold(text.to_string(), |text, key| key.blot(&text));
    let shapes = pattern(SHAPES, &KEYS).map_or(text.clone(), |keys| {
        keys.replace_all(&text, "…").into_owned()
    });
    pattern(BEARER, &WORDS).map_or(shapes.clone(), |words| {
        words.replace_all(&shapes, "$1 …").into_owned()
    })
}

static KEYS: OnceLock<Option<Regex>> = OnceLock::new();
static WORDS: OnceLock<Option<Regex>> = OnceLock::new();

fn pattern(text: &str, place: &'static OnceLock<Option<Regex>>) -> Option<&'static Regex> {
    place.get_or_init(|| Regex::new(text).ok()).as_ref()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_is_not_repeated_and_words_are_kept() {
        let known = [Secret::new("testbed-key-7").unwrap()];
        let table = [
            (
                "Incorrect API key provided: sk-proj-abcdefghijklmnop.",
                "Incorrect API key provided: ….",
            ),
            ("key testbed-key-7 is bad", "key … is bad"),
            (
                "authorization: Bearer abcdefgh.12345",
                "authorization: Bearer …",
            ),
            ("x AIzaSyA1234567890abcdefghijk y", "x … y"),
            (
                "claude-3-5-haiku-20241022 has no task-list",
                "claude-3-5-haiku-20241022 has no task-list",
            ),
        ];
        for (said, shown) in table {
            assert_eq!(clean(said, &known), shown);
        }
    }
}
