//! Azure OpenAI: a resource's endpoint and a deployment in it; there is no model (facts 6, 13).

use super::{CLOUD, Form, Setting, Ways};

pub const ENDPOINT: &str = "endpoint";
pub const DEPLOYMENT: &str = "deployment";
pub const API_VERSION: &str = "apiVersion";

pub const WAYS: Ways = Ways {
    name: "azureopenai",
    title: "Azure OpenAI",
    form: Form::AzureOpenAi,
    variables: &["AZURE_OPENAI_API_KEY"],
    settings: &[
        Setting {
            field: ENDPOINT,
            variables: &["AZURE_OPENAI_ENDPOINT"],
            default: None,
            needed: true,
            example: "NAME.openai.azure.com",
            longest: 256,
        },
        Setting {
            field: DEPLOYMENT,
            variables: &["AZURE_OPENAI_DEPLOYMENT", "AZURE_OPENAI_DEPLOYMENT_NAME"],
            default: None,
            needed: true,
            example: "gpt-4o-mini",
            longest: 256,
        },
        Setting {
            field: API_VERSION,
            variables: &["AZURE_OPENAI_API_VERSION", "OPENAI_API_VERSION"],
            default: None,
            needed: false,
            example: "2024-10-21",
            longest: 64,
        },
    ],
    ..CLOUD
};

/// The endpoint without its scheme, which the proxy would take for a part of the name (facts 9.3).
pub fn host(endpoint: &str) -> &str {
    let endpoint = endpoint.trim_start_matches("https://");
    endpoint.split('/').next().unwrap_or(endpoint)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_endpoint_is_a_host_however_the_portal_writes_it() {
        for text in ["a.openai.azure.com", "https://a.openai.azure.com/"] {
            assert_eq!(host(text), "a.openai.azure.com");
        }
    }
}
