//! A provider may repeat the key that it was given, in an error or in a log: no report shows one.

use super::check::Finding;
use crate::secret::{Secret, shape};

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
    shape::hide(&text, "…")
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
