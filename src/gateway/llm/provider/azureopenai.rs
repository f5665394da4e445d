//! Azure OpenAI: OpenAI's API below a deployment, or without one in its newer versions.

use super::RouteType;

pub const NAME: &str = "azure.openai";

/// `azureopenai` of a provider.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Azure {
    pub endpoint: String,
    /// Unset and `v1` are the same.
    pub api_version: Option<String>,
}

impl Azure {
    /// The deployment is the model: `deploymentName` replaces what the client asked for (facts 9.5).
    pub fn path(&self, kind: RouteType, deployment: &str) -> Option<String> {
        let what = match kind {
            RouteType::Completions => "chat/completions",
            RouteType::Responses => "responses",
            RouteType::Embeddings => "embeddings",
            RouteType::Messages
            | RouteType::AnthropicTokenCount
            | RouteType::Models
            | RouteType::Passthrough => return None,
        };
        Some(match self.api_version.as_deref() {
            None | Some("v1") => format!("/openai/v1/{what}"),
            Some("preview") => format!("/openai/v1/{what}?api-version=preview"),
            Some(version) => {
                format!("/openai/deployments/{deployment}/{what}?api-version={version}")
            }
        })
    }
}
