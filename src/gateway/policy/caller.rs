//! Who a request comes from, as far as authentication found out; what expressions call `jwt`, `apiKey` and `basicAuth`.

use std::fmt;
use std::sync::Arc;

use http::header::HeaderValue;
use serde_json::{Map, Value};

/// What was proved by the credentials that were shown.
#[derive(Clone, Default)]
pub struct Caller {
    claims: Option<Arc<Map<String, Value>>>,
    token: Option<HeaderValue>,
    key: Option<Arc<Map<String, Value>>>,
    user: Option<Arc<str>>,
    vouched: Option<Arc<Map<String, Value>>>,
}

/// Claims are about a person, and a token is a secret: neither is for printing.
impl fmt::Debug for Caller {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Caller")
    }
}

impl Caller {
    /// The claims of a token that was verified, and the Authorization header that it came in.
    pub fn prove_token(&mut self, claims: Map<String, Value>, header: HeaderValue) {
        self.claims = Some(Arc::new(claims));
        self.token = Some(header);
    }

    /// The metadata of the API key that was shown.
    pub fn prove_key(&mut self, metadata: Arc<Map<String, Value>>) {
        self.key = Some(metadata);
    }

    pub fn prove_user(&mut self, user: &str) {
        self.user = Some(user.into());
    }

    /// What an authorization server has said of the request; a later one adds to it.
    pub fn vouch(&mut self, said: Map<String, Value>) {
        if said.is_empty() {
            return;
        }
        let mut all = self
            .vouched
            .take()
            .map(Arc::unwrap_or_clone)
            .unwrap_or_default();
        all.extend(said);
        self.vouched = Some(Arc::new(all));
    }

    pub fn vouched(&self) -> Option<&Map<String, Value>> {
        self.vouched.as_deref()
    }

    pub fn claims(&self) -> Option<&Map<String, Value>> {
        self.claims.as_deref()
    }

    /// The header of a verified token, which `passthrough` sends on (facts 5).
    pub fn token(&self) -> Option<&HeaderValue> {
        self.token.as_ref()
    }

    pub fn key_metadata(&self) -> Option<&Map<String, Value>> {
        self.key.as_deref()
    }

    pub fn user(&self) -> Option<&str> {
        self.user.as_deref()
    }
}
