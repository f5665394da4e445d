//! Requests to addresses of this machine: never through a proxy, with a deadline each.

use crate::error::{Error, Result, chain};
use std::sync::OnceLock;
use std::time::Duration;

/// Shared client for this machine's own addresses. A proxy set in the environment is for the
/// outside world; asking it for 127.0.0.1 would reach the proxy's machine.
pub fn local() -> &'static reqwest::Client {
    static CLIENT: OnceLock<reqwest::Client> = OnceLock::new();
    CLIENT.get_or_init(|| {
        let builder = reqwest::Client::builder()
            .no_proxy()
            .tls_certs_only([])
            .redirect(reqwest::redirect::Policy::none())
            .connect_timeout(Duration::from_secs(2));
        builder.build().unwrap_or_default()
    })
}

/// Text from the outside world: with the system's roots and proxies.
pub async fn fetch(url: &str, deadline: Duration) -> Result<String> {
    let fault = |e: &reqwest::Error| {
        Error::new(
            format!("{url} can't be fetched"),
            format!("curl -fsSLO {url}"),
        )
        .because(e)
    };
    let client = reqwest::Client::builder()
        .timeout(deadline)
        .build()
        .map_err(|e| fault(&e))?;
    let response = client.get(url).send().await.map_err(|e| fault(&e))?;
    let response = response.error_for_status().map_err(|e| fault(&e))?;
    response.text().await.map_err(|e| fault(&e))
}

/// Status and body of a GET, or in words why there is none.
pub async fn get(
    url: &str,
    host: Option<&str>,
    deadline: Duration,
) -> std::result::Result<(u16, String), String> {
    let mut request = local().get(url).timeout(deadline);
    if let Some(host) = host {
        request = request.header("host", host);
    }
    let response = request.send().await.map_err(|e| why(&e))?;
    let status = response.status().as_u16();
    let body = response.text().await.map_err(|e| why(&e))?;
    Ok((status, body))
}

/// "refused", "no answer" and other faults are different things and never mixed.
pub fn why(error: &reqwest::Error) -> String {
    if error.is_timeout() {
        return "no answer in time".to_string();
    }
    let text = chain(error);
    let known = [
        ("Connection refused", "connection refused"),
        (
            "connection closed before message completed",
            "connection closed without an answer",
        ),
        ("Connection reset", "connection reset"),
        ("dns error", "its name has no address here"),
    ];
    let said = known
        .iter()
        .find(|(words, _)| text.contains(words))
        .map(|(_, said)| (*said).to_string());
    said.unwrap_or(text)
}
