//! An MCP route is proved as a client would use it: initialize, initialized, tools/list; at least one
//! tool must be there (facts 9.8, 14.8).

use super::answer::{Answer, Asked, explain};
use super::case::Case;
use super::check::{Check, Claim, Finding, RouteProof, Verdict};
use super::credential::Credential;
use super::refused::gateways;
use super::tool::{harmless, none};
use super::{gateway, stream};
use crate::host::web::{local, why};
use crate::plan::{BRIDGE, PlannedRoute};
use crate::text;
use futures::FutureExt;
use futures::future::BoxFuture;
use serde_json::{Value, json};
use std::sync::Arc;
use std::time::{Duration, Instant};

/// The version that clients of v2.2's time speak (facts 10).
const VERSION: &str = "2025-03-26";
const SESSION: &str = "mcp-session-id";
const PAUSE: Duration = Duration::from_millis(50);

/// What is said of a server that lists none.
pub const NONE: &str = "200, but no tool in it";

pub struct Tools {
    pub base: String,
    pub case: Case,
    /// How long the gateway may take to know a route that it has just been given.
    pub settle: Duration,
    pub credential: Arc<Credential>,
}

/// What one call came to.
struct Reply {
    status: u16,
    content_type: String,
    session: Option<String>,
    body: String,
}

/// The tools of a server, and what came of calling one.
struct Offer {
    names: Vec<String>,
    called: String,
}

impl Tools {
    /// For a route as a profile knows it, asked once.
    pub fn of(base: &str, route: &PlannedRoute, credential: Credential) -> Self {
        let title = format!("{} lists its tools and calls one", route.path);
        Tools {
            base: base.to_string(),
            case: Case::of_tools(route, title),
            settle: Duration::ZERO,
            credential: Arc::new(credential),
        }
    }

    fn url(&self) -> String {
        format!("{}{}", self.base, self.case.ask.path)
    }

    async fn prove(&self) -> Finding {
        if let Some(why) = &self.case.unasked {
            return Finding {
                summary: why.clone(),
                ..Finding::new(&self.claim(), Verdict::Skip)
            };
        }
        let start = Instant::now();
        loop {
            let sent = Instant::now();
            let (finding, passing) = match self.ask().await {
                Ok(offer) => (self.found(&offer), false),
                Err(failed) => failed,
            };
            if !passing || start.elapsed() > self.settle {
                return Finding {
                    seconds: sent.elapsed().as_secs_f64(),
                    ..finding
                };
            }
            tokio::time::sleep(PAUSE).await;
        }
    }

    /// The tools, or a failure and whether it may pass by itself.
    async fn ask(&self) -> Result<Offer, (Finding, bool)> {
        let about = json!({"name": "gatewright", "version": env!("CARGO_PKG_VERSION")});
        let params = json!({"protocolVersion": VERSION, "capabilities": {}, "clientInfo": about});
        let hello = json!({"jsonrpc": "2.0", "id": 1, "method": "initialize", "params": params});
        let reply = self.call("initialize", &hello, None, Some(1)).await?;
        let session = reply.session;
        let ready = json!({"jsonrpc": "2.0", "method": "notifications/initialized"});
        self.call("initialized", &ready, session.as_deref(), None)
            .await?;
        let list = json!({"jsonrpc": "2.0", "id": 2, "method": "tools/list"});
        let reply = self
            .call("tools/list", &list, session.as_deref(), Some(2))
            .await?;
        let answer = rpc(&reply.body, 2).unwrap_or(Value::Null);
        let tools = answer.pointer("/result/tools").and_then(Value::as_array);
        let tools = tools.map_or(&[][..], Vec::as_slice);
        let called = match harmless(tools) {
            Some((name, arguments)) => {
                let params = json!({"name": name, "arguments": arguments});
                let call =
                    json!({"jsonrpc": "2.0", "id": 3, "method": "tools/call", "params": params});
                self.call("tools/call", &call, session.as_deref(), Some(3))
                    .await?;
                format!("called {name}")
            }
            None => none(tools),
        };
        if let Some(session) = &session {
            // A session that stays behind is the server's to forget.
            let request = local().delete(self.url()).header(SESSION, session);
            let _ = self
                .credential
                .put(request)
                .timeout(PAUSE * 40)
                .send()
                .await;
        }
        let name = |tool: &Value| tool["name"].as_str().map(str::to_string);
        Ok(Offer {
            names: tools.iter().filter_map(name).collect(),
            called,
        })
    }

    /// One message; with an id its answer is waited for, and no longer than that.
    async fn call(
        &self,
        step: &str,
        message: &Value,
        session: Option<&str>,
        id: Option<u64>,
    ) -> Result<Reply, (Finding, bool)> {
        let mut request = local()
            .post(self.url())
            .timeout(self.case.behind.patience)
            .header("accept", "application/json, text/event-stream")
            .header("mcp-protocol-version", VERSION)
            .json(message);
        if let Some(host) = &self.case.ask.host {
            request = request.header("host", host);
        }
        for (name, value) in &self.case.ask.headers {
            request = request.header(name, value);
        }
        if let Some(session) = session {
            request = request.header(SESSION, session);
        }
        let reply = read(self.credential.put(request), id).await;
        let reply = reply.map_err(|why| (self.failed(step, 0, &why, "gw up"), false))?;
        let answered = id
            .is_none_or(|id| rpc(&reply.body, id).is_some_and(|answer| answer["error"].is_null()));
        match (200..300).contains(&reply.status) && answered {
            true => Ok(reply),
            false => Err(self.refused(step, &reply, id)),
        }
    }

    fn refused(&self, step: &str, reply: &Reply, id: Option<u64>) -> (Finding, bool) {
        if let Some(words) = id.and_then(|id| complaint(reply, id)) {
            return (self.complained(step, reply.status, &words), false);
        }
        if let Some(told) = gateways(reply.status, &reply.body, &self.case.behind.title) {
            let finding = self
                .failed(
                    step,
                    reply.status,
                    &format!("{step}: {}", told.summary),
                    &told.next,
                )
                .fact("answered", format!("{:?}", text::excerpt(&reply.body, 300)))
                .fact("cause", told.cause);
            return (finding, told.passing);
        }
        let answer = Answer {
            status: reply.status,
            content_type: reply.content_type.clone(),
            body: reply.body.clone(),
        };
        let asked = Asked {
            provider: self.case.behind.provider,
            title: &self.case.behind.title,
            model: "",
            port: 0,
        };
        let explained = explain(&answer, asked);
        let summary = match reply.status {
            200..=299 => format!("{step}: {}, but no answer in it", reply.status),
            _ => format!("{step}: {}", explained.summary),
        };
        let finding = self
            .failed(step, reply.status, &summary, &explained.next)
            .fact("answered", format!("{:?}", text::excerpt(&reply.body, 300)))
            .fact("cause", explained.cause);
        (finding, explained.passing)
    }

    /// What a server answers with an error: its own words say more than the status.
    fn complained(&self, step: &str, status: u16, words: &str) -> Finding {
        let logs = format!("gw logs {BRIDGE}");
        let next = match words.contains(&logs) {
            true => logs.as_str(),
            false => "gw logs",
        };
        let summary = format!("{step}: {}", text::excerpt(words, 300));
        self.failed(step, status, &summary, next)
            .fact("cause", "the MCP server answers with an error")
    }

    fn failed(&self, step: &str, status: u16, summary: &str, next: &str) -> Finding {
        let finding = Finding::fail(&self.claim(), summary, next)
            .fact("sent", format!("POST {} {step}", self.case.ask.path));
        self.with_route(finding, status, &[], "")
    }

    fn found(&self, offer: &Offer) -> Finding {
        let finding = match offer.names.as_slice() {
            [] => Finding::fail(&self.claim(), NONE, "gw logs"),
            _ => Finding::new(&self.claim(), Verdict::Pass),
        };
        self.with_route(finding, 200, &offer.names, &offer.called)
    }

    fn with_route(&self, finding: Finding, status: u16, tools: &[String], called: &str) -> Finding {
        let said = match called {
            "" => tools.join(", "),
            called => format!("{called}; {}", tools.join(", ")),
        };
        Finding {
            route: Some(RouteProof {
                path: self.case.path.clone(),
                model: String::new(),
                status,
                input_tokens: 0,
                output_tokens: 0,
                answer: text::excerpt(&said, 60),
                mock: false,
                tools: Some(tools.len()),
            }),
            ..finding
        }
    }
}

/// Reads an answer until what was asked for is in it: an event stream may stay open for ever.
async fn read(request: reqwest::RequestBuilder, id: Option<u64>) -> Result<Reply, String> {
    let mut response = request.send().await.map_err(|e| why(&e))?;
    let header = |name: &str| {
        let value = response.headers().get(name)?;
        value.to_str().ok().map(str::to_string)
    };
    let mut reply = Reply {
        status: response.status().as_u16(),
        content_type: header("content-type").unwrap_or_default(),
        session: header(SESSION),
        body: String::new(),
    };
    let mut bytes = Vec::new();
    while let Some(chunk) = response.chunk().await.map_err(|e| why(&e))? {
        bytes.extend_from_slice(&chunk);
        reply.body = String::from_utf8_lossy(&bytes).into_owned();
        if id.is_some_and(|id| rpc(&reply.body, id).is_some()) {
            break;
        }
    }
    Ok(reply)
}

/// The JSON-RPC message with this id: the body itself, or the data of one of its events.
fn rpc(body: &str, id: u64) -> Option<Value> {
    let is_it = |value: &Value| value["id"] == id && value["method"].is_null();
    if let Ok(value) = serde_json::from_str::<Value>(body) {
        return Some(value).filter(is_it);
    }
    let (events, _) = stream::events(body);
    let messages = events.iter().map(|(_, data)| serde_json::from_str(data));
    messages.filter_map(Result::ok).find(is_it)
}

/// The words of an error that came as an answer (JSON-RPC 2.0, section 5.1).
fn complaint(reply: &Reply, id: u64) -> Option<String> {
    let answer = rpc(&reply.body, id).filter(|_| (200..300).contains(&reply.status))?;
    let words = answer.pointer("/error/message")?.as_str()?;
    Some(words.to_string())
}

impl Check for Tools {
    fn claim(&self) -> Claim {
        Claim {
            id: self.case.id.clone(),
            title: self.case.title.clone(),
            needs: vec![gateway::ID.to_string()],
            deadline: self.case.behind.patience * 4 + self.settle,
            lane: self.case.lane.clone(),
        }
    }

    fn run(&self) -> BoxFuture<'_, Finding> {
        self.prove().boxed()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_answer_is_found_in_a_body_and_in_a_stream() {
        let answer = json!({"jsonrpc": "2.0", "id": 2, "result": {"tools": []}});
        assert_eq!(rpc(&answer.to_string(), 2), Some(answer.clone()));
        let other = r#"{"jsonrpc":"2.0","method":"notifications/message"}"#;
        let stream =
            format!("data: {other}\r\n\r\nid: 1\r\nevent: message\r\ndata: {answer}\r\n\r\n");
        assert_eq!(rpc(&stream, 2), Some(answer));
        assert_eq!(rpc(&stream, 1), None);
        assert_eq!(rpc("data: {\"id\": 2, \"resu", 2), None);
    }
}
