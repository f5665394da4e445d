//! Real SDKs, as applications use them, against the mock and through the gateway.

#[path = "../support/home.rs"]
mod home;
mod place;
mod world;

use home::Home;

use place::{Gw, check, check_with};
use serde_json::Value;
use world::KEY;

/// A key that the mock does not take.
const WRONG: &str = "mock-key-2";

#[tokio::test]
#[ignore = "needs python3 with PyPI and node with the npm registry"]
async fn the_mock_is_openai_to_its_sdks() {
    let (_mock, address) = Gw::mock(KEY).await;
    let base = format!("http://{}/v1", address);
    let checks = [
        "chat",
        "parts",
        "stream",
        "tools",
        "tools_stream",
        "shape",
        "embeddings",
        "responses",
        "responses_stream",
        "responses_tools",
        "models",
        "limited_and_said",
        "failed",
        "cut",
        "slow",
    ];
    check("openai_checks.py", &[&base, KEY], &checks).await;
    check("openai_checks.py", &[&base, WRONG], &["unauthorized"]).await;
    let checks = [
        "chat",
        "stream_text",
        "stream",
        "tools",
        "tools_stream",
        "embeddings",
        "responses",
        "responses_stream",
        "models",
        "limited",
        "failed",
        "cut",
    ];
    check("openai.mjs", &[&base, KEY], &checks).await;
    check("openai.mjs", &[&base, WRONG], &["unauthorized"]).await;
    let compatible = format!("http://{}/v1beta/openai", address);
    check(
        "openai_checks.py",
        &[&compatible, KEY],
        &["chat", "stream", "tools", "embeddings", "models"],
    )
    .await;
}

#[tokio::test]
#[ignore = "needs python3 with PyPI and node with the npm registry"]
async fn the_mock_is_anthropic_to_its_sdks() {
    let (_mock, address) = Gw::mock(KEY).await;
    let base = format!("http://{}", address);
    let checks = [
        "message",
        "blocks",
        "stream",
        "stream_raw",
        "tools",
        "tools_stream",
        "count",
        "models",
        "limited",
        "failed",
        "cut",
    ];
    check("anthropic_checks.py", &[&base, KEY], &checks).await;
    check("anthropic_checks.py", &[&base, WRONG], &["unauthorized"]).await;
    let checks = [
        "message",
        "stream",
        "tools",
        "tools_stream",
        "count",
        "models",
        "limited",
        "failed",
    ];
    check("anthropic.mjs", &[&base, KEY], &checks).await;
    check("anthropic.mjs", &[&base, WRONG], &["unauthorized"]).await;
}

#[tokio::test]
#[ignore = "needs python3 with PyPI"]
async fn the_mock_is_gemini_and_bedrock_to_their_sdks() {
    let (_mock, address) = Gw::mock(KEY).await;
    let base = format!("http://{}", address);
    let checks = [
        "generate",
        "stream",
        "tools",
        "shape",
        "count",
        "embeddings",
        "models",
        "limited",
        "failed",
    ];
    check("gemini_checks.py", &[&base, KEY], &checks).await;
    check("gemini_checks.py", &[&base, WRONG], &["unauthorized"]).await;
    check(
        "bedrock_checks.py",
        &[&base, KEY],
        &["converse", "stream", "tools", "count", "limited"],
    )
    .await;
    check("bedrock_checks.py", &[&base, WRONG], &["unauthorized"]).await;
}

#[tokio::test]
#[ignore = "needs python3 with PyPI and node with the npm registry"]
async fn the_mock_is_an_mcp_server_to_both_sdks() {
    let (_mock, address) = Gw::mock(KEY).await;
    for (path, transport) in [("mcp", "http"), ("sse", "sse")] {
        let url = format!("http://{}/{path}", address);
        let checks = ["named", "tools", "resources", "prompts", "errors", "ping"];
        check("mcp_checks.py", &[&url, transport, ""], &checks).await;
        check(
            "mcp.mjs",
            &[&url, transport, ""],
            &["tools", "resources", "prompts", "errors", "end"],
        )
        .await;
    }
}

#[tokio::test]
#[ignore = "needs python3 with PyPI and node with the npm registry"]
async fn openais_sdks_talk_through_the_gateway() {
    let world = world::start().await;
    let address = world.gateway;
    let base = |route: &str| format!("http://{address}/{route}/v1");
    let checks = [
        "chat",
        "parts",
        "stream",
        "tools",
        "tools_stream",
        "shape",
        "embeddings",
        "responses",
        "responses_stream",
        "responses_tools",
        "limited_and_said",
        "failed",
        "cut",
        "slow",
    ];
    check("openai_checks.py", &[&base("openai"), "client"], &checks).await;
    check(
        "openai_checks.py",
        &[&base("openai-wrong"), "client"],
        &["unauthorized"],
    )
    .await;
    let checks = [
        "chat",
        "stream_text",
        "stream",
        "tools",
        "tools_stream",
        "embeddings",
        "responses",
        "responses_stream",
        "limited",
        "failed",
        "cut",
    ];
    check("openai.mjs", &[&base("openai"), "client"], &checks).await;
    check(
        "openai.mjs",
        &[&base("openai-wrong"), "client"],
        &["unauthorized"],
    )
    .await;
    check(
        "openai_checks.py",
        &[&base("gemini"), "client"],
        &["chat", "stream", "tools", "limited"],
    )
    .await;
    // What reached the mock had the backend's key in place of the client's, and never the client's.
    let seen = reqwest(&format!("http://{}/mock/requests", world.mock)).await;
    let keys = seen["requests"]
        .as_array()
        .unwrap()
        .iter()
        .map(|request| &request["headers"]["authorization"]);
    let mut keys: Vec<&str> = keys.map(|key| key.as_str().unwrap()).collect();
    keys.sort_unstable();
    keys.dedup();
    // printf KEY | sha256sum, first 12 characters.
    assert_eq!(
        keys,
        ["Bearer sha256:0e8e958f80db", "Bearer sha256:8810ad581e59"]
    );
}

#[tokio::test]
#[ignore = "needs python3 with PyPI and node with the npm registry"]
async fn anthropics_sdks_talk_through_the_gateway() {
    let world = world::start().await;
    let address = world.gateway;
    let base = |route: &str| format!("http://{address}/{route}");
    let checks = [
        "message",
        "blocks",
        "stream",
        "stream_raw",
        "tools",
        "tools_stream",
        "count",
        "limited",
        "failed",
        "cut",
    ];
    check(
        "anthropic_checks.py",
        &[&base("anthropic"), "client"],
        &checks,
    )
    .await;
    check(
        "anthropic_checks.py",
        &[&base("anthropic-wrong"), "client"],
        &["unauthorized"],
    )
    .await;
    let checks = [
        "message",
        "stream",
        "tools",
        "tools_stream",
        "count",
        "limited",
        "failed",
    ];
    check("anthropic.mjs", &[&base("anthropic"), "client"], &checks).await;
    check(
        "anthropic.mjs",
        &[&base("anthropic-wrong"), "client"],
        &["unauthorized"],
    )
    .await;
}

/// Facts 9.6 say what is lost on the way: history of tools, pictures, the end of a stream.
#[tokio::test]
#[ignore = "needs python3 with PyPI and node with the npm registry"]
async fn openais_sdks_talk_to_anthropic_through_the_gateway() {
    let world = world::start().await;
    let address = world.gateway;
    let base = |route: &str| format!("http://{address}/{route}/v1");
    check(
        "openai_checks.py",
        &[&base("claude"), "client"],
        &["chat", "stream_text", "tools_call", "limited"],
    )
    .await;
    check(
        "openai_checks.py",
        &[&base("claude-wrong"), "client"],
        &["unauthorized"],
    )
    .await;
    check(
        "openai.mjs",
        &[&base("claude"), "client"],
        &["chat", "stream_text", "limited"],
    )
    .await;
}

#[tokio::test]
#[ignore = "needs python3 with PyPI and node with the npm registry"]
async fn mcp_clients_talk_through_the_gateway() {
    let world = world::start().await;
    let url = |backend: &str, path: &str| format!("http://{}/{backend}/{path}", world.gateway);
    for (path, transport) in [("mcp", "http"), ("sse", "sse")] {
        for backend in ["mcp-http", "mcp-sse"] {
            let given = [&*url(backend, path), transport, ""];
            let checks = ["named", "tools", "resources", "prompts", "errors", "ping"];
            check("mcp_checks.py", &given, &checks).await;
            let checks = ["tools", "resources", "prompts", "errors", "end"];
            check("mcp.mjs", &given, &checks).await;
        }
        let given = [&*url("mcp-both", path), transport, ""];
        check("mcp_checks.py", &given, &["several"]).await;
        check("mcp.mjs", &given, &["several", "end"]).await;
    }
    let given = [&*url("mcp-http", "mcp"), "http", ""];
    check("mcp_checks.py", &given, &["modern"]).await;
}

/// What `gw env` says is what the SDKs read when nobody tells them anything.
#[tokio::test]
#[ignore = "needs python3 with PyPI and node with the npm registry"]
async fn openais_sdks_take_their_variables_from_gw_env() {
    let home = Home::new();
    let profile = home.write(
        "sdk.yaml",
        "apiVersion: gatewright.dev/v1alpha1\nkind: Profile\nname: sdk\nbackends:\n\
         - {name: chat, provider: mock}\nroutes:\n- {name: chat, backend: chat}\n- {name: keyed, backend: chat}\n\
         policies:\n- {name: callers, routes: [keyed], apiKeys: {keys: {ann: {generate: true}}}}\n",
    );
    let up = home.gw(&["up", "--profile", &profile]);
    assert_eq!(up.code, 0, "{up:?}");
    for route in ["chat", "keyed"] {
        let (answer, _) = home.json(&["env", "--route", route]);
        let variables = answer["variables"].as_array().unwrap().iter();
        let variables: Vec<(String, String)> = variables
            .map(|variable| {
                let text = |key: &str| variable[key].as_str().map(str::to_string);
                let file = || std::fs::read_to_string(variable["file"].as_str()?).ok();
                (text("name").unwrap(), text("value").or_else(file).unwrap())
            })
            .collect();
        for script in ["env_checks.py", "env.mjs"] {
            check_with(script, &variables, &["openai_chat"]).await;
        }
    }
}

async fn reqwest(url: &str) -> Value {
    let _ = rustls::crypto::ring::default_provider().install_default();
    let client = reqwest::Client::builder().no_proxy().build().unwrap();
    client.get(url).send().await.unwrap().json().await.unwrap()
}
