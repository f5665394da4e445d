//! `gw env`: the variables by which the usual SDKs use the gateway.

use super::Outcome;
use super::session::Session;
use crate::apply::record::{Record, RecordedRoute};
use crate::cli::{Env, ShellName};
use crate::error::{Error, Result};
use crate::host::paths::EnvironmentPaths;
use crate::plan::{RouteAuth, Scheme};
use crate::profile::rule::KeyFrom;
use crate::provider::client::{Client, PLACEHOLDER};
use crate::report::document::Document;
use crate::report::exports::{Line, Shell, Value};
use crate::secret::keychain;
use crate::secret::source::{Source, at_home};
use serde_json::{Map, json};

pub fn run(session: &Session, options: &Env) -> Outcome {
    let record = session.record()?;
    if record.base_url.is_empty() {
        let what = format!("environment `{}` has no gateway yet", record.environment);
        return Err(Error::new(what, "gw up"));
    }
    let chosen = chosen(&record, options.route.as_deref())?;
    let paths = session.environment();
    let mut lines = Vec::new();
    for (client, route) in &chosen {
        lines.extend(of_client(*client, route, &record.base_url, &paths));
    }
    if session.is_json() {
        session.write(&document(session, &record, &lines).text());
        return Ok(None);
    }
    let shell = options.shell.map_or_else(shell_of_caller, ShellName::shell);
    let mut text = match options.unset {
        true => unset(&lines),
        false => lines,
    };
    if !options.unset {
        text.extend(asides(&record, &chosen));
        let again = session.complete(&command(options));
        text.push(Line::Comment(format!(
            "take them: {}",
            shell.taking(&again)
        )));
    }
    let text: Vec<String> = text.iter().map(|line| shell.line(line) + "\n").collect();
    session.write(&text.concat());
    Ok(None)
}

fn shell_of_caller() -> Shell {
    Shell::of(&std::env::var("SHELL").unwrap_or_default())
}

impl ShellName {
    fn shell(self) -> Shell {
        match self {
            ShellName::Bash | ShellName::Zsh => Shell::Posix,
            ShellName::Fish => Shell::Fish,
            ShellName::Powershell => Shell::PowerShell,
            ShellName::Nu => Shell::Nu,
        }
    }
}

fn command(options: &Env) -> String {
    use clap::ValueEnum;
    let mut words = vec!["gw env".to_string()];
    let route = options.route.iter();
    words.extend(route.map(|route| format!("--route {}", crate::text::shell(route))));
    let shell = options.shell.and_then(|shell| shell.to_possible_value());
    words.extend(shell.map(|shell| format!("--shell {}", shell.get_name())));
    words.join(" ")
}

/// The route for each family of SDKs: the one that was named, else the first that serves it.
fn chosen<'a>(record: &'a Record, named: Option<&str>) -> Result<Vec<(Client, &'a RecordedRoute)>> {
    let is_named = |route: &&RecordedRoute| named.is_none_or(|name| name == route.name);
    let routes: Vec<&RecordedRoute> = record.routes.iter().filter(is_named).collect();
    if let (Some(name), true) = (named, routes.is_empty()) {
        let names: Vec<&str> = record.routes.iter().map(|r| r.name.as_str()).collect();
        let first = names.first().copied().unwrap_or_default();
        let what = format!("there is no route `{name}`");
        let error = Error::usage(what, format!("gw env --route {first}"));
        return Err(error.fact(format!("there are: {}", names.join(", "))));
    }
    let of = |client: Client| {
        let first = routes.iter().find(|route| route.serves(client));
        first.map(|route| (client, *route))
    };
    Ok(Client::ALL.into_iter().filter_map(of).collect())
}

fn of_client(
    client: Client,
    route: &RecordedRoute,
    base: &str,
    paths: &EnvironmentPaths,
) -> Vec<Line> {
    let url = client.base(&format!("{base}{}", route.path));
    let model = match route.model.as_str() {
        "" => String::new(),
        model => format!(", model {model}"),
    };
    let mut lines = vec![
        Line::Comment(format!("{} by {}{model}", client.title(), route.path)),
        Line::Set(client.base_variable(), Value::Text(url)),
    ];
    let Some(auth) = &route.auth else {
        let value = Value::Text(PLACEHOLDER.to_string());
        lines.push(Line::Set(client.key_variable(false), value));
        return lines;
    };
    lines.extend(client.rival(true).map(Line::Unset));
    let variable = client.key_variable(true);
    lines.push(match shown(auth, paths) {
        Ok(value) => Line::Set(variable, value),
        Err(why) => Line::Comment(format!("{variable}: {why}")),
    });
    lines
}

/// Where a caller's key is; of what no SDK can show, why.
fn shown(auth: &RouteAuth, paths: &EnvironmentPaths) -> std::result::Result<Value, String> {
    let policy = &auth.policy;
    match (auth.scheme, &auth.from) {
        (Scheme::Basic, _) => Err(format!(
            "policy {policy} asks for a user and a password, which SDKs do not send"
        )),
        (Scheme::Bearer, None) => Err(format!("a token of the issuer that policy {policy} names")),
        (Scheme::Bearer, Some(KeyFrom::Generated)) => {
            let file = paths.made_key(policy, &auth.name);
            Ok(Value::File(file.to_string_lossy().into_owned()))
        }
        (Scheme::Bearer, Some(KeyFrom::Source(source))) => match source {
            Source::Env(_) if source.is_in_file() => {
                Err(format!("{}, which no shell reads", source.origin()))
            }
            Source::Env(_) => Ok(Value::Variable(source.place())),
            Source::File(path) => Ok(Value::File(at_home(path).to_string_lossy().into_owned())),
            Source::Command(words) => Ok(Value::Command(words.clone())),
            Source::Keychain(name) => Ok(Value::Command(keychain::words(name))),
            Source::Prompt(_) | Source::Aws(_) => Err(format!("from {}", source.title())),
        },
    }
}

/// What has no variable of its own: other routes, MCP, and what v2.2 does not serve.
fn asides(record: &Record, chosen: &[(Client, &RecordedRoute)]) -> Vec<Line> {
    let used = |route: &&RecordedRoute| chosen.iter().any(|(_, one)| one.name == route.name);
    let mut lines = Vec::new();
    for route in record.routes.iter().filter(|route| !used(route)) {
        let url = format!("{}{}", record.base_url, route.path);
        let env = match record.environment.as_str() {
            "default" => String::new(),
            name => format!(" --env {name}"),
        };
        lines.push(Line::Comment(match route.serves(Client::OpenAi) {
            true => format!("{}: gw env --route {}{env}", route.path, route.name),
            false => format!("MCP clients take its address: {url}/mcp"),
        }));
    }
    if chosen.iter().any(|(_, route)| route.provider == "gemini") {
        lines.push(Line::Comment(
            "Google's own SDK has no way here: v2.2 serves Gemini in OpenAI's form".to_string(),
        ));
    }
    lines
}

/// What takes back everything that the lines set.
fn unset(lines: &[Line]) -> Vec<Line> {
    let name = |line: &Line| match line {
        Line::Set(name, _) => Some(Line::Unset(name)),
        Line::Comment(_) | Line::Unset(_) => None,
    };
    lines.iter().filter_map(name).collect()
}

/// Of a key only where it is.
fn document(session: &Session, record: &Record, lines: &[Line]) -> Document {
    let mut variables = Vec::new();
    for line in lines {
        match line {
            Line::Set(name, Value::Text(text)) => {
                variables.push(json!({"name": name, "value": text}));
            }
            Line::Set(name, Value::File(path)) => {
                variables.push(json!({"name": name, "file": path}));
            }
            Line::Set(name, Value::Variable(from)) => {
                variables.push(json!({"name": name, "env": from}));
            }
            Line::Set(name, Value::Command(words)) => {
                variables.push(json!({"name": name, "command": words}));
            }
            Line::Unset(name) => variables.push(json!({"name": name, "unset": true})),
            Line::Comment(_) => {}
        }
    }
    let routes = record.routes.iter().map(|route| {
        let url = format!("{}{}", record.base_url, route.path);
        let clients = Client::ALL.into_iter().filter(|c| route.serves(*c));
        let bases = clients.map(|c| (c.name().to_string(), json!(c.base(&url))));
        json!({
            "name": route.name,
            "url": url,
            "model": route.model,
            "clients": bases.collect::<Map<_, _>>(),
        })
    });
    Document::new("env", &session.global.env)
        .set("baseUrl", record.base_url.clone())
        .set("variables", variables)
        .set("routes", routes.collect::<Vec<_>>())
}
