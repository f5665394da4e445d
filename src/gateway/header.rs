//! Header changes: what filters ask for, and what must not travel from one connection to the next.

use http::header::{self, HeaderMap, HeaderName, HeaderValue};
use serde_json::Value;

use super::config::HeaderChange;
use super::object::{list, text, texts};

const KEEP_ALIVE: HeaderName = HeaderName::from_static("keep-alive");
const PROXY_CONNECTION: HeaderName = HeaderName::from_static("proxy-connection");

impl HeaderChange {
    /// Reads `set`, `add` and `remove`; the error says what is no header.
    pub(super) fn read(spec: &Value) -> Result<HeaderChange, String> {
        let header = |name: &str| {
            name.parse::<HeaderName>()
                .map_err(|_| format!("invalid header name {name:?}"))
        };
        let pairs = |field: &str| {
            let pairs = list(spec, &[field]).iter().map(|pair| {
                let value = text(pair, &["value"]);
                // The value itself stays out of the message: it may be a key, and ends up in a status.
                let value = HeaderValue::from_str(value)
                    .map_err(|_| format!("invalid value of header {:?}", text(pair, &["name"])))?;
                Ok((header(text(pair, &["name"]))?, value))
            });
            pairs.collect::<Result<Vec<_>, String>>()
        };
        let removed = texts(spec, &["remove"]);
        Ok(HeaderChange {
            set: pairs("set")?,
            add: pairs("add")?,
            remove: removed
                .iter()
                .map(|name| header(name))
                .collect::<Result<_, _>>()?,
        })
    }

    pub fn apply(&self, headers: &mut HeaderMap) {
        for (name, value) in &self.set {
            headers.insert(name, value.clone());
        }
        for (name, value) in &self.add {
            headers.append(name, value.clone());
        }
        for name in &self.remove {
            headers.remove(name);
        }
    }
}

/// Removes the headers that concern one connection only (RFC 9110, 7.6.1), those that `Connection` names included.
pub(super) fn remove_hop_by_hop(headers: &mut HeaderMap) {
    if let Some(value) = headers.remove(header::CONNECTION) {
        let named = value.to_str().unwrap_or("").split(',');
        for name in named.filter_map(|name| name.trim().parse::<HeaderName>().ok()) {
            // The body's framing and the message's meaning are not the client's to strip.
            if !matches!(
                name,
                header::HOST | header::CONTENT_LENGTH | header::CONTENT_TYPE
            ) {
                headers.remove(name);
            }
        }
    }
    let takes_trailers = headers
        .get(header::TE)
        .and_then(|value| value.to_str().ok())
        .is_some_and(|value| value.contains("trailers"));
    for name in [
        KEEP_ALIVE,
        PROXY_CONNECTION,
        header::TE,
        header::TRANSFER_ENCODING,
        header::UPGRADE,
    ] {
        headers.remove(name);
    }
    // Trailers go through, so whoever takes them may say so.
    if takes_trailers {
        headers.insert(header::TE, HeaderValue::from_static("trailers"));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn connection_headers_stay_behind() {
        let mut headers = HeaderMap::new();
        for (name, value) in [
            ("connection", "close, x-private"),
            ("x-private", "1"),
            ("transfer-encoding", "chunked"),
            ("upgrade", "h2c"),
            ("x-kept", "1"),
        ] {
            headers.insert(name.parse::<HeaderName>().unwrap(), value.parse().unwrap());
        }
        remove_hop_by_hop(&mut headers);
        assert_eq!(headers.len(), 1);
        assert!(headers.contains_key("x-kept"));
    }
}
