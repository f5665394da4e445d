//! Ollama on this machine: whether it answers, and what it has.

use super::web;
use crate::plan::select::Service;
use crate::provider::Provider;
use serde_json::Value;
use std::time::Duration;

const DEADLINE: Duration = Duration::from_millis(800);

/// Asks Ollama on 127.0.0.1 for its models; `None` where no Ollama answers.
pub async fn find(port: u16) -> Option<Service> {
    let url = format!("http://127.0.0.1:{port}/api/tags");
    let (status, body) = web::get(&url, None, DEADLINE).await.ok()?;
    if status != 200 {
        return None;
    }
    let models = models(&serde_json::from_str(&body).ok()?)?;
    Some(Service {
        provider: Provider::Ollama,
        port,
        models,
    })
}

/// Names as `ollama list` shows them, but those that only embed come last: they can't chat. `None`
/// where the answer is not Ollama's.
fn models(tags: &Value) -> Option<Vec<String>> {
    let models = tags.get("models")?.as_array()?;
    let mut models: Vec<&Value> = models.iter().collect();
    models.sort_by_key(|model| embeds(model));
    let name = |model: &Value| Some(model.get("name")?.as_str()?.to_string());
    Some(models.into_iter().filter_map(name).collect())
}

/// By family, `bert` or `nomic-bert` (github.com/ollama/ollama docs/api.md, list local models), or by
/// name: some embed with the family of a model that chats.
pub(super) fn embeds(model: &Value) -> bool {
    let family = model.pointer("/details/family").and_then(Value::as_str);
    let name = model.get("name").and_then(Value::as_str);
    family.is_some_and(|family| family.contains("bert"))
        || name.is_some_and(|name| name.contains("embed"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn models_keep_ollamas_order_and_other_answers_are_no_ollama() {
        let tags = json!({"models": [{"name": "llama3.2:latest"}, {"name": "qwen3:8b"}]});
        assert_eq!(models(&tags).unwrap(), ["llama3.2:latest", "qwen3:8b"]);
        assert_eq!(
            models(&json!({"models": []})).unwrap(),
            Vec::<String>::new()
        );
        assert_eq!(models(&json!({"data": []})), None);
    }

    #[test]
    fn a_model_that_only_embeds_is_no_first_choice() {
        let embeds =
            json!({"name": "nomic-embed-text:latest", "details": {"family": "nomic-bert"}});
        let chats = json!({"name": "qwen3:8b", "details": {"family": "qwen3"}});
        let found = models(&json!({"models": [embeds, chats]})).unwrap();
        assert_eq!(found, ["qwen3:8b", "nomic-embed-text:latest"]);
    }
}
