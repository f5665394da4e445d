//! `mcp.authentication`: clients show a token of an issuer, and are told where to get one: RFC 9728's
//! metadata of the resource, and RFC 8414's of the issuer, which is asked on their behalf (facts 9.8;
//! agentgateway's mcp/auth.rs).

use std::time::Duration;

use bytes::Bytes;
use http::header::{CONTENT_TYPE, HOST, HeaderMap, HeaderName, HeaderValue};
use http::{Method, Request, StatusCode};
use serde_json::{Map, Value, json};
use url::Url;

use super::reply;
use crate::gateway::body::{self, AnyBody};
use crate::gateway::config::Origin;
use crate::gateway::exchange::{Exchange, Reply, ReplyBody};
use crate::gateway::host;
use crate::gateway::object::{dig, text, texts};
use crate::gateway::plane::Plane;
use crate::gateway::policy::Jwt;
use crate::gateway::refusal::Refusal;

const RESOURCE: &str = "/.well-known/oauth-protected-resource";
const ISSUER: &str = "/.well-known/oauth-authorization-server";
const REGISTRATION: &str = "client-registration";
/// The most that is read of an issuer's metadata, and of a client's registration.
const LONGEST: usize = 1 << 20;
const DEADLINE: Duration = Duration::from_secs(10);

/// Issuers whose ways are known.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Provider {
    Auth0,
    Keycloak,
}

#[derive(Debug)]
pub struct Authentication {
    jwt: Jwt,
    issuer: String,
    /// Where the issuer is; none where its name is no address.
    home: Option<Origin>,
    audience: Option<String>,
    provider: Option<Provider>,
    /// What is told of the resource beside what is known.
    resource: Map<String, Value>,
}

impl Authentication {
    /// Reads the policy. `resolve` finds what a `backendRef` means, `dial` how a host and port are called.
    pub(in crate::gateway) fn read(
        spec: &Value,
        resolve: impl Fn(&Value) -> Result<Origin, String>,
        dial: impl Fn(&str, u16, bool) -> Result<Origin, String>,
    ) -> Result<Authentication, String> {
        let issuer = text(spec, &["issuer"]);
        // Without a word about it, v2.2 lets clients pass that show nothing.
        let mode = match text(spec, &["mode"]) {
            "" => "Optional",
            mode => mode,
        };
        let token = json!({"mode": mode, "providers": [{"issuer": issuer, "audiences": dig(spec, &["audiences"]),
            "jwks": {"remote": dig(spec, &["jwks"])}}]});
        let home = Url::parse(issuer).ok().and_then(|url| {
            let port = url.port_or_known_default()?;
            dial(url.host_str()?, port, url.scheme() == "https").ok()
        });
        let resource = dig(spec, &["resourceMetadata"]).as_object();
        let mut resource: Vec<_> = resource.into_iter().flatten().collect();
        resource.sort_by_key(|(name, _)| *name);
        Ok(Authentication {
            jwt: Jwt::read(&token, resolve)?,
            issuer: issuer.to_string(),
            home,
            audience: texts(spec, &["audiences"]).into_iter().next(),
            provider: match text(spec, &["provider"]) {
                "Auth0" => Some(Provider::Auth0),
                "Keycloak" => Some(Provider::Keycloak),
                _ => None,
            },
            resource: resource
                .into_iter()
                .map(|(name, value)| (snake(name), value.clone()))
                .collect(),
        })
    }

    /// Lets a client pass, or answers what it wants to know of the way in.
    pub(super) async fn check(
        &self,
        exchange: &mut Exchange<'_>,
    ) -> Result<Option<Reply>, Refusal> {
        let path = exchange.path.clone();
        let asks_the_way = path.starts_with(RESOURCE) || path.starts_with(ISSUER);
        if !asks_the_way {
            self.admit(exchange, &path).await?;
        }
        Ok(match () {
            () if path.ends_with(REGISTRATION) => Some(self.register(exchange).await),
            () if path.starts_with(RESOURCE) => Some(self.resource(exchange)),
            () if path.starts_with(ISSUER) => {
                let (plane, asked) = (exchange.plane, asked(exchange));
                Some(self.metadata(plane, &asked).await)
            }
            () => None,
        })
    }

    async fn admit(&self, exchange: &mut Exchange<'_>, path: &str) -> Result<(), Refusal> {
        // A token that another policy has taken can't be looked at again.
        let is_taken = exchange.caller.claims().is_some();
        let (headers, caller) = (&mut exchange.parts.headers, &mut exchange.caller);
        let admitted = match is_taken {
            true => false,
            false => self
                .jwt
                .check(headers, caller, exchange.plane)
                .await
                .is_ok(),
        };
        exchange.after.caller = exchange.caller.clone();
        match admitted {
            true => Ok(()),
            false => Err(Refusal::mcp_token(self.challenge(&asked(exchange), path))),
        }
    }

    /// Where the client learns more. `path` is the request's after rewrites.
    fn challenge(&self, asked: &Asked, path: &str) -> String {
        let given = self.resource.get("resource").and_then(Value::as_str);
        let given = given.and_then(|url| Url::parse(url).ok());
        let base = match given {
            Some(url) => url.origin().ascii_serialization(),
            None => match asked.path.strip_suffix(path) {
                Some(before) => format!("{}{before}", asked.base),
                None => format!("{}{}", asked.base, asked.path),
            },
        };
        format!("Bearer resource_metadata=\"{base}{RESOURCE}{path}\"")
    }

    fn resource(&self, exchange: &Exchange<'_>) -> Reply {
        let asked = asked(exchange);
        let own = asked.without(RESOURCE);
        let issuer = match self.provider {
            Some(_) => &own,
            None => &self.issuer,
        };
        let mut told = Map::new();
        told.insert("resource".to_string(), own.clone().into());
        told.insert("authorization_servers".to_string(), json!([issuer]));
        told.insert("mcp_protocol_version".to_string(), "2025-06-18".into());
        told.insert("resource_type".to_string(), "mcp-server".into());
        told.extend(self.resource.clone());
        answer(
            StatusCode::OK,
            "GET, OPTIONS",
            Value::Object(told).to_string(),
        )
    }

    /// What the issuer says of itself, changed where clients could not follow it.
    async fn metadata(&self, plane: &Plane, asked: &Asked) -> Reply {
        let path = format!("{}{ISSUER}", self.issuer_path());
        let told = self.ask(plane, Method::GET, &path, Bytes::new()).await;
        let told = told.and_then(|(_, _, body)| serde_json::from_slice::<Value>(&body).ok());
        match told.and_then(|told| self.followed(told, asked)) {
            Some(told) => answer(StatusCode::OK, "GET, OPTIONS", told.to_string()),
            None => failed(),
        }
    }

    fn followed(&self, mut told: Value, asked: &Asked) -> Option<Value> {
        match self.provider {
            // Auth0 takes no RFC 8707: the audience must be in the address.
            Some(Provider::Auth0) => {
                let endpoint = told["authorization_endpoint"].as_str()?;
                if let Some(audience) = &self.audience {
                    let endpoint = format!("{endpoint}?audience={audience}");
                    told["authorization_endpoint"] = endpoint.into();
                }
            }
            // Keycloak does not let pages register.
            Some(Provider::Keycloak) => {
                told["registration_endpoint"].as_str()?;
                let own = format!("{}{}/{REGISTRATION}", asked.base, asked.path);
                told["registration_endpoint"] = own.into();
            }
            None => {}
        }
        Some(told)
    }

    async fn register(&self, exchange: &mut Exchange<'_>) -> Reply {
        let body = std::mem::replace(&mut exchange.body, AnyBody::whole(""));
        let Ok(body) = body::read(body, LONGEST).await else {
            return failed();
        };
        let path = format!(
            "{}/clients-registrations/openid-connect",
            self.issuer_path()
        );
        let Some((status, headers, body)) =
            self.ask(exchange.plane, Method::POST, &path, body).await
        else {
            return failed();
        };
        let mut headers = headers;
        allow(&mut headers, "POST, OPTIONS");
        reply(status, headers, ReplyBody::Whole(body))
    }

    fn issuer_path(&self) -> String {
        let url = Url::parse(&self.issuer).ok();
        let path = url.map(|url| url.path().trim_end_matches('/').to_string());
        path.unwrap_or_default()
    }

    /// Asks the issuer; nothing where it can't be asked.
    async fn ask(
        &self,
        plane: &Plane,
        method: Method,
        path: &str,
        body: Bytes,
    ) -> Option<(StatusCode, HeaderMap, Bytes)> {
        let home = self.home.as_ref()?;
        let host = home
            .host
            .clone()
            .or_else(|| HeaderValue::from_str(&home.endpoint).ok())?;
        let request = Request::builder()
            .method(method)
            .uri(path)
            .header(HOST, host);
        let request = request.header(CONTENT_TYPE, "application/json");
        let request = request.body(AnyBody::whole(body)).ok()?;
        let work = async {
            let answer = plane.transport().send(home, request).await.ok()?;
            let (parts, body) = answer.into_parts();
            let body = body::read(body, LONGEST).await.ok()?;
            let mut headers = HeaderMap::new();
            if let Some(kind) = parts.headers.get(CONTENT_TYPE) {
                headers.insert(CONTENT_TYPE, kind.clone());
            }
            Some((parts.status, headers, body))
        };
        tokio::time::timeout(DEADLINE, work).await.ok()?
    }
}

/// A request's address as the client gave it.
struct Asked {
    /// `scheme://host:port`.
    base: String,
    path: String,
}

impl Asked {
    fn without(&self, prefix: &str) -> String {
        let path = self.path.strip_prefix(prefix).unwrap_or(&self.path);
        format!("{}{path}", self.base)
    }
}

fn asked(exchange: &Exchange<'_>) -> Asked {
    let authority = host::authority(&exchange.parts);
    Asked {
        base: format!("{}://{authority}", exchange.scheme),
        path: exchange.parts.uri.path().to_string(),
    }
}

/// Any page may read it: it says nothing that is not public.
fn answer(status: StatusCode, methods: &'static str, body: String) -> Reply {
    let mut headers = HeaderMap::new();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    allow(&mut headers, methods);
    reply(status, headers, ReplyBody::Whole(body.into()))
}

fn allow(headers: &mut HeaderMap, methods: &'static str) {
    for (name, value) in [
        ("access-control-allow-origin", "*"),
        ("access-control-allow-methods", methods),
        ("access-control-allow-headers", "content-type"),
    ] {
        let name = HeaderName::from_static(name);
        headers.insert(name, HeaderValue::from_static(value));
    }
}

fn failed() -> Reply {
    let nothing = ReplyBody::Whole(Bytes::new());
    reply(StatusCode::INTERNAL_SERVER_ERROR, HeaderMap::new(), nothing)
}

/// `scopesSupported` as RFC 9728 writes it: `scopes_supported`.
fn snake(name: &str) -> String {
    let mut out = String::new();
    let letters: Vec<char> = name.chars().collect();
    for (at, letter) in letters.iter().enumerate() {
        let before = at.checked_sub(1).and_then(|at| letters.get(at));
        let after = letters.get(at + 1);
        let begins = before.is_some_and(|c| c.is_lowercase() || c.is_ascii_digit())
            || before.is_some_and(|c| c.is_uppercase()) && after.is_some_and(|c| c.is_lowercase());
        match letter {
            '-' | ' ' => out.push('_'),
            letter if letter.is_uppercase() && begins => {
                out.push('_');
                out.extend(letter.to_lowercase());
            }
            letter => out.extend(letter.to_lowercase()),
        }
    }
    out
}

#[cfg(test)]
mod tests;
