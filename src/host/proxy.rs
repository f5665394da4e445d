//! Which API servers no proxy variable is for, as kubectl reads the variables
//! (golang.org/x/net/http/httpproxy); the library of ours knows HTTPS_PROXY alone.

use super::subnet::Subnet;
use kube::Config;
use kube::config::Kubeconfig;
use std::net::IpAddr;

/// Takes a proxy that variables name out of the way to a server that they except. One that the
/// kubeconfig itself names stays.
pub fn except(config: &mut Config, file: &Kubeconfig) {
    let named = |proxy: &http::Uri| {
        let clusters = file.clusters.iter().flat_map(|named| &named.cluster);
        let mut urls = clusters.filter_map(|cluster| cluster.proxy_url.as_ref());
        urls.any(|url| url.parse::<http::Uri>().is_ok_and(|url| url == *proxy))
    };
    let excepted = ["NO_PROXY", "no_proxy"].map(|name| std::env::var(name).unwrap_or_default());
    let direct = is_excepted(&config.cluster_url, &excepted.join(","));
    config.proxy_url = config
        .proxy_url
        .take()
        .filter(|proxy| named(proxy) || !direct);
}

/// Whether a server is asked without a proxy: this machine always, any other where the list says so.
pub fn is_excepted(server: &http::Uri, list: &str) -> bool {
    let host = server.host().unwrap_or_default();
    let host = host.trim_matches(['[', ']']).to_lowercase();
    let address: Option<IpAddr> = host.parse().ok();
    if host == "localhost" || address.is_some_and(|address| address.is_loopback()) {
        return true;
    }
    let port = server.port_u16().unwrap_or(443);
    let mut entries = list.split(',').map(|entry| entry.trim().to_lowercase());
    entries.any(|entry| match (entry.as_str(), address) {
        ("", _) => false,
        ("*", _) => true,
        (entry, Some(address)) if entry.contains('/') => {
            let network = entry.parse::<Subnet>();
            network.is_ok_and(|network| network.contains(address))
        }
        (entry, address) => {
            let (name, wanted) = apart(entry);
            let same = match address {
                Some(address) => name.parse() == Ok(address),
                // A leading dot leaves the domain itself to the proxy.
                None if name.starts_with('.') || name.starts_with("*.") => {
                    host.ends_with(name.trim_start_matches('*'))
                }
                None => host == name || host.ends_with(&format!(".{name}")),
            };
            same && wanted.is_none_or(|wanted| wanted == port)
        }
    })
}

/// A name or an address, and a port where one stands behind it.
fn apart(entry: &str) -> (&str, Option<u16>) {
    let whole = entry.trim_matches(['[', ']']);
    if whole.parse::<IpAddr>().is_ok() {
        return (whole, None);
    }
    match entry.rsplit_once(':') {
        Some((name, port)) => (name.trim_matches(['[', ']']), port.parse().ok()),
        None => (entry, None),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_server_is_asked_without_a_proxy_where_kubectl_asks_it_so() {
        // The package's own documentation and tests: httpproxy, FromEnvironment.
        let table = [
            ("https://127.0.0.1:6443", "", true),
            ("https://localhost:6443", "", true),
            ("https://[::1]:6443", "", true),
            ("https://10.1.2.3:6443", "", false),
            ("https://10.1.2.3:6443", "*", true),
            ("https://10.1.2.3:6443", "10.1.2.3", true),
            ("https://10.1.2.3:6443", "10.1.2.3:6443", true),
            ("https://10.1.2.3:6443", "10.1.2.3:443", false),
            ("https://10.1.2.3:6443", " 10.1.0.0/16 ,x", true),
            ("https://10.1.2.3:6443", "10.2.0.0/16", false),
            ("https://10.1.2.3:6443", "0.0.0.0/0", true),
            ("https://10.1.2.3:6443", "10.1.2.0/99", false),
            ("https://[fd00::1]:6443", "fd00::/8", true),
            ("https://[fd00::1]:6443", "fd00::1", true),
            ("https://api.k8s.example:6443", "example", true),
            ("https://api.k8s.example:6443", "k8s.example", true),
            ("https://api.k8s.example:6443", ".k8s.example", true),
            ("https://k8s.example", ".k8s.example", false),
            ("https://k8s.example", "k8s.example:443", true),
            ("https://myk8s.example", "k8s.example", false),
            ("https://api.k8s.example", "API.k8s.example", true),
        ];
        for (server, list, expected) in table {
            let server: http::Uri = server.parse().unwrap();
            assert_eq!(is_excepted(&server, list), expected, "{server} {list}");
        }
    }

    #[test]
    fn a_proxy_of_the_kubeconfig_itself_stays() {
        let proxy: http::Uri = "http://proxy.example:3128".parse().unwrap();
        let with = |url: &str| {
            let text = format!(
                "clusters: [{{name: c, cluster: {{server: 'https://127.0.0.1:1', proxy-url: '{url}'}}}}]"
            );
            let mut config = Config::new("https://127.0.0.1:1".parse().unwrap());
            config.proxy_url = Some(proxy.clone());
            except(&mut config, &Kubeconfig::from_yaml(&text).unwrap());
            config.proxy_url
        };
        assert_eq!(with("http://other.example"), None);
        assert_eq!(with("http://proxy.example:3128"), Some(proxy.clone()));
    }
}
