//! HTTPRoute to candidates on the listeners that admit it, and its status (facts 4.3).

use std::collections::BTreeSet;
use std::sync::Arc;

use serde_json::{Value, json};

use super::Backends;
use super::attach::Attached;
use super::gateway::{Open, is_served};
use super::policy::Policies;
use super::rule::{self, Draft};
use super::status::{CONTROLLER, Problem, condition};
use crate::gateway::config::Candidate;
use crate::gateway::host::covers;
use crate::gateway::object::{
    World, dig, full_name, list, name, namespace, port, selects, text, text_or, texts,
};

const GATEWAY: &str = "gateway.networking.k8s.io";

pub(super) struct Compiler<'a> {
    pub world: &'a World,
    pub backends: &'a Backends,
    pub policies: &'a Policies,
}

impl Compiler<'_> {
    /// Puts a route onto every listener that admits it; returns its status.
    pub fn attach(&self, route: &Value, listeners: &mut [Open]) -> Value {
        let (drafts, failure) = rule::read(self.world, self.backends, route);
        let resolved = match &failure {
            None => condition(route, "ResolvedRefs", true, "ResolvedRefs", ""),
            Some(problem) => condition(
                route,
                "ResolvedRefs",
                false,
                problem.reason,
                &problem.message,
            ),
        };
        let usable = match failure.is_some_and(|problem| problem.hard) {
            true => Vec::new(),
            false => drafts,
        };
        let mut seen = BTreeSet::new();
        let mut parents = Vec::new();
        for parent in list(route, &["spec", "parentRefs"]) {
            // A parent that does not exist gets no entry at all.
            let Some(gateway) = self.gateway(route, parent) else {
                continue;
            };
            if !seen.insert(full_name(gateway)) {
                continue;
            }
            let accepted = match self.attach_to(route, gateway, &usable, listeners) {
                Ok(()) => condition(route, "Accepted", true, "Accepted", ""),
                Err(denial) => condition(route, "Accepted", false, denial.reason, &denial.message),
            };
            parents.push(json!({
                "controllerName": CONTROLLER,
                "conditions": [accepted, resolved],
                "parentRef": {"group": GATEWAY, "kind": "Gateway", "name": name(gateway), "namespace": namespace(gateway)},
            }));
        }
        json!({"parents": parents})
    }

    fn gateway(&self, route: &Value, parent: &Value) -> Option<&Value> {
        let is_gateway = text_or(parent, &["group"], GATEWAY) == GATEWAY
            && text_or(parent, &["kind"], "Gateway") == "Gateway";
        let place = text_or(parent, &["namespace"], namespace(route));
        let gateway = self.world.get("Gateway", place, text(parent, &["name"]))?;
        (is_gateway && is_served(gateway)).then_some(gateway)
    }

    fn attach_to(
        &self,
        route: &Value,
        gateway: &Value,
        drafts: &[Draft],
        listeners: &mut [Open],
    ) -> Result<(), Problem> {
        let mut denial = Problem::soft(
            "NoMatchingParent",
            "No listener with the specified sectionName on the parent Gateway",
        );
        let mut admitted = BTreeSet::new();
        for parent in list(route, &["spec", "parentRefs"]) {
            if self.gateway(route, parent).map(full_name) != Some(full_name(gateway)) {
                continue;
            }
            for listener in list(gateway, &["spec", "listeners"])
                .iter()
                .filter(|l| is_meant(parent, l))
            {
                match self.admits(gateway, listener, route) {
                    Err(problem) => denial = problem,
                    Ok(hostnames) => {
                        let listener = text(listener, &["name"]);
                        if admitted.insert(listener.to_string()) {
                            self.place(route, gateway, listener, &hostnames, drafts, listeners);
                        }
                    }
                }
            }
        }
        match (admitted.is_empty(), namespace(route) == namespace(gateway)) {
            (false, _) => Ok(()),
            (true, true) => Err(denial),
            // Across namespaces every other reason is masked by this one.
            (true, false) => Err(Problem::soft(
                "NotAllowedByListeners",
                "Parent listener not usable or not permitted",
            )),
        }
    }

    /// The hostnames under which a listener takes a route, or why it does not.
    fn admits(
        &self,
        gateway: &Value,
        listener: &Value,
        route: &Value,
    ) -> Result<Vec<String>, Problem> {
        let denied = |message: String| Err(Problem::soft("NotAllowedByListeners", message));
        let kinds = list(listener, &["allowedRoutes", "kinds"]);
        let takes_http = kinds.is_empty()
            || kinds
                .iter()
                .any(|kind| text(kind, &["kind"]) == "HTTPRoute");
        let is_web = matches!(text(listener, &["protocol"]), "HTTP" | "HTTPS");
        if !is_web || !takes_http {
            return denied(format!("kind {GATEWAY}/v1, Kind=HTTPRoute is not allowed"));
        }
        let parent = text(listener, &["hostname"]);
        let wanted = texts(route, &["spec", "hostnames"]);
        let meets = |hostname: &&String| {
            parent.is_empty() || covers(parent, hostname) || covers(hostname, parent)
        };
        let hostnames: Vec<String> = wanted.iter().filter(meets).cloned().collect();
        if hostnames.is_empty() && !wanted.is_empty() {
            let message = format!("no hostnames matched parent hostname {parent:?}");
            return Err(Problem::soft("NoMatchingListenerHostname", message));
        }
        let spaces = dig(listener, &["allowedRoutes", "namespaces"]);
        let allowed = match text_or(spaces, &["from"], "Same") {
            "All" => true,
            "Selector" => {
                let space = self.world.get("Namespace", "", namespace(route));
                let labels =
                    space.map_or(&Value::Null, |space| dig(space, &["metadata", "labels"]));
                selects(dig(spaces, &["selector"]), labels)
            }
            _ => namespace(route) == namespace(gateway),
        };
        match allowed {
            true => Ok(hostnames),
            false => denied(format!(
                "hostnames matched parent hostname {parent:?}, but namespace {:?} is not allowed by the parent",
                namespace(route)
            )),
        }
    }

    fn place(
        &self,
        route: &Value,
        gateway: &Value,
        listener: &str,
        hostnames: &[String],
        drafts: &[Draft],
        listeners: &mut [Open],
    ) {
        let owner = full_name(gateway);
        let Some(open) = listeners
            .iter_mut()
            .find(|o| *o.gateway == *owner && &*o.name == listener)
        else {
            return;
        };
        open.attached += 1;
        let at = |object: &Value, kind, section| {
            self.policies
                .on(namespace(object), kind, name(object), section)
        };
        let wider = at(route, "HTTPRoute", "")
            .or(&at(gateway, "Gateway", listener))
            .or(&at(gateway, "Gateway", ""));
        let call = |object: &Value, kind, section| {
            self.policies
                .upstream(namespace(object), kind, name(object), section)
        };
        let wider_calls = call(route, "HTTPRoute", "")
            .or(&call(gateway, "Gateway", listener))
            .or(&call(gateway, "Gateway", ""));
        let every_host = [String::new()];
        let hostnames = if hostnames.is_empty() {
            &every_host
        } else {
            hostnames
        };
        for draft in drafts {
            let (own, calls) = match draft.name.as_str() {
                "" => Default::default(),
                section => (
                    at(route, "HTTPRoute", section),
                    call(route, "HTTPRoute", section),
                ),
            };
            let attached = Attached {
                policies: self.policies,
                wider: calls.or(&wider_calls),
            };
            let mut rule = draft.rule(self.world, self.backends, route, &attached);
            rule.traffic = rule.traffic.or(&own).or(&wider);
            let rule = Arc::new(rule);
            for matcher in &draft.matchers {
                open.candidates
                    .extend(hostnames.iter().map(|hostname| Candidate {
                        hostname: hostname.to_ascii_lowercase(),
                        matcher: matcher.clone(),
                        rule: rule.clone(),
                    }));
            }
        }
    }
}

/// Whether a parentRef means this listener: by name and by port, where it gives them.
fn is_meant(parent: &Value, listener: &Value) -> bool {
    let (section, number) = (text(parent, &["sectionName"]), port(parent, &["port"]));
    (section.is_empty() || section == text(listener, &["name"]))
        && (number == 0 || number == port(listener, &["port"]))
}
