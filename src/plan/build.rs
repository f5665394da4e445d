//! Profile to Plan. Pure: same profile, same services, same steps, byte for byte.

use super::chart::charts;
use super::object::Place;
use super::select::{Selected, Services, select};
use super::{Action, Cluster, HostService, Phase, Plan, PlannedRoute, Step, placeholder};
use crate::error::{Error, Result};
use crate::profile::{Profile, Route, TargetKind, Test};
use crate::text;
use serde_json::Value;
use std::time::Duration;

pub const DEFAULT_CLUSTER: &str = "gatewright";
const PROCESS: &str = "process.gateway";
const GATEWAY_API: &str = "crds.gateway-api";
const ANSWERS: &str = "gateway.answers";

/// What must exist so that `profile` is true on `target`.
pub fn build(
    profile: &Profile,
    target: TargetKind,
    environment: &str,
    services: &Services,
) -> Result<Plan> {
    let selection = select(profile, services)?;
    let place = Place {
        namespace: &profile.release.namespace,
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
    let mut steps = match target {
        TargetKind::Kind => builder.cluster_steps(),
        TargetKind::Embedded => vec![step(PROCESS, Phase::Gateway, &[], Action::Process)],
    };
    steps.extend(builder.gateway_steps());
    steps.extend(builder.backend_steps(&selection.backends));
    steps.extend(builder.route_steps(&routes));
    let of_used = |test: &&Test| routes.iter().any(|(route, _)| route.name == test.route);
    let tests = profile.tests.iter().filter(of_used).cloned().collect();
    Ok(Plan {
        environment: environment.to_string(),
        profile: profile.name.clone(),
        target,
        gateway: profile.gateway.name.clone(),
        namespace: profile.release.namespace.clone(),
        port: profile.gateway.port,
        steps,
        routes: routes
            .into_iter()
            .map(|(route, backend)| planned(route, backend))
            .collect(),
        tests,
        notes: selection.notes,
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

    /// Cluster, namespace, CRDs before controllers (facts 1.6: without the CRDs a controller restarts).
    fn cluster_steps(&self) -> Vec<Step> {
        let target = &self.profile.target;
        let name = target.cluster.as_deref().unwrap_or(DEFAULT_CLUSTER);
        let id = format!("cluster.{name}");
        let cluster = Cluster {
            name: name.to_string(),
            node_image: target.node_image.clone(),
            host_port: self.profile.gateway.port,
        };
        let namespace = object(Phase::Charts, &[&id], self.place.namespace());
        let mut steps = vec![
            step(&id, Phase::Cluster, &[], Action::Cluster(cluster)),
            step(GATEWAY_API, Phase::GatewayApi, &[&id], Action::GatewayApi),
        ];
        for chart in charts(&self.profile.release) {
            let id = format!("chart.{}", chart.name);
            let crds = format!("{id}-crds");
            let needs: [&str; 2] = if chart.is_crds() {
                [&namespace.id, &namespace.id]
            } else {
                [&crds, GATEWAY_API]
            };
            steps.push(step(&id, Phase::Charts, &needs, Action::Chart(chart)));
        }
        steps.insert(1, namespace);
        steps
    }

    /// The gateway, its policies, and the proof that it is there.
    fn gateway_steps(&self) -> Vec<Step> {
        let (profile, place) = (self.profile, self.place);
        let gateway = &profile.gateway;
        let mut steps = Vec::new();
        let base = match self.target {
            TargetKind::Embedded => PROCESS.to_string(),
            TargetKind::Kind => {
                let value = place.parameters(gateway, profile.release.proxy_image.as_ref());
                let parameters = object(
                    Phase::Gateway,
                    &["chart.agentgateway-crds", GATEWAY_API],
                    value,
                );
                let id = parameters.id.clone();
                steps.push(parameters);
                id
            }
        };
        let on_cluster = self.target != TargetKind::Embedded;
        let value = object(Phase::Gateway, &[&base], place.gateway(gateway, on_cluster));
        steps.push(step(
            ANSWERS,
            Phase::Gateway,
            &[&value.id],
            Action::Answers(profile.release.proxy_image.clone()),
        ));
        steps.insert(steps.len() - 1, value);
        for policy in &profile.policies {
            steps.push(object(
                Phase::Objects,
                &[&base],
                place.policy(policy, gateway),
            ));
        }
        steps
    }

    fn backend_steps(&self, backends: &[Selected]) -> Vec<Step> {
        let mut steps = Vec::new();
        for backend in backends {
            let service = HostService {
                name: backend.name.clone(),
                provider: backend.provider,
                port: backend.port,
                namespace: self.place.namespace.to_string(),
                alias: match self.target {
                    TargetKind::Kind => self.place.host_alias(&backend.name, backend.port).to_vec(),
                    TargetKind::Embedded => Vec::new(),
                },
            };
            steps.push(step(
                &format!("host.{}", backend.name),
                Phase::Host,
                &[ANSWERS],
                Action::HostService(service),
            ));
        }
        for backend in backends {
            let host = placeholder::host(&backend.name);
            let value =
                self.place
                    .openai_backend(&backend.name, &backend.model, host, backend.port);
            steps.push(object(
                Phase::Objects,
                &[&format!("host.{}", backend.name)],
                value,
            ));
        }
        steps
    }

    /// A route comes last: nothing is served before its policies are there.
    fn route_steps(&self, routes: &[(&Route, &Selected)]) -> Vec<Step> {
        let policies = self
            .profile
            .policies
            .iter()
            .map(|policy| format!("object.AgentgatewayPolicy.{}", policy.name));
        let policies: Vec<String> = policies.collect();
        let route = |(route, backend): &(&Route, &Selected)| {
            let backend = format!("object.AgentgatewayBackend.{}", backend.name);
            let mut needs: Vec<&str> = policies.iter().map(String::as_str).collect();
            needs.push(&backend);
            object(
                Phase::Objects,
                &needs,
                self.place.route(route, &self.profile.gateway),
            )
        };
        routes.iter().map(route).collect()
    }
}

fn planned(route: &Route, backend: &Selected) -> PlannedRoute {
    PlannedRoute {
        name: route.name.clone(),
        path: route.path.clone(),
        provider: backend.provider,
        model: backend.model.clone(),
        patience: backend.provider.ways().patience.max(Duration::from_secs(1)),
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
mod tests {
    use super::*;
    use crate::plan::select::Service;
    use crate::profile::load::load;
    use crate::provider::Provider;
    use std::collections::HashSet;

    fn services() -> Services {
        Services {
            found: vec![Service {
                provider: Provider::Ollama,
                port: 11434,
                models: vec!["llama3.2:latest".into()],
            }],
            mock_port: 18434,
        }
    }

    #[test]
    fn every_step_needs_only_steps_that_stand_before_it() {
        let profile = load("default", std::io::empty()).unwrap();
        for target in TargetKind::ALL {
            let plan = build(&profile, target, "default", &services()).unwrap();
            let mut seen = HashSet::new();
            for step in &plan.steps {
                for need in &step.needs {
                    assert!(seen.contains(need.as_str()), "{} needs {need}", step.id);
                }
                assert!(seen.insert(step.id.as_str()), "{} stands twice", step.id);
            }
        }
    }

    #[test]
    fn a_route_waits_for_every_policy_of_the_gateway() {
        let profile = load("default", std::io::empty()).unwrap();
        let plan = build(&profile, TargetKind::Kind, "default", &services()).unwrap();
        let route = plan
            .steps
            .iter()
            .find(|step| step.id == "object.HTTPRoute.ollama")
            .unwrap();
        assert!(
            route
                .needs
                .contains(&"object.AgentgatewayPolicy.same-site".to_string())
        );
    }

    #[test]
    fn without_ollama_the_default_profile_takes_the_mock_and_says_so() {
        let profile = load("default", std::io::empty()).unwrap();
        let none = Services {
            found: Vec::new(),
            mock_port: 18434,
        };
        let plan = build(&profile, TargetKind::Embedded, "default", &none).unwrap();
        assert_eq!(plan.routes.len(), 1);
        assert_eq!(
            (plan.routes[0].path.as_str(), plan.routes[0].provider),
            ("/mock", Provider::Mock)
        );
        assert_eq!(
            plan.notes,
            ["Ollama does not answer on 127.0.0.1:11434: using mock instead"]
        );
    }

    #[test]
    fn a_required_ollama_that_is_not_there_ends_in_the_command_that_starts_it() {
        let profile = load("ollama", std::io::empty()).unwrap();
        let none = Services {
            found: Vec::new(),
            mock_port: 18434,
        };
        let error = build(&profile, TargetKind::Embedded, "default", &none).unwrap_err();
        assert_eq!(error.next, "ollama serve");
    }

    #[test]
    fn a_plan_without_a_route_is_refused_and_not_proved_by_nothing() {
        let mut profile = load("default", std::io::empty()).unwrap();
        profile.routes.retain(|route| route.backend == "ollama");
        let none = Services {
            found: Vec::new(),
            mock_port: 18434,
        };
        let error = build(&profile, TargetKind::Embedded, "default", &none).unwrap_err();
        assert!(
            error.what.starts_with("no route of profile default"),
            "{error}"
        );
    }

    #[test]
    fn a_model_that_is_not_pulled_gives_way_to_the_first_that_is_and_that_is_said() {
        let profile = load("default", std::io::empty()).unwrap();
        let mut services = services();
        services.found[0].models = vec!["qwen3:8b".into()];
        let plan = build(&profile, TargetKind::Embedded, "default", &services).unwrap();
        assert_eq!(plan.routes[0].model, "qwen3:8b");
        assert_eq!(
            plan.notes,
            ["Ollama has no llama3.2: using qwen3:8b; get it with: ollama pull llama3.2"]
        );
    }
}
