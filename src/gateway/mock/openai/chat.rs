//! Chat completions.

use serde_json::{Value, json};

use super::super::CREATED;
use super::super::answer::Answer;
use super::super::refusal::Refusal;
use super::super::text::{count, field, items, text_of};
use super::super::wit::{Asked, Thought, Turn, Who};
use super::{FINGERPRINT, choice, model_of, stream, tool};

pub(in crate::gateway::mock) fn complete(
    request: &Value,
    place: &str,
    mark: &str,
) -> Result<Answer, Refusal> {
    let asked = read(request, place, mark)?;
    let thought = asked.think();
    match asked.stream {
        true => {
            let with_usage = request.pointer("/stream_options/include_usage") == Some(&json!(true));
            Ok(Answer::events(stream::chat(&asked, &thought, with_usage)))
        }
        false => Ok(Answer::ok(whole(&asked, &thought))),
    }
}

fn read(request: &Value, place: &str, mark: &str) -> Result<Asked, Refusal> {
    let Some(messages) = request.get("messages").and_then(Value::as_array) else {
        return Err(Refusal::bad("mock: messages is missing"));
    };
    let turns: Vec<Turn> = messages.iter().map(turn).collect();
    let schema = request.pointer("/response_format/json_schema/schema");
    let is_object = request.pointer("/response_format/type") == Some(&json!("json_object"));
    let any = || is_object.then(|| json!({"properties": {"mock": {"type": "string"}}}));
    let limit = count(request, "max_completion_tokens").or(count(request, "max_tokens"));
    let functions = items(request, "tools").filter_map(|given| tool(given.get("function")?));
    let mut asked = Asked {
        model: model_of(request, place),
        tools: functions.collect(),
        choice: choice(request.get("tool_choice").unwrap_or(&Value::Null)),
        limit,
        shape: schema.cloned().or_else(any),
        stream: request.get("stream") == Some(&Value::Bool(true)),
        mark: mark.to_string(),
        ..Asked::default()
    };
    asked.hear(&turns);
    Ok(asked)
}

fn turn(message: &Value) -> Turn {
    let who = match field(message, "role") {
        "system" | "developer" => Who::System,
        "assistant" => Who::Assistant,
        "tool" | "function" => Who::Tool,
        _ => Who::User,
    };
    let text = text_of(message.get("content").unwrap_or(&Value::Null));
    Turn { who, text }
}

/// What every object of an answer begins with.
pub(super) fn base(asked: &Asked, object: &str) -> Value {
    json!({"id": format!("chatcmpl-mock-{}", asked.mark), "object": object, "created": CREATED,
        "model": asked.model, "system_fingerprint": FINGERPRINT})
}

pub(super) fn usage(asked: &Asked, thought: &Thought) -> Value {
    let output = thought.tokens();
    json!({"prompt_tokens": asked.input, "completion_tokens": output, "total_tokens": asked.input + output,
        "prompt_tokens_details": {"cached_tokens": 0, "audio_tokens": 0},
        "completion_tokens_details": {"reasoning_tokens": 0, "audio_tokens": 0,
            "accepted_prediction_tokens": 0, "rejected_prediction_tokens": 0}})
}

pub(super) fn finish(thought: &Thought) -> &'static str {
    match thought {
        Thought::Text { cut: false, .. } => "stop",
        Thought::Text { cut: true, .. } => "length",
        Thought::Call { .. } => "tool_calls",
    }
}

pub(super) fn call_id(asked: &Asked) -> String {
    format!("call_mock_{}", asked.mark)
}

fn whole(asked: &Asked, thought: &Thought) -> Value {
    let message = match thought {
        Thought::Text { text, .. } => {
            json!({"role": "assistant", "content": text, "refusal": null, "annotations": []})
        }
        Thought::Call { name, arguments } => {
            let function = json!({"name": name, "arguments": arguments.to_string()});
            let call = json!({"id": call_id(asked), "type": "function", "function": function});
            json!({"role": "assistant", "content": null, "refusal": null, "annotations": [], "tool_calls": [call]})
        }
    };
    let choice =
        json!({"index": 0, "message": message, "logprobs": null, "finish_reason": finish(thought)});
    let mut answer = base(asked, "chat.completion");
    answer["choices"] = json!([choice]);
    answer["usage"] = usage(asked, thought);
    answer
}

#[cfg(test)]
mod tests {
    use super::super::super::answer::Content;
    use super::*;

    fn answer(request: Value) -> Value {
        match complete(&request, "", "m").unwrap().content {
            Content::Json(value) => value,
            Content::Pieces { pieces, .. } => {
                let texts = pieces
                    .iter()
                    .map(|piece| String::from_utf8(piece.to_vec()).unwrap());
                let data =
                    texts.map(|text| text.trim().strip_prefix("data: ").unwrap().to_string());
                data.filter(|data| data != "[DONE]")
                    .map(|data| serde_json::from_str::<Value>(&data).unwrap())
                    .collect()
            }
            _ => panic!("neither an answer nor a stream"),
        }
    }

    fn weather(extra: Value) -> Value {
        let schema = json!({"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]});
        let mut request = json!({"model": "m", "messages": [{"role": "user", "content": "the weather in Rome"}],
            "tools": [{"type": "function", "function": {"name": "get_weather", "parameters": schema}}]});
        for (name, value) in extra.as_object().unwrap() {
            request[name] = value.clone();
        }
        request
    }

    #[test]
    fn ping_gets_pong_and_honest_counts() {
        let answer = answer(
            json!({"model": "m", "messages": [{"role": "system", "content": "be brief"}, {"role": "user", "content": "ping"}]}),
        );
        assert_eq!(answer["model"], "m");
        assert_eq!(answer["choices"][0]["message"]["content"], "mock: pong");
        assert_eq!(answer["system_fingerprint"], FINGERPRINT);
        let counts = ["prompt_tokens", "completion_tokens", "total_tokens"]
            .map(|name| answer["usage"][name].clone());
        assert_eq!(counts, [json!(3), json!(2), json!(5)]);
    }

    #[test]
    fn a_stream_ends_with_its_usage_when_asked() {
        let answer = answer(
            json!({"model": "m", "stream": true, "stream_options": {"include_usage": true},
            "messages": [{"role": "user", "content": [{"type": "text", "text": "good day"}]}]}),
        );
        let events = answer.as_array().unwrap();
        let texts = events
            .iter()
            .filter_map(|event| event["choices"][0]["delta"]["content"].as_str());
        assert_eq!(texts.collect::<String>(), "mock: you said good day");
        assert_eq!(events.last().unwrap()["usage"]["completion_tokens"], 5);
        assert!(
            events
                .iter()
                .all(|event| event["system_fingerprint"] == FINGERPRINT)
        );
    }

    #[test]
    fn a_tool_call_is_the_same_whole_and_streamed() {
        let whole = answer(weather(json!({})));
        let call = &whole["choices"][0]["message"]["tool_calls"][0]["function"];
        assert_eq!(
            call,
            &json!({"name": "get_weather", "arguments": r#"{"city":"Rome"}"#})
        );
        assert_eq!(whole["choices"][0]["finish_reason"], "tool_calls");
        let streamed = answer(weather(json!({"stream": true})));
        let events = streamed.as_array().unwrap();
        let deltas = events
            .iter()
            .map(|event| &event["choices"][0]["delta"]["tool_calls"][0]["function"]);
        let arguments: String = deltas
            .filter_map(|function| function["arguments"].as_str())
            .collect();
        assert_eq!(arguments, r#"{"city":"Rome"}"#);
        assert_eq!(
            events.last().unwrap()["choices"][0]["finish_reason"],
            "tool_calls"
        );
        let none = answer(weather(json!({"tool_choice": "none"})));
        assert_eq!(none["choices"][0]["finish_reason"], "stop");
    }

    #[test]
    fn a_schema_for_the_answer_is_kept() {
        let schema =
            json!({"type": "object", "properties": {"n": {"type": "integer"}}, "required": ["n"]});
        let answer = answer(json!({"messages": [{"role": "user", "content": "take 7"}],
            "response_format": {"type": "json_schema", "json_schema": {"name": "x", "schema": schema}}}));
        assert_eq!(answer["choices"][0]["message"]["content"], r#"{"n":7}"#);
    }
}
