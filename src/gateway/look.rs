//! What this gateway sees of an address that speaks TLS: connection, handshake and answer, each with a
//! deadline of its own, and with the roots and settings that calls are made with.

use std::future::Future;
use std::io;
use std::time::Duration;

use bytes::Bytes;
use http::Request;
use http::header::HOST;
use http_body_util::{BodyExt, Empty, Limited};
use hyper::client::conn::http1;
use hyper_util::rt::TokioIo;
use rustls::pki_types::ServerName;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;

use super::tls::Tls;
use super::transport::Transport;
use crate::plan::view::{Address, Sight};

/// For each of connection, handshake and answer.
const DEADLINE: Duration = Duration::from_secs(3);
/// Of an answer no more is looked at.
const LONGEST: usize = 4096;
const HTTP: &[u8] = b"http/1.1";

/// How far a request to an address comes.
pub(super) async fn look(address: &Address, tls: &Tls, transport: &Transport) -> Sight {
    let stream = match connect(address).await {
        Ok(stream) => stream,
        Err(error) => return Sight::NoConnection(error.to_string()),
    };
    let config = match transport.config(tls, HTTP).await {
        Ok(config) => config,
        Err(refusal) => return Sight::Unseen(refusal.body),
    };
    let name = match &tls.server_name {
        Some(name) => Ok(name.clone()),
        None => ServerName::try_from(address.host.clone()),
    };
    let Ok(name) = name else {
        return Sight::NoTls(format!("{} is no name for a certificate", address.host));
    };
    let connector = TlsConnector::from(std::sync::Arc::new(config));
    match within(connector.connect(name, stream)).await {
        Ok(stream) => match stream.get_ref().1.alpn_protocol() {
            None | Some(HTTP) => asked(address, stream).await,
            // What speaks another protocol alone has shown its certificate.
            Some(_) => Sight::Answered {
                status: 0,
                body: String::new(),
            },
        },
        Err(error) if error.kind() == io::ErrorKind::TimedOut => Sight::hangs(DEADLINE),
        Err(error) => plainly(address, &error.to_string()).await,
    }
}

async fn within<T>(step: impl Future<Output = io::Result<T>>) -> io::Result<T> {
    let late = || io::Error::from(io::ErrorKind::TimedOut);
    tokio::time::timeout(DEADLINE, step)
        .await
        .unwrap_or_else(|_| Err(late()))
}

async fn connect(address: &Address) -> io::Result<TcpStream> {
    within(TcpStream::connect((address.host.as_str(), address.port))).await
}

/// What failed, and what it says to those who come without TLS.
async fn plainly(address: &Address, failed: &str) -> Sight {
    let plain = match connect(address).await {
        Ok(stream) => Some(asked(address, stream).await),
        Err(_) => None,
    };
    match plain {
        Some(Sight::Answered { status, .. }) => Sight::plain(failed, status),
        _ => Sight::NoTls(failed.to_string()),
    }
}

/// What a GET is answered on a connection that stands.
async fn asked(
    address: &Address,
    stream: impl AsyncRead + AsyncWrite + Unpin + Send + 'static,
) -> Sight {
    let answer = within(async {
        let (mut sender, connection) = http1::handshake(TokioIo::new(stream))
            .await
            .map_err(io::Error::other)?;
        tokio::spawn(connection);
        let request = Request::get(&address.path).header(HOST, address.title());
        let request = request
            .body(Empty::<Bytes>::new())
            .map_err(io::Error::other)?;
        let answer = sender
            .send_request(request)
            .await
            .map_err(io::Error::other)?;
        let status = answer.status().as_u16();
        let body = Limited::new(answer.into_body(), LONGEST).collect().await;
        // A longer one is an answer too.
        let body = body.map(|body| body.to_bytes()).unwrap_or_default();
        Ok((status, String::from_utf8_lossy(&body).into_owned()))
    });
    match answer.await {
        Ok((status, body)) => Sight::Answered { status, body },
        Err(error) if error.kind() == io::ErrorKind::TimedOut => Sight::Silent(DEADLINE),
        // TLS 1.3: what a server thinks of us comes after the handshake.
        Err(error) => match alert(&error) {
            Some(alert) => Sight::NoTls(alert),
            None => Sight::Unseen(format!("it answers no HTTP: {}", innermost(&error))),
        },
    }
}

fn innermost(error: &(dyn std::error::Error + 'static)) -> String {
    let mut last = error;
    while let Some(source) = last.source() {
        last = source;
    }
    last.to_string()
}

fn alert(error: &io::Error) -> Option<String> {
    let said = innermost(error);
    said.contains("fatal alert").then_some(said)
}
