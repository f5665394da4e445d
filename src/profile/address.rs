//! Where a server is that a profile names itself: `http://localhost:1234/v1`.

use super::field::Field;
use super::problem::quote;

/// An address as a profile gives it, taken apart.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Address {
    pub tls: bool,
    pub host: String,
    pub port: u16,
    /// Without a trailing slash; empty for none.
    pub path: String,
}

/// Names under which this machine is meant, by whoever says them.
pub const MACHINE: [&str; 4] = ["localhost", "127.0.0.1", "[::1]", "host.docker.internal"];
const EXAMPLE: &str = "for example `http://localhost:1234`";

impl Address {
    /// Whether it is a service of this machine, which a cluster reaches in its own way.
    pub fn is_machine(&self) -> bool {
        MACHINE.contains(&self.host.as_str())
    }

    /// Scheme, host and port.
    pub fn base(&self) -> String {
        let usual = if self.tls { 443 } else { 80 };
        let scheme = if self.tls { "https" } else { "http" };
        match self.port == usual {
            true => format!("{scheme}://{}", self.host),
            false => format!("{scheme}://{}:{}", self.host, self.port),
        }
    }

    pub fn text(&self) -> String {
        format!("{}{}", self.base(), self.path)
    }
}

/// A scheme and a host, perhaps a port and a path.
pub fn address(field: &Field) -> Option<Address> {
    let text = field.text_like(EXAMPLE)?;
    match parsed(text) {
        Ok(address) => Some(address),
        Err(hint) => {
            field.wrong(format!("{} is not an address", quote(text)), hint);
            None
        }
    }
}

fn parsed(text: &str) -> Result<Address, &'static str> {
    let tls = match text.split_once("://") {
        Some(("http", _)) => false,
        Some(("https", _)) => true,
        _ => return Err(EXAMPLE),
    };
    let url = url::Url::parse(text).map_err(|_| EXAMPLE)?;
    if !url.username().is_empty() || url.password().is_some() {
        return Err("a key does not belong into an address: it has the field `key`");
    }
    if url.query().is_some() || url.fragment().is_some() {
        return Err("without a query or a fragment");
    }
    let host = url
        .host_str()
        .filter(|host| host.len() <= 253)
        .ok_or(EXAMPLE)?;
    let port = url
        .port_or_known_default()
        .filter(|port| *port > 0)
        .ok_or(EXAMPLE)?;
    let path = url.path().trim_end_matches('/');
    if path.len() > 512 || path.contains("//") || path.contains('%') {
        return Err("its path is to be a plain one");
    }
    Ok(Address {
        tls,
        host: host.to_string(),
        port,
        path: path.to_string(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_is_taken_apart_and_put_together() {
        let table = [
            ("http://localhost:1234/v1", true, 1234, "/v1"),
            ("https://openrouter.ai/api/v1", false, 443, "/api/v1"),
            ("http://10.0.0.7:8000", false, 8000, ""),
        ];
        for (text, machine, port, path) in table {
            let address = parsed(text).unwrap();
            assert_eq!((address.is_machine(), address.port), (machine, port));
            assert_eq!(
                (address.path.as_str(), address.text().as_str()),
                (path, text)
            );
        }
        for text in [
            "localhost:1234",
            "ftp://a",
            "http://",
            "http://u:k@a",
            "https://a/?key=k",
            "http://a:0",
        ] {
            assert!(parsed(text).is_err(), "{text}");
        }
    }
}
