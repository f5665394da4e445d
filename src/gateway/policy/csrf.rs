//! Refuses requests that a browser sends from another site; runs after authentication, before the URL is rewritten (facts 9.1).

use http::header::{HeaderMap, ORIGIN};
use http::{HeaderName, Method};

use serde_json::Value;

use crate::gateway::object::texts;

const SEC_FETCH_SITE: HeaderName = HeaderName::from_static("sec-fetch-site");

#[derive(Debug, Default)]
pub struct Csrf {
    pub additional_origins: Vec<String>,
}

impl Csrf {
    pub(in crate::gateway) fn read(spec: &Value) -> Csrf {
        Csrf {
            additional_origins: texts(spec, &["additionalOrigins"]),
        }
    }

    /// Whether a request may pass, as the CRD's text has it: safe methods pass; with neither header
    /// it is no browser or the same origin; `Sec-Fetch-Site` decides, and without it the origin's
    /// host must be the one that was asked for.
    pub fn allows(&self, method: &Method, host: &str, headers: &HeaderMap) -> bool {
        if matches!(*method, Method::GET | Method::HEAD | Method::OPTIONS) {
            return true;
        }
        let origin = headers
            .get(ORIGIN)
            .map(|value| value.to_str().unwrap_or("null"));
        let named = || {
            origin.is_some_and(|origin| {
                self.additional_origins
                    .iter()
                    .any(|allowed| allowed == origin)
            })
        };
        match (headers.get(SEC_FETCH_SITE), origin) {
            (Some(site), _) => matches!(site.as_bytes(), b"same-origin" | b"none") || named(),
            (None, None) => true,
            (None, Some(origin)) => {
                let same = origin
                    .split_once("://")
                    .is_some_and(|(_, o)| o.eq_ignore_ascii_case(host));
                same || named()
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_rules_of_the_crd() {
        let csrf = Csrf {
            additional_origins: vec!["https://app.example".to_string()],
        };
        let (none, same) = ("", "same-origin");
        let table = [
            (Method::GET, "cross-site", "https://evil.example", true),
            (Method::HEAD, "cross-site", none, true),
            (Method::OPTIONS, "cross-site", none, true),
            (Method::POST, none, none, true),
            (Method::POST, same, none, true),
            (Method::POST, "none", none, true),
            (Method::POST, "cross-site", none, false),
            (Method::POST, "same-site", none, false),
            (Method::POST, "cross-site", "https://evil.example", false),
            (Method::POST, "cross-site", "https://app.example", true),
            (Method::POST, none, "https://app.example", true),
            (Method::POST, none, "http://localhost:8080", true),
            (Method::POST, none, "http://localhost:9090", false),
            (Method::POST, none, "https://evil.example", false),
            (Method::POST, none, "null", false),
            (Method::DELETE, none, "https://evil.example", false),
            // The browser's own word is believed over an origin that looks right.
            (Method::POST, "cross-site", "http://localhost:8080", false),
        ];
        for (method, site, origin, expected) in table {
            let mut headers = HeaderMap::new();
            if !site.is_empty() {
                headers.insert(SEC_FETCH_SITE, site.parse().unwrap());
            }
            if !origin.is_empty() {
                headers.insert(ORIGIN, origin.parse().unwrap());
            }
            let allowed = csrf.allows(&method, "localhost:8080", &headers);
            assert_eq!(allowed, expected, "{method} {site} {origin}");
        }
    }
}
