//! The kubeconfig's contexts. Only those that may be on this machine are asked anything, and never
//! through a program that the kubeconfig names: looking must not log anybody in.

use super::facts::{Answer, Context, Installed, Node, may_be_local};
use super::kubeconfig::{is_plain, merged, server, user_files};
use super::proxy;
use futures::future::join_all;
use k8s_openapi::api::apps::v1::Deployment;
use k8s_openapi::api::core::v1 as core;
use k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::CustomResourceDefinition;
use kube::api::ListParams;
use kube::config::{KubeConfigOptions, Kubeconfig};
use kube::{Api, Client, Config};
use std::time::Duration;

/// Contexts that are asked at the same time at most: a long kubeconfig must not become a flood.
const ASKED: usize = 16;
const OURS: &str = "gatewright";

async fn read() -> Option<Kubeconfig> {
    let reading = tokio::task::spawn_blocking(|| merged(&user_files()));
    reading.await.ok()?.ok()
}

/// Every context; what can't be read is none.
pub async fn all(deadline: Duration) -> Vec<Context> {
    let Some(file) = read().await else {
        return Vec::new();
    };
    let mut asked = 0;
    let contexts = file.contexts.iter().map(|named| {
        let server = server(&file, &named.name).unwrap_or_default();
        let ask = may_be_local(&server) && is_plain(&file, &named.name) && asked < ASKED;
        asked += usize::from(ask);
        let current = file.current_context.as_deref() == Some(&named.name);
        one(
            file.clone(),
            named.name.clone(),
            server,
            current,
            ask.then_some(deadline),
        )
    });
    join_all(contexts.collect::<Vec<_>>()).await
}

/// One context, asked in any case; `None` where there is none of that name.
pub async fn named(name: &str, deadline: Duration) -> Option<Context> {
    let file = read().await?;
    let server = server(&file, name)?;
    let current = file.current_context.as_deref() == Some(name);
    Some(one(file, name.to_string(), server, current, Some(deadline)).await)
}

async fn one(
    file: Kubeconfig,
    name: String,
    server: String,
    current: bool,
    deadline: Option<Duration>,
) -> Context {
    let answer = match deadline {
        None => None,
        Some(deadline) => {
            let asked = tokio::time::timeout(deadline, ask(file, name.clone())).await;
            let late = || Answer::None {
                why: "no answer in time".to_string(),
            };
            Some(asked.unwrap_or_else(|_| late()))
        }
    };
    Context {
        name,
        server,
        current,
        answer,
    }
}

async fn ask(file: Kubeconfig, context: String) -> Answer {
    let options = KubeConfigOptions {
        context: Some(context),
        ..KubeConfigOptions::default()
    };
    let config = match Config::from_custom_kubeconfig(file.clone(), &options).await {
        Ok(mut config) => {
            proxy::except(&mut config, &file);
            config
        }
        Err(error) => {
            return Answer::None {
                why: crate::error::chain(&error),
            };
        }
    };
    let client = match Client::try_from(config) {
        Ok(client) => client,
        Err(error) => return none(&error),
    };
    let (version, nodes, installed) = tokio::join!(
        client.apiserver_version(),
        nodes(&client),
        installed(&client)
    );
    match version {
        Err(error) => none(&error),
        Ok(version) => Answer::Cluster {
            version: version.git_version,
            nodes,
            installed,
        },
    }
}

fn none(error: &kube::Error) -> Answer {
    let text = crate::error::chain(error);
    let known = [
        ("Connection refused", "connection refused"),
        ("certificate", "its certificate is not the kubeconfig's"),
    ];
    let said = known.iter().find(|(words, _)| text.contains(words));
    Answer::None {
        why: said.map_or(text.clone(), |(_, said)| (*said).to_string()),
    }
}

async fn nodes(client: &Client) -> Vec<Node> {
    let api: Api<core::Node> = Api::all(client.clone());
    let list = api.list(&ListParams::default().limit(20)).await;
    let nodes = list.into_iter().flatten();
    nodes
        .map(|node| Node {
            name: node.metadata.name.unwrap_or_default(),
            provider_id: node
                .spec
                .and_then(|spec| spec.provider_id)
                .unwrap_or_default(),
            os_image: node
                .status
                .and_then(|status| status.node_info)
                .map(|info| info.os_image)
                .unwrap_or_default(),
            labels: node
                .metadata
                .labels
                .unwrap_or_default()
                .into_keys()
                .collect(),
        })
        .collect()
}

/// What of ours, or like ours, is in a cluster already.
async fn installed(client: &Client) -> Vec<Installed> {
    let crds: Api<CustomResourceDefinition> = Api::all(client.clone());
    let deployments: Api<Deployment> = Api::all(client.clone());
    let labelled =
        ListParams::default().labels("app.kubernetes.io/name in (agentgateway,kgateway)");
    let (gateway_api, controllers) = tokio::join!(
        crds.get_opt("gateways.gateway.networking.k8s.io"),
        deployments.list(&labelled)
    );
    let mut found = Vec::new();
    if let Ok(Some(crd)) = gateway_api {
        let annotations = crd.metadata.annotations.unwrap_or_default();
        let version = annotations.get("gateway.networking.k8s.io/bundle-version");
        found.push(Installed {
            what: "Gateway API".to_string(),
            version: version.cloned().unwrap_or_default(),
            ours: false,
        });
    }
    for deployment in controllers.into_iter().flatten() {
        let labels = deployment.metadata.labels.unwrap_or_default();
        if labels
            .get("app.kubernetes.io/managed-by")
            .map(String::as_str)
            != Some("Helm")
        {
            continue;
        }
        let label = |name: &str| labels.get(name).cloned().unwrap_or_default();
        found.push(Installed {
            what: label("app.kubernetes.io/name"),
            version: label("app.kubernetes.io/version"),
            ours: labels.contains_key(OURS),
        });
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_user_that_needs_a_program_is_not_asked() {
        let file = Kubeconfig::from_yaml(
            "contexts: [{name: a, context: {cluster: c, user: plain}}, {name: b, context: {cluster: c, user: exec}}]\n\
             users: [{name: plain, user: {token: t}}, {name: exec, user: {exec: {command: aws, apiVersion: client.authentication.k8s.io/v1}}}]\n\
             clusters: [{name: c, cluster: {server: 'https://127.0.0.1:1'}}]",
        )
        .unwrap();
        assert!(is_plain(&file, "a"));
        assert!(!is_plain(&file, "b"));
        assert_eq!(server(&file, "a").unwrap(), "https://127.0.0.1:1");
    }
}
