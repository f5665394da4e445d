//! Keys: where one comes from, and a type that can hold it and not be printed.

pub mod hidden;
pub mod source;
pub mod vault;

use std::sync::Arc;

/// A key, a password, a token. It has no Display, no Debug and no Serialize: nothing can print it by
/// accident (architecture, decision 7).
#[derive(Clone)]
pub struct Secret(Arc<str>);

impl Secret {
    /// Without the blanks and line ends around it, which files and commands leave there and an API
    /// key's Secret must not have (facts 5). `None` where nothing is left.
    pub fn new(text: &str) -> Option<Secret> {
        let text = text.trim();
        (!text.is_empty()).then(|| Secret(text.into()))
    }

    /// The text itself, for the one place that sends it.
    pub fn expose(&self) -> &str {
        &self.0
    }

    /// Another secret made from this one, such as a password's hash.
    pub fn derive(&self, make: impl FnOnce(&str) -> String) -> Secret {
        Secret(make(&self.0).into())
    }

    /// A text of somebody else's in which this key may stand, without it.
    pub fn blot(&self, text: &str) -> String {
        text.replace(self.expose(), "…")
    }
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
    }
}
