//! `gw reach [ROUTE]`: the way of a request, hop by hop, each proved alone.

mod behind;

use super::Outcome;
use super::asked::Asked;
use super::prove::MAX_COST;
use super::session::Session;
use crate::apply::record::Record;
use crate::cli::Reach;
use crate::cluster::forward;
use crate::error::{Error, Exit, Result};
use crate::host::process::Background;
use crate::host::{port, web};
use crate::plan::survey::Trouble;
use crate::profile::TargetKind;
use crate::report::document::Document;
use crate::report::reach::path;
use crate::target::{Target, embedded};
use crate::verify::check::{Finding, Verdict};
use crate::verify::choose::Choice;
use crate::verify::installed::{Installed, PathMatch, Way};
use crate::verify::{gateway, reach};
use serde_json::json;
use std::time::{Duration, Instant};
use tokio::net::TcpStream;

const ANSWER: Duration = Duration::from_secs(5);

/// What every hop is looked at with.
struct Looking<'a> {
    session: &'a Session,
    record: &'a Record,
    target: &'a dyn Target,
    installed: Installed,
    troubles: Vec<Trouble>,
}

pub async fn run(session: &Session, options: &Reach) -> Outcome {
    let record = session.record()?;
    let paths = paths(session, &record, options.route.as_deref()).await?;
    let broken = paths.iter().any(|(_, hops)| failed(hops));
    match session.is_json() {
        true => {
            let value: Vec<_> = paths
                .iter()
                .map(|(route, hops)| json!({"route": route, "hops": hops}))
                .collect();
            let document = Document::new("reach", &record.environment)
                .set("baseUrl", record.base_url.clone())
                .set("paths", value);
            let document = match broken {
                true => document.exit(Exit::NotProved),
                false => document,
            };
            session.write(&document.text());
        }
        false => {
            let shown = paths
                .iter()
                .map(|(title, hops)| path(title, hops, session.out));
            session.write(&shown.collect::<Vec<_>>().join("\n"));
        }
    }
    Ok(broken.then_some(Exit::NotProved))
}

/// The ways of one route, or of all of ours: by path, hop by hop to the first that is broken.
pub async fn paths(
    session: &Session,
    record: &Record,
    route: Option<&str>,
) -> Result<Vec<(String, Vec<Finding>)>> {
    let target = session.target(record);
    let (objects, troubles) = tokio::join!(target.objects(), target.troubles());
    let looking = Looking {
        session,
        record,
        target: target.as_ref(),
        installed: Installed {
            objects: objects.unwrap_or_default(),
            environment: record.environment.clone(),
        },
        troubles: troubles.unwrap_or_default(),
    };
    let ways = looking.ways(route)?;
    let near = looking.near().await;
    let mut paths = Vec::new();
    for (title, way) in ways {
        let mut hops = near.clone();
        if !failed(&hops) {
            hops.extend(looking.far(&title, way.as_ref()).await?);
        }
        for hop in &mut hops {
            hop.next = hop.next.as_deref().map(|next| session.complete(next));
        }
        paths.push((title, hops));
    }
    Ok(paths)
}

/// Who is to hold the port of a gateway.
#[derive(Debug, PartialEq)]
enum Keeper {
    /// A process of ours: its role, and what people call it.
    Ours(&'static str, &'static str),
    /// What a program of somebody else's leads to.
    Others(String),
}

fn keeper(target: Option<TargetKind>, cluster: &str) -> Keeper {
    match target {
        Some(TargetKind::Kind) => Keeper::Others(format!("{cluster}-control-plane")),
        Some(TargetKind::OrbStack) => Keeper::Others("OrbStack's load balancer".to_string()),
        Some(TargetKind::Context) => Keeper::Ours(forward::ROLE, "the port-forward"),
        Some(TargetKind::Embedded) | None => Keeper::Ours(embedded::ROLE, "the embedded gateway"),
    }
}

fn failed(hops: &[Finding]) -> bool {
    hops.iter().any(|hop| hop.verdict == Verdict::Fail)
}

impl Looking<'_> {
    /// The routes that were named, or all of ours; by the path of each, with its first way.
    fn ways(&self, named: Option<&str>) -> Result<Vec<(String, Option<Way>)>> {
        let path = |way: &Way| {
            let (PathMatch::Prefix(path) | PathMatch::Exact(path) | PathMatch::Regex(path)) =
                &way.path;
            path.clone()
        };
        let is_it = |name: &str, path: &str| {
            named.is_none_or(|named| {
                name == named || path.trim_matches('/') == named.trim_matches('/')
            })
        };
        let mut found: Vec<(String, Option<Way>)> = Vec::new();
        for way in self.installed.ways() {
            let path = path(&way);
            let new = !found.iter().any(|(known, _)| *known == path);
            if new && is_it(&way.route, &path) && (way.ours || named.is_some()) {
                found.push((path, Some(way)));
            }
        }
        for route in &self.record.routes {
            let new = !found.iter().any(|(known, _)| *known == route.path);
            if new && is_it(&route.name, &route.path) {
                found.push((route.path.clone(), None));
            }
        }
        match (found.is_empty(), named) {
            (true, Some(named)) => {
                let known: Vec<&str> = self.record.routes.iter().map(|r| r.path.as_str()).collect();
                let error = Error::usage(format!("there is no route {named}"), "gw reach");
                Err(error.fact(format!("there are: {}", known.join(", "))))
            }
            _ => Ok(found),
        }
    }

    /// From this machine to the proxy: the same for every route.
    async fn near(&self) -> Vec<Finding> {
        let start = Instant::now();
        let port = self.port();
        let connected = tokio::time::timeout(ANSWER, TcpStream::connect(("127.0.0.1", port))).await;
        let base = &self.record.base_url;
        let machine = match connected {
            Ok(Ok(_)) => Finding {
                seconds: start.elapsed().as_secs_f64(),
                ..reach::hop("machine", "this machine", base.clone())
            },
            Ok(Err(error)) => {
                let what = format!("127.0.0.1:{port} takes no connection: {error}");
                return vec![self.with_troubles(reach::broken(
                    "machine",
                    "this machine",
                    what,
                    "gw up",
                ))];
            }
            Err(_) => {
                let what = format!("127.0.0.1:{port} gives no answer in 5 s");
                return vec![reach::broken("machine", "this machine", what, "gw status")];
            }
        };
        let mut hops = vec![machine, self.holder(port)];
        if self.record.is_on_cluster() {
            let (home, gateway) = (&self.record.namespace, &self.record.gateway);
            let inside = reach::service(&self.installed, home, gateway, &self.troubles);
            hops.extend(inside);
        }
        if !failed(&hops) {
            hops.push(self.answers().await);
        }
        hops
    }

    fn port(&self) -> u16 {
        let named = self.record.base_url.rsplit(':').next();
        named
            .and_then(|port| port.trim_matches('/').parse().ok())
            .unwrap_or(self.record.port)
    }

    /// Who holds the port, and whether it is who it should be.
    fn holder(&self, port: u16) -> Finding {
        let owner = port::owner(port).unwrap_or_else(|| "a process of another user".to_string());
        match keeper(self.record.target(), &self.record.cluster) {
            Keeper::Others(title) => reach::hop("port", "port", format!("{owner} -> {title}")),
            Keeper::Ours(role, title) => {
                let alive = Background::new(&self.session.environment(), role).alive();
                reach::held(&owner, title, alive.map(|alive| alive.pid))
            }
        }
    }

    async fn answers(&self) -> Finding {
        let start = Instant::now();
        let url = format!("{}{}", self.record.base_url, gateway::NOWHERE);
        match web::get(&url, None, ANSWER).await {
            Ok((status, _)) => Finding {
                seconds: start.elapsed().as_secs_f64(),
                ..reach::hop("proxy", "proxy", format!("answers HTTP ({status})"))
            },
            Err(why) => {
                let what = format!("{}: {why}", self.record.base_url);
                self.with_troubles(reach::broken("proxy", "proxy", what, "gw logs"))
            }
        }
    }

    fn with_troubles(&self, hop: Finding) -> Finding {
        let troubles = self.troubles.iter().take(3);
        troubles.fold(hop, |hop, trouble| hop.fact("trouble", trouble.text()))
    }

    /// From the listener to the model.
    async fn far(&self, title: &str, way: Option<&Way>) -> Result<Vec<Finding>> {
        let Some(way) = way else {
            let route = self.record.routes.iter().find(|route| route.path == title);
            let name = route.map_or(title, |route| route.name.as_str());
            let what =
                format!("there is no HTTPRoute {name}, or it hangs on no Gateway that is there");
            return Ok(vec![reach::broken("route", "route", what, "gw up")]);
        };
        let mut hops = reach::objects(&self.installed, way);
        if failed(&hops) {
            return Ok(hops);
        }
        let backend = self
            .installed
            .backends(way)
            .into_iter()
            .next()
            .and_then(|(_, backend)| backend);
        let planned = self.record.planned_routes();
        let planned = planned
            .iter()
            .find(|route| route.name == way.route && way.ours);
        let name = planned.map_or("service", |route| route.serves.title());
        if let Some((backend, address)) =
            backend.and_then(|backend| Some((backend, reach::address(backend)?)))
        {
            let mut behind = self.behind(backend, &address, name, way).await?;
            hops.append(&mut behind);
        }
        if !failed(&hops) {
            hops.extend(self.model(way).await?);
        }
        Ok(hops)
    }

    /// The route's own proof is the last hop.
    async fn model(&self, way: &Way) -> Result<Option<Finding>> {
        let choice = Choice {
            only: vec!["answer".to_string()],
            routes: vec![way.route.clone()],
            max_cost: MAX_COST,
            ..Choice::default()
        };
        let asked = Asked {
            all: !way.ours,
            ..Asked::of(choice)
        };
        let proof = self.session.prove_as(self.record, &asked).await?;
        let id = way.id();
        let found = proof.findings.into_iter().find(|finding| finding.id == id);
        Ok(found.map(|finding| {
            let said = finding.route.as_ref().map(|route| match route.tools {
                Some(count) => crate::text::count(count, "tool"),
                None => format!("{} {:?}", route.model, route.answer),
            });
            let summary = match finding.verdict {
                Verdict::Pass => said.unwrap_or_default(),
                Verdict::Warn | Verdict::Fail | Verdict::Skip => finding.summary.clone(),
            };
            Finding {
                id: "reach.model".to_string(),
                title: "model".to_string(),
                summary,
                ..finding
            }
        }))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cluster_that_was_there_is_not_taken_for_the_embedded_gateway() {
        let role = |target| match keeper(Some(target), "") {
            Keeper::Ours(role, _) => Some(role),
            Keeper::Others(_) => None,
        };
        assert_eq!(role(TargetKind::Context), Some("forward"));
        assert_eq!(role(TargetKind::OrbStack), None);
        assert_eq!(role(TargetKind::Kind), None);
        assert_eq!(role(TargetKind::Embedded), Some("gateway"));
    }
}
