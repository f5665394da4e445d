//! Keys: where one comes from, and a type that can hold it and not be printed.

mod aws;
pub mod blank;
pub mod dotenv;
mod expiry;
pub mod hidden;
pub mod keychain;
pub mod prompt;
pub mod redact;
pub mod shape;
pub mod source;
pub mod vault;

use std::sync::Arc;

/// A key, a password, a token. It has no Display, no Debug and no Serialize: nothing can print it by
/// accident (architecture, decision 7).
#[derive(Clone)]
pub struct Secret {
    text: Arc<str>,
    /// Seconds since 1970 at which it ends, where that is known.
    expires: Option<u64>,
}

impl Secret {
    /// Without the blanks and line ends around it, which files and commands leave there and an API
    /// key's Secret must not have (facts 5). `None` where nothing is left.
    pub fn new(text: &str) -> Option<Secret> {
        let text = text.trim();
        (!text.is_empty()).then(|| Secret {
            text: text.into(),
            expires: expiry::of_token(text),
        })
    }

    /// The same, known to end at this second since 1970.
    pub fn until(self, at: u64) -> Secret {
        Secret {
            expires: Some(at),
            ..self
        }
    }

    /// Seconds since 1970 at which it ends, where that is known.
    pub fn expires(&self) -> Option<u64> {
        self.expires
    }

    /// The text itself, for the one place that sends it.
    pub fn expose(&self) -> &str {
        &self.text
    }

    /// Another secret made from this one, such as a password's hash.
    pub fn derive(&self, make: impl FnOnce(&str) -> String) -> Secret {
        Secret {
            text: make(&self.text).into(),
            expires: self.expires,
        }
    }

    /// A text of somebody else's in which this key may stand, without it: also where it stands quoted,
    /// as in JSON, or the text was cut off in the middle of it.
    pub fn blot(&self, text: &str) -> String {
        let quoted = |text: &str| {
            let text = format!("{text:?}");
            text[1..text.len() - 1].to_string()
        };
        let once = quoted(self.expose());
        let twice = quoted(&once);
        let forms = [self.expose(), &once, &twice];
        let bare = |text: String, form: &str| without(&text, form);
        forms.into_iter().fold(text.to_string(), bare)
    }
}

fn without(text: &str, key: &str) -> String {
    /// Shorter, it may be a word.
    const LEAST: usize = 8;
    let text = text.replace(key, "…");
    let ends = key.char_indices().map(|(at, _)| at);
    let cut = ends.rev().take_while(|at| *at >= LEAST).find_map(|end| {
        let part = format!("{}…", &key[..end]);
        text.contains(&part).then(|| text.replace(&part, "…"))
    });
    cut.unwrap_or(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn line_ends_are_no_part_of_a_key_and_nothing_is_no_key() {
        assert_eq!(Secret::new(" k-1\r\n").unwrap().expose(), "k-1");
        assert!(Secret::new(" \n").is_none());
    }

    #[test]
    fn a_key_is_blotted_out_of_what_others_say() {
        let key = Secret::new("sk-9").unwrap();
        assert_eq!(key.blot("bad key sk-9 given"), "bad key … given");
        let key = Secret::new("testbed-key-7").unwrap();
        assert_eq!(key.blot("bad key testbed-ke…"), "bad key …");
        assert_eq!(key.blot("a test…"), "a test…");
        let key = Secret::new(r#"pass"word\1""#).unwrap();
        let json = serde_json::json!({"error": format!("bad {}", key.expose())}).to_string();
        assert_eq!(key.blot(&json), r#"{"error":"bad …"}"#);
        assert_eq!(
            key.blot(&format!("401 {json:?}")),
            r#"401 "{\"error\":\"bad …\"}""#
        );
    }
}
