//! An MCP server: streamable HTTP on any path of `/mcp`, the legacy transport on `/sse` and `/message`.

mod rpc;
mod session;

use http::{HeaderMap, Method, StatusCode};
use serde_json::{Value, json};

use super::answer::{Answer, Content, EVENTS, JSON, event};
use super::place::Operation;
pub(super) use session::Sessions;

const SESSION: &str = "mcp-session-id";

/// A request as this server sees it.
pub(super) struct Call<'a> {
    pub operation: Operation,
    pub method: &'a Method,
    pub headers: &'a HeaderMap,
    pub query: &'a str,
    pub body: &'a Value,
}

pub(super) fn serve(sessions: &Sessions, call: &Call) -> Answer {
    match (call.operation, call.method) {
        (Operation::McpEvents, &Method::GET) => legacy(sessions),
        (Operation::McpMessage, &Method::POST) => legacy_message(sessions, call),
        (Operation::Mcp, &Method::POST) => post(sessions, call),
        (Operation::Mcp, &Method::GET) => get(sessions, call),
        (Operation::Mcp, &Method::DELETE) => match sessions.close(session(call)) {
            true => Answer::empty(StatusCode::OK),
            false => unknown(session(call)),
        },
        _ => refuse(
            StatusCode::METHOD_NOT_ALLOWED,
            -32000,
            "Method not allowed.",
        ),
    }
}

fn session<'a>(call: &'a Call) -> &'a str {
    let id = call.headers.get(SESSION).and_then(|id| id.to_str().ok());
    id.unwrap_or("")
}

fn accepts(headers: &HeaderMap, kind: &str) -> bool {
    let mut values = headers
        .get_all("accept")
        .iter()
        .filter_map(|value| value.to_str().ok());
    values.any(|value| value.contains(kind) || value.contains("*/*"))
}

fn post(sessions: &Sessions, call: &Call) -> Answer {
    if !(accepts(call.headers, JSON) && accepts(call.headers, EVENTS)) {
        let message =
            "Not Acceptable: Client must accept both application/json and text/event-stream";
        return refuse(StatusCode::NOT_ACCEPTABLE, -32000, message);
    }
    let messages = messages(call.body);
    if messages.is_empty() || !messages.iter().all(|message| rpc::is_message(message)) {
        return refuse(
            StatusCode::BAD_REQUEST,
            -32700,
            "Parse error: Invalid JSON-RPC message",
        );
    }
    let begins = messages
        .iter()
        .any(|message| message.get("method") == Some(&json!("initialize")));
    let new = match (begins, session(call)) {
        (true, _) => Some(sessions.open().0),
        (false, "") => {
            return refuse(
                StatusCode::BAD_REQUEST,
                -32000,
                "Bad Request: Mcp-Session-Id header is required",
            );
        }
        (false, id) if sessions.knows(id) => None,
        (false, id) => return unknown(id),
    };
    let replies: Vec<Value> = messages
        .iter()
        .filter_map(|message| rpc::reply(message))
        .collect();
    if replies.is_empty() {
        return Answer::empty(StatusCode::ACCEPTED);
    }
    let events = replies
        .iter()
        .map(|reply| event("message", &reply.to_string()));
    let answer = Answer::events(events.collect());
    match new {
        Some(id) => answer.with(SESSION, &id),
        None => answer,
    }
}

/// The stream on which a server speaks unasked. This one has nothing to say, and keeps it open.
fn get(sessions: &Sessions, call: &Call) -> Answer {
    if !accepts(call.headers, EVENTS) {
        let message = "Not Acceptable: Client must accept text/event-stream";
        return refuse(StatusCode::NOT_ACCEPTABLE, -32000, message);
    }
    match (session(call), sessions.listen(session(call))) {
        (_, Some(events)) => Answer::new(StatusCode::OK, Content::Live(events)),
        ("", None) => refuse(
            StatusCode::BAD_REQUEST,
            -32000,
            "Bad Request: Mcp-Session-Id header is required",
        ),
        (id, None) => unknown(id),
    }
}

fn legacy(sessions: &Sessions) -> Answer {
    let (id, events) = sessions.open();
    sessions.send(&id, event("endpoint", &format!("/message?sessionId={id}")));
    Answer::new(StatusCode::OK, Content::Live(events))
}

fn legacy_message(sessions: &Sessions, call: &Call) -> Answer {
    let mut pairs = url::form_urlencoded::parse(call.query.as_bytes());
    let id = pairs.find_map(|(name, value)| (name == "sessionId").then(|| value.into_owned()));
    let id = id.unwrap_or_default();
    if !sessions.knows(&id) {
        return unknown(&id);
    }
    if !rpc::is_message(call.body) {
        return refuse(
            StatusCode::BAD_REQUEST,
            -32700,
            "Parse error: Invalid JSON-RPC message",
        );
    }
    if let Some(reply) = rpc::reply(call.body) {
        sessions.send(&id, event("message", &reply.to_string()));
    }
    Answer::new(StatusCode::ACCEPTED, Content::Text("Accepted"))
}

/// One message, or a batch as the protocol of 2025-03-26 has them.
fn messages(body: &Value) -> Vec<&Value> {
    match body {
        Value::Array(batch) => batch.iter().collect(),
        one => vec![one],
    }
}

fn unknown(id: &str) -> Answer {
    match id {
        "" => refuse(
            StatusCode::BAD_REQUEST,
            -32000,
            "Bad Request: Mcp-Session-Id header is required",
        ),
        _ => refuse(StatusCode::NOT_FOUND, -32001, "Session not found"),
    }
}

fn refuse(status: StatusCode, code: i32, message: &str) -> Answer {
    let error = json!({"code": code, "message": message});
    Answer::json(
        status,
        json!({"jsonrpc": "2.0", "error": error, "id": null}),
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use http::HeaderValue;

    const BOTH: &str = "application/json, text/event-stream";

    fn ask(
        sessions: &Sessions,
        method: &Method,
        given: &[(&'static str, &str)],
        body: Value,
    ) -> (u16, Option<String>, String) {
        let mut headers = HeaderMap::new();
        for (name, value) in given {
            headers.insert(*name, HeaderValue::from_str(value).unwrap());
        }
        let call = Call {
            operation: Operation::Mcp,
            method,
            headers: &headers,
            query: "",
            body: &body,
        };
        let answer = serve(sessions, &call);
        let id = answer
            .headers
            .iter()
            .find(|(name, _)| name == SESSION)
            .map(|(_, id)| id.to_str().unwrap().to_string());
        let text = match answer.content {
            Content::Json(value) => value.to_string(),
            Content::Pieces { pieces, .. } => pieces
                .iter()
                .map(|piece| String::from_utf8(piece.to_vec()).unwrap())
                .collect(),
            _ => String::new(),
        };
        (answer.status.as_u16(), id, text)
    }

    /// The transport's rules: MCP 2025-06-18, streamable HTTP.
    #[test]
    fn a_session_begins_is_used_and_ends() {
        let sessions = Sessions::default();
        let initialize = json!({"jsonrpc": "2.0", "id": 1, "method": "initialize", "params": {"protocolVersion": "2025-03-26"}});
        let (status, id, text) = ask(
            &sessions,
            &Method::POST,
            &[("accept", BOTH)],
            initialize.clone(),
        );
        assert!(
            status == 200 && text.contains(r#""protocolVersion":"2025-03-26""#),
            "{text}"
        );
        let id = id.unwrap();
        let with = [("accept", BOTH), (SESSION, id.as_str())];
        let told = json!({"jsonrpc": "2.0", "method": "notifications/initialized"});
        assert_eq!(ask(&sessions, &Method::POST, &with, told).0, 202);
        let list = json!({"jsonrpc": "2.0", "id": 2, "method": "tools/list"});
        assert!(
            ask(&sessions, &Method::POST, &with, list.clone())
                .2
                .contains(r#""name":"echo""#)
        );
        assert_eq!(ask(&sessions, &Method::GET, &with, Value::Null).0, 200);
        assert_eq!(
            ask(&sessions, &Method::POST, &[("accept", BOTH)], list.clone()).0,
            400
        );
        assert_eq!(
            ask(&sessions, &Method::POST, &[("accept", JSON)], initialize).0,
            406
        );
        assert_eq!(ask(&sessions, &Method::DELETE, &with, Value::Null).0, 200);
        assert_eq!(ask(&sessions, &Method::POST, &with, list).0, 404);
        assert_eq!(ask(&sessions, &Method::PUT, &with, Value::Null).0, 405);
    }

    #[tokio::test]
    async fn the_legacy_transport_answers_on_its_stream() {
        let sessions = Sessions::default();
        let Content::Live(mut events) = legacy(&sessions).content else {
            panic!("no stream")
        };
        let endpoint = String::from_utf8(events.recv().await.unwrap().to_vec()).unwrap();
        let query = endpoint
            .trim()
            .split_once("data: /message?")
            .unwrap()
            .1
            .to_string();
        let body = json!({"jsonrpc": "2.0", "id": 7, "method": "ping"});
        let headers = HeaderMap::new();
        let call = Call {
            operation: Operation::McpMessage,
            method: &Method::POST,
            headers: &headers,
            query: &query,
            body: &body,
        };
        assert_eq!(serve(&sessions, &call).status, StatusCode::ACCEPTED);
        let event = String::from_utf8(events.recv().await.unwrap().to_vec()).unwrap();
        assert_eq!(
            event,
            "event: message\ndata: {\"jsonrpc\":\"2.0\",\"id\":7,\"result\":{}}\n\n"
        );
    }
}
