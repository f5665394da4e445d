//! What the last `up` applied, as it was planned: keys and addresses are still names in it.

use crate::apply::record::write;
use crate::error::Result;
use crate::host::paths::EnvironmentPaths;
use crate::plan::outcome::Wire;
use crate::plan::{Action, HostService, Plan, placeholder};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use std::collections::BTreeMap;

/// Kept beside the record: a plan made anew while something is broken would be another plan.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Applied {
    pub objects: Vec<Value>,
    pub services: Vec<HostService>,
}

impl Applied {
    pub fn of(plan: &Plan) -> Self {
        let services = plan.steps.iter().filter_map(|step| match &step.action {
            Action::HostService(service) => Some(service.clone()),
            _ => None,
        });
        let objects = plan.steps.iter().filter_map(|step| match &step.action {
            Action::Object(object) => Some(object.clone()),
            _ => None,
        });
        Applied {
            objects: objects.collect(),
            services: services.collect(),
        }
    }

    pub fn save(&self, paths: &EnvironmentPaths) -> Result<()> {
        write(&paths.applied(), self)
    }

    /// Nothing where no `up` of this version has run.
    pub fn load(paths: &EnvironmentPaths) -> Option<Self> {
        let text = std::fs::read_to_string(paths.applied()).ok()?;
        serde_json::from_str(&text).ok()
    }

    /// What must be there with these ways to services: names of ours only where one leads somewhere,
    /// and no Namespace, which may be anybody's.
    pub fn standing(&self, wires: &BTreeMap<String, Wire>) -> Vec<Value> {
        let aliases = self.services.iter().flat_map(|service| {
            let wire = wires.get(&service.name);
            let named = wire.is_some_and(|wire| wire.address.is_some());
            service.alias.iter().filter(move |_| named)
        });
        let objects = self.objects.iter().chain(aliases);
        let known = objects.filter(|object| object["kind"] != "Namespace");
        known
            .map(|object| placeholder::fill(object, wires))
            .collect()
    }

    /// Every object, names of ours for services too.
    pub fn all(&self) -> impl Iterator<Item = &Value> {
        let aliases = self.services.iter().flat_map(|service| &service.alias);
        self.objects.iter().chain(aliases)
    }

    /// An applied object by kind and name.
    pub fn object(&self, kind: &str, name: &str) -> Option<&Value> {
        self.all()
            .find(|object| object["kind"] == *kind && object["metadata"]["name"] == *name)
    }
}
