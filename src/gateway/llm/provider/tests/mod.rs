//! Facts 5, 9.2 and 9.3 as tables.

use http::header::{AUTHORIZATION, HeaderMap};

use super::{Azure, Bedrock, Dialect, ProviderKind, RouteType, Vertex};

fn azure(version: Option<&str>) -> ProviderKind {
    ProviderKind::Azureopenai(Azure {
        endpoint: "r.openai.azure.com".to_string(),
        api_version: version.map(str::to_string),
    })
}

fn vertex() -> ProviderKind {
    ProviderKind::Vertexai(Vertex {
        project: "P".to_string(),
        region: "R".to_string(),
    })
}

fn bedrock() -> ProviderKind {
    ProviderKind::Bedrock(Bedrock {
        region: "us-east-1".to_string(),
        guardrail: None,
    })
}

const CLAUDE: &str = "anthropic/claude-x";

#[test]
fn each_provider_takes_the_forms_that_the_matrix_says() {
    use Dialect::{Anthropic, Converse, Openai, Vertex};
    use RouteType::{AnthropicTokenCount, Completions, Embeddings, Messages, Responses};
    let providers = [
        (ProviderKind::Openai, "m"),
        (azure(None), "m"),
        (ProviderKind::Anthropic, "m"),
        (ProviderKind::Gemini, "m"),
        (vertex(), "google/g"),
        (vertex(), CLAUDE),
        (bedrock(), "m"),
    ];
    let (some, none) = (Some(Openai), None);
    let table = [
        (
            Completions,
            [
                some,
                some,
                Some(Anthropic),
                some,
                some,
                Some(Vertex),
                Some(Converse),
            ],
        ),
        (
            Messages,
            [
                none,
                none,
                Some(Anthropic),
                none,
                none,
                Some(Vertex),
                Some(Converse),
            ],
        ),
        (
            Responses,
            [some, some, none, none, none, none, Some(Converse)],
        ),
        (Embeddings, [some, some, none, none, none, none, none]),
        (
            AnthropicTokenCount,
            [
                none,
                none,
                Some(Anthropic),
                none,
                Some(Vertex),
                Some(Vertex),
                Some(Converse),
            ],
        ),
    ];
    for (kind, row) in table {
        for ((provider, model), expected) in providers.iter().zip(row) {
            let name = provider.name();
            assert_eq!(
                provider.dialect(kind, model),
                expected,
                "{name} {kind:?} {model}"
            );
        }
    }
}

/// Provider, host, form, model, whether it is a stream, path.
type Case = (
    ProviderKind,
    &'static str,
    RouteType,
    &'static str,
    bool,
    Option<String>,
);

#[test]
fn each_provider_is_found_at_its_own_host_and_path() {
    use RouteType::{
        AnthropicTokenCount, Completions, Embeddings, Messages, Passthrough, Responses,
    };
    let chat = "/openai/v1/chat/completions";
    let deployment = "/openai/deployments/d/embeddings?api-version=2024-10-21";
    let claude = "/v1/projects/P/locations/R/publishers/anthropic/models/claude-x";
    let gemini = "/v1/projects/P/locations/R/endpoints/openapi/chat/completions";
    let openai = "api.openai.com";
    let google = "generativelanguage.googleapis.com";
    let (on_vertex, on_bedrock) = (
        "R-aiplatform.googleapis.com",
        "bedrock-runtime.us-east-1.amazonaws.com",
    );
    let profile = "arn:aws:bedrock:us-east-1:1:inference-profile/p";
    let table: [Case; 17] = [
        (
            ProviderKind::Openai,
            openai,
            Completions,
            "m",
            false,
            Some("/v1/chat/completions".into()),
        ),
        (
            ProviderKind::Openai,
            openai,
            Responses,
            "m",
            true,
            Some("/v1/responses".into()),
        ),
        (
            ProviderKind::Openai,
            openai,
            Embeddings,
            "m",
            false,
            Some("/v1/embeddings".into()),
        ),
        (ProviderKind::Openai, openai, Passthrough, "m", false, None),
        (
            azure(None),
            "r.openai.azure.com",
            Completions,
            "d",
            false,
            Some(chat.into()),
        ),
        (
            azure(Some("v1")),
            "r.openai.azure.com",
            Completions,
            "d",
            false,
            Some(chat.into()),
        ),
        (
            azure(Some("preview")),
            "r.openai.azure.com",
            Completions,
            "d",
            false,
            Some(format!("{chat}?api-version=preview")),
        ),
        (
            azure(Some("2024-10-21")),
            "r.openai.azure.com",
            Embeddings,
            "d",
            false,
            Some(deployment.into()),
        ),
        (
            ProviderKind::Anthropic,
            "api.anthropic.com",
            Completions,
            "m",
            false,
            Some("/v1/messages".into()),
        ),
        (
            ProviderKind::Anthropic,
            "api.anthropic.com",
            AnthropicTokenCount,
            "m",
            false,
            Some("/v1/messages/count_tokens".into()),
        ),
        (
            ProviderKind::Gemini,
            google,
            Completions,
            "m",
            true,
            Some("/v1beta/openai/chat/completions".into()),
        ),
        (
            vertex(),
            on_vertex,
            Completions,
            "google/g",
            true,
            Some(gemini.into()),
        ),
        (
            vertex(),
            on_vertex,
            Messages,
            CLAUDE,
            false,
            Some(format!("{claude}:rawPredict")),
        ),
        (
            vertex(),
            on_vertex,
            Completions,
            "publishers/anthropic/models/claude-x",
            true,
            Some(format!("{claude}:streamRawPredict")),
        ),
        (
            bedrock(),
            on_bedrock,
            Completions,
            "a.b-v1:0",
            false,
            Some("/model/a.b-v1:0/converse".into()),
        ),
        (
            bedrock(),
            on_bedrock,
            Messages,
            "a.b-v1:0",
            true,
            Some("/model/a.b-v1:0/converse-stream".into()),
        ),
        (
            bedrock(),
            on_bedrock,
            AnthropicTokenCount,
            profile,
            false,
            Some(format!(
                "/model/{}/count-tokens",
                profile.replace('/', "%2F")
            )),
        ),
    ];
    for (provider, host, kind, model, stream, path) in table {
        assert_eq!(provider.host(), host);
        assert_eq!(
            provider.path(kind, model, stream).as_deref(),
            path.as_deref()
        );
    }
}

#[test]
fn anthropics_key_is_moved_only_if_there_was_a_bearer() {
    let mut headers = HeaderMap::new();
    headers.insert(AUTHORIZATION, "Bearer k".parse().unwrap());
    ProviderKind::Anthropic.present_key(&mut headers);
    assert_eq!(headers["x-api-key"], "k");
    assert!(headers["x-api-key"].is_sensitive());
    assert_eq!(headers["anthropic-version"], "2023-06-01");
    assert_eq!(headers.len(), 2);

    let mut own = HeaderMap::new();
    own.insert("x-api-key", "client's".parse().unwrap());
    ProviderKind::Anthropic.present_key(&mut own);
    assert_eq!(own.len(), 1);
}
