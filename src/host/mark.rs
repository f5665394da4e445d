//! By which a request of gw's own, of a proof or a look, is told from others': a host name of its own, which is always this
//! machine's (RFC 6761) and stands in the proxy's access log (facts 9.7).

pub const DOMAIN: &str = "localhost";

/// The first label of a new one.
pub fn new() -> String {
    format!("p{:016x}", rand::random::<u64>())
}

/// The Host header that bears a mark, for a base URL or any URL beneath it.
pub fn host(mark: &str, url: &str) -> String {
    let port = url.parse::<http::Uri>().ok().and_then(|uri| uri.port_u16());
    format!("{mark}.{DOMAIN}:{}", port.unwrap_or(80))
}

/// Whether a Host header is one that a proof made for itself.
pub fn is_own(host: &str) -> bool {
    let name = host.rsplit_once(':').map_or(host, |(name, _)| name);
    let Some((mark, DOMAIN)) = name.split_once('.') else {
        return false;
    };
    let digits = mark.strip_prefix('p').unwrap_or("");
    digits.len() == 16 && digits.bytes().all(|byte| byte.is_ascii_hexdigit())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_proofs_own_host_is_known_again_and_a_callers_is_not() {
        for (url, port) in [
            ("http://localhost:8080/chat/v1?a=b:9", ":8080"),
            ("http://gateway.example", ":80"),
        ] {
            let host = host(&new(), url);
            assert!(is_own(&host) && host.ends_with(port), "{host}");
        }
        assert!(is_own(&format!("{}.{DOMAIN}:8080", new())));
        assert!(is_own(&format!("{}.{DOMAIN}", new())));
        for callers in [
            "localhost:8080",
            "p1.localhost",
            "p0123456789abcdef.example",
            "",
        ] {
            assert!(!is_own(callers), "{callers}");
        }
    }
}
