//! Where the gateway runs: a cluster of ours or of others with what is installed there, and the gateway
//! itself with the way to it.

use super::{ANSWERS, Builder, GATEWAY_API, PROCESS, context, default_cluster, object, step};
use crate::plan::chart::charts;
use crate::plan::object::Place;
use crate::plan::{Action, Cluster, Phase, Step};
use crate::profile::TargetKind;

const EXISTING: &str = "cluster.context";
const FORWARD: &str = "process.forward";

impl Builder<'_> {
    pub(super) fn own_cluster(&self) -> Step {
        let target = &self.profile.target;
        let own = default_cluster(self.place.environment);
        let name = target.cluster.as_deref().unwrap_or(&own);
        let cluster = Cluster {
            name: name.to_string(),
            node_image: target.node_image.clone(),
            host_port: self.profile.gateway.port,
        };
        let id = format!("cluster.{name}");
        step(&id, Phase::Cluster, &[], Action::Cluster(cluster))
    }

    pub(super) fn existing(&self) -> Step {
        let context = context(self.profile);
        step(EXISTING, Phase::Cluster, &[], Action::Existing { context })
    }

    /// Cluster, namespaces, CRDs before controllers (facts 1.6: without the CRDs a controller restarts).
    pub(super) fn cluster_steps(&self, cluster: Step) -> Vec<Step> {
        let id = cluster.id.clone();
        let system = Place {
            namespace: &self.profile.release.namespace,
            ..self.place
        };
        let namespace = object(Phase::Charts, &[&id], system.namespace());
        let mut steps = vec![
            cluster,
            step(GATEWAY_API, Phase::GatewayApi, &[&id], Action::GatewayApi),
        ];
        if self.place.namespace != system.namespace {
            let own = object(Phase::Gateway, &[&id], self.place.namespace());
            steps.push(own);
        }
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
    pub(super) fn gateway_steps(&self) -> Vec<Step> {
        let (profile, place) = (self.profile, self.place);
        let gateway = &profile.gateway;
        let mut steps = Vec::new();
        let base = match self.target {
            TargetKind::Embedded => PROCESS.to_string(),
            TargetKind::OrbStack | TargetKind::Kind | TargetKind::Context => {
                let image = profile.release.proxy_image.as_ref();
                let value = place.parameters(gateway, image, self.target);
                let namespace = format!("object.Namespace.{}", place.namespace);
                let needs = ["chart.agentgateway-crds", GATEWAY_API, &namespace];
                let parameters = object(Phase::Gateway, &needs, value);
                let id = parameters.id.clone();
                steps.push(parameters);
                id
            }
        };
        let on_cluster = self.target != TargetKind::Embedded;
        let value = object(Phase::Gateway, &[&base], place.gateway(gateway, on_cluster));
        let mut way = value.id.clone();
        steps.push(value);
        if self.target == TargetKind::Context {
            let port = gateway.port;
            let forward = step(FORWARD, Phase::Gateway, &[&way], Action::Forward { port });
            steps.push(forward);
            way = FORWARD.to_string();
        }
        let image = profile.release.proxy_image.clone();
        steps.push(step(
            ANSWERS,
            Phase::Gateway,
            &[&way],
            Action::Answers(image),
        ));
        steps
    }
}
