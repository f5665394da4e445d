//! Lines of logs as values: JSON of the controller, tabs and `key=value` of the proxy, plain words.

use crate::host::mark;
use crate::plan::{PROOF_PREFIX, WITNESS_HOSTNAME, WITNESS_PREFIX};
use crate::secret::{redact, shape};
use crate::verify::gateway::NOWHERE;
use k8s_openapi::jiff::Timestamp;
use serde::Serialize;
use serde_json::Value;

#[derive(Debug, Clone, PartialEq, Default, Serialize)]
pub struct Line {
    /// As written, UTC; nothing where the line has no time that can be read.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub at: Option<Timestamp>,
    /// `controller`, `proxy`, `relay-ollama`, …
    pub source: String,
    #[serde(skip_serializing_if = "String::is_empty")]
    pub level: String,
    /// What is said, without what has a name of its own.
    pub message: String,
    /// Everything with a name, in the order of the line.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub fields: Vec<(String, String)>,
}

impl Line {
    /// Whether it tells of a request of gw's own: of a look, a witness or a proof.
    pub fn is_own(&self) -> bool {
        let path = self.field("http.path").unwrap_or("");
        let host = self.field("http.host").unwrap_or("");
        let place = path.trim_start_matches('/');
        mark::is_own(host)
            || host.split(':').next() == Some(WITNESS_HOSTNAME)
            || path == NOWHERE
            || [WITNESS_PREFIX, PROOF_PREFIX]
                .iter()
                .any(|prefix| place.starts_with(prefix))
    }

    pub fn field(&self, name: &str) -> Option<&str> {
        let found = self.fields.iter().find(|(key, _)| key == name);
        found.map(|(_, value)| value.as_str())
    }

    /// Whether it tells of something that went wrong: by its level, its status or its error.
    pub fn is_error(&self) -> bool {
        let level = ["error", "fatal", "panic", "warn", "warning"].contains(&self.level.as_str());
        let status = self
            .field("http.status")
            .and_then(|s| s.parse::<u16>().ok());
        level || status.is_some_and(|status| status >= 400) || self.field("error").is_some()
    }

    /// Whether it tells of a request to this route: by the route that was taken, or the path that was asked.
    pub fn is_of(&self, name: &str, path: &str) -> bool {
        let named = self
            .field("route")
            .is_some_and(|route| route.ends_with(&format!("/{name}")));
        let asked = self.field("http.path").is_some_and(|asked| {
            let rest = asked.strip_prefix(path);
            rest.is_some_and(|rest| rest.is_empty() || rest.starts_with(['/', '?']))
        });
        named || asked
    }

    /// Message and fields as one text.
    pub fn text(&self) -> String {
        let fields = self
            .fields
            .iter()
            .map(|(key, value)| format!("{key}={value}"));
        let words = std::iter::once(self.message.clone()).chain(fields);
        words
            .filter(|word| !word.is_empty())
            .collect::<Vec<_>>()
            .join(" ")
    }
}

/// A line that a container wrote, with the time that the kubelet put before it.
pub fn stamped(source: &str, text: &str) -> Line {
    match text.split_once(' ') {
        Some((time, rest)) => match time.parse::<Timestamp>() {
            Ok(at) => {
                let line = parse(source, rest);
                Line {
                    at: line.at.or(Some(at)),
                    ..line
                }
            }
            Err(_) => parse(source, text),
        },
        None => parse(source, text),
    }
}

/// A line as values, without keys: whoever shows one, or quotes one as evidence, has it from here.
pub fn parse(source: &str, text: &str) -> Line {
    let line = json(text)
        .or_else(|| tabs(text))
        .unwrap_or_else(|| plain(text));
    let shown = |(name, value): (String, String)| {
        let hidden = shape::names_key(&name) && !value.is_empty();
        let value = match hidden {
            true => redact::HIDDEN.to_string(),
            false => redact::text(&value),
        };
        (name, value)
    };
    Line {
        source: source.to_string(),
        message: redact::text(&line.message),
        fields: line.fields.into_iter().map(shown).collect(),
        ..line
    }
}

fn json(text: &str) -> Option<Line> {
    let Ok(Value::Object(mut object)) = serde_json::from_str(text.trim()) else {
        return None;
    };
    let mut take = |names: &[&str]| {
        let name = names.iter().find(|name| object.contains_key(**name))?;
        object.shift_remove(*name).map(|value| word(&value))
    };
    let at = take(&["time", "timestamp", "ts"]).and_then(|time| time.parse().ok());
    let level = take(&["level", "lvl"]).unwrap_or_default().to_lowercase();
    let message = take(&["msg", "message"]).unwrap_or_default();
    let fields = object.iter().map(|(key, value)| (key.clone(), word(value)));
    Some(Line {
        at,
        level,
        message,
        fields: fields.collect(),
        ..Line::default()
    })
}

fn word(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        other => other.to_string(),
    }
}

/// `TIME\tlevel\tmessage key=value …`, as the proxy writes (recordings/cluster).
fn tabs(text: &str) -> Option<Line> {
    let mut parts = text.splitn(3, '\t');
    let at = parts.next()?.trim().parse().ok()?;
    let level = parts.next()?.trim().to_lowercase();
    let (message, fields) = pairs(parts.next()?);
    Some(Line {
        at: Some(at),
        level,
        message,
        fields,
        ..Line::default()
    })
}

/// Words without `=` are the message as far as they come first; a value may stand in quotes.
fn pairs(text: &str) -> (String, Vec<(String, String)>) {
    let (mut message, mut fields) = (Vec::new(), Vec::new());
    let mut rest = text.trim_start();
    while !rest.is_empty() {
        let (token, after) = token(rest);
        rest = after.trim_start();
        match token.split_once('=') {
            Some((key, value)) if is_key(key) => {
                fields.push((key.to_string(), unquoted(value)));
            }
            _ => match fields.last_mut() {
                None => message.push(token),
                Some((_, value)) => value.push_str(&format!(" {token}")),
            },
        }
    }
    (message.join(" "), fields)
}

/// Up to the next blank that stands in no quotes.
fn token(text: &str) -> (&str, &str) {
    let (mut quoted, mut escaped) = (false, false);
    for (at, character) in text.char_indices() {
        match character {
            _ if escaped => escaped = false,
            '\\' if quoted => escaped = true,
            '"' => quoted = !quoted,
            c if c.is_whitespace() && !quoted => return text.split_at(at),
            _ => {}
        }
    }
    (text, "")
}

fn is_key(text: &str) -> bool {
    let good = |c: char| c.is_alphanumeric() || "._-".contains(c);
    !text.is_empty() && text.chars().all(good)
}

fn unquoted(value: &str) -> String {
    match value.starts_with('"') {
        true => serde_json::from_str(value).unwrap_or_else(|_| value.trim_matches('"').to_string()),
        false => value.to_string(),
    }
}

fn plain(text: &str) -> Line {
    let (first, rest) = text.split_once(' ').unwrap_or((text, ""));
    match first.parse::<Timestamp>() {
        Ok(at) => Line {
            at: Some(at),
            message: rest.to_string(),
            ..Line::default()
        },
        Err(_) => Line {
            message: text.to_string(),
            ..Line::default()
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn a_request_of_gws_own_is_told_from_a_callers() {
        let line = |path: &str, host: &str| {
            let text = format!(
                "2026-11-23T18:37:31.7Z\tinfo\trequest http.path={path} http.host={host} http.status=403"
            );
            parse("proxy", &text)
        };
        for (path, host) in [
            (
                "/ollama/v1/chat/completions",
                "p0123456789abcdef.localhost:8080",
            ),
            (NOWHERE, "localhost:8080"),
            ("/proof-a1-limit-x-1/v1/chat/completions", "localhost:8080"),
            ("/witness-x", WITNESS_HOSTNAME),
        ] {
            assert!(line(path, host).is_own(), "{path} {host}");
        }
        for path in ["/ollama/v1/chat/completions", "/", "/ollama/proof-of-work"] {
            assert!(!line(path, "localhost:8080").is_own(), "{path}");
        }
    }

    #[test]
    fn the_controllers_json_and_the_proxys_pairs_become_the_same_columns() {
        // As recorded: recordings/cluster/secret-missing.json.
        let json = r#"{"time":"2026-11-23T18:37:54.72906809Z","level":"error","msg":"error processing backend Auth","component":"agentgateway/plugins","err":"secret kgateway-system/no-such-secret not found"}"#;
        let line = parse("controller", json);
        assert_eq!(
            (line.level.as_str(), line.message.as_str()),
            ("error", "error processing backend Auth")
        );
        assert_eq!(
            line.field("err"),
            Some("secret kgateway-system/no-such-secret not found")
        );
        assert!(line.is_error() && line.at.is_some());
        let text = "2026-11-23T18:37:57.740681Z\tinfo\trequest gateway=kgateway-system/ai-gateway http.method=POST http.status=500 error=\"service not found\" reason=NotFound duration=0ms";
        let line = parse("proxy", text);
        assert_eq!(
            (line.level.as_str(), line.message.as_str()),
            ("info", "request")
        );
        assert_eq!(line.field("error"), Some("service not found"));
        assert_eq!(line.field("duration"), Some("0ms"));
        assert!(line.is_error());
    }

    #[test]
    fn a_line_of_no_known_form_is_its_own_message() {
        let line = parse("relay-ollama", "refused source 10.0.0.1");
        assert_eq!(
            (line.at, line.message.as_str()),
            (None, "refused source 10.0.0.1")
        );
        let stamped = stamped("proxy", "2026-11-23T18:37:57Z panicked at x");
        assert!(stamped.at.is_some() && stamped.message == "panicked at x");
    }

    #[test]
    fn no_key_is_left_in_a_line_whatever_its_form() {
        for text in [
            "2026-11-23T18:37:57Z\tinfo\trequest http.path=/x?key=PLANTED12345 authorization=\"Bearer PLANTED1234\"",
            "2026-11-23T18:37:57Z\tinfo\trequest x-api-key=\"PLANTED with \\\"quotes\\\" PLANTED\"",
            r#"{"level":"info","msg":"asked with Authorization: Bearer PLANTED","token":"PLANTED"}"#,
            r#"{"level":"info","msg":"sent","headers":{"x-api-key":"PLANTED-1"},"err":"Incorrect API key provided: PLANTED."}"#,
            "relay: password=PLANTED-1",
        ] {
            let line = parse("proxy", text);
            assert!(!format!("{line:?}").contains("PLANTED"), "{line:?}");
            assert!(line.text().contains(redact::HIDDEN), "{line:?}");
        }
    }

    proptest! {
        #[test]
        fn no_line_is_too_strange_and_none_loses_its_words(text in "[a-z0-9=\"\\\\ \t{}:.]{0,60}") {
            let line = parse("proxy", &text);
            for word in text.split(|c: char| !c.is_ascii_lowercase()).filter(|w| w.len() > 5) {
                let said = format!("{} {} {}", line.level, line.message, line.text());
                prop_assert!(said.contains(word) || line.at.is_some(), "{word} of {text:?} in {line:?}");
            }
        }
    }
}
