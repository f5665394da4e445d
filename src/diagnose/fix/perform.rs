//! A change made true: our own objects, processes and scales, never anybody else's.

use super::memory::{Entry, Memory, kept};
use crate::apply::record::Record;
use crate::cluster::client::{is_absent, refused};
use crate::cluster::object;
use crate::cluster::ready::{Deadline, deployment_ready};
use crate::diagnose::applied::Applied;
use crate::diagnose::finding::Change;
use crate::error::{Error, Result};
use crate::host::paths::EnvironmentPaths;
use crate::host::process::Background;
use crate::plan::outcome::{Context, Wire};
use crate::plan::thing::Thing;
use crate::plan::{Action, HostService, Phase, Step, placeholder};
use crate::target::Target;
use crate::verify::drift::{Drift, compare};
use k8s_openapi::api::apps::v1::Deployment;
use kube::api::{Patch, PatchParams};
use kube::{Api, Client};
use serde_json::{Value, json};
use std::collections::BTreeMap;

/// What a repair is given.
pub struct Work<'a> {
    pub paths: &'a EnvironmentPaths,
    pub record: &'a Record,
    pub applied: Option<&'a Applied>,
    pub target: &'a dyn Target,
    pub context: Context<'a>,
}

impl Work<'_> {
    pub async fn perform(&self, change: &Change, memory: &mut Memory) -> Result<()> {
        match change {
            Change::Restore(thing) => self.restore(thing, memory).await,
            Change::Rewire { service } => self.rewire(service, memory).await,
            Change::Scale {
                namespace,
                deployment,
                from,
                to,
            } => {
                memory.note(
                    Entry::Scale {
                        namespace: namespace.clone(),
                        deployment: deployment.clone(),
                        from: *from,
                        to: *to,
                    },
                    self.paths,
                )?;
                let client = self.client().await?;
                scale(&client, namespace, deployment, *to).await?;
                let deadline = Deadline::within(self.context.patience);
                deployment_ready(
                    &client,
                    namespace,
                    deployment,
                    &deadline,
                    self.context.waiting,
                )
                .await
            }
            Change::Restart => self.restart(memory).await,
        }
    }

    pub async fn client(&self) -> Result<Client> {
        self.record.way(self.paths).client().await
    }

    pub fn is_embedded(&self) -> bool {
        self.record.target == "embedded"
    }

    /// An object of the embedded gateway, or nothing. It shows no keys.
    async fn held(&self, thing: &Thing) -> Result<Option<Value>> {
        let objects = self.target.objects().await?;
        Ok(objects
            .into_iter()
            .find(|object| Thing::of(object) == *thing))
    }

    /// Writes down how an object was, before it is changed.
    fn note(&self, thing: &Thing, before: Option<&Value>, memory: &mut Memory) -> Result<()> {
        let entry = Entry::Object {
            thing: thing.clone(),
            before: before.map(kept),
        };
        memory.note(entry, self.paths)
    }

    fn planned(&self, thing: &Thing) -> Result<&Value> {
        let Thing::Object { kind, name, .. } = thing else {
            return Err(Error::new(
                format!("{} is no object", thing.title()),
                "gw up",
            ));
        };
        let planned = self.applied.and_then(|applied| applied.object(kind, name));
        planned.ok_or_else(|| {
            Error::new(
                format!("what was applied as {} is not known", thing.title()),
                "gw up",
            )
        })
    }

    async fn restore(&self, thing: &Thing, memory: &mut Memory) -> Result<()> {
        let planned = self.planned(thing)?;
        if self.is_embedded() {
            self.note(thing, self.held(thing).await?.as_ref(), memory)?;
            return self.step(Action::Object(planned.clone())).await;
        }
        // What is lacking is told before anything is changed.
        let filled = self.context.fill(planned)?;
        let client = self.client().await?;
        let before = live(&client, thing).await?;
        self.note(thing, before.as_ref(), memory)?;
        if let Some(before) = &before {
            self.take_away(&client, thing, planned, &filled, before)
                .await?;
        }
        self.step(Action::Object(planned.clone())).await
    }

    /// What others added to our object: server-side apply would leave it.
    async fn take_away(
        &self,
        client: &Client,
        thing: &Thing,
        planned: &Value,
        filled: &Value,
        before: &Value,
    ) -> Result<()> {
        // A Secret's added entries are somebody's keys, and harmless.
        if planned["kind"] == "Secret" {
            return Ok(());
        }
        let Some(drift) = compare(filled, Some(before)) else {
            return Ok(());
        };
        let removals = removals(&drift);
        let Some((api, name)) = object::of(client, thing) else {
            return Ok(());
        };
        if removals.is_empty() {
            return Ok(());
        }
        let patch: json_patch::Patch =
            serde_json::from_value(Value::Array(removals)).map_err(|e| {
                Error::new(
                    format!("{} can't be compared", thing.title()),
                    "gw up --force",
                )
                .because(&e)
            })?;
        let patch: Patch<Value> = Patch::Json(patch);
        let done = api.patch(name, &PatchParams::default(), &patch).await;
        done.map(|_| ()).map_err(|e| {
            refused(
                format!("{} can't be changed", thing.title()),
                &e,
                "gw up --force",
            )
        })
    }

    async fn rewire(&self, name: &str, memory: &mut Memory) -> Result<()> {
        let services = self
            .applied
            .map(|applied| applied.services.as_slice())
            .unwrap_or_default();
        let Some(service) = services.iter().find(|service| service.name == name) else {
            return Err(Error::new(
                format!("what was applied as the way to {name} is not known"),
                "gw up",
            ));
        };
        memory.note(
            Entry::Wires {
                before: self.record.wires.clone(),
            },
            self.paths,
        )?;
        let own = service.role().map(str::to_string);
        for role in std::iter::once(format!("relay-{name}")).chain(own) {
            if Background::new(self.paths, &role).alive().is_none() {
                memory.note(Entry::Process { role }, self.paths)?;
            }
        }
        // A name of ours may be led elsewhere with it.
        for alias in service.alias.iter().filter(|_| !self.is_embedded()) {
            self.note_changed(alias, memory).await?;
        }
        self.step(Action::HostService(service.clone())).await?;
        self.refill(service, memory).await
    }

    /// Objects in which the way stands, with the way that was proved.
    async fn refill(&self, service: &HostService, memory: &mut Memory) -> Result<()> {
        let objects = self
            .applied
            .map(|applied| applied.objects.as_slice())
            .unwrap_or_default();
        for object in objects.iter().filter(|object| names(object, &service.name)) {
            self.note_changed(object, memory).await?;
            self.step(Action::Object(object.clone())).await?;
        }
        Ok(())
    }

    /// Writes down how an object was, if somebody else has made it so: with the ways to services, `undo`
    /// leads our own back by itself.
    async fn note_changed(&self, planned: &Value, memory: &mut Memory) -> Result<()> {
        let thing = Thing::of(planned);
        let before = match self.is_embedded() {
            true => self.held(&thing).await?,
            false => live(&self.client().await?, &thing).await?,
        };
        let ours = placeholder::fill(planned, &self.record.wires);
        match compare(&ours, before.as_ref()) {
            Some(_) => self.note(&thing, before.as_ref(), memory),
            None => Ok(()),
        }
    }

    /// Leads what a fix led elsewhere back to where it led before; what is not as the fix left it stays.
    pub async fn lead_back(&self, before: &BTreeMap<String, Wire>) -> Result<()> {
        let now = &self.record.wires;
        for planned in self.applied.iter().flat_map(|applied| applied.all()) {
            let [then, after] = [before, now].map(|wires| placeholder::fill(planned, wires));
            if then == after {
                continue;
            }
            let thing = Thing::of(planned);
            let live = match self.is_embedded() {
                true => self.held(&thing).await?,
                false => live(&self.client().await?, &thing).await?,
            };
            if live.is_some() && compare(&after, live.as_ref()).is_none() {
                self.step(Action::Object(then)).await?;
            }
        }
        Ok(())
    }

    async fn restart(&self, memory: &mut Memory) -> Result<()> {
        let Some(applied) = self.applied else {
            return Err(Error::new("what was applied is not known", "gw up"));
        };
        memory.note(
            Entry::Process {
                role: "gateway".to_string(),
            },
            self.paths,
        )?;
        self.step(Action::Process).await?;
        for service in &applied.services {
            self.step(Action::HostService(service.clone())).await?;
        }
        for object in &applied.objects {
            self.step(Action::Object(object.clone())).await?;
        }
        self.step(Action::Answers(None)).await
    }

    pub async fn step(&self, action: Action) -> Result<()> {
        let step = Step {
            id: "fix".to_string(),
            phase: Phase::Objects,
            needs: Vec::new(),
            action,
        };
        self.target.perform(&step, &self.context).await.map(|_| ())
    }
}

/// Whether the way to a service stands in an object.
fn names(object: &Value, service: &str) -> bool {
    let text = object.to_string();
    let ways = [
        placeholder::host(service),
        placeholder::address(service),
        placeholder::port(service),
    ];
    ways.iter().any(|way| text.contains(way))
}

/// JSON patch operations (RFC 6902) that take away what others added, last items of lists first.
pub fn removals(drift: &Drift) -> Vec<Value> {
    let mut paths: Vec<String> = Vec::new();
    for field in &drift.fields {
        match (&field.planned, &field.live) {
            (None, Some(_)) => paths.push(field.path.clone()),
            (Some(Value::Array(planned)), Some(Value::Array(live))) => {
                let named = |item: &Value| item["name"].as_str().map(str::to_string);
                let wanted: Vec<Option<String>> = planned.iter().map(named).collect();
                for (index, item) in live.iter().enumerate().rev() {
                    if named(item).is_some()
                        && !wanted.contains(&named(item))
                        && wanted.iter().all(Option::is_some)
                    {
                        paths.push(format!("{}/{index}", field.path));
                    }
                }
            }
            _ => {}
        }
    }
    paths
        .into_iter()
        .map(|path| json!({"op": "remove", "path": path}))
        .collect()
}

/// A live object with its kind, or nothing.
pub async fn live(client: &Client, thing: &Thing) -> Result<Option<Value>> {
    let (
        Some((api, name)),
        Thing::Object {
            api_version, kind, ..
        },
    ) = (object::of(client, thing), thing)
    else {
        return Ok(None);
    };
    match api.get_opt(name).await {
        Ok(found) => Ok(found.map(|found| {
            let mut value = serde_json::to_value(found).unwrap_or_default();
            value["apiVersion"] = json!(api_version);
            value["kind"] = json!(kind);
            value
        })),
        Err(e) if is_absent(&e) => Ok(None),
        Err(e) => Err(refused(
            format!("{} can't be read", thing.title()),
            &e,
            "gw status",
        )),
    }
}

pub async fn scale(client: &Client, namespace: &str, name: &str, replicas: i64) -> Result<()> {
    let deployments: Api<Deployment> = Api::namespaced(client.clone(), namespace);
    let patch = Patch::Merge(json!({"spec": {"replicas": replicas}}));
    let done = deployments
        .patch_scale(name, &PatchParams::default(), &patch)
        .await;
    done.map(|_| ())
        .map_err(|e| refused(format!("Deployment {name} can't be scaled"), &e, "gw debug"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_service_is_not_another_whose_name_begins_like_it() {
        let object = json!({"spec": {"host": "{host.ollama-2}"}});
        assert!(names(&object, "ollama-2") && !names(&object, "ollama"));
        let alias = json!({"endpoints": [{"addresses": ["{host.ollama.address}"]}]});
        assert!(names(&alias, "ollama") && !names(&alias, "oll"));
    }

    #[test]
    fn what_others_added_is_taken_away_and_nothing_else() {
        let planned = json!({"kind": "Gateway", "metadata": {"name": "g"}, "spec": {"listeners": [{"name": "http"}]}});
        let live = json!({"kind": "Gateway", "metadata": {"name": "g", "managedFields": [
            {"manager": "kubectl-edit", "operation": "Update", "fieldsV1": {"f:spec": {"f:addresses": {}}}}]},
            "spec": {"listeners": [{"name": "x"}, {"name": "http"}, {"name": "y"}], "addresses": ["1.2.3.4"]}});
        let drift = compare(&planned, Some(&live)).unwrap();
        let paths: Vec<String> = removals(&drift)
            .iter()
            .map(|op| op["path"].as_str().unwrap().to_string())
            .collect();
        assert_eq!(
            paths,
            ["/spec/listeners/2", "/spec/listeners/0", "/spec/addresses"]
        );
    }
}
