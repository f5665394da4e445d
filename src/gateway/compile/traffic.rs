//! The `traffic` section of an AgentgatewayPolicy, field by field (facts 4.5, 7.2).

use std::sync::Arc;

use serde_json::Value;

use super::status::unsupported;
use crate::gateway::object::{dig, list};
use crate::gateway::policy::{Csrf, Limit, Traffic};

/// Traffic fields that decide who may call. A route they cover fails closed while they are not here.
const ACCESS_CONTROL: [&str; 5] = [
    "jwtAuthentication",
    "basicAuthentication",
    "apiKeyAuthentication",
    "extAuth",
    "authorization",
];

/// What a policy's fields came to.
#[derive(Default)]
pub(super) struct Outcome {
    pub traffic: Traffic,
    /// Fields that have no effect here.
    pub unsupported: Vec<String>,
}

pub(super) fn read(object: &Value) -> Outcome {
    let mut outcome = Outcome::default();
    let fields = dig(object, &["spec", "traffic"]).as_object();
    for (field, spec) in fields.into_iter().flatten() {
        outcome.field(field, spec);
    }
    outcome
}

impl Outcome {
    fn field(&mut self, field: &str, spec: &Value) {
        match field {
            _ if spec.is_null() => {}
            "csrf" => self.traffic.csrf = Some(Arc::new(Csrf::read(spec))),
            "rateLimit" => {
                self.traffic.limit = list(spec, &["local"]).first().and_then(Limit::read);
                if !dig(spec, &["global"]).is_null() {
                    self.unsupported
                        .push("traffic.rateLimit.global".to_string());
                }
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
}
