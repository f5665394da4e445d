//! Conversations of every form.

use super::super::{Context, Dialect, RouteType, read_answer, read_prompt};
use super::{Prompt, Said, spoken};
use bytes::Bytes;
use http::HeaderMap;
use serde_json::{Value, json};

fn prompt(kind: RouteType, body: Value) -> Prompt {
    read_prompt(kind, &Bytes::from(body.to_string())).unwrap()
}

fn written(prompt: Prompt, dialect: Dialect) -> Value {
    let headers = HeaderMap::new();
    let context = Context::of(&headers);
    serde_json::from_slice(&prompt.into_body(dialect, &context).unwrap()).unwrap()
}

fn said(pairs: &[(&str, &str)]) -> Vec<Said> {
    let said = |(role, content): &(&str, &str)| spoken(role, content.to_string());
    pairs.iter().map(said).collect()
}

#[test]
fn all_that_is_text_is_seen() {
    let table = [
        (
            RouteType::Completions,
            json!({"messages": [{"role": "system", "content": "s"}, {"role": "user", "content": [
                {"type": "text", "text": "a"}, {"type": "image_url", "image_url": {}}, {"type": "text", "text": "b"}]},
                {"role": "assistant", "tool_calls": []}]}),
            said(&[("system", "s"), ("user", "a b"), ("assistant", "")]),
        ),
        (
            RouteType::Messages,
            json!({"system": [{"type": "text", "text": "s"}, {"type": "text", "text": "t"}], "max_tokens": 1,
                "messages": [{"role": "user", "content": "u"}]}),
            said(&[("system", "s\nt"), ("user", "u")]),
        ),
        (
            RouteType::Responses,
            json!({"input": [{"role": "user", "content": [{"type": "input_text", "text": "a"}]},
                {"type": "function_call", "name": "f"}, {"role": "assistant", "content": "b"}]}),
            said(&[("user", "a"), ("assistant", "b")]),
        ),
        (
            RouteType::Responses,
            json!({"input": "x"}),
            said(&[("user", "x")]),
        ),
        (RouteType::Embeddings, json!({"input": "x"}), said(&[])),
    ];
    for (kind, body, expected) in table {
        assert_eq!(prompt(kind, body).said(), expected, "{kind:?}");
    }
}

#[test]
fn messages_are_put_around_the_clients() {
    let (before, after) = (
        said(&[("system", "be brief"), ("user", "first")]),
        said(&[("system", "really"), ("user", "last")]),
    );
    let table = [
        (
            RouteType::Completions,
            Dialect::Openai,
            json!({"messages": [{"role": "user", "content": "ping"}]}),
            json!({"messages": [{"role": "system", "content": "be brief"}, {"role": "user", "content": "first"},
                {"role": "user", "content": "ping"}, {"role": "system", "content": "really"},
                {"role": "user", "content": "last"}]}),
        ),
        (
            RouteType::Messages,
            Dialect::Anthropic,
            json!({"system": "s", "max_tokens": 1, "messages": [{"role": "user", "content": "ping"}]}),
            json!({"messages": [{"role": "user", "content": "first"}, {"role": "user", "content": "ping"},
                {"role": "user", "content": "last"}], "system": [{"type": "text", "text": "be brief"},
                {"type": "text", "text": "s"}, {"type": "text", "text": "really"}], "max_tokens": 1}),
        ),
    ];
    for (kind, dialect, body, expected) in table {
        let mut prompt = prompt(kind, body);
        prompt.prepend(&before);
        prompt.append(&after);
        assert_eq!(written(prompt, dialect), expected, "{kind:?}");
    }
    let mut responses = prompt(RouteType::Responses, json!({"input": "ping"}));
    responses.prepend(&before);
    let expected = said(&[("system", "be brief"), ("user", "first"), ("user", "ping")]);
    assert_eq!(responses.said(), expected);
}

#[test]
fn what_is_written_back_is_read_again() {
    let new = said(&[("system", "s"), ("user", "u"), ("assistant", "a")]);
    for (kind, body) in [
        (RouteType::Completions, json!({"messages": []})),
        (
            RouteType::Messages,
            json!({"messages": [], "max_tokens": 1}),
        ),
        (RouteType::Responses, json!({"input": "x"})),
    ] {
        let mut prompt = prompt(kind, body);
        prompt.set_said(&new);
        assert_eq!(prompt.said(), new, "{kind:?}");
    }
}

#[test]
fn an_answer_says_one_thing_a_choice() {
    let choice =
        |text: &str| json!({"message": {"role": "assistant", "content": text}, "index": 0});
    let body = json!({"model": "m", "choices": [choice("a"), choice("b")]});
    let body = Bytes::from(body.to_string());
    let mut answer = read_answer(RouteType::Completions, Dialect::Openai, "m", body).unwrap();
    assert_eq!(
        answer.said(),
        said(&[("assistant", "a"), ("assistant", "b")])
    );
    assert!(!answer.set_said(said(&[("assistant", "x")])));
    assert!(answer.set_said(said(&[("assistant", "x"), ("assistant", "y")])));
    assert_eq!(
        answer.said(),
        said(&[("assistant", "x"), ("assistant", "y")])
    );
    let output = json!([{"type": "reasoning"}, {"type": "message", "id": "m1", "role": "assistant", "status": "completed",
        "content": [{"type": "output_text", "text": "pong", "annotations": []}]}]);
    let body = json!({"id": "r", "status": "completed", "model": "m", "output": output});
    let body = Bytes::from(body.to_string());
    let mut answer = read_answer(RouteType::Responses, Dialect::Openai, "m", body).unwrap();
    assert_eq!(answer.said(), said(&[("assistant", "pong")]));
    assert!(answer.set_said(said(&[("assistant", "masked")])));
    assert_eq!(answer.said(), said(&[("assistant", "masked")]));
}
