//! Whether an address answers from the gateway's own place: a temporary route to it, asked through
//! the gateway (facts 15.15). No image is pulled for that.

use super::object::{apply, delete};
use crate::error::{Error, Result};
use crate::host::web;
use crate::plan::HostService;
use crate::plan::object::Place;
use crate::plan::outcome::Context;
use crate::plan::thing::Thing;
use crate::plan::view::{Address, Sight, speaks_of_tls};
use crate::plan::{WITNESS_HOSTNAME, WITNESS_PREFIX};
use kube::Client;
use rand::RngExt;
use serde_json::{Value, json};
use std::time::{Duration, Instant};

/// An address that might lead from pods to this machine.
#[derive(Debug, Clone, PartialEq)]
pub struct Candidate {
    /// A name, or an address in numbers.
    pub host: String,
    pub port: u16,
}

/// One look through the gateway.
pub struct Witness<'a> {
    pub client: &'a Client,
    pub place: Place<'a>,
    pub gateway: &'a str,
    /// The gateway's own address on this machine.
    pub base: &'a str,
}

/// How long a candidate may take: the proxy waits 10 s for a connection (facts 9.7), which is
/// longer than a person does.
const DEADLINE: Duration = Duration::from_secs(5);
const REQUEST: Duration = Duration::from_secs(2);
const PAUSE: Duration = Duration::from_millis(25);

/// The proxy waits 10 s for a connection (facts 9.7): what is silent for longer has taken it.
const SILENCE: Duration = Duration::from_secs(13);
/// How long the proxy waits for a connection (facts 9.7), and what it says then.
const CONNECT: Duration = Duration::from_secs(10);
const ELAPSED: &str = "deadline has elapsed";
/// How long the proxy may take to know a witness.
const TAKEN_UP: Duration = Duration::from_secs(10);

impl Witness<'_> {
    /// What the proxy sees of an address, in its own words. Nothing of the look stays.
    ///
    /// What becomes of TLS is not always in these words: a second look without it tells them apart.
    pub async fn look(&self, address: &Address, context: &Context<'_>) -> Result<Sight> {
        let first = self.glance(address, context).await?;
        if !address.tls || !needs_second(&first) {
            return Ok(first);
        }
        let plain = Address {
            tls: false,
            ..address.clone()
        };
        let second = self.glance(&plain, context).await?;
        Ok(told_apart(first, &second))
    }

    async fn glance(&self, address: &Address, context: &Context<'_>) -> Result<Sight> {
        let name = format!("{WITNESS_PREFIX}{:016x}", rand::rng().random::<u64>());
        let mut objects =
            self.place
                .witness(&name, self.gateway, (&address.host, address.port), false);
        if address.tls {
            let settings = match address.settings.is_object() {
                true => address.settings.clone(),
                false => json!({}),
            };
            objects[0]["spec"]["policies"] = json!({"tls": settings});
        }
        let mut applied = Ok(());
        for object in &objects {
            applied = apply(self.client, object, context).await.map(|_| ());
            if applied.is_err() {
                break;
            }
        }
        let url = format!("{}/{name}{}", self.base, address.path);
        let sight = match applied {
            Ok(()) => Ok(sight(&url, address.tls).await),
            Err(error) => Err(error),
        };
        self.remove(&objects, context).await?;
        sight
    }

    async fn remove(&self, objects: &[Value], context: &Context<'_>) -> Result<()> {
        for object in objects.iter().rev() {
            let thing = Thing::of(object);
            let patience = Duration::from_secs(10);
            delete(self.client, &thing, self.place.environment, patience).await?;
            context.journal.removed(&thing)?;
        }
        Ok(())
    }

    /// Asks for the service at the candidate. `Ok` if it answered as it should; otherwise in words
    /// what came.
    pub async fn ask(
        &self,
        candidate: &Candidate,
        service: &HostService,
        context: &Context<'_>,
    ) -> Result<std::result::Result<(), String>> {
        let name = format!("{WITNESS_PREFIX}{:016x}", rand::rng().random::<u64>());
        let at = (candidate.host.as_str(), candidate.port);
        let objects = self.place.witness(&name, self.gateway, at, service.grpc);
        let mut outcome = Ok(Err("not asked".to_string()));
        let mut applied = Ok(());
        for object in &objects {
            applied = apply(self.client, object, context).await.map(|_| ());
            if applied.is_err() {
                break;
            }
        }
        if applied.is_ok() {
            let url = format!("{}/{name}{}", self.base, service.health_path);
            outcome = Ok(self.poll(&url, service).await);
        }
        self.remove(&objects, context).await?;
        applied?;
        outcome
    }

    /// Until the proxy has the route it says 404 `route not found`; that is not an answer yet.
    ///
    /// What speaks gRPC alone breaks a call off after it was connected to, which is not what the proxy
    /// says of an address where nobody is (facts 9.7, `Connect`).
    async fn poll(&self, url: &str, service: &HostService) -> std::result::Result<(), String> {
        let any = service.any_answer;
        let start = Instant::now();
        let mut last = "no answer in 5 s".to_string();
        while start.elapsed() < DEADLINE {
            match web::get(url, Some(WITNESS_HOSTNAME), REQUEST).await {
                Ok((200, _)) => return Ok(()),
                Ok((404, body)) if body == "route not found" || body == "listener not found" => {
                    last = "the gateway has not taken up the witness".to_string()
                }
                Ok((500, body)) if body == "service not found" || body == "no valid backends" => {
                    last = body
                }
                // What the proxy says of an upstream that it can't reach.
                Ok((status, _)) if any && status < 500 => return Ok(()),
                Ok((503, body)) if service.grpc && body.contains("SendRequest") => return Ok(()),
                Ok((status, body)) => {
                    return Err(format!(
                        "answered {status} {}",
                        crate::text::excerpt(&body, 120)
                    ));
                }
                Err(why) => return Err(why),
            }
            tokio::time::sleep(PAUSE).await;
        }
        Err(last)
    }
}

/// One look through the gateway, once it has taken up the witness.
async fn sight(url: &str, tls: bool) -> Sight {
    let start = Instant::now();
    loop {
        match web::get(url, Some(WITNESS_HOSTNAME), SILENCE).await {
            Ok((status, body)) => match seen(status, &body, tls) {
                Some(sight) => return sight,
                None if start.elapsed() > TAKEN_UP => {
                    return Sight::Unseen("the gateway has not taken up the witness".to_string());
                }
                None => tokio::time::sleep(PAUSE).await,
            },
            Err(why) if why == "no answer in time" => return Sight::Silent(SILENCE),
            Err(why) => return Sight::Unseen(why),
        }
    }
}

/// What the proxy's own answers say of an upstream (facts 9.7); `None` while it does not know the
/// witness yet. `tls`: whether it was to speak TLS.
fn seen(status: u16, body: &str, tls: bool) -> Option<Sight> {
    const CONNECT: &str = "upstream call failed: Connect: ";
    Some(match (status, body) {
        (404, "route not found" | "listener not found")
        | (500, "service not found" | "no valid backends") => return None,
        (503, "backends required DNS resolution which failed") => {
            Sight::NoName("it does not resolve in the proxy's pod".to_string())
        }
        (503, text) if text.starts_with(CONNECT) => {
            let why = text.trim_start_matches(CONNECT).to_string();
            match speaks_of_tls(&why) || tls && why.contains("reset by peer") {
                true => Sight::NoTls(why),
                false => Sight::NoConnection(why),
            }
        }
        (503, "no healthy backends") => {
            Sight::NoConnection("its Service has no endpoint".to_string())
        }
        (503 | 504, text) if text.starts_with("upstream call") => Sight::Unseen(text.to_string()),
        (status, body) => Sight::Answered {
            status,
            body: body.to_string(),
        },
    })
}

/// Whether TLS may be at fault, or may not.
fn needs_second(sight: &Sight) -> bool {
    match sight {
        Sight::NoTls(why) => why.contains("InvalidContentType"),
        Sight::Silent(_) => true,
        Sight::NoConnection(why) => why.contains(ELAPSED),
        Sight::Unseen(why) => why.contains("SendRequest"),
        Sight::NoName(_) | Sight::Answered { .. } => false,
    }
}

/// What a look over TLS came to, once it is known what becomes of a look without it: a server that can
/// do TLS answers or closes, one that hangs does neither.
fn told_apart(first: Sight, plain: &Sight) -> Sight {
    match (&first, plain) {
        (Sight::NoTls(why), Sight::Answered { status, .. }) => Sight::plain(why, *status),
        (Sight::Silent(time), Sight::Silent(_)) => Sight::hangs(*time),
        // The time for a connection is over, and it stands.
        (Sight::NoConnection(_), Sight::Silent(_)) => Sight::hangs(CONNECT),
        (Sight::Unseen(why), Sight::Silent(_)) if why.contains("TLS handshake") => {
            Sight::hangs(CONNECT)
        }
        (Sight::Unseen(why), _) if why.contains("fatal alert") => Sight::NoTls(why.clone()),
        _ => first,
    }
}

/// No candidate answered: every one with what came back.
pub fn none_answered(service: &HostService, tried: &[(Candidate, String)]) -> Error {
    let next = match service.start.as_str() {
        "ollama serve" => format!("OLLAMA_HOST=0.0.0.0:{} ollama serve", service.port),
        start => start.to_string(),
    };
    let what = format!("{} on this machine does not answer pods", service.title);
    let error = Error::new(what, next);
    tried.iter().fold(error, |error, (candidate, why)| {
        error.fact(format!("{}:{} {why}", candidate.host, candidate.port))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_handshake_that_hangs_and_a_service_that_is_silent_are_told_apart() {
        let silent = || Sight::Silent(SILENCE);
        let closed = Sight::Unseen("upstream call failed: SendRequest: closed".to_string());
        let answered = Sight::Answered {
            status: 404,
            body: String::new(),
        };
        let elapsed = || {
            seen(
                503,
                "upstream call failed: Connect: deadline has elapsed",
                true,
            )
            .unwrap()
        };
        let plain = || {
            let words = "upstream call failed: Connect: received corrupt message of type InvalidContentType";
            seen(503, words, true).unwrap()
        };
        let hangs = Sight::hangs;
        let both =
            "received corrupt message of type InvalidContentType; plain HTTP is answered 404";
        let table = [
            (silent(), silent(), hangs(SILENCE)),
            (silent(), closed.clone(), silent()),
            (elapsed(), silent(), hangs(CONNECT)),
            (elapsed(), elapsed(), elapsed()),
            (plain(), answered, Sight::NoTls(both.to_string())),
            (plain(), closed, plain()),
        ];
        for (first, second, told) in table {
            assert!(needs_second(&first), "{first:?}");
            assert_eq!(told_apart(first, &second), told);
        }
        let refused = "upstream call failed: Connect: Connection refused (os error 111)";
        assert!(!needs_second(&seen(503, refused, true).unwrap()));
    }
}
