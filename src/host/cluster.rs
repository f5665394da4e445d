//! A kind cluster of our name beside what we keep of ours: somebody may have made it anew.

use super::docker::KindCluster;
use super::paths::EnvironmentPaths;
use kube::config::Kubeconfig;
use std::fs;
use std::path::Path;

/// The port of the API server in a node.
const API: u16 = 6443;

/// Whether a cluster is another than the one to which our files lead: by its node's id where gw made ours,
/// and by the port of its API server, which is a new one each time. A stopped node shows no port.
pub fn is_another(found: &KindCluster, paths: &EnvironmentPaths) -> bool {
    differs(found, &paths.cluster_id(), &paths.kubeconfig())
}

fn differs(found: &KindCluster, id: &Path, kubeconfig: &Path) -> bool {
    let other = fs::read_to_string(id).is_ok_and(|id| id != found.id);
    let kept = Kubeconfig::read_from(kubeconfig).ok();
    let kept = kept.as_ref().and_then(port);
    let real = found.published.iter().find(|port| port.node_port == API);
    let moved = kept
        .zip(real)
        .is_some_and(|(kept, real)| kept != real.host_port);
    other || moved
}

fn port(file: &Kubeconfig) -> Option<u16> {
    let server = file.clusters.first()?.cluster.as_ref()?.server.as_ref()?;
    server
        .rsplit(':')
        .next()?
        .trim_end_matches('/')
        .parse()
        .ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::host::docker::Published;

    #[test]
    fn a_cluster_made_anew_is_told_by_its_node_or_by_its_port_and_a_stopped_one_by_its_node_alone()
    {
        let folder = tempfile::tempdir().unwrap();
        let (id, file) = (folder.path().join("id"), folder.path().join("kubeconfig"));
        let is_another = |found: KindCluster| differs(&found, &id, &file);
        let found = |id: &str, port: Option<u16>| KindCluster {
            name: "gatewright".to_string(),
            id: id.to_string(),
            running: port.is_some(),
            paused: false,
            published: port
                .into_iter()
                .map(|host_port| Published {
                    node_port: API,
                    address: "127.0.0.1".to_string(),
                    host_port,
                })
                .collect(),
        };
        assert!(!is_another(found("a", Some(1))), "nothing is kept");
        let text =
            "clusters: [{name: kind-gatewright, cluster: {server: 'https://127.0.0.1:38631'}}]\n";
        fs::write(&file, text).unwrap();
        assert!(!is_another(found("a", Some(38631))));
        assert!(is_another(found("a", Some(40000))));
        assert!(!is_another(found("a", None)));
        fs::write(&id, "a").unwrap();
        assert!(!is_another(found("a", None)));
        assert!(is_another(found("b", None)));
    }
}
