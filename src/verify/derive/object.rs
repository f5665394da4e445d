//! What was applied against what is there: gone, changed, or there and refused by its controller.

use super::super::check::{Claim, Finding};
use super::super::drift::told;
use super::super::installed::{Installed, complaints, name, namespace, title, word};
use super::copy::is_passing;
use crate::cluster::world::is_read;
use crate::plan::PlannedRoute;
use crate::text;
use serde_json::Value;
use std::time::Duration;

/// What is wrong with an object, found without a request.
#[derive(Debug, Clone, PartialEq)]
pub struct Fault {
    /// `object.AgentgatewayPolicy.five-a-minute`.
    pub id: String,
    /// As people call it.
    pub title: String,
    pub summary: String,
    pub cause: String,
    pub next: String,
}

/// Faults of our own objects. `applied`: as `up` has left them.
pub fn faults(installed: &Installed, applied: &[Value]) -> Vec<Fault> {
    let mut faults: Vec<Fault> = applied.iter().filter_map(|o| drift(installed, o)).collect();
    // A policy's traffic may show nothing, and a limited route is not asked itself.
    for kind in ["AgentgatewayPolicy", "HTTPRoute"] {
        let ours = installed
            .all(kind)
            .filter(|object| installed.is_ours(object));
        faults.extend(
            ours.filter(|object| !is_passing(object))
                .filter_map(refused),
        );
    }
    faults
}

fn fault(object: &Value, summary: String, cause: &str, next: &str) -> Fault {
    Fault {
        id: format!("object.{}.{}", word(object, "/kind"), name(object)),
        title: format!("{} is as applied", title(object)),
        summary,
        cause: cause.to_string(),
        next: next.to_string(),
    }
}

fn drift(installed: &Installed, applied: &Value) -> Option<Fault> {
    let kind = word(applied, "/kind");
    let live = installed.find(kind, namespace(applied), name(applied));
    // A ConfigMap that somebody brings along may well be there.
    if live.is_none() && !is_read(kind) {
        return None;
    }
    let drift = told(applied, live)?;
    if drift.missing {
        let cause = "somebody has deleted it since `gw up`";
        return Some(fault(
            applied,
            "it is not there".to_string(),
            cause,
            "gw up",
        ));
    }
    // What others added beside ours is for `debug`: an `up` leaves it.
    let field = drift.fields.iter().find(|field| field.planned.is_some())?;
    let live = field.live.as_ref().unwrap_or(&Value::Null).to_string();
    let changed = format!("{} is {}", place(&field.path), text::excerpt(&live, 60));
    let cause = "somebody has changed it since `gw up`";
    Some(fault(applied, changed, cause, "gw up --force"))
}

/// A JSON pointer as people write it: `spec.rules[0].name`.
fn place(pointer: &str) -> String {
    let parts = pointer.split('/').skip(1);
    parts.fold(String::new(), |place, part| {
        let name = part.replace("~1", "/").replace("~0", "~");
        match (part.parse::<usize>(), place.is_empty()) {
            (Ok(at), _) => format!("{place}[{at}]"),
            (Err(_), true) => name,
            (Err(_), false) => format!("{place}.{name}"),
        }
    })
}

/// What its controller has not taken, or has nothing to say of: then it does nothing (facts 4.3, 4.5).
fn refused(object: &Value) -> Option<Fault> {
    let said = complaints(object);
    let status = &object["status"];
    let silent = status["ancestors"][0].is_null() && status["parents"][0].is_null();
    let summary = match (said.first(), silent) {
        (Some(said), _) => said.clone(),
        (None, true) => "no controller says anything of it".to_string(),
        (None, false) => return None,
    };
    let cause = "what no controller has taken does nothing";
    Some(Fault {
        title: format!("{} is accepted and attached", title(object)),
        ..fault(object, summary, cause, "gw status")
    })
}

/// What was applied and has gone is asked for all the same, so that its absence is seen in traffic.
pub fn with_gone(installed: &Installed, applied: &[Value]) -> Installed {
    let mut whole = installed.clone();
    for object in applied {
        let (kind, home, named) = (word(object, "/kind"), namespace(object), name(object));
        if kind == "AgentgatewayPolicy" && installed.find(kind, home, named).is_none() {
            whole.objects.push(object.clone());
        }
        if kind == "AgentgatewayBackend" {
            let live = whole.objects.iter_mut().find(|live| {
                word(live, "/kind") == kind && namespace(live) == home && name(live) == named
            });
            if let Some(live) = live {
                add_missing(&mut live["spec"], "policies", &object["spec"]["policies"]);
            }
        }
    }
    whole
}

fn add_missing(live: &mut Value, key: &str, applied: &Value) {
    if applied.is_null() {
        return;
    }
    if live[key].is_null() {
        live[key] = applied.clone();
        return;
    }
    for (field, value) in applied.as_object().into_iter().flatten() {
        add_missing(&mut live[key], field, value);
    }
}

/// Routes of the profile that are not there, where nothing else says so.
pub fn absent(installed: &Installed, planned: &[PlannedRoute], wrong: &[Fault]) -> Vec<Fault> {
    let there = |route: &PlannedRoute| {
        let routes = installed.all("HTTPRoute");
        let mut routes = routes.filter(|object| installed.is_ours(object));
        routes.any(|object| name(object) == route.name)
    };
    let fault = |route: &PlannedRoute| Fault {
        id: format!("object.HTTPRoute.{}", route.name),
        title: format!("HTTPRoute {} is as applied", route.name),
        summary: "it is not there".to_string(),
        cause: "somebody has deleted it since `gw up`".to_string(),
        next: "gw up".to_string(),
    };
    let missing = planned.iter().filter(|route| !there(route)).map(fault);
    missing
        .filter(|fault| {
            !wrong
                .iter()
                .any(|known| known.id == fault.id || known.id == "object.all")
        })
        .collect()
}

impl Fault {
    /// As a proof tells it.
    pub fn finding(&self) -> Finding {
        let claim = Claim {
            id: self.id.clone(),
            title: self.title.clone(),
            needs: Vec::new(),
            deadline: Duration::ZERO,
            lane: String::new(),
        };
        let finding = Finding::fail(&claim, &self.summary, &self.next).fact("cause", &self.cause);
        Finding {
            sort: "object".to_string(),
            ..finding
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::super::installed::tests::installed;
    use super::*;
    use crate::plan::{ENVIRONMENT_LABEL, MANAGED_BY_LABEL, MANAGER};
    use serde_json::json;

    fn policy(limit: u64, reason: &str) -> Value {
        json!({"kind": "AgentgatewayPolicy",
            "metadata": {"name": "p", "namespace": "n", "labels": {MANAGED_BY_LABEL: MANAGER, ENVIRONMENT_LABEL: "e"}},
            "spec": {"traffic": {"rateLimit": {"local": [{"requests": limit, "unit": "Hours"}]}}},
            "status": {"ancestors": [{"conditions": [{"type": "Accepted", "status": "True", "reason": reason, "message": "m"}]}]}})
    }

    #[test]
    fn gone_changed_and_refused_are_told_apart() {
        let applied = [policy(5, "")];
        let table = [
            (vec![policy(5, "Valid")], None),
            (vec![], Some("it is not there")),
            (
                vec![policy(9, "Valid")],
                Some("spec.traffic.rateLimit.local[0].requests is 9"),
            ),
            (vec![policy(5, "Invalid")], Some("Accepted=True Invalid: m")),
        ];
        for (objects, summary) in table {
            let found = faults(&installed(objects), &applied);
            assert_eq!(found.first().map(|f| f.summary.as_str()), summary);
        }
    }

    #[test]
    fn what_is_never_looked_at_is_not_said_to_be_gone() {
        let own = |kind: &str| json!({"kind": kind, "metadata": {"name": "d", "namespace": "n"}});
        assert_eq!(faults(&installed(vec![]), &[own("ConfigMap")]), []);
        let gone = faults(&installed(vec![]), &[own("Deployment")]);
        assert_eq!(gone[0].title, "Deployment d is as applied");
    }

    #[test]
    fn a_name_that_leads_elsewhere_is_a_change_and_a_key_in_one_is_not_told() {
        let slice = |address: &str| {
            json!({"kind": "EndpointSlice", "metadata": {"name": "s", "namespace": "n"},
                "endpoints": [{"addresses": [address]}], "ports": [{"port": 1}]})
        };
        let found = faults(&installed(vec![slice("10.0.0.9")]), &[slice("10.0.0.1")]);
        assert_eq!(
            found[0].summary,
            "endpoints[0].addresses[0] is \"10.0.0.9\""
        );
        let backend = |key: &str| {
            json!({"kind": "AgentgatewayBackend", "metadata": {"name": "b", "namespace": "n"},
                "spec": {"policies": {"auth": {"key": key}}}})
        };
        let found = faults(&installed(vec![backend("PLANTED")]), &[backend("x")]);
        assert_eq!(found[0].summary, "spec.policies.auth.key is \"(removed)\"");
        let mut added = backend("x");
        added["spec"]["other"] = 1.into();
        added["metadata"]["managedFields"] = json!([{"manager": "kubectl-edit", "operation": "Update", "fieldsV1": {"f:spec": {"f:other": {}}}}]);
        assert_eq!(faults(&installed(vec![added]), &[backend("x")]), []);
    }
}
