//! The `ai` section of an AgentgatewayBackend: whose API it is and where (facts 6, 9.3-9.5).

use std::sync::Arc;

use serde_json::Value;

use super::reference::origin;
use super::upstream::Upstream;
use crate::gateway::config::{Auth, Provider};
use crate::gateway::llm::{Azure, Bedrock, Guardrail, ProviderKind, Vertex};
use crate::gateway::object::{World, dig, port, text, text_or};

/// One provider, alone or in a group.
pub(super) fn provider(
    world: &World,
    spec: &Value,
    upstream: &Upstream,
) -> Result<Provider, String> {
    let (kind, model) = kind(spec).ok_or(
        "exactly one of the fields in [openai azureopenai anthropic gemini vertexai bedrock] must be set",
    )?;
    let host = given(spec, &["host"]);
    let tls = upstream.tls.clone();
    let origin = match &host {
        Some(host) => origin(world, host, port(spec, &["port"]), tls),
        // The provider's own address is always TLS (facts 9.3).
        None => {
            let tls = tls.unwrap_or_default();
            origin(world, &kind.host(), 443, Some(tls))
        }
    }?;
    Ok(Provider {
        usual_auth: usual_auth(&kind).filter(|_| host.is_none()),
        kind,
        origin: upstream.speak(origin),
        own_host: host.is_some(),
        path: given(spec, &["path"]),
        model,
        auth: upstream.auth.clone(),
        policy: upstream.ai.clone().unwrap_or_default(),
    })
}

/// Where the vendor's own tools find a key, so does the gateway, unless the host is a person's (facts 5, 9.4).
fn usual_auth(kind: &ProviderKind) -> Option<Auth> {
    match kind {
        ProviderKind::Vertexai(_) => Some(Auth::UsualGoogle(Arc::default())),
        ProviderKind::Bedrock(_) => Some(Auth::UsualAws),
        ProviderKind::Openai
        | ProviderKind::Azureopenai(_)
        | ProviderKind::Anthropic
        | ProviderKind::Gemini => None,
    }
}

/// Whose API it is, and the model that replaces the client's.
fn kind(spec: &Value) -> Option<(ProviderKind, Option<String>)> {
    let model = |field: &str| given(spec, &[field, "model"]);
    let is = |field: &str| !dig(spec, &[field]).is_null();
    Some(match () {
        () if is("openai") => (ProviderKind::Openai, model("openai")),
        () if is("anthropic") => (ProviderKind::Anthropic, model("anthropic")),
        () if is("gemini") => (ProviderKind::Gemini, model("gemini")),
        () if is("azureopenai") => {
            let azure = dig(spec, &["azureopenai"]);
            let kind = ProviderKind::Azureopenai(Azure {
                endpoint: text(azure, &["endpoint"]).to_string(),
                api_version: given(azure, &["apiVersion"]),
            });
            (kind, given(azure, &["deploymentName"]))
        }
        () if is("vertexai") => {
            let vertex = dig(spec, &["vertexai"]);
            let kind = ProviderKind::Vertexai(Vertex {
                project: text(vertex, &["projectId"]).to_string(),
                region: text(vertex, &["region"]).to_string(),
            });
            (kind, model("vertexai"))
        }
        () if is("bedrock") => {
            let bedrock = dig(spec, &["bedrock"]);
            let kind = ProviderKind::Bedrock(Bedrock {
                region: text_or(bedrock, &["region"], "us-east-1").to_string(),
                guardrail: guardrail(dig(bedrock, &["guardrail"])),
            });
            (kind, model("bedrock"))
        }
        () => return None,
    })
}

fn guardrail(spec: &Value) -> Option<Guardrail> {
    Some(Guardrail {
        identifier: given(spec, &["identifier"])?,
        version: given(spec, &["version"])?,
    })
}

fn given(spec: &Value, path: &[&str]) -> Option<String> {
    match text(spec, path) {
        "" => None,
        text => Some(text.to_string()),
    }
}
