//! Google's application default credentials: a file of a service account or of a person, exchanged for
//! an access token that is kept until it expires.

use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use bytes::Bytes;
use http::header::{CONTENT_TYPE, HeaderValue};
use http::{Method, Request, Uri};
use jsonwebtoken::{Algorithm, EncodingKey, Header};
use serde::{Deserialize, Serialize};
use url::form_urlencoded::Serializer;

use super::Surroundings;
use crate::gateway::body::{self, AnyBody};
use crate::gateway::clock;
use crate::gateway::config::Origin;
use crate::gateway::tls::Tls;
use crate::gateway::transport::Transport;

const SCOPE: &str = "https://www.googleapis.com/auth/cloud-platform";
const TOKEN_URI: &str = "https://oauth2.googleapis.com/token";
const ANSWER_LIMIT: usize = 64 << 10;
/// A token is not used in its last minute: the call takes time too.
const SPARE: Duration = Duration::from_secs(60);

/// The access token of this moment.
#[derive(Default)]
pub struct Account {
    token: Mutex<Option<(HeaderValue, Instant)>>,
}

impl std::fmt::Debug for Account {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Account")
    }
}

/// The file, by its `type`.
#[derive(Deserialize)]
#[serde(tag = "type", rename_all = "snake_case")]
enum File {
    ServiceAccount {
        client_email: String,
        private_key: String,
        token_uri: Option<String>,
    },
    AuthorizedUser {
        client_id: String,
        client_secret: String,
        refresh_token: String,
    },
    #[serde(other)]
    Other,
}

#[derive(Serialize)]
struct Claims<'a> {
    iss: &'a str,
    scope: &'a str,
    aud: &'a str,
    iat: u64,
    exp: u64,
}

#[derive(Deserialize)]
struct Granted {
    access_token: String,
    expires_in: u64,
}

impl Account {
    /// The Authorization header; the error never has a secret in it.
    pub(in crate::gateway) async fn header(
        &self,
        transport: &Transport,
        surroundings: &Surroundings<'_>,
    ) -> Result<HeaderValue, String> {
        if let Some(header) = self.kept(Instant::now()) {
            return Ok(header);
        }
        let (uri, form) = exchange(&read(surroundings).await?)?;
        let granted = granted(transport, &uri, form).await?;
        let mut header = HeaderValue::from_str(&format!("Bearer {}", granted.access_token))
            .map_err(|_| "the access token is no header".to_string())?;
        header.set_sensitive(true);
        let until = Instant::now() + Duration::from_secs(granted.expires_in.min(86_400));
        *self.token.lock().unwrap_or_else(PoisonError::into_inner) = Some((header.clone(), until));
        Ok(header)
    }

    fn kept(&self, now: Instant) -> Option<HeaderValue> {
        let token = self.token.lock().unwrap_or_else(PoisonError::into_inner);
        let (header, until) = token.as_ref()?;
        (now + SPARE < *until).then(|| header.clone())
    }
}

async fn read(surroundings: &Surroundings<'_>) -> Result<File, String> {
    const USUAL: &str = ".config/gcloud/application_default_credentials.json";
    let missing = || {
        "no Google credentials: neither GOOGLE_APPLICATION_CREDENTIALS nor `gcloud auth application-default login` names a file".to_string()
    };
    let path = surroundings
        .file("GOOGLE_APPLICATION_CREDENTIALS", USUAL)
        .ok_or_else(missing)?;
    let text = tokio::fs::read(path).await.map_err(|_| missing())?;
    // serde's own words could quote the file.
    serde_json::from_slice(&text)
        .map_err(|_| "the file of Google credentials can't be read".to_string())
}

/// What is asked for a token, and with what form.
fn exchange(file: &File) -> Result<(String, String), String> {
    let mut form = Serializer::new(String::new());
    match file {
        File::ServiceAccount { client_email, private_key, token_uri } => {
            let uri = token_uri.as_deref().unwrap_or(TOKEN_URI);
            let now = clock::unix();
            let claims = Claims { iss: client_email, scope: SCOPE, aud: uri, iat: now, exp: now + 3600 };
            let key = EncodingKey::from_rsa_pem(private_key.as_bytes());
            let key = key.map_err(|_| "the private key of the Google service account is malformed".to_string())?;
            let assertion = jsonwebtoken::encode(&Header::new(Algorithm::RS256), &claims, &key);
            let assertion = assertion.map_err(|_| "the Google service account can't sign".to_string())?;
            form.append_pair("grant_type", "urn:ietf:params:oauth:grant-type:jwt-bearer");
            form.append_pair("assertion", &assertion);
            Ok((uri.to_string(), form.finish()))
        }
        File::AuthorizedUser { client_id, client_secret, refresh_token } => {
            form.append_pair("grant_type", "refresh_token");
            form.append_pair("client_id", client_id);
            form.append_pair("client_secret", client_secret);
            form.append_pair("refresh_token", refresh_token);
            Ok((TOKEN_URI.to_string(), form.finish()))
        }
        File::Other => Err("Google credentials of this type are not supported: a service account's or a person's are".to_string()),
    }
}

async fn granted(transport: &Transport, uri: &str, form: String) -> Result<Granted, String> {
    let (origin, path) =
        origin(uri).ok_or("the token_uri of the Google credentials is no address")?;
    let request = Request::builder()
        .method(Method::POST)
        .uri(path)
        .header(http::header::HOST, origin.endpoint.as_ref())
        .header(CONTENT_TYPE, "application/x-www-form-urlencoded")
        .body(AnyBody::whole(Bytes::from(form)))
        .map_err(|error| error.to_string())?;
    let answer = transport
        .send(&origin, request)
        .await
        .map_err(|refusal| refusal.body)?;
    let status = answer.status();
    let body = body::read(answer.into_body(), ANSWER_LIMIT).await;
    let granted = body
        .ok()
        .and_then(|body| serde_json::from_slice(&body).ok());
    granted.ok_or_else(|| format!("{uri} gave no access token: {status}"))
}

fn origin(uri: &str) -> Option<(Origin, String)> {
    let uri: Uri = uri.parse().ok()?;
    let authority = uri.authority()?.clone();
    let tls = uri.scheme_str() == Some("https");
    let origin = Origin {
        endpoint: authority.as_str().into(),
        dial: vec![authority],
        host: None,
        tls: tls.then(Tls::default),
        http2: false,
    };
    Some((origin, uri.path().to_string()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::collection::vec;
    use proptest::prelude::{any, proptest};

    #[test]
    fn a_persons_file_is_exchanged_by_its_refresh_token() {
        let file = r#"{"type":"authorized_user","client_id":"i","client_secret":"s","refresh_token":"r/1"}"#;
        let (uri, form) = exchange(&serde_json::from_str(file).unwrap()).unwrap();
        assert_eq!(uri, TOKEN_URI);
        assert_eq!(
            form,
            "grant_type=refresh_token&client_id=i&client_secret=s&refresh_token=r%2F1"
        );
    }

    #[test]
    fn no_error_has_a_secret_in_it() {
        let files = [
            r#"{"type":"service_account","client_email":"e","private_key":"hunter2"}"#,
            r#"{"type":"external_account","private_key":"hunter2"}"#,
        ];
        for file in files {
            let error = exchange(&serde_json::from_str(file).unwrap()).unwrap_err();
            assert!(!error.contains("hunter2"), "{error}");
        }
    }

    #[tokio::test]
    async fn a_file_that_is_not_there_is_told_with_what_to_do() {
        let error = read(&Surroundings {
            variable: &|_| None,
        })
        .await
        .map(|_| ())
        .unwrap_err();
        assert!(
            error.contains("gcloud auth application-default login"),
            "{error}"
        );
    }

    #[test]
    fn a_token_is_kept_until_its_last_minute() {
        let account = Account::default();
        let now = Instant::now();
        *account.token.lock().unwrap() = Some((
            HeaderValue::from_static("Bearer t"),
            now + Duration::from_secs(100),
        ));
        assert!(account.kept(now).is_some());
        assert!(account.kept(now + Duration::from_secs(41)).is_none());
    }

    proptest! {
        #[test]
        fn nothing_panics_on_any_file(bytes in vec(any::<u8>(), 0..100)) {
            if let Ok(file) = serde_json::from_slice::<File>(&bytes) {
                let _ = exchange(&file);
            }
        }
    }
}
