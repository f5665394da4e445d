//! Connections that change their protocol, such as to WebSocket: after the upstream's 101 both sides are joined.

use std::sync::Arc;

use http::header::{CONNECTION, HeaderMap, HeaderValue, UPGRADE};
use http::{Request, Response};
use hyper::body::Incoming;
use hyper::upgrade::OnUpgrade;
use hyper_util::rt::TokioIo;
use tokio::io::copy_bidirectional;
use tokio::sync::Semaphore;

use super::body::AnyBody;
use super::exchange::{Reply, ReplyBody};
use super::record::Record;
use super::refusal::Refusal;

/// What a client asked its connection to become.
pub(super) struct Upgrade {
    kind: HeaderValue,
    client: OnUpgrade,
}

/// Both sides of a connection that is being upgraded.
pub(super) struct Tunnel {
    client: OnUpgrade,
    upstream: OnUpgrade,
}

/// The protocol that a head names, if its Connection header says so (RFC 9110, 7.8).
pub(super) fn kind(headers: &HeaderMap) -> Option<HeaderValue> {
    let named = headers.get(CONNECTION)?.to_str().ok()?;
    let is_upgrade = |token: &str| token.trim().eq_ignore_ascii_case("upgrade");
    let wanted = headers.get(UPGRADE)?;
    named.split(',').any(is_upgrade).then(|| wanted.clone())
}

/// Puts back what the removal of connection headers took.
pub(super) fn keep(headers: &mut HeaderMap, kind: HeaderValue) {
    headers.insert(CONNECTION, HeaderValue::from_static("upgrade"));
    headers.insert(UPGRADE, kind);
}

impl Upgrade {
    pub fn asked(request: &mut Request<Incoming>) -> Option<Upgrade> {
        let kind = kind(request.headers())?;
        let client = hyper::upgrade::on(request);
        Some(Upgrade { kind, client })
    }

    /// Asks the upstream for the same.
    pub fn write(&self, headers: &mut HeaderMap) {
        keep(headers, self.kind.clone());
    }
}

/// What an upstream's 101 comes to.
pub(super) fn accept(
    asked: Option<Upgrade>,
    mut answer: Response<AnyBody>,
) -> Result<Reply, Refusal> {
    let Some(asked) = asked else {
        return Err(Refusal::upgrade(None, None));
    };
    let given = kind(answer.headers());
    let is_same =
        |given: &HeaderValue| given.as_bytes().eq_ignore_ascii_case(asked.kind.as_bytes());
    if !given.as_ref().is_some_and(is_same) {
        return Err(Refusal::upgrade(Some(&asked.kind), given.as_ref()));
    }
    let tunnel = Tunnel {
        client: asked.client,
        upstream: hyper::upgrade::on(&mut answer),
    };
    let (parts, _) = answer.into_parts();
    Ok(Reply {
        parts,
        body: ReplyBody::Upgraded(tunnel),
    })
}

impl Tunnel {
    /// Joins both sides until one ends. The connection counts among those that are served, where there is room.
    pub fn join(self, record: Record, connections: &Arc<Semaphore>) {
        let permit = connections.clone().try_acquire_owned().ok();
        tokio::spawn(async move {
            if let (Ok(client), Ok(upstream)) = tokio::join!(self.client, self.upstream) {
                let (mut client, mut upstream) = (TokioIo::new(client), TokioIo::new(upstream));
                // How a tunnel ends is its users' affair.
                let _ = copy_bidirectional(&mut client, &mut upstream).await;
            }
            drop((record, permit));
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_connection_header_makes_an_upgrade() {
        let table = [
            (Some("Upgrade"), Some("websocket"), true),
            (Some("keep-alive, upgrade"), Some("websocket"), true),
            (Some("keep-alive"), Some("websocket"), false),
            (None, Some("websocket"), false),
            (Some("upgrade"), None, false),
        ];
        for (connection, upgrade, expected) in table {
            let mut headers = HeaderMap::new();
            for (name, value) in [(CONNECTION, connection), (UPGRADE, upgrade)] {
                if let Some(value) = value {
                    headers.insert(name, HeaderValue::from_static(value));
                }
            }
            assert_eq!(
                kind(&headers).is_some(),
                expected,
                "{connection:?} {upgrade:?}"
            );
        }
    }
}
