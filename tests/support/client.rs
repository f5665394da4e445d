//! A client that sends exactly what it is told to.

use std::collections::BTreeMap;
use std::net::SocketAddr;

use bytes::Bytes;
use http::{Request, Response};
use http_body_util::{BodyExt, Full};
use hyper::body::Incoming;
use hyper_util::rt::TokioIo;
use tokio::net::TcpStream;

pub type Headers = BTreeMap<String, String>;

pub struct Reply {
    pub status: u16,
    pub headers: Headers,
    pub body: String,
}

pub fn headers(map: &http::HeaderMap) -> Headers {
    let pairs = map
        .iter()
        .map(|(name, value)| (name.to_string(), value.to_str().unwrap().to_string()));
    pairs.collect()
}

/// Sends a request and returns as soon as the head of the answer is there.
pub async fn open(
    address: SocketAddr,
    method: &str,
    path: &str,
    given: &[(&str, &str)],
    body: impl Into<Bytes>,
) -> Response<Incoming> {
    let stream = TcpStream::connect(address)
        .await
        .expect("the gateway listens");
    let (mut sender, connection) = hyper::client::conn::http1::handshake(TokioIo::new(stream))
        .await
        .unwrap();
    tokio::spawn(connection);
    let mut request = Request::builder().method(method).uri(path);
    for (name, value) in given {
        request = request.header(*name, *value);
    }
    sender
        .send_request(request.body(Full::new(body.into())).unwrap())
        .await
        .expect("an answer")
}

pub async fn call(
    address: SocketAddr,
    method: &str,
    path: &str,
    given: &[(&str, &str)],
    body: impl Into<Bytes>,
) -> Reply {
    let (parts, body) = open(address, method, path, given, body).await.into_parts();
    let body = body.collect().await.expect("a whole body").to_bytes();
    Reply {
        status: parts.status.as_u16(),
        headers: headers(&parts.headers),
        body: String::from_utf8(body.to_vec()).expect("UTF-8"),
    }
}
