//! What `gw backend` and `gw route` add: a profile of one backend and one route, printed as objects or
//! laid over the environment's own profile.

use super::proved;
use super::session::Session;
use super::wish::find_services;
use crate::apply::record::Record;
use crate::cli::{Up, Wish};
use crate::diagnose::applied::Applied;
use crate::error::{Error, Exit, Result};
use crate::host::docker;
use crate::plan::choose::wants_key;
use crate::plan::outcome::Wire;
use crate::plan::select::{KeyState, Service, Services};
use crate::plan::{Action, HostService, Plan, build, placeholder};
use crate::profile::load::{self, find};
use crate::profile::wire::{API_VERSION, KIND};
use crate::profile::{GATEWAY, McpServer, NAMESPACE, PORT, Profile, Serves, TargetKind};
use crate::provider::check::AUTHORIZATION;
use crate::provider::{Home, Key, Provider, bedrock};
use crate::secret::source::Source;
use crate::secret::vault::Vault;
use crate::yaml;
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::net::Ipv4Addr;

/// The environment as far as it is at hand, else what `up` would take.
pub struct Ground {
    pub record: Option<Record>,
    pub target: TargetKind,
    pub namespace: String,
    pub gateway: String,
    pub port: u16,
    /// Services of this machine that the environment needs.
    services: Vec<HostService>,
}

impl Ground {
    pub fn of(session: &Session, namespace: Option<&str>, gateway: Option<&str>) -> Result<Ground> {
        let record = session.bound()?;
        let known = |text: fn(&Record) -> String, usual: &str| {
            record.as_ref().map_or_else(|| usual.to_string(), text)
        };
        let at = known(|record| record.namespace.clone(), NAMESPACE);
        let name = known(|record| record.gateway.clone(), GATEWAY);
        Ok(Ground {
            target: record
                .as_ref()
                .and_then(Record::target)
                .unwrap_or(TargetKind::Kind),
            namespace: namespace.map_or(at, str::to_string),
            gateway: gateway.map_or(name, str::to_string),
            port: record.as_ref().map_or(PORT, |record| record.port),
            services: Applied::load(&session.environment())
                .map(|applied| applied.services)
                .unwrap_or_default(),
            record,
        })
    }

    /// The profile that the environment follows, with all that it extends.
    pub fn followed(&self) -> Result<Option<Value>> {
        let source = self.record.as_ref().map(|record| record.source.as_str());
        match source.filter(|source| !source.is_empty()) {
            None => Ok(None),
            Some(source) => find(source, std::io::empty())?.whole().map(Some),
        }
    }

    /// A profile of this backend and this route alone, on the ground of the environment.
    pub fn profile(&self, backend: &Value, route: Option<&Value>) -> Result<Profile> {
        let mut value = json!({
            "apiVersion": API_VERSION,
            "kind": KIND,
            "name": "added",
            "target": {"kind": self.target.name()},
            "release": {"namespace": self.namespace},
            "gateway": {"name": self.gateway, "port": self.port},
            "backends": [backend],
        });
        if let Some(route) = route {
            value["routes"] = json!([route]);
        }
        load::Source::written("the command line", &yaml::write(&value)).profile()
    }

    /// The objects of such a profile, as they would be applied by hand. Nothing is touched, and no
    /// key is read: what is not at hand is taken for granted.
    pub async fn plan(&self, session: &Session, profile: &Profile) -> Result<Plan> {
        let (mut found, elsewhere) = find_services(profile, &Vault::default()).await;
        let mut services = Services {
            elsewhere,
            mock_port: session.mock_port().port,
            processor_port: session.processor_port().port,
            bridge_port: session.bridge_port().port,
            settings: super::keys::settings(),
            ..Services::default()
        };
        for backend in &profile.backends {
            match &backend.serves {
                Serves::Llm(llm) => {
                    let ways = llm.provider.ways();
                    if wants_key(llm, ways) {
                        let entries = match (ways.key, llm.keys.is_empty()) {
                            (_, false) => llm.keys.keys().cloned().collect(),
                            (Key::Aws, true) if !has_bearer(llm.provider) => {
                                // Keys for a time need their session's token too.
                                let parts = bedrock::PARTS.iter().filter(|(_, variable, need)| {
                                    *need || Source::env(variable).is_here()
                                });
                                parts.map(|(entry, ..)| entry.to_string()).collect()
                            }
                            _ => vec![AUTHORIZATION.to_string()],
                        };
                        let state = KeyState::Here {
                            entries,
                            from: ways.variables.join(" or "),
                            note: None,
                        };
                        services.keys.insert(backend.name.clone(), state);
                    }
                    let model = llm.model.clone().or(llm.models.first().cloned());
                    let assumed = model.unwrap_or_else(|| ways.default_model.to_string());
                    let assumed: Vec<String> = Some(assumed)
                        .filter(|m| !m.is_empty())
                        .into_iter()
                        .collect();
                    let port = match &llm.address {
                        Some(address) => address.port,
                        None => llm.port.unwrap_or(ways.default_port),
                    };
                    if ways.home != Home::Cloud && found.iter().all(|s| s.port != port) {
                        found.push(Service {
                            provider: llm.provider,
                            port,
                            models: assumed.clone(),
                        });
                    }
                    services
                        .elsewhere
                        .entry(backend.name.clone())
                        .or_insert(assumed);
                }
                Serves::Mcp(mcp) => {
                    for target in &mcp.targets {
                        services.answering.extend(target.address().map(|a| a.port));
                        if let McpServer::Stdio(stdio) = &target.server {
                            services.programs.extend(stdio.command.first().cloned());
                        }
                        if !target.keys(AUTHORIZATION).is_empty() {
                            let owner =
                                crate::plan::choose::target_owner(&backend.name, &target.name);
                            let state = KeyState::Here {
                                entries: vec![AUTHORIZATION.to_string()],
                                from: String::new(),
                                note: None,
                            };
                            services.keys.insert(owner, state);
                        }
                    }
                }
                Serves::Groups(_) => {}
            }
        }
        services.found = found;
        build::build(profile, self.target, &session.global.env, &services)
    }

    /// How the gateway reaches each service of this machine: as it was proved, else as it usually is,
    /// which is said.
    pub async fn wires(
        &self,
        plan: &Plan,
        host: Option<&str>,
    ) -> (BTreeMap<String, Wire>, Vec<String>) {
        let (mut wires, mut notes) = (BTreeMap::new(), Vec::new());
        let known = self.record.iter().flat_map(|record| &record.wires);
        let known: BTreeMap<String, Wire> = known.map(|(n, w)| (n.clone(), w.clone())).collect();
        for step in &plan.steps {
            let Action::HostService(service) = &step.action else {
                continue;
            };
            let at = |host: String, address: Option<Ipv4Addr>| Wire {
                host,
                address,
                port: service.port,
                relay: false,
            };
            let proved = known.get(&service.name).cloned();
            let proved =
                proved.or_else(|| proved::way(service, &self.namespace, &self.services, &known));
            let wire = match (host, proved, self.target) {
                (Some(host), ..) => at(host.to_string(), None),
                (None, Some(wire), _) => wire,
                (None, None, TargetKind::Embedded) => at("127.0.0.1".to_string(), None),
                (None, None, TargetKind::OrbStack | TargetKind::Kind | TargetKind::Context) => {
                    notes.push(format!(
                        "{}'s host is the usual one, not proved from a pod: --apply proves it, --host says another",
                        service.title
                    ));
                    usual(service.port, &service.name, &self.namespace).await
                }
            };
            wires.insert(service.name.clone(), wire);
        }
        (wires, notes)
    }
}

/// On Linux the bridge's own address under a name of ours, elsewhere the engine's alias (facts 11).
async fn usual(port: u16, name: &str, namespace: &str) -> Wire {
    let alias = || Wire {
        host: "host.docker.internal".to_string(),
        address: None,
        port,
        relay: false,
    };
    if !cfg!(target_os = "linux") {
        return alias();
    }
    let network = async { docker::kind_network(&docker::connect().await?).await };
    match network.await {
        Err(_) => alias(),
        Ok(network) => Wire {
            host: format!("host-{name}.{namespace}.svc.cluster.local"),
            address: Some(network.gateway),
            port,
            relay: false,
        },
    }
}

fn has_bearer(provider: Provider) -> bool {
    let names = provider.ways().variables.iter();
    Source::Env(names.map(ToString::to_string).collect()).is_here()
}

/// Objects as a person applies them: without our marks, because they are not ours then, and with
/// what is known of this machine. Secrets are told apart.
pub fn by_hand(plan: &Plan, wires: &BTreeMap<String, Wire>) -> (Vec<Value>, Vec<Value>) {
    let needed = |object: &&Value| {
        // An alias is only for an address.
        let name = object["metadata"]["name"].as_str().unwrap_or("");
        let service = name.strip_prefix("host-").and_then(|name| wires.get(name));
        service.is_none_or(|wire| wire.address.is_some())
    };
    let filled = plan.objects().filter(needed).map(|object| {
        let mut object = placeholder::fill(object, wires);
        if let Some(labels) = object["metadata"]["labels"].as_object_mut() {
            labels.retain(|name, _| name == "kubernetes.io/service-name");
            if labels.is_empty()
                && let Some(metadata) = object["metadata"].as_object_mut()
            {
                metadata.shift_remove("labels");
            }
        }
        object
    });
    filled.partition(|object| object["kind"] != "Secret")
}

/// Lays a backend or a route over the environment's profile and makes it true, as `up` does.
pub async fn apply(
    session: &Session,
    ground: &Ground,
    backend: Option<&Value>,
    route: Option<&Value>,
) -> super::Outcome {
    let _lock = session.lock("up").await?;
    let file = session.environment().added();
    let before = std::fs::read_to_string(&file).ok();
    let own = file.to_string_lossy().into_owned();
    let source = ground.record.as_ref().map(|record| record.source.clone());
    let source = source.filter(|source| !source.is_empty());
    let follows_own = source.as_deref() == Some(&own);
    let followed = ground.followed()?;
    let mut value = match (&before, follows_own) {
        (Some(text), true) => yaml::read_values(text)?
            .into_iter()
            .next()
            .unwrap_or_default(),
        _ => fresh(source.as_deref(), &followed),
    };
    put(&mut value, "backends", backend);
    let followed = followed.unwrap_or_default();
    if let Some(route) = route {
        // Written routes take the place of those that follow from backends.
        if followed["routes"].is_null() && value["routes"].is_null() {
            let backends = followed["backends"].as_array().into_iter().flatten();
            let names = backends.filter_map(|backend| backend["name"].as_str());
            for name in names {
                put(
                    &mut value,
                    "routes",
                    Some(&json!({"name": name, "backend": name})),
                );
            }
        }
        put(&mut value, "routes", Some(route));
    }
    let head = "# Written by `gw backend --apply` and `gw route --apply`; `gw up` follows it.\n";
    write(&file, &format!("{head}{}", yaml::write(&value)))?;
    let wish = Wish {
        profile: Some(own),
        ..Wish::default()
    };
    let from = crate::cli::From {
        offline: false,
        bundle: None,
    };
    let up = Up::of(wish, from);
    let result = super::up::under_lock(session, &up).await;
    if matches!(&result, Err(error) if error.exit == Exit::Usage) {
        // Nothing was made of it.
        let restored = match before {
            Some(text) => write(&file, &text),
            None => std::fs::remove_file(&file).map_err(|e| unwritten(&file, &e)),
        };
        restored?;
    }
    result
}

/// A profile that only adds: to what the environment follows, else to nothing.
fn fresh(source: Option<&str>, followed: &Option<Value>) -> Value {
    let mut value = json!({"apiVersion": API_VERSION, "kind": KIND, "name": "added"});
    match (source, followed) {
        (Some(source), Some(_)) => value["extends"] = json!(source),
        _ => value["policies"] = json!([{"name": "same-site", "csrf": {}}]),
    }
    value
}

/// Takes the place of the item of the same name.
fn put(value: &mut Value, list: &str, item: Option<&Value>) {
    let Some(item) = item else { return };
    if !value[list].is_array() {
        value[list] = json!([]);
    }
    if let Some(items) = value[list].as_array_mut() {
        match items.iter_mut().find(|other| other["name"] == item["name"]) {
            Some(other) => *other = item.clone(),
            None => items.push(item.clone()),
        }
    }
}

fn write(file: &std::path::Path, text: &str) -> Result<()> {
    let folder = file.parent().map_or(Ok(()), std::fs::create_dir_all);
    folder
        .and_then(|()| std::fs::write(file, text))
        .map_err(|e| unwritten(file, &e))
}

fn unwritten(file: &std::path::Path, error: &std::io::Error) -> Error {
    Error::new(format!("{} can't be written", file.display()), "df -h").because(error)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_item_takes_the_place_of_the_one_of_its_name() {
        let mut value = json!({});
        put(
            &mut value,
            "backends",
            Some(&json!({"name": "a", "model": "1"})),
        );
        put(&mut value, "backends", Some(&json!({"name": "b"})));
        put(
            &mut value,
            "backends",
            Some(&json!({"name": "a", "model": "2"})),
        );
        assert_eq!(
            value["backends"],
            json!([{"name": "a", "model": "2"}, {"name": "b"}])
        );
    }

    #[test]
    fn without_an_environment_cross_site_requests_are_refused_all_the_same() {
        assert_eq!(fresh(None, &None)["policies"][0]["csrf"], json!({}));
        let extending = fresh(Some("default"), &Some(json!({})));
        assert_eq!(extending["extends"], "default");
    }
}
