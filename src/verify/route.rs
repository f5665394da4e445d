//! A route is proved by a real POST: 200, a text, the right model, tokens counted.

use super::answer::{Answer, Asked, explain};
use super::check::{Check, Claim, Finding, RouteProof, Verdict};
use super::credential::Credential;
use super::gateway;
use crate::host::web::{local, why};
use crate::plan::{PlannedRoute, Served};
use crate::provider::{CHAT_PATH, Provider};
use crate::text;
use futures::FutureExt;
use futures::future::BoxFuture;
use serde_json::Value;
use std::time::{Duration, Instant};

pub struct Route {
    pub base: String,
    pub route: PlannedRoute,
    /// How long the gateway may take to know a route that it has just been given.
    pub settle: Duration,
    pub credential: Credential,
}

/// Between two tries while the gateway takes up a route; the proxy has no way to announce it.
const PAUSE: Duration = Duration::from_millis(50);

impl Route {
    fn url(&self) -> String {
        format!("{}{}{CHAT_PATH}", self.base, self.route.path)
    }

    fn provider(&self) -> Provider {
        match self.route.serves {
            Served::Chat { provider, .. } => provider,
            Served::Tools => Provider::Mock,
        }
    }

    async fn prove(&self) -> Finding {
        let start = Instant::now();
        loop {
            let sent = Instant::now();
            let (finding, passing) = self.ask().await;
            if !passing || start.elapsed() > self.settle {
                // The time of the request that counted, not of the wait before it.
                return Finding {
                    seconds: sent.elapsed().as_secs_f64(),
                    ..finding
                };
            }
            tokio::time::sleep(PAUSE).await;
        }
    }

    /// One request; and whether its failure may pass by itself.
    async fn ask(&self) -> (Finding, bool) {
        let claim = self.claim();
        let mut body = self.provider().probe();
        if !self.route.serves.model().is_empty() {
            body["model"] = self.route.serves.model().into();
        }
        let request = || {
            let request = local().post(self.url());
            request.timeout(self.route.patience).json(&body)
        };
        if let Some(open) = self.ask_without(request()).await {
            return open;
        }
        let response = match self.credential.put(request()).send().await {
            Ok(response) => response,
            Err(error) => {
                let summary = format!("{}: {}", self.base, why(&error));
                let finding = Finding::fail(&claim, summary, "gw up")
                    .fact("sent", format!("POST {}", self.url()));
                return (self.with_route(finding, 0, &Value::Null), false);
            }
        };
        let status = response.status().as_u16();
        let content_type = response
            .headers()
            .get("content-type")
            .and_then(|v| v.to_str().ok())
            .unwrap_or("")
            .to_string();
        let body = match response.text().await {
            Ok(body) => body,
            Err(error) => {
                let finding = Finding::fail(
                    &claim,
                    format!("{status}, and the answer broke off: {}", why(&error)),
                    "gw logs",
                );
                return (self.with_route(finding, status, &Value::Null), false);
            }
        };
        self.judge(
            &claim,
            &Answer {
                status,
                content_type,
                body,
            },
        )
    }

    /// Where callers have to show something, a request that shows nothing must be refused. A verdict,
    /// or nothing where the real question is still to be asked.
    async fn ask_without(&self, request: reqwest::RequestBuilder) -> Option<(Finding, bool)> {
        if matches!(self.credential, Credential::None) {
            return None;
        }
        let claim = self.claim();
        let response = request.send().await.ok()?;
        let status = response.status().as_u16();
        if status != 401 {
            // A route that is not there yet refuses nobody; the real question will say so.
            let passing = matches!(status, 404 | 500 | 503);
            if passing {
                return None;
            }
            let summary = format!("{status} for a request without credentials");
            let finding = Finding::fail(&claim, summary, "gw status");
            return Some((self.with_route(finding, status, &Value::Null), false));
        }
        let Credential::Lacking(why) = &self.credential else {
            return None;
        };
        let finding = self.unasked(&claim, why);
        Some((self.with_route(finding, status, &Value::Null), false))
    }

    /// Where nobody but an issuer gives what callers show, the refusal is all that can be proved; a key
    /// that `up` had and that is gone keeps its owner out.
    fn unasked(&self, claim: &Claim, why: &str) -> Finding {
        let auth = self.route.auth.as_ref();
        match auth.is_some_and(|auth| auth.from.is_some()) {
            true => Finding::fail(claim, format!("401, and {why}"), "gw up"),
            false => Finding {
                summary: format!("401, as set: {why}"),
                ..Finding::new(claim, Verdict::Pass)
            },
        }
    }

    fn judge(&self, claim: &Claim, answer: &Answer) -> (Finding, bool) {
        let value: Value = serde_json::from_str(&answer.body).unwrap_or(Value::Null);
        if answer.status == 200 {
            let finding = match fault(&value, &self.route) {
                None => Finding::new(claim, Verdict::Pass),
                Some(fault) => Finding::fail(claim, format!("200, but {fault}"), "gw logs")
                    .fact("answered", text::excerpt(&answer.body, 300)),
            };
            return (self.with_route(finding, 200, &value), false);
        }
        let asked = Asked {
            provider: self.provider(),
            title: self.route.serves.title(),
            model: self.route.serves.model(),
            port: self.provider().ways().default_port,
        };
        let explained = explain(answer, asked);
        if answer.status == 429 && answer.body == "rate limit exceeded" {
            // The limit does what it is for; whether there is more behind it is for another minute.
            let finding = Finding {
                summary: "limited, as set: not asked further".to_string(),
                ..Finding::new(claim, Verdict::Pass)
            };
            return (self.with_route(finding, 429, &Value::Null), false);
        }
        let finding = Finding::fail(claim, explained.summary, explained.next)
            .fact("sent", format!("POST {}{CHAT_PATH}", self.route.path))
            .fact(
                "answered",
                format!("{:?}", text::excerpt(&answer.body, 300)),
            )
            .fact("cause", explained.cause);
        (
            self.with_route(finding, answer.status, &Value::Null),
            explained.passing,
        )
    }

    fn with_route(&self, finding: Finding, status: u16, value: &Value) -> Finding {
        let tokens = |name: &str| {
            value
                .pointer(&format!("/usage/{name}"))
                .and_then(Value::as_u64)
                .unwrap_or(0)
        };
        let model = value["model"].as_str();
        let model = model.unwrap_or(self.route.serves.model());
        Finding {
            route: Some(RouteProof {
                path: self.route.path.clone(),
                model: model.to_string(),
                status,
                input_tokens: tokens("prompt_tokens"),
                output_tokens: tokens("completion_tokens"),
                answer: text::excerpt(said(value), 60),
                mock: self.provider() == Provider::Mock,
                tools: None,
            }),
            ..finding
        }
    }
}

/// What the model said; a model that thinks first may spend a small answer on thinking alone
/// (`reasoning` in Ollama's answers, `reasoning_content` in others').
fn said(value: &Value) -> &str {
    let parts = ["content", "reasoning", "reasoning_content"];
    let part = |name: &&str| {
        value
            .pointer(&format!("/choices/0/message/{name}"))?
            .as_str()
    };
    let mut said = parts
        .iter()
        .filter_map(part)
        .filter(|text| !text.is_empty());
    said.next().unwrap_or("")
}

/// What is missing from a 200 that proves a route.
fn fault(value: &Value, route: &PlannedRoute) -> Option<String> {
    if said(value).is_empty() {
        return Some("no text in it".to_string());
    }
    if let Served::Chat {
        provider, accepted, ..
    } = &route.serves
    {
        let model = value["model"].as_str().unwrap_or("");
        let is_one = |asked: &String| provider.same_model(asked, model);
        if !accepted.is_empty() && !accepted.iter().any(is_one) {
            let wanted = text::list(accepted);
            return Some(format!(
                "from model `{model}` where `{wanted}` was asked for"
            ));
        }
    }
    if value
        .pointer("/usage/completion_tokens")
        .and_then(Value::as_u64)
        .unwrap_or(0)
        == 0
    {
        return Some("it counts no tokens".to_string());
    }
    None
}

impl Check for Route {
    fn claim(&self) -> Claim {
        Claim {
            id: format!("route.{}", self.route.name),
            title: format!("{} answers a POST", self.route.path),
            needs: vec![gateway::ID.to_string()],
            deadline: self.route.patience + self.settle,
        }
    }

    fn run(&self) -> BoxFuture<'_, Finding> {
        self.prove().boxed()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::plan::{RouteAuth, Scheme};
    use crate::profile::rule::KeyFrom;
    use serde_json::json;

    fn route() -> PlannedRoute {
        PlannedRoute {
            messages: false,
            name: "ollama".into(),
            path: "/ollama".into(),
            serves: Served::Chat {
                provider: Provider::Ollama,
                model: "llama3.2".into(),
                accepted: vec!["llama3.2".into()],
            },
            patience: Duration::from_secs(1),
            auth: None,
        }
    }

    #[test]
    fn a_key_that_is_gone_fails_the_proof_and_a_token_of_an_issuer_does_not() {
        for (from, verdict) in [
            (Some(KeyFrom::Generated), Verdict::Fail),
            (None, Verdict::Pass),
        ] {
            let auth = RouteAuth {
                policy: "p".into(),
                name: "alice".into(),
                scheme: Scheme::Bearer,
                from,
            };
            let check = Route {
                base: String::new(),
                route: PlannedRoute {
                    auth: Some(auth),
                    ..route()
                },
                settle: Duration::ZERO,
                credential: Credential::Lacking("why".into()),
            };
            assert_eq!(check.unasked(&check.claim(), "why").verdict, verdict);
        }
    }

    #[test]
    fn a_200_proves_a_route_only_with_text_model_and_tokens() {
        let good = json!({"model": "llama3.2", "choices": [{"message": {"content": "hi"}}], "usage": {"completion_tokens": 2}});
        assert_eq!(fault(&good, &route()), None);
        let mut thinking = good.clone();
        thinking["choices"][0]["message"] = json!({"content": "", "reasoning": "let me see"});
        assert_eq!(fault(&thinking, &route()), None);
        for (pointer, bad) in [
            ("/choices/0/message/content", json!("")),
            ("/model", json!("qwen3")),
            ("/usage/completion_tokens", json!(0)),
        ] {
            let mut broken = good.clone();
            *broken.pointer_mut(pointer).unwrap() = bad;
            assert!(fault(&broken, &route()).is_some(), "{pointer}");
        }
        assert!(fault(&Value::Null, &route()).is_some());
    }
}
