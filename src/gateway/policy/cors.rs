//! `traffic.cors` and the HTTPRoute filter CORS: which web pages may call, and the answer to a browser that asks first (facts 9.7, 17.3).

use http::Method;
use http::header::{
    ACCESS_CONTROL_ALLOW_CREDENTIALS, ACCESS_CONTROL_ALLOW_HEADERS, ACCESS_CONTROL_ALLOW_METHODS,
    ACCESS_CONTROL_ALLOW_ORIGIN, ACCESS_CONTROL_EXPOSE_HEADERS, ACCESS_CONTROL_MAX_AGE, HeaderMap,
    HeaderName, HeaderValue, ORIGIN,
};
use serde_json::Value;

use crate::gateway::config::HeaderChange;
use crate::gateway::object::{dig, texts};
use crate::gateway::refusal::Refusal;

/// Seconds that a browser may remember an answer for, where the policy does not say (the CRD's default).
const MAX_AGE: u64 = 5;

#[derive(Debug, PartialEq, Eq)]
pub struct Cors {
    origins: Vec<String>,
    /// Of the answer to a preflight, and of every other.
    preflight: Vec<(HeaderName, HeaderValue)>,
    actual: Vec<(HeaderName, HeaderValue)>,
}

impl Cors {
    /// Reads a policy; the error says what no header can carry.
    pub(in crate::gateway) fn read(spec: &Value) -> Result<Cors, String> {
        let mut preflight = Vec::new();
        for (name, field) in [
            (ACCESS_CONTROL_ALLOW_METHODS, "allowMethods"),
            (ACCESS_CONTROL_ALLOW_HEADERS, "allowHeaders"),
        ] {
            preflight.extend(joined(spec, field)?.map(|value| (name, value)));
        }
        let age = dig(spec, &["maxAge"]).as_u64().unwrap_or(MAX_AGE);
        preflight.push((ACCESS_CONTROL_MAX_AGE, HeaderValue::from(age)));
        let mut actual = Vec::new();
        // On a preflight the real proxy does not say it (facts 9.7).
        if dig(spec, &["allowCredentials"]) == true {
            let value = HeaderValue::from_static("true");
            actual.push((ACCESS_CONTROL_ALLOW_CREDENTIALS, value));
        }
        let exposed = joined(spec, "exposeHeaders")?;
        actual.extend(exposed.map(|value| (ACCESS_CONTROL_EXPOSE_HEADERS, value)));
        Ok(Cors {
            origins: texts(spec, &["allowOrigins"]),
            preflight,
            actual,
        })
    }

    /// What a request's answer gains; a preflight of an allowed origin is answered here, one of
    /// another goes on like any request.
    pub(in crate::gateway) fn check(
        &self,
        method: &Method,
        headers: &HeaderMap,
    ) -> Result<HeaderChange, Refusal> {
        let origin = headers.get(ORIGIN).filter(|origin| self.allows(origin));
        let Some(origin) = origin else {
            return Ok(HeaderChange::default());
        };
        let echoed = (ACCESS_CONTROL_ALLOW_ORIGIN, origin.clone());
        let with = |more: &[(HeaderName, HeaderValue)]| {
            let mut set = vec![echoed];
            set.extend_from_slice(more);
            set
        };
        // The real proxy does not ask what the browser wants to know.
        match *method == Method::OPTIONS {
            true => Err(Refusal::preflight(with(&self.preflight))),
            false => Ok(HeaderChange {
                set: with(&self.actual),
                ..HeaderChange::default()
            }),
        }
    }

    fn allows(&self, origin: &HeaderValue) -> bool {
        let mut origins = self.origins.iter();
        origins.any(|allowed| allowed == "*" || allowed.as_bytes() == origin.as_bytes())
    }
}

fn joined(spec: &Value, field: &str) -> Result<Option<HeaderValue>, String> {
    let values = texts(spec, &[field]);
    let value = || HeaderValue::from_str(&values.join(","));
    match values.is_empty() {
        true => Ok(None),
        false => value()
            .map(Some)
            .map_err(|_| format!("invalid {field} {values:?}")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use http::header::ACCESS_CONTROL_REQUEST_METHOD;
    use serde_json::json;

    /// What a request is given, as `name: value` lines, and whether it was answered already.
    fn outcome(spec: Value, method: Method, origin: &str, asks: bool) -> (Vec<String>, bool) {
        let mut headers = HeaderMap::new();
        if !origin.is_empty() {
            headers.insert(ORIGIN, origin.parse().unwrap());
        }
        if asks {
            headers.insert(ACCESS_CONTROL_REQUEST_METHOD, "POST".parse().unwrap());
        }
        let (pairs, answered) = match Cors::read(&spec).unwrap().check(&method, &headers) {
            Ok(change) => (change.set, false),
            Err(refusal) => (refusal.headers, true),
        };
        let line = |(name, value): (HeaderName, HeaderValue)| {
            let name = name.as_str().replace("access-control-", "");
            format!("{name}: {}", value.to_str().unwrap())
        };
        (pairs.into_iter().map(line).collect(), answered)
    }

    #[test]
    fn preflights_and_other_requests() {
        let (app, evil) = ("https://app.example", "https://evil.example");
        let full = json!({"allowOrigins": [app], "allowMethods": ["GET", "POST"], "allowHeaders": ["a", "b"],
            "exposeHeaders": ["x"], "allowCredentials": true, "maxAge": 600});
        let any = json!({"allowOrigins": ["*"]});
        type Case<'a> = (&'a Value, Method, &'a str, bool, &'a [&'a str], bool);
        let table: [Case; 8] = [
            (
                &full,
                Method::OPTIONS,
                app,
                true,
                &[
                    "allow-origin: https://app.example",
                    "allow-methods: GET,POST",
                    "allow-headers: a,b",
                    "max-age: 600",
                ],
                true,
            ),
            (&full, Method::OPTIONS, evil, true, &[], false),
            (
                &full,
                Method::POST,
                app,
                false,
                &[
                    "allow-origin: https://app.example",
                    "allow-credentials: true",
                    "expose-headers: x",
                ],
                false,
            ),
            (&full, Method::POST, evil, false, &[], false),
            (&full, Method::POST, "", false, &[], false),
            // An OPTIONS that asks for nothing is a preflight too.
            (
                &any,
                Method::OPTIONS,
                evil,
                false,
                &["allow-origin: https://evil.example", "max-age: 5"],
                true,
            ),
            (
                &any,
                Method::OPTIONS,
                evil,
                true,
                &["allow-origin: https://evil.example", "max-age: 5"],
                true,
            ),
            (&json!({}), Method::OPTIONS, app, true, &[], false),
        ];
        for (spec, method, origin, asks, expected, answered) in table {
            let (lines, ended) = outcome(spec.clone(), method, origin, asks);
            assert_eq!(
                (&lines[..], ended),
                (
                    &expected
                        .iter()
                        .map(|l| (*l).to_string())
                        .collect::<Vec<_>>()[..],
                    answered
                ),
                "{origin}"
            );
        }
        assert!(Cors::read(&json!({"allowHeaders": ["\n"]})).is_err());
    }
}
