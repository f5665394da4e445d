//! Where a redirect filter sends the client.

use http::header::HeaderValue;
use http::uri::Authority;

use super::config::{Candidate, Redirect};
use super::exchange::Exchange;
use super::host;
use super::refusal::Refusal;

impl Exchange<'_> {
    /// Where a redirect filter sends the client: what it does not name stays as it was asked.
    pub fn redirect(
        &self,
        redirect: &Redirect,
        candidate: &Candidate,
        authority: &str,
        port: u16,
    ) -> Refusal {
        let path = match &redirect.path {
            None => Some(self.path.clone()),
            Some(change) => change.apply(&candidate.matcher.path, &self.path),
        };
        let Some(path) = path else {
            return Refusal::filter();
        };
        let own = match self.plane.config().is_tls(port) {
            true => "https",
            false => "http",
        };
        let scheme = redirect.scheme.as_deref().unwrap_or(own);
        let host = redirect
            .hostname
            .clone()
            .unwrap_or_else(|| host::host_only(authority));
        let host = if host.contains(':') {
            format!("[{host}]")
        } else {
            host
        };
        let port = match (redirect.port, &redirect.scheme) {
            (Some(port), _) => Some(port),
            (None, Some(_)) => None,
            // The port that the client used, which may be one that is forwarded here.
            (None, None) => {
                let asked = authority.parse::<Authority>().ok();
                Some(asked.and_then(|asked| asked.port_u16()).unwrap_or(port))
            }
        };
        let port = match (scheme, port) {
            (_, None) | ("http", Some(80)) | ("https", Some(443)) => String::new(),
            (_, Some(port)) => format!(":{port}"),
        };
        let query = self
            .parts
            .uri
            .query()
            .map_or(String::new(), |query| format!("?{query}"));
        match HeaderValue::from_str(&format!("{scheme}://{host}{port}{path}{query}")) {
            Ok(location) => Refusal::redirect(redirect.status, location),
            Err(error) => Refusal::invalid(error),
        }
    }
}
