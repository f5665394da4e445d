//! Providers in groups: which one is called, and when it is left alone.

use std::net::SocketAddr;

use gatewright::gateway::Gateway;
use http::HeaderMap;
use serde_json::{Value, json};

use crate::support::client::{Reply, call};
use crate::support::model::{self, Said, Seen};
use crate::world::{LOCAL, PING, start};

/// Has had enough when it is asked for `busy`, fails when it is asked for `broken`.
fn provider(path: &str, headers: &HeaderMap, body: &Value) -> Said {
    match body["model"].as_str() {
        Some("busy") => Said::Busy(60),
        Some("broken") => Said::Json(500, json!({"error": "broken"})),
        _ => model::recorded(path, headers, body),
    }
}

/// Replaces the backend `ai` by these groups of models.
async fn groups(gateway: &Gateway, upstream: SocketAddr, groups: &[&[&str]], policies: Value) {
    let provider = |model: &&str| {
        let mut provider = json!({"name": model, "openai": {"model": model}, "host": "127.0.0.1", "port": upstream.port()});
        if let Some(own) = policies.get(*model) {
            provider["policies"] = own.clone();
        }
        provider
    };
    let groups = groups.iter().map(|group| {
        let providers: Vec<Value> = group.iter().map(provider).collect();
        json!({"providers": providers})
    });
    let groups: Vec<Value> = groups.collect();
    let mut object = json!({"apiVersion": "agentgateway.dev/v1alpha1", "kind": "AgentgatewayBackend",
        "metadata": {"name": "ai", "namespace": "ns"}, "spec": {"ai": {"groups": groups}}});
    if let Some(own) = policies.get("backend") {
        object["spec"]["policies"] = own.clone();
    }
    gateway.apply(object).await.unwrap();
}

async fn ask(address: SocketAddr) -> Reply {
    let path = "/ai/v1/chat/completions";
    call(address, "POST", path, &[LOCAL], PING).await
}

#[tokio::test]
async fn a_provider_that_names_a_time_is_left_alone_for_it() {
    let seen = Seen::default();
    let upstream = model::start(provider, None, seen.clone()).await;
    let (gateway, address, _log) = start(upstream, "").await;
    groups(&gateway, upstream, &[&["busy"], &["spare"]], json!({})).await;
    // There is no second try inside one request.
    assert_eq!(ask(address).await.status, 429);
    for _ in 0..3 {
        assert_eq!(ask(address).await.status, 200);
    }
    // A reload with the same backend does not forget.
    let other =
        json!({"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "s", "namespace": "ns"}});
    gateway.apply(other).await.unwrap();
    assert_eq!(ask(address).await.status, 200);
    let models: Vec<Value> = seen
        .take()
        .iter()
        .map(|r| r["body"]["model"].clone())
        .collect();
    assert_eq!(models, ["busy", "spare", "spare", "spare", "spare"]);
    // Other providers are not known yet.
    groups(&gateway, upstream, &[&["busy"]], json!({})).await;
    assert_eq!(ask(address).await.status, 429);
    let reply = ask(address).await;
    assert_eq!(
        (reply.status, reply.body.as_str()),
        (503, "no healthy backends")
    );
}

#[tokio::test]
async fn a_failure_is_no_reason_to_leave_a_group() {
    let upstream = model::start(provider, None, Seen::default()).await;
    let (gateway, address, _log) = start(upstream, "").await;
    groups(&gateway, upstream, &[&["broken"], &["spare"]], json!({})).await;
    for _ in 0..4 {
        assert_eq!(ask(address).await.status, 500);
    }
    // Inside a group the better one gets most of the calls.
    groups(&gateway, upstream, &[&["broken", "good"]], json!({})).await;
    let mut good = 0;
    for _ in 0..60 {
        good += usize::from(ask(address).await.status == 200);
    }
    assert!(good > 30, "{good}");
}

#[tokio::test]
async fn a_providers_own_policies_win_and_a_broken_key_is_left_out() {
    let seen = Seen::default();
    let upstream = model::start(provider, None, seen.clone()).await;
    let (gateway, address, _log) = start(upstream, "").await;
    let table = [
        (
            json!({"own": {"auth": {"key": "mine"}}, "backend": {"auth": {"key": "ours"}}}),
            Some("Bearer mine"),
        ),
        (
            json!({"backend": {"auth": {"key": "ours"}}}),
            Some("Bearer ours"),
        ),
        // Facts 4.4: accepted all the same.
        (
            json!({"own": {"auth": {"secretRef": {"name": "gone"}}}}),
            None,
        ),
    ];
    for (policies, key) in table {
        groups(&gateway, upstream, &[&["own"]], policies.clone()).await;
        assert_eq!(ask(address).await.status, 200, "{policies}");
        let request = seen.take().remove(0);
        assert_eq!(
            request["headers"]["authorization"].as_str(),
            key,
            "{policies}"
        );
    }
    let aliases = json!({"own": {"ai": {"modelAliases": {"own": "alias"}}}});
    groups(&gateway, upstream, &[&["own"]], aliases).await;
    assert_eq!(ask(address).await.status, 200);
    assert_eq!(seen.take().remove(0)["body"]["model"], "alias");
}
