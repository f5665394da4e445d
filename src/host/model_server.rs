//! Model servers on this machine: Ollama, and those that speak OpenAI's API at their usual ports.

use super::facts::{Model, Service};
use super::web;
use futures::future::join_all;
use serde_json::Value;
use std::time::Duration;

const OLLAMA_PORT: u16 = 11434;
/// Products by the port that they take when nobody says otherwise.
const COMPATIBLE: [(&str, u16); 3] = [("LM Studio", 1234), ("vLLM", 8000), ("llama.cpp", 8080)];

/// Every model server that answers within the deadline.
pub async fn all(deadline: Duration) -> Vec<Service> {
    let compatible = COMPATIBLE.map(|(product, port)| compatible(product, port, deadline));
    let (ollama, compatible) = tokio::join!(ollama(deadline), join_all(compatible));
    ollama
        .into_iter()
        .chain(compatible.into_iter().flatten())
        .collect()
}

/// Where Ollama is: OLLAMA_HOST names the address that it was told to listen on.
fn ollama_address() -> String {
    let told = std::env::var("OLLAMA_HOST").unwrap_or_default();
    address(&told)
}

/// `0.0.0.0` is answered at 127.0.0.1; a port may be missing, a scheme may be there.
fn address(told: &str) -> String {
    let told = told
        .trim()
        .trim_start_matches("http://")
        .trim_end_matches('/');
    let (host, port) = match told.rsplit_once(':') {
        Some((host, port)) if port.parse::<u16>().is_ok() => (host, port.to_string()),
        _ => (told, OLLAMA_PORT.to_string()),
    };
    match host {
        "" | "0.0.0.0" | "[::]" | "localhost" => format!("127.0.0.1:{port}"),
        host => format!("{host}:{port}"),
    }
}

async fn ollama(deadline: Duration) -> Option<Service> {
    let address = ollama_address();
    let ask = async |path: &str| {
        let url = format!("http://{address}{path}");
        match web::get(&url, None, deadline).await {
            Ok((200, body)) => serde_json::from_str::<Value>(&body).ok(),
            _ => None,
        }
    };
    let (tags, version, loaded) =
        tokio::join!(ask("/api/tags"), ask("/api/version"), ask("/api/ps"));
    let loaded = names(loaded.as_ref(), "models", "name");
    let tags = tags?;
    let models = tags.get("models")?.as_array()?.iter();
    let models = models.filter_map(|model| {
        let name = model.get("name")?.as_str()?.to_string();
        Some(Model {
            size: model.get("size").and_then(Value::as_u64),
            loaded: loaded.contains(&name),
            name,
        })
    });
    Some(Service {
        product: "Ollama".to_string(),
        models: models.collect(),
        version: version.and_then(|v| Some(v.get("version")?.as_str()?.to_string())),
        address,
    })
}

async fn compatible(product: &str, port: u16, deadline: Duration) -> Option<Service> {
    let url = format!("http://127.0.0.1:{port}/v1/models");
    let (status, body) = web::get(&url, None, deadline).await.ok()?;
    let body: Value = serde_json::from_str(&body).ok()?;
    if status != 200 || !body.get("data")?.is_array() {
        return None;
    }
    let models = names(Some(&body), "data", "id");
    Some(Service {
        product: product.to_string(),
        address: format!("127.0.0.1:{port}"),
        version: None,
        models: models
            .into_iter()
            .map(|name| Model {
                name,
                ..Model::default()
            })
            .collect(),
    })
}

fn names(answer: Option<&Value>, list: &str, field: &str) -> Vec<String> {
    let items = answer
        .and_then(|value| value.get(list))
        .and_then(Value::as_array);
    let names = items.into_iter().flatten();
    names
        .filter_map(|item| Some(item.get(field)?.as_str()?.to_string()))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::address;

    #[test]
    fn ollama_is_asked_where_it_was_told_to_listen() {
        let table = [
            ("", "127.0.0.1:11434"),
            ("0.0.0.0", "127.0.0.1:11434"),
            ("0.0.0.0:9000", "127.0.0.1:9000"),
            ("http://192.168.1.4:11434/", "192.168.1.4:11434"),
            ("box", "box:11434"),
        ];
        for (told, expected) in table {
            assert_eq!(address(told), expected, "{told}");
        }
    }
}
