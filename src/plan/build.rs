//! Profile to Plan. Pure: same profile, same services, same steps, byte for byte.

mod cluster;

use super::backend::secret_name;
use super::object::Place;
use super::own;
use super::policy;
use super::select::{Selected, Services, select};
use super::serve::{planned, ports, prefix, services};
use super::{Action, HostService, Phase, Plan, Step};
use crate::error::{Error, Result};
use crate::profile::{Profile, Route, Rule, TargetKind, Test};
use crate::text;
use serde_json::Value;
use std::collections::HashSet;

/// The kind cluster of the first environment.
pub const DEFAULT_CLUSTER: &str = "gatewright";
const PROCESS: &str = "process.gateway";
const GATEWAY_API: &str = "crds.gateway-api";
const ANSWERS: &str = "gateway.answers";

/// A cluster that is ours holds one environment. One that others use may hold several: each but the
/// default one has a namespace of its own, so that their objects never meet.
fn namespace(profile: &Profile, target: TargetKind, environment: &str) -> String {
    match target {
        TargetKind::OrbStack | TargetKind::Context if environment != "default" => {
            format!("gatewright-{environment}")
        }
        _ => profile.release.namespace.clone(),
    }
}

/// The context that leads to a cluster which is there already.
fn context(profile: &Profile) -> String {
    profile.target.context.clone().unwrap_or_default()
}

/// The kind cluster of an environment whose profile names none: each has its own, so that two jobs of
/// one host don't meet. With the longest name its node's is 57 characters, of the 63 of a host name.
pub fn default_cluster(environment: &str) -> String {
    match environment {
        "default" => DEFAULT_CLUSTER.to_string(),
        other => format!("gw-{other}"),
    }
}

/// What must exist so that `profile` is true on `target`.
pub fn build(
    profile: &Profile,
    target: TargetKind,
    environment: &str,
    services: &Services,
) -> Result<Plan> {
    let selection = select(profile, target, services)?;
    let namespace = namespace(profile, target, environment);
    let place = Place {
        namespace: &namespace,
        environment,
    };
    let builder = Builder {
        profile,
        place,
        target,
    };
    let routes = builder.routes(&selection.backends);
    if routes.is_empty() {
        let names: Vec<&str> = selection.backends.iter().map(|b| b.name.as_str()).collect();
        let what = format!(
            "no route of profile {} leads to a backend that is there",
            profile.name
        );
        let error = Error::usage(what, "gw up --profile default");
        let error = error.fact(format!("there: {}", text::list(&names)));
        return Err(selection.notes.into_iter().fold(error, Error::fact));
    }
    let (policies, left_out) = builder.policy_steps(&routes, services.processor_port);
    let mut steps = match target {
        TargetKind::Kind => builder.cluster_steps(builder.own_cluster(&policies)),
        TargetKind::OrbStack | TargetKind::Context => builder.cluster_steps(builder.existing()),
        TargetKind::Embedded => vec![step(PROCESS, Phase::Gateway, &[], Action::Process)],
    };
    steps.extend(builder.gateway_steps());
    let (own, not_here) = builder.own_steps(&services.manifests);
    let before = policies.iter().chain(&own);
    let policy_ids: Vec<String> = before.map(|step| step.id.clone()).collect();
    steps.extend(policies);
    steps.extend(own);
    steps.extend(builder.backend_steps(&selection.backends));
    steps.extend(builder.route_steps(&routes, &policy_ids));
    let mut notes = selection.notes;
    notes.extend(left_out);
    notes.extend(not_here);
    notes.extend(builder.shared_guards(&routes));
    let of_used = |test: &&Test| routes.iter().any(|(route, _)| route.name == test.route);
    let tests = profile.tests.iter().filter(of_used).cloned().collect();
    let of_backends = selection
        .backends
        .iter()
        .flat_map(Selected::secrets)
        .cloned();
    let of_policies = profile.policies.iter().filter_map(policy::secret);
    let sources = of_backends
        .chain(of_policies)
        .map(|need| (secret_name(&need.owner), need.from))
        .collect();
    twice(&steps)?;
    Ok(Plan {
        environment: environment.to_string(),
        profile: profile.name.clone(),
        target,
        context: match target {
            TargetKind::OrbStack | TargetKind::Context => context(profile),
            TargetKind::Kind | TargetKind::Embedded => String::new(),
        },
        gateway: profile.gateway.name.clone(),
        namespace: namespace.clone(),
        system: profile.release.namespace.clone(),
        port: profile.gateway.port,
        steps,
        routes: routes
            .into_iter()
            .map(|(route, backend)| planned(profile, route, backend))
            .collect(),
        tests,
        sources,
        notes,
    })
}

struct Builder<'a> {
    profile: &'a Profile,
    place: Place<'a>,
    target: TargetKind,
}

impl Builder<'_> {
    /// Routes whose backend is used, each with it.
    fn routes<'r>(&'r self, backends: &'r [Selected]) -> Vec<(&'r Route, &'r Selected)> {
        let with_backend = |route: &'r Route| {
            let backend = backends
                .iter()
                .find(|backend| backend.name == route.backend)?;
            Some((route, backend))
        };
        self.profile
            .routes
            .iter()
            .filter_map(with_backend)
            .collect()
    }

    /// Policies with what they refer to; and what is left out because nobody asks for it.
    fn policy_steps(
        &self,
        routes: &[(&Route, &Selected)],
        processor_port: u16,
    ) -> (Vec<Step>, Vec<String>) {
        let (mut steps, mut notes) = (Vec::new(), Vec::new());
        for policy in &self.profile.policies {
            let there = |name: &&String| routes.iter().any(|(route, _)| route.name == **name);
            let targets: Vec<&str> = policy
                .routes
                .iter()
                .filter(there)
                .map(String::as_str)
                .collect();
            if targets.is_empty() && !policy.routes.is_empty() {
                notes.push(format!(
                    "policy {} is left out with its routes",
                    policy.name
                ));
                continue;
            }
            let mut needs = vec![ANSWERS.to_string()];
            let secret = policy::secret(policy).map(|need| self.place.secret(&need));
            let mut way = ANSWERS.to_string();
            let (policy, note) = self.placed(policy);
            let policy = policy.as_ref();
            notes.extend(note);
            let workload = self.workload(policy);
            needs.extend(workload.iter().map(|step| step.id.clone()));
            steps.extend(workload);
            if let Some(service) = policy::processor_service(policy, processor_port) {
                let step = self.host_step(service);
                way.clone_from(&step.id);
                steps.push(step);
            }
            let backend = self.place.policy_backend(policy, processor_port);
            for value in secret.into_iter().chain(backend) {
                let before = object(Phase::Objects, &[&way], value);
                needs.push(before.id.clone());
                steps.push(before);
            }
            let value = self.place.policy(policy, &self.profile.gateway, &targets);
            let needs: Vec<&str> = needs.iter().map(String::as_str).collect();
            steps.extend(value.map(|value| object(Phase::Objects, &needs, value)));
        }
        (steps, notes)
    }

    /// A person's own objects, marked as ours; and those that mean nothing without a cluster.
    fn own_steps(&self, objects: &[Value]) -> (Vec<Step>, Vec<String>) {
        let (mut steps, mut notes) = (Vec::new(), Vec::new());
        for value in objects {
            let kind = value["kind"].as_str().unwrap_or("");
            if self.target == TargetKind::Embedded && !own::EMBEDDED.contains(&kind) {
                let name = value["metadata"]["name"].as_str().unwrap_or("");
                notes.push(format!(
                    "{kind} {name} is left out: it means nothing without a cluster"
                ));
                continue;
            }
            let value = self.place.own(value);
            steps.push(object(Phase::Objects, &[ANSWERS], value));
        }
        (steps, notes)
    }

    /// The prompt guard of a backend: of every policy that is for one of its routes.
    fn guard(&self, backend: &Selected) -> Option<Value> {
        if backend.providers().is_empty() {
            return None;
        }
        let mine = |name: &String| {
            let mut routes = self.profile.routes.iter();
            routes.any(|route| route.name == *name && route.backend == backend.name)
        };
        let guards = self.profile.policies.iter().filter_map(|p| match &p.rule {
            Rule::PromptGuard(guard) if p.routes.is_empty() || p.routes.iter().any(mine) => {
                Some(guard)
            }
            _ => None,
        });
        policy::prompt_guard(guards)
    }

    /// Guards are in backends, and a backend may have more routes than the guarded one.
    fn shared_guards(&self, routes: &[(&Route, &Selected)]) -> Vec<String> {
        let mut notes = Vec::new();
        for policy in &self.profile.policies {
            if !matches!(policy.rule, Rule::PromptGuard(_)) || policy.routes.is_empty() {
                continue;
            }
            let named = |route: &Route| policy.routes.contains(&route.name);
            let guarded = routes.iter().filter(|(route, _)| named(route));
            let guarded: Vec<&str> = guarded.map(|(_, b)| b.name.as_str()).collect();
            let others = routes.iter().filter(|(route, backend)| {
                !named(route) && guarded.contains(&backend.name.as_str())
            });
            for (route, backend) in others {
                notes.push(format!(
                    "policy {} guards {} too: it shares backend {}",
                    policy.name, route.path, backend.name
                ));
            }
        }
        notes
    }

    /// The way to a service of this machine.
    fn host_step(&self, service: HostService) -> Step {
        let alias = match self.target {
            TargetKind::OrbStack | TargetKind::Kind | TargetKind::Context => {
                self.place.host_alias(&service.name, service.port).to_vec()
            }
            TargetKind::Embedded => Vec::new(),
        };
        let service = HostService {
            namespace: self.place.namespace.to_string(),
            alias,
            ..service
        };
        let id = format!("host.{}", service.name);
        step(&id, Phase::Host, &[ANSWERS], Action::HostService(service))
    }

    /// Keys, then the ways to services of this machine, then who needs both.
    fn backend_steps(&self, backends: &[Selected]) -> Vec<Step> {
        let mut steps = Vec::new();
        let mut seen = HashSet::new();
        for need in backends.iter().flat_map(Selected::secrets) {
            if seen.insert(need.owner.as_str()) {
                let value = self.place.secret(need);
                steps.push(object(Phase::Objects, &[ANSWERS], value));
            }
        }
        let services = services(backends);
        steps.extend(
            services
                .iter()
                .map(|service| self.host_step(service.clone())),
        );
        let name = |port: u16| {
            let service = services.iter().find(|service| service.port == port);
            service.map_or(String::new(), |service| service.name.clone())
        };
        for backend in backends {
            let value = self.place.backend(backend, &name, self.guard(backend));
            let hosts = ports(backend).into_iter();
            let hosts = hosts.map(|port| format!("host.{}", name(port)));
            let secrets = backend.secrets().into_iter();
            let secrets = secrets.map(|n| format!("object.Secret.{}", secret_name(&n.owner)));
            let needs: Vec<String> = hosts.chain(secrets).collect();
            let mut needs: Vec<&str> = needs.iter().map(String::as_str).collect();
            if needs.is_empty() {
                needs.push(ANSWERS);
            }
            steps.push(object(Phase::Objects, &needs, value));
        }
        steps
    }

    /// A route comes last: nothing is served before its policies are there.
    fn route_steps(&self, routes: &[(&Route, &Selected)], policies: &[String]) -> Vec<Step> {
        let route = |(route, backend): &(&Route, &Selected)| {
            let need = format!("object.AgentgatewayBackend.{}", backend.name);
            let mut needs: Vec<&str> = policies.iter().map(String::as_str).collect();
            needs.push(&need);
            object(
                Phase::Objects,
                &needs,
                self.place
                    .route(route, &self.profile.gateway, prefix(backend)),
            )
        };
        routes.iter().map(route).collect()
    }
}

/// A manifest must not be what the profile makes itself.
fn twice(steps: &[Step]) -> Result<()> {
    let mut seen = HashSet::new();
    match steps.iter().find(|step| !seen.insert(step.id.as_str())) {
        None => Ok(()),
        Some(step) => {
            let title = step.id.trim_start_matches("object.").replacen('.', " ", 1);
            let what = format!("{title} is in the profile and in its manifests");
            let next = format!(
                "gw plan --yaml | grep -n {}",
                step.id.rsplit('.').next().unwrap_or("")
            );
            Err(Error::usage(what, next).fact("give the manifest's another name"))
        }
    }
}

fn step(id: &str, phase: Phase, needs: &[&str], action: Action) -> Step {
    let mut needs: Vec<String> = needs.iter().map(ToString::to_string).collect();
    needs.dedup();
    Step {
        id: id.to_string(),
        phase,
        needs,
        action,
    }
}

fn object(phase: Phase, needs: &[&str], value: Value) -> Step {
    let word = |pointer| value.pointer(pointer).and_then(Value::as_str).unwrap_or("");
    let id = format!("object.{}.{}", word("/kind"), word("/metadata/name"));
    step(&id, phase, needs, Action::Object(value))
}

#[cfg(test)]
mod tests;
