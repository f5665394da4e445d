//! Policies: one short form each.

use super::{
    about, count, flag, list, map, name, number, object, one_of, port, source, source_fields, text,
    texts, time,
};
use crate::profile::rule::{BUILTINS, PLACES, Unit};
use serde_json::{Value, json};

pub(super) fn policy() -> Value {
    let mut policy = object(&[
        ("name", name("Name of the policy")),
        (
            "routes",
            texts("Routes that it is for; all of the gateway if left out"),
        ),
        ("csrf", csrf()),
        ("limit", limit()),
        ("cors", cors()),
        ("apiKeys", api_keys()),
        ("basic", basic()),
        ("jwt", jwt()),
        ("promptGuard", guard()),
        ("timeout", time("How long a request may take")),
        ("retry", retry()),
        ("extProc", processor()),
    ]);
    policy["required"] = json!(["name"]);
    policy
}

fn csrf() -> Value {
    let mut csrf = object(&[(
        "additionalOrigins",
        texts("Web pages that may send requests all the same"),
    )]);
    csrf["type"] = json!(["object", "null"]);
    about(
        csrf,
        "Refuses requests that a browser sends from another site",
    )
}

fn limit() -> Value {
    let mut limit = object(&[
        ("requests", count("So many requests")),
        ("tokens", count("So many tokens; not beside requests")),
        ("per", one_of(&Unit::ALL.map(Unit::name), "In this time")),
        ("burst", count("So many more at once")),
    ]);
    limit["required"] = json!(["per"]);
    about(limit, "A route has one limit: the proxy reads no second")
}

fn cors() -> Value {
    let mut cors = object(&[
        ("origins", texts("Web pages that may read answers, or *")),
        ("methods", texts("Methods that they may use")),
        ("headers", texts("Headers that they may send")),
        ("expose", texts("Headers that they may read")),
        ("credentials", flag("Whether cookies may be sent")),
        ("maxAge", count("Seconds for which a browser remembers")),
    ]);
    cors["required"] = json!(["origins"]);
    about(cors, "Not behind strict keys: preflights carry none")
}

fn api_keys() -> Value {
    let mut fields = source_fields();
    fields.push((
        "generate",
        flag("Whether gw makes the key and shows it once"),
    ));
    let mut key = object(&fields);
    key["minProperties"] = json!(1);
    let mut keys = object(&[
        (
            "optional",
            flag("Whether requests without a key are let through"),
        ),
        ("keys", map(key, "Keys by the names of callers")),
    ]);
    keys["required"] = json!(["keys"]);
    about(keys, "Callers show a key as Authorization: Bearer")
}

fn basic() -> Value {
    let mut basic = object(&[
        (
            "optional",
            flag("Whether requests without a password are let through"),
        ),
        ("realm", text("What a browser shows")),
        ("users", map(source(), "Where the passwords are, by user")),
    ]);
    basic["required"] = json!(["users"]);
    about(basic, "Callers show a name and a password")
}

fn jwt() -> Value {
    let mut jwt = object(&[
        (
            "optional",
            flag("Whether requests without a token are let through"),
        ),
        ("issuer", text("Who signs")),
        ("audiences", texts("For whom tokens must be")),
        (
            "jwks",
            json!({"type": ["string", "object"], "description": "The public keys"}),
        ),
    ]);
    jwt["required"] = json!(["issuer", "jwks"]);
    about(jwt, "Callers show a token that somebody else signed")
}

fn guard() -> Value {
    let known = BUILTINS.join(", ");
    let patterns = |what: &str| texts(&format!("{what}: regular expressions, or {known}"));
    let guard = object(&[
        ("reject", patterns("Requests to refuse")),
        ("mask", patterns("What to mask in requests")),
        ("rejectAnswers", patterns("Answers to refuse")),
        ("maskAnswers", patterns("What to mask in answers")),
        ("message", text("What a refused caller is told")),
        ("status", number(200, 599, "Status of a refusal")),
    ]);
    about(guard, "Patterns in requests and answers")
}

fn retry() -> Value {
    let codes = list(number(400, 599, "An HTTP status"), "After these answers");
    let mut retry = object(&[
        ("attempts", number(1, 20, "How often again")),
        ("codes", codes),
        ("backoff", time("How long to wait first")),
    ]);
    retry["required"] = json!(["attempts", "codes"]);
    about(retry, "Asks the provider again")
}

fn processor() -> Value {
    let processor = object(&[
        ("service", name("Name of a Service of the cluster")),
        ("namespace", name("Its namespace")),
        (
            "host",
            text("Name or address of a server; localhost is this machine"),
        ),
        ("port", port("Its port")),
        ("demo", flag("Whether it is the built-in processor")),
        (
            "in",
            one_of(
                &PLACES,
                "Where the built-in one runs; machine, which is this one, if left out",
            ),
        ),
        (
            "image",
            text(
                "Image that holds gw, of a processor in the cluster; that of its release if left out",
            ),
        ),
    ]);
    about(
        processor,
        "A gRPC server that sees every request and may change it",
    )
}
