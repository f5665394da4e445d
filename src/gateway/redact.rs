//! Keys that stand where a log or a list of requests would show them.

use sha2::{Digest, Sha256};
use std::borrow::Cow;

/// The first 12 characters of a SHA-256: the same for the same bytes, and no way back to them.
pub(in crate::gateway) fn mark(bytes: &[u8]) -> String {
    let digest = Sha256::digest(bytes);
    digest[..6]
        .iter()
        .map(|byte| format!("{byte:02x}"))
        .collect()
}

/// What stands for a key: the same for the same key.
pub(in crate::gateway) fn hidden(secret: &str) -> String {
    format!("sha256:{}", mark(secret.trim().as_bytes()))
}

/// A query without its keys: Gemini takes its key there too. Any other stays byte for byte.
pub(in crate::gateway) fn query(query: &str) -> Cow<'_, str> {
    let secret = |pair: &str| {
        pair.split_once('=')
            .is_some_and(|(name, _)| names_key(name))
    };
    if !query.split('&').any(secret) {
        return Cow::Borrowed(query);
    }
    let pairs = query.split('&').map(|pair| match pair.split_once('=') {
        Some((name, key)) if names_key(name) => format!("{name}={}", hidden(key)),
        _ => pair.to_string(),
    });
    Cow::Owned(pairs.collect::<Vec<_>>().join("&"))
}

/// A path with its query, as it may be told.
pub(in crate::gateway) fn target(target: &str) -> Cow<'_, str> {
    let Some((path, asked)) = target.split_once('?') else {
        return Cow::Borrowed(target);
    };
    match query(asked) {
        Cow::Borrowed(_) => Cow::Borrowed(target),
        Cow::Owned(asked) => Cow::Owned(format!("{path}?{asked}")),
    }
}

fn names_key(name: &str) -> bool {
    let name = name.to_ascii_lowercase();
    let parts = ["key", "token", "secret", "signature", "password"];
    parts.iter().any(|part| name.contains(part))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_in_the_query_is_not_told() {
        for name in [
            "key",
            "api_key",
            "api-key",
            "access_token",
            "X-Amz-Signature",
        ] {
            let told = target(&format!("/v1?alt=sse&{name}=sk-QUERY&b")).into_owned();
            assert!(!told.contains("QUERY"), "{told}");
            assert!(
                told.starts_with(&format!("/v1?alt=sse&{name}=sha256:")),
                "{told}"
            );
            assert!(told.ends_with("&b"), "{told}");
        }
    }

    #[test]
    fn any_other_query_stays_byte_for_byte() {
        for plain in ["/", "/v1?", "/v1?a=%20b&&c", "/key/token?x=key"] {
            assert_eq!(target(plain), plain);
        }
    }
}
