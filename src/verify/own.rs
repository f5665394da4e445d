//! A person's own proof, from a profile: a request and what must come back.

use super::answer::{Answer, is_early};
use super::case::Case;
use super::check::{Check, Claim, Finding, Verdict};
use super::choose::dearest;
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
    /// Why it is not asked.
    pub unasked: Option<String>,
}

/// Tokens of an answer whose length nothing limits, as an estimate.
const ANSWER: u64 = 4096;

/// What a test costs at most through the route of a case, in US dollars; `None` where that can't be
/// estimated: a model without a known price, and an answer of any length.
pub fn price(test: &Test, case: &Case) -> Option<f64> {
    let Some(body) = &test.body else {
        return Some(0.0);
    };
    if case.expect.tools || !(case.expect.answer.is_some() || case.tokens != (0, 0)) {
        return Some(0.0);
    }
    let model = match case.behind.model.as_str() {
        "" => body["model"].as_str().unwrap_or_default(),
        model => model,
    };
    let limits = ["max_tokens", "max_completion_tokens", "max_output_tokens"];
    let limit = limits.iter().find_map(|name| body[*name].as_u64());
    // A token is hardly ever shorter than two letters.
    let input = body.to_string().len() as u64 / 2;
    let known = case.behind.provider.price(model);
    match (known, limit) {
        (Some(price), limit) => Some(price.cost(input, limit.unwrap_or(ANSWER))),
        (None, Some(limit)) => Some(dearest(input, limit)),
        (None, None) => None,
    }
}

pub fn id(test: &Test) -> String {
    format!("test.{}", test.name)
}

impl Own {
    async fn prove(&self) -> Finding {
        let (claim, test) = (self.claim(), &self.test);
        if let Some(why) = &self.unasked {
            return Finding {
                summary: why.clone(),
                ..Finding::new(&claim, Verdict::Skip)
            };
        }
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
    use super::super::derive::{Sources, derive};
    use super::super::installed::tests::{gateway, installed, route};
    use super::*;
    use crate::plan::{PlannedRoute, Served};
    use crate::provider::Provider;
    use serde_json::json;
    use std::io::{Read, Write};
    use std::net::TcpListener;
    use std::sync::Arc;
    use std::sync::atomic::{AtomicUsize, Ordering};

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
            unasked: None,
        };
        assert_eq!(own.run().await.verdict, Verdict::Pass);
        let heard = heard.join().unwrap();
        let host = heard.lines().find_map(|line| line.strip_prefix("host: "));
        assert!(host.is_some_and(mark::is_own), "{heard}");
    }

    fn asks(body: Option<Value>) -> Test {
        Test {
            name: "t".into(),
            route: "a".into(),
            method: "POST".into(),
            path: "/x".into(),
            body,
            status: 404,
            contains: Some("route not found".into()),
            headers: [].into(),
            json: [].into(),
        }
    }

    /// A gateway that does not know its way at first, and how often it was asked.
    fn learning(early: usize) -> (String, Arc<AtomicUsize>) {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        let asked = Arc::new(AtomicUsize::new(0));
        let counted = asked.clone();
        std::thread::spawn(move || {
            for mut stream in listener.incoming().flatten() {
                let _ = stream.read(&mut [0; 4096]);
                let said = match counted.fetch_add(1, Ordering::SeqCst) < early {
                    true => "404 Not Found\r\ncontent-length: 15\r\n\r\nroute not found",
                    false => "200 OK\r\ncontent-length: 2\r\n\r\nhi",
                };
                let answer = format!(
                    "HTTP/1.1 {}",
                    said.replacen("\r\n", "\r\nconnection: close\r\n", 1)
                );
                let _ = stream.write_all(answer.as_bytes());
            }
        });
        (format!("http://127.0.0.1:{port}/x"), asked)
    }

    #[tokio::test]
    async fn what_a_gateway_says_before_it_knows_its_way_is_no_answer_even_where_it_is_expected() {
        let _ = rustls::crypto::ring::default_provider().install_default();
        let own = |url: String, settle| Own {
            url,
            test: asks(None),
            settle,
            unasked: None,
        };
        // The expectation is what the gateway says early; who is behind the route says something else.
        let (url, asked) = learning(2);
        let found = own(url, Duration::from_secs(60)).run().await;
        assert_eq!(found.verdict, Verdict::Fail);
        assert_eq!(found.summary, "200 where 404 was expected");
        assert_eq!(asked.load(Ordering::SeqCst), 3);
        // A gateway that has stood for a while means what it says.
        let (url, asked) = learning(2);
        let found = own(url, Duration::ZERO).run().await;
        assert_eq!(
            (found.verdict, asked.load(Ordering::SeqCst)),
            (Verdict::Pass, 1)
        );
    }

    #[tokio::test]
    async fn an_own_test_that_is_not_paid_for_is_skipped_and_says_why() {
        let (url, asked) = learning(0);
        let own = Own {
            url,
            test: asks(None),
            settle: Duration::ZERO,
            unasked: Some("too dear".into()),
        };
        let found = own.run().await;
        assert_eq!(
            (found.verdict, found.summary.as_str()),
            (Verdict::Skip, "too dear")
        );
        assert_eq!(asked.load(Ordering::SeqCst), 0);
    }

    #[test]
    fn a_test_costs_what_its_model_takes_for_as_much_as_it_may_say() {
        let case = |provider: Provider, model: &str| {
            let backend = json!({"kind": "AgentgatewayBackend", "metadata": {"name": "b", "namespace": "n"},
                "spec": {"ai": {"provider": {"openai": {"model": model}}}}});
            let rules = json!([{"matches": [{"path": {"value": "/a"}}],
                "backendRefs": [{"kind": "AgentgatewayBackend", "name": "b"}]}]);
            let there = installed(vec![gateway(), backend, route("a", rules)]);
            let planned = [PlannedRoute {
                name: "a".into(),
                path: "/a".into(),
                serves: Served::Chat {
                    provider,
                    model: model.into(),
                    accepted: Vec::new(),
                },
                messages: false,
                patience: Duration::from_secs(1),
                auth: None,
            }];
            let sources = Sources {
                installed: &there,
                planned: &planned,
                nonce: "0",
            };
            derive(&sources, false).cases.remove(0)
        };
        let of = |case: &Case, body| price(&asks(body), case);
        let mini = case(Provider::OpenAi, "gpt-4o-mini");
        let short = json!({"messages": [], "max_tokens": 10});
        assert_eq!(of(&mini, None), Some(0.0));
        let (some, most) = (
            of(&mini, Some(short.clone())).unwrap(),
            of(&mini, Some(json!({}))).unwrap(),
        );
        // 0.15 and 0.60 dollars a million.
        assert!(some > 0.6e-6 * 10.0 && some < 1e-5, "{some}");
        assert!(most > 0.6e-6 * 4096.0 && most < 0.01, "{most}");
        let unknown = case(Provider::OpenAiCompatible, "mine");
        assert_eq!(of(&unknown, Some(json!({"messages": []}))), None);
        assert!(of(&unknown, Some(short)).unwrap() > some);
        let local = case(Provider::Ollama, "llama3.2");
        assert_eq!(of(&local, Some(json!({}))), Some(0.0));
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
