//! A request to a model: read into its form, changed, and written again in the order of the real
//! proxy's types (recordings: the upstream's body). Mistakes are told in serde_json's words, which
//! the real proxy passes on.

use bytes::Bytes;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::RouteType;

/// A request that was understood.
#[derive(Debug)]
pub enum Prompt {
    Completions(Completions),
    /// Anthropic's forms: read, so that a wrong one is refused in the right words.
    Messages(Completions),
    Responses(Responses),
    Embeddings(Embeddings),
}

#[derive(Debug, Serialize, Deserialize)]
pub struct Completions {
    messages: Vec<Message>,
    #[serde(skip_serializing_if = "Option::is_none")]
    model: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    top_p: Option<f32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    temperature: Option<f32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    stream: Option<bool>,
    #[serde(skip_serializing_if = "Option::is_none")]
    stream_options: Option<StreamOptions>,
    #[serde(skip_serializing_if = "Option::is_none")]
    max_tokens: Option<u64>,
    #[serde(flatten)]
    rest: Map<String, Value>,
}

#[derive(Debug, Serialize, Deserialize)]
struct Message {
    role: String,
    #[serde(flatten)]
    rest: Map<String, Value>,
}

#[derive(Debug, Default, Serialize, Deserialize)]
struct StreamOptions {
    #[serde(default)]
    include_usage: bool,
    #[serde(flatten)]
    rest: Map<String, Value>,
}

#[derive(Debug, Serialize, Deserialize)]
pub struct Responses {
    input: Value,
    #[serde(skip_serializing_if = "Option::is_none")]
    model: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    stream: Option<bool>,
    #[serde(flatten)]
    rest: Map<String, Value>,
}

/// Gains `encoding_format: null` and `dimensions: null` on the way (facts 16.3).
#[derive(Debug, Serialize, Deserialize)]
pub struct Embeddings {
    #[serde(skip_serializing_if = "Option::is_none")]
    model: Option<String>,
    encoding_format: Option<String>,
    dimensions: Option<u64>,
    input: Value,
    #[serde(flatten)]
    rest: Map<String, Value>,
}

/// Reads a body as a route type has it. Types that are not read (Models, Passthrough) never come here;
/// they would be read as Completions.
pub fn read(kind: RouteType, body: &Bytes) -> serde_json::Result<Prompt> {
    match kind {
        RouteType::Responses => serde_json::from_slice(body).map(Prompt::Responses),
        RouteType::Embeddings => serde_json::from_slice(body).map(Prompt::Embeddings),
        RouteType::Messages | RouteType::AnthropicTokenCount => {
            serde_json::from_slice(body).map(Prompt::Messages)
        }
        RouteType::Completions | RouteType::Models | RouteType::Passthrough => {
            serde_json::from_slice(body).map(Prompt::Completions)
        }
    }
}

impl Prompt {
    /// The model; the provider's own always wins (facts 9.5). `""` counts as given.
    pub fn settle_model(&mut self, own: Option<&str>) -> Option<&str> {
        let model = match self {
            Prompt::Completions(request) | Prompt::Messages(request) => &mut request.model,
            Prompt::Responses(request) => &mut request.model,
            Prompt::Embeddings(request) => &mut request.model,
        };
        if let Some(own) = own {
            *model = Some(own.to_string());
        }
        model.as_deref()
    }

    pub fn is_stream(&self) -> bool {
        match self {
            Prompt::Completions(request) | Prompt::Messages(request) => {
                request.stream == Some(true)
            }
            Prompt::Responses(request) => request.stream == Some(true),
            Prompt::Embeddings(_) => false,
        }
    }

    /// The body for an upstream that speaks OpenAI's API. A stream is made to end with its usage
    /// (facts 9.6).
    pub fn into_openai(mut self) -> serde_json::Result<Vec<u8>> {
        if let Prompt::Completions(request) = &mut self
            && request.stream == Some(true)
        {
            request.stream_options.get_or_insert_default().include_usage = true;
        }
        match self {
            Prompt::Completions(request) | Prompt::Messages(request) => {
                serde_json::to_vec(&request)
            }
            Prompt::Responses(request) => serde_json::to_vec(&request),
            Prompt::Embeddings(request) => serde_json::to_vec(&request),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::collection::vec;
    use proptest::prelude::{any, proptest};

    fn sent(kind: RouteType, body: &str, model: Option<&str>) -> String {
        let mut prompt = read(kind, &Bytes::copy_from_slice(body.as_bytes())).unwrap();
        prompt.settle_model(model);
        String::from_utf8(prompt.into_openai().unwrap()).unwrap()
    }

    #[test]
    fn mistakes_are_told_as_the_real_proxy_tells_them() {
        let table = [
            ("", "EOF while parsing a value at line 1 column 0"),
            ("{not json", "key must be a string at line 1 column 2"),
            (
                r#"{"model": "x"}"#,
                "missing field `messages` at line 1 column 14",
            ),
            (
                r#"{"messages":[{}]}"#,
                "missing field `role` at line 1 column 15",
            ),
        ];
        for (body, expected) in table {
            let error = read(RouteType::Completions, &Bytes::from(body)).unwrap_err();
            assert_eq!(error.to_string(), expected, "{body}");
        }
    }

    #[test]
    fn fields_are_written_in_the_recorded_order() {
        let ping = r#"{"messages":[{"role":"user","content":"ping"}]"#;
        let table = [
            (format!("{ping}}}"), format!(r#"{ping},"model":"m"}}"#)),
            (
                format!(r#"{ping},"stream":true}}"#),
                format!(
                    r#"{ping},"model":"m","stream":true,"stream_options":{{"include_usage":true}}}}"#
                ),
            ),
            (
                format!(r#"{ping},"max_tokens":7,"n":2,"temperature":0.2,"model":""}}"#),
                format!(r#"{ping},"model":"m","temperature":0.2,"max_tokens":7,"n":2}}"#),
            ),
        ];
        for (body, expected) in table {
            assert_eq!(sent(RouteType::Completions, &body, Some("m")), expected);
        }
        let embeddings = sent(
            RouteType::Embeddings,
            r#"{"model":"x","input":"ping"}"#,
            None,
        );
        assert_eq!(
            embeddings,
            r#"{"model":"x","encoding_format":null,"dimensions":null,"input":"ping"}"#
        );
    }

    #[test]
    fn without_an_own_model_the_clients_stays() {
        let mut prompt = read(RouteType::Completions, &Bytes::from(r#"{"messages":[]}"#)).unwrap();
        assert_eq!(prompt.settle_model(None), None);
        let mut prompt = read(
            RouteType::Responses,
            &Bytes::from(r#"{"input":"x","model":""}"#),
        )
        .unwrap();
        assert_eq!(prompt.settle_model(None), Some(""));
    }

    proptest! {
        #[test]
        fn nothing_panics_on_any_bytes(bytes in vec(any::<u8>(), 0..200)) {
            let bytes = Bytes::from(bytes);
            for kind in RouteType::ALL {
                if let Ok(prompt) = read(kind, &bytes) {
                    prompt.into_openai().unwrap();
                }
            }
        }

        #[test]
        fn nothing_panics_on_json_that_is_almost_right(
            role in any::<String>(), number in any::<f64>(), stream in any::<bool>(), cut in 0usize..120,
        ) {
            let body = serde_json::json!({"messages": [{"role": role}], "temperature": number,
                "stream": stream, "stream_options": {"x": number}, "input": role, "max_tokens": number}).to_string();
            let cut = body.floor_char_boundary(cut.min(body.len()));
            for text in [&body[..], &body[..cut]] {
                for kind in RouteType::ALL {
                    if let Ok(prompt) = read(kind, &Bytes::copy_from_slice(text.as_bytes())) {
                        prompt.into_openai().unwrap();
                    }
                }
            }
        }
    }
}
