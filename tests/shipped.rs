//! The shipped profiles that need nothing but this program, made true and proved.

#[path = "support/home.rs"]
mod home;

use home::Home;
use serde_json::{Value, json};
use std::os::unix::fs::PermissionsExt;
use tokio::sync::Mutex;

/// Two that look for a port of the mock at the same moment find the same one.
static ONE_AT_A_TIME: Mutex<()> = Mutex::const_new(());

fn routes(answer: &Value) -> Vec<(&str, &str, u64)> {
    let findings = answer["findings"].as_array().unwrap().iter();
    let routes = findings.filter(|finding| finding["route"].is_object());
    routes
        .map(|finding| {
            let route = &finding["route"];
            let path = route["path"].as_str().unwrap();
            let verdict = finding["verdict"].as_str().unwrap();
            (path, verdict, route["tools"].as_u64().unwrap_or(0))
        })
        .collect()
}

#[test]
fn every_form_of_provider_and_mcp_is_proved_offline() {
    let _alone = ONE_AT_A_TIME.blocking_lock();
    let home = Home::new();
    let (answer, code) = home.json(&["up", "--profile", "mock"]);
    assert_eq!(code, 0, "{answer:#}");
    let routes = routes(&answer);
    let paths: Vec<&str> = routes.iter().map(|(path, ..)| *path).collect();
    assert_eq!(paths, ["/anthropic", "/gemini", "/openai", "/tools"]);
    assert!(
        routes.iter().all(|(_, verdict, _)| *verdict == "pass"),
        "{answer:#}"
    );
    assert!(routes[3].2 > 0, "{answer:#}");
}

#[test]
fn the_profile_for_ci_proves_its_own_tests() {
    let _alone = ONE_AT_A_TIME.blocking_lock();
    let home = Home::new();
    let (answer, code) = home.json(&["up", "--profile", "ci"]);
    assert_eq!(code, 0, "{answer:#}");
    let findings = answer["findings"].as_array().unwrap();
    let own = findings.iter().filter(|finding| {
        finding["id"].as_str().unwrap().starts_with("test.") && finding["verdict"] == "pass"
    });
    assert_eq!(own.count(), 2, "{answer:#}");
}

#[test]
fn two_mcp_servers_are_seen_as_one() {
    let _alone = ONE_AT_A_TIME.blocking_lock();
    let home = Home::new();
    let text = "apiVersion: gatewright.dev/v1alpha1\nkind: Profile\nname: t\nbackends:\n\
        - {name: tools, mcp: [{name: one, mock: true}, {name: two, mock: true}]}\n";
    let (answer, code) = home.json(&["up", "--profile", &home.write("t.yaml", text)]);
    assert_eq!(code, 0, "{answer:#}");
    let findings = answer["findings"].as_array().unwrap();
    let shown = findings
        .iter()
        .find_map(|finding| finding["route"]["answer"].as_str())
        .unwrap();
    assert!(shown.contains("one_"), "{shown}");
}

#[tokio::test]
async fn each_route_of_the_stage_shows_its_policy() {
    let _alone = ONE_AT_A_TIME.lock().await;
    let home = Home::new();
    let said = home.gw(&["up", "--profile", "limits"]);
    assert_eq!(said.code, 0, "{said:?}");
    // The key is shown once, and kept in a file of its own.
    let file = home.environment().join("keys/stage-key.stage");
    let key = std::fs::read_to_string(&file).unwrap();
    let mode = file.metadata().unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o600);
    assert!(said.stdout.contains(&key), "{said:?}");
    let again = home.gw(&["up"]);
    assert_eq!(again.code, 0, "{again:?}");
    let again = again.stdout + &again.stderr;
    assert!(!again.contains(&key), "{again}");

    let _ = rustls::crypto::ring::default_provider().install_default();
    let client = reqwest::Client::builder().no_proxy().build().unwrap();
    let ask = |route: &str, text: &str, header: Option<(&str, String)>| {
        let body = json!({"messages": [{"role": "user", "content": text}]});
        let url = format!("{}/{route}/v1/chat/completions", home.base());
        let request = client.post(url).json(&body);
        let request = match header {
            Some((name, value)) => request.header(name, value),
            None => request,
        };
        async move {
            let answer = request.send().await.unwrap();
            (answer.status().as_u16(), answer.text().await.unwrap())
        }
    };
    assert_eq!(ask("keys", "ping", None).await.0, 401);
    let bearer = Some(("authorization", format!("Bearer {key}")));
    assert_eq!(ask("keys", "ping", bearer).await.0, 200);
    assert_eq!(
        ask("guarded", "it is hunter2", None).await,
        (403, "no secrets here".to_string())
    );
    let page = |origin: &str| Some(("origin", origin.to_string()));
    assert_eq!(
        ask("browser", "ping", page("https://app.example")).await.0,
        200
    );
    assert_eq!(
        ask("browser", "ping", page("https://evil.example")).await.0,
        403
    );
    // Five a minute and three at once: the proofs took none of them.
    let mut seen = Vec::new();
    for _ in 0..9 {
        seen.push(ask("requests", "ping", None).await.0);
    }
    assert_eq!(seen, [[200; 8].as_slice(), &[429]].concat());
}

/// What the built-in processor was told to add arrives, and where no policy is nothing changes.
#[tokio::test]
async fn the_built_in_processor_changes_requests_on_its_route() {
    let _alone = ONE_AT_A_TIME.lock().await;
    let home = Home::new();
    let said = home.gw(&["up", "--profile", "extproc"]);
    assert_eq!(said.code, 0, "{said:?}");
    let _ = rustls::crypto::ring::default_provider().install_default();
    let client = reqwest::Client::builder().no_proxy().build().unwrap();
    let told = json!({"addHeaders": {"x-processed": "yes"}}).to_string();
    for route in ["chat", "plain"] {
        let body = json!({"messages": [{"role": "user", "content": "ping"}]});
        let url = format!("{}/{route}/v1/chat/completions", home.base());
        let asked = client.post(url).json(&body).header("instructions", &told);
        assert_eq!(asked.send().await.unwrap().status(), 200);
    }
    let mock = std::fs::read_to_string(home.environment().join("mock.process.json")).unwrap();
    let mock: Value = serde_json::from_str(&mock).unwrap();
    let url = format!("http://{}/mock/requests", mock["ready"].as_str().unwrap());
    let seen: Value = client.get(url).send().await.unwrap().json().await.unwrap();
    let seen = seen["requests"].as_array().unwrap().iter();
    let marks: Vec<bool> = seen
        .filter(|request| request["headers"]["instructions"] == told)
        .map(|request| request["headers"]["x-processed"] == "yes")
        .collect();
    assert_eq!(marks, [true, false]);
    let debug = home.gw(&["debug"]);
    assert_eq!(debug.code, 0, "{debug:?}");
    // Without its processor the route refuses: v2.2 always fails closed.
    home.kill("processor");
    let body = json!({"messages": [{"role": "user", "content": "ping"}]});
    let url = format!("{}/chat/v1/chat/completions", home.base());
    let refused = client.post(url).json(&body).send().await.unwrap();
    assert_eq!(refused.status(), 500);
    let fix = home.gw(&["debug", "--fix", "GW029", "--yes"]);
    assert_eq!(fix.code, 0, "{fix:?}");
    let up = home.gw(&["up"]);
    assert!(up.stdout.contains("nothing to change"), "{up:?}");
}
