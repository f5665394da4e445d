//! The rules of an HTTPRoute: matches, backend references, timeouts (facts 4.3, 9.1).

use std::sync::Arc;

use http::Method;
use http::header::HeaderName;
use regex::{Regex, RegexBuilder};
use serde_json::Value;

use super::Backends;
use super::attach::Attached;
use super::reference::{self, granted};
use super::status::{Problem, unsupported};
use super::{filter, mirror};
use crate::gateway::config::{
    Destination, Filter, Matcher, PathMatch, Rule, ValueMatch, WeightedBackend,
};
use crate::gateway::duration;
use crate::gateway::object::{World, dig, full_name, list, namespace, port, text, text_or};
use crate::gateway::policy::{Cors, Retry, Traffic};

/// Rule fields that the embedded gateway honours.
const KNOWN: [&str; 6] = [
    "name",
    "matches",
    "filters",
    "backendRefs",
    "timeouts",
    "retry",
];

/// A rule that has been checked. It is made anew for each listener, since policies differ there.
pub(super) struct Draft<'a> {
    pub name: String,
    pub matchers: Vec<Arc<Matcher>>,
    spec: &'a Value,
}

impl Draft<'_> {
    pub fn rule(
        &self,
        world: &World,
        backends: &Backends,
        route: &Value,
        attached: &Attached<'_>,
    ) -> Rule {
        let refs = list(self.spec, &["backendRefs"]).iter();
        let called = |reference: &Value| {
            let (backend, _) = resolve(world, backends, route, reference);
            let destination = attached.applied(world, route, reference, backend.destination);
            WeightedBackend {
                destination,
                ..backend
            }
        };
        Rule {
            route: full_name(route).into(),
            filters: filters(world, backends, route, self.spec),
            backends: refs.map(called).collect(),
            request_timeout: duration::parse(text(self.spec, &["timeouts", "request"])),
            backend_timeout: duration::parse(text(self.spec, &["timeouts", "backendRequest"])),
            traffic: self.traffic(),
        }
    }

    /// What a rule says itself of a policy's fields.
    fn traffic(&self) -> Traffic {
        let retry = dig(self.spec, &["retry"]);
        Traffic {
            cors: cors(self.spec).and_then(Result::ok).map(Arc::new),
            retry: (!retry.is_null()).then(|| Arc::new(Retry::read(retry))),
            ..Traffic::default()
        }
    }
}

/// Reads all rules of a route, and the problem to report: the first, but a hard one before a soft one.
pub(super) fn read<'a>(
    world: &World,
    backends: &Backends,
    route: &'a Value,
) -> (Vec<Draft<'a>>, Option<Problem>) {
    let mut drafts = Vec::new();
    let mut problems = Vec::new();
    for spec in list(route, &["spec", "rules"]) {
        for field in spec
            .as_object()
            .into_iter()
            .flatten()
            .map(|(field, _)| field)
        {
            if !KNOWN.contains(&field.as_str()) {
                let message = unsupported(format!("rules[].{field}"));
                problems.push(Problem::hard("UnsupportedValue", message));
            }
        }
        problems.extend(filter::read(spec).err());
        problems.extend(mirror::read(world, backends, route, spec).1);
        if let Some(Err(cause)) = cors(spec) {
            problems.push(Problem::hard("IncompatibleFilters", cause));
        }
        for backend in list(spec, &["backendRefs"]) {
            problems.extend(filter::read(backend).err());
            problems.extend(mirror::read(world, backends, route, backend).1);
            if cors(backend).is_some() {
                let message = unsupported("the filter CORS in a backendRef");
                problems.push(Problem::hard("IncompatibleFilters", message));
            }
            problems.extend(resolve(world, backends, route, backend).1);
        }
        match matchers(spec) {
            Err(problem) => problems.push(problem),
            Ok(matchers) => drafts.push(Draft {
                name: text(spec, &["name"]).to_string(),
                matchers,
                spec,
            }),
        }
    }
    let worst = problems
        .iter()
        .position(|problem| problem.hard)
        .unwrap_or(0);
    (drafts, problems.into_iter().nth(worst))
}

/// The filters of a rule or of a backend reference, but those that are fields of a policy.
fn filters(world: &World, backends: &Backends, route: &Value, spec: &Value) -> Vec<Filter> {
    // Mistakes were reported by `read`, which then drops the route.
    let mut filters = filter::read(spec).unwrap_or_default();
    filters.extend(mirror::read(world, backends, route, spec).0);
    filters
}

/// The filter CORS is the same as the policy's field.
fn cors(spec: &Value) -> Option<Result<Cors, String>> {
    let mut filters = list(spec, &["filters"]).iter();
    let filter = filters.find(|filter| text(filter, &["type"]) == "CORS")?;
    Some(Cors::read(dig(filter, &["cors"])))
}

/// A rule without matches takes every path.
fn matchers(spec: &Value) -> Result<Vec<Arc<Matcher>>, Problem> {
    let matches = list(spec, &["matches"]);
    match matches.is_empty() {
        true => Ok(vec![Arc::new(matcher(&Value::Null)?)]),
        false => matches.iter().map(|m| matcher(m).map(Arc::new)).collect(),
    }
}

fn matcher(spec: &Value) -> Result<Matcher, Problem> {
    let value = text_or(spec, &["path", "value"], "/");
    let path = match text_or(spec, &["path", "type"], "PathPrefix") {
        "Exact" => PathMatch::Exact(value.to_string()),
        "RegularExpression" => PathMatch::Regex(whole(value)?),
        _ => PathMatch::Prefix(value.trim_end_matches('/').to_string()),
    };
    let method = match text(spec, &["method"]) {
        "" => None,
        method => {
            Some(Method::from_bytes(method.as_bytes()).map_err(|_| invalid("method", method))?)
        }
    };
    let headers = list(spec, &["headers"]).iter().map(|header| {
        let name = text(header, &["name"]);
        let parsed: HeaderName = name.parse().map_err(|_| invalid("header name", name))?;
        Ok((parsed, value_match(header)?))
    });
    let query = list(spec, &["queryParams"]).iter().map(|parameter| {
        let name = text(parameter, &["name"]).to_string();
        Ok((name, value_match(parameter)?))
    });
    Ok(Matcher {
        path,
        method,
        headers: headers.collect::<Result<_, Problem>>()?,
        query: query.collect::<Result<_, Problem>>()?,
    })
}

fn value_match(spec: &Value) -> Result<ValueMatch, Problem> {
    let value = text(spec, &["value"]);
    match text(spec, &["type"]) {
        "RegularExpression" => whole(value).map(ValueMatch::Regex),
        _ => Ok(ValueMatch::Exact(value.to_string())),
    }
}

/// A regex that matches whole values. Compiled once, here; its size is bounded.
fn whole(pattern: &str) -> Result<Regex, Problem> {
    RegexBuilder::new(&format!("^(?:{pattern})$"))
        .size_limit(1 << 20)
        .build()
        .map_err(|_| invalid("regular expression", pattern))
}

fn invalid(what: &str, value: &str) -> Problem {
    Problem::hard("UnsupportedValue", format!("invalid {what} {value:?}"))
}

/// A backendRef: where it goes, and what is wrong with it. A broken one weighs nothing.
fn resolve(
    world: &World,
    backends: &Backends,
    route: &Value,
    spec: &Value,
) -> (WeightedBackend, Option<Problem>) {
    let weight = dig(spec, &["weight"]).as_u64().unwrap_or(1);
    let mut backend = WeightedBackend {
        weight: u32::try_from(weight).unwrap_or(u32::MAX),
        filters: filters(world, backends, route, spec),
        destination: Destination::Unknown,
    };
    match destination(world, backends, route, spec) {
        Ok(destination) => {
            backend.destination = destination;
            (backend, None)
        }
        // An unknown Service keeps its weight: callers get 500 `service not found` (facts 4.3).
        Err(problem) if problem.message.starts_with("backend(") => (backend, Some(problem)),
        Err(problem) => {
            backend.weight = 0;
            (backend, Some(problem))
        }
    }
}

pub(super) fn destination(
    world: &World,
    backends: &Backends,
    route: &Value,
    spec: &Value,
) -> Result<Destination, Problem> {
    let (group, kind) = (text(spec, &["group"]), text_or(spec, &["kind"], "Service"));
    let (name, home) = (text(spec, &["name"]), namespace(route));
    let place = text_or(spec, &["namespace"], home);
    let forbidden = || {
        let message = format!(
            "backendRef {name}/{place} not accessible to a HTTPRoute in namespace {home:?} (missing a ReferenceGrant?)"
        );
        Problem::soft("RefNotPermitted", message)
    };
    match (group, kind) {
        ("agentgateway.dev", "AgentgatewayBackend") => {
            if place != home {
                return Err(forbidden()); // no grant helps (facts 4.3)
            }
            if world.get(kind, place, name).is_none() {
                let message = format!("kgateway Backend not found: {place}/{name}");
                return Err(Problem::soft("BackendNotFound", message));
            }
            let accepted = backends.get(&format!("{place}/{name}"));
            Ok(accepted.map_or(Destination::Unknown, |b| Destination::Backend(b.clone())))
        }
        ("", "Service") => service(
            world,
            spec,
            name,
            place,
            place == home || granted(world, ("HTTPRoute", home), ("Service", place), name),
            forbidden,
        ),
        _ => {
            let message =
                format!("referencing unsupported backendRef: group {group:?} kind {kind:?}");
            Err(Problem::soft("InvalidKind", message))
        }
    }
}

fn service(
    world: &World,
    spec: &Value,
    name: &str,
    place: &str,
    allowed: bool,
    forbidden: impl Fn() -> Problem,
) -> Result<Destination, Problem> {
    let number = port(spec, &["port"]);
    if name.contains('.') {
        let message =
            "service name invalid; the name of the Service must be used, not the hostname.";
        return Err(Problem::hard("UnsupportedValue", message));
    }
    if number == 0 {
        return Err(Problem::hard(
            "UnsupportedValue",
            "port is required in backendRef",
        ));
    }
    if !allowed {
        return Err(forbidden());
    }
    let Some(service) = world.get("Service", place, name) else {
        let message = format!("backend({name}.{place}.svc.cluster.local) not found");
        return Err(Problem::soft("BackendNotFound", message));
    };
    let origin = reference::service(world, service, number);
    origin
        .map(|origin| Destination::Service(Arc::new(origin)))
        .map_err(|message| Problem::hard("UnsupportedValue", message))
}
