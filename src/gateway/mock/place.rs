//! What a path means: whose API, and what is asked of it.

use http::{HeaderMap, Method};

/// Whose form requests, answers and errors have.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Dialect {
    OpenAi,
    Azure,
    Anthropic,
    Gemini,
    /// OpenAI's API as Gemini and Vertex offer it: keys and errors are Google's.
    Google,
    Vertex,
    Bedrock,
    Mcp,
    /// The mock's own paths.
    Own,
}

impl Dialect {
    pub fn name(self) -> &'static str {
        match self {
            Dialect::OpenAi => "openai",
            Dialect::Azure => "azureopenai",
            Dialect::Anthropic => "anthropic",
            Dialect::Gemini => "gemini",
            Dialect::Google => "gemini-openai",
            Dialect::Vertex => "vertexai",
            Dialect::Bedrock => "bedrock",
            Dialect::Mcp => "mcp",
            Dialect::Own => "mock",
        }
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Operation {
    Chat,
    Responses,
    Embeddings,
    Models,
    Model,
    Messages,
    CountTokens,
    Generate,
    GenerateStream,
    Embed,
    EmbedBatch,
    Converse,
    ConverseStream,
    Mcp,
    McpEvents,
    McpMessage,
    Requests,
    Health,
}

/// Where a request goes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Place<'a> {
    pub dialect: Dialect,
    pub operation: Operation,
    /// The model that the path names, as it is written there.
    pub model: &'a str,
    /// Claude's Messages API as Vertex wraps it: with a stream or not by the path.
    pub streams: bool,
}

impl<'a> Place<'a> {
    /// The place, or the dialect in which to say that there is none.
    pub fn of(method: &Method, path: &'a str, headers: &HeaderMap) -> Result<Place<'a>, Dialect> {
        let is_get = method == Method::GET;
        let is_post = method == Method::POST;
        let dialect = Place::dialect(path, headers);
        let found = match dialect {
            Dialect::OpenAi => openai(path.strip_prefix("/v1").unwrap_or("")),
            Dialect::Google => openai(after_openai(path)),
            Dialect::Azure => azure(path),
            Dialect::Anthropic => anthropic(path),
            Dialect::Gemini => gemini(path),
            Dialect::Vertex => vertex(path),
            Dialect::Bedrock => bedrock(path),
            Dialect::Mcp => return Ok(mcp(path)),
            Dialect::Own => own(path),
        };
        let (operation, model) = found.ok_or(dialect)?;
        let reads = matches!(
            operation,
            Operation::Models | Operation::Model | Operation::Health
        );
        let allowed = match operation {
            Operation::Requests => is_get || method == Method::DELETE,
            _ if reads => is_get,
            _ => is_post,
        };
        let streams = path.ends_with(":streamRawPredict");
        let place = Place {
            dialect,
            operation,
            model,
            streams,
        };
        if allowed { Ok(place) } else { Err(dialect) }
    }

    fn dialect(path: &str, headers: &HeaderMap) -> Dialect {
        let first = path.split('/').nth(1).unwrap_or("");
        match first {
            "openai" => Dialect::Azure,
            "v1beta" if path.starts_with("/v1beta/openai/") => Dialect::Google,
            "v1" | "v1beta1" if path.contains("/endpoints/openapi/") => Dialect::Google,
            "v1" | "v1beta1" if path.split('/').nth(2) == Some("projects") => Dialect::Vertex,
            "v1beta" => Dialect::Gemini,
            "v1" if path.starts_with("/v1/messages") => Dialect::Anthropic,
            "v1" if is_gemini(path, headers) => Dialect::Gemini,
            // Others have `/v1/models` too; these clients name a version of the API.
            "v1" if headers.contains_key("anthropic-version") => Dialect::Anthropic,
            "model" => Dialect::Bedrock,
            "mcp" | "sse" | "message" => Dialect::Mcp,
            "mock" | "healthz" | "" => Dialect::Own,
            _ => Dialect::OpenAi,
        }
    }
}

/// Google's clients call `/v1` as well as `/v1beta`, and say who they are.
fn is_gemini(path: &str, headers: &HeaderMap) -> bool {
    let Some(rest) = path.strip_prefix("/v1/models") else {
        return false;
    };
    let verb = rest.rsplit_once(':').and_then(|(_, verb)| google(verb));
    let says = ["x-goog-api-key", "x-goog-api-client"];
    verb.is_some() || says.iter().any(|name| headers.contains_key(*name))
}

type Found<'a> = Option<(Operation, &'a str)>;

fn openai(path: &str) -> Found<'_> {
    Some(match path {
        "/chat/completions" => (Operation::Chat, ""),
        "/responses" => (Operation::Responses, ""),
        "/embeddings" => (Operation::Embeddings, ""),
        "/models" => (Operation::Models, ""),
        _ => (Operation::Model, path.strip_prefix("/models/")?),
    })
}

/// `/v1beta/openai/chat/completions` and `/v1/projects/P/locations/L/endpoints/openapi/chat/completions`.
fn after_openai(path: &str) -> &str {
    let marks = ["/endpoints/openapi", "/v1beta/openai"];
    let rest = marks.iter().find_map(|mark| path.split_once(mark));
    rest.map_or("", |(_, rest)| rest)
}

/// `/openai/v1/...`, `/openai/deployments/NAME/...`, and `/openai/responses` with an `api-version`.
fn azure(path: &str) -> Found<'_> {
    let rest = path.strip_prefix("/openai")?;
    if let Some(rest) = rest.strip_prefix("/v1") {
        return openai(rest);
    }
    match rest.strip_prefix("/deployments/") {
        Some(rest) => {
            let (deployment, rest) = rest.split_at(rest.find('/')?);
            openai(rest).map(|(operation, _)| (operation, deployment))
        }
        None => openai(rest),
    }
}

fn anthropic(path: &str) -> Found<'_> {
    Some(match path.strip_prefix("/v1")? {
        "/messages" => (Operation::Messages, ""),
        "/messages/count_tokens" => (Operation::CountTokens, ""),
        "/models" => (Operation::Models, ""),
        path => (Operation::Model, path.strip_prefix("/models/")?),
    })
}

fn gemini(path: &str) -> Found<'_> {
    let rest = path
        .strip_prefix("/v1beta")
        .or_else(|| path.strip_prefix("/v1"))?;
    let rest = rest.strip_prefix("/models")?;
    match rest.strip_prefix('/') {
        None => rest.is_empty().then_some((Operation::Models, "")),
        Some(rest) => match rest.rsplit_once(':') {
            Some((model, verb)) => google(verb).map(|operation| (operation, model)),
            None => Some((Operation::Model, rest)),
        },
    }
}

fn google(verb: &str) -> Option<Operation> {
    Some(match verb {
        "generateContent" => Operation::Generate,
        "streamGenerateContent" => Operation::GenerateStream,
        "countTokens" => Operation::CountTokens,
        "embedContent" => Operation::Embed,
        "batchEmbedContents" => Operation::EmbedBatch,
        _ => return None,
    })
}

/// `/v1/projects/P/locations/L/publishers/WHOSE/models/MODEL:VERB`.
fn vertex(path: &str) -> Found<'_> {
    let (_, rest) = path.split_once("/publishers/")?;
    let (publisher, rest) = rest.split_once("/models/")?;
    let (model, verb) = rest.rsplit_once(':')?;
    let operation = match (publisher, verb) {
        ("anthropic", "rawPredict") if model.starts_with("count-tokens") => Operation::CountTokens,
        ("anthropic", "rawPredict" | "streamRawPredict") => Operation::Messages,
        ("google", verb) => google(verb)?,
        _ => return None,
    };
    Some((operation, model))
}

/// `/model/MODEL/converse`; the model is percent-encoded when it is an ARN.
fn bedrock(path: &str) -> Found<'_> {
    let (model, verb) = path.strip_prefix("/model/")?.rsplit_once('/')?;
    let operation = match verb {
        "converse" => Operation::Converse,
        "converse-stream" => Operation::ConverseStream,
        "count-tokens" => Operation::CountTokens,
        _ => return None,
    };
    Some((operation, model))
}

/// All methods: MCP says by itself which it takes.
fn mcp(path: &str) -> Place<'_> {
    let operation = match path.split('/').nth(1) {
        Some("sse") => Operation::McpEvents,
        Some("message") => Operation::McpMessage,
        _ => Operation::Mcp,
    };
    Place {
        dialect: Dialect::Mcp,
        operation,
        model: "",
        streams: false,
    }
}

fn own(path: &str) -> Found<'_> {
    match path {
        "/mock/requests" => Some((Operation::Requests, "")),
        "/healthz" | "/" => Some((Operation::Health, "")),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn place(path: &str) -> Option<(Dialect, Operation, &str)> {
        let mut headers = HeaderMap::new();
        if path == "/v1/models/claude" {
            headers.insert(
                "anthropic-version",
                http::HeaderValue::from_static("2023-06-01"),
            );
        }
        [Method::POST, Method::GET].iter().find_map(|method| {
            let place = Place::of(method, path, &headers).ok()?;
            Some((place.dialect, place.operation, place.model))
        })
    }

    /// Paths of the providers' own documentation, and of facts 9.3.
    #[test]
    fn every_providers_paths_are_known() {
        use Dialect::{Anthropic, Azure, Bedrock, Gemini, Google, Mcp, OpenAi, Vertex};
        use Operation as Op;
        let vertex = "/v1/projects/p/locations/global/publishers/anthropic/models";
        let (whole, count) = (
            format!("{vertex}/claude@1:streamRawPredict"),
            format!("{vertex}/count-tokens:rawPredict"),
        );
        let table = [
            ("/v1/chat/completions", OpenAi, Op::Chat, ""),
            ("/v1/models/gpt-4o", OpenAi, Op::Model, "gpt-4o"),
            ("/v1/messages", Anthropic, Op::Messages, ""),
            ("/v1/messages/count_tokens", Anthropic, Op::CountTokens, ""),
            ("/v1/models/claude", Anthropic, Op::Model, "claude"),
            (
                "/v1beta/models/gemini-2.5-flash:streamGenerateContent",
                Gemini,
                Op::GenerateStream,
                "gemini-2.5-flash",
            ),
            ("/v1/models/g:countTokens", Gemini, Op::CountTokens, "g"),
            ("/v1/models/ft:gpt:x", OpenAi, Op::Model, "ft:gpt:x"),
            ("/v1beta/openai/chat/completions", Google, Op::Chat, ""),
            (
                "/v1/projects/p/locations/l/endpoints/openapi/chat/completions",
                Google,
                Op::Chat,
                "",
            ),
            (&whole, Vertex, Op::Messages, "claude@1"),
            (&count, Vertex, Op::CountTokens, "count-tokens"),
            ("/openai/v1/chat/completions", Azure, Op::Chat, ""),
            (
                "/openai/deployments/my-gpt/embeddings",
                Azure,
                Op::Embeddings,
                "my-gpt",
            ),
            ("/openai/responses", Azure, Op::Responses, ""),
            (
                "/model/anthropic.claude-v1%3A0/converse-stream",
                Bedrock,
                Op::ConverseStream,
                "anthropic.claude-v1%3A0",
            ),
            ("/mcp", Mcp, Op::Mcp, ""),
            ("/sse", Mcp, Op::McpEvents, ""),
        ];
        for (path, dialect, operation, model) in table {
            assert_eq!(place(path), Some((dialect, operation, model)), "{path}");
        }
        for path in [
            "/v1/nothing",
            "/chat/completions",
            "/openai/deployments/x",
            "/model/m/chat",
            "/v1beta/models/g:x",
        ] {
            assert_eq!(place(path), None, "{path}");
        }
    }

    #[test]
    fn a_method_that_is_not_the_apis_is_no_place() {
        let none = HeaderMap::new();
        assert_eq!(
            Place::of(&Method::GET, "/v1/messages", &none),
            Err(Dialect::Anthropic)
        );
        assert_eq!(
            Place::of(&Method::POST, "/v1/models", &none),
            Err(Dialect::OpenAi)
        );
    }

    proptest! {
        #[test]
        fn any_path_is_a_place_or_none(path in "/[a-z0-9:/%.]{0,40}|.{0,30}|/(v1|v1beta|openai|model)(/|:|models|publishers|[a-z])*") {
            let _ = Place::of(&Method::POST, &path, &HeaderMap::new());
        }
    }
}
