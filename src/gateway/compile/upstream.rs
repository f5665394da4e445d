//! The `backend` section of an AgentgatewayPolicy, and `policies` of a backend or of a provider in
//! a group: how an upstream is called. Merged field by field (facts 7.1).

use std::sync::Arc;
use std::time::Duration;

use serde_json::Value;

use super::{ai_policy, auth, tls};
use crate::gateway::config::{Auth, Origin};
use crate::gateway::duration;
use crate::gateway::llm::AiPolicy;
use crate::gateway::object::{World, dig, text};
use crate::gateway::tls::Tls;

/// What one level asks for.
#[derive(Debug, Clone, Default)]
pub(super) struct Upstream {
    pub tls: Option<Tls>,
    pub http: Option<Http>,
    pub auth: Option<Auth>,
    pub ai: Option<Arc<AiPolicy>>,
    /// Why `ai` can't be done: it may guard what is said, so nothing is let through without it.
    pub refused: Option<String>,
}

/// `http`: the protocol, and how long an answer may take to begin.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Http {
    two: bool,
    timeout: Option<Duration>,
}

impl Upstream {
    /// Reads what can be read; every cause of what can't is added to `causes`, in the controller's words.
    pub fn read(world: &World, place: &str, spec: &Value, causes: &mut Vec<String>) -> Upstream {
        let http = dig(spec, &["http"]);
        let (ai, refused) = match ai_policy::read(world, place, dig(spec, &["ai"])) {
            Ok(ai) => (ai, None),
            Err(cause) => (None, Some(cause)),
        };
        let upstream = Upstream {
            auth: keep(auth::read(world, place, dig(spec, &["auth"])), causes).flatten(),
            tls: keep(tls::read(world, place, dig(spec, &["tls"])), causes).flatten(),
            http: (!http.is_null()).then(|| Http {
                two: text(http, &["version"]) == "HTTP2",
                timeout: duration::parse(text(http, &["requestTimeout"])),
            }),
            ai,
            refused,
        };
        causes.extend(upstream.refused.clone());
        upstream
    }

    /// Fills what is missing from a less specific level.
    pub fn or(self, less: &Upstream) -> Upstream {
        Upstream {
            tls: self.tls.or_else(|| less.tls.clone()),
            http: self.http.or(less.http),
            auth: self.auth.or_else(|| less.auth.clone()),
            refused: match self.ai {
                Some(_) => self.refused,
                None => self.refused.or_else(|| less.refused.clone()),
            },
            ai: self.ai.or_else(|| less.ai.clone()),
        }
    }

    /// Whether some field came to something.
    pub fn has_effect(&self) -> bool {
        let calls = self.tls.is_some() || self.http.is_some() || self.auth.is_some();
        calls || self.ai.is_some()
    }

    /// Whether calls are as they would be without it.
    pub fn is_empty(&self) -> bool {
        !self.has_effect() && self.refused.is_none()
    }

    pub fn timeout(&self) -> Option<Duration> {
        self.http.and_then(|http| http.timeout)
    }

    pub fn http2(&self) -> bool {
        self.http.is_some_and(|http| http.two)
    }

    /// An origin that is spoken to in the protocol that is asked for.
    pub fn speak(&self, origin: Origin) -> Origin {
        let http2 = self.http2();
        Origin { http2, ..origin }
    }
}

fn keep<T>(result: Result<T, String>, causes: &mut Vec<String>) -> Option<T> {
    result.map_err(|cause| causes.push(cause)).ok()
}

/// What has an effect here, and `tcp`, which has none in the real proxy either (facts 4.4).
const FIELDS: [(&str, &[&str]); 6] = [
    ("auth", &["key", "secretRef", "passthrough", "aws"]),
    (
        "tls",
        &[
            "sni",
            "verifySubjectAltNames",
            "insecureSkipVerify",
            "caCertificateRefs",
            "mtlsCertificateRef",
            "alpnProtocols",
        ],
    ),
    ("http", &["requestTimeout", "version"]),
    (
        "ai",
        &[
            "routes",
            "prompt",
            "promptGuard",
            "defaults",
            "overrides",
            "modelAliases",
            "promptCaching",
        ],
    ),
    ("mcp", &["authorization", "authentication"]),
    ("tcp", &["connectTimeout", "keepalive"]),
];

/// Names every part that the embedded gateway can't honour, so that none is dropped in silence.
pub(super) fn unsupported_parts(section: &str, spec: &Value) -> Vec<String> {
    let mut parts = Vec::new();
    for (field, inner) in spec.as_object().into_iter().flatten() {
        let Some((_, known)) = FIELDS.iter().find(|(name, _)| name == field) else {
            parts.push(format!("{section}.{field}"));
            continue;
        };
        for (inner, _) in inner.as_object().into_iter().flatten() {
            if !known.contains(&inner.as_str()) {
                parts.push(format!("{section}.{field}.{inner}"));
            }
        }
    }
    parts
}
