//! Ready means a request came back: the proxy's pod first, then its address on this machine.

use super::object::api;
use super::ready::{Deadline, deployment_ready};
use crate::error::{Error, Result};
use crate::host::web;
use crate::plan::outcome::{Change, Outcome};
use crate::plan::survey::object_state;
use kube::Client;
use std::time::Duration;

const REQUEST: Duration = Duration::from_secs(2);
/// The way into a cluster is no object that could be watched.
const PAUSE: Duration = Duration::from_millis(50);

/// Waits until the gateway answers a request at `base`, whatever it answers.
pub async fn wait(
    client: &Client,
    namespace: &str,
    gateway: &str,
    base: &str,
    patience: Duration,
    waiting: &(dyn Fn(String) + Send + Sync),
) -> Result<Outcome> {
    let deadline = Deadline::within(patience);
    if let Err(error) = deployment_ready(client, namespace, gateway, &deadline, waiting).await {
        return Err(conditions(client, namespace, gateway)
            .await
            .into_iter()
            .fold(error, Error::fact));
    }
    let mut last = String::new();
    loop {
        match web::get(base, None, REQUEST).await {
            Ok(_) => {
                return Ok(Outcome::new(
                    Change::Unchanged,
                    format!("{gateway} answers"),
                ));
            }
            Err(why) if why != last => {
                waiting(format!("{base}: {why}"));
                last = why;
            }
            Err(_) => {}
        }
        if deadline.left().is_zero() {
            let error = Error::new(
                format!("{base} does not answer after {}", deadline.span()),
                "gw status",
            );
            return Err(error
                .fact(last)
                .fact(format!("the proxy {gateway} is ready in the cluster")));
        }
        tokio::time::sleep(PAUSE).await;
    }
}

/// What the Gateway and its class say of themselves: evidence, never the verdict (facts 3.2).
async fn conditions(client: &Client, namespace: &str, gateway: &str) -> Vec<String> {
    let version = "gateway.networking.k8s.io/v1";
    let mut facts = Vec::new();
    for (kind, namespace, name) in [
        ("GatewayClass", "", "agentgateway"),
        ("Gateway", namespace, gateway),
    ] {
        match api(client, version, kind, namespace).get_opt(name).await {
            Ok(Some(found)) => {
                let value = serde_json::to_value(&found).unwrap_or_default();
                for c in object_state(&value).conditions {
                    facts.push(
                        format!(
                            "{kind} {name}: {}={} {} {}",
                            c.kind, c.status, c.reason, c.message
                        )
                        .trim_end()
                        .to_string(),
                    );
                }
            }
            Ok(None) => facts.push(format!("{kind} {name} does not exist")),
            Err(_) => {}
        }
    }
    facts
}
