//! Backends and their Secrets, from what was chosen to objects.

use super::agentgateway::{
    API_VERSION, Ai, AiPolicies, Auth, AwsAuth, Azure, BackendSpec, Bedrock, FieldValue, Group,
    LabelSelector, LlmProvider, Mcp, McpAt, McpSelector, McpStatic, McpTarget, Member, Model,
    Policies, ProviderForm, Reference, Tls, Vertex,
};
use super::object::Place;
use super::placeholder;
use super::select::{At, Chosen, SecretNeed, Selected, Selection, Server, Target};
use crate::profile::Selector;
use crate::provider::check::AUTHORIZATION;
use crate::provider::{Form, azureopenai, bedrock, vertexai};
use serde_json::{Map, Value, json};
use std::collections::BTreeMap;

const KIND: &str = "AgentgatewayBackend";

/// Which service of this machine stands behind a port: the name of its `HostService`.
pub type Names<'a> = &'a dyn Fn(u16) -> String;

impl Place<'_> {
    /// The backend with its prompt guard; services of this machine are named by `names`.
    pub fn backend(self, selected: &Selected, names: Names<'_>, guard: Option<Value>) -> Value {
        let mut spec = match &selected.serves {
            Selection::Llm(chosen) => BackendSpec {
                ai: Some(Ai::Provider(Box::new(provider(chosen, names)))),
                policies: policies(chosen),
                ..BackendSpec::default()
            },
            Selection::Groups(groups) => BackendSpec {
                ai: Some(Ai::Groups(groups.iter().map(|g| group(g, names)).collect())),
                ..BackendSpec::default()
            },
            Selection::Mcp { targets, stateless } => BackendSpec {
                mcp: Some(Mcp {
                    targets: targets.iter().map(|t| target(t, names)).collect(),
                    session_routing: stateless.then_some("Stateless"),
                }),
                ..BackendSpec::default()
            },
        };
        if guard.is_some() {
            let policies = spec.policies.get_or_insert_default();
            policies.ai.get_or_insert_default().prompt_guard = guard;
        }
        self.object(API_VERSION, KIND, &selected.name, spec)
    }

    /// A Secret whose values are put in when it is applied: a plan can be shown.
    pub fn secret(self, need: &SecretNeed) -> Value {
        let value = |entry: &String| (entry.clone(), placeholder::secret(&need.owner, entry));
        let entries = need.entries.iter().map(value);
        let entries = entries.map(|(entry, text)| (entry, Value::from(text)));
        json!({
            "apiVersion": "v1",
            "kind": "Secret",
            "metadata": self.metadata(&secret_name(&need.owner)),
            "type": "Opaque",
            "stringData": entries.collect::<Map<_, _>>(),
        })
    }
}

pub fn secret_name(owner: &str) -> String {
    format!("{}-key", owner.replace('/', "-"))
}

fn group(members: &[Chosen], names: Names<'_>) -> Group {
    let member = |chosen: &Chosen| Member {
        name: chosen.name.clone(),
        provider: provider(chosen, names),
        policies: policies(chosen),
    };
    Group {
        providers: members.iter().map(member).collect(),
    }
}

fn provider(chosen: &Chosen, names: Names<'_>) -> LlmProvider {
    let (host, port) = match &chosen.at {
        At::Home => (None, None),
        At::Machine { port } => (Some(placeholder::host(&names(*port))), Some(*port)),
        At::Elsewhere { host, port, .. } => (Some(host.clone()), Some(*port)),
    };
    // At an address of its own the proxy sets no path (facts 9.4).
    let path = chosen.form.upstream_path().filter(|_| host.is_some());
    LlmProvider {
        form: form(chosen),
        host,
        port,
        path: path.map(|path| format!("{}{path}", chosen.prefix)),
    }
}

fn form(chosen: &Chosen) -> ProviderForm {
    let model = chosen.model.clone();
    let setting = |name: &str| chosen.settings.get(name).cloned();
    match chosen.form {
        Form::OpenAi => ProviderForm::OpenAi(Model { model }),
        Form::Anthropic => ProviderForm::Anthropic(Model { model }),
        Form::Gemini => ProviderForm::Gemini(Model { model }),
        Form::AzureOpenAi => {
            let endpoint = setting(azureopenai::ENDPOINT).unwrap_or_default();
            ProviderForm::AzureOpenAi(Azure {
                endpoint: azureopenai::host(&endpoint).to_string(),
                deployment_name: setting(azureopenai::DEPLOYMENT),
                api_version: setting(azureopenai::API_VERSION),
            })
        }
        Form::VertexAi => ProviderForm::VertexAi(Vertex {
            project_id: setting(vertexai::PROJECT).unwrap_or_default(),
            region: setting(vertexai::REGION).unwrap_or_default(),
            model,
        }),
        Form::Bedrock => ProviderForm::Bedrock(Bedrock {
            region: setting(bedrock::REGION).unwrap_or_default(),
            model,
        }),
    }
}

fn policies(chosen: &Chosen) -> Option<Policies> {
    let default = chosen.default_model.iter();
    let default = default.map(|model| FieldValue {
        field: "model",
        value: json!(model),
    });
    let ai = AiPolicies {
        defaults: default.collect(),
        model_aliases: chosen.aliases.clone(),
        prompt_guard: None,
        routes: routes(chosen),
    };
    let has_ai = !(ai.defaults.is_empty() && ai.model_aliases.is_empty() && ai.routes.is_empty());
    let policies = Policies {
        auth: chosen.secret.as_ref().map(auth),
        tls: tls(&chosen.at),
        ai: has_ai.then_some(ai),
    };
    let any = policies.auth.is_some() || policies.tls.is_some() || policies.ai.is_some();
    any.then_some(policies)
}

/// What else than chat is served at the provider's own hosts: without this the proxy takes every
/// request for a chat completion (facts 9.2, 13).
fn routes(chosen: &Chosen) -> BTreeMap<&'static str, &'static str> {
    let routes: &[(&str, &str)] = match (chosen.form, &chosen.at) {
        (Form::OpenAi, At::Home) => &[
            ("/v1/chat/completions", "Completions"),
            ("/v1/responses", "Responses"),
            ("/v1/embeddings", "Embeddings"),
            ("/v1/models", "Passthrough"),
        ],
        (Form::Anthropic, At::Home) => &[
            ("/v1/chat/completions", "Completions"),
            ("/v1/messages", "Messages"),
            ("/v1/messages/count_tokens", "AnthropicTokenCount"),
        ],
        (Form::AzureOpenAi, At::Home) => &[
            ("/v1/chat/completions", "Completions"),
            ("/v1/responses", "Responses"),
            ("/v1/embeddings", "Embeddings"),
        ],
        (Form::Bedrock, At::Home) => &[
            ("/v1/chat/completions", "Completions"),
            ("/v1/messages", "Messages"),
            ("/v1/messages/count_tokens", "AnthropicTokenCount"),
            ("/v1/responses", "Responses"),
        ],
        _ => &[],
    };
    routes.iter().copied().collect()
}

/// Whether clients may ask in Anthropic's form.
pub fn takes_messages(chosen: &Chosen) -> bool {
    routes(chosen).values().any(|kind| *kind == "Messages")
}

fn tls(at: &At) -> Option<Tls> {
    match at {
        At::Elsewhere { tls: true, .. } => Some(Tls {}),
        At::Home | At::Machine { .. } | At::Elsewhere { .. } => None,
    }
}

fn auth(need: &SecretNeed) -> Auth {
    let reference = Reference {
        name: secret_name(&need.owner),
    };
    match need.entries.iter().any(|entry| entry == AUTHORIZATION) {
        true => Auth::SecretRef(reference),
        false => Auth::Aws(AwsAuth {
            secret_ref: reference,
        }),
    }
}

fn target(target: &Target, names: Names<'_>) -> McpTarget {
    let name = target.name.clone();
    if let Server::Services(selector) = &target.server {
        let at = McpAt::Selector(self::selector(selector));
        return McpTarget { name, at };
    }
    let (host, port) = match &target.at {
        At::Machine { port } => (placeholder::host(&names(*port)), *port),
        At::Elsewhere { host, port, .. } => (host.clone(), *port),
        At::Home => (String::new(), 0),
    };
    let policies = Policies {
        auth: target.secret.as_ref().map(auth),
        tls: tls(&target.at),
        ai: None,
    };
    let any = policies.auth.is_some() || policies.tls.is_some();
    let at = McpAt::Static(McpStatic {
        host,
        port,
        path: target.path.clone(),
        protocol: target.protocol.name(),
        policies: any.then_some(policies),
    });
    McpTarget { name, at }
}

/// Every namespace has its own name as a label.
fn selector(selector: &Selector) -> McpSelector {
    let label = |name: &String| ("kubernetes.io/metadata.name".to_string(), name.clone());
    McpSelector {
        namespaces: selector.namespace.as_ref().map(|name| LabelSelector {
            match_labels: [label(name)].into(),
        }),
        services: LabelSelector {
            match_labels: selector.labels.clone(),
        },
    }
}
