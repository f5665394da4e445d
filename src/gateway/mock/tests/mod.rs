//! The mock as a whole, without a wire: any request gets an answer in its provider's form.

use bytes::Bytes;
use http::request::Parts;
use http::{Method, Request};
use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::select;
use serde_json::{Value, json};

use super::answer::{Answer, Content};
use super::{Keys, Mock};

const PATHS: [&str; 24] = [
    "/v1/chat/completions",
    "/v1/responses",
    "/v1/embeddings",
    "/v1/models",
    "/v1/messages",
    "/v1/messages/count_tokens",
    "/v1beta/models/g:generateContent",
    "/v1beta/models/g:streamGenerateContent?alt=sse",
    "/v1beta/models/g:streamGenerateContent",
    "/v1beta/models/g:countTokens",
    "/v1beta/models/g:embedContent",
    "/v1beta/models/g:batchEmbedContents",
    "/v1beta/openai/chat/completions",
    "/openai/deployments/d/chat/completions?api-version=1",
    "/openai/responses",
    "/v1/projects/p/locations/l/endpoints/openapi/chat/completions",
    "/v1/projects/p/locations/l/publishers/anthropic/models/c:rawPredict",
    "/v1/projects/p/locations/l/publishers/google/models/g:generateContent",
    "/model/m/converse",
    "/model/m/converse-stream",
    "/model/m/count-tokens",
    "/mcp",
    "/message?sessionId=x",
    "/sse",
];

/// Names that some dialect looks for.
const NAMES: [&str; 40] = [
    "messages",
    "contents",
    "input",
    "role",
    "content",
    "parts",
    "text",
    "tools",
    "function",
    "name",
    "parameters",
    "type",
    "properties",
    "required",
    "tool_choice",
    "stream",
    "max_tokens",
    "model",
    "system",
    "system_instruction",
    "functionDeclarations",
    "functionResponse",
    "response",
    "toolConfig",
    "toolSpec",
    "inputSchema",
    "json",
    "toolResult",
    "input_schema",
    "anthropic_version",
    "response_format",
    "json_schema",
    "schema",
    "items",
    "$ref",
    "anyOf",
    "enum",
    "dimensions",
    "jsonrpc",
    "method",
];

fn parts(method: &Method, uri: &str, headers: &[(&str, &str)]) -> Parts {
    let mut request = Request::builder().method(method).uri(uri);
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    request.body(()).unwrap().into_parts().0
}

fn ask(mock: &Mock, uri: &str, headers: &[(&str, &str)], body: &Value) -> Answer {
    let body = Bytes::from(body.to_string());
    mock.say(&parts(&Method::POST, uri, headers), Some(&body)).0
}

fn json_of(answer: Answer) -> Value {
    match answer.content {
        Content::Json(value) => value,
        _ => panic!("no JSON"),
    }
}

#[test]
fn azure_and_vertex_name_the_model_in_the_path() {
    let mock = Mock::default();
    let body = json!({"messages": [{"role": "user", "content": "ping"}], "max_tokens": 9, "anthropic_version": "vertex-2023-10-16"});
    let azure = json_of(ask(
        &mock,
        "/openai/deployments/my-gpt/chat/completions",
        &[],
        &body,
    ));
    assert_eq!(azure["model"], "my-gpt");
    let claude = "/v1/projects/p/locations/l/publishers/anthropic/models/claude";
    let whole = json_of(ask(&mock, &format!("{claude}:rawPredict"), &[], &body));
    assert_eq!(
        (&whole["model"], &whole["content"][0]["text"]),
        (&json!("claude"), &json!("mock: pong"))
    );
    let streamed = ask(&mock, &format!("{claude}:streamRawPredict"), &[], &body);
    assert!(matches!(streamed.content, Content::Pieces { .. }));
}

/// Forms: the providers' own references of errors.
#[test]
fn a_fault_has_the_providers_own_form() {
    let mock = Mock::default();
    let table = [
        (
            "/v1/chat/completions",
            "/error/type",
            json!("rate_limit_error"),
        ),
        ("/v1/messages", "/error/type", json!("rate_limit_error")),
        ("/v1/messages", "/type", json!("error")),
        (
            "/v1beta/models/g:generateContent",
            "/error/status",
            json!("RESOURCE_EXHAUSTED"),
        ),
        (
            "/v1beta/openai/chat/completions",
            "/0/error/code",
            json!(429),
        ),
        ("/openai/v1/chat/completions", "/error/code", json!("429")),
        (
            "/model/m/converse",
            "/message",
            json!("mock: rate limit reached, as asked for"),
        ),
        ("/mcp", "/jsonrpc", json!("2.0")),
    ];
    for (path, pointer, expected) in table {
        let answer = ask(&mock, path, &[("x-mock-fault", "status=429")], &json!({}));
        let waits = answer.headers.iter().any(|(name, _)| name == "retry-after");
        assert_eq!((answer.status.as_u16(), waits), (429, true), "{path}");
        assert_eq!(json_of(answer).pointer(pointer), Some(&expected), "{path}");
    }
}

#[test]
fn what_came_is_shown_on_this_machine_only() {
    let mock = Mock::new(Keys::Any);
    ask(
        &mock,
        "/v1/chat/completions",
        &[("authorization", "Bearer k")],
        &json!({"messages": []}),
    );
    ask(&mock, "/v1/chat/completions", &[], &json!({"messages": []}));
    let show = |method: &Method, headers: &[(&str, &str)]| {
        let (answer, _) = mock.say(
            &parts(method, "/mock/requests", headers),
            Some(&Bytes::new()),
        );
        (answer.status.as_u16(), json_of(answer))
    };
    let (status, shown) = show(&Method::GET, &[("host", "127.0.0.1:18434")]);
    let statuses: Vec<&Value> = shown["requests"]
        .as_array()
        .unwrap()
        .iter()
        .map(|request| &request["status"])
        .collect();
    assert_eq!((status, statuses), (200, vec![&json!(200), &json!(401)]));
    assert_eq!(show(&Method::GET, &[("host", "evil.example")]).0, 403);
    assert_eq!(
        show(
            &Method::GET,
            &[
                ("host", "localhost:18434"),
                ("origin", "https://evil.example")
            ]
        )
        .0,
        403
    );
    assert_eq!(
        show(&Method::DELETE, &[("host", "localhost")]).1["count"],
        0
    );
}

#[test]
fn the_same_prompt_has_the_same_answer_to_the_byte() {
    let body =
        json!({"model": "m", "max_tokens": 9, "messages": [{"role": "user", "content": "hello"}]});
    for path in ["/v1/chat/completions", "/v1/messages"] {
        let answers =
            [(); 2].map(|()| json_of(ask(&Mock::default(), path, &[], &body)).to_string());
        assert_eq!(answers[0], answers[1]);
    }
}

fn any_json() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<u64>().prop_map(Value::from),
        select(vec![
            "user",
            "system",
            "tool",
            "function",
            "object",
            "array",
            "integer",
            "any",
            "#/a",
            "tools/call",
            "initialize",
            "2.0",
            "ü 2.5 CUT"
        ])
        .prop_map(Value::from),
        ".{0,12}".prop_map(Value::from),
    ];
    leaf.prop_recursive(5, 60, 6, |inner| {
        prop_oneof![
            vec(inner.clone(), 0..4).prop_map(Value::from),
            vec((select(NAMES.to_vec()), inner), 0..6).prop_map(|pairs| pairs
                .into_iter()
                .map(|(name, value)| (name.to_string(), value))
                .collect()),
        ]
    })
}

fn object() -> impl Strategy<Value = Value> {
    vec((select(NAMES.to_vec()), any_json()), 0..12).prop_map(|pairs| {
        pairs
            .into_iter()
            .map(|(name, value)| (name.to_string(), value))
            .collect()
    })
}

proptest! {
    #![proptest_config(ProptestConfig { cases: ProptestConfig::default().cases * 8, ..ProptestConfig::default() })]

    #[test]
    fn any_json_gets_an_answer(path in select(PATHS.to_vec()), body in object()) {
        let answer = ask(&Mock::default(), path, &[("accept", "*/*")], &body);
        prop_assert!(answer.status.as_u16() < 500, "{}", answer.status);
    }

    #[test]
    fn any_bytes_get_an_answer(path in select(PATHS.to_vec()), body in vec(any::<u8>(), 0..80), key in "[ -~]{0,30}", fault in "[ -~]{0,20}") {
        let mock = Mock::new(Keys::Any);
        let headers = [("authorization", key.as_str()), ("x-api-key", &key), ("x-mock-fault", &fault), ("anthropic-version", "1")];
        mock.say(&parts(&Method::POST, path, &headers), Some(&Bytes::from(body)));
        mock.say(&parts(&Method::GET, path, &headers), None);
    }
}
