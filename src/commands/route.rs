//! `gw route`: the YAML of a route to a backend of the environment at hand, or the route itself.

use super::Outcome;
use super::addition::{Ground, apply, by_hand};
use super::session::Session;
use crate::apply::record::Record;
use crate::cli::Route;
use crate::error::{Error, Result};
use crate::provider::Provider;
use crate::report::document::Document;
use crate::text;
use crate::yaml;
use serde_json::{Value, json};

pub async fn run(session: &Session, options: &Route) -> Outcome {
    let ground = Ground::of(
        session,
        options.namespace.as_deref(),
        options.gateway.as_deref(),
    )?;
    let wanted = options.backend.as_deref().unwrap_or(&options.name);
    let backend = match backend(&ground, wanted) {
        Err(_) if is_live(session, &ground, wanted).await => match options.apply {
            // A route of the profile leads to backends of the profile.
            true => return Err(by_hand_alone(&ground, &options.name, wanted)),
            false => standing(wanted),
        },
        found => found?,
    };
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

/// A backend of which nothing is known but its name: a route is the same for every one.
fn standing(name: &str) -> Value {
    json!({"name": name, "provider": "openai"})
}

/// Whether somebody has put a backend of this name where the route will be. What can't be asked has none.
async fn is_live(session: &Session, ground: &Ground, name: &str) -> bool {
    let Some(record) = &ground.record else {
        return false;
    };
    let objects = session.target(record).objects().await.unwrap_or_default();
    stands(&objects, &ground.namespace, name)
}

fn stands(objects: &[Value], namespace: &str, name: &str) -> bool {
    objects.iter().any(|object| {
        let place = &object["metadata"];
        object["kind"] == "AgentgatewayBackend"
            && place["name"] == name
            && place["namespace"] == namespace
    })
}

fn by_hand_alone(ground: &Ground, route: &str, backend: &str) -> Error {
    let context = ground.record.as_ref().and_then(Record::cluster_context);
    let kubectl = match context {
        Some(context) => format!("kubectl --context {} apply -f -", text::shell(&context)),
        None => "kubectl apply -f -".to_string(),
    };
    let next = format!("gw route {route} --backend {backend} | {kubectl}");
    Error::usage(
        format!("backend `{backend}` is none of the profile's"),
        next,
    )
    .fact("--apply adds a route to the profile, and its backend must be there too")
}

/// The backend as the environment's profile has it; a provider's name stands for its usual one.
fn backend(ground: &Ground, name: &str) -> Result<Value> {
    let followed = ground.followed()?.unwrap_or_default();
    let all = followed["backends"].as_array().cloned().unwrap_or_default();
    if let Some(found) = all.iter().find(|backend| backend["name"] == name) {
        // Members of a group are told by the profile alone: a route is the same for every group.
        return Ok(match found["groups"].is_null() {
            true => found.clone(),
            false => standing(name),
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_backend_stands_where_the_route_will_be_or_not_at_all() {
        let object = |kind: &str, namespace: &str| json!({"kind": kind, "metadata": {"name": "x", "namespace": namespace}});
        let is = |object: Value, name: &str| stands(&[object], "ns", name);
        assert!(is(object("AgentgatewayBackend", "ns"), "x"));
        assert!(!is(object("AgentgatewayBackend", "ns"), "y"));
        assert!(!is(object("AgentgatewayBackend", "other"), "x"));
        assert!(!is(object("Service", "ns"), "x"));
    }
}
