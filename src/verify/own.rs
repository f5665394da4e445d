//! A person's own proof, from a profile: a request and what must come back.

use super::answer::{Answer, is_early};
use super::check::{Check, Claim, Finding, Verdict};
use super::gateway;
use crate::host::mark;
use crate::host::web::{local, why};
use crate::profile::Test;
use crate::text;
use futures::FutureExt;
use futures::future::BoxFuture;
use http::header::CONTENT_TYPE;
use serde_json::Value;
use std::time::{Duration, Instant};

/// A first answer may have to wait for a model to be loaded.
const DEADLINE: Duration = Duration::from_secs(180);

/// Between two tries while the gateway settles.
const PAUSE: Duration = Duration::from_millis(50);

pub struct Own {
    pub url: String,
    pub test: Test,
    /// How long the gateway may take to know a route that it has just been given.
    pub settle: Duration,
}

pub fn id(test: &Test) -> String {
    format!("test.{}", test.name)
}

impl Own {
    async fn prove(&self) -> Finding {
        let (claim, test) = (self.claim(), &self.test);
        let Ok(method) = test.method.parse::<reqwest::Method>() else {
            return Finding::fail(
                &claim,
                format!("`{}` is no HTTP method", test.method),
                "gw profile list",
            );
        };
        let sent = format!("{method} {}", self.url);
        let start = Instant::now();
        loop {
            let (answer, headers) = match self.ask(&method).await {
                Ok(answered) => answered,
                Err(error) => {
                    return Finding::fail(&claim, why(&error), "gw up").fact("sent", sent);
                }
            };
            // Also where it is what was expected: it says nothing of who is behind the route.
            if is_early(&answer) && start.elapsed() < self.settle {
                tokio::time::sleep(PAUSE).await;
                continue;
            }
            let (status, body) = (answer.status, &answer.body);
            let Some(fault) = fault(test, status, &headers, body) else {
                return Finding::new(&claim, Verdict::Pass);
            };
            let answered = format!("{status} {:?}", text::excerpt(body, 300));
            return Finding::fail(&claim, fault, "gw logs")
                .fact("sent", sent)
                .fact("answered", answered);
        }
    }

    async fn ask(&self, method: &reqwest::Method) -> reqwest::Result<(Answer, http::HeaderMap)> {
        let request = local().request(method.clone(), &self.url).timeout(DEADLINE);
        // Its own test is no caller's mistake, whatever it asks.
        let mut request = request.header("host", mark::host(&mark::new(), &self.url));
        if let Some(body) = &self.test.body {
            request = request.json(body);
        }
        let response = request.send().await?;
        let headers = response.headers().clone();
        let kind = headers
            .get(CONTENT_TYPE)
            .and_then(|kind| kind.to_str().ok());
        let answer = Answer {
            status: response.status().as_u16(),
            content_type: kind.unwrap_or_default().to_string(),
            body: response.text().await.unwrap_or_default(),
        };
        Ok((answer, headers))
    }
}

/// What of the expectation is not so.
fn fault(test: &Test, status: u16, headers: &http::HeaderMap, body: &str) -> Option<String> {
    if status != test.status {
        return Some(format!("{status} where {} was expected", test.status));
    }
    for (name, wanted) in &test.headers {
        let value = headers
            .get(name.as_str())
            .and_then(|value| value.to_str().ok());
        if value != Some(wanted.as_str()) {
            let value = value.map_or("no".to_string(), |value| format!("{value:?} as"));
            return Some(format!(
                "{status}, but with {value} {name} and not {wanted:?}"
            ));
        }
    }
    let answer = || serde_json::from_str::<Value>(body).unwrap_or(Value::Null);
    for (place, wanted) in &test.json {
        let found = answer().pointer(place).cloned();
        if found.as_ref() != Some(wanted) {
            let found = found.map_or("nothing".to_string(), |value| value.to_string());
            let found = text::excerpt(&found, 80);
            return Some(format!("{status}, but {found} at {place} and not {wanted}"));
        }
    }
    let wanted = test.contains.as_deref()?;
    (!body.contains(wanted)).then(|| format!("{status}, but without {wanted:?}"))
}

impl Check for Own {
    fn claim(&self) -> Claim {
        Claim {
            id: id(&self.test),
            title: format!("own test {}", self.test.name),
            needs: vec![gateway::ID.to_string()],
            deadline: DEADLINE + self.settle,
            lane: String::new(),
        }
    }

    fn run(&self) -> BoxFuture<'_, Finding> {
        self.prove().boxed()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::{Read, Write};

    #[tokio::test]
    async fn an_own_tests_request_bears_the_mark_by_which_it_is_no_callers() {
        let _ = rustls::crypto::ring::default_provider().install_default();
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        let heard = std::thread::spawn(move || {
            let (mut stream, _) = listener.accept().unwrap();
            let mut bytes = [0; 4096];
            let length = stream.read(&mut bytes).unwrap();
            let answer = "HTTP/1.1 503 Service Unavailable\r\nconnection: close\r\ncontent-length: 3\r\n\r\nEOF";
            stream.write_all(answer.as_bytes()).unwrap();
            String::from_utf8_lossy(&bytes[..length]).into_owned()
        });
        let test = Test {
            name: "t".into(),
            route: "r".into(),
            method: "GET".into(),
            path: "/x".into(),
            body: None,
            status: 503,
            contains: None,
            headers: [].into(),
            json: [].into(),
        };
        let own = Own {
            url: format!("http://127.0.0.1:{port}/x"),
            test,
            settle: Duration::ZERO,
        };
        assert_eq!(own.run().await.verdict, Verdict::Pass);
        let heard = heard.join().unwrap();
        let host = heard.lines().find_map(|line| line.strip_prefix("host: "));
        assert!(host.is_some_and(mark::is_own), "{heard}");
    }

    #[test]
    fn status_headers_json_and_text_are_all_expected() {
        let test = Test {
            name: "t".into(),
            route: "r".into(),
            method: "GET".into(),
            path: "/x".into(),
            body: None,
            status: 503,
            contains: Some("EOF".into()),
            headers: [("x-a".to_string(), "1".to_string())].into(),
            json: [("/error/0".to_string(), "EOF".into())].into(),
        };
        let mut headers = http::HeaderMap::new();
        let said =
            |headers: &http::HeaderMap, status, body: &str| fault(&test, status, headers, body);
        let good = r#"{"error": ["EOF"]}"#;
        assert_eq!(
            said(&headers, 503, good).unwrap(),
            "503, but with no x-a and not \"1\""
        );
        headers.insert("x-a", http::HeaderValue::from_static("1"));
        assert_eq!(said(&headers, 503, good), None);
        assert_eq!(
            said(&headers, 200, good).unwrap(),
            "200 where 503 was expected"
        );
        let other = r#"{"error": ["other"]}"#;
        assert_eq!(
            said(&headers, 503, other).unwrap(),
            "503, but \"other\" at /error/0 and not \"EOF\""
        );
    }
}
