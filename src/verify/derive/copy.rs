//! A copy of a route for the moment of its proof: the same rule, backends and policies under a path
//! that nobody guesses, with a bucket of its own. A limit is proved there at a tiny size, so that the
//! people's bucket stays full.

use super::super::case::{Case, Sort};
use super::super::form::Form;
use super::super::installed::{Installed, Way, items, name};
use super::policy::One;
use super::{Derived, Seen, Sources};
use crate::plan::PROOF_PREFIX;
use crate::plan::object::Place;
use serde_json::{Value, json};

/// What stands beside a route for the moment: policies first, the route last.
#[derive(Debug, Clone, PartialEq)]
pub struct Copy {
    pub name: String,
    pub path: String,
    pub objects: Vec<Value>,
    /// What its small limit counts, if it has one.
    pub small: Option<Small>,
}

/// What a small limit counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Small {
    Requests,
    Tokens,
}

/// Nobody proves so much in an hour.
const LARGE: u64 = 1_000_000;

/// What the limit that counts for a way counts. Only the first of a list is read (facts 7.2); what a
/// server of limits counts is taken for requests.
pub fn limited(installed: &Installed, way: &Way) -> Option<Small> {
    let (_, limit) = installed.traffic(way, "rateLimit")?;
    match items(limit, "/local").first() {
        Some(first) if first["tokens"].is_u64() => Some(Small::Tokens),
        _ => Some(Small::Requests),
    }
}

/// A copy on which every limit is too large to be met.
pub fn wide(sources: &Sources<'_>, way: &Way) -> Copy {
    let limits = json!([{"requests": LARGE, "unit": "Hours"}]);
    make(sources, way, "wide", &|traffic| {
        if !traffic["rateLimit"].is_null() {
            traffic["rateLimit"] = json!({"local": limits});
        }
    })
}

impl Copy {
    /// Sends a case through the copy instead of the route.
    pub(super) fn carry(&self, case: &mut Case, seen: &Seen<'_>) {
        let base = seen.path.as_deref().unwrap_or("/").trim_end_matches('/');
        let rest = case.ask.path.strip_prefix(base).unwrap_or("").to_string();
        case.ask.path = format!("{}{rest}", self.path);
        case.copy = Some(self.name.clone());
    }
}

/// The copy of a way, with every policy of its own that counts for the way.
fn make(sources: &Sources<'_>, way: &Way, sort: &str, change: &dyn Fn(&mut Value)) -> Copy {
    let installed = sources.installed;
    let place = Place {
        namespace: &way.namespace,
        environment: &installed.environment,
    };
    let number = format!("{}-{}", way.number.0, way.number.1);
    // Names of objects have at most 253 characters.
    let stem: String = way.route.chars().take(180).collect();
    let copy = format!("{PROOF_PREFIX}{}-{sort}-{stem}-{number}", sources.nonce);
    let mut objects = Vec::new();
    let target = json!([{"group": "gateway.networking.k8s.io", "kind": "HTTPRoute", "name": copy}]);
    for (rank, counting) in installed.policies(way).iter().rev().enumerate() {
        let Some(traffic) = counting.policy.pointer("/spec/traffic") else {
            continue;
        };
        // What is on the Gateway counts for the copy too; only its limit is put out of the way.
        let own = counting.nearness >= 2;
        let mut traffic = match (own, traffic.get("rateLimit")) {
            (true, _) => traffic.clone(),
            (false, Some(limit)) => json!({"rateLimit": limit}),
            (false, None) => continue,
        };
        change(&mut traffic);
        let spec = json!({"targetRefs": target, "traffic": traffic});
        objects.push(place.beside(
            "agentgateway.dev/v1alpha1",
            "AgentgatewayPolicy",
            &format!("{copy}-{rank}"),
            spec,
        ));
    }
    let path = format!("/{copy}");
    objects.push(route(place, way, &copy, &path));
    Copy {
        name: copy,
        path,
        objects,
        small: None,
    }
}

fn route(place: Place<'_>, way: &Way, name: &str, path: &str) -> Value {
    let mut rule = way.rule.clone();
    let mut matched = items(&rule, "/matches")
        .get(way.number.1)
        .cloned()
        .unwrap_or_else(|| json!({}));
    matched["path"] = json!({"type": "PathPrefix", "value": path});
    rule["matches"] = json!([matched]);
    let mut parent = json!({
        "group": "gateway.networking.k8s.io",
        "kind": "Gateway",
        "name": way.parent.name,
        "namespace": way.parent.namespace,
    });
    if !way.parent.section.is_empty() {
        parent["sectionName"] = json!(way.parent.section);
    }
    let mut spec = json!({"parentRefs": [parent], "rules": [rule]});
    if !way.hosts.is_empty() {
        spec["hostnames"] = json!(way.hosts);
    }
    place.beside("gateway.networking.k8s.io/v1", "HTTPRoute", name, spec)
}

/// A case for each limit of a list; v2.2 reads the first only, and a second is found out so.
pub fn limits(one: &One<'_>, derived: &mut Derived) {
    let local = items(one.value, "/local");
    for (place, limit) in local.iter().enumerate() {
        let small = match limit["tokens"].is_u64() {
            true => Small::Tokens,
            false => Small::Requests,
        };
        let list: Vec<Value> = (0..local.len())
            .map(|at| entry(&local[at], at == place))
            .collect();
        let mut copy = make(
            one.sources,
            one.seen.way,
            &format!("limit{place}"),
            &|traffic| {
                if !traffic["rateLimit"].is_null() {
                    traffic["rateLimit"] = json!({"local": list});
                }
            },
        );
        copy.small = Some(small);
        let counted = match small {
            Small::Requests => "requests",
            Small::Tokens => "tokens",
        };
        let title = format!("{} limits {counted}, tried on a copy", one.seen.shown_path);
        let cause = match place {
            0 => "whoever asks is answered without end",
            _ => "v2.2 reads only the first of a policy's limits",
        };
        let mut case = one.case(&format!("limit.{place}"), title, cause);
        case.sort = Sort::Limit;
        match small {
            Small::Requests => case.ask.body = Some(json!({})),
            Small::Tokens => tokens(one.seen, &mut case),
        }
        copy.carry(&mut case, one.seen);
        derived.cases.push(case);
        derived.copies.push(copy);
    }
    if one.value["global"].is_object() {
        let title = format!("{} is limited by a server of its own", one.seen.shown_path);
        let mut case = one.case("limit.global", title, "");
        case.sort = Sort::Limit;
        case.unasked =
            Some("what a server of limits counts is its own: write a test of your own".to_string());
        derived.cases.push(case);
    }
}

fn entry(limit: &Value, small: bool) -> Value {
    let counted = match limit["tokens"].is_u64() {
        true => "tokens",
        false => "requests",
    };
    let size = match small {
        true => 1,
        false => LARGE,
    };
    json!({counted: size, "unit": "Hours"})
}

/// A limit of tokens is seen only after real usage.
fn tokens(seen: &Seen<'_>, case: &mut Case) {
    let behind = &seen.behind;
    let (input, output) = Form::Completions.tokens(&behind.model);
    case.ask.body = Some(Form::Completions.body(&behind.model, false, behind.provider));
    // The policy may come a moment after the route.
    case.tokens = (input * 3, output * 3);
    case.lane = seen.lane();
    if !seen.is_llm {
        case.unasked = Some("there is no model whose tokens could be counted".to_string());
    }
}

/// A timeout is tried with one that is short and somebody who is slow on purpose.
pub fn timeout(one: &One<'_>, derived: &mut Derived) {
    if one.value["request"].is_null() {
        return;
    }
    let title = format!("{} gives up in time, tried on a copy", one.seen.shown_path);
    let mut case = one.case("timeout", title, "whoever asks waits for ever");
    if !one.seen.is_mock() {
        case.unasked = Some("only the mock is slow on purpose".to_string());
        derived.cases.push(case);
        return;
    }
    let copy = make(one.sources, one.seen.way, "time", &|traffic| {
        if !traffic["timeouts"].is_null() {
            traffic["timeouts"]["request"] = json!("200ms");
        }
        if !traffic["rateLimit"].is_null() {
            traffic["rateLimit"] = json!({"local": [{"requests": LARGE, "unit": "Hours"}]});
        }
    });
    let behind = &one.seen.behind;
    case.ask.body = Some(Form::Completions.body(&behind.model, false, behind.provider));
    let slow = ("x-mock-fault".to_string(), "delay=1500ms".to_string());
    case.ask.headers.push(slow);
    case.lane = one.seen.lane();
    case.expect.status = vec![504];
    case.expect.contains = Some("request timeout".to_string());
    copy.carry(&mut case, one.seen);
    derived.cases.push(case);
    derived.add(copy);
}

impl Derived {
    /// A copy, once.
    pub(super) fn add(&mut self, copy: Copy) {
        if !self.copies.iter().any(|known| known.name == copy.name) {
            self.copies.push(copy);
        }
    }
}

/// Whether a name is of something that a proof has put there for the moment.
pub fn is_passing(object: &Value) -> bool {
    name(object).starts_with(PROOF_PREFIX)
}
