//! What the controller says of policies: attached, valid, or nothing at all (facts 4.5).

use super::finding::{Found, Severity};
use super::limits::{edit, fix, scope};
use super::rule::{Needs, Rule};
use super::snapshot::{Snapshot, condition, items, name, text};
use crate::plan::thing::Thing;
use serde_json::Value;

pub const RULES: [Rule; 4] = [
    Rule {
        code: "GW010",
        title: "every policy is attached to its target",
        severity: Severity::Fail,
        needs: Needs::Cluster,
        // facts 4.5, 15.7
        story: "Reads the condition Attached of every policy. It is False when the route, gateway or backend in \
                targetRefs does not exist: then nothing is limited, guarded or authenticated, while Accepted \
                stays True. A name that is misspelt or a route that was deleted is the usual reason.",
        explains: &["GW008"],
        look: attached,
    },
    Rule {
        code: "GW011",
        title: "every part of a policy is valid",
        severity: Severity::Fail,
        needs: Needs::Cluster,
        // facts 4.5, 14.5
        story: "Reads the reason beside Accepted of every policy: with reason Invalid or PartiallyValid the \
                status is True all the same, and nothing or only a part of the policy was made. The message \
                names the part: a Secret that is missing, a Service that is not there, an expression that can't \
                be read.",
        explains: &["GW008", "GW010", "GW040"],
        look: valid,
    },
    Rule {
        code: "GW016",
        title: "the controller says something of every policy",
        severity: Severity::Fail,
        needs: Needs::Cluster,
        // facts 4.5
        story: "Looks for policies with targetRefs that have no status a minute after they were made, while the \
                controller runs. The controller does not act on targets of that kind, or does not see the \
                namespace. Without a status nobody enforces the policy.",
        explains: &["GW008"],
        look: silent,
    },
    Rule {
        code: "GW017",
        title: "a policy lies beside its target",
        severity: Severity::Warn,
        needs: Needs::Objects,
        // facts 4.3, 14.2, 15.4
        story: "Looks for routes whose backend lies in another namespace. An AgentgatewayBackend in another \
                namespace never works in v2.2: the lookup uses the route's own namespace and a ReferenceGrant is \
                not honoured for it, so callers get 500 no valid backends. Route and backend belong in one \
                namespace.",
        explains: &["GW040", "GW043"],
        look: elsewhere,
    },
];

/// Conditions of a policy by ancestor.
fn ancestors(policy: &Value) -> impl Iterator<Item = &Value> {
    items(policy, "/status/ancestors")
}

fn attached(snapshot: &Snapshot) -> Vec<Found> {
    let mut found = Vec::new();
    for policy in snapshot.kind("AgentgatewayPolicy") {
        let failed = ancestors(policy)
            .filter_map(|a| condition(a, "Attached"))
            .find(|c| c["status"] == "False");
        let Some(failed) = failed.filter(|c| {
            text(c, "/message").contains("not found")
                || text(c, "/message").contains("no Gateway parentRefs")
        }) else {
            continue;
        };
        let title = name(policy);
        found.push(
            Found::new(
                format!("policy {title} is attached to its target"),
                format!("policy {title}"),
                fix(snapshot, policy, edit(snapshot, policy)),
            )
            .about(Thing::of(policy))
            .short(format!("policy {title} is not attached"))
            .scope(scope(snapshot, policy))
            .cause(format!(
                "its target does not exist: {}",
                tail(text(failed, "/message"))
            ))
            .saw(
                format!("AgentgatewayPolicy {title}, Attached=False"),
                text(failed, "/message"),
            ),
        );
    }
    found
}

/// `Policy is not attached: HTTPRoute a/b not found` without what everybody knows by then.
fn tail(message: &str) -> &str {
    message.split_once(": ").map_or(message, |(_, tail)| tail)
}

fn valid(snapshot: &Snapshot) -> Vec<Found> {
    let mut found = Vec::new();
    for policy in snapshot.kind("AgentgatewayPolicy") {
        let accepted = ancestors(policy).filter_map(|a| condition(a, "Accepted"));
        let mut bad =
            accepted.filter(|c| ["Invalid", "PartiallyValid"].contains(&text(c, "/reason")));
        let Some(bad) = bad.next() else {
            continue;
        };
        let (title, message) = (name(policy), text(bad, "/message"));
        let part = if bad["reason"] == "Invalid" {
            "nothing"
        } else {
            "only a part"
        };
        found.push(
            Found::new(
                format!("every part of policy {title} is valid"),
                format!("policy {title}"),
                fix(snapshot, policy, edit(snapshot, policy)),
            )
            .about(Thing::of(policy))
            .short(format!("policy {title} is not valid"))
            .scope(scope(snapshot, policy))
            .cause(format!(
                "{part} of it was made: {}",
                crate::text::excerpt(message, 160)
            ))
            .saw(
                format!(
                    "AgentgatewayPolicy {title}, Accepted=True {}",
                    text(bad, "/reason")
                ),
                message,
            ),
        );
    }
    found
}

fn silent(snapshot: &Snapshot) -> Vec<Found> {
    // A controller that does not run says nothing of anything, and has rules of its own.
    if !super::control::runs(snapshot) {
        return Vec::new();
    }
    let mut found = Vec::new();
    for policy in snapshot.kind("AgentgatewayPolicy") {
        let known = items(policy, "/spec/targetRefs").next().is_some()
            && !items(policy, "/spec/targetRefs").any(|target| target["kind"] == "XListenerSet");
        let old = super::control::age(snapshot, policy).is_some_and(|age| age > 60);
        if !known || !old || ancestors(policy).next().is_some() {
            continue;
        }
        let title = name(policy);
        found.push(
            Found::new(
                format!("the controller says something of policy {title}"),
                format!("policy {title}"),
                fix(snapshot, policy, edit(snapshot, policy)),
            )
            .about(Thing::of(policy))
            .short(format!("policy {title} has no status"))
            .scope(scope(snapshot, policy))
            .cause("the controller runs and has not taken the policy up")
            .saw(format!("AgentgatewayPolicy {title}"), "no status.ancestors"),
        );
    }
    found
}

fn elsewhere(snapshot: &Snapshot) -> Vec<Found> {
    let mut found = Vec::new();
    for route in snapshot.kind("HTTPRoute") {
        let own = super::snapshot::namespace(route);
        let refs = items(route, "/spec/rules").flat_map(|rule| items(rule, "/backendRefs"));
        let mut far = refs.filter(|r| {
            let there = text(r, "/namespace");
            r["kind"] == "AgentgatewayBackend" && !there.is_empty() && there != own
        });
        let Some(far) = far.next() else {
            continue;
        };
        let (title, backend, there) = (name(route), text(far, "/name"), text(far, "/namespace"));
        found.push(
            Found::new(
                format!("route {title} and its backend lie in one namespace"),
                format!("route {title}"),
                fix(snapshot, route, edit(snapshot, route)),
            )
            .about(Thing::of(route))
            .short(format!(
                "route {title} names a backend of namespace {there}"
            ))
            .scope(super::finding::Scope::route(title))
            .cause("v2.2 looks for an AgentgatewayBackend in the route's own namespace only")
            .saw(
                format!("HTTPRoute {own}/{title}"),
                format!("backendRef {there}/{backend}"),
            ),
        );
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::diagnose::snapshot::tests::{codes, healthy, with};
    use serde_json::json;

    fn recorded(case: &str) -> Vec<Value> {
        let file = format!(
            "{}/tests/recordings/cluster/{case}.json",
            env!("CARGO_MANIFEST_DIR")
        );
        let text = std::fs::read_to_string(file).unwrap();
        let value: Value = serde_json::from_str(&text).unwrap();
        value["objects"].as_array().unwrap().clone()
    }

    #[test]
    fn a_policy_without_its_target_is_found_as_recorded() {
        let mut snapshot = healthy();
        snapshot.objects.extend(recorded("policy-target-missing"));
        assert_eq!(codes(&snapshot), ["GW010"]);
    }

    #[test]
    fn a_backend_in_another_namespace_explains_what_its_route_says() {
        let mut snapshot = healthy();
        snapshot.objects.extend(recorded("cross-namespace"));
        assert_eq!(codes(&snapshot), ["GW017"]);
    }

    #[test]
    fn accepted_true_with_reason_invalid_is_a_failure() {
        let policy = |reason: &str| {
            let mut snapshot = healthy();
            snapshot.objects.push(json!({"apiVersion": "agentgateway.dev/v1alpha1", "kind": "AgentgatewayPolicy",
                "metadata": {"name": "p", "namespace": "kgateway-system"},
                "spec": {"targetRefs": [{"kind": "HTTPRoute", "name": "ollama"}]},
                "status": {"ancestors": [{"conditions": [
                    {"type": "Accepted", "status": "True", "reason": reason, "message": "API Key secret x not found"},
                    {"type": "Attached", "status": "False", "reason": "Pending", "message": "Policy is not attached due to invalid status"}]}]}}));
            snapshot
        };
        assert_eq!(codes(&policy("Invalid")), ["GW011"]);
        assert_eq!(codes(&policy("PartiallyValid")), ["GW011"]);
        assert_eq!(codes(&policy("Valid")), Vec::<&str>::new());
    }

    #[test]
    fn a_route_to_its_own_namespace_is_fine() {
        let patch = json!({"spec": {"rules": [{"backendRefs": [{"kind": "AgentgatewayBackend", "name": "ollama", "namespace": "kgateway-system"}],
            "filters": [{"type": "URLRewrite", "urlRewrite": {"path": {"type": "ReplacePrefixMatch", "replacePrefixMatch": "/"}}}]}]}});
        assert_eq!(
            codes(&with("HTTPRoute", "ollama", patch)),
            Vec::<&str>::new()
        );
    }
}
