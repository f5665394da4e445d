//! Embeddings in OpenAI's form.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};

use super::super::answer::Answer;
use super::super::refusal::Refusal;
use super::super::text::{count, field, tokens};
use super::super::vector::{size, vector};
use super::{FINGERPRINT, model_of};

pub(in crate::gateway::mock) fn embed(request: &Value, place: &str) -> Result<Answer, Refusal> {
    let texts: Vec<String> = match request.get("input") {
        Some(Value::Array(list)) if list.iter().all(Value::is_number) => vec![numbers(list)],
        Some(Value::Array(list)) => list.iter().map(text).collect(),
        Some(Value::String(text)) => vec![text.clone()],
        _ => return Err(Refusal::bad("mock: input is missing")),
    };
    let model = model_of(request, place);
    let size = size(&model, count(request, "dimensions"));
    let in_base64 = field(request, "encoding_format") == "base64";
    let embedding = |(index, text): (usize, &String)| {
        let vector = vector(text, size);
        let embedding = match in_base64 {
            true => {
                let bytes: Vec<u8> = vector
                    .iter()
                    .flat_map(|number| number.to_le_bytes())
                    .collect();
                json!(STANDARD.encode(bytes))
            }
            false => json!(vector),
        };
        json!({"object": "embedding", "index": index, "embedding": embedding})
    };
    let data: Vec<Value> = texts.iter().enumerate().map(embedding).collect();
    let count: usize = texts.iter().map(|text| tokens(text)).sum();
    let usage = json!({"prompt_tokens": count, "total_tokens": count});
    Ok(Answer::ok(
        json!({"object": "list", "data": data, "model": model, "usage": usage, "system_fingerprint": FINGERPRINT}),
    ))
}

fn text(given: &Value) -> String {
    match given {
        Value::String(text) => text.clone(),
        Value::Array(list) => numbers(list),
        other => other.to_string(),
    }
}

/// A text that comes as token numbers: each is a word.
fn numbers(list: &[Value]) -> String {
    let words: Vec<String> = list.iter().map(Value::to_string).collect();
    words.join(" ")
}

#[cfg(test)]
mod tests {
    use super::super::super::answer::Content;
    use super::*;

    fn answer(request: Value) -> Value {
        match embed(&request, "").unwrap().content {
            Content::Json(value) => value,
            _ => panic!("no answer"),
        }
    }

    #[test]
    fn every_text_has_its_vector_and_its_tokens() {
        let ask = answer;
        let answer = ask(json!({"model": "e", "input": ["a b", "c"], "dimensions": 3}));
        assert_eq!(answer["data"].as_array().unwrap().len(), 2);
        assert_eq!(answer["data"][1]["embedding"].as_array().unwrap().len(), 3);
        assert_eq!(answer["usage"]["prompt_tokens"], 3);
        let input = json!({"input": [[1, 2], [3]]});
        assert_eq!(ask(input)["usage"]["prompt_tokens"], 3);
        assert_eq!(
            ask(json!({"input": [1, 2]}))["data"]
                .as_array()
                .unwrap()
                .len(),
            1
        );
    }

    #[test]
    fn base64_holds_the_same_numbers() {
        let ask = |format: &str| {
            answer(json!({"input": "x y", "dimensions": 4, "encoding_format": format}))
        };
        let (plain, packed) = (ask("float"), ask("base64"));
        let bytes = STANDARD
            .decode(packed["data"][0]["embedding"].as_str().unwrap())
            .unwrap();
        let numbers: Vec<f32> = bytes
            .chunks(4)
            .map(|four| f32::from_le_bytes(four.try_into().unwrap()))
            .collect();
        assert_eq!(json!(numbers), plain["data"][0]["embedding"]);
    }
}
