//! Gemini's own API: generateContent, its streams, token counts, embeddings, models.

use bytes::Bytes;
use serde_json::{Value, json};

use super::MODEL;
use super::answer::{Answer, JSON, data};
use super::refusal::Refusal;
use super::text::{count, field, items, text_of, tokens, words};
use super::vector::{size, vector};
use super::wit::{Asked, Choice, Thought, Tool, Turn, Who};

pub(super) fn generate(request: &Value, model: &str, mark: &str) -> Result<Answer, Refusal> {
    let asked = read(request, model, mark)?;
    let thought = asked.think();
    Ok(Answer::ok(answer(&asked, &thought, part(&thought), true)))
}

/// Events with `?alt=sse`, else one JSON list that comes piece by piece.
pub(super) fn generate_stream(
    request: &Value,
    model: &str,
    mark: &str,
    as_events: bool,
) -> Result<Answer, Refusal> {
    let asked = read(request, model, mark)?;
    let thought = asked.think();
    let parts: Vec<Value> = match &thought {
        Thought::Text { text, .. } => words(text).map(|word| json!({"text": word})).collect(),
        call => vec![part(call)],
    };
    let last = parts.len().saturating_sub(1);
    let values = parts
        .into_iter()
        .enumerate()
        .map(|(index, part)| answer(&asked, &thought, part, index == last));
    Ok(match as_events {
        true => Answer::events(values.map(|value| data(&value.to_string())).collect()),
        false => {
            let begin = |index| if index == 0 { "[" } else { ",\r\n" };
            let end = |index| if index == last { "]" } else { "" };
            let piece =
                |(index, value)| Bytes::from(format!("{}{value}{}", begin(index), end(index)));
            Answer::pieces(JSON, values.enumerate().map(piece).collect())
        }
    })
}

pub(super) fn count_tokens(request: &Value, model: &str) -> Result<Answer, Refusal> {
    // Either the contents alone or a whole request.
    let inner = either(
        request,
        "generateContentRequest",
        "generate_content_request",
    )
    .unwrap_or(request);
    let asked = read(inner, model, "")?;
    Ok(Answer::ok(json!({"totalTokens": asked.input})))
}

pub(super) fn embed(request: &Value, model: &str) -> Answer {
    Answer::ok(json!({"embedding": embedding(request, model)}))
}

pub(super) fn embed_batch(request: &Value, model: &str) -> Answer {
    let list: Vec<Value> = items(request, "requests")
        .map(|request| embedding(request, model))
        .collect();
    Answer::ok(json!({"embeddings": list}))
}

fn embedding(request: &Value, model: &str) -> Value {
    let content = request.get("content").unwrap_or(&Value::Null);
    let asked = count(request, "outputDimensionality").or(count(request, "output_dimensionality"));
    json!({"values": vector(&texts(content), size(model, asked))})
}

pub(super) fn models() -> Answer {
    Answer::ok(json!({"models": [one(MODEL)]}))
}

pub(super) fn model(name: &str) -> Answer {
    Answer::ok(one(name))
}

fn one(name: &str) -> Value {
    json!({"name": format!("models/{name}"), "version": "001", "displayName": format!("{name} (a mock)"),
        "inputTokenLimit": 1_048_576, "outputTokenLimit": 65_536,
        "supportedGenerationMethods": ["generateContent", "countTokens", "embedContent"]})
}

fn read(request: &Value, model: &str, mark: &str) -> Result<Asked, Refusal> {
    let Some(contents) = request.get("contents").and_then(Value::as_array) else {
        return Err(Refusal::bad(
            "* GenerateContentRequest.contents: contents is not specified\n",
        ));
    };
    let system =
        either(request, "systemInstruction", "system_instruction").map_or(String::new(), texts);
    let mut turns = vec![Turn {
        who: Who::System,
        text: system,
    }];
    turns.extend(contents.iter().flat_map(read_content));
    let config = either(request, "generationConfig", "generation_config").unwrap_or(&Value::Null);
    let shape = ["responseJsonSchema", "responseSchema", "response_schema"]
        .iter()
        .find_map(|name| config.get(name));
    let choice = either(request, "toolConfig", "tool_config")
        .and_then(|config| either(config, "functionCallingConfig", "function_calling_config"));
    let mut asked = Asked {
        model: model.to_string(),
        tools: items(request, "tools").flat_map(tools).collect(),
        choice: choice.map_or(Choice::Auto, read_choice),
        limit: count(config, "maxOutputTokens").or(count(config, "max_output_tokens")),
        shape: shape.cloned(),
        mark: mark.to_string(),
        ..Asked::default()
    };
    asked.hear(&turns);
    Ok(asked)
}

/// Protobuf's JSON takes both ways of writing a name.
fn either<'a>(value: &'a Value, camel: &str, snake: &str) -> Option<&'a Value> {
    value.get(camel).or_else(|| value.get(snake))
}

fn texts(content: &Value) -> String {
    text_of(content.get("parts").unwrap_or(&Value::Null))
}

fn read_content(content: &Value) -> Vec<Turn> {
    let who = match field(content, "role") {
        "model" => Who::Assistant,
        _ => Who::User,
    };
    let results = items(content, "parts")
        .filter_map(|part| either(part, "functionResponse", "function_response"));
    let results: Vec<Turn> = results
        .map(|result| {
            let response = result.get("response").unwrap_or(&Value::Null);
            let inner = ["result", "output"]
                .iter()
                .find_map(|name| response.get(name));
            let text = match inner.unwrap_or(response) {
                Value::String(text) => text.clone(),
                other => other.to_string(),
            };
            Turn {
                who: Who::Tool,
                text,
            }
        })
        .collect();
    match results.is_empty() {
        true => vec![Turn {
            who,
            text: texts(content),
        }],
        false => results,
    }
}

fn tools(tool: &Value) -> Vec<Tool> {
    let list =
        either(tool, "functionDeclarations", "function_declarations").and_then(Value::as_array);
    let tools = list.into_iter().flatten().map(|function| {
        let schemas = [
            "parameters",
            "parametersJsonSchema",
            "parameters_json_schema",
        ];
        let schema = schemas
            .iter()
            .find_map(|name| function.get(name))
            .unwrap_or(&Value::Null);
        Tool {
            name: field(function, "name").to_string(),
            schema: schema.clone(),
        }
    });
    tools.collect()
}

fn read_choice(config: &Value) -> Choice {
    let names =
        either(config, "allowedFunctionNames", "allowed_function_names").and_then(Value::as_array);
    let named = names.and_then(|names| names.first()?.as_str());
    match (field(config, "mode"), named) {
        ("ANY", Some(name)) => Choice::Named(name.to_string()),
        ("ANY", None) => Choice::Any,
        ("NONE", _) => Choice::Never,
        _ => Choice::Auto,
    }
}

fn part(thought: &Thought) -> Value {
    match thought {
        Thought::Text { text, .. } => json!({"text": text}),
        Thought::Call { name, arguments } => {
            json!({"functionCall": {"name": name, "args": arguments}})
        }
    }
}

fn answer(asked: &Asked, thought: &Thought, part: Value, is_last: bool) -> Value {
    let mut candidate = json!({"content": {"parts": [part], "role": "model"}});
    if is_last {
        let cut = matches!(thought, Thought::Text { cut: true, .. });
        candidate["finishReason"] = json!(if cut { "MAX_TOKENS" } else { "STOP" });
    }
    candidate["index"] = json!(0);
    let output = match is_last {
        true => thought.tokens(),
        false => tokens(field(&candidate["content"]["parts"][0], "text")),
    };
    json!({"candidates": [candidate],
        "usageMetadata": {"promptTokenCount": asked.input, "candidatesTokenCount": output, "totalTokenCount": asked.input + output,
            "promptTokensDetails": [{"modality": "TEXT", "tokenCount": asked.input}]},
        "modelVersion": asked.model, "responseId": format!("mock-{}", asked.mark)})
}

#[cfg(test)]
mod tests {
    use super::super::answer::Content;
    use super::*;

    fn said(answer: Answer) -> String {
        match answer.content {
            Content::Json(value) => value.to_string(),
            Content::Pieces { pieces, .. } => pieces
                .iter()
                .map(|piece| String::from_utf8(piece.to_vec()).unwrap())
                .collect(),
            _ => panic!("neither an answer nor a stream"),
        }
    }

    #[test]
    fn contents_are_answered_whole_and_in_both_kinds_of_stream() {
        let request = json!({"contents": [{"role": "user", "parts": [{"text": "ping"}]}], "system_instruction": {"parts": [{"text": "be brief"}]}});
        let whole: Value =
            serde_json::from_str(&said(generate(&request, "g", "m").unwrap())).unwrap();
        assert_eq!(
            whole["candidates"][0]["content"],
            json!({"parts": [{"text": "mock: pong"}], "role": "model"})
        );
        assert_eq!(whole["usageMetadata"]["totalTokenCount"], 5);
        let list: Value =
            serde_json::from_str(&said(generate_stream(&request, "g", "m", false).unwrap()))
                .unwrap();
        assert_eq!(list.as_array().unwrap().len(), 2);
        let events = said(generate_stream(&request, "g", "m", true).unwrap());
        let last = events.trim().rsplit_once("data: ").unwrap().1;
        let last: Value = serde_json::from_str(last).unwrap();
        assert_eq!(
            (
                &last["candidates"][0]["finishReason"],
                &last["usageMetadata"]["totalTokenCount"]
            ),
            (&json!("STOP"), &json!(5))
        );
    }

    #[test]
    fn a_function_is_called_as_its_config_says() {
        let mut request = json!({"contents": [{"parts": [{"text": "hello"}]}],
            "tools": [{"functionDeclarations": [{"name": "one"}, {"name": "two", "parameters": {"type": "OBJECT", "properties": {"x": {"type": "BOOLEAN"}}}}]}],
            "toolConfig": {"functionCallingConfig": {"mode": "ANY", "allowedFunctionNames": ["two"]}}});
        let called = said(generate(&request, "g", "m").unwrap());
        assert!(
            called.contains(r#""functionCall":{"name":"two","args":{"x":true}}"#),
            "{called}"
        );
        request["contents"].as_array_mut().unwrap().push(json!({"parts": [{"functionResponse": {"name": "two", "response": {"result": "done"}}}]}));
        let then = said(generate(&request, "g", "m").unwrap());
        assert!(then.contains("mock: the tool said done"), "{then}");
    }
}
