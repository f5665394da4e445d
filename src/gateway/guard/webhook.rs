//! Guards by webhook: the prompt, or the answer, is shown to a service that lets it pass, rewrites
//! it or refuses it.

use bytes::Bytes;
use http::header::{
    AUTHORIZATION, CONTENT_LENGTH, CONTENT_TYPE, HOST, HeaderMap, HeaderName, HeaderValue,
};
use http::{Method, Request, StatusCode};
use regex::Regex;
use serde::{Deserialize, Serialize};

use super::{Failed, Said};
use crate::gateway::body::{self, AnyBody};
use crate::gateway::config::{Auth, Callee, Origin};
use crate::gateway::transport::Transport;

/// The longest verdict that is read; a masked prompt comes back whole.
const VERDICT_LIMIT: usize = 4 << 20;

/// `webhook` of a guard.
#[derive(Debug)]
pub struct Webhook {
    pub callee: Callee,
    /// Headers that go along, where they have these values.
    pub forwarded: Vec<(HeaderName, Wanted)>,
}

/// The value that a header must have to go along.
#[derive(Debug)]
pub enum Wanted {
    Exact(String),
    /// Anchored at both ends.
    Regex(Regex),
}

/// What the service wants done.
#[derive(Debug, PartialEq, Eq)]
pub enum Action {
    Pass,
    Mask(Vec<Said>),
    Reject(StatusCode, String),
}

/// Which side of a call the service is asked about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Side {
    Request,
    Response,
}

#[derive(Serialize)]
struct Question<T> {
    body: T,
}

#[derive(Serialize, Deserialize)]
struct Messages {
    messages: Vec<Said>,
}

#[derive(Serialize, Deserialize)]
struct Choices {
    choices: Vec<Choice>,
}

#[derive(Serialize, Deserialize)]
struct Choice {
    message: Said,
}

#[derive(Deserialize)]
struct Verdict {
    action: Wish,
}

/// Told apart by their fields: there is no tag.
#[derive(Deserialize)]
#[serde(untagged)]
enum Wish {
    Mask { body: Masked },
    Reject { body: String, status_code: u16 },
    Pass {},
}

#[derive(Deserialize)]
#[serde(untagged)]
enum Masked {
    Messages(Messages),
    Choices(Choices),
}

impl Webhook {
    /// Asks the service. Anything but a verdict is a failure.
    pub(in crate::gateway) async fn ask(
        &self,
        transport: &Transport,
        side: Side,
        said: Vec<Said>,
        headers: &HeaderMap,
    ) -> Result<Action, Failed> {
        let origin = self.callee.origin.as_ref().ok_or(Failed)?;
        let request = self.request(origin, side, said, headers)?;
        let answer = transport.send(origin, request).await;
        let (_, body) = answer.map_err(|_| Failed)?.into_parts();
        let bytes = body::read(body, VERDICT_LIMIT).await;
        verdict(side, &bytes.map_err(|_| Failed)?)
    }

    fn request(
        &self,
        origin: &Origin,
        side: Side,
        said: Vec<Said>,
        headers: &HeaderMap,
    ) -> Result<Request<AnyBody>, Failed> {
        let (path, body) = match side {
            Side::Request => {
                let body = Messages { messages: said };
                ("/request", serde_json::to_vec(&Question { body }))
            }
            Side::Response => {
                let choices = said.into_iter().map(|message| Choice { message });
                let body = Choices {
                    choices: choices.collect(),
                };
                ("/response", serde_json::to_vec(&Question { body }))
            }
        };
        let body = AnyBody::whole(Bytes::from(body.map_err(|_| Failed)?));
        let mut request = Request::new(body);
        *request.method_mut() = Method::POST;
        *request.uri_mut() = path.parse().map_err(|_| Failed)?;
        let wanted = self.forwarded.iter().filter_map(|(name, wanted)| {
            let value = headers.get(name)?;
            (name != CONTENT_LENGTH && wanted.is(value)).then(|| (name.clone(), value.clone()))
        });
        let own = request.headers_mut();
        own.extend(wanted);
        own.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
        let host = match &origin.host {
            Some(host) => host.clone(),
            None => HeaderValue::from_str(&origin.endpoint).map_err(|_| Failed)?,
        };
        own.insert(HOST, host);
        if let Some(Auth::Bearer(key)) = &self.callee.auth {
            own.insert(AUTHORIZATION, key.clone());
        }
        Ok(request)
    }
}

impl Wanted {
    fn is(&self, value: &HeaderValue) -> bool {
        match self {
            Wanted::Exact(wanted) => value == wanted.as_str(),
            Wanted::Regex(regex) => value.to_str().is_ok_and(|value| regex.is_match(value)),
        }
    }
}

fn verdict(side: Side, body: &[u8]) -> Result<Action, Failed> {
    let Verdict { action } = serde_json::from_slice(body).map_err(|_| Failed)?;
    match (action, side) {
        (Wish::Pass {}, _) => Ok(Action::Pass),
        (Wish::Reject { body, status_code }, _) => {
            let status = StatusCode::from_u16(status_code).map_err(|_| Failed)?;
            Ok(Action::Reject(status, body))
        }
        (Wish::Mask { body }, side) => match (body, side) {
            (Masked::Messages(body), Side::Request) => Ok(Action::Mask(body.messages)),
            (Masked::Choices(body), Side::Response) => {
                let said = body.choices.into_iter().map(|choice| choice.message);
                Ok(Action::Mask(said.collect()))
            }
            (Masked::Messages(_), Side::Response) | (Masked::Choices(_), Side::Request) => {
                Err(Failed)
            }
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::collection::vec;
    use proptest::prelude::{any, proptest};

    fn said(role: &str, content: &str) -> Said {
        Said {
            role: role.to_string(),
            content: content.to_string(),
        }
    }

    #[test]
    fn verdicts_are_told_apart_by_their_fields() {
        let reject = r#"{"action":{"body":"no","status_code":403,"reason":"r"}}"#;
        let messages =
            r#"{"action":{"body":{"messages":[{"role":"user","content":"x"}]},"reason":"r"}}"#;
        let choices =
            r#"{"action":{"body":{"choices":[{"message":{"role":"assistant","content":"y"}}]}}}"#;
        let no = || Ok(Action::Reject(StatusCode::FORBIDDEN, "no".to_string()));
        let table = [
            (
                Side::Request,
                r#"{"action":{"reason":"fine"}}"#,
                Ok(Action::Pass),
            ),
            (Side::Response, r#"{"action":{}}"#, Ok(Action::Pass)),
            (Side::Request, reject, no()),
            (Side::Response, reject, no()),
            (
                Side::Request,
                messages,
                Ok(Action::Mask(vec![said("user", "x")])),
            ),
            (
                Side::Response,
                choices,
                Ok(Action::Mask(vec![said("assistant", "y")])),
            ),
            (Side::Response, messages, Err(Failed)),
            (Side::Request, choices, Err(Failed)),
            (
                Side::Request,
                r#"{"action":{"body":"no","status_code":99}}"#,
                Err(Failed),
            ),
            (Side::Request, "{}", Err(Failed)),
            (Side::Request, "not found", Err(Failed)),
        ];
        for (side, body, expected) in table {
            assert_eq!(verdict(side, body.as_bytes()), expected, "{side:?} {body}");
        }
    }

    proptest! {
        #[test]
        fn nothing_panics(bytes in vec(any::<u8>(), 0..200), status in any::<u16>()) {
            let _ = verdict(Side::Request, &bytes);
            let body = format!("{{\"action\":{{\"body\":\"\",\"status_code\":{status}}}}}");
            let _ = verdict(Side::Response, body.as_bytes());
        }
    }
}
