//! What callers get and how they ask: our own probes, and the requests that the log tells of.

use super::finding::{Fix, Found, Scope, Severity};
use super::limits::{edit, scope};
use super::log::Line;
use super::rule::{Needs, Rule};
use super::snapshot::{Probe, Snapshot, name};
use serde_json::Value;

pub const RULES: [Rule; 5] = [
    Rule {
        code: "GW040",
        title: "every route answers",
        severity: Severity::Fail,
        needs: Needs::Probes,
        story: "Sends one small request through each route and reads who answered and with what. This is the \
                symptom as callers see it; where another rule knows why, this one stands beneath it. Alone it \
                tells what was seen and no more.",
        explains: &[],
        look: answers,
    },
    Rule {
        code: "GW046",
        title: "callers ask LLM routes with POST",
        severity: Severity::Warn,
        needs: Needs::Nothing,
        // facts 9.7, 15.2
        story: "Looks in the gateway's log for GET requests on LLM routes that were answered with 503 and \
                `failed to parse request: EOF`. The gateway is well: an LLM route takes a POST with a JSON body, \
                and a browser or health check that asks with GET gets this text.",
        explains: &[],
        look: asked_with_get,
    },
    Rule {
        code: "GW047",
        title: "callers ask for paths that have a route",
        severity: Severity::Warn,
        needs: Needs::Nothing,
        // facts 9.1
        story: "Looks in the gateway's log for requests that were answered 404 route not found while all our \
                routes are there. Nothing is wrong with the gateway; a client has a base URL that misses the \
                route's prefix. Paths are matched by whole segments.",
        explains: &[],
        look: asked_elsewhere,
    },
    Rule {
        code: "GW048",
        title: "callers send a body that can be read",
        severity: Severity::Warn,
        needs: Needs::Nothing,
        // facts 9.7, 14.9
        story: "Looks in the gateway's log for POST requests answered 503 `failed to parse request`: the \
                client's body is no JSON, or lacks messages. It means the caller's body and not the provider. A \
                client of another API, such as Anthropic's own, needs a route for it.",
        explains: &[],
        look: unreadable,
    },
    Rule {
        code: "GW049",
        title: "the gateway answers at its address",
        severity: Severity::Fail,
        needs: Needs::Nothing,
        story: "Sends a GET to the gateway's address on this machine. When nothing comes back, the port does \
                not lead to a proxy that runs: rules about the cluster, its port mapping and the proxy's pod \
                know why.",
        explains: &["GW040"],
        look: address,
    },
];

fn answers(snapshot: &Snapshot) -> Vec<Found> {
    let failed = snapshot.probes.iter().filter(|probe| !probe.good);
    let found = failed.map(|probe| {
        let path = snapshot.path_of(&probe.route);
        let short = match probe.status {
            0 => format!("{path} does not answer"),
            status => format!("{path} answers {status}"),
        };
        let answered = match probe.status {
            0 => probe.body.clone(),
            status => format!("{status} {}", probe.body),
        };
        let guard = guard(snapshot, probe);
        let fix = guard.map_or_else(|| "gw test".to_string(), |policy| edit(snapshot, policy));
        let cause = guard.map_or_else(
            || who(probe),
            |policy| {
                let name = name(policy);
                format!("policy {name}, which gw did not make, decides who may call it")
            },
        );
        Found::new(format!("{path} answers"), path.clone(), Fix::command(fix))
            .short(short)
            .scope(Scope::route(&probe.route))
            .cause(cause)
            .saw(probe.sent.clone(), crate::text::excerpt(&answered, 200))
    });
    found.collect()
}

/// Whether the gateway itself answered, and nobody behind it (facts 9.7).
pub fn from_gateway(probe: &Probe) -> bool {
    let said =
        probe.content_type.starts_with("text/plain") || probe.body.contains("from the proxy");
    probe.status != 0 && said
}

/// The policy of somebody else's for which the gateway itself refused a request of ours.
fn guard<'a>(snapshot: &'a Snapshot, probe: &Probe) -> Option<&'a Value> {
    const ASKS: [&str; 5] = [
        "apiKeyAuthentication",
        "basicAuthentication",
        "jwtAuthentication",
        "authorization",
        "extAuth",
    ];
    let refused = matches!(probe.status, 401 | 403) && from_gateway(probe);
    let mut policies = snapshot.kind("AgentgatewayPolicy").filter(|policy| {
        let asks = |field: &&str| policy["spec"]["traffic"].get(field).is_some();
        ASKS.iter().any(asks)
            && !snapshot.is_ours(policy)
            && scope(snapshot, policy).covers(&Scope::route(&probe.route))
    });
    policies.next().filter(|_| refused)
}

/// Who answered, as far as the words tell (facts 9.7).
fn who(probe: &Probe) -> String {
    match probe.status {
        _ if !probe.why.is_empty() => probe.why.clone(),
        0 => "no answer came from the gateway's address".to_string(),
        200 => "the answer is not of the form that was asked for".to_string(),
        _ if from_gateway(probe) => "the gateway itself answered so".to_string(),
        _ => "what stands behind the route answered so".to_string(),
    }
}

/// Lines of the proxy's log that are requests of callers to our gateway: those of our own proofs are
/// told by their host, or by the path of a route that was there for a proof alone.
fn requests(snapshot: &Snapshot) -> impl Iterator<Item = &Line> {
    let asked = |line: &&Line| line.field("http.path").is_some() && !line.is_own();
    snapshot.proxy_log.iter().filter(asked)
}

fn asked_with_get(snapshot: &Snapshot) -> Vec<Found> {
    let wrong: Vec<&Line> = requests(snapshot)
        .filter(|line| {
            line.field("http.method") == Some("GET")
                && line
                    .field("error")
                    .is_some_and(|e| e.contains("failed to parse request: EOF"))
        })
        .collect();
    from_log(
        snapshot,
        &wrong,
        "callers ask LLM routes with POST",
        |path| {
            (
                format!(
                    "a client asked {path} with GET, and an LLM route takes a POST with a JSON body"
                ),
                format!(
                    "curl {}{path} -H 'content-type: application/json' -d '{{\"messages\":[{{\"role\":\"user\",\"content\":\"ping\"}}]}}'",
                    snapshot.base_url
                ),
            )
        },
    )
}

fn asked_elsewhere(snapshot: &Snapshot) -> Vec<Found> {
    // Where a route of ours is missing or broken, a 404 is its effect and not the caller's mistake.
    let whole = snapshot.probes.iter().all(|probe| probe.good) && !snapshot.probes.is_empty();
    let wrong: Vec<&Line> = requests(snapshot)
        .filter(|line| {
            let path = line.field("http.path").unwrap_or("");
            let ours = path.contains(crate::verify::gateway::NOWHERE)
                || path.contains(crate::plan::WITNESS_PREFIX);
            let known = snapshot
                .routes
                .iter()
                .any(|r| path == r.path || path.starts_with(&format!("{}/", r.path)));
            line.field("error") == Some("route not found") && !ours && !known && path != "/"
        })
        .collect();
    if !whole {
        return Vec::new();
    }
    let paths: Vec<&str> = snapshot.routes.iter().map(|r| r.path.as_str()).collect();
    from_log(
        snapshot,
        &wrong,
        "callers ask for paths that have a route",
        |path| {
            (
                format!(
                    "no route matches {path}; there are {}",
                    crate::text::list(&paths)
                ),
                "gw status".to_string(),
            )
        },
    )
}

fn unreadable(snapshot: &Snapshot) -> Vec<Found> {
    let wrong: Vec<&Line> = requests(snapshot)
        .filter(|line| {
            line.field("http.method") == Some("POST")
                && line
                    .field("error")
                    .is_some_and(|e| e.starts_with("processing failed: failed to parse request"))
        })
        .collect();
    from_log(
        snapshot,
        &wrong,
        "callers send a body that can be read",
        |path| {
            (
                format!("a client sent {path} a body that is no chat completion"),
                "gw logs --errors".to_string(),
            )
        },
    )
}

/// One finding for all lines of a kind: the last of them as evidence.
fn from_log(
    snapshot: &Snapshot,
    lines: &[&Line],
    title: &str,
    tell: impl Fn(&str) -> (String, String),
) -> Vec<Found> {
    let Some(last) = lines.last() else {
        return Vec::new();
    };
    let path = last
        .field("http.path")
        .unwrap_or("")
        .split('?')
        .next()
        .unwrap_or("");
    let (cause, command) = tell(path);
    let status = last.field("http.status").unwrap_or("");
    let error = last.field("error").unwrap_or("");
    let times = crate::text::count(lines.len(), "request");
    vec![
        Found::new(title, "callers", Fix::Command(command))
            .short(format!("{times} of callers failed at {path}"))
            .scope(Scope::Routes(Default::default()))
            .cause(cause)
            .saw(
                format!(
                    "{} log",
                    if snapshot.on_cluster() {
                        "proxy"
                    } else {
                        "gateway"
                    }
                ),
                format!(
                    "{times}, the last {} {path} {status} {error}",
                    last.field("http.method").unwrap_or("")
                ),
            ),
    ]
}

fn address(snapshot: &Snapshot) -> Vec<Found> {
    let Some(Err(why)) = &snapshot.door.answers else {
        return Vec::new();
    };
    let base = &snapshot.base_url;
    vec![
        Found::new(format!("{base} answers"), "gateway", Fix::command("gw up"))
            .short(format!("{base} does not answer"))
            .cause("the port on this machine leads to no proxy that answers")
            .saw(format!("GET {base}"), why.clone()),
    ]
}
