//! Host names: which listener and route they belong to, and which are refused before anything else happens.

use std::net::IpAddr;

use http::request::Parts;

use super::config::Config;

/// What the client asked for: the request line's authority, else the Host header, port included.
pub(super) fn authority(parts: &Parts) -> &str {
    match parts.uri.authority() {
        Some(authority) => authority.as_str(),
        None => parts
            .headers
            .get(http::header::HOST)
            .and_then(|value| value.to_str().ok())
            .unwrap_or(""),
    }
}

/// A host without its port, in lower case.
pub(super) fn host_only(authority: &str) -> String {
    let host = match authority.strip_prefix('[') {
        Some(rest) => rest.split(']').next().unwrap_or(rest),
        None => match authority.rsplit_once(':') {
            Some((host, port))
                if !host.contains(':') && port.bytes().all(|b| b.is_ascii_digit()) =>
            {
                host
            }
            _ => authority,
        },
    };
    host.to_ascii_lowercase()
}

/// Whether a hostname, perhaps with a leading wildcard, covers a host. An empty one covers all.
pub(super) fn covers(pattern: &str, host: &str) -> bool {
    if pattern.is_empty() || pattern.eq_ignore_ascii_case(host) {
        return true;
    }
    let Some(suffix) = pattern.strip_prefix('*') else {
        return false;
    };
    suffix.starts_with('.')
        && host.len() > suffix.len()
        && host.is_char_boundary(host.len() - suffix.len())
        && host[host.len() - suffix.len()..].eq_ignore_ascii_case(suffix)
}

/// Greater means more specific: a name before a wildcard, a longer one before a shorter.
pub(super) fn specificity(pattern: &str) -> (u8, usize) {
    match pattern {
        "" => (0, 0),
        wildcard if wildcard.starts_with("*.") => (1, wildcard.len()),
        name => (2, name.len()),
    }
}

/// Whether a host can't be a name of somebody else's.
pub(super) fn is_local(host: &str) -> bool {
    host == "localhost" || host.ends_with(".localhost") || host.parse::<IpAddr>().is_ok()
}

/// Whether the gateway answers to this host at all. A page from anywhere can point its own name at
/// 127.0.0.1 and read what a local server answers (DNS rebinding), so only names that can't be
/// anyone else's, or that a listener or a route of this port claims, are answered.
pub(super) fn is_ours(config: &Config, port: u16, host: &str) -> bool {
    is_local(host)
        || config
            .listeners
            .get(&port)
            .into_iter()
            .flatten()
            .any(|listener| {
                let named = |pattern: &str| !pattern.is_empty() && covers(pattern, host);
                named(&listener.hostname) || listener.candidates.iter().any(|c| named(&c.hostname))
            })
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::{any, proptest};

    #[test]
    fn hosts_lose_their_port() {
        let table = [
            ("Localhost:8080", "localhost"),
            ("127.0.0.1:8080", "127.0.0.1"),
            ("[::1]:8080", "::1"),
            ("[::1]", "::1"),
            ("::1", "::1"),
            ("a.example", "a.example"),
            ("a:b", "a:b"),
            ("", ""),
        ];
        for (authority, expected) in table {
            assert_eq!(host_only(authority), expected, "{authority}");
        }
    }

    #[test]
    fn wildcards_cover_names_below_only() {
        let table = [
            ("", "x", true),
            ("a.b", "a.b", true),
            ("A.b", "a.B", true),
            ("*.b", "a.b", true),
            ("*.b", "c.a.b", true),
            ("*.b", "b", false),
            ("*.b", ".b", false),
            ("*.b", "ab", false),
            ("a.b", "x.a.b", false),
        ];
        for (pattern, host, expected) in table {
            assert_eq!(covers(pattern, host), expected, "{pattern} {host}");
        }
        assert!(specificity("a.b") > specificity("*.longer.b"));
        assert!(specificity("*.longer.b") > specificity("*.b"));
        assert!(specificity("*.b") > specificity(""));
    }

    #[test]
    fn foreign_names_are_not_ours() {
        let config = Config::default();
        for host in [
            "localhost",
            "x.localhost",
            "127.0.0.1",
            "192.168.0.7",
            "::1",
        ] {
            assert!(is_ours(&config, 8080, host), "{host}");
        }
        for host in [
            "",
            "evil.example",
            "localhost.evil.example",
            "127.0.0.1.nip.io",
            "notlocalhost",
        ] {
            assert!(!is_ours(&config, 8080, host), "{host}");
        }
    }

    proptest! {
        #[test]
        fn nothing_panics(pattern in any::<String>(), host in any::<String>()) {
            covers(&pattern, &host_only(&host));
            specificity(&pattern);
        }
    }
}
