//! What looks like a key in a text that others wrote: forms of known makers, and what stands behind a
//! word that says it is one. Every text that is shown or kept passes here.

use regex::{Captures, Regex};
use std::sync::OnceLock;

/// How keys of known makers begin, with as many characters as a key has and a word has not; the last
/// but one are those that gw makes, the last JSON web tokens.
const KEYS: &str = r"(?-u:\b(sk-[\w-]{8,}|sk_[\w-]{12,}|pk-[\w-]{12,}|AIza[\w-]{20,}|ya29\.[\w.-]{10,}|A[KS]IA[A-Z0-9]{12,}|ABSK[\w+/=-]{16,}|gsk_\w{12,}|xai-[\w-]{12,}|hf_\w{12,}|gh[pousr]_\w{12,}|github_pat_\w{20,}|gw-[0-9a-f]{32,}|eyJ[\w-]{8,}\.[\w-]+(?:\.[\w-]*)?))";
/// Words behind which one stands, in an assignment, a header or JSON, however often escaped.
const AUTHORIZATION: &str =
    r#"(?i:authorization)["'\\]*\s*[:=]\s*["'\\\[]*[A-Za-z][\w-]*\s+([^\s"'\\,;&}\]]{6,}|…)"#;
const NAMED: &str = r#"(?i:api[_-]?key|authorization|token|password|secret)["'\\]*\s*[:=]\s*["'\\\[]*(?i:(?:bearer|basic)\s+)?([^\s"'\\,;&}\]]{6,})"#;
const SCHEME: &str = r"(?i-u:\b(?:bearer|basic)\s+([\w.~+/=-]{6,}))";
const QUERY: &str =
    r"(?i:[?&](?:key|api[_-]?key|access_token|x-amz-signature|x-amz-security-token)=)([^&\s]+)";
const ECHO: &str = r"(?i:incorrect api key provided: )([^\s,;]*[^\s,;.])";
const USER: &str = r"://[^/\s:@]+:([^@\s/]+)@";

/// What is said of keys, and is none.
const WORDS: [&str; 14] = [
    "bearer",
    "authentication",
    "authorization",
    "credentials",
    "scheme",
    "secret",
    "tokens",
    "expired",
    "invalid",
    "missing",
    "unknown",
    "realm=",
    "resource_metadata=",
    "error=",
];

/// A text with `mark` in the place of what looks like a key.
pub fn hide(text: &str, mark: &str) -> String {
    static FORM: OnceLock<Option<Regex>> = OnceLock::new();
    let form = FORM.get_or_init(|| {
        Regex::new(&[AUTHORIZATION, NAMED, SCHEME, QUERY, ECHO, USER, KEYS].join("|")).ok()
    });
    let Some(form) = form else {
        // A form that is none would show everything; a test holds that it is one.
        return mark.to_string();
    };
    let hidden = form.replace_all(text, |found: &Captures<'_>| {
        let (whole, inner) = match (found.get(0), found.iter().skip(1).flatten().next()) {
            (Some(whole), Some(inner)) => (whole, inner),
            _ => return String::new(),
        };
        let is_word = WORDS.contains(&inner.as_str().to_ascii_lowercase().as_str());
        let shown = if is_word { inner.as_str() } else { mark };
        format!(
            "{}{shown}{}",
            &text[whole.start()..inner.start()],
            &text[inner.end()..whole.end()]
        )
    });
    hidden.into_owned()
}

/// Whether a field of this name holds a key, whatever it looks like.
pub fn names_key(name: &str) -> bool {
    let name = name.to_ascii_lowercase().replace(['-', '_'], "");
    let ends = ["apikey", "authorization", "token", "password", "secret"];
    ends.iter().any(|end| name.ends_with(end))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_of_each_form_is_hidden() {
        let tail = "PLANTED0123456789abcdef";
        let keys = [
            "sk-proj-",
            "sk_",
            "pk-lf-",
            "AIzaSy",
            "ya29.",
            "gsk_",
            "xai-",
            "hf_",
            "ghp_",
            "gho_",
            "github_pat_",
            "ABSK",
        ];
        let keys = keys
            .iter()
            .map(|begin| format!("the key {begin}{tail} is bad"));
        let others = [
            "AKIAPLANTED01234567 is bad",
            "ASIAPLANTED01234567 is bad",
            "token=eyJhbGciOiJQTEFOVEVE.eyJzdWIiOiJQTEFOVEVE.c2ln",
            "Authorization: Bearer PLANTED",
            "authorization: PLANTED",
            "Authorization: ApiKey PLANTED-123456",
            "authorization: Token PLANTED-123456",
            "authorization=\"Basic UExBTlRFRDpQTEFOVEVE\"",
            "a bearer PLANTED-odd was sent",
            r#"{"api_key":"PLANTED-123456"}"#,
            r#"{"body":"{\"password\": \"PLANTED-1\"}"}"#,
            "x-goog-api-key: PLANTED",
            "x-api-key: [PLANTED]",
            "GET /v1beta/models?key=PLANTED 200",
            "GET /x?a=b&X-Amz-Signature=PLANTED 200",
            "Incorrect API key provided: testbed-PLANTED. You can find",
            "https://user:PLANTED@registry.example/v2",
        ];
        let others = others.iter().map(ToString::to_string);
        let own = format!("key gw-{} is bad", "0123456789abcdef".repeat(2));
        for text in keys.chain(others).chain([own]) {
            let said = hide(&text, "…");
            for part in ["PLANTED", "QTEFOVEVE", "UExBTlRFRA", "gw-0123"] {
                assert!(!said.contains(part), "{said}");
            }
            assert!(said.contains('…'), "{said}");
            assert_eq!(hide(&said, "…"), said);
        }
    }

    #[test]
    fn words_are_kept() {
        for text in [
            "2026-11-23T18:37:57Z\tinfo\trequest route=n/openai gen_ai.usage.input_tokens=6 duration=0ms",
            "claude-3-5-haiku-20241022 has no task-list",
            "basic authentication failure: no basic authentication credentials found",
            "authentication failure: no bearer token found",
            "failed to get secret: secret kgateway-system/openai-key not found",
            "www-authenticate: Bearer realm=\"x\"",
            "node gw-test-debug-1234567-control-plane is ready",
            "https://registry.example:5000/v2",
        ] {
            assert_eq!(hide(text, "…"), text);
        }
    }

    #[test]
    fn fields_are_known_by_their_names() {
        for name in ["token", "X-Api-Key", "authorization", "client_secret"] {
            assert!(names_key(name), "{name}");
        }
        for name in ["gen_ai.usage.input_tokens", "route", "key", "http.path"] {
            assert!(!names_key(name), "{name}");
        }
    }
}
