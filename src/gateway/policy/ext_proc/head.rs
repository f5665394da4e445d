//! The heads of a request and of an answer, as a processor sees and changes them.

use envoy_types::pb::envoy::service::ext_proc::v3::{HeaderMutation, HttpHeaders};
use http::header::{HOST, HeaderMap, HeaderValue};
use http::uri::PathAndQuery;
use http::{Method, StatusCode, Uri, response};

use crate::gateway::envoy::{self, Head};
use crate::gateway::exchange::Exchange;
use crate::gateway::forward::with_query;
use crate::gateway::host;

impl Head for Exchange<'_> {
    fn headers(&mut self) -> &mut HeaderMap {
        &mut self.parts.headers
    }

    fn set_pseudo(&mut self, name: &str, value: &[u8]) {
        match name {
            ":method" => {
                if let Ok(method) = Method::from_bytes(value) {
                    self.parts.method = method;
                }
            }
            ":path" => {
                if let Ok(path) = PathAndQuery::try_from(value) {
                    self.path = path.path().to_string();
                    self.replace_uri(|uri| uri.path_and_query = Some(path));
                }
            }
            ":authority" => {
                if let Ok(value) = HeaderValue::from_bytes(value) {
                    self.parts.headers.insert(HOST, value);
                    self.replace_uri(|uri| {
                        uri.authority = None;
                        uri.scheme = None;
                    });
                }
            }
            _ => {}
        }
    }
}

impl Exchange<'_> {
    fn replace_uri(&mut self, change: impl FnOnce(&mut http::uri::Parts)) {
        let mut parts = self.parts.uri.clone().into_parts();
        change(&mut parts);
        if let Ok(uri) = Uri::from_parts(parts) {
            self.parts.uri = uri;
        }
    }
}

impl Head for response::Parts {
    fn headers(&mut self) -> &mut HeaderMap {
        &mut self.headers
    }

    fn set_pseudo(&mut self, name: &str, value: &[u8]) {
        if let (":status", Ok(status)) = (name, StatusCode::from_bytes(value)) {
            self.status = status;
        }
    }
}

/// A request's head. The Host header goes as `:authority`.
pub(super) fn of_request(exchange: &Exchange<'_>, end_of_stream: bool) -> HttpHeaders {
    let parts = &exchange.parts;
    let path = with_query(&exchange.path, parts.uri.query());
    let pseudo = [
        (":method", parts.method.as_str()),
        (":scheme", parts.uri.scheme_str().unwrap_or("http")),
        (":authority", host::authority(parts)),
        (":path", &path),
    ];
    let mut headers = envoy::header_map(&parts.headers, &pseudo);
    headers.headers.retain(|header| header.key != "host");
    HttpHeaders {
        headers: Some(headers),
        end_of_stream,
        ..HttpHeaders::default()
    }
}

pub(super) fn of_answer(parts: &response::Parts, end_of_stream: bool) -> HttpHeaders {
    let pseudo = [(":status", parts.status.as_str())];
    HttpHeaders {
        headers: Some(envoy::header_map(&parts.headers, &pseudo)),
        end_of_stream,
        ..HttpHeaders::default()
    }
}

pub(super) fn change(head: &mut impl Head, mutation: Option<&HeaderMutation>) {
    if let Some(mutation) = mutation {
        envoy::remove(head, &mutation.remove_headers);
        envoy::set(head, &mutation.set_headers);
    }
}
