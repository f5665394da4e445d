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
    at(provider, provider.ways().default_port, deadline).await
}

async fn at(provider: Provider, port: u16, deadline: Duration) -> Option<Service> {
    let address = format!("127.0.0.1:{port}");
    let names = compatible::open(port, deadline).await?;
    let model = |name: String| Model {
        embeds: name.contains("embed"),
        name,
        ..Model::default()
    };
    Some(Service {
        product: provider.ways().title.to_string(),
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
    use super::*;
    use crate::host::mark;
    use std::io::{Read, Write};

    #[tokio::test]
    async fn what_is_asked_at_a_port_where_a_gateway_may_be_bears_a_mark() {
        let _ = rustls::crypto::ring::default_provider().install_default();
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        let heard = std::thread::spawn(move || {
            let (mut stream, _) = listener.accept().unwrap();
            let mut bytes = [0; 4096];
            let length = stream.read(&mut bytes).unwrap();
            let body = r#"{"object":"list","data":[{"id":"qwen","object":"model"}]}"#;
            let head = format!(
                "HTTP/1.1 200 OK\r\nconnection: close\r\ncontent-length: {}\r\n\r\n",
                body.len()
            );
            stream.write_all((head + body).as_bytes()).unwrap();
            String::from_utf8_lossy(&bytes[..length]).into_owned()
        });
        let found = at(Provider::LlamaCpp, port, Duration::from_secs(5)).await;
        assert_eq!(found.unwrap().models[0].name, "qwen");
        let heard = heard.join().unwrap();
        let host = heard.lines().find_map(|line| line.strip_prefix("host: "));
        assert!(host.is_some_and(mark::is_own), "{heard}");
    }

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
