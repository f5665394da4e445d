//! The last resort for a service that listens on loopback only: a relay on the bridge's address
//! that takes only the cluster network's sources and passes only what inference needs.

use crate::host::subnet::Subnet;
use http_body_util::combinators::BoxBody;
use http_body_util::{BodyExt, Full};
use hyper::body::{Bytes, Incoming};
use hyper::service::service_fn;
use hyper::{Method, Request, Response, StatusCode, Uri};
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use std::convert::Infallible;
use std::net::{SocketAddr, SocketAddrV4};
use std::time::Duration;
use tokio::net::{TcpListener, TcpStream};

type Body = BoxBody<Bytes, hyper::Error>;

/// What is passed: inference, and listing of models; never pull, create, copy, push or delete.
/// OpenAI's and Ollama's own paths (github.com/ollama/ollama docs/api.md, docs/openai.md).
const PASSED: [(Method, &str); 14] = [
    (Method::GET, "/"),
    (Method::GET, "/api/version"),
    (Method::GET, "/api/tags"),
    (Method::GET, "/api/ps"),
    (Method::POST, "/api/show"),
    (Method::POST, "/api/chat"),
    (Method::POST, "/api/generate"),
    (Method::POST, "/api/embed"),
    (Method::POST, "/api/embeddings"),
    (Method::GET, "/v1/models"),
    (Method::POST, "/v1/chat/completions"),
    (Method::POST, "/v1/completions"),
    (Method::POST, "/v1/embeddings"),
    (Method::POST, "/v1/responses"),
];

#[derive(Debug, Clone)]
pub struct Relay {
    /// The bridge's address; port 0 takes any free one.
    pub listen: SocketAddrV4,
    pub to: SocketAddrV4,
    pub allow: Subnet,
    /// Whether every path is passed: an MCP server is there to be reached as it is, and so is our
    /// own mock.
    pub whole: bool,
    /// Whether bytes are passed as they come: gRPC is no HTTP/1.1.
    pub raw: bool,
}

impl Relay {
    /// Serves until the process is ended.
    pub async fn serve(
        self,
        listener: TcpListener,
        log: impl Fn(String) + Clone + Send + Sync + 'static,
    ) {
        let client: Client<HttpConnector, Incoming> =
            Client::builder(TokioExecutor::new()).build_http();
        loop {
            let Ok((stream, peer)) = listener.accept().await else {
                // Out of file descriptors: others must end first.
                tokio::time::sleep(Duration::from_millis(50)).await;
                continue;
            };
            if !self.allow.contains(peer.ip()) {
                log(format!("refused source {}", peer.ip()));
                continue;
            }
            let relay = self.clone();
            if relay.raw {
                tokio::spawn(pipe(stream, relay.to));
                continue;
            }
            tokio::spawn(connection(stream, relay, client.clone(), log.clone()));
        }
    }
}

/// Both ways until one side ends. A side that goes away is no fault of ours.
async fn pipe(mut stream: TcpStream, to: SocketAddrV4) {
    if let Ok(mut other) = TcpStream::connect(SocketAddr::V4(to)).await {
        let _ = tokio::io::copy_bidirectional(&mut stream, &mut other).await;
    }
}

async fn connection(
    stream: TcpStream,
    relay: Relay,
    client: Client<HttpConnector, Incoming>,
    log: impl Fn(String) + Clone,
) {
    let service = service_fn(|request: Request<Incoming>| {
        let (client, log, relay) = (client.clone(), log.clone(), relay.clone());
        async move {
            let line = format!("{} {}", request.method(), request.uri().path());
            let passed = relay.whole || is_passed(request.method(), request.uri().path());
            let response = match passed {
                true => forward(request, relay.to, &client).await,
                false => answer(
                    StatusCode::FORBIDDEN,
                    format!("gatewright relay: {line} is not passed on\n"),
                ),
            };
            log(format!("{line} {}", response.status().as_u16()));
            Ok::<_, Infallible>(response)
        }
    });
    let mut server = hyper::server::conn::http1::Builder::new();
    server
        .timer(TokioTimer::new())
        .header_read_timeout(Duration::from_secs(30));
    // A client that goes away is no fault of ours.
    let _ = server.serve_connection(TokioIo::new(stream), service).await;
}

/// Exactly the listed paths: anything with dots or escapes in it is another path.
fn is_passed(method: &Method, path: &str) -> bool {
    let method = if method == Method::HEAD {
        &Method::GET
    } else {
        method
    };
    PASSED.iter().any(|(m, p)| m == method && *p == path)
}

async fn forward(
    mut request: Request<Incoming>,
    to: SocketAddrV4,
    client: &Client<HttpConnector, Incoming>,
) -> Response<Body> {
    let target = request
        .uri()
        .path_and_query()
        .map_or("/", |path| path.as_str());
    let Ok(uri) = format!("http://{to}{target}").parse::<Uri>() else {
        return answer(
            StatusCode::BAD_REQUEST,
            "gatewright relay: the path can't be read\n".to_string(),
        );
    };
    *request.uri_mut() = uri;
    match client.request(request).await {
        Ok(response) => response.map(BodyExt::boxed),
        Err(error) => answer(
            StatusCode::BAD_GATEWAY,
            format!("gatewright relay: {to}: {}\n", crate::error::chain(&error)),
        ),
    }
}

fn answer(status: StatusCode, text: String) -> Response<Body> {
    let body = Full::new(Bytes::from(text))
        .map_err(|never| match never {})
        .boxed();
    let mut response = Response::new(body);
    *response.status_mut() = status;
    response
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn inference_and_listing_pass_and_nothing_that_changes_models() {
        assert!(is_passed(&Method::POST, "/v1/chat/completions"));
        assert!(is_passed(&Method::HEAD, "/"));
        assert!(is_passed(&Method::GET, "/api/tags"));
        for path in [
            "/api/pull",
            "/api/create",
            "/api/delete",
            "/api/push",
            "/api/copy",
            "/api/blobs/x",
        ] {
            for method in [Method::GET, Method::POST, Method::DELETE, Method::PUT] {
                assert!(!is_passed(&method, path), "{method} {path}");
            }
        }
        for path in [
            "/v1/models/../../api/pull",
            "/v1//models",
            "/%61pi/pull",
            "/api/tags/",
        ] {
            assert!(!is_passed(&Method::POST, path), "{path}");
        }
    }
}
