//! Ready means a request came back: the proxy's pod first, then its address on this machine.

use super::object::api;
use super::ready::{Deadline, deployment_ready};
use crate::error::{Error, Result};
use crate::host::web;
use crate::plan::outcome::{Change, Outcome};
use crate::plan::survey::object_state;
use crate::profile::Image;
use k8s_openapi::api::apps::v1::Deployment;
use kube::runtime::wait::await_condition;
use kube::{Api, Client};
use std::time::Duration;

const REQUEST: Duration = Duration::from_secs(2);
/// The way into a cluster is no object that could be watched.
const PAUSE: Duration = Duration::from_millis(50);

/// Waits until the gateway answers a request at one of `bases`, whatever it answers.
pub async fn wait(
    client: &Client,
    namespace: &str,
    gateway: &str,
    bases: &[String],
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
    for base in bases.iter().cycle() {
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
    Err(Error::new("the gateway has no address", "gw status"))
}

/// Waits until the controller has put an image into the proxy's deployment: until then the pod of
/// the image before it is ready and would answer for it.
pub async fn taken_up(
    client: &Client,
    namespace: &str,
    gateway: &str,
    image: &Image,
    patience: Duration,
) -> Result<()> {
    let deployments: Api<Deployment> = Api::namespaced(client.clone(), namespace);
    let condition = |deployment: Option<&Deployment>| {
        let containers = deployment
            .and_then(|deployment| deployment.spec.as_ref()?.template.spec.as_ref())
            .map(|spec| spec.containers.as_slice());
        let mut images = containers
            .unwrap_or_default()
            .iter()
            .filter_map(|c| c.image.as_deref());
        images.any(|running| is_of(running, image))
    };
    let watch = await_condition(deployments, gateway, condition);
    match tokio::time::timeout(patience, watch).await {
        Ok(Ok(_)) => Ok(()),
        _ => {
            let time = crate::text::duration(patience);
            let what = format!("the controller has not given {gateway} its image after {time}");
            Err(Error::new(what, "gw logs controller"))
        }
    }
}

/// Whether a full image name has the parts that are wanted.
fn is_of(running: &str, wanted: &Image) -> bool {
    let (name, tag) = running.rsplit_once(':').unwrap_or((running, ""));
    let starts = |registry: &String| name.starts_with(&format!("{registry}/"));
    let ends = |repository: &String| name.ends_with(&format!("/{repository}"));
    wanted.registry.as_ref().is_none_or(starts)
        && wanted.repository.as_ref().is_none_or(ends)
        && wanted.tag.as_ref().is_none_or(|wanted| wanted == tag)
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_image_is_told_by_the_parts_that_are_wanted() {
        let running = "cr.agentgateway.dev/agentgateway:0.12.0";
        let tag = |tag: &str| Image {
            tag: Some(tag.to_string()),
            ..Image::default()
        };
        assert!(is_of(running, &tag("0.12.0")));
        assert!(!is_of(running, &tag("0.11.1")));
        let elsewhere = Image {
            registry: Some("localhost:5000".to_string()),
            ..tag("0.12.0")
        };
        assert!(!is_of(running, &elsewhere));
        assert!(is_of("localhost:5000/agentgateway:0.12.0", &elsewhere));
    }
}
