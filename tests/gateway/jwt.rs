//! Tokens: what is wrong with them, what is known from them, where their keys come from.

use std::net::SocketAddr;

use http::HeaderMap;
use serde_json::{Value, json};

use crate::expression::{GATEWAY, ROUTE, policy};
use crate::support::client::call;
use crate::support::model::{self, Said, Seen};
use crate::support::token::{JWKS, bearer, signed};
use crate::world::{LOCAL, recorded, start};

const MODELS: &str = "/plain/v1/models";

fn jwt(mode: &str, jwks: &str) -> String {
    format!(
        r#"jwtAuthentication: {{mode: {mode}, providers: [{{issuer: "https://issuer.example", audiences: [gw, lab], jwks: {jwks}}}]}}"#
    )
}

fn inline() -> String {
    format!("{{inline: {}}}", json!(JWKS))
}

/// What a request with this Authorization header gets, and what the upstream saw of it.
async fn asked(
    address: SocketAddr,
    seen: &Seen,
    authorization: &str,
) -> (u16, String, Option<Value>) {
    seen.take();
    let mut headers = vec![LOCAL];
    if !authorization.is_empty() {
        headers.push(("authorization", authorization));
    }
    let reply = call(address, "GET", MODELS, &headers, "").await;
    (reply.status, reply.body, seen.take().into_iter().next())
}

#[tokio::test]
async fn each_fault_of_a_token_has_its_words() {
    let (upstream, seen) = recorded().await;
    let traffic = format!("{{{}}}", jwt("Strict", &inline()));
    let (_gateway, address, log) = start(upstream, &policy("jwt", ROUTE, &traffic)).await;
    let good = bearer(json!({"sub": "ann", "aud": "gw"}));
    let mut forged = good.clone();
    forged.replace_range(forged.len() - 8.., "AAAAAAAA");
    let claims = json!({"iss": "https://issuer.example", "exp": 4_000_000_000_u64});
    let table = [
        (String::new(), "no bearer token found"),
        ("Basic YTpi".to_string(), "no bearer token found"),
        (
            "Bearer nonsense".to_string(),
            "the token header is malformed: Error(InvalidToken)",
        ),
        (
            format!("Bearer {}", signed(&claims, None)),
            "the token header does not specify a `kid`",
        ),
        (
            format!("Bearer {}", signed(&claims, Some("other"))),
            "token uses the unknown key \"other\"",
        ),
        (
            forged,
            "the token is invalid or malformed: Error(InvalidSignature)",
        ),
        (
            bearer(json!({"iss": "https://other.example"})),
            "the token is invalid or malformed: Error(InvalidIssuer)",
        ),
        (
            bearer(json!({"aud": "x"})),
            "the token is invalid or malformed: Error(InvalidAudience)",
        ),
        (
            bearer(json!({"exp": 1})),
            "the token is invalid or malformed: Error(ExpiredSignature)",
        ),
    ];
    for (authorization, cause) in table {
        let (status, body, upstream) = asked(address, &seen, &authorization).await;
        assert_eq!(
            (status, body),
            (401, format!("authentication failure: {cause}")),
            "{authorization}"
        );
        assert!(upstream.is_none());
    }
    for audience in [json!("gw"), json!(["x", "lab"])] {
        let (status, _, upstream) = asked(
            address,
            &seen,
            &bearer(json!({"sub": "ann", "aud": audience})),
        )
        .await;
        assert_eq!(status, 200);
        assert_eq!(upstream.unwrap()["headers"]["authorization"], Value::Null);
    }
    log.find("jwt.sub=ann protocol=http").await;
}

#[tokio::test]
async fn who_gets_in_depends_on_the_mode() {
    let good = bearer(json!({"aud": "gw"}));
    let bad = bearer(json!({"aud": "x"}));
    let table = [
        ("Strict", "", 401),
        ("Strict", bad.as_str(), 401),
        ("Optional", "", 200),
        ("Optional", &bad, 401),
        ("Optional", &good, 200),
        ("Permissive", "", 200),
        ("Permissive", &bad, 200),
        ("Permissive", &good, 200),
    ];
    for (mode, authorization, expected) in table {
        let (upstream, seen) = recorded().await;
        let traffic = format!("{{{}}}", jwt(mode, &inline()));
        let (_gateway, address, _log) = start(upstream, &policy("jwt", ROUTE, &traffic)).await;
        let (status, _, upstream) = asked(address, &seen, authorization).await;
        assert_eq!(status, expected, "{mode} {authorization}");
        // Only a token that was verified is taken off.
        if let Some(upstream) = upstream {
            let kept = upstream["headers"]["authorization"] == authorization;
            assert_eq!(
                kept,
                !authorization.is_empty() && authorization != good,
                "{mode}"
            );
        }
    }
}

#[tokio::test]
async fn what_was_proved_can_be_asked_about() {
    let secrets = r#"
apiVersion: v1
kind: Secret
metadata: {name: keys, namespace: ns}
stringData: {ann: '{"key": "k-ann", "metadata": {"group": "sales"}}', bob: k-bob}
---
"#;
    let basic = format!("Basic {}", "YW5uOnNlY3JldA==");
    let table = [
        (
            jwt("Strict", &inline()),
            "jwt.sub == 'ann' && 'a' in jwt.roles",
            bearer(json!({"aud": "gw", "sub": "ann", "roles": ["a"]})),
            200,
        ),
        (
            jwt("Strict", &inline()),
            "jwt.sub == 'ann'",
            bearer(json!({"aud": "gw", "sub": "bob"})),
            403,
        ),
        (
            jwt("Permissive", &inline()),
            "has(jwt.sub)",
            "Bearer nonsense".to_string(),
            403,
        ),
        (
            "apiKeyAuthentication: {secretRef: {name: keys}}".to_string(),
            "apiKey.group == 'sales'",
            "Bearer k-ann".to_string(),
            200,
        ),
        (
            "apiKeyAuthentication: {secretRef: {name: keys}}".to_string(),
            "apiKey.group == 'sales'",
            "Bearer k-bob".to_string(),
            403,
        ),
        (
            r#"basicAuthentication: {users: ["ann:{SHA}5en6G6MezRroT3XKqkdPOmY/BfQ="]}"#
                .to_string(),
            "basicAuth.username == 'ann'",
            basic,
            200,
        ),
    ];
    for (authentication, rule, authorization, expected) in table {
        let (upstream, seen) = recorded().await;
        let traffic = format!(
            "{{{authentication}, authorization: {{policy: {{matchExpressions: [{}]}}}}}}",
            json!(rule)
        );
        let more = format!("{secrets}{}", policy("p", ROUTE, &traffic));
        let (_gateway, address, _log) = start(upstream, &more).await;
        let (status, body, _) = asked(address, &seen, &authorization).await;
        assert_eq!(status, expected, "{rule} {body}");
    }
}

#[tokio::test]
async fn passthrough_gives_the_token_back() {
    let (upstream, seen) = recorded().await;
    let backend = format!(
        "apiVersion: agentgateway.dev/v1alpha1\nkind: AgentgatewayBackend\nmetadata: {{name: plain, namespace: ns}}\nspec: {{static: {{host: 127.0.0.1, port: {}}}, policies: {{auth: {{passthrough: {{}}}}}}}}\n---\n",
        upstream.port()
    );
    let traffic = format!("{{{}}}", jwt("Strict", &inline()));
    let more = format!("{backend}{}", policy("jwt", ROUTE, &traffic));
    let (_gateway, address, _log) = start(upstream, &more).await;
    let good = bearer(json!({"aud": "gw"}));
    let (status, _, upstream) = asked(address, &seen, &good).await;
    assert_eq!(status, 200);
    assert_eq!(upstream.unwrap()["headers"]["authorization"], good);
}

fn issuer(path: &str, _: &HeaderMap, _: &Value) -> Said {
    match path {
        "/.well-known/jwks.json" => Said::Text(200, "application/json", JWKS.to_string()),
        _ => Said::Empty(404),
    }
}

#[tokio::test]
async fn remote_keys_are_fetched_once_and_without_them_nobody_is_let_in() {
    let fetched = Seen::default();
    let keys = model::start(issuer, None, fetched.clone()).await;
    let (upstream, seen) = recorded().await;
    let backend = format!(
        "apiVersion: agentgateway.dev/v1alpha1\nkind: AgentgatewayBackend\nmetadata: {{name: issuer, namespace: ns}}\nspec: {{static: {{host: 127.0.0.1, port: {}}}}}\n---\n",
        keys.port()
    );
    let remote = |path: &str| {
        let reference =
            "backendRef: {group: agentgateway.dev, kind: AgentgatewayBackend, name: issuer}";
        let traffic = format!(
            "{{{}}}",
            jwt(
                "Strict",
                &format!("{{remote: {{jwksPath: {path}, {reference}}}}}")
            )
        );
        format!("{backend}{}", policy("jwt", ROUTE, &traffic))
    };
    let good = bearer(json!({"aud": "gw"}));
    let (_gateway, address, _log) = start(upstream, &remote(".well-known/jwks.json")).await;
    for _ in 0..3 {
        let (status, body, _) = asked(address, &seen, &good).await;
        assert_eq!(status, 200, "{body}");
    }
    assert_eq!(fetched.take().len(), 1);
    let (_gateway, address, _log) = start(upstream, &remote("gone.json")).await;
    for _ in 0..3 {
        let (status, body, _) = asked(address, &seen, &good).await;
        assert_eq!(
            (status, body.as_str()),
            (
                401,
                "authentication failure: token uses the unknown key \"k\""
            )
        );
    }
    assert_eq!(fetched.take().len(), 1);
}

#[tokio::test]
async fn what_comes_before_routing_decides_before_there_is_a_route() {
    let (upstream, seen) = recorded().await;
    let more = [
        policy(
            "jwt",
            GATEWAY,
            &format!("{{phase: PreRouting, {}}}", jwt("Strict", &inline())),
        ),
        policy(
            "header",
            "kind: Gateway, name: gw, sectionName: http",
            r#"{phase: PreRouting, transformation: {request: {set: [{name: ":path", value: "jwt.sub == 'ann' ? '/plain/v1/models' : request.path"}]}, response: {set: [{name: x-outer, value: "'1'"}]}}}"#,
        ),
        policy(
            "claims",
            ROUTE,
            r#"{transformation: {request: {set: [{name: x-sub, value: "jwt.sub"}]}}}"#,
        ),
    ];
    let (_gateway, address, _log) = start(upstream, &more.concat()).await;
    let get = async |path: &str, authorization: &str| {
        call(
            address,
            "GET",
            path,
            &[LOCAL, ("authorization", authorization)],
            "",
        )
        .await
    };
    // No such route; but who asks is asked first.
    let refused = get("/nowhere", "").await;
    assert_eq!(
        (refused.status, refused.body.as_str()),
        (401, "authentication failure: no bearer token found")
    );
    let bob = get("/nowhere", &bearer(json!({"aud": "gw", "sub": "bob"}))).await;
    assert_eq!((bob.status, bob.headers["x-outer"].as_str()), (404, "1"));
    let ann = get("/nowhere", &bearer(json!({"aud": "gw", "sub": "ann"}))).await;
    assert_eq!((ann.status, ann.headers["x-outer"].as_str()), (200, "1"));
    assert_eq!(seen.take()[0]["headers"]["x-sub"], "ann");
}
