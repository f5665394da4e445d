//! Origins: scheme, host and port of a web page.

use super::field::Field;
use super::problem::quote;

/// An origin as browsers send it.
pub fn origin(field: &Field) -> Option<String> {
    let text = field.text()?;
    if !is_origin(text) {
        let what = format!("{} is not an origin", quote(text));
        field.wrong(
            what,
            "scheme, host and port as browsers send them: `http://localhost:3000`",
        );
    }
    Some(text.to_string())
}

pub fn is_origin(text: &str) -> bool {
    let Some((scheme, authority)) = text.split_once("://") else {
        return false;
    };
    let letter = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || "+-.".contains(c);
    let scheme = scheme.starts_with(|c: char| c.is_ascii_lowercase()) && scheme.chars().all(letter);
    // The last colon of `[::1]` is inside its brackets.
    let (host, port) = match authority.rsplit_once(':') {
        Some((host, port)) if !port.ends_with(']') => (host, Some(port)),
        _ => (authority, None),
    };
    let port = port.is_none_or(|p| {
        p.bytes().all(|b| b.is_ascii_digit()) && p.parse::<u16>().is_ok_and(|n| n > 0)
    });
    scheme && is_host(host) && port
}

fn is_host(host: &str) -> bool {
    let label =
        |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || matches!(c, '-' | '.' | '_');
    match host
        .strip_prefix('[')
        .and_then(|rest| rest.strip_suffix(']'))
    {
        Some(address) => address.parse::<std::net::Ipv6Addr>().is_ok(),
        None => !host.is_empty() && host.chars().all(label),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_origin_is_what_a_browser_sends() {
        for text in [
            "http://localhost:3000",
            "https://app.example",
            "http://[::1]:80",
            "http://[::1]",
            "chrome-extension://abc",
        ] {
            assert!(is_origin(text), "{text}");
        }
        for text in [
            "*",
            "localhost",
            "http://",
            "http://a/",
            "http://a:",
            "http://a:x",
            "http://a:99999",
            "HTTP://a",
            "http://A",
            "http://a b",
            "://a",
            "http://u@a",
            "http://*.a",
        ] {
            assert!(!is_origin(text), "{text}");
        }
    }
}
