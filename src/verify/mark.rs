//! By which one request of a proof is told from others: a host name of its own, which is always this
//! machine's (RFC 6761) and stands in the proxy's access log (facts 9.7).

pub const DOMAIN: &str = "localhost";

/// The first label of a new one.
pub fn new() -> String {
    format!("p{:016x}", rand::random::<u64>())
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
