//! What is installed, read from objects as an API server or the embedded gateway shows them: routes
//! with every match, the backends behind them, and the policies that count for them. Pure.

use crate::plan::object::GATEWAY_CLASS;
use crate::plan::survey::{Condition, object_state};
use crate::plan::{ENVIRONMENT_LABEL, MANAGED_BY_LABEL, MANAGER, PROOF_PREFIX, WITNESS_PREFIX};
use serde_json::Value;

/// The objects of a place, and which of them are ours.
#[derive(Debug, Clone, Default)]
pub struct Installed {
    pub objects: Vec<Value>,
    pub environment: String,
}

/// How a match looks at the path.
#[derive(Debug, Clone, PartialEq)]
pub enum PathMatch {
    Prefix(String),
    Exact(String),
    Regex(String),
}

/// One match of one rule of a route: what a caller has to send to come to its backends.
#[derive(Debug, Clone, PartialEq)]
pub struct Way {
    pub route: String,
    pub namespace: String,
    /// Whether the route carries our labels.
    pub ours: bool,
    /// Host names of the route or of its listener; empty where any will do.
    pub hosts: Vec<String>,
    pub path: PathMatch,
    /// Headers that the match asks for; `None` where one is asked for by an expression.
    pub headers: Option<Vec<(String, String)>>,
    pub query: Option<Vec<(String, String)>>,
    pub method: Option<String>,
    pub rule: Value,
    pub parent: Parent,
    /// The place of the rule, and of the match in it.
    pub number: (usize, usize),
}

impl Way {
    /// Of its cases: `route.ollama`, or `route.ollama.1.0` beyond the first match.
    pub fn id(&self) -> String {
        let theirs = (!self.ours).then(|| format!("{}/", self.namespace));
        let own = format!("route.{}{}", theirs.unwrap_or_default(), self.route);
        match self.number {
            (0, 0) => own,
            (rule, matched) => format!("{own}.{rule}.{matched}"),
        }
    }
}

/// The Gateway that a route hangs on.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Parent {
    pub name: String,
    pub namespace: String,
    pub section: String,
}

/// A policy that counts for a way, and how near it is: the nearest one's word counts (facts 7.1).
#[derive(Debug, Clone, Copy)]
pub struct Counting<'a> {
    pub policy: &'a Value,
    pub nearness: u8,
}

pub fn word<'a>(object: &'a Value, pointer: &str) -> &'a str {
    object
        .pointer(pointer)
        .and_then(Value::as_str)
        .unwrap_or("")
}

pub fn items<'a>(object: &'a Value, pointer: &str) -> &'a [Value] {
    let list = object.pointer(pointer).and_then(Value::as_array);
    list.map_or(&[], Vec::as_slice)
}

pub fn name(object: &Value) -> &str {
    word(object, "/metadata/name")
}

pub fn namespace(object: &Value) -> &str {
    word(object, "/metadata/namespace")
}

/// `HTTPRoute ollama`.
pub fn title(object: &Value) -> String {
    format!("{} {}", word(object, "/kind"), name(object))
}

impl Installed {
    pub fn all<'a>(&'a self, kind: &'a str) -> impl Iterator<Item = &'a Value> {
        self.objects
            .iter()
            .filter(move |o| word(o, "/kind") == kind)
    }

    pub fn find(&self, kind: &str, namespace: &str, name: &str) -> Option<&Value> {
        let is_it = |o: &&Value| self::name(o) == name && self::namespace(o) == namespace;
        self.objects
            .iter()
            .filter(|o| word(o, "/kind") == kind)
            .find(is_it)
    }

    pub fn is_ours(&self, object: &Value) -> bool {
        let label = |key: &str| object["metadata"]["labels"][key].as_str();
        label(MANAGED_BY_LABEL) == Some(MANAGER)
            && label(ENVIRONMENT_LABEL) == Some(self.environment.as_str())
    }

    /// Every way through every route that hangs on a Gateway which a proxy serves; what a proof or a
    /// look from inside has put there for the moment is not one.
    pub fn ways(&self) -> Vec<Way> {
        let passing = |o: &&Value| {
            let name = name(o);
            !name.starts_with(WITNESS_PREFIX) && !name.starts_with(PROOF_PREFIX)
        };
        let routes = self.all("HTTPRoute").filter(passing);
        routes.flat_map(|route| self.ways_of(route)).collect()
    }

    /// The ways of one route, in the order of its rules.
    pub fn ways_of(&self, route: &Value) -> Vec<Way> {
        let Some((parent, listener_host)) = self.parent(route) else {
            return Vec::new();
        };
        let own = items(route, "/spec/hostnames").iter();
        let mut hosts: Vec<String> = own.filter_map(Value::as_str).map(str::to_string).collect();
        if hosts.is_empty() {
            hosts.extend(listener_host);
        }
        let mut ways = Vec::new();
        for (place, rule) in items(route, "/spec/rules").iter().enumerate() {
            // A rule without a match takes every path.
            let none = [Value::Null];
            let matches = match items(rule, "/matches") {
                [] => none.as_slice(),
                matches => matches,
            };
            for (number, matched) in matches.iter().enumerate() {
                ways.push(Way {
                    route: name(route).to_string(),
                    namespace: namespace(route).to_string(),
                    ours: self.is_ours(route),
                    hosts: hosts.clone(),
                    path: path(matched),
                    headers: pairs(matched, "/headers"),
                    query: pairs(matched, "/queryParams"),
                    method: matched["method"].as_str().map(str::to_string),
                    rule: rule.clone(),
                    parent: parent.clone(),
                    number: (place, number),
                });
            }
        }
        ways
    }

    /// The first Gateway of ours' class that a route names, and the host name of the listener.
    fn parent(&self, route: &Value) -> Option<(Parent, Option<String>)> {
        items(route, "/spec/parentRefs").iter().find_map(|parent| {
            let home = match word(parent, "/namespace") {
                "" => namespace(route),
                other => other,
            };
            let gateway = self.find("Gateway", home, word(parent, "/name"))?;
            if word(gateway, "/spec/gatewayClassName") != GATEWAY_CLASS {
                return None;
            }
            let section = word(parent, "/sectionName");
            let listeners = items(gateway, "/spec/listeners");
            // Without a section every listener counts; one that takes any host first.
            let fits = |l: &&Value| section.is_empty() || word(l, "/name") == section;
            let mut fitting: Vec<&Value> = listeners.iter().filter(fits).collect();
            fitting.sort_by_key(|listener| !word(listener, "/hostname").is_empty());
            let listener = fitting.first();
            let host = listener.map_or("", |listener| word(listener, "/hostname"));
            let parent = Parent {
                name: name(gateway).to_string(),
                namespace: home.to_string(),
                section: listener.map_or("", |l| word(l, "/name")).to_string(),
            };
            Some((parent, (!host.is_empty()).then(|| host.to_string())))
        })
    }

    /// The backends of a way, as they are installed; `None` for one that is not there.
    pub fn backends(&self, way: &Way) -> Vec<(String, Option<&Value>)> {
        let references = items(&way.rule, "/backendRefs").iter();
        let found = references.map(|reference| {
            let kind = match word(reference, "/kind") {
                "" => "Service",
                kind => kind,
            };
            let home = match word(reference, "/namespace") {
                "" => way.namespace.as_str(),
                other => other,
            };
            let name = word(reference, "/name");
            (format!("{kind} {name}"), self.find(kind, home, name))
        });
        found.collect()
    }

    /// Policies for a way, the nearest first.
    pub fn policies(&self, way: &Way) -> Vec<Counting<'_>> {
        let mut found: Vec<Counting<'_>> = self
            .all("AgentgatewayPolicy")
            .filter_map(|policy| {
                let targets = items(policy, "/spec/targetRefs").iter();
                let near = targets.filter_map(|target| nearness(policy, target, way));
                let nearness = near.max()?;
                Some(Counting { policy, nearness })
            })
            .collect();
        found.sort_by_key(|counting| std::cmp::Reverse(counting.nearness));
        found
    }

    /// The policy whose word on a field of `traffic` counts for a way.
    pub fn traffic(&self, way: &Way, field: &str) -> Option<(&Value, &Value)> {
        self.policies(way).into_iter().find_map(|counting| {
            let value = counting.policy.pointer("/spec/traffic")?.get(field)?;
            Some((counting.policy, value))
        })
    }
}

/// How near a policy's target is to a way: rule, route, listener, Gateway.
fn nearness(policy: &Value, target: &Value, way: &Way) -> Option<u8> {
    let (kind, named) = (word(target, "/kind"), word(target, "/name"));
    let section = word(target, "/sectionName");
    match kind {
        "HTTPRoute" if named == way.route && namespace(policy) == way.namespace => match section {
            "" => Some(2),
            section if section == word(&way.rule, "/name") => Some(3),
            _ => None,
        },
        "Gateway" if named == way.parent.name && namespace(policy) == way.parent.namespace => {
            match section {
                "" => Some(0),
                section if section == way.parent.section => Some(1),
                _ => None,
            }
        }
        _ => None,
    }
}

fn path(matched: &Value) -> PathMatch {
    let value = match word(matched, "/path/value") {
        "" => "/",
        value => value,
    };
    match word(matched, "/path/type") {
        "Exact" => PathMatch::Exact(value.to_string()),
        "RegularExpression" => PathMatch::Regex(value.to_string()),
        _ => PathMatch::Prefix(value.to_string()),
    }
}

fn pairs(matched: &Value, pointer: &str) -> Option<Vec<(String, String)>> {
    let listed = items(matched, pointer).iter();
    let pair = |item: &Value| match word(item, "/type") {
        "RegularExpression" => None,
        _ => Some((
            word(item, "/name").to_string(),
            word(item, "/value").to_string(),
        )),
    };
    listed.map(pair).collect()
}

/// What a controller says against an object, as one line each (facts 4). True is good for every
/// condition but `Conflicted`; a policy that is Invalid is Accepted=True all the same (4.5).
pub fn complaints(object: &Value) -> Vec<String> {
    let bad = |c: &Condition| {
        let wanted = match c.kind.as_str() {
            "Conflicted" => "False",
            _ => "True",
        };
        c.status != wanted || ["Invalid", "PartiallyValid"].contains(&c.reason.as_str())
    };
    let said = |c: &Condition| {
        let text = format!("{}={} {}: {}", c.kind, c.status, c.reason, c.message);
        text.trim_end_matches([':', ' ']).to_string()
    };
    let conditions = object_state(object).conditions;
    conditions.iter().filter(|c| bad(c)).map(said).collect()
}

#[cfg(test)]
pub mod tests {
    use super::*;
    use serde_json::json;

    pub fn gateway() -> Value {
        json!({"kind": "Gateway", "metadata": {"name": "gw", "namespace": "n"}, "spec": {"gatewayClassName": "agentgateway", "listeners": [
            {"name": "http", "port": 8080, "protocol": "HTTP"},
            {"name": "witness", "port": 8080, "protocol": "HTTP", "hostname": "witness.gatewright.internal"}]}})
    }

    pub fn route(name: &str, rules: Value) -> Value {
        json!({"kind": "HTTPRoute", "metadata": {"name": name, "namespace": "n", "labels": {MANAGED_BY_LABEL: MANAGER, ENVIRONMENT_LABEL: "e"}},
            "spec": {"parentRefs": [{"name": "gw", "sectionName": "http"}], "rules": rules}})
    }

    pub fn policy(name: &str, target: Value, traffic: Value) -> Value {
        json!({"kind": "AgentgatewayPolicy", "metadata": {"name": name, "namespace": "n"}, "spec": {"targetRefs": [target], "traffic": traffic}})
    }

    pub fn installed(objects: Vec<Value>) -> Installed {
        Installed {
            objects,
            environment: "e".into(),
        }
    }

    #[test]
    fn every_match_of_every_rule_is_a_way_and_passing_routes_are_none() {
        let rules = json!([
            {"matches": [{"path": {"type": "PathPrefix", "value": "/a"}}, {"path": {"type": "Exact", "value": "/b"}, "headers": [{"name": "x", "value": "1"}]}]},
            {"backendRefs": []},
        ]);
        let there = installed(vec![
            gateway(),
            route("r", rules.clone()),
            route("witness-00", rules.clone()),
            route("proof-00", rules),
        ]);
        let ways = there.ways();
        let paths: Vec<&PathMatch> = ways.iter().map(|way| &way.path).collect();
        assert_eq!(
            paths,
            [
                &PathMatch::Prefix("/a".into()),
                &PathMatch::Exact("/b".into()),
                &PathMatch::Prefix("/".into())
            ]
        );
        assert_eq!(ways[1].headers, Some(vec![("x".into(), "1".into())]));
        assert!(ways[0].ours && ways[0].hosts.is_empty());
    }

    #[test]
    fn a_route_without_a_gateway_has_no_way() {
        let there = installed(vec![route("r", json!([{}]))]);
        assert!(there.ways().is_empty());
    }

    #[test]
    fn the_nearest_policys_word_counts_field_by_field() {
        let there = installed(vec![
            gateway(),
            route("r", json!([{"matches": [{"path": {"value": "/a"}}]}])),
            policy(
                "all",
                json!({"kind": "Gateway", "name": "gw"}),
                json!({"timeouts": {"request": "1s"}, "csrf": {}}),
            ),
            policy(
                "one",
                json!({"kind": "HTTPRoute", "name": "r"}),
                json!({"timeouts": {"request": "9s"}}),
            ),
            policy(
                "other",
                json!({"kind": "Gateway", "name": "gw", "sectionName": "witness"}),
                json!({"cors": {}}),
            ),
        ]);
        let way = &there.ways()[0];
        assert_eq!(there.traffic(way, "timeouts").unwrap().1["request"], "9s");
        assert_eq!(name(there.traffic(way, "csrf").unwrap().0), "all");
        assert!(there.traffic(way, "cors").is_none());
    }

    #[test]
    fn a_policy_that_is_invalid_is_complained_of_though_it_is_accepted() {
        let said = |conditions: Value| {
            complaints(
                &json!({"kind": "AgentgatewayPolicy", "status": {"ancestors": [{"conditions": conditions}]}}),
            )
        };
        let good = json!([{"type": "Accepted", "status": "True", "reason": "Valid", "message": "Policy accepted"}]);
        assert_eq!(said(good), Vec::<String>::new());
        let invalid = json!([{"type": "Accepted", "status": "True", "reason": "Invalid", "message": "API Key secret k not found"}]);
        assert_eq!(
            said(invalid),
            ["Accepted=True Invalid: API Key secret k not found"]
        );
    }
}
