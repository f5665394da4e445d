//! From a profile to its written form with every default filled in: what `gw profile show` prints
//! and what a ledger records.

mod backend;
mod policy;

use self::backend::backend;
use self::policy::policy;
use super::duration::written;
use super::extend::Text;
use super::wire::{API_VERSION, KIND, read};
use super::{Gateway, Headers, Image, Profile, Release, Route, Target, TargetKind, Test, problem};
use crate::error::Result;
use crate::yaml;
use serde_json::{Map, Value, json};

/// The written form; reading it gives the same profile again.
pub fn to_wire(profile: &Profile) -> Value {
    let Profile {
        name,
        description,
        target,
        release,
        gateway: Gateway {
            name: gateway,
            port,
        },
        backends,
        routes,
        policies,
        manifests,
        tests,
    } = profile;
    let target = self::target(target);
    let absent = target == json!({});
    object([
        ("apiVersion", Some(json!(API_VERSION))),
        ("kind", Some(json!(KIND))),
        ("name", Some(json!(name))),
        ("description", Some(json!(description))),
        ("target", (!absent).then_some(target)),
        ("release", Some(self::release(release))),
        ("gateway", Some(json!({"name": gateway, "port": port}))),
        ("backends", Some(backends.iter().map(backend).collect())),
        ("routes", Some(routes.iter().map(route).collect())),
        ("policies", Some(policies.iter().map(policy).collect())),
        (
            "manifests",
            (!manifests.is_empty()).then(|| json!(manifests)),
        ),
        ("tests", Some(tests.iter().map(test).collect())),
    ])
}

/// A profile that was recorded; `origin` says where, if it should not be readable.
pub fn from_wire(value: &Value, origin: &str) -> Result<Profile> {
    let text = yaml::write(value);
    read(&text).map_err(|problems| {
        let text = Text {
            origin: origin.to_string(),
            text,
            folder: None,
        };
        problem::error(&problems, &[text], problem::CORRECT)
    })
}

pub(super) fn object<const N: usize>(fields: [(&str, Option<Value>); N]) -> Value {
    let present = fields.into_iter();
    let present = present.filter_map(|(name, value)| Some((name.to_string(), value?)));
    Value::Object(present.collect::<Map<_, _>>())
}

fn target(target: &Target) -> Value {
    let Target {
        kind,
        cluster,
        node_image,
        context,
    } = target;
    object([
        ("kind", kind.map(|kind| json!(TargetKind::name(kind)))),
        ("cluster", cluster.as_ref().map(|text| json!(text))),
        ("nodeImage", node_image.as_ref().map(|text| json!(text))),
        ("context", context.as_ref().map(|text| json!(text))),
    ])
}

fn release(release: &Release) -> Value {
    let Release {
        version,
        namespace,
        kgateway,
        charts,
        controller_image,
        proxy_image,
    } = release;
    object([
        ("version", Some(json!(version))),
        ("namespace", Some(json!(namespace))),
        ("kgateway", Some(json!(kgateway))),
        ("charts", Some(json!(charts))),
        ("controllerImage", controller_image.as_ref().map(image)),
        ("proxyImage", proxy_image.as_ref().map(image)),
    ])
}

fn image(image: &Image) -> Value {
    let Image {
        registry,
        repository,
        tag,
    } = image;
    object([
        ("registry", registry.as_ref().map(|text| json!(text))),
        ("repository", repository.as_ref().map(|text| json!(text))),
        ("tag", tag.as_ref().map(|text| json!(text))),
    ])
}

fn route(route: &Route) -> Value {
    let Route {
        name,
        path,
        backend,
        request_headers,
        timeout,
    } = route;
    let unchanged = *request_headers == Headers::default();
    object([
        ("name", Some(json!(name))),
        ("path", Some(json!(path))),
        ("backend", Some(json!(backend))),
        (
            "requestHeaders",
            (!unchanged).then(|| headers(request_headers)),
        ),
        ("timeout", timeout.map(|time| json!(written(time)))),
    ])
}

fn headers(headers: &Headers) -> Value {
    let Headers { set, add, remove } = headers;
    let map = |pairs: &[(String, String)]| {
        let pairs = pairs
            .iter()
            .map(|(name, value)| (name.clone(), json!(value)));
        Value::Object(pairs.collect())
    };
    object([
        ("set", (!set.is_empty()).then(|| map(set))),
        ("add", (!add.is_empty()).then(|| map(add))),
        ("remove", (!remove.is_empty()).then(|| json!(remove))),
    ])
}

fn test(test: &Test) -> Value {
    let Test {
        name,
        route,
        method,
        path,
        body,
        status,
        contains,
        headers,
        json,
    } = test;
    let expect = object([
        ("status", Some(json!(status))),
        ("contains", contains.as_ref().map(|text| json!(text))),
        ("headers", (!headers.is_empty()).then(|| json!(headers))),
        ("json", (!json.is_empty()).then(|| json!(json))),
    ]);
    object([
        ("name", Some(json!(name))),
        ("route", Some(json!(route))),
        ("method", Some(json!(method))),
        ("path", Some(json!(path))),
        ("body", body.clone()),
        ("expect", Some(expect)),
    ])
}

#[cfg(test)]
mod tests;
