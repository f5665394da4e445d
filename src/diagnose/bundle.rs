//! Everything of a snapshot as files for a colleague, without keys.

use super::fold::Diagnosis;
use super::log::Line;
use super::snapshot::Snapshot;
use crate::secret::redact;
use crate::yaml;
use serde_json::{Value, json};

/// Names and texts of the files, in the order of the archive.
pub fn files(snapshot: &Snapshot, diagnosis: &Diagnosis) -> Vec<(String, String)> {
    let findings = serde_json::to_value(diagnosis).unwrap_or_default();
    let mut files = vec![
        ("about.json".to_string(), pretty(&about(snapshot))),
        (
            "findings.json".to_string(),
            pretty(&redact::object(&findings)),
        ),
    ];
    let mut kinds: Vec<&str> = snapshot
        .objects
        .iter()
        .filter_map(|o| o["kind"].as_str())
        .collect();
    kinds.sort_unstable();
    kinds.dedup();
    for kind in kinds {
        let objects: Vec<String> = snapshot
            .kind(kind)
            .map(|o| yaml::write(&redact::object(o)))
            .collect();
        files.push((format!("objects/{kind}.yaml"), objects.join("---\n")));
    }
    for (name, lines) in [
        ("controller", &snapshot.controller_log),
        ("gateway", &snapshot.proxy_log),
    ] {
        if !lines.is_empty() {
            files.push((format!("logs/{name}.log"), log(lines)));
        }
    }
    files
}

fn pretty(value: &Value) -> String {
    format!("{value:#}\n")
}

fn log(lines: &[Line]) -> String {
    let line = |line: &Line| {
        let at = line.at.map(|at| at.to_string()).unwrap_or_default();
        format!("{at} {} {}\n", line.level, line.text())
    };
    lines.iter().map(line).collect()
}

/// What is not in any object: the place, versions, processes, services, probes, what was not seen.
fn about(snapshot: &Snapshot) -> Value {
    let place = &snapshot.place;
    let services: Vec<Value> = snapshot
        .services
        .iter()
        .map(|s| {
            let listens: Vec<String> = s.listens.iter().map(ToString::to_string).collect();
            json!({"name": s.name, "title": s.title, "port": s.port, "silence": s.silence, "listens": listens, "models": s.models})
        })
        .collect();
    let processes: Vec<Value> = snapshot
        .processes
        .iter()
        .map(|p| json!({"role": p.role, "alive": p.alive, "pid": p.pid}))
        .collect();
    let probes: Vec<Value> = snapshot
        .probes
        .iter()
        .map(|p| json!({"route": p.route, "sent": p.sent, "status": p.status, "body": redact::text(&p.body), "good": p.good, "seconds": p.seconds}))
        .collect();
    let releases: Vec<Value> = snapshot
        .releases
        .iter()
        .map(|r| json!({"chart": r.name, "version": r.version, "status": r.status}))
        .collect();
    json!({
        "gw": env!("CARGO_PKG_VERSION"),
        "environment": snapshot.environment,
        "target": snapshot.target,
        "cluster": snapshot.cluster,
        "namespace": snapshot.namespace,
        "gateway": snapshot.gateway,
        "baseUrl": snapshot.base_url,
        "answers": place.alive,
        "silence": redact::text(&place.silence),
        "kubernetes": place.version,
        "clockAhead": place.clock_ahead,
        "crds": snapshot.crds,
        "releases": releases,
        "services": services,
        "processes": processes,
        "probes": probes,
        "drift": serde_json::to_value(&snapshot.drift).unwrap_or_default(),
        "notSeen": snapshot.unread,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::diagnose::diagnose;
    use crate::diagnose::log::parse;
    use crate::diagnose::snapshot::tests::{answered, healthy};

    #[test]
    fn planted_keys_are_in_no_file_and_what_matters_is() {
        let mut snapshot = answered(
            healthy(),
            "openai",
            401,
            r#"{"error":{"message":"Incorrect API key provided: sk-PLANTED1234. See"}}"#,
        );
        snapshot.proxy_log = vec![parse(
            "proxy",
            "2026-11-23T18:37:57Z\tinfo\trequest http.path=/x?key=PLANTED12345 authorization=\"Bearer PLANTED1234\"",
        )];
        snapshot.objects.push(json!({"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "s"}, "data": {"a": "UExBTlRFRA=="}}));
        snapshot.objects.push(json!({"kind": "AgentgatewayBackend", "metadata": {"name": "inline"}, "spec": {"policies": {"auth": {"key": "PLANTED"}}}}));
        let files = files(&snapshot, &diagnose(&snapshot));
        let whole: String = files
            .iter()
            .map(|(name, text)| format!("{name}\n{text}"))
            .collect();
        assert!(
            !whole.contains("PLANTED") && !whole.contains("UExBTlRFRA"),
            "{whole}"
        );
        for part in [
            "objects/HTTPRoute.yaml",
            "logs/gateway.log",
            "findings.json",
            "GW032",
            "kubernetes",
        ] {
            assert!(whole.contains(part), "{part}");
        }
    }
}
