//! `traffic.jwtAuthentication`: bearer tokens that an issuer signed (facts 9.7, 17.4; RFC 7519).

use std::fmt;
use std::sync::Arc;
use std::time::SystemTime;

use http::header::{AUTHORIZATION, HeaderMap};
use jsonwebtoken::errors::{Error, ErrorKind};
use jsonwebtoken::{Validation, decode, decode_header};
use serde_json::{Map, Value};

use super::caller::Caller;
use super::credentials;
use super::jwks::{Key, KeySet, RemoteKeys};
use crate::gateway::config::Origin;
use crate::gateway::duration;
use crate::gateway::object::{dig, list, text, text_or, texts};
use crate::gateway::plane::Plane;
use crate::gateway::refusal::Refusal;

/// What becomes of requests without a token, and of those whose token is wrong.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Mode {
    /// Both are refused.
    Strict,
    /// Those without one pass.
    Optional,
    /// Both pass, and nothing is known of the caller.
    Permissive,
}

pub struct Jwt {
    mode: Mode,
    providers: Vec<Provider>,
}

struct Provider {
    issuer: String,
    audiences: Option<Vec<String>>,
    keys: Keys,
}

enum Keys {
    Inline(Arc<KeySet>),
    Remote(RemoteKeys),
}

impl fmt::Debug for Jwt {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let issuers = self.providers.iter().map(|provider| &provider.issuer);
        f.debug_list().entries(issuers).finish()
    }
}

/// What is wrong with a token, in the real proxy's words (facts 17.4).
#[derive(Debug, PartialEq, thiserror::Error)]
enum TokenError {
    #[error("no bearer token found")]
    Missing,
    #[error("the token header is malformed: {0:?}")]
    Header(Error),
    #[error("the token header does not specify a `kid`")]
    NoKeyId,
    #[error("token uses the unknown key {0:?}")]
    UnknownKey(String),
    #[error("the token is invalid or malformed: {0:?}")]
    Invalid(Error),
}

impl Jwt {
    /// Reads the policy; `resolve` finds what the `backendRef` of a remote set means.
    pub(in crate::gateway) fn read(
        spec: &Value,
        resolve: impl Fn(&Value) -> Result<Origin, String>,
    ) -> Result<Jwt, String> {
        let mode = match text_or(spec, &["mode"], "Strict") {
            "Strict" => Mode::Strict,
            "Optional" => Mode::Optional,
            "Permissive" => Mode::Permissive,
            other => return Err(format!("unsupported JWT mode {other:?}")),
        };
        let providers = list(spec, &["providers"]).iter().map(|provider| {
            let audiences = texts(provider, &["audiences"]);
            Ok(Provider {
                issuer: text(provider, &["issuer"]).to_string(),
                audiences: (!audiences.is_empty()).then_some(audiences),
                keys: Keys::read(dig(provider, &["jwks"]), &resolve)?,
            })
        });
        Ok(Jwt {
            mode,
            providers: providers.collect::<Result<_, String>>()?,
        })
    }

    /// Lets a request pass, without the token that it was let in by.
    pub(in crate::gateway) async fn check(
        &self,
        headers: &mut HeaderMap,
        caller: &mut Caller,
        plane: &Plane,
    ) -> Result<(), Refusal> {
        let token = credentials(headers, "Bearer").map(|token| token.trim_start().to_string());
        let Some(token) = token else {
            return match self.mode {
                Mode::Strict => Err(refused(&TokenError::Missing)),
                Mode::Optional | Mode::Permissive => Ok(()),
            };
        };
        match self.verify(&token, plane).await {
            Ok(claims) => {
                if let Some(mut header) = headers.remove(AUTHORIZATION) {
                    header.set_sensitive(true);
                    caller.prove_token(claims, header);
                }
                Ok(())
            }
            Err(_) if self.mode == Mode::Permissive => Ok(()),
            Err(error) => Err(refused(&error)),
        }
    }

    async fn verify(&self, token: &str, plane: &Plane) -> Result<Map<String, Value>, TokenError> {
        let header = decode_header(token).map_err(TokenError::Header)?;
        let id = header.kid.ok_or(TokenError::NoKeyId)?;
        for provider in &self.providers {
            let keys = match &provider.keys {
                Keys::Inline(keys) => Arc::clone(keys),
                Keys::Remote(remote) => plane.keys().keys(remote, plane.transport()).await,
            };
            if let Some(key) = keys.get(&id) {
                return provider.claims(token, key, plane.now());
            }
        }
        Err(TokenError::UnknownKey(id))
    }
}

fn refused(error: &TokenError) -> Refusal {
    Refusal::jwt(error)
}

impl Provider {
    /// The claims of a token of this issuer. Issuer and audience are compared where the token names
    /// them; it must expire (as `jsonwebtoken` validates for the real proxy).
    fn claims(
        &self,
        token: &str,
        key: &Key,
        now: Option<SystemTime>,
    ) -> Result<Map<String, Value>, TokenError> {
        let read = |validation: &Validation| {
            let decoded = decode::<Map<String, Value>>(token, &key.decoding, validation);
            decoded.map(|data| data.claims).map_err(TokenError::Invalid)
        };
        let mut validation = Validation {
            algorithms: key.algorithms.clone(),
            ..Validation::default()
        };
        validation.set_issuer(&[&self.issuer]);
        match &self.audiences {
            Some(audiences) => validation.set_audience(audiences),
            None => validation.validate_aud = false,
        }
        if let Some(now) = now {
            validation.validate_exp = false;
            let mut time_only = validation.clone();
            (time_only.iss, time_only.validate_aud) = (None, false);
            if has_expired(&read(&time_only)?, now, validation.leeway) {
                return Err(TokenError::Invalid(ErrorKind::ExpiredSignature.into()));
            }
        }
        read(&validation)
    }
}

fn has_expired(claims: &Map<String, Value>, now: SystemTime, leeway: u64) -> bool {
    let now = now
        .duration_since(SystemTime::UNIX_EPOCH)
        .unwrap_or_default();
    let end = claims.get("exp").and_then(Value::as_u64).unwrap_or(0);
    end < now.as_secs().saturating_sub(leeway)
}

impl Keys {
    fn read(
        spec: &Value,
        resolve: impl Fn(&Value) -> Result<Origin, String>,
    ) -> Result<Keys, String> {
        let remote = dig(spec, &["remote"]);
        if remote.is_null() {
            let keys = KeySet::read(text(spec, &["inline"]).as_bytes())?;
            return Ok(Keys::Inline(Arc::new(keys)));
        }
        let origin = resolve(remote)?;
        let path = text(remote, &["jwksPath"]).trim_start_matches('/');
        Ok(Keys::Remote(RemoteKeys {
            origin: Arc::new(origin),
            path: format!("/{path}").into(),
            lifetime: duration::parse(text_or(remote, &["cacheDuration"], "5m"))
                .ok_or("invalid cacheDuration")?,
        }))
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashMap;
    use std::io;

    use base64::Engine;
    use base64::engine::general_purpose::URL_SAFE_NO_PAD;
    use proptest::prelude::{any, proptest};
    use serde_json::json;

    use super::*;
    use crate::gateway::log::Log;
    use crate::gateway::resolver::Resolver;
    use crate::gateway::transport::Transport;

    const JWKS: &str = r#"{"keys": [{"kty": "EC", "crv": "P-256", "kid": "k", "alg": "ES256",
        "x": "8g5TigAGgmgy5AF6wHtiClRgJu9TBgG22JOsB44gbFk", "y": "BwsTRyMz2yEMlO7AJno34X-pZODTcmzyT4yBA50N-x4"}]}"#;

    fn read(spec: &Value) -> Result<Jwt, String> {
        Jwt::read(spec, |_| Err("no such backend".to_string()))
    }

    fn inline(jwks: &str) -> Value {
        json!({"providers": [{"issuer": "https://i", "jwks": {"inline": jwks}}]})
    }

    #[test]
    fn mistakes_are_named() {
        let remote = json!({"providers": [{"issuer": "i", "jwks": {"remote": {"jwksPath": "k", "backendRef": {"name": "b"}}}}]});
        let table = [
            (inline("nonsense"), "failed to parse JWKS"),
            (inline("{}"), "failed to parse JWKS"),
            (json!({"mode": "Perhaps", "providers": []}), "Perhaps"),
            (remote, "no such backend"),
        ];
        for (spec, expected) in table {
            let error = read(&spec).unwrap_err();
            assert!(error.contains(expected), "{error}");
        }
        // A key that can't verify anything leaves the others as they are (RFC 7517, 5).
        let mixed = r#"{"keys": [{"kty": "oct", "k": "c2VjcmV0", "kid": "s"}, {"kty": "RSA", "n": "AQAB", "e": "AQAB"}]}"#;
        assert!(read(&inline(mixed)).is_ok());
        assert_eq!(
            format!("{:?}", read(&inline(JWKS)).unwrap()),
            r#"["https://i"]"#
        );
    }

    /// Heads and bodies of tokens, more often right than random bytes are.
    fn token(header: &str, payload: &[u8], signature: &[u8]) -> String {
        let parts = [header.as_bytes(), payload, signature];
        parts.map(|part| URL_SAFE_NO_PAD.encode(part)).join(".")
    }

    proptest! {
        #[test]
        fn no_bytes_are_a_token_and_none_panic(text in any::<String>(), bytes in any::<Vec<u8>>()) {
            let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
            let (log, _writer) = Log::start(Box::new(io::sink())).unwrap();
            let transport = Transport::new(Resolver::new(HashMap::new()), None);
            let plane = Plane::new(transport, log, None);
            let jwt = read(&inline(JWKS)).unwrap();
            let heads = [r#"{"alg":"ES256","kid":"k"}"#, r#"{"alg":"none","kid":"k"}"#, r#"{"alg":"HS256","kid":"k"}"#, &text];
            let tokens = heads.map(|head| token(head, text.as_bytes(), &bytes));
            for token in tokens.iter().chain([&text]) {
                assert!(runtime.block_on(jwt.verify(token, &plane)).is_err());
            }
            let _ = KeySet::read(&bytes);
        }
    }
}
