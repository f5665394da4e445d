//! Model servers on this machine: Ollama, and those that speak OpenAI's API at their usual ports.

use super::facts::{Model, Service};
use super::{compatible, web};
use crate::provider::Provider;
use futures::future::join_all;
use serde_json::Value;
use std::time::Duration;

/// Those that are looked for at the port that they take when nobody says otherwise.
const COMPATIBLE: [Provider; 3] = [Provider::LmStudio, Provider::Vllm, Provider::LlamaCpp];

/// Every model server that answers within the deadline.
pub async fn all(deadline: Duration) -> Vec<Service> {
    let compatible = COMPATIBLE.map(|provider| compatible(provider, deadline));
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
        _ => (told, Provider::Ollama.ways().default_port.to_string()),
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
    let loaded = loaded.as_ref().map(names).unwrap_or_default();
    let tags = tags?;
    let models = tags.get("models")?.as_array()?.iter();
    let models = models.filter_map(|model| {
        let name = model.get("name")?.as_str()?.to_string();
        Some(Model {
            size: model.get("size").and_then(Value::as_u64),
            loaded: loaded.contains(&name),
            embeds: super::ollama::embeds(model),
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

async fn compatible(provider: Provider, deadline: Duration) -> Option<Service> {
    let ways = provider.ways();
    let address = format!("127.0.0.1:{}", ways.default_port);
    let url = format!("http://{address}/v1/models");
    let (status, body) = web::get(&url, None, deadline).await.ok()?;
    // A server that keeps its models to itself could be anybody's.
    let names = compatible::names(&serde_json::from_str(&body).ok()?).filter(|_| status == 200)?;
    let model = |name: String| Model {
        embeds: name.contains("embed"),
        name,
        ..Model::default()
    };
    Some(Service {
        product: ways.title.to_string(),
        address,
        version: None,
        models: names.into_iter().map(model).collect(),
    })
}

/// The names in a list of Ollama's.
fn names(answer: &Value) -> Vec<String> {
    let models = answer.get("models").and_then(Value::as_array);
    let models = models.into_iter().flatten();
    models
        .filter_map(|model| Some(model.get("name")?.as_str()?.to_string()))
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
