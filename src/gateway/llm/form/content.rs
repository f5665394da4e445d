//! How the content of a message is read: mostly one text, which is not to be copied twice on its way, as
//! serde's own untagged enums would. Mistakes are told in their words all the same.

use std::fmt;

use serde::de::{Error, IgnoredAny, MapAccess, SeqAccess, Visitor};
use serde::{Deserialize, Deserializer};
use serde_json::Value;

use super::completions::{Content, Part};

const NO_VARIANT: &str = "data did not match any variant of untagged enum Content";

impl<'de> Deserialize<'de> for Content {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(Either)
    }
}

struct Either;

impl<'de> Visitor<'de> for Either {
    type Value = Content;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a text or a list of parts")
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<Content, E> {
        Ok(Content::Text(text.to_string()))
    }

    fn visit_string<E: Error>(self, text: String) -> Result<Content, E> {
        Ok(Content::Text(text))
    }

    /// Read to its end before it is judged: a mistake is told at the place where the list ends.
    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Content, A::Error> {
        let mut parts: Vec<Value> = Vec::new();
        while let Some(part) = list.next_element()? {
            parts.push(part);
        }
        let parts = parts.into_iter().map(serde_json::from_value::<Part>);
        let parts = parts.collect::<Result<_, _>>();
        parts
            .map(Content::Parts)
            .map_err(|_| Error::custom(NO_VARIANT))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Content, A::Error> {
        while map.next_entry::<IgnoredAny, IgnoredAny>()?.is_some() {}
        Err(Error::custom(NO_VARIANT))
    }

    fn visit_bool<E: Error>(self, _: bool) -> Result<Content, E> {
        Err(E::custom(NO_VARIANT))
    }

    fn visit_i64<E: Error>(self, _: i64) -> Result<Content, E> {
        Err(E::custom(NO_VARIANT))
    }

    fn visit_u64<E: Error>(self, _: u64) -> Result<Content, E> {
        Err(E::custom(NO_VARIANT))
    }

    fn visit_f64<E: Error>(self, _: f64) -> Result<Content, E> {
        Err(E::custom(NO_VARIANT))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::{any, proptest};

    /// What serde's own reading would have been.
    #[derive(Debug, Deserialize)]
    #[serde(untagged)]
    #[allow(dead_code, reason = "only its mistakes and its shape are compared")]
    enum Derived {
        Text(String),
        Parts(Vec<Part>),
    }

    /// Where a content stands: a mistake is told with the place that the reader has come to.
    #[derive(Debug, Deserialize)]
    struct Holder<T> {
        #[serde(rename = "content")]
        _content: T,
    }

    fn read<T: for<'a> Deserialize<'a>>(text: &str) -> Result<(), String> {
        let text = format!(r#"{{"role":"user","content":{text},"name":"x"}}"#);
        let read = serde_json::from_str::<Holder<T>>(&text);
        let told = read.map_err(|e| e.to_string().replace("Derived", "Content"));
        told.map(|_| ())
    }

    #[test]
    fn mistakes_are_told_as_serde_tells_them() {
        let table = [
            r#""x\n""#,
            r#"[{"type":"text","text":"x"}]"#,
            "[]",
            r#"[{"text":"x"}]"#,
            r#"[{"type":"text"}, 7]"#,
            "7",
            "-7",
            "7.5",
            "true",
            r#"{"type":"text"}"#,
        ];
        for text in table {
            assert_eq!(read::<Content>(text), read::<Derived>(text), "{text}");
        }
    }

    proptest! {
        #[test]
        fn every_text_is_read_as_it_was_written(text in any::<String>()) {
            let json = serde_json::to_string(&text).unwrap();
            let Ok(Content::Text(read)) = serde_json::from_str(&json) else {
                panic!("{json}");
            };
            assert_eq!(read, text);
        }
    }
}
