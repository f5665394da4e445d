//! Servers that speak OpenAI's API: whether one answers, and what it has.

use super::mark;
use super::web::{local, why};
use crate::secret::Secret;
use serde_json::Value;
use std::time::Duration;

const HERE: Duration = Duration::from_millis(800);
const ELSEWHERE: Duration = Duration::from_secs(5);

/// Models of a server on this machine; `None` where nothing answers in this form.
pub async fn find(port: u16, key: Option<&Secret>) -> Option<Vec<String>> {
    models(here(port, HERE), key).await
}

/// The question to a port of this machine. A gateway may be there in a server's place, and its log tells
/// our question from callers'.
fn here(port: u16, deadline: Duration) -> reqwest::RequestBuilder {
    let url = format!("http://127.0.0.1:{port}/v1/models");
    let host = mark::host(&mark::new(), &url);
    local().get(&url).header("host", host).timeout(deadline)
}

/// The same of a server that says without a key what it has: one that keeps it to itself could be
/// anybody's.
pub(super) async fn open(port: u16, deadline: Duration) -> Option<Vec<String>> {
    let (status, answer) = asked(here(port, deadline), None).await?;
    names(&answer).filter(|_| status == 200)
}

/// Models of a server elsewhere; `base` is its address up to `/v1`.
pub async fn find_at(base: &str, key: Option<&Secret>) -> Option<Vec<String>> {
    let client = reqwest::Client::builder()
        .redirect(reqwest::redirect::Policy::none())
        .build();
    let request = client.ok()?.get(format!("{base}/v1/models"));
    models(request.timeout(ELSEWHERE), key).await
}

async fn models(request: reqwest::RequestBuilder, key: Option<&Secret>) -> Option<Vec<String>> {
    let (status, answer) = asked(request, key).await?;
    match status {
        200 => names(&answer),
        // It is there and does not say what it has.
        401 | 403 | 404 => Some(Vec::new()),
        _ => None,
    }
}

async fn asked(request: reqwest::RequestBuilder, key: Option<&Secret>) -> Option<(u16, Value)> {
    let request = match key {
        Some(key) => request.bearer_auth(key.expose()),
        None => request,
    };
    let response = request.send().await.map_err(|e| why(&e)).ok()?;
    let status = response.status().as_u16();
    Some((status, response.json().await.unwrap_or(Value::Null)))
}

/// Names in the order of the list; models that only embed come last, as far as their names tell.
fn names(answer: &Value) -> Option<Vec<String>> {
    let models = answer.get("data")?.as_array()?;
    let name = |model: &Value| Some(model.get("id")?.as_str()?.to_string());
    let mut names: Vec<String> = models.iter().filter_map(name).collect();
    names.sort_by_key(|name| name.contains("embed"));
    Some(names)
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn models_that_embed_come_last() {
        let answer = json!({"data": [{"id": "text-embedding-nomic"}, {"id": "qwen3-8b"}]});
        assert_eq!(
            names(&answer).unwrap(),
            ["qwen3-8b", "text-embedding-nomic"]
        );
        assert_eq!(names(&json!({"models": []})), None);
    }
}
