//! A failure explains itself: the proxy's own line for this very request, what controllers and events
//! say of the objects that had a say, and the cause that these make likely. Pure.

use super::case::Case;
use super::check::{Finding, Verdict};
use super::derive;
use super::gateway;
use super::installed::{Installed, Way, complaints, items, name, namespace, word};
use crate::plan::survey::Trouble;
use serde_json::Value;

/// What was gathered after a proof in which something failed.
#[derive(Debug, Default)]
pub struct Surroundings {
    /// The end of the access log.
    pub log: Vec<String>,
    /// What is wrong with objects and pods, in the cluster's own words.
    pub troubles: Vec<Trouble>,
}

/// Adds to each failure what explains it.
pub fn explain(
    findings: &mut [Finding],
    cases: &[Case],
    installed: &Installed,
    around: &Surroundings,
) {
    for finding in findings.iter_mut().filter(|f| f.verdict == Verdict::Fail) {
        let host = finding.request.as_deref();
        // The proxy leaves the port out.
        let host = host.and_then(|host| host.split(':').next());
        let line = host.and_then(|host| line(&around.log, host));
        if let Some(line) = &line {
            put(finding, "proxy", told(line));
        }
        let Some(case) = cases.iter().find(|case| case.id == finding.id) else {
            // Nothing answers at all: what is not well may be why.
            if finding.id == gateway::ID {
                unanswered(finding, &around.troubles);
            }
            continue;
        };
        for (kind, namespace, name) in &case.objects {
            let object = installed.find(kind, namespace, name);
            if object.is_none() {
                put(finding, "object", format!("{kind} {name} is not there"));
            }
            let said = object.map(complaints).unwrap_or_default();
            said.iter()
                .for_each(|said| put(finding, "object", format!("{kind} {name}: {said}")));
            let own = format!("{kind} {name}");
            let troubles = around
                .troubles
                .iter()
                .filter(|trouble| trouble.object == own);
            troubles.for_each(|trouble| put(finding, "event", trouble.text()));
        }
        if let Some((cause, next)) = cause(finding, case, installed) {
            replace(finding, cause, next);
        }
    }
    forced(findings, cases);
}

/// What somebody else has changed, `gw up` gives back only when it is told to.
fn forced(findings: &mut [Finding], cases: &[Case]) {
    const FORCE: &str = "gw up --force";
    let changed: Vec<String> = findings
        .iter()
        .filter(|finding| finding.next.as_deref() == Some(FORCE))
        .filter_map(|finding| finding.id.strip_prefix("object.").map(str::to_string))
        .collect();
    for finding in findings
        .iter_mut()
        .filter(|f| f.next.as_deref() == Some("gw up"))
    {
        let case = cases.iter().find(|case| case.id == finding.id);
        let mut objects = case.iter().flat_map(|case| &case.objects);
        if objects.any(|(kind, _, name)| changed.contains(&format!("{kind}.{name}"))) {
            finding.next = Some(FORCE.to_string());
        }
    }
}

/// What is not well with the gateway itself; the first of it is the likely cause.
fn unanswered(finding: &mut Finding, troubles: &[Trouble]) {
    let states: Vec<&Trouble> = troubles.iter().filter(|trouble| trouble.is_state).collect();
    for trouble in &states {
        put(finding, "object", trouble.text());
    }
    if let Some(first) = states.first() {
        let next = first.next.clone().or(finding.next.clone());
        replace(finding, first.text(), next.unwrap_or_default());
    }
}

fn put(finding: &mut Finding, name: &str, text: String) {
    let fact = (name.to_string(), text);
    if !finding.facts.contains(&fact) {
        // The cause is what a person reads last.
        let at = finding.facts.iter().position(|(name, _)| name == "cause");
        finding
            .facts
            .insert(at.unwrap_or(finding.facts.len()), fact);
    }
}

fn replace(finding: &mut Finding, cause: String, next: String) {
    finding.facts.retain(|(name, _)| name != "cause");
    finding.facts.push(("cause".to_string(), cause));
    finding.next = Some(next);
}

/// The line of the request that came with this host name.
fn line(log: &[String], host: &str) -> Option<Vec<(String, String)>> {
    let found = log.iter().rev().find(|line| line.contains(host))?;
    Some(fields(found))
}

/// What of a line a person can use, as the proxy writes it.
fn told(line: &[(String, String)]) -> String {
    const SHOWN: [&str; 8] = [
        "route",
        "endpoint",
        "http.status",
        "gen_ai.request.model",
        "error",
        "reason",
        "retry.attempt",
        "duration",
    ];
    let shown = line.iter().filter(|(key, _)| SHOWN.contains(&key.as_str()));
    let pair = |(key, value): &(String, String)| match value.contains(' ') {
        true => format!("{key}={value:?}"),
        false => format!("{key}={value}"),
    };
    shown.map(pair).collect::<Vec<_>>().join(" ")
}

/// The fields of an access log line, `key=value` or JSON (facts 9.7).
fn fields(line: &str) -> Vec<(String, String)> {
    if let Some(Value::Object(object)) = line
        .find('{')
        .and_then(|at| serde_json::from_str(&line[at..]).ok())
    {
        let text = |value: &Value| {
            value
                .as_str()
                .map_or_else(|| value.to_string(), str::to_string)
        };
        return object
            .iter()
            .map(|(key, value)| (key.clone(), text(value)))
            .collect();
    }
    let mut fields = Vec::new();
    let mut rest = line;
    while let Some((before, after)) = rest.split_once('=') {
        let key = before
            .rsplit([' ', '\t'])
            .next()
            .unwrap_or(before)
            .to_string();
        let (value, next) = match after.strip_prefix('"') {
            Some(quoted) => quoted_value(quoted),
            None => match after.split_once(' ') {
                Some((value, next)) => (value.to_string(), next),
                None => (after.to_string(), ""),
            },
        };
        fields.push((key, value));
        rest = next;
    }
    fields
}

fn quoted_value(text: &str) -> (String, &str) {
    let mut value = String::new();
    let mut chars = text.char_indices();
    while let Some((at, c)) = chars.next() {
        match c {
            '\\' => value.extend(chars.next().map(|(_, c)| c)),
            '"' => return (value, &text[at + 1..]),
            c => value.push(c),
        }
    }
    (value, "")
}

/// The cause that the objects make plain, and what to do; `None` where the answer's own word stays.
fn cause(finding: &Finding, case: &Case, installed: &Installed) -> Option<(String, String)> {
    let answered = fact(finding, "answered");
    let route = installed.all("HTTPRoute").find(|route| {
        name(route) == case.route
            && case
                .objects
                .iter()
                .any(|(_, home, _)| home == namespace(route))
    });
    let Some(route) = route else {
        return Some((
            format!("HTTPRoute {} is not there", case.route),
            "gw up".to_string(),
        ));
    };
    let ways = installed.ways_of(route);
    let backend = ways
        .first()
        .map(|way| installed.backends(way))
        .unwrap_or_default();
    let backend = backend.into_iter().next();
    let complaint = |object: &Value| complaints(object).into_iter().next();
    let up = || "gw up".to_string();
    if answered.contains("service not found") {
        let (title, object) = backend?;
        let said = complaint(object?)?;
        return Some((format!("{title} was not accepted: {said}"), up()));
    }
    if answered.contains("no valid backends") {
        return match backend {
            Some((title, None)) => Some((
                format!("HTTPRoute {} names {title}, which is not there", case.route),
                up(),
            )),
            _ => complaint(route).map(|said| (said, up())),
        };
    }
    if answered.contains("route not found") || answered.contains("listener not found") {
        let said = match ways.is_empty() {
            true => format!("HTTPRoute {} hangs on no Gateway that is there", case.route),
            false => complaint(route)?,
        };
        return Some((said, up()));
    }
    let way = ways.first()?;
    let backend = backend?.1?;
    wrong_port(&answered, backend, installed).or_else(|| unstripped(&answered, way, backend, case))
}

fn fact(finding: &Finding, wanted: &str) -> String {
    let found = finding.facts.iter().find(|(name, _)| name == wanted);
    found.map(|(_, text)| text.clone()).unwrap_or_default()
}

/// A backend that asks a Service of ours at a port that it has not.
fn wrong_port(answered: &str, backend: &Value, installed: &Installed) -> Option<(String, String)> {
    let failures = [
        "upstream call failed",
        "no healthy backends",
        "DNS resolution",
    ];
    if !failures.iter().any(|failure| answered.contains(failure)) {
        return None;
    }
    let provider = derive::provider(backend).or(backend.pointer("/spec/static"))?;
    let (host, port) = (word(provider, "/host"), provider["port"].as_u64()?);
    let mut parts = host.split('.');
    let service = parts.next()?;
    let home = parts.next().unwrap_or(namespace(backend));
    let object = installed.find("Service", home, service)?;
    let has = |p: &Value| p["port"].as_u64() == Some(port);
    let ports = items(object, "/spec/ports");
    if ports.is_empty() || ports.iter().any(has) {
        return None;
    }
    let real: Vec<String> = ports.iter().map(|port| port["port"].to_string()).collect();
    let real = crate::text::list(&real);
    let cause = format!(
        "AgentgatewayBackend {} asks {service} at port {port}, which has {real}",
        name(backend)
    );
    Some((cause, "gw up --force".to_string()))
}

/// A path that goes to a server of its own as it came (facts 9.4).
fn unstripped(answered: &str, way: &Way, backend: &Value, case: &Case) -> Option<(String, String)> {
    let provider = derive::provider(backend)?;
    let own = provider["host"].is_string() && provider["path"].is_null();
    let rewrites = items(&way.rule, "/filters")
        .iter()
        .any(|f| word(f, "/type") == "URLRewrite");
    if !answered.starts_with("404") || !own || rewrites || case.path == "/" {
        return None;
    }
    let cause = format!(
        "HTTPRoute {} does not take {} off the path, and {} does not know it",
        case.route, case.path, case.behind.title
    );
    Some((cause, "gw up --force".to_string()))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// As recorded of agentgateway 0.12.0.
    const LINE: &str = "2026-11-23T18:37:31.72715Z\tinfo\trequest gateway=kgateway-system/ai-gateway listener=http route=kgateway-system/dns http.host=p1.localhost http.path=/dns/v1/chat/completions http.status=503 protocol=llm error=\"backends required DNS resolution which failed\" reason=UpstreamFailure duration=3ms";

    #[test]
    fn the_line_of_a_request_is_found_and_told_shortly() {
        let log = [LINE.replace("p1", "p0"), LINE.to_string()];
        let line = line(&log, "p1.localhost").unwrap();
        assert_eq!(
            told(&line),
            "route=kgateway-system/dns http.status=503 error=\"backends required DNS resolution which failed\" reason=UpstreamFailure duration=3ms"
        );
    }

    #[test]
    fn a_quoted_value_may_hold_everything() {
        let read = fields(r#"a="x=1 \"y\"" b=2"#);
        assert_eq!(
            read,
            [
                ("a".to_string(), "x=1 \"y\"".to_string()),
                ("b".to_string(), "2".to_string())
            ]
        );
    }
}
