//! The `traffic` section of an AgentgatewayPolicy, field by field (facts 4.5, 7.2).

use std::sync::Arc;

use serde_json::Value;

use super::callee;
use super::status::unsupported;
use crate::gateway::duration;
use crate::gateway::object::{World, dig, list, namespace, text};
use crate::gateway::policy::{
    ApiKeys, Authorization, Basic, Cors, Csrf, Direct, ExtAuth, ExtProc, GlobalLimit, Limit, Retry,
    Traffic, Transformation, read_headers,
};

/// Traffic fields that decide who may call. A route they cover fails closed while they are not here.
const ACCESS_CONTROL: [&str; 1] = ["jwtAuthentication"];

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
    outcome
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
                let what = format!("traffic.{other}");
                if ACCESS_CONTROL.contains(&other) {
                    self.traffic.refused = Some(unsupported(&what).into());
                }
                self.unsupported.push(what);
            }
        }
    }

    fn global_limit(&mut self, world: &World, place: &str, spec: &Value) {
        if spec.is_null() {
            return;
        }
        if GlobalLimit::counts_tokens(spec) {
            let what = "traffic.rateLimit.global.descriptors of unit Tokens";
            self.unsupported.push(what.to_string());
        }
        let limit = callee::over_grpc(world, place, spec);
        let limit = limit.and_then(|callee| GlobalLimit::read(callee, spec));
        let limit = limit.map_err(|cause| format!("failed to build global rate limit: {cause}"));
        self.traffic.global_limit = self.keep(limit);
    }

    /// Without its server the policy refuses everybody (facts 4.5).
    fn ext_auth(&mut self, world: &World, place: &str, spec: &Value) {
        if !dig(spec, &["http", "responseMetadata"]).is_null() {
            let what = "traffic.extAuth.http.responseMetadata".to_string();
            self.traffic.refused = Some(unsupported(&what).into());
            self.unsupported.push(what);
            return;
        }
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
