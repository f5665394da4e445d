//! A port of this machine that leads to the gateway's pod, through the API server: for clusters that
//! have neither a load balancer nor a port mapping of ours (architecture, decision 6).
//!
//! Each connection looks for a ready pod, so a pod that is replaced is followed; a kubeconfig whose
//! token or address has changed is read again. Nothing is answered in the gateway's place: where no
//! pod is ready, the connection ends.

use super::access::Access;
use crate::error::chain;
use k8s_openapi::api::core::v1::Pod;
use kube::api::ListParams;
use kube::{Api, Client, ResourceExt};
use std::sync::Arc;
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncWrite, copy_bidirectional};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Mutex;

/// Role of the process.
pub const ROLE: &str = "forward";
/// How long a connection waits for a pod that is just being replaced.
const PATIENCE: Duration = Duration::from_secs(10);
const PAUSE: Duration = Duration::from_millis(250);

pub struct Forward {
    pub access: Access,
    pub namespace: String,
    pub gateway: String,
    /// The listener's port: Service and container have the same (facts 11).
    pub port: u16,
}

/// What is known to work, until it does not.
#[derive(Clone)]
struct Known {
    client: Client,
    pod: String,
}

impl Forward {
    /// Serves until the process is ended.
    pub async fn serve(
        self,
        listener: TcpListener,
        log: impl Fn(String) + Clone + Send + Sync + 'static,
    ) {
        let forward = Arc::new(self);
        let known: Arc<Mutex<Option<Known>>> = Arc::default();
        loop {
            let Ok((stream, _)) = listener.accept().await else {
                // Out of file descriptors: others must end first.
                tokio::time::sleep(Duration::from_millis(50)).await;
                continue;
            };
            let (forward, known, log) = (forward.clone(), known.clone(), log.clone());
            tokio::spawn(async move { forward.carry(stream, &known, &log).await });
        }
    }

    async fn carry(
        &self,
        mut stream: TcpStream,
        known: &Mutex<Option<Known>>,
        log: &(impl Fn(String) + Sync),
    ) {
        let work = async {
            let mut last = String::new();
            loop {
                match self.open(known, log).await {
                    Ok(upstream) => return upstream,
                    Err(why) if why == last => {}
                    Err(why) => {
                        log(why.clone());
                        last = why;
                    }
                }
                tokio::time::sleep(PAUSE).await;
            }
        };
        let Ok(mut upstream) = tokio::time::timeout(PATIENCE, work).await else {
            return log(format!(
                "a connection ended: no pod of {} was ready",
                self.gateway
            ));
        };
        // Either side may go away at any moment: that is how connections end.
        let _ = copy_bidirectional(&mut stream, &mut upstream).await;
    }

    /// A stream to the gateway's port in a ready pod.
    async fn open(
        &self,
        known: &Mutex<Option<Known>>,
        log: &(impl Fn(String) + Sync),
    ) -> std::result::Result<impl AsyncRead + AsyncWrite + Unpin, String> {
        let found = known.lock().await.clone();
        let found = match found {
            Some(found) => found,
            None => {
                let found = self.find().await?;
                log(format!("carries to pod {}", found.pod));
                *known.lock().await = Some(found.clone());
                found
            }
        };
        let pods: Api<Pod> = Api::namespaced(found.client.clone(), &self.namespace);
        let forget = |why: String| async move {
            *known.lock().await = None;
            why
        };
        // A pod that is on its way out still takes streams: only a ready one counts.
        let opened = async {
            let pod = pods.get(&found.pod).await?;
            match is_ready(&pod) {
                true => pods.portforward(&found.pod, &[self.port]).await.map(Some),
                false => Ok(None),
            }
        };
        let mut forwarder = match opened.await {
            Ok(Some(forwarder)) => forwarder,
            Ok(None) => {
                return Err(forget(format!("pod {} is not ready any more", found.pod)).await);
            }
            Err(error) => return Err(forget(format!("pod {}: {}", found.pod, chain(&error))).await),
        };
        let stream = forwarder.take_stream(self.port);
        // Its tasks go on for as long as the stream is held.
        stream.ok_or_else(|| format!("pod {}: no stream to port {}", found.pod, self.port))
    }

    async fn find(&self) -> std::result::Result<Known, String> {
        let client = self
            .access
            .client()
            .await
            .map_err(|error| error.to_string())?;
        let pods: Api<Pod> = Api::namespaced(client.clone(), &self.namespace);
        let label = format!("gateway.networking.k8s.io/gateway-name={}", self.gateway);
        let list = pods.list(&ListParams::default().labels(&label)).await;
        let list = list.map_err(|error| chain(&error))?;
        let ready = list.items.iter().find(|pod| is_ready(pod));
        let pod = ready.ok_or_else(|| format!("no pod of {} is ready", self.gateway))?;
        Ok(Known {
            client,
            pod: pod.name_any(),
        })
    }
}

/// Ready, and not on its way out.
fn is_ready(pod: &Pod) -> bool {
    let conditions = pod.status.as_ref().and_then(|s| s.conditions.as_ref());
    let mut conditions = conditions.into_iter().flatten();
    let ready = conditions.any(|c| c.type_ == "Ready" && c.status == "True");
    ready && pod.metadata.deletion_timestamp.is_none()
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::{Value, json};

    #[test]
    fn a_pod_that_is_being_deleted_is_not_ready_though_it_says_so() {
        let pod = |metadata: Value| -> Pod {
            let conditions = json!([{"type": "Ready", "status": "True"}]);
            serde_json::from_value(
                json!({"metadata": metadata, "status": {"conditions": conditions}}),
            )
            .unwrap()
        };
        assert!(is_ready(&pod(json!({"name": "a"}))));
        let going = json!({"name": "a", "deletionTimestamp": "2026-01-01T00:00:00Z"});
        assert!(!is_ready(&pod(going)));
        assert!(!is_ready(&Pod::default()));
    }
}
