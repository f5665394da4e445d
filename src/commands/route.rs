//! `gw route`: the YAML of a route to a backend of the environment at hand, or the route itself.

use super::Outcome;
use super::addition::{Ground, apply, by_hand};
use super::session::Session;
use crate::cli::Route;
use crate::error::{Error, Result};
use crate::provider::Provider;
use crate::report::document::Document;
use crate::yaml;
use serde_json::{Value, json};

pub async fn run(session: &Session, options: &Route) -> Outcome {
    let ground = Ground::of(
        session,
        options.namespace.as_deref(),
        options.gateway.as_deref(),
    )?;
    let wanted = options.backend.as_deref().unwrap_or(&options.name);
    let backend = backend(&ground, wanted)?;
    let path = options
        .path
        .clone()
        .unwrap_or_else(|| format!("/{}", options.name));
    let mut route = json!({"name": options.name, "backend": wanted, "path": path});
    if let Some(time) = &options.timeout {
        route["timeout"] = json!(time);
    }
    if options.apply {
        return apply(session, &ground, None, Some(&route)).await;
    }
    let profile = ground.profile(&backend, Some(&route))?;
    let plan = ground.plan(session, &profile).await?;
    let (wires, _) = ground.wires(&plan, None).await;
    let (objects, _) = by_hand(&plan, &wires);
    let routes = objects
        .into_iter()
        .filter(|object| object["kind"] == "HTTPRoute");
    let routes: Vec<Value> = routes.collect();
    match session.is_json() {
        true => {
            let document = Document::new("route", &session.global.env);
            session.write(&document.set("objects", routes).text());
        }
        false => session.write(&yaml::write_all(&routes)),
    }
    Ok(None)
}

/// The backend as the environment's profile has it; a provider's name stands for its usual one.
fn backend(ground: &Ground, name: &str) -> Result<Value> {
    let followed = ground.followed()?.unwrap_or_default();
    let all = followed["backends"].as_array().cloned().unwrap_or_default();
    if let Some(found) = all.iter().find(|backend| backend["name"] == name) {
        // Members of a group are told by the profile alone: a route is the same for every group.
        return Ok(match found["groups"].is_null() {
            true => found.clone(),
            false => json!({"name": name, "provider": "openai"}),
        });
    }
    if Provider::named(name).is_some() && ground.record.is_none() {
        return Ok(json!({"name": name, "provider": name}));
    }
    let names: Vec<&str> = all.iter().filter_map(|b| b["name"].as_str()).collect();
    let what = format!("there is no backend `{name}`");
    let next = match names.first() {
        Some(first) => format!("gw route {name} --backend {first}"),
        None => "gw backend openai".to_string(),
    };
    Err(Error::usage(what, next).fact(format!("there are: {}", names.join(", "))))
}
