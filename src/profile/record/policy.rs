//! Policies in their written form.

use super::object;
use crate::profile::duration::written;
use crate::profile::rule::{
    ApiKeys, Basic, Cors, Counted, Jwt, KeyFrom, Limit, Processor, PromptGuard, Retry,
};
use crate::profile::{Policy, Rule, source};
use serde_json::{Map, Value, json};

pub(super) fn policy(policy: &Policy) -> Value {
    let Policy { name, routes, rule } = policy;
    let value = match rule {
        Rule::Csrf { additional_origins } => json!({"additionalOrigins": additional_origins}),
        Rule::Limit(limit) => self::limit(limit),
        Rule::Cors(cors) => self::cors(cors),
        Rule::ApiKeys(keys) => api_keys(keys),
        Rule::Basic(basic) => self::basic(basic),
        Rule::Jwt(jwt) => self::jwt(jwt),
        Rule::PromptGuard(guard) => prompt_guard(guard),
        Rule::Timeout(time) => json!(written(*time)),
        Rule::Retry(retry) => self::retry(retry),
        Rule::ExtProc(server) => processor(server),
    };
    object([
        ("name", Some(json!(name))),
        ("routes", (!routes.is_empty()).then(|| json!(routes))),
        (rule.name(), Some(value)),
    ])
}

fn listed(texts: &[String]) -> Option<Value> {
    (!texts.is_empty()).then(|| json!(texts))
}

fn limit(limit: &Limit) -> Value {
    let Limit {
        of,
        count,
        per,
        burst,
    } = limit;
    let of = match of {
        Counted::Requests => "requests",
        Counted::Tokens => "tokens",
    };
    object([
        (of, Some(json!(count))),
        ("per", Some(json!(per.name()))),
        ("burst", burst.map(|burst| json!(burst))),
    ])
}

fn cors(cors: &Cors) -> Value {
    let Cors {
        origins,
        methods,
        headers,
        expose,
        credentials,
        max_age,
    } = cors;
    object([
        ("origins", Some(json!(origins))),
        ("methods", listed(methods)),
        ("headers", listed(headers)),
        ("expose", listed(expose)),
        ("credentials", Some(json!(credentials))),
        ("maxAge", max_age.map(|seconds| json!(seconds))),
    ])
}

fn api_keys(keys: &ApiKeys) -> Value {
    let ApiKeys { optional, keys } = keys;
    let one = |(name, from): &(String, KeyFrom)| {
        let from = match from {
            KeyFrom::Source(from) => source::to_wire(from),
            KeyFrom::Generated => json!({"generate": true}),
        };
        (name.clone(), from)
    };
    let keys: Map<String, Value> = keys.iter().map(one).collect();
    json!({"optional": optional, "keys": keys})
}

fn basic(basic: &Basic) -> Value {
    let Basic {
        optional,
        realm,
        users,
    } = basic;
    let users = users.iter();
    let users: Map<String, Value> = users
        .map(|(name, from)| (name.clone(), source::to_wire(from)))
        .collect();
    object([
        ("optional", Some(json!(optional))),
        ("realm", realm.as_ref().map(|text| json!(text))),
        ("users", Some(Value::Object(users))),
    ])
}

fn jwt(jwt: &Jwt) -> Value {
    let Jwt {
        optional,
        issuer,
        audiences,
        jwks,
    } = jwt;
    object([
        ("optional", Some(json!(optional))),
        ("issuer", Some(json!(issuer))),
        ("audiences", listed(audiences)),
        ("jwks", Some(json!(jwks))),
    ])
}

fn prompt_guard(guard: &PromptGuard) -> Value {
    let PromptGuard {
        reject,
        mask,
        reject_answers,
        mask_answers,
        message,
        status,
    } = guard;
    object([
        ("reject", listed(reject)),
        ("mask", listed(mask)),
        ("rejectAnswers", listed(reject_answers)),
        ("maskAnswers", listed(mask_answers)),
        ("message", message.as_ref().map(|text| json!(text))),
        ("status", status.map(|status| json!(status))),
    ])
}

fn retry(retry: &Retry) -> Value {
    let Retry {
        attempts,
        codes,
        backoff,
    } = retry;
    object([
        ("attempts", Some(json!(attempts))),
        ("codes", Some(json!(codes))),
        ("backoff", backoff.map(|time| json!(written(time)))),
    ])
}

fn processor(server: &Processor) -> Value {
    match server {
        Processor::Service {
            name,
            namespace,
            port,
        } => object([
            ("service", Some(json!(name))),
            ("namespace", namespace.as_ref().map(|text| json!(text))),
            ("port", Some(json!(port))),
        ]),
        Processor::Host { host, port } => json!({"host": host, "port": port}),
        Processor::Machine { port: Some(port) } => json!({"host": "localhost", "port": port}),
        Processor::Machine { port: None } => json!({"demo": true}),
        Processor::Cluster { image } => object([
            ("demo", Some(json!(true))),
            ("in", Some(json!("cluster"))),
            ("image", image.as_ref().map(|text| json!(text))),
        ]),
    }
}
