//! The `traffic` section of an AgentgatewayPolicy, field by field (facts 4.5, 7.2).

use std::sync::Arc;

use serde_json::Value;

use super::status::unsupported;
use super::{callee, mcp};
use crate::gateway::duration;
use crate::gateway::object::{World, dig, list, namespace, text};
use crate::gateway::policy::{
    ApiKeys, Authorization, Basic, Cors, Csrf, Direct, ExtAuth, ExtProc, GlobalLimit, Jwt, Limit,
    Retry, Traffic, Transformation, read_headers,
};

/// What a policy's fields came to.
#[derive(Default)]
pub(super) struct Outcome {
    pub traffic: Traffic,
    /// Fields that have no effect here.
    pub unsupported: Vec<String>,
    /// What is wrong with a field, in the controller's words.
    pub failures: Vec<String>,
    /// Whether some field came to something.
    pub has_effect: bool,
}

pub(super) fn read(world: &World, object: &Value) -> Outcome {
    let mut outcome = Outcome::default();
    let fields = dig(object, &["spec", "traffic"]).as_object();
    for (field, spec) in fields.into_iter().flatten() {
        outcome.field(world, namespace(object), field, spec);
    }
    outcome.mcp(
        world,
        namespace(object),
        dig(object, &["spec", "backend", "mcp"]),
    );
    outcome
}

/// Whether a policy works before a route is chosen (facts 7.1).
pub(super) fn is_before_routing(object: &Value) -> bool {
    text(object, &["spec", "traffic", "phase"]) == "PreRouting"
}

impl Outcome {
    fn field(&mut self, world: &World, place: &str, field: &str, spec: &Value) {
        match field {
            _ if spec.is_null() => {}
            "csrf" => self.traffic.csrf = self.keep(Ok(Csrf::read(spec))),
            "rateLimit" => {
                self.traffic.limit = list(spec, &["local"]).first().and_then(Limit::read);
                self.has_effect |= self.traffic.limit.is_some();
                self.global_limit(world, place, dig(spec, &["global"]));
            }
            "cors" => self.traffic.cors = self.keep(Cors::read(spec)),
            "headerModifiers" => {
                let both = self.keep(read_headers(spec)).map(|both| (*both).clone());
                let (request, response) = both.unwrap_or_default();
                self.traffic.request_headers = request.map(Arc::new);
                self.traffic.response_headers = response.map(Arc::new);
            }
            "extAuth" => self.ext_auth(world, place, spec),
            "retry" => self.traffic.retry = self.keep(Ok(Retry::read(spec))),
            // Without its processor the policy is not there, and traffic flows (facts 4.5).
            "extProc" => {
                let callee = callee::over_grpc(world, place, spec);
                let callee = callee.map_err(|cause| format!("failed to build extProc: {cause}"));
                self.traffic.ext_proc = self.keep(callee.map(ExtProc::new));
            }
            "directResponse" => self.traffic.direct = self.keep(Direct::read(spec)),
            "timeouts" => {
                self.traffic.timeout = duration::parse(text(spec, &["request"]));
                self.has_effect |= self.traffic.timeout.is_some();
            }
            "apiKeyAuthentication" => {
                self.traffic.api_keys = self.access(ApiKeys::read(world, place, spec));
            }
            "basicAuthentication" => {
                self.traffic.basic = self.access(Basic::read(world, place, spec));
            }
            "jwtAuthentication" => {
                let issuer = |remote: &Value| {
                    let callee = callee::read(world, place, remote)?;
                    let origin = callee.origin;
                    origin.ok_or_else(|| "the backend of a remote JWKS can't be called".to_string())
                };
                self.traffic.jwt = self.access(Jwt::read(spec, issuer));
            }
            "transformation" => {
                let (transformation, failures) = Transformation::read(spec);
                self.has_effect |= transformation.is_some();
                self.traffic.transformation = transformation.map(Arc::new);
                self.failures.extend(failures);
            }
            "phase" => {}
            "authorization" => {
                self.traffic.authorization = self.access(Authorization::read(spec));
            }
            other => {
                self.unsupported.push(format!("traffic.{other}"));
            }
        }
    }

    fn global_limit(&mut self, world: &World, place: &str, spec: &Value) {
        if spec.is_null() {
            return;
        }
        let limit = callee::over_grpc(world, place, spec);
        let limit = limit.and_then(|callee| GlobalLimit::read(callee, spec));
        let limit = limit.map_err(|cause| format!("failed to build global rate limit: {cause}"));
        self.traffic.global_limit = self.keep(limit);
    }

    /// Without its server the policy refuses everybody (facts 4.5).
    fn ext_auth(&mut self, world: &World, place: &str, spec: &Value) {
        let callee = match dig(spec, &["http"]).is_null() {
            true => callee::over_grpc(world, place, spec),
            false => callee::read(world, place, spec),
        };
        let callee = callee.map_err(|cause| {
            self.failures
                .push(format!("failed to build extAuth: {cause}"));
        });
        self.traffic.ext_auth = self.access(ExtAuth::read(callee.ok(), spec));
    }

    /// The `backend.mcp` section: it decides who sees what, so what can't be done closes the route.
    fn mcp(&mut self, world: &World, place: &str, spec: &Value) {
        for (field, spec) in spec.as_object().into_iter().flatten() {
            match field.as_str() {
                "authorization" => self.traffic.mcp = self.access(Authorization::read(spec)),
                "authentication" => {
                    let read = mcp::authentication(world, place, spec);
                    self.traffic.mcp_authentication = self.access(read);
                }
                other => {
                    let what = format!("backend.mcp.{other}");
                    self.traffic.refused = Some(unsupported(&what).into());
                }
            }
        }
    }

    fn keep<T>(&mut self, result: Result<T, String>) -> Option<Arc<T>> {
        match result {
            Ok(value) => {
                self.has_effect = true;
                Some(Arc::new(value))
            }
            Err(cause) => {
                self.failures.push(cause);
                None
            }
        }
    }

    /// As `keep`; but where the real controller would then let everybody in, nobody is.
    fn access<T>(&mut self, result: Result<T, String>) -> Option<Arc<T>> {
        if let Err(cause) = &result {
            self.traffic.refused = Some(cause.as_str().into());
        }
        self.keep(result)
    }
}
