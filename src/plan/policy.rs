//! Policies, from their short forms to objects that the CRDs and the controller take (facts 7).

use super::HostService;
use super::agentgateway::{API_VERSION, GROUP, PolicySpec, TargetRef};
use super::object::{GATEWAY_GROUP, LISTENER, Place};
use super::placeholder;
use super::select::SecretNeed;
use crate::profile::rule::{
    BUILTINS, Cors, Counted, KeyFrom, Limit, Processor, PromptGuard, Retry, Unit,
};
use crate::profile::{Gateway, Policy, Rule};
use serde_json::{Map, Value, json};

/// The entry of a Secret in which the proxy looks for users (facts 5).
pub const HTPASSWD: &str = ".htaccess";

impl Place<'_> {
    /// The policy, on the listener that people use or on these routes; the witness's listener stays
    /// without. `None` for what goes into backends.
    pub fn policy(self, policy: &Policy, gateway: &Gateway, routes: &[&str]) -> Option<Value> {
        let traffic = traffic(policy, gateway)?;
        let target = |kind, name: &str, section: Option<&str>| TargetRef {
            group: GATEWAY_GROUP,
            kind,
            name: name.to_string(),
            section_name: section.map(str::to_string),
        };
        let target_refs = match routes {
            [] => vec![target("Gateway", &gateway.name, Some(LISTENER))],
            routes => routes
                .iter()
                .map(|name| target("HTTPRoute", name, None))
                .collect(),
        };
        let spec = PolicySpec {
            target_refs,
            traffic,
        };
        Some(self.object(API_VERSION, "AgentgatewayPolicy", &policy.name, spec))
    }

    /// The backend by which a policy reaches a server that is no Service.
    /// The built-in processor is at `processor_port`.
    pub fn policy_backend(self, policy: &Policy, processor_port: u16) -> Option<Value> {
        let Rule::ExtProc(server) = &policy.rule else {
            return None;
        };
        let (host, port) = match server {
            Processor::Service { .. } | Processor::Cluster { .. } => return None,
            Processor::Host { host, port } => (host.clone(), *port),
            Processor::Machine { port } => (
                placeholder::host(&processor_name(policy)),
                port.unwrap_or(processor_port),
            ),
        };
        let spec = json!({"static": {"host": host, "port": port}});
        Some(self.object(API_VERSION, "AgentgatewayBackend", &policy.name, spec))
    }
}

/// Under which the way to a policy's processor on this machine is known.
pub fn processor_name(policy: &Policy) -> String {
    let name: String = format!("{}-processor", policy.name)
        .chars()
        .take(58)
        .collect();
    name.trim_end_matches('-').to_string()
}

/// The service of this machine that a policy needs.
pub fn processor_service(policy: &Policy, processor_port: u16) -> Option<HostService> {
    let Rule::ExtProc(Processor::Machine { port }) = &policy.rule else {
        return None;
    };
    let demo = port.is_none();
    let at = port.unwrap_or(processor_port);
    Some(HostService {
        title: match demo {
            true => "built-in processor".to_string(),
            false => format!("processor of policy {}", policy.name),
        },
        start: match demo {
            true => "gw up".to_string(),
            false => format!("lsof -i :{at}"),
        },
        grpc: true,
        demo,
        whole: true,
        ..super::serve::service(processor_name(policy), at)
    })
}

/// Under which the keys of a policy are known; no backend has such a name.
pub fn owner(policy: &str) -> String {
    format!("policy/{policy}")
}

/// The Secret that a policy reads.
pub fn secret(policy: &Policy) -> Option<SecretNeed> {
    let (entries, from): (Vec<String>, String) = match &policy.rule {
        Rule::ApiKeys(keys) => {
            let generated = keys
                .keys
                .iter()
                .any(|(_, from)| *from == KeyFrom::Generated);
            let from = keys.keys.iter().filter_map(|(_, from)| match from {
                KeyFrom::Source(source) => Some(source.title()),
                KeyFrom::Generated => None,
            });
            let mut from: Vec<String> = from.collect();
            from.extend(generated.then(|| "gw itself".to_string()));
            let names = keys.keys.iter().map(|(name, _)| name.clone());
            (names.collect(), from.join(", "))
        }
        Rule::Basic(basic) => {
            let from: Vec<String> = basic.users.iter().map(|(_, s)| s.title()).collect();
            (vec![HTPASSWD.to_string()], from.join(", "))
        }
        _ => return None,
    };
    Some(SecretNeed {
        owner: owner(&policy.name),
        entries,
        from,
    })
}

fn traffic(policy: &Policy, gateway: &Gateway) -> Option<Value> {
    let mode = |optional: bool| if optional { "Optional" } else { "Strict" };
    let reference = || json!({"name": super::backend::secret_name(&owner(&policy.name))});
    Some(match &policy.rule {
        Rule::Csrf { additional_origins } => {
            // The gateway's own page may in any case. Said so that the object is never empty: where
            // it had origins before, an API server would make `null` of it and refuse that.
            let own = format!("http://localhost:{}", gateway.port);
            let others = additional_origins.iter().filter(|origin| **origin != own);
            let origins: Vec<&String> = std::iter::once(&own).chain(others).collect();
            json!({"csrf": {"additionalOrigins": origins}})
        }
        Rule::Limit(limit) => json!({"rateLimit": {"local": [self::limit(limit)]}}),
        Rule::Cors(cors) => json!({"cors": self::cors(cors)}),
        Rule::ApiKeys(keys) => json!({"apiKeyAuthentication": {
            "mode": mode(keys.optional),
            "secretRef": reference(),
        }}),
        Rule::Basic(basic) => {
            let mut value = json!({"mode": mode(basic.optional), "secretRef": reference()});
            if let Some(realm) = &basic.realm {
                value["realm"] = json!(realm);
            }
            json!({"basicAuthentication": value})
        }
        Rule::Jwt(jwt) => {
            let mut provider = json!({"issuer": jwt.issuer, "jwks": {"inline": jwt.jwks}});
            if !jwt.audiences.is_empty() {
                provider["audiences"] = json!(jwt.audiences);
            }
            json!({"jwtAuthentication": {"mode": mode(jwt.optional), "providers": [provider]}})
        }
        Rule::Timeout(time) => {
            json!({"timeouts": {"request": format!("{}ms", time.as_millis())}})
        }
        Rule::Retry(retry) => json!({"retry": self::retry(retry)}),
        Rule::ExtProc(server) => {
            json!({"extProc": {"backendRef": processor(&policy.name, server)}})
        }
        Rule::PromptGuard(_) => return None,
    })
}

fn limit(limit: &Limit) -> Value {
    let of = match limit.of {
        Counted::Requests => "requests",
        Counted::Tokens => "tokens",
    };
    let unit = match limit.per {
        Unit::Second => "Seconds",
        Unit::Minute => "Minutes",
        Unit::Hour => "Hours",
    };
    let mut value = json!({of: limit.count, "unit": unit});
    if let Some(burst) = limit.burst {
        value["burst"] = json!(burst);
    }
    value
}

fn cors(cors: &Cors) -> Value {
    let mut value = Map::new();
    let lists = [
        ("allowOrigins", &cors.origins),
        ("allowMethods", &cors.methods),
        ("allowHeaders", &cors.headers),
        ("exposeHeaders", &cors.expose),
    ];
    for (field, texts) in lists {
        if !texts.is_empty() {
            value.insert(field.to_string(), json!(texts));
        }
    }
    if cors.credentials {
        value.insert("allowCredentials".to_string(), json!(true));
    }
    if let Some(seconds) = cors.max_age {
        value.insert("maxAge".to_string(), json!(seconds));
    }
    Value::Object(value)
}

fn retry(retry: &Retry) -> Value {
    let mut value = json!({"attempts": retry.attempts, "codes": retry.codes});
    if let Some(backoff) = retry.backoff {
        value["backoff"] = json!(format!("{}ms", backoff.as_millis()));
    }
    value
}

fn processor(policy: &str, server: &Processor) -> Value {
    match server {
        Processor::Service {
            name,
            namespace,
            port,
        } => {
            let mut value = json!({"name": name, "port": port});
            if let Some(namespace) = namespace {
                value["namespace"] = json!(namespace);
            }
            value
        }
        Processor::Cluster { .. } => super::processor::backend(policy),
        Processor::Host { .. } | Processor::Machine { .. } => {
            json!({"group": GROUP, "kind": "AgentgatewayBackend", "name": policy})
        }
    }
}

/// The guards of a backend, all policies' together, as `policies.ai.promptGuard` has them: as a
/// policy of their own they would give way to whatever else the backend says of `ai` (facts 7.1).
pub fn prompt_guard<'a>(guards: impl Iterator<Item = &'a PromptGuard>) -> Option<Value> {
    let (mut request, mut response) = (Vec::new(), Vec::new());
    for guard in guards {
        let said = said(guard);
        request.extend(entry("Reject", &guard.reject, said.as_ref()));
        request.extend(entry("Mask", &guard.mask, None));
        response.extend(entry("Reject", &guard.reject_answers, said.as_ref()));
        response.extend(entry("Mask", &guard.mask_answers, None));
    }
    let mut value = Map::new();
    for (field, list) in [("request", request), ("response", response)] {
        if !list.is_empty() {
            value.insert(field.to_string(), Value::Array(list));
        }
    }
    (!value.is_empty()).then_some(Value::Object(value))
}

/// What a rejected caller is told.
fn said(guard: &PromptGuard) -> Option<Value> {
    let mut value = Map::new();
    if let Some(message) = &guard.message {
        value.insert("message".to_string(), json!(message));
    }
    if let Some(status) = guard.status {
        value.insert("statusCode".to_string(), json!(status));
    }
    (!value.is_empty()).then_some(Value::Object(value))
}

fn entry(action: &str, patterns: &[String], said: Option<&Value>) -> Option<Value> {
    let is_builtin = |text: &&String| BUILTINS.contains(&text.as_str());
    let (builtins, matches): (Vec<&String>, Vec<&String>) = patterns.iter().partition(is_builtin);
    if patterns.is_empty() {
        return None;
    }
    let mut regex = json!({"action": action});
    if !builtins.is_empty() {
        regex["builtins"] = json!(builtins);
    }
    if !matches.is_empty() {
        regex["matches"] = json!(matches);
    }
    let mut value = json!({"regex": regex});
    if let Some(said) = said {
        value["response"] = said.clone();
    }
    Some(value)
}
