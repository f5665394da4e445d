//! A request to a model: read into its form, changed, and written again for the provider. Mistakes are
//! told in serde_json's words, which the real proxy passes on.

use bytes::Bytes;
use serde_json::Value;

use super::form::completions::Completions;
use super::form::embeddings::Embeddings;
use super::form::messages::Messages;
use super::form::responses::Responses;
use super::form::typed;
use super::provider::claude;
use super::{Context, Dialect, RouteType, anthropic, converse};

/// A request that was understood.
#[derive(Debug)]
pub enum Prompt {
    Completions(Completions),
    Messages(Messages),
    /// Messages whose tokens are to be counted.
    Count(Messages),
    Responses(Responses),
    Embeddings(Embeddings),
}

/// Reads a body as a route type has it. Types that are not read (Models, Passthrough) never come here;
/// they would be read as Completions.
pub fn read(kind: RouteType, body: &Bytes) -> serde_json::Result<Prompt> {
    match kind {
        RouteType::Responses => serde_json::from_slice(body).map(Prompt::Responses),
        RouteType::Embeddings => serde_json::from_slice(body).map(Prompt::Embeddings),
        RouteType::Messages => serde_json::from_slice(body).map(Prompt::Messages),
        RouteType::AnthropicTokenCount => serde_json::from_slice(body).map(Prompt::Count),
        RouteType::Completions | RouteType::Models | RouteType::Passthrough => {
            serde_json::from_slice(body).map(Prompt::Completions)
        }
    }
}

/// Reads a body that is JSON already, where it had to be changed first.
pub fn read_value(kind: RouteType, body: Value) -> serde_json::Result<Prompt> {
    match kind {
        RouteType::Responses => serde_json::from_value(body).map(Prompt::Responses),
        RouteType::Embeddings => serde_json::from_value(body).map(Prompt::Embeddings),
        RouteType::Messages => serde_json::from_value(body).map(Prompt::Messages),
        RouteType::AnthropicTokenCount => serde_json::from_value(body).map(Prompt::Count),
        RouteType::Completions | RouteType::Models | RouteType::Passthrough => {
            serde_json::from_value(body).map(Prompt::Completions)
        }
    }
}

impl Prompt {
    /// The model that is asked for; `""` counts as given (facts 9.5).
    pub fn model_mut(&mut self) -> &mut Option<String> {
        match self {
            Prompt::Completions(request) => &mut request.model,
            Prompt::Messages(request) | Prompt::Count(request) => &mut request.model,
            Prompt::Responses(request) => &mut request.model,
            Prompt::Embeddings(request) => &mut request.model,
        }
    }

    pub fn model(&self) -> Option<&str> {
        match self {
            Prompt::Completions(request) => request.model.as_deref(),
            Prompt::Messages(request) | Prompt::Count(request) => request.model.as_deref(),
            Prompt::Responses(request) => request.model.as_deref(),
            Prompt::Embeddings(request) => request.model.as_deref(),
        }
    }

    pub fn is_stream(&self) -> bool {
        match self {
            Prompt::Completions(request) => request.stream == Some(true),
            Prompt::Messages(request) => request.stream == Some(true),
            Prompt::Responses(request) => request.stream == Some(true),
            Prompt::Count(_) | Prompt::Embeddings(_) => false,
        }
    }

    /// The body for a provider of this dialect.
    pub fn into_body(self, dialect: Dialect, context: &Context<'_>) -> serde_json::Result<Vec<u8>> {
        match (self, dialect) {
            (Prompt::Completions(mut request), Dialect::Openai) => {
                request.ask_for_usage();
                serde_json::to_vec(&request)
            }
            (Prompt::Completions(request), dialect) => {
                typed::check(&request)?;
                match dialect {
                    Dialect::Converse => converse::from_completions(&request, context),
                    Dialect::Vertex => {
                        anthropic::for_vertex(&anthropic::from_completions(&request)?)
                    }
                    Dialect::Openai | Dialect::Anthropic => anthropic::from_completions(&request),
                }
            }
            (Prompt::Messages(request), Dialect::Vertex) => {
                anthropic::for_vertex(&serde_json::to_vec(&request)?)
            }
            (Prompt::Messages(request), Dialect::Converse) => {
                converse::from_messages(&request, context)
            }
            (Prompt::Messages(request), Dialect::Openai | Dialect::Anthropic) => {
                serde_json::to_vec(&request)
            }
            (Prompt::Count(mut request), Dialect::Vertex) => {
                // The path names no model here.
                let model = request.model.take();
                request.model = model.map(|model| claude(&model).unwrap_or(&model).to_string());
                serde_json::to_vec(&request)
            }
            (Prompt::Count(request), Dialect::Converse) => {
                converse::count_tokens(&request, context)
            }
            (Prompt::Count(request), Dialect::Openai | Dialect::Anthropic) => {
                serde_json::to_vec(&request)
            }
            (Prompt::Responses(request), Dialect::Converse) => {
                converse::from_responses(&request, context)
            }
            (Prompt::Responses(request), _) => serde_json::to_vec(&request),
            (Prompt::Embeddings(request), _) => serde_json::to_vec(&request),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::collection::vec;
    use proptest::prelude::{Just, Strategy, any, prop_oneof, proptest};
    use proptest::sample::select;

    fn written(prompt: Prompt, dialect: Dialect) -> serde_json::Result<Vec<u8>> {
        let headers = http::HeaderMap::new();
        let context = Context::of(&headers);
        prompt.into_body(dialect, &context)
    }

    fn sent(kind: RouteType, body: &str, model: Option<&str>) -> String {
        let mut prompt = read(kind, &Bytes::copy_from_slice(body.as_bytes())).unwrap();
        if let Some(model) = model {
            *prompt.model_mut() = Some(model.to_string());
        }
        String::from_utf8(written(prompt, Dialect::Openai).unwrap()).unwrap()
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
    fn an_empty_model_counts_as_given() {
        let table = [
            (RouteType::Completions, r#"{"messages":[]}"#, None),
            (
                RouteType::Responses,
                r#"{"input":"x","model":""}"#,
                Some(""),
            ),
        ];
        for (kind, body, expected) in table {
            let prompt = read(kind, &Bytes::from(body)).unwrap();
            assert_eq!(prompt.model(), expected);
        }
    }

    proptest! {
        #[test]
        fn nothing_panics_on_any_bytes(bytes in vec(any::<u8>(), 0..200)) {
            let bytes = Bytes::from(bytes);
            for kind in RouteType::ALL {
                for dialect in Dialect::ALL {
                    if let Ok(prompt) = read(kind, &bytes) {
                        // What a provider has no place for is an error of its own.
                        let _ = written(prompt, dialect);
                    }
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
                    for dialect in Dialect::ALL {
                        if let Ok(prompt) = read(kind, &Bytes::copy_from_slice(text.as_bytes())) {
                            // What a provider has no place for is an error of its own.
                        let _ = written(prompt, dialect);
                        }
                    }
                }
            }
        }

        #[test]
        fn nothing_panics_on_content_of_any_shape(content in json(), rest in json()) {
            let message = serde_json::json!({"role": "user", "content": content, "tool_calls": rest});
            let body = serde_json::json!({"model": "m", "messages": [message], "input": content, "system": content,
                "tools": content, "tool_choice": rest, "metadata": rest, "thinking": rest, "stop": rest}).to_string();
            for kind in RouteType::ALL {
                for dialect in Dialect::ALL {
                    if let Ok(prompt) = read(kind, &Bytes::copy_from_slice(body.as_bytes())) {
                        let _ = written(prompt, dialect);
                    }
                }
            }
        }
    }

    /// Any JSON, made of the words that the forms are made of.
    fn json() -> impl Strategy<Value = serde_json::Value> {
        let words = [
            "text",
            "image",
            "image_url",
            "tool_use",
            "tool_result",
            "function",
            "type",
            "message",
            "name",
            "content",
            "source",
            "url",
            "data:image/png;base64,AA",
            "id",
            "function_call",
        ];
        let leaf = prop_oneof![
            Just(serde_json::Value::Null),
            any::<bool>().prop_map(Into::into),
            any::<i64>().prop_map(Into::into),
            select(words.to_vec()).prop_map(Into::into),
        ];
        leaf.prop_recursive(4, 40, 5, move |inner| {
            prop_oneof![
                vec(inner.clone(), 0..5).prop_map(Into::into),
                vec((select(words.to_vec()), inner), 0..5).prop_map(|fields| {
                    let fields = fields
                        .into_iter()
                        .map(|(name, value)| (name.to_string(), value));
                    serde_json::Value::Object(fields.collect())
                }),
            ]
        })
    }
}
