//! `dynamicForwardProxy`: the upstream is the host that the client asked for, on the listener's own
//! port (facts 6). Hosts that no listener and no route names do not come this far (`host::is_ours`):
//! else any web page could reach the network through the gateway by a name of its own. This machine's
//! own names are refused here, since such a call would come back to the gateway.

use std::net::IpAddr;

use http::uri::Authority;

use super::config::Origin;
use super::host;
use super::refusal::Refusal;
use super::tls::Tls;

/// How whatever host is asked for is spoken to.
#[derive(Debug)]
pub struct Dynamic {
    pub tls: Option<Tls>,
    pub http2: bool,
}

impl Dynamic {
    /// Where a request for this authority goes. The client's Host stays.
    pub(super) fn origin(&self, asked: &str, port: u16) -> Result<Origin, Refusal> {
        let host = host::host_only(asked);
        if is_here(&host) {
            return Err(Refusal::own_host(&host));
        }
        let endpoint = match host.contains(':') {
            true => format!("[{host}]:{port}"),
            false => format!("{host}:{port}"),
        };
        let dial: Authority = endpoint.parse().map_err(Refusal::invalid)?;
        Ok(Origin {
            endpoint: endpoint.into(),
            dial: vec![dial],
            host: None,
            tls: self.tls.clone(),
            http2: self.http2,
        })
    }
}

fn is_here(host: &str) -> bool {
    let address = host.parse::<IpAddr>();
    host.is_empty()
        || host == "localhost"
        || host.ends_with(".localhost")
        || address.is_ok_and(|address| address.is_loopback() || address.is_unspecified())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_call_goes_to_the_host_that_was_asked_for_but_never_back() {
        let dynamic = Dynamic {
            tls: None,
            http2: false,
        };
        let table = [
            ("up.example", Some("up.example:8080")),
            ("Up.example:99", Some("up.example:8080")),
            ("10.1.2.3", Some("10.1.2.3:8080")),
            ("[fd00::1]:1", Some("[fd00::1]:8080")),
            ("localhost", None),
            ("a.localhost:8080", None),
            ("127.0.0.2", None),
            ("[::1]:8080", None),
            ("0.0.0.0", None),
            ("", None),
        ];
        for (asked, expected) in table {
            let origin = dynamic.origin(asked, 8080).ok();
            let dialled = origin.map(|origin| origin.dial[0].to_string());
            assert_eq!(dialled.as_deref(), expected, "{asked}");
        }
    }
}
