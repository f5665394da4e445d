//! No cluster: the embedded gateway, a background process of this binary that takes the same objects.

use super::{Support, Target, counted, end_of, own, process_troubles};
use crate::error::{Error, Result};
use crate::gateway::memory_of;
use crate::host::paths::{EnvironmentPaths, Paths};
use crate::host::process::{Background, Identity};
use crate::host::{port, service as asked, web};
use crate::plan::found::Found;
use crate::plan::outcome::{Change, Context, Journal, Outcome, Undone, Wire};
use crate::plan::survey::{Survey, Trouble};
use crate::plan::thing::Thing;
use crate::plan::view::{Address, View};
use crate::plan::{Action, HostService, Plan, Step};
use bytes::Bytes;
use futures::FutureExt;
use futures::future::BoxFuture;
use http_body_util::{BodyExt, Full};
use hyper::Request;
use hyper_util::rt::TokioIo;
use serde_json::{Value, json};
use std::time::Duration;
use tokio::net::UnixStream;

pub const ROLE: &str = "gateway";
const ADMIN_DEADLINE: Duration = Duration::from_secs(10);
const DRAIN_ASKED: Duration = Duration::from_secs(1);

pub struct Embedded {
    port: u16,
    pub(super) paths: EnvironmentPaths,
}

impl Embedded {
    pub fn new(paths: &Paths, environment: &str, port: u16) -> Self {
        Embedded {
            port,
            paths: paths.environment(environment),
        }
    }

    pub(super) fn process(&self) -> Background {
        Background::new(&self.paths, ROLE)
    }

    fn base(&self) -> String {
        format!("http://localhost:{}", self.port)
    }

    /// One call on the gateway's private channel.
    pub(super) async fn admin(
        &self,
        method: &str,
        path: &str,
        body: Option<&Value>,
    ) -> Result<(u16, Value)> {
        let fault = |e: &(dyn std::error::Error + 'static)| {
            Error::new(
                "the embedded gateway does not answer on its socket",
                "gw up",
            )
            .because(e)
        };
        let call = async {
            let stream = UnixStream::connect(self.paths.socket())
                .await
                .map_err(|e| fault(&e))?;
            let handshake = hyper::client::conn::http1::handshake(TokioIo::new(stream)).await;
            let (mut sender, connection) = handshake.map_err(|e| fault(&e))?;
            tokio::spawn(connection);
            let body = body.map(ToString::to_string).unwrap_or_default();
            let request = Request::builder()
                .method(method)
                .uri(path)
                .header("host", "gateway");
            let request = request
                .body(Full::new(Bytes::from(body)))
                .map_err(|e| fault(&e))?;
            let response = sender.send_request(request).await.map_err(|e| fault(&e))?;
            let status = response.status().as_u16();
            let bytes = response
                .into_body()
                .collect()
                .await
                .map_err(|e| fault(&e))?
                .to_bytes();
            Ok((
                status,
                serde_json::from_slice(&bytes).unwrap_or(Value::Null),
            ))
        };
        match tokio::time::timeout(ADMIN_DEADLINE, call).await {
            Ok(result) => result,
            Err(_) => Err(Error::new(
                "the embedded gateway gave no answer on its socket in 10 s",
                "gw logs",
            )),
        }
    }

    /// The objects that it holds, with the status of each.
    pub async fn objects(&self) -> Result<Vec<Value>> {
        if self.process().alive().is_none() {
            return Err(Error::new("the embedded gateway does not run", "gw up"));
        }
        let (_, mut answer) = self.admin("GET", "/objects", None).await?;
        Ok(match answer["objects"].take() {
            Value::Array(objects) => objects,
            _ => Vec::new(),
        })
    }

    async fn start(&self, context: &Context<'_>) -> Result<Outcome> {
        let process = self.process();
        if let Some(Identity { pid, .. }) = process.alive() {
            // Alive is not enough: a process of another version, or one that hangs, is replaced.
            if self
                .admin("GET", "/healthz", None)
                .await
                .is_ok_and(|(status, health)| status == 200 && is_current(&health))
            {
                return Ok(Outcome::new(Change::Unchanged, format!("pid {pid}")));
            }
            process.stop().await?;
        }
        if !port::becomes_free(self.port).await {
            return Err(port::taken(self.port));
        }
        context.journal.begin(&Thing::Process {
            role: ROLE.to_string(),
        })?;
        let socket = self.paths.socket().to_string_lossy().into_owned();
        let _ = std::fs::remove_file(&socket);
        let identity = process
            .start(&["gateway".to_string(), "--socket".to_string(), socket])
            .await?;
        Ok(Outcome::new(
            Change::Created,
            format!("pid {}", identity.pid),
        ))
    }

    async fn apply(&self, object: &Value, context: &Context<'_>) -> Result<Outcome> {
        let object = context.fill(object)?;
        let thing = Thing::of(&object);
        context.journal.begin(&thing)?;
        let (status, answer) = self.admin("POST", "/apply", Some(&object)).await?;
        let change = match answer["change"].as_str() {
            Some("created") => Change::Created,
            Some("updated") => Change::Updated,
            Some("unchanged") => Change::Unchanged,
            _ if status == 409 && answer["port"] == self.port => {
                return Err(port::taken(self.port));
            }
            _ => {
                let error = Error::new(
                    format!("the embedded gateway refuses {}", thing.title()),
                    "gw plan",
                );
                return Err(error.fact(
                    answer["error"]
                        .as_str()
                        .unwrap_or("no reason given")
                        .to_string(),
                ));
            }
        };
        Ok(Outcome::new(change, ""))
    }

    async fn wire(&self, service: &HostService, context: &Context<'_>) -> Result<Outcome> {
        let mut change = Change::Unchanged;
        if service.role().is_some() {
            change = own::ensure(&self.paths, service, context).await?;
        }
        let url = asked::url(service);
        let (title, start) = (&service.title, service.start.as_str());
        match asked::ask(service, Duration::from_secs(5)).await {
            Ok((200, _)) => {}
            Ok(_) if service.any_answer => {}
            Ok((status, _)) => {
                let error = Error::new(format!("{title} answered {status}"), start);
                return Err(error.fact(url));
            }
            Err(why) => {
                let error = Error::new(format!("{title} does not answer"), start);
                return Err(error.fact(format!("{url}: {why}")));
            }
        }
        let wire = Wire {
            host: "127.0.0.1".to_string(),
            address: None,
            port: service.port,
            relay: false,
        };
        let detail = format!("{title} answers at {}", wire.title());
        context.set_wire(&service.name, wire);
        Ok(Outcome::new(change, detail))
    }

    async fn perform_step(&self, step: &Step, context: &Context<'_>) -> Result<Outcome> {
        match &step.action {
            Action::Process => self.start(context).await,
            Action::Answers(_) => {
                // One that was killed opens when it has all its objects again.
                let (_, health) = self.admin("GET", "/healthz", None).await?;
                if health["awaited"]
                    .as_u64()
                    .is_some_and(|awaited| awaited > 0)
                {
                    let detail = "embedded, opens with its last object";
                    return Ok(Outcome::new(Change::Unchanged, detail));
                }
                let url = self.base();
                match web::get(&url, None, Duration::from_secs(5)).await {
                    Ok(_) => Ok(Outcome::new(Change::Unchanged, "embedded, answers")),
                    Err(why) => {
                        Err(Error::new(format!("{url} does not answer"), "gw logs").fact(why))
                    }
                }
            }
            Action::HostService(service) => self.wire(service, context).await,
            Action::Object(object) => self.apply(object, context).await,
            Action::Cluster(_)
            | Action::Existing { .. }
            | Action::Forward { .. }
            | Action::Adopted(_)
            | Action::GatewayApi
            | Action::Ready(_)
            | Action::Chart(_) => Ok(Outcome::new(Change::Unchanged, "")),
        }
    }

    async fn undo_thing(&self, thing: &Thing) -> Result<Undone> {
        let removed = match thing {
            Thing::Process { role } => {
                let process = Background::new(&self.paths, role);
                match role == ROLE {
                    false => process.stop().await?,
                    true => {
                        let removed = process.stop_within(self.drain().await).await?;
                        let socket = self.paths.socket();
                        for file in [memory_of(&socket), socket] {
                            // One that is not there is gone.
                            let _ = std::fs::remove_file(file);
                        }
                        removed
                    }
                }
            }
            Thing::Object {
                api_version,
                kind,
                namespace,
                name,
            } if self.process().alive().is_some() => {
                let reference = json!({"apiVersion": api_version, "kind": kind, "metadata": {"namespace": namespace, "name": name}});
                // A gateway that hangs is stopped in the next moment, and its objects with it.
                match self.admin("POST", "/delete", Some(&reference)).await {
                    Ok((_, answer)) => answer["deleted"] == true,
                    Err(_) => false,
                }
            }
            _ => false,
        };
        Ok(if removed {
            Undone::Removed
        } else {
            Undone::Absent
        })
    }

    /// How long the gateway gives the answers that run, and a moment more.
    async fn drain(&self) -> Duration {
        let asked = tokio::time::timeout(DRAIN_ASKED, self.admin("GET", "/healthz", None));
        let health = match asked.await {
            Ok(Ok((_, health))) => health,
            // One that does not answer has nothing to wait for.
            Ok(Err(_)) | Err(_) => Value::Null,
        };
        let seconds = health["drainSeconds"].as_u64().unwrap_or(0);
        Duration::from_secs(seconds.saturating_add(2))
    }
}

fn is_current(health: &Value) -> bool {
    health["version"] == env!("CARGO_PKG_VERSION")
}

impl Target for Embedded {
    fn name(&self) -> String {
        "embedded".to_string()
    }

    fn support(&self, step: &Step) -> Support {
        match &step.action {
            Action::Cluster(_)
            | Action::Existing { .. }
            | Action::Forward { .. }
            | Action::Adopted(_)
            | Action::GatewayApi
            | Action::Ready(_)
            | Action::Chart(_) => Support::Skip("there is no cluster".to_string()),
            Action::Process | Action::Answers(_) | Action::HostService(_) | Action::Object(_) => {
                Support::Native
            }
        }
    }

    fn others<'a>(
        &'a self,
        _plan: &'a Plan,
        _journal: &'a dyn Journal,
    ) -> BoxFuture<'a, Result<Vec<Found>>> {
        async { Ok(Vec::new()) }.boxed()
    }

    fn perform<'a>(
        &'a self,
        step: &'a Step,
        context: &'a Context<'a>,
    ) -> BoxFuture<'a, Result<Outcome>> {
        self.perform_step(step, context).boxed()
    }

    fn undo<'a>(
        &'a self,
        thing: &'a Thing,
        _context: &'a Context<'a>,
    ) -> BoxFuture<'a, Result<Undone>> {
        self.undo_thing(thing).boxed()
    }

    fn endpoint(&self) -> BoxFuture<'_, Result<String>> {
        async { Ok(self.base()) }.boxed()
    }

    fn survey(&self) -> BoxFuture<'_, Result<Survey>> {
        self.look().boxed()
    }

    fn objects(&self) -> BoxFuture<'_, Result<Vec<Value>>> {
        async {
            let (_, answer) = self.admin("GET", "/objects", None).await?;
            Ok(answer["objects"].as_array().cloned().unwrap_or_default())
        }
        .boxed()
    }

    fn view<'a>(&'a self, address: &'a Address, _: &'a Context<'a>) -> BoxFuture<'a, Result<View>> {
        async move { Ok(self.seen(address).await) }.boxed()
    }

    fn access_log(&self, lines: usize) -> BoxFuture<'_, Result<Vec<String>>> {
        async move { Ok(end_of(&self.paths.log(ROLE), lines)) }.boxed()
    }

    fn metrics(&self) -> BoxFuture<'_, Result<String>> {
        async move {
            let (_, health) = self.admin("GET", "/healthz", None).await?;
            counted(&health).await
        }
        .boxed()
    }

    fn troubles(&self) -> BoxFuture<'_, Result<Vec<Trouble>>> {
        async { Ok(process_troubles(&self.paths)) }.boxed()
    }
}
