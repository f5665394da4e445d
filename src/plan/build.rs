//! Profile to Plan. Pure: same profile, same services, same steps, byte for byte.

use super::chart::charts;
use super::object::Place;
use super::select::{Selected, Services, select};
use super::{Action, Cluster, HostService, Phase, Plan, PlannedRoute, Step, host_placeholder};
use crate::error::Result;
use crate::profile::{Profile, Route, TargetKind};
use serde_json::Value;
use std::time::Duration;

pub const DEFAULT_CLUSTER: &str = "gatewright";

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
    let mut steps = Vec::new();
    match target {
        TargetKind::Kind => builder.cluster_steps(&mut steps),
        TargetKind::Embedded => {
            steps.push(step("process.gateway", Phase::Gateway, 0, Action::Process))
        }
    }
    builder.gateway_steps(&mut steps);
    builder.backend_steps(&selection.backends, &mut steps);
    for (route, _) in &routes {
        steps.push(object(
            Phase::Objects,
            7,
            place.route(route, &profile.gateway),
        ));
    }
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
    fn cluster_steps(&self, steps: &mut Vec<Step>) {
        let target = &self.profile.target;
        let name = target.cluster.as_deref().unwrap_or(DEFAULT_CLUSTER);
        let cluster = Cluster {
            name: name.to_string(),
            node_image: target.node_image.clone(),
            host_port: self.profile.gateway.port,
        };
        steps.push(step(
            &format!("cluster.{name}"),
            Phase::Cluster,
            0,
            Action::Cluster(cluster),
        ));
        steps.push(object(Phase::Charts, 1, self.place.namespace()));
        steps.push(step(
            "crds.gateway-api",
            Phase::GatewayApi,
            2,
            Action::GatewayApi,
        ));
        for chart in charts(&self.profile.release) {
            let wave = if chart.is_crds() { 2 } else { 3 };
            steps.push(step(
                &format!("chart.{}", chart.name),
                Phase::Charts,
                wave,
                Action::Chart(chart),
            ));
        }
    }

    fn gateway_steps(&self, steps: &mut Vec<Step>) {
        let (profile, place) = (self.profile, self.place);
        let on_cluster = self.target != TargetKind::Embedded;
        if on_cluster {
            let image = profile.release.proxy_image.as_ref();
            steps.push(object(
                Phase::Gateway,
                4,
                place.parameters(&profile.gateway, image),
            ));
        }
        steps.push(object(
            Phase::Gateway,
            4,
            place.gateway(&profile.gateway, on_cluster),
        ));
        for policy in &profile.policies {
            steps.push(object(
                Phase::Objects,
                4,
                place.policy(policy, &profile.gateway),
            ));
        }
        steps.push(step("gateway.answers", Phase::Gateway, 5, Action::Answers));
    }

    fn backend_steps(&self, backends: &[Selected], steps: &mut Vec<Step>) {
        for backend in backends {
            let service = HostService {
                name: backend.name.clone(),
                provider: backend.provider,
                port: backend.port,
                namespace: self.place.namespace.to_string(),
                environment: self.place.environment.to_string(),
            };
            steps.push(step(
                &format!("host.{}", backend.name),
                Phase::Host,
                6,
                Action::HostService(service),
            ));
        }
        for backend in backends {
            let host = host_placeholder(&backend.name);
            let value =
                self.place
                    .openai_backend(&backend.name, &backend.model, host, backend.port);
            steps.push(object(Phase::Objects, 7, value));
        }
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

fn step(id: &str, phase: Phase, wave: u8, action: Action) -> Step {
    Step {
        id: id.to_string(),
        phase,
        wave,
        action,
    }
}

fn object(phase: Phase, wave: u8, value: Value) -> Step {
    let word = |pointer| value.pointer(pointer).and_then(Value::as_str).unwrap_or("");
    let id = format!("object.{}.{}", word("/kind"), word("/metadata/name"));
    step(&id, phase, wave, Action::Object(value))
}
