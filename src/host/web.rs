//! Requests to addresses of this machine: never through a proxy, with a deadline each.

use crate::error::{Error, Result, chain};
use crate::text::duration;
use backon::{ExponentialBuilder, Retryable};
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

/// What registries, proxies and name servers say in a bad moment (helm's and reqwest's words).
const PASSING: [&str; 15] = [
    ": EOF",
    "unexpected EOF",
    "connection closed before message completed",
    "onnection reset",
    "onnection refused",
    "broken pipe",
    "i/o timeout",
    "operation timed out",
    "TLS handshake timeout",
    "Client.Timeout exceeded",
    "Temporary failure in name resolution",
    "server misbehaving",
    "502 Bad Gateway",
    "503 Service Unavailable",
    "504 Gateway Time",
];

/// Whether a fault towards the outside world is one that passes by itself.
pub fn is_passing(error: &Error) -> bool {
    let said = error.facts.join("\n");
    PASSING.iter().any(|words| said.contains(words))
}

/// The waits between the tries of a step towards the outside world: 1, 2, 4 and 8 seconds.
fn waits() -> ExponentialBuilder {
    ExponentialBuilder::new()
        .with_min_delay(Duration::from_secs(1))
        .with_max_times(4)
}

/// Does a step that needs the outside world, and again while its fault is a passing one: a first
/// run on conference wifi is not lost to one dropped connection.
///
/// # Errors
/// The last try's.
pub async fn patiently<T, F>(
    waiting: &(dyn Fn(String) + Send + Sync),
    step: impl FnMut() -> F,
) -> Result<T>
where
    F: Future<Output = Result<T>>,
{
    tried(waits(), waiting, step).await
}

async fn tried<T, F>(
    waits: ExponentialBuilder,
    waiting: &(dyn Fn(String) + Send + Sync),
    step: impl FnMut() -> F,
) -> Result<T>
where
    F: Future<Output = Result<T>>,
{
    let told = |error: &Error, wait: Duration| {
        let reason = error.facts.last().unwrap_or(&error.what);
        waiting(format!("tries again in {}: {reason}", duration(wait)));
    };
    let tries = step.retry(waits).sleep(tokio::time::sleep);
    tries.when(is_passing).notify(told).await
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

/// A client for the outside world: with the system's roots and proxies.
pub fn outside() -> Option<reqwest::Client> {
    reqwest::Client::builder().build().ok()
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

/// A body to its end, or as far as it came and why no further.
pub async fn read(mut response: reqwest::Response) -> (String, Option<String>) {
    let mut bytes = Vec::new();
    loop {
        match response.chunk().await {
            Ok(Some(chunk)) => bytes.extend_from_slice(&chunk),
            Ok(None) => return (String::from_utf8_lossy(&bytes).into_owned(), None),
            Err(error) => {
                return (
                    String::from_utf8_lossy(&bytes).into_owned(),
                    Some(why(&error)),
                );
            }
        }
        // Nothing that we ask for is as long as this.
        if bytes.len() > 4 << 20 {
            let why = "it is longer than 4 MiB".to_string();
            return (String::from_utf8_lossy(&bytes).into_owned(), Some(why));
        }
    }
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

#[cfg(test)]
mod tests {
    use super::*;
    use std::cell::Cell;

    fn fault(said: &str) -> Error {
        Error::new("chart x can't be installed", "helm upgrade").fact(said)
    }

    #[test]
    fn a_lost_connection_passes_and_a_missing_chart_does_not() {
        let passing = [
            "Error: failed to perform \"FetchReference\" on source: Get \"https://r/v2/x\": EOF",
            "Error: dial tcp: lookup r on 10.0.0.1:53: server misbehaving",
            "client error (Connect): Connection reset by peer (os error 104)",
            "response status code 503: 503 Service Unavailable",
        ];
        let lasting = [
            "Error: failed to perform \"FetchReference\" on source: r/x:v9: not found",
            "Error: unable to build kubernetes objects: no matches for kind \"EOFer\"",
            "response status code 401: unauthorized",
        ];
        assert!(passing.iter().all(|said| is_passing(&fault(said))));
        assert!(!lasting.iter().any(|said| is_passing(&fault(said))));
    }

    #[tokio::test]
    async fn a_passing_fault_is_tried_again_and_a_lasting_one_is_told_at_once() {
        let at_once = waits().with_min_delay(Duration::ZERO);
        let tries = Cell::new(0);
        let third = || async {
            tries.set(tries.get() + 1);
            if tries.get() < 3 {
                Err(fault("Get \"https://r\": EOF"))
            } else {
                Ok(tries.get())
            }
        };
        assert_eq!(tried(at_once, &|_| {}, third).await, Ok(3));
        tries.set(0);
        let never = || async {
            tries.set(tries.get() + 1);
            Err::<(), _>(fault("not found"))
        };
        assert!(tried(at_once, &|_| {}, never).await.is_err());
        assert_eq!(tries.get(), 1);
    }

    #[tokio::test]
    async fn a_fault_that_does_not_pass_is_told_after_five_tries() {
        let at_once = waits().with_min_delay(Duration::ZERO);
        let tries = Cell::new(0);
        let never = || async {
            tries.set(tries.get() + 1);
            Err::<(), _>(fault("i/o timeout"))
        };
        let error = tried(at_once, &|_| {}, never).await.unwrap_err();
        assert_eq!(
            (tries.get(), error.facts),
            (5, vec!["i/o timeout".to_string()])
        );
    }
}
