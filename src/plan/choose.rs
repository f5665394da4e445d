//! One backend: whether it can be used, with which model, where. Pure.

use super::Bridged;
use super::select::{At, Chosen, KeyState, SecretNeed, Server, Services, Target};
use crate::error::{Error, Result};
use crate::profile::address::Address;
use crate::profile::{Llm, Mcp, McpServer, McpTarget, Selector, Stdio, TargetKind, Variable};
use crate::provider::check::AUTHORIZATION;
use crate::provider::mock::MCP_PATH;
use crate::provider::{Home, Key, Provider, Setting, Ways};
use crate::text;
use serde_json::Value;

pub fn llm(name: &str, llm: &Llm, services: &Services, notes: &mut Vec<String>) -> Result<Chosen> {
    let ways = llm.provider.ways();
    let at = place(llm, services);
    let settings = ways.resolve(&llm.settings, &services.settings);
    let settings = settings.map_err(|setting| without(ways, setting))?;
    let secret = match wants_key(llm, ways) {
        true => key(name, services, notes)?,
        false => None,
    };
    let models = there(name, llm, &at, services)?;
    let wanted = wanted(llm, ways, models, notes)?;
    let open = !llm.models.is_empty() || !llm.aliases.is_empty();
    let named = (!wanted.is_empty()).then_some(wanted);
    Ok(Chosen {
        name: name.to_string(),
        provider: llm.provider,
        form: llm.form.unwrap_or(ways.form),
        model: named.clone().filter(|_| !open),
        default_model: named.filter(|_| open),
        aliases: llm.aliases.clone(),
        at,
        prefix: llm.address.as_ref().map_or(String::new(), prefix),
        settings,
        secret,
    })
}

/// An optional key counts only where the profile names its source.
pub fn wants_key(llm: &Llm, ways: &Ways) -> bool {
    match ways.key {
        Key::None => false,
        Key::Optional => !llm.keys.is_empty(),
        // A server at an address of the profile's own may ask for none.
        Key::Needed => llm.address.is_none() || !llm.keys.is_empty(),
        Key::Aws => true,
    }
}

/// A path that ends with `/v1` says where that is; clients bring the `/v1` themselves.
fn prefix(address: &Address) -> String {
    let path = address.path.as_str();
    path.strip_suffix("/v1").unwrap_or(path).to_string()
}

fn place(llm: &Llm, services: &Services) -> At {
    let ways = llm.provider.ways();
    match (&llm.address, ways.home) {
        (Some(address), _) => at(address),
        (None, _) if llm.provider == Provider::Mock => At::Machine {
            port: llm.port.unwrap_or(services.mock_port),
        },
        (None, Home::Machine) => At::Machine {
            port: llm.port.unwrap_or(ways.default_port),
        },
        (None, Home::Cloud | Home::Address) => At::Home,
    }
}

fn at(address: &Address) -> At {
    match address.is_machine() {
        true => At::Machine { port: address.port },
        false => At::Elsewhere {
            host: address.host.clone(),
            port: address.port,
            tls: address.tls,
        },
    }
}

fn without(ways: &Ways, setting: &Setting) -> Error {
    let variable = setting.variables.first().copied().unwrap_or_default();
    let next = format!("export {variable}={}", setting.example);
    let what = format!("{} has no {}", ways.title, setting.field);
    Error::usage(what, next).fact(format!(
        "neither in the profile nor in {}",
        setting.variables.join(", ")
    ))
}

fn key(owner: &str, services: &Services, notes: &mut Vec<String>) -> Result<Option<SecretNeed>> {
    match services.keys.get(owner) {
        Some(KeyState::Here {
            entries,
            from,
            note,
        }) => {
            notes.extend(note.clone());
            Ok(Some(SecretNeed {
                owner: owner.to_string(),
                entries: entries.clone(),
                from: from.clone(),
            }))
        }
        Some(KeyState::Lacking(error)) => Err(error.clone()),
        None => Err(Error::usage(format!("{owner} has no key"), "gw up")),
    }
}

/// The models of a service that must answer first; `None` where there is nothing to ask.
fn there<'a>(
    name: &str,
    llm: &Llm,
    at: &At,
    services: &'a Services,
) -> Result<Option<&'a [String]>> {
    let ways = llm.provider.ways();
    match at {
        _ if llm.provider == Provider::Mock => Ok(None),
        At::Home => Ok(None),
        At::Machine { port } => {
            let of_port = |s: &&super::select::Service| s.port == *port;
            match services.found.iter().find(of_port) {
                Some(service) => Ok(Some(&service.models)),
                None if ways.home == Home::Cloud => Ok(None),
                None => {
                    let what = format!("{} does not answer on 127.0.0.1:{port}", ways.title);
                    let next = match ways.home {
                        Home::Address => format!("lsof -i :{port}"),
                        Home::Machine | Home::Cloud => ways.start.to_string(),
                    };
                    Err(Error::new(what, next))
                }
            }
        }
        At::Elsewhere { host, .. } if ways.home != Home::Cloud => {
            match services.elsewhere.get(name) {
                Some(models) => Ok(Some(models)),
                None => {
                    let what = format!("{} does not answer at {host}", ways.title);
                    let url = llm.address.as_ref().map_or(String::new(), Address::text);
                    Err(Error::new(what, format!("curl -i {url}/models")))
                }
            }
        }
        At::Elsewhere { .. } => Ok(None),
    }
}

/// The model that is asked for: the profile's, the provider's usual one, or the first that is there.
fn wanted(
    llm: &Llm,
    ways: &Ways,
    there: Option<&[String]>,
    notes: &mut Vec<String>,
) -> Result<String> {
    let named = llm.model.as_ref().or_else(|| llm.models.first());
    let wanted = named.map_or(ways.default_model, String::as_str);
    let Some(there) = there else {
        return match (wanted, ways.home) {
            ("", Home::Address) => Err(no_model(ways, wanted, llm)),
            _ => Ok(wanted.to_string()),
        };
    };
    let has = |model: &String| llm.provider.same_model(wanted, model);
    match there.first() {
        _ if !wanted.is_empty() && there.iter().any(has) => Ok(wanted.to_string()),
        // A server that lists nothing may still know what a person names.
        None if named.is_some() && llm.provider != Provider::Ollama => Ok(wanted.to_string()),
        None => Err(no_model(ways, wanted, llm)),
        Some(first) => {
            if !wanted.is_empty() {
                notes.push(format!(
                    "{} has no {wanted}: using {first}; get it with: {}",
                    ways.title,
                    llm.provider.fetch_model(wanted)
                ));
            }
            Ok(first.clone())
        }
    }
}

fn no_model(ways: &Ways, wanted: &str, llm: &Llm) -> Error {
    let next = match wanted {
        "" => format!("gw backend {} --model NAME", ways.name),
        wanted => llm.provider.fetch_model(wanted),
    };
    Error::new(format!("{} has no model", ways.title), next)
}

pub fn mcp(
    name: &str,
    mcp: &Mcp,
    on: TargetKind,
    services: &Services,
    notes: &mut Vec<String>,
) -> Result<Vec<Target>> {
    let mut targets = Vec::new();
    for target in &mcp.targets {
        if let (McpServer::Services(selector), TargetKind::Embedded) = (&target.server, on) {
            has_service(&target.name, selector, &services.manifests)?;
        }
        let owner = target_owner(name, &target.name);
        targets.push(mcp_target(&owner, target, services, notes)?);
    }
    Ok(targets)
}

fn mcp_target(
    owner: &str,
    target: &McpTarget,
    services: &Services,
    notes: &mut Vec<String>,
) -> Result<Target> {
    let needed = match target.keys(AUTHORIZATION).is_empty() {
        true => None,
        false => key(owner, services, notes)?,
    };
    let port = |port| At::Machine { port };
    let (server, place, path) = match &target.server {
        McpServer::Mock => (Server::Mock, port(services.mock_port), MCP_PATH.to_string()),
        McpServer::Address(address)
            if address.is_machine() && !services.answering.contains(&address.port) =>
        {
            return Err(silent(&target.name, address.port));
        }
        McpServer::Address(address) => {
            let path = match address.path.as_str() {
                "" => target.protocol.path(),
                path => path,
            };
            (Server::Theirs, at(address), path.to_string())
        }
        McpServer::Stdio(stdio) => {
            let bridged = bridged(owner, target, stdio, services)?;
            let path = format!("{MCP_PATH}/{owner}");
            (Server::Bridged(bridged), port(services.bridge_port), path)
        }
        McpServer::Services(selector) => {
            (Server::Services(selector.clone()), At::Home, String::new())
        }
    };
    // What a program of this machine needs goes to it, and into no Secret.
    let secret = needed.filter(|_| target.key.is_some());
    Ok(Target {
        name: target.name.clone(),
        at: place,
        server,
        path,
        protocol: target.protocol,
        secret,
    })
}

/// Without a cluster there are no Services but those of the profile's own manifests.
fn has_service(name: &str, selector: &Selector, manifests: &[Value]) -> Result<()> {
    if manifests.iter().any(|object| picks(selector, object)) {
        return Ok(());
    }
    let what =
        format!("MCP server {name} is picked among Services, and without a cluster there is none");
    let labels = selector.labels.iter();
    let labels: Vec<String> = labels
        .map(|(name, text)| format!("{name}={text}"))
        .collect();
    let fact = format!(
        "no manifest of the profile is one with {}",
        labels.join(", ")
    );
    Err(Error::usage(what, "gw up --target kind").fact(fact))
}

fn picks(selector: &Selector, object: &Value) -> bool {
    let metadata = &object["metadata"];
    let mut labels = selector.labels.iter();
    let is_here = match (&selector.namespace, metadata["namespace"].as_str()) {
        (Some(wanted), Some(place)) => wanted == place,
        _ => true,
    };
    object["kind"] == "Service"
        && is_here
        && labels.all(|(name, text)| metadata["labels"][name] == text.as_str())
}

fn bridged(owner: &str, target: &McpTarget, stdio: &Stdio, services: &Services) -> Result<Bridged> {
    let program = stdio.command.first().map_or("", String::as_str);
    if !services.programs.contains(program) {
        let what = match program.contains('/') {
            true => format!("MCP server {} has no program at {program}", target.name),
            false => format!(
                "MCP server {} needs {program}, which is not on PATH",
                target.name
            ),
        };
        return Err(Error::usage(what, install(program)));
    }
    let plain = stdio.env.iter().filter_map(|(name, value)| match value {
        Variable::Plain(text) => Some((name.clone(), text.clone())),
        Variable::Key(_) => None,
    });
    let keys = target.keys(AUTHORIZATION).into_iter();
    Ok(Bridged {
        name: owner.to_string(),
        command: stdio.command.clone(),
        env: plain.collect(),
        keys: keys.map(|(name, _)| name.to_string()).collect(),
    })
}

/// What puts the usual starters of MCP servers on PATH.
fn install(program: &str) -> String {
    let is_mac = cfg!(target_os = "macos");
    match program {
        "npx" | "node" | "npm" if is_mac => "brew install node".to_string(),
        "npx" | "npm" => "sudo apt-get install -y npm".to_string(),
        "node" => "sudo apt-get install -y nodejs".to_string(),
        "uvx" | "uv" if is_mac => "brew install uv".to_string(),
        // As its own documentation has it (docs.astral.sh/uv/getting-started/installation).
        "uvx" | "uv" => "curl -LsSf https://astral.sh/uv/install.sh | sh".to_string(),
        "python3" if is_mac => "brew install python".to_string(),
        "python3" => "sudo apt-get install -y python3".to_string(),
        other if other.contains('/') => format!("ls -l {}", text::shell(other)),
        other => format!("command -v {}", text::shell(other)),
    }
}

fn silent(name: &str, port: u16) -> Error {
    // Where the reference server listens (github.com/modelcontextprotocol/servers, src/everything).
    let next = match port {
        3001 => "npx -y @modelcontextprotocol/server-everything streamableHttp".to_string(),
        port => format!("lsof -i :{port}"),
    };
    let what = format!("MCP server {name} does not answer on 127.0.0.1:{port}");
    Error::new(what, next)
}

/// Under which the key of an MCP server is known: also a part of its Secret's name.
pub fn target_owner(backend: &str, target: &str) -> String {
    let name: String = format!("{backend}-{target}").chars().take(58).collect();
    name.trim_end_matches('-').to_string()
}
