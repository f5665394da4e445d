//! `gw backend`: the YAML of a backend for the environment at hand, or the backend itself.

use super::Outcome;
use super::addition::{Ground, apply, by_hand};
use super::session::Session;
use crate::cli::Backend;
use crate::error::{Error, Result};
use crate::profile::{Profile, Serves, TargetKind};
use crate::provider::check::AUTHORIZATION;
use crate::provider::{Key, Provider, bedrock};
use crate::report::document::Document;
use crate::secret::source::{Source, at_home};
use crate::text;
use crate::yaml;
use serde_json::{Value, json};

pub async fn run(session: &Session, options: &Backend) -> Outcome {
    let mut ground = Ground::of(
        session,
        options.namespace.as_deref(),
        options.gateway.as_deref(),
    )?;
    let item = item(options)?;
    let name = item["name"].as_str().unwrap_or_default().to_string();
    let path = options.path.clone().unwrap_or_else(|| format!("/{name}"));
    let route = json!({"name": name, "backend": name, "path": path});
    if options.apply {
        return apply(session, &ground, Some(&item), Some(&route)).await;
    }
    if options.whole {
        ground.target = TargetKind::Embedded;
    }
    let profile = ground.profile(&item, Some(&route))?;
    let plan = ground.plan(session, &profile).await?;
    let (wires, notes) = ground.wires(&plan, options.host.as_deref()).await;
    let (objects, secrets) = by_hand(&plan, &wires);
    let wanted = |object: &Value| match object["kind"].as_str() {
        Some("AgentgatewayBackend" | "Service" | "EndpointSlice") => true,
        Some("Gateway" | "HTTPRoute") => options.whole,
        _ => false,
    };
    let objects: Vec<Value> = objects.into_iter().filter(wanted).collect();
    let commands: Vec<(String, String)> = secrets
        .iter()
        .map(|secret| {
            let name = secret["metadata"]["name"].as_str().unwrap_or_default();
            let command = secret_command(secret, &profile, &ground.namespace);
            (name.to_string(), command)
        })
        .collect();
    if session.is_json() {
        let secrets = commands.iter();
        let secrets = secrets.map(|(name, command)| json!({"name": name, "command": command}));
        let document = Document::new("backend", &session.global.env)
            .set("namespace", ground.namespace.clone())
            .set("objects", objects)
            .set("secrets", secrets.collect::<Vec<_>>())
            .set("notes", notes);
        session.write(&document.text());
        return Ok(None);
    }
    let mut comments: Vec<String> = plan.notes.iter().chain(&notes).cloned().collect();
    for (name, command) in commands {
        comments.push(format!(
            "its key, as Secret {name}, which stands in no YAML:"
        ));
        comments.push(format!("  {command}"));
    }
    let comments: String = comments.iter().map(|line| format!("# {line}\n")).collect();
    session.write(&format!("{comments}{}", yaml::write_all(&objects)));
    Ok(None)
}

/// The backend as a profile writes it.
fn item(options: &Backend) -> Result<Value> {
    let name = options
        .name
        .clone()
        .unwrap_or_else(|| options.provider.clone());
    let key = options.key.as_deref().map(source).transpose()?;
    if options.provider == "mcp" {
        let mut target = json!({"name": name});
        match (&options.address, &options.command) {
            (Some(address), _) => target["address"] = json!(address),
            (None, Some(line)) => target["command"] = json!(words(line)),
            (None, None) => {
                let next = "gw backend mcp --address http://localhost:3001/mcp";
                let what = "an MCP server is named by its address, or by the command that it is";
                return Err(Error::usage(what, next));
            }
        }
        if let Some(key) = key {
            target["key"] = key;
        }
        return Ok(json!({"name": name, "mcp": [target]}));
    }
    if Provider::named(&options.provider).is_none() {
        let names = Provider::ALL.map(|provider| provider.ways().name);
        let what = format!("there is no provider `{}`", options.provider);
        let near = crate::profile::suggest::nearest(&options.provider, &names);
        let next = format!("gw backend {}", near.unwrap_or("ollama"));
        return Err(Error::usage(what, next).fact(format!("there are: {}, mcp", names.join(", "))));
    }
    if options.command.is_some() {
        let what = format!(
            "--command is of MCP servers, and {} is none",
            options.provider
        );
        return Err(Error::usage(
            what,
            format!("gw backend {}", options.provider),
        ));
    }
    let mut item = json!({"name": name, "provider": options.provider});
    let texts = [
        ("model", &options.model),
        ("address", &options.address),
        ("endpoint", &options.endpoint),
        ("deployment", &options.deployment),
        ("apiVersion", &options.api_version),
        ("project", &options.project),
        ("region", &options.region),
    ];
    for (field, text) in texts {
        if let Some(text) = text {
            item[field] = json!(text);
        }
    }
    if let Some(port) = options.port {
        item["port"] = json!(port);
    }
    if let Some(key) = key {
        item["key"] = key;
    }
    Ok(item)
}

fn words(line: &str) -> Vec<String> {
    line.split_whitespace().map(str::to_string).collect()
}

/// `env:NAME`, `file:PATH`, `command:op read ...`, `keychain:NAME`: a key itself is refused unseen.
fn source(text: &str) -> Result<Value> {
    match text.split_once(':') {
        Some(("env", name)) => Ok(json!({"env": name})),
        Some(("file", path)) => Ok(json!({"file": path})),
        Some(("keychain", name)) => Ok(json!({"keychain": name})),
        Some(("command", line)) => Ok(json!({"command": words(line)})),
        _ => {
            let what = "--key says where the key is, and is no key";
            let error = Error::usage(what, "gw backend openai --key env:OPENAI_API_KEY");
            Err(error.fact("one of env:NAME, file:PATH, keychain:NAME, 'command:op read ...'"))
        }
    }
}

/// The one command that makes the Secret, with the entries that the controller reads (facts 5). The
/// key passes through a pipe, and is in nobody's arguments.
fn secret_command(secret: &Value, profile: &Profile, namespace: &str) -> String {
    let name = secret["metadata"]["name"].as_str().unwrap_or_default();
    let entries = secret["stringData"].as_object();
    let entries: Vec<&String> = entries.into_iter().flat_map(|map| map.keys()).collect();
    let parts: Vec<String> = entries
        .iter()
        .map(|entry| match printing(entry, profile) {
            Printing::File(path) => format!("--from-file={entry}={path}"),
            Printing::Command(line) => format!("--from-file={entry}=<({line})"),
        })
        .collect();
    format!(
        "kubectl create secret generic {name} -n {namespace} {} --dry-run=client -o yaml | kubectl apply -f -",
        parts.join(" ")
    )
}

enum Printing {
    File(String),
    Command(String),
}

/// What prints an entry of the key.
fn printing(entry: &str, profile: &Profile) -> Printing {
    let serves = profile.backends.first().map(|backend| &backend.serves);
    let (named, usual) = match serves {
        Some(Serves::Llm(llm)) => {
            let ways = llm.provider.ways();
            let part = bedrock::PARTS.iter().find(|(name, ..)| *name == entry);
            let usual = match part {
                Some((_, variable, _)) if ways.key == Key::Aws => Source::env(variable),
                _ => Source::Env(ways.variables.iter().map(ToString::to_string).collect()),
            };
            (llm.keys.get(entry).cloned(), Some(usual))
        }
        Some(Serves::Mcp(mcp)) => (mcp.targets.first().and_then(|t| t.key.clone()), None),
        Some(Serves::Groups(_)) | None => (None, None),
    };
    match named.or(usual) {
        Some(Source::File(path)) => Printing::File(text::shell(&at_home(&path).to_string_lossy())),
        // What nothing prints, the person types.
        Some(source) => Printing::Command(source.printed().unwrap_or_else(|| "cat".to_string())),
        None => Printing::Command(format!("printenv {}", AUTHORIZATION.to_uppercase())),
    }
}
