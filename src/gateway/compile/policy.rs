//! AgentgatewayPolicy: what it asks, where it is attached, and its status (facts 4.5, 7.1).

use std::collections::BTreeSet;

use serde_json::{Value, json};

use super::status::{CONTROLLER, UNSUPPORTED, condition, unsupported};
use super::traffic;
use super::upstream::{self, Upstream};
use crate::gateway::object::{World, dig, full_name, list, name, namespace, text, text_or};
use crate::gateway::policy::Traffic;

const INVALID: &str = "Policy is not attached due to invalid status";

/// One target of one policy.
struct Attachment {
    namespace: String,
    kind: String,
    name: String,
    section: String,
    before: bool,
    traffic: Traffic,
    upstream: Upstream,
}

/// Every policy, oldest first.
pub(super) struct Policies(Vec<Attachment>);

pub(super) fn read(world: &World) -> Policies {
    let mut attachments = Vec::new();
    for object in world.all("AgentgatewayPolicy") {
        let traffic = traffic::read(world, object).traffic;
        // What is wrong is said in the status; what is right has its effect all the same (facts 4.5).
        let mut causes = Vec::new();
        let upstream = upstream(world, object, &mut causes);
        for target in list(object, &["spec", "targetRefs"]) {
            let mut traffic = traffic.clone();
            // Each target of a policy counts for itself: the controller sends it as a policy of its own.
            if let Some(limit) = &mut traffic.limit {
                limit.owner = format!("{} {target}", full_name(object)).into();
            }
            attachments.push(Attachment {
                namespace: namespace(object).to_string(),
                kind: text(target, &["kind"]).to_string(),
                name: text(target, &["name"]).to_string(),
                section: text(target, &["sectionName"]).to_string(),
                before: traffic::is_before_routing(object),
                traffic,
                upstream: upstream.clone(),
            });
        }
    }
    Policies(attachments)
}

impl Policies {
    /// What all policies on one target ask together; the oldest wins where two set the same field.
    pub fn on(&self, namespace: &str, kind: &str, name: &str, section: &str) -> Traffic {
        self.merged(false, [namespace, kind, name, section])
    }

    /// What is asked on a listener, or on its whole Gateway, before a route is chosen.
    pub fn before(&self, namespace: &str, gateway: &str, listener: &str) -> Option<Traffic> {
        self.0.iter().any(|a| a.before).then(|| {
            let at = |section| self.merged(true, [namespace, "Gateway", gateway, section]);
            at(listener).or(&at(""))
        })
    }

    fn merged(&self, before: bool, place: [&str; 4]) -> Traffic {
        let here = self.0.iter().filter(|a| {
            a.before == before && [&a.namespace, &a.kind, &a.name, &a.section] == place
        });
        here.fold(Traffic::default(), |merged, a| merged.or(&a.traffic))
    }

    /// What they ask of calls to an upstream.
    pub fn upstream(&self, namespace: &str, kind: &str, name: &str, section: &str) -> Upstream {
        let here = self.0.iter().filter(|a| {
            a.namespace == namespace && a.kind == kind && a.name == name && a.section == section
        });
        here.fold(Upstream::default(), |merged, a| merged.or(&a.upstream))
    }
}

/// The `backend` section of a policy.
fn upstream(world: &World, object: &Value, causes: &mut Vec<String>) -> Upstream {
    let spec = dig(object, &["spec", "backend"]);
    Upstream::read(world, namespace(object), spec, causes)
}

/// Every field of a policy that has no effect here.
fn unsupported_parts(object: &Value, mut parts: Vec<String>) -> Vec<String> {
    let fields = dig(object, &["spec", "frontend"]).as_object();
    let fields = fields.into_iter().flatten();
    parts.extend(fields.map(|(field, _)| format!("frontend.{field}")));
    let backend = dig(object, &["spec", "backend"]);
    parts.extend(upstream::unsupported_parts("backend", backend));
    let sub = |target: &Value| {
        text(target, &["kind"]) == "AgentgatewayBackend"
            && !text(target, &["sectionName"]).is_empty()
    };
    // One target of an MCP backend can be meant by what is only about MCP.
    let mut fields = backend.as_object().into_iter().flatten();
    let is_mcp = fields.all(|(field, _)| field == "mcp");
    if !is_mcp && list(object, &["spec", "targetRefs"]).iter().any(sub) {
        parts.push("targetRefs[].sectionName of an AgentgatewayBackend".to_string());
    }
    parts
}

/// Status of a policy, one entry for each ancestor; none for `targetSelectors`, which have no effect
/// in the real controller either (facts 4.5).
pub(super) fn status(world: &World, object: &Value) -> Option<Value> {
    let targets = list(object, &["spec", "targetRefs"]);
    let mut seen = BTreeSet::new();
    let mut entries = Vec::new();
    for (ancestor, missing) in targets
        .iter()
        .flat_map(|target| ancestors(world, object, target))
    {
        if seen.insert(ancestor.to_string()) {
            entries.push(json!({
                "ancestorRef": ancestor,
                "controllerName": CONTROLLER,
                "conditions": conditions(world, object, missing),
            }));
        }
    }
    (!entries.is_empty()).then(|| json!({"ancestors": entries}))
}

fn conditions(world: &World, object: &Value, missing: Option<String>) -> Vec<Value> {
    let mut outcome = traffic::read(world, object);
    let upstream = upstream(world, object, &mut outcome.failures);
    outcome.has_effect |= upstream.has_effect();
    let parts = unsupported_parts(object, outcome.unsupported);
    if !parts.is_empty() {
        let message = unsupported(crate::text::list(&parts));
        return vec![
            condition(object, "Accepted", false, UNSUPPORTED, &message),
            condition(object, "Attached", false, "Pending", INVALID),
        ];
    }
    let failures = outcome.failures.join("\n");
    match (failures.is_empty(), outcome.has_effect) {
        (true, _) => {}
        (false, true) => {
            return vec![condition(
                object,
                "Accepted",
                true,
                "PartiallyValid",
                &failures,
            )];
        }
        (false, false) => {
            return vec![
                condition(object, "Accepted", true, "Invalid", &failures),
                condition(object, "Attached", false, "Pending", INVALID),
            ];
        }
    }
    let attached = match missing {
        None => condition(
            object,
            "Attached",
            true,
            "Attached",
            "Attached to all targets",
        ),
        Some(missing) => {
            let message = format!("Policy is not attached: {missing}");
            condition(object, "Attached", false, "Pending", &message)
        }
    };
    vec![
        condition(object, "Accepted", true, "Valid", "Policy accepted"),
        attached,
    ]
}

/// The ancestors that a target stands for, each with what is missing for it to take effect.
fn ancestors(world: &World, policy: &Value, target: &Value) -> Vec<(Value, Option<String>)> {
    const GATEWAY: &str = "gateway.networking.k8s.io";
    let namespace = namespace(policy);
    let (kind, name_) = (text(target, &["kind"]), text(target, &["name"]));
    // The API server adds this kind to an ancestor that names none.
    let summary = json!({"group": "agentgateway.dev", "kind": "Gateway", "name": "StatusSummary"});
    let plain = || json!({"group": text(target, &["group"]), "kind": kind, "name": name_, "namespace": namespace});
    match (kind, world.get(kind, namespace, name_)) {
        ("XListenerSet", _) => Vec::new(),
        // Whether a Service exists is not checked (facts 4.5).
        ("Service", _) => vec![(plain(), None)],
        (_, None) => vec![(
            summary,
            Some(format!("{kind} {namespace}/{name_} not found")),
        )],
        ("HTTPRoute", Some(route)) => {
            let parents: Vec<_> = list(route, &["spec", "parentRefs"])
                .iter()
                .filter(|parent| text_or(parent, &["kind"], "Gateway") == "Gateway")
                .map(|parent| {
                    let place = text_or(parent, &["namespace"], namespace);
                    (json!({"group": GATEWAY, "kind": "Gateway", "name": name_of(parent), "namespace": place}), None)
                })
                .collect();
            match parents.is_empty() {
                false => parents,
                true => {
                    let missing = format!(
                        "HTTPRoute {namespace}/{} has no Gateway parentRefs",
                        name(route)
                    );
                    vec![(summary, Some(missing))]
                }
            }
        }
        (_, Some(_)) => vec![(plain(), None)],
    }
}

fn name_of(reference: &Value) -> &str {
    text(reference, &["name"])
}
