//! The gRPC form: one Check call of Envoy's `auth.v3`.

use std::collections::HashMap;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::time::{SystemTime, UNIX_EPOCH};

use envoy_types::pb::envoy::config::core::v3::address::Address as AddressKind;
use envoy_types::pb::envoy::config::core::v3::socket_address::PortSpecifier;
use envoy_types::pb::envoy::config::core::v3::{Address, Metadata, SocketAddress};
use envoy_types::pb::envoy::service::auth::v3::attribute_context::{HttpRequest, Peer, Request};
use envoy_types::pb::envoy::service::auth::v3::authorization_client::AuthorizationClient;
use envoy_types::pb::envoy::service::auth::v3::check_response::HttpResponse;
use envoy_types::pb::envoy::service::auth::v3::{
    AttributeContext, CheckRequest, CheckResponse, DeniedHttpResponse,
};
use envoy_types::pb::google::protobuf::Timestamp;
use http::header::{COOKIE, HeaderMap};
use http::uri::Authority;
use http::{Response, StatusCode};
use serde_json::Map;

use super::{Body, Verdict, replacing};
use crate::gateway::cel::Expression;
use crate::gateway::config::{Callee, HeaderChange};
use crate::gateway::envoy;
use crate::gateway::exchange::{Exchange, Reply, ReplyBody};
use crate::gateway::forward::with_query;
use crate::gateway::grpc::Channel;
use crate::gateway::host;
use crate::gateway::refusal::Refusal;

/// Under which the claims of a token are known to servers that were written for Envoy.
const JWT: &str = "envoy.filters.http.jwt_authn";

pub(super) async fn ask(
    exchange: &mut Exchange<'_>,
    callee: &Arc<Callee>,
    (context, metadata): (&HashMap<String, String>, &[(String, Expression)]),
    body: Body,
) -> Result<Verdict, Refusal> {
    let mut client = AuthorizationClient::new(Channel::to(exchange.plane, callee));
    let mut attributes = attributes(exchange, context, body);
    attributes.metadata_context = self::metadata(exchange, metadata);
    let attributes = Some(attributes);
    let asked = client.check(CheckRequest { attributes }).await;
    let answer = asked.map_err(|_| Refusal::ext_auth())?;
    verdict(exchange, answer.into_inner())
}

fn verdict(exchange: &mut Exchange<'_>, mut answer: CheckResponse) -> Result<Verdict, Refusal> {
    if let Some(told) = answer.dynamic_metadata.take() {
        exchange.caller.vouch(envoy::fields(told));
    }
    let passes = answer.status.is_none_or(|status| status.code == 0);
    match (passes, answer.http_response) {
        (false, Some(HttpResponse::DeniedResponse(denied))) => {
            Ok(Verdict::Denied(Box::new(reply(denied))))
        }
        (false, _) | (true, Some(HttpResponse::ErrorResponse(_))) => Err(Refusal::ext_auth()),
        (true, Some(HttpResponse::OkResponse(ok))) => {
            envoy::remove(exchange, &ok.headers_to_remove);
            // The host is not this server's to change.
            let own = ok.headers.into_iter().filter(|option| {
                let name = option.header.as_ref().map_or("", |header| &header.key);
                !name.eq_ignore_ascii_case("host")
            });
            envoy::set(exchange, &own.collect::<Vec<_>>());
            let mut added = HeaderMap::new();
            envoy::set(&mut added, &ok.response_headers_to_add);
            Ok(Verdict::Passes(replacing(&added)))
        }
        (true, Some(HttpResponse::DeniedResponse(_)) | None) => {
            Ok(Verdict::Passes(HeaderChange::default()))
        }
    }
}

fn reply(denied: DeniedHttpResponse) -> Reply {
    let code = denied.status.map_or(0, |status| status.code);
    let code = u16::try_from(code).ok().filter(|code| *code >= 200);
    let (mut parts, ()) = Response::new(()).into_parts();
    parts.status = code
        .and_then(|code| StatusCode::from_u16(code).ok())
        .unwrap_or(StatusCode::FORBIDDEN);
    envoy::set(&mut parts.headers, &denied.headers);
    Reply {
        parts,
        body: ReplyBody::Whole(denied.body.into()),
    }
}

/// What the server is told beside the request: what the policy says, else the claims of a token that was proved.
fn metadata(exchange: &Exchange<'_>, named: &[(String, Expression)]) -> Option<Metadata> {
    let mut filter_metadata = HashMap::new();
    if let (true, Some(claims)) = (named.is_empty(), exchange.caller.claims()) {
        let payload = Map::from_iter([("jwt_payload".to_string(), claims.clone().into())]);
        filter_metadata.insert(JWT.to_string(), envoy::structure(&payload));
    }
    let facts = exchange.facts(&[]);
    for (name, expression) in named {
        // One without a value, or whose value is no map, is left out.
        let value = expression.evaluate(&facts).ok().and_then(|v| v.json().ok());
        if let Some(serde_json::Value::Object(fields)) = value {
            filter_metadata.insert(name.clone(), envoy::structure(&fields));
        }
    }
    (!filter_metadata.is_empty()).then(|| Metadata {
        filter_metadata,
        ..Metadata::default()
    })
}

fn attributes(
    exchange: &Exchange<'_>,
    context: &HashMap<String, String>,
    body: Body,
) -> AttributeContext {
    let parts = &exchange.parts;
    let authority = host::authority(parts);
    let port = authority.parse::<Authority>().ok();
    let port = port.and_then(|authority| authority.port_u16());
    let local = SocketAddr::from((Ipv4Addr::LOCALHOST, port.unwrap_or(80)));
    let size = match body.is_whole || body.start.is_empty() {
        true => i64::try_from(body.start.len()).unwrap_or(i64::MAX),
        false => -1,
    };
    let http = HttpRequest {
        id: format!("{:032x}", rand::random::<u128>()),
        method: parts.method.to_string(),
        headers: headers(exchange),
        path: with_query(&exchange.path, parts.uri.query()),
        host: host::host_only(authority),
        scheme: "http".to_string(),
        protocol: format!("{:?}", parts.version),
        size,
        body: String::from_utf8_lossy(&body.start).into_owned(),
        ..HttpRequest::default()
    };
    AttributeContext {
        source: Some(peer(exchange.peer)),
        destination: Some(peer(local)),
        request: Some(Request {
            time: Some(now()),
            http: Some(http),
        }),
        context_extensions: context.clone(),
        ..AttributeContext::default()
    }
}

fn now() -> Timestamp {
    let since = SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .unwrap_or_default();
    Timestamp {
        seconds: i64::try_from(since.as_secs()).unwrap_or(i64::MAX),
        nanos: i32::try_from(since.subsec_nanos()).unwrap_or(0),
    }
}

/// All headers, several values of one name joined as Envoy joins them.
fn headers(exchange: &Exchange<'_>) -> HashMap<String, String> {
    let parts = &exchange.parts;
    let mut joined: HashMap<String, String> = HashMap::new();
    for (name, value) in &parts.headers {
        let value = String::from_utf8_lossy(value.as_bytes());
        let all = joined.entry(name.to_string()).or_default();
        if !all.is_empty() {
            all.push_str(if name == COOKIE { "; " } else { ", " });
        }
        all.push_str(&value);
    }
    let path = with_query(&exchange.path, parts.uri.query());
    for (name, value) in [
        (":method", parts.method.as_str()),
        (":authority", host::authority(parts)),
        (":path", &path),
        (":scheme", "http"),
    ] {
        joined.insert(name.to_string(), value.to_string());
    }
    joined.remove("host");
    joined
}

fn peer(address: SocketAddr) -> Peer {
    let socket = SocketAddress {
        address: address.ip().to_string(),
        port_specifier: Some(PortSpecifier::PortValue(u32::from(address.port()))),
        ..SocketAddress::default()
    };
    Peer {
        address: Some(Address {
            address: Some(AddressKind::SocketAddress(socket)),
        }),
        ..Peer::default()
    }
}
