//! A streamed answer, whole: whether every event is well formed, whether it came to its end, and what
//! was said.

use super::form::{Form, Gist, spoken};
use serde_json::Value;

/// One event: its name, empty for the usual, and its data.
pub type Event = (String, String);

/// The events of a body. What follows the last blank line was cut, and is none.
pub fn events(body: &str) -> (Vec<Event>, bool) {
    let body = body.replace("\r\n", "\n").replace('\r', "\n");
    let whole = body.rfind("\n\n").map_or(0, |end| end + 2);
    let cut = !body[whole..].trim().is_empty();
    let mut events = Vec::new();
    for block in body[..whole].split("\n\n") {
        let mut name = String::new();
        let mut data: Vec<&str> = Vec::new();
        for line in block.lines() {
            let (field, value) = line.split_once(':').unwrap_or((line, ""));
            let value = value.strip_prefix(' ').unwrap_or(value);
            match field {
                "event" => name = value.to_string(),
                "data" => data.push(value),
                _ => {}
            }
        }
        if !data.is_empty() {
            events.push((name, data.join("\n")));
        }
    }
    (events, cut)
}

/// What a stream said, or what is wrong with it. `native`: the provider speaks this form itself; a
/// translated stream has no end mark and perhaps no usage (facts 9.6, 16.2).
pub fn gist(body: &str, form: Form, native: bool) -> Result<Gist, String> {
    let (events, cut) = events(body);
    if events.is_empty() {
        return Err("no event in it".to_string());
    }
    if cut {
        return Err("its last event is cut".to_string());
    }
    let mut gist = Gist::default();
    let mut ended = false;
    for (number, (name, data)) in events.iter().enumerate() {
        if data == "[DONE]" {
            ended = true;
            continue;
        }
        let event: Value = serde_json::from_str(data)
            .map_err(|_| format!("event {} of it is no JSON", number + 1))?;
        if name == "error" || event["error"].is_object() {
            let said = event.pointer("/error/message").and_then(Value::as_str);
            return Err(format!("an error in it: {}", said.unwrap_or(data)));
        }
        ended |= take(&event, form, &mut gist);
    }
    match (gist.said.is_empty(), ended, gist.output) {
        (true, ..) => Err("no text in it".to_string()),
        (_, false, _) if native => Err("it has no end".to_string()),
        (_, _, 0) if native => Err("it counts no tokens".to_string()),
        _ => Ok(gist),
    }
}

/// Takes up one event; whether it is an end.
fn take(event: &Value, form: Form, gist: &mut Gist) -> bool {
    match form {
        Form::Completions => chunk(event, gist),
        Form::Messages => message(event, gist),
        Form::Responses => response(event, gist),
        Form::Embeddings | Form::TokenCount => false,
    }
}

fn chunk(event: &Value, gist: &mut Gist) -> bool {
    model(event, gist);
    usage(&event["usage"], "prompt_tokens", "completion_tokens", gist);
    let choice = &event["choices"][0];
    gist.said.push_str(&spoken(&choice["delta"]));
    choice["finish_reason"].is_string()
}

fn message(event: &Value, gist: &mut Gist) -> bool {
    match event["type"].as_str().unwrap_or("") {
        "message_start" => {
            model(&event["message"], gist);
            usage(
                &event["message"]["usage"],
                "input_tokens",
                "output_tokens",
                gist,
            );
        }
        "content_block_delta" => {
            let delta = &event["delta"];
            let text = delta["text"].as_str().or(delta["thinking"].as_str());
            gist.said.push_str(text.unwrap_or(""));
        }
        "message_delta" => usage(&event["usage"], "input_tokens", "output_tokens", gist),
        "message_stop" => return true,
        _ => {}
    }
    false
}

fn response(event: &Value, gist: &mut Gist) -> bool {
    let kind = event["type"].as_str().unwrap_or("");
    let whole = &event["response"];
    model(whole, gist);
    usage(&whole["usage"], "input_tokens", "output_tokens", gist);
    if kind.ends_with("_text.delta") {
        gist.said.push_str(event["delta"].as_str().unwrap_or(""));
    }
    // A model that thought until its room was used up has said nothing, and is well.
    let ended = ["response.completed", "response.incomplete"].contains(&kind);
    if ended && gist.said.is_empty() {
        gist.said = Form::Responses.gist(whole).said;
    }
    ended
}

fn model(event: &Value, gist: &mut Gist) {
    if let Some(model) = event["model"].as_str().filter(|model| !model.is_empty()) {
        gist.model = model.to_string();
    }
}

fn usage(usage: &Value, input: &str, output: &str, gist: &mut Gist) {
    let number = |name: &str, before: u64| usage[name].as_u64().unwrap_or(before);
    gist.input = number(input, gist.input);
    gist.output = number(output, gist.output);
}

#[cfg(test)]
mod tests {
    use super::*;

    const CHUNK: &str = r#"{"model":"m","choices":[{"delta":{"content":"hi"}}]}"#;
    const LAST: &str = r#"{"model":"m","choices":[{"delta":{},"finish_reason":"stop"}]}"#;
    const USAGE: &str =
        r#"{"model":"m","choices":[],"usage":{"prompt_tokens":3,"completion_tokens":2}}"#;

    fn stream(events: &[&str]) -> String {
        events.iter().map(|e| format!("data: {e}\n\n")).collect()
    }

    #[test]
    fn a_stream_is_good_with_text_end_and_usage() {
        let good = stream(&[CHUNK, LAST, USAGE, "[DONE]"]);
        let gist = gist(&good, Form::Completions, true).unwrap();
        assert_eq!(
            (
                gist.said.as_str(),
                gist.model.as_str(),
                gist.input,
                gist.output
            ),
            ("hi", "m", 3, 2)
        );
    }

    #[test]
    fn what_is_missing_from_a_stream_is_named() {
        let table = [
            (String::new(), "no event in it"),
            (stream(&[LAST, USAGE, "[DONE]"]), "no text in it"),
            (stream(&[CHUNK]), "it has no end"),
            (stream(&[CHUNK, LAST, "[DONE]"]), "it counts no tokens"),
            (stream(&[CHUNK, "{\"mod"]), "event 2 of it is no JSON"),
            (
                format!("{}data: {{\"x\"", stream(&[CHUNK])),
                "its last event is cut",
            ),
            (
                stream(&[CHUNK, r#"{"error":{"message":"out of memory"}}"#]),
                "an error in it: out of memory",
            ),
        ];
        for (body, fault) in table {
            assert_eq!(gist(&body, Form::Completions, true).unwrap_err(), fault);
        }
    }

    #[test]
    fn a_translated_stream_may_end_without_a_mark() {
        assert!(gist(&stream(&[CHUNK]), Form::Completions, false).is_ok());
    }

    #[test]
    fn messages_and_responses_have_their_own_ends() {
        let messages = stream(&[
            r#"{"type":"message_start","message":{"model":"c","usage":{"input_tokens":4,"output_tokens":1}}}"#,
            r#"{"type":"content_block_delta","delta":{"type":"text_delta","text":"yo"}}"#,
            r#"{"type":"message_delta","delta":{"stop_reason":"end_turn"},"usage":{"output_tokens":5}}"#,
            r#"{"type":"message_stop"}"#,
        ]);
        let read = gist(&messages, Form::Messages, true).unwrap();
        assert_eq!((read.said.as_str(), read.input, read.output), ("yo", 4, 5));
        let responses = stream(&[
            r#"{"type":"response.created","response":{"model":"o"}}"#,
            r#"{"type":"response.output_text.delta","delta":"ok"}"#,
            r#"{"type":"response.completed","response":{"model":"o","usage":{"input_tokens":1,"output_tokens":2}}}"#,
        ]);
        assert_eq!(gist(&responses, Form::Responses, true).unwrap().said, "ok");
    }
}

#[cfg(test)]
mod properties {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn no_bytes_of_a_server_make_it_panic(body in "(?s).{0,200}", native in any::<bool>()) {
            for form in [Form::Completions, Form::Messages, Form::Responses] {
                let _ = gist(&body, form, native);
            }
        }
    }
}
