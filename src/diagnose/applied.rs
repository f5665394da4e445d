//! What the last `up` applied, as it was planned: keys and addresses are still names in it.

use crate::apply::record::write;
use crate::error::Result;
use crate::host::paths::EnvironmentPaths;
use crate::plan::{Action, HostService, Plan};
use serde::{Deserialize, Serialize};
use serde_json::Value;

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

    /// An applied object by kind and name.
    pub fn object(&self, kind: &str, name: &str) -> Option<&Value> {
        let aliases = self.services.iter().flat_map(|service| &service.alias);
        self.objects
            .iter()
            .chain(aliases)
            .find(|object| object["kind"] == *kind && object["metadata"]["name"] == *name)
    }
}
