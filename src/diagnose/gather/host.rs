//! What this machine shows: services, our processes, the gateway's port, Docker, logins.

use super::Scene;
use crate::diagnose::log::{Line, parse};
use crate::diagnose::snapshot::{Container, Door, Login, Process, Service, Snapshot, hosts};
use crate::gateway::before;
use crate::host::cluster::is_another;
use crate::host::{docker, ollama, port, process, registry, service, web};
use crate::plan::{HostService, NODE_PORT};
use crate::secret::redact;
use crate::target::Target;
use crate::verify::gateway::NOWHERE;
use futures::future::join_all;
use serde_json::Value;
use std::time::Duration;

const DEADLINE: Duration = Duration::from_secs(2);
/// Where the charts and the images of 2.2 come from (facts 1.1).
const REGISTRIES: [(&str, &str); 2] = [
    ("ghcr.io", "kgateway-dev/charts/agentgateway"),
    ("cr.agentgateway.dev", "agentgateway"),
];

#[derive(Default)]
pub struct Host {
    pub processes: Vec<Process>,
    pub services: Vec<Service>,
    pub door: Door,
    pub container: Option<Container>,
    pub logins: Vec<Login>,
    pub gateway_log: Vec<Line>,
}

pub async fn look(scene: &Scene<'_>) -> Host {
    let services = scene
        .applied
        .map(|applied| applied.services.as_slice())
        .unwrap_or_default();
    let services = join_all(services.iter().map(|service| ask(scene, service)));
    let (services, door, (container, mapped), logins, gateway_log) =
        tokio::join!(services, answers(scene), node(scene), logins(), log(scene));
    Host {
        processes: processes(scene),
        services,
        door: Door {
            answers: door,
            owner: port::owner(scene.record.port),
            mapped,
        },
        container,
        logins,
        gateway_log,
    }
}

async fn ask(scene: &Scene<'_>, service: &HostService) -> Service {
    let url = service::url(service);
    let is_ollama = service.title == crate::provider::Provider::Ollama.ways().title;
    let wire = scene.record.wires.get(&service.name);
    let host = wire.map(|wire| wire.host.clone()).filter(|_| is_ollama);
    let origin = origin(scene).filter(|_| is_ollama);
    let (answer, found, with_host, with_origin) = tokio::join!(
        service::ask(service, DEADLINE),
        async {
            if is_ollama {
                ollama::find(service.port).await
            } else {
                None
            }
        },
        async {
            let host = host?;
            let (status, _) = web::get(&url, Some(&host), DEADLINE).await.ok()?;
            Some((host, status))
        },
        async {
            let origin = origin?;
            let request = web::local()
                .get(&url)
                .header("origin", &origin)
                .timeout(DEADLINE);
            let status = request.send().await.ok()?.status().as_u16();
            Some((origin, status))
        },
    );
    let silence = match answer {
        Ok((200, _)) => None,
        Ok(_) if service.any_answer => None,
        Ok((status, _)) => Some(format!("answered {status}")),
        Err(why) => Some(why),
    };
    Service {
        name: service.name.clone(),
        title: service.title.clone(),
        port: service.port,
        role: service.role().map(str::to_string),
        start: service.start.clone(),
        silence,
        listens: port::addresses(service.port),
        models: found.map(|found| found.models),
        with_host,
        with_origin,
    }
}

/// Asks Ollama again with the host that stands in its backend now, where that is another than the one
/// that was proved.
pub async fn ask_by_name(snapshot: &mut Snapshot) {
    for at in 0..snapshot.services.len() {
        let service = &snapshot.services[at];
        let Some((proved, _)) = &service.with_host else {
            continue;
        };
        let backend = snapshot.object("AgentgatewayBackend", &service.name);
        let named = backend.map(hosts).unwrap_or_default().into_iter().next();
        let Some((host, _)) = named.filter(|(host, _)| host != proved) else {
            continue;
        };
        let url = format!("http://127.0.0.1:{}/", service.port);
        if let Ok((status, _)) = web::get(&url, Some(&host), DEADLINE).await {
            snapshot.services[at].with_host = Some((host, status));
        }
    }
}

/// An origin that a CORS policy of what we applied allows.
fn origin(scene: &Scene<'_>) -> Option<String> {
    let objects = &scene.applied?.objects;
    let cors = objects
        .iter()
        .filter_map(|o| o.pointer("/spec/traffic/cors/allowOrigins")?.as_array());
    let mut origins = cors.flatten().filter_map(Value::as_str);
    origins
        .find(|origin| origin.contains("://") && !origin.contains('*'))
        .map(str::to_string)
}

fn processes(scene: &Scene<'_>) -> Vec<Process> {
    let one = |(role, alive): (String, Option<process::Identity>)| {
        let kept = std::fs::read_to_string(scene.paths.process(&role)).unwrap_or_default();
        let kept: Option<process::Identity> = serde_json::from_str(&kept).ok();
        let log = scene.paths.log(&role);
        // One that was begun anew a moment ago is empty.
        let parts =
            [before(&log), log].map(|part| std::fs::read_to_string(part).unwrap_or_default());
        let last = parts.iter().flat_map(|text| text.lines()).last();
        Process {
            alive: alive.is_some(),
            pid: kept.map(|identity| identity.pid),
            last: last.map(redact::text),
            role,
        }
    };
    process::all(scene.paths).into_iter().map(one).collect()
}

async fn answers(scene: &Scene<'_>) -> Option<Result<u16, String>> {
    let base = &scene.record.base_url;
    let base = match base.as_str() {
        "" => format!("http://localhost:{}", scene.record.port),
        base => base.to_string(),
    };
    let url = format!("{base}{NOWHERE}");
    let answer = web::get(&url, None, Duration::from_secs(5)).await;
    Some(answer.map(|(status, _)| status))
}

/// Whether the kind node runs, and whether a port of it leads to this machine.
async fn node(scene: &Scene<'_>) -> (Option<Container>, Option<bool>) {
    let cluster = &scene.record.cluster;
    if cluster.is_empty() {
        return (None, None);
    }
    let clusters = async { docker::kind_clusters(&docker::connect().await?).await };
    let Ok(clusters) = clusters.await else {
        return (None, None);
    };
    match clusters.iter().find(|found| found.name == *cluster) {
        None => (Some(Container::Missing), None),
        Some(found) if is_another(found, scene.paths) => (Some(Container::Another), None),
        Some(found) if found.paused => (Some(Container::Paused), None),
        // Docker shows the ports of a container that runs only.
        Some(found) if !found.running => (Some(Container::Stopped), None),
        Some(found) => {
            let mapped = found.published.iter().any(|p| p.node_port == NODE_PORT);
            (Some(Container::Running), Some(mapped))
        }
    }
}

async fn logins() -> Vec<Login> {
    let asked = REGISTRIES.map(|(registry, repository)| async move {
        let stale = registry::is_stale(registry, repository, Duration::from_secs(4)).await?;
        Some(Login {
            registry: registry.to_string(),
            stale,
        })
    });
    join_all(asked).await.into_iter().flatten().collect()
}

/// The end of the embedded gateway's log.
async fn log(scene: &Scene<'_>) -> Vec<Line> {
    let Some(embedded) = scene.embedded else {
        return Vec::new();
    };
    let count = usize::try_from(scene.lines).unwrap_or(0);
    let lines = embedded.access_log(count).await.unwrap_or_default();
    lines.iter().map(|line| parse("gateway", line)).collect()
}
