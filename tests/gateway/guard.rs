//! What is said to a model and by it, before guards.

use std::collections::HashMap;
use std::net::SocketAddr;

use gatewright::gateway::{Gateway, Options, Ports};
use http::HeaderMap;
use serde_json::{Value, json};

use crate::support::client::{Reply, call};
use crate::support::log::Lines;
use crate::support::model::{self, Said, Seen};
use crate::support::tls;
use crate::world::{LOCAL, objects, start};

/// A model, a webhook and a moderation in one.
fn upstream(path: &str, headers: &HeaderMap, body: &Value) -> Said {
    let text = body.to_string();
    let act = |action: Value| Said::Json(200, json!({"action": action}));
    match path {
        "/request" if text.contains("forbidden") => {
            act(json!({"body": "not that", "status_code": 451, "reason": "r"}))
        }
        "/request" if text.contains("secret") => {
            act(json!({"body": {"messages": [{"role": "user", "content": "***"}]}}))
        }
        "/request" if text.contains("garbage") => {
            Said::Text(200, "text/plain", "what?".to_string())
        }
        "/response" if text.contains("pong") && headers.contains_key("content-type") => act(
            json!({"body": {"choices": [{"message": {"role": "assistant", "content": "p**g"}}]}}),
        ),
        "/v1/moderations" => {
            let flagged = text.contains("forbidden") && headers.contains_key("authorization");
            Said::Json(
                200,
                json!({"id": "m", "model": body["model"], "results": [{"flagged": flagged}]}),
            )
        }
        "/request" | "/response" => act(json!({"reason": "fine"})),
        _ => model::recorded(path, headers, body),
    }
}

async fn guarded(gateway: &Gateway, upstream: SocketAddr, guards: Value) {
    let spec = json!({"ai": {"provider": {"openai": {}, "host": "127.0.0.1", "port": upstream.port()}},
        "policies": {"ai": {"promptGuard": guards}}});
    let object = json!({"apiVersion": "agentgateway.dev/v1alpha1", "kind": "AgentgatewayBackend",
        "metadata": {"name": "ai", "namespace": "ns"}, "spec": spec});
    gateway.apply(object).await.unwrap();
}

async fn say(address: SocketAddr, text: &str) -> Reply {
    let body = json!({"model": "m", "messages": [{"role": "user", "content": text}]});
    let headers = [LOCAL, ("x-team", "blue"), ("x-other", "1")];
    call(
        address,
        "POST",
        "/ai/v1/chat/completions",
        &headers,
        body.to_string(),
    )
    .await
}

fn heard(reply: &Reply) -> Value {
    let body: Value = serde_json::from_str(&reply.body).unwrap_or_default();
    body["choices"][0]["message"]["content"].clone()
}

#[tokio::test]
async fn a_webhook_passes_masks_refuses_or_fails() {
    let seen = Seen::default();
    let upstream = model::start(upstream, None, seen.clone()).await;
    let service = format!(
        r#"
apiVersion: agentgateway.dev/v1alpha1
kind: AgentgatewayBackend
metadata: {{name: hook, namespace: ns}}
spec: {{static: {{host: 127.0.0.1, port: {}}}}}
"#,
        upstream.port()
    );
    let (gateway, address, _log) = start(upstream, &service).await;
    let hook = json!({"webhook": {"backendRef": {"group": "agentgateway.dev", "kind": "AgentgatewayBackend", "name": "hook"},
        "forwardHeaderMatches": [{"name": "X-Team", "value": "bl.*", "type": "RegularExpression"}]}});
    guarded(&gateway, upstream, json!({"request": [hook]})).await;
    assert_eq!(heard(&say(address, "ping").await), "pong");
    let requests = seen.take();
    let asked = &requests[0];
    let said = json!({"messages": [{"role": "user", "content": "ping"}]});
    assert_eq!(
        (&asked["path"], &asked["body"]["body"]),
        (&json!("/request"), &said)
    );
    assert_eq!(asked["headers"]["x-team"], "blue");
    assert!(asked["headers"]["x-other"].is_null());
    assert_eq!(heard(&say(address, "my secret").await), "pong");
    assert_eq!(seen.take()[1]["body"]["messages"][0]["content"], "***");
    let refused = say(address, "forbidden").await;
    assert_eq!((refused.status, refused.body.as_str()), (451, "not that"));
    let failed = say(address, "garbage").await;
    assert_eq!(
        (failed.status, failed.body.as_str()),
        (503, "processing failed: prompt guard failed")
    );
    let models = seen
        .take()
        .iter()
        .filter(|r| r["path"] == "/v1/chat/completions")
        .count();
    assert_eq!(models, 0);
    // Each guard sees what the ones before it have left.
    let hook = json!({"webhook": {"backendRef": {"group": "agentgateway.dev", "kind": "AgentgatewayBackend", "name": "hook"}}});
    let guards = json!({"response": [hook, {"regex": {"matches": ["o", "g"]}}]});
    guarded(&gateway, upstream, guards).await;
    assert_eq!(heard(&say(address, "ping").await), "p**<masked>");
}

#[tokio::test]
async fn an_answer_is_masked_or_refused_too() {
    let upstream = model::start(upstream, None, Seen::default()).await;
    let (gateway, address, _log) = start(upstream, "").await;
    let mask = json!({"response": [{"regex": {"matches": ["on"]}}]});
    guarded(&gateway, upstream, mask).await;
    assert_eq!(heard(&say(address, "ping").await), "p<masked>g");
    let refuse = json!({"response": [{"regex": {"action": "Reject", "matches": ["pong"]}}]});
    guarded(&gateway, upstream, refuse).await;
    let refused = say(address, "ping").await;
    let expected = "The request was rejected due to inappropriate content";
    assert_eq!((refused.status, refused.body.as_str()), (403, expected));
}

#[tokio::test]
async fn openais_moderation_is_asked_with_its_own_key() {
    let seen = Seen::default();
    let plain = model::start(upstream, None, Seen::default()).await;
    let secure = model::start(upstream, Some(tls::acceptor()), seen.clone()).await;
    let mut options = Options::new(Box::new(Lines::default()));
    options.ports = Ports::Free;
    options.resolve = HashMap::from([("api.openai.com".to_string(), secure)]);
    options.roots = Some(tls::roots());
    let gateway = Gateway::start(options).unwrap();
    for object in objects(plain, "") {
        gateway.apply(object).await.unwrap();
    }
    let address = gateway.address(8080).await.unwrap();
    let guard = json!({"openAIModeration": {"policies": {"auth": {"key": "k"}}}, "response": {"message": "no", "statusCode": 400}});
    guarded(&gateway, plain, json!({"request": [guard]})).await;
    assert_eq!(say(address, "ping").await.status, 200);
    let asked = seen.take().remove(0);
    let expected = json!({"input": ["ping"], "model": "omni-moderation-latest"});
    assert_eq!(
        (&asked["body"], &asked["headers"]["authorization"]),
        (&expected, &json!("Bearer k"))
    );
    let refused = say(address, "forbidden").await;
    assert_eq!((refused.status, refused.body.as_str()), (400, "no"));
}
