//! What a route wants of its callers, as far as it is at hand.

use crate::secret::Secret;

/// Goes into the Authorization header of a proof.
pub enum Credential {
    /// Nobody is asked.
    None,
    /// The header's value.
    Value(Secret),
    /// Asked for, and not at hand; why.
    Lacking(String),
}

impl Credential {
    /// What it shows, so that it can be kept out of what others say.
    pub fn secret(&self) -> Option<Secret> {
        match self {
            // Without the word before it.
            Credential::Value(secret) => {
                Some(secret.derive(|text| text.rsplit(' ').next().unwrap_or(text).to_string()))
            }
            Credential::None | Credential::Lacking(_) => None,
        }
    }

    pub fn put(&self, request: reqwest::RequestBuilder) -> reqwest::RequestBuilder {
        let value = match self {
            Credential::Value(secret) => secret.expose(),
            Credential::None | Credential::Lacking(_) => return request,
        };
        match reqwest::header::HeaderValue::from_str(value) {
            Ok(mut header) => {
                header.set_sensitive(true);
                request.header(reqwest::header::AUTHORIZATION, header)
            }
            Err(_) => request,
        }
    }
}
