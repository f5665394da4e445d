//! Which listener and which rule a request belongs to, by Gateway API's precedence.

use std::cmp::Reverse;

use http::Method;
use http::header::HeaderMap;

use super::config::{Candidate, Listener, Matcher, ValueMatch, WeightedBackend};
use super::host::{covers, specificity};

/// The parts of a request that decide where it goes.
pub(super) struct Asked<'a> {
    pub host: &'a str,
    pub path: &'a str,
    pub query: Option<&'a str>,
    pub method: &'a Method,
    pub headers: &'a HeaderMap,
}

/// The most specific listener for a host; the first of equals.
pub(super) fn listener<'a>(listeners: &'a [Listener], host: &str) -> Option<&'a Listener> {
    let mut best: Option<&Listener> = None;
    for candidate in listeners.iter().filter(|l| covers(&l.hostname, host)) {
        let better =
            |best: &Listener| specificity(&candidate.hostname) > specificity(&best.hostname);
        if best.is_none_or(better) {
            best = Some(candidate);
        }
    }
    best
}

/// The rule that a request matched: candidates are already in order of precedence.
pub(super) fn rule<'a>(listener: &'a Listener, asked: &Asked<'_>) -> Option<&'a Candidate> {
    listener.candidates.iter().find(|candidate| {
        covers(&candidate.hostname, asked.host) && candidate.matcher.matches(asked)
    })
}

/// Puts candidates in order of precedence. Equals keep their order: oldest route first, then by
/// name, then by the rule's place in its route.
pub(super) fn sort(candidates: &mut [Candidate]) {
    candidates.sort_by_key(|candidate| Reverse(rank(candidate)));
}

type Rank = ((u8, usize), (u8, usize), bool, usize, usize);

fn rank(candidate: &Candidate) -> Rank {
    let matcher = &candidate.matcher;
    (
        specificity(&candidate.hostname),
        matcher.path.rank(),
        matcher.method.is_some(),
        matcher.headers.len(),
        matcher.query.len(),
    )
}

impl Matcher {
    pub(super) fn matches(&self, asked: &Asked<'_>) -> bool {
        self.path.matches(asked.path)
            && self
                .method
                .as_ref()
                .is_none_or(|method| method == asked.method)
            && self.headers.iter().all(|(name, wanted)| {
                let values = asked.headers.get_all(name).iter();
                let values: Vec<&str> = values.filter_map(|value| value.to_str().ok()).collect();
                !values.is_empty() && wanted.matches(&values.join(","))
            })
            && self.query.iter().all(|(name, wanted)| {
                let query = url::form_urlencoded::parse(asked.query.unwrap_or("").as_bytes());
                let mut named = query.filter(|(key, _)| key == name);
                named
                    .next()
                    .is_some_and(|(_, value)| wanted.matches(&value))
            })
    }
}

impl ValueMatch {
    fn matches(&self, value: &str) -> bool {
        match self {
            ValueMatch::Exact(wanted) => value == wanted,
            ValueMatch::Regex(regex) => regex.is_match(value),
        }
    }
}

/// Picks by weight; none when all weigh nothing (facts 9.7 `no valid backends`).
pub(super) fn backend(backends: &[WeightedBackend]) -> Option<&WeightedBackend> {
    let total: u64 = backends.iter().map(|b| u64::from(b.weight)).sum();
    match (total, backends) {
        (0, _) => None,
        (_, [only]) => Some(only),
        _ => {
            let mut left = rand::random_range(0..total);
            backends.iter().find(|backend| {
                let weight = u64::from(backend.weight);
                let found = left < weight;
                left = left.saturating_sub(weight);
                found
            })
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::gateway::compile::compile;
    use crate::gateway::config::Destination;
    use crate::gateway::object::World;
    use serde_json::{Value, json};

    /// Compiles routes, each named for what it matches, and says which takes a request.
    fn taken(
        routes: &[(&str, Value)],
        method: &str,
        url: &str,
        headers: &[(&'static str, &str)],
    ) -> String {
        let gateway = json!({"apiVersion": "gateway.networking.k8s.io/v1", "kind": "Gateway", "metadata": {"name": "gw"},
            "spec": {"gatewayClassName": "agentgateway", "listeners": [{"name": "http", "protocol": "HTTP", "port": 80}]}});
        let route = |(name, spec): &(&str, Value)| {
            let mut spec = spec.clone();
            spec["parentRefs"] = json!([{"name": "gw"}]);
            json!({"apiVersion": "gateway.networking.k8s.io/v1", "kind": "HTTPRoute", "metadata": {"name": name}, "spec": spec})
        };
        let objects = std::iter::once(gateway)
            .chain(routes.iter().map(route))
            .collect();
        let config = compile(&World::of(objects).unwrap()).config;
        let uri: http::Uri = url.parse().unwrap();
        let mut map = HeaderMap::new();
        headers
            .iter()
            .for_each(|(name, value)| drop(map.insert(*name, value.parse().unwrap())));
        let asked = Asked {
            host: uri.host().unwrap(),
            path: uri.path(),
            query: uri.query(),
            method: &method.parse().unwrap(),
            headers: &map,
        };
        let found = rule(&config.listeners[&80][0], &asked);
        found.map_or("none".to_string(), |candidate| {
            candidate.rule.route.to_string()
        })
    }

    fn matching(m: Value) -> Value {
        json!({"rules": [{"matches": [m]}]})
    }

    #[test]
    fn precedence_is_gateway_apis() {
        let path = |kind: &str, value: &str| json!({"path": {"type": kind, "value": value}});
        let with = |mut m: Value, field: &str, value: Value| {
            m[field] = value;
            matching(m)
        };
        let a = path("PathPrefix", "/a");
        let routes = [
            ("any", json!({"rules": [{}]})),
            ("a", matching(a.clone())),
            ("a-later", matching(a.clone())),
            ("a-b", matching(path("PathPrefix", "/a/b"))),
            ("exact", matching(path("Exact", "/a/b"))),
            ("regex", matching(path("RegularExpression", "/x.*z"))),
            ("post", with(a.clone(), "method", json!("POST"))),
            (
                "header",
                with(a.clone(), "headers", json!([{"name": "X-T", "value": "1"}])),
            ),
            (
                "query",
                with(
                    a.clone(),
                    "queryParams",
                    json!([{"name": "q", "type": "RegularExpression", "value": "\\d+"}]),
                ),
            ),
            (
                "host",
                json!({"hostnames": ["h.example"], "rules": [{"matches": [{"path": {"value": "/a"}}]}]}),
            ),
            ("wild", json!({"hostnames": ["*.example"], "rules": [{}]})),
        ];
        type Row<'a> = (&'a str, &'a str, &'a [(&'static str, &'a str)], &'a str);
        let table: [Row<'_>; 16] = [
            ("GET", "http://l/", &[], "any"),
            ("GET", "http://l/ab", &[], "any"),
            ("GET", "http://l/a", &[], "a"),
            ("GET", "http://l/a/b/c", &[], "a-b"),
            ("GET", "http://l/a/b", &[], "exact"),
            ("GET", "http://l/a/bc", &[], "a"),
            ("GET", "http://l/xyz", &[], "any"),
            ("POST", "http://l/a", &[], "post"),
            ("GET", "http://l/a", &[("x-t", "1")], "header"),
            ("GET", "http://l/a", &[("x-t", "2")], "a"),
            ("POST", "http://l/a", &[("x-t", "1")], "post"),
            ("GET", "http://l/a?q=12", &[], "query"),
            ("GET", "http://l/a?q=12x", &[], "a"),
            ("GET", "http://l/a?q=1", &[("x-t", "1")], "header"),
            ("GET", "http://h.example/a", &[], "host"),
            ("GET", "http://h.example/b", &[], "wild"),
        ];
        for (method, url, headers, expected) in table {
            let found = taken(&routes, method, url, headers);
            assert_eq!(
                found,
                format!("default/{expected}"),
                "{method} {url} {headers:?}"
            );
        }
    }

    #[test]
    fn a_regex_matches_whole_paths() {
        let routes = [(
            "r",
            matching(json!({"path": {"type": "RegularExpression", "value": "/x|/y.*z"}})),
        )];
        for (path, expected) in [
            ("/x", "default/r"),
            ("/xx", "none"),
            ("/yaz", "default/r"),
            ("/yazq", "none"),
        ] {
            assert_eq!(
                taken(&routes, "GET", &format!("http://l{path}"), &[]),
                expected,
                "{path}"
            );
        }
    }

    #[test]
    fn weights_are_shares_and_nothing_weighs_nothing() {
        let weigh = |weight| WeightedBackend {
            weight,
            filters: Vec::new(),
            destination: Destination::Unknown,
        };
        assert!(backend(&[]).is_none());
        assert!(backend(&[weigh(0), weigh(0)]).is_none());
        let backends = [weigh(1), weigh(0), weigh(3)];
        let mut counts = [0; 3];
        for _ in 0..4000 {
            let chosen = backend(&backends).unwrap();
            counts[backends
                .iter()
                .position(|b| std::ptr::eq(b, chosen))
                .unwrap()] += 1;
        }
        assert_eq!(counts[1], 0);
        assert!((800..1200).contains(&counts[0]), "{counts:?}");
    }
}
