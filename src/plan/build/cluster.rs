//! Where the gateway runs: a cluster of ours or of others with what is installed there, and the gateway
//! itself with the way to it.

use super::{ANSWERS, Builder, GATEWAY_API, PROCESS, context, default_cluster, object, step};
use crate::plan::chart::charts;
use crate::plan::object::Place;
use crate::plan::processor;
use crate::plan::{Action, Cluster, Phase, Step};
use crate::profile::rule::Processor;
use crate::profile::{Policy, Rule, TargetKind};
use serde_json::Value;
use std::borrow::Cow;

const EXISTING: &str = "cluster.context";
const FORWARD: &str = "process.forward";

impl Builder<'_> {
    /// `pods`: the steps of policies, of which some may run a processor in the cluster.
    pub(super) fn own_cluster(&self, pods: &[Step]) -> Step {
        let target = &self.profile.target;
        let own = default_cluster(self.place.environment);
        let name = target.cluster.as_deref().unwrap_or(&own);
        let cluster = Cluster {
            name: name.to_string(),
            node_image: target.node_image.clone(),
            host_port: self.profile.gateway.port,
            own_image: own_image(pods),
        };
        let id = format!("cluster.{name}");
        step(&id, Phase::Cluster, &[], Action::Cluster(cluster))
    }

    /// A policy as it is where this runs, and what is to be said of that.
    pub(super) fn placed<'p>(&self, policy: &'p Policy) -> (Cow<'p, Policy>, Option<String>) {
        let Some(image) = processor::image(policy) else {
            return (Cow::Borrowed(policy), None);
        };
        let whose = format!("the processor of policy {}", policy.name);
        if self.target == TargetKind::Embedded {
            let note = format!("{whose} runs on this machine: there is no cluster");
            let here = Policy {
                rule: Rule::ExtProc(Processor::Machine { port: None }),
                ..policy.clone()
            };
            return (Cow::Owned(here), Some(note));
        }
        let from = match (self.target, image == processor::released()) {
            (TargetKind::Kind, true) if cfg!(target_os = "linux") => {
                format!("{image}, or this very program where that is not to be had")
            }
            _ => format!("{image}, which the cluster must be able to pull"),
        };
        let note = format!("{whose} runs in the cluster: image {from}");
        (Cow::Borrowed(policy), Some(note))
    }

    /// The processor that runs in the cluster, and the wait for it: without it every request of the
    /// policy's routes is refused (facts 7.2).
    pub(super) fn workload(&self, policy: &Policy) -> Vec<Step> {
        let Some(image) = processor::image(policy) else {
            return Vec::new();
        };
        let objects = self.place.processor(&policy.name, &image);
        let mut steps = objects
            .map(|value| object(Phase::Objects, &[ANSWERS], value))
            .to_vec();
        let name = processor::name(&policy.name);
        let needs: Vec<&str> = steps.iter().map(|step| step.id.as_str()).collect();
        let ready = step(
            &format!("ready.{name}"),
            Phase::Objects,
            &needs,
            Action::Ready(name),
        );
        steps.push(ready);
        steps
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

/// The image of this program's own release, where pods run it.
fn own_image(pods: &[Step]) -> Option<String> {
    const IMAGE: &str = "/spec/template/spec/containers/0/image";
    let own = processor::released();
    let runs = |step: &Step| match &step.action {
        Action::Object(object) => object.pointer(IMAGE).and_then(Value::as_str) == Some(&own),
        _ => false,
    };
    pods.iter().any(runs).then_some(own)
}
