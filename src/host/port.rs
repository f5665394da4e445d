//! Ports of this machine: free or taken, and by whom.

use crate::error::{Error, Exit, Result};
use std::fs::{File, OpenOptions};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, SocketAddrV4, TcpListener, TcpStream};
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

/// How long a killed process may take to let its port go.
const MOMENT: Duration = Duration::from_secs(2);

/// Whether a listener could be opened on 127.0.0.1 right now, would take nobody's callers, and who calls
/// `localhost` would reach it: where that is ::1 first, a program that listens there would answer in its place.
pub fn is_free(port: u16) -> bool {
    !would_shadow(port)
        && TcpListener::bind((Ipv4Addr::LOCALHOST, port)).is_ok()
        && !is_answered((Ipv6Addr::LOCALHOST, port))
}

/// Whether who opens 127.0.0.1 would take the callers of a program that listens on all addresses: BSD and
/// macOS allow that with SO_REUSEADDR, which Rust sets, and Linux does not.
pub fn would_shadow(port: u16) -> bool {
    cfg!(not(target_os = "linux")) && is_answered((Ipv4Addr::LOCALHOST, port))
}

fn is_answered(at: impl Into<SocketAddr>) -> bool {
    TcpStream::connect_timeout(&at.into(), Duration::from_millis(50)).is_ok()
}

/// Whether a port is free, or becomes so in a moment: the listener of a process that was just killed
/// stays until its last thread has gone, and until then nobody is seen to own it.
pub async fn becomes_free(port: u16) -> bool {
    let start = Instant::now();
    while !is_free(port) {
        if owner(port).is_some() || start.elapsed() > MOMENT {
            return false;
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    true
}

/// Opens the port of a service of ours; `service` as in `the relay`.
pub async fn listen(service: &str, at: SocketAddrV4) -> Result<tokio::net::TcpListener> {
    tokio::net::TcpListener::bind(at)
        .await
        .map_err(|e| Error::new(format!("{service} can't listen on {at}"), "gw up").because(&e))
}

/// The first free port above `port`.
pub fn next_free(port: u16) -> Option<u16> {
    (port.saturating_add(1)..=port.saturating_add(200)).find(|candidate| is_free(*candidate))
}

/// A free port that no other `gw` is about to take: between choosing one and listening on it there is
/// time for another to choose the same. Held until dropped, however the process ends.
#[derive(Debug, Clone)]
pub struct Claim {
    pub port: u16,
    #[allow(dead_code, reason = "the open file is the lock")]
    file: Option<Arc<File>>,
}

impl Claim {
    /// A port that a process of ours listens on already.
    pub fn held(port: u16) -> Self {
        Claim { port, file: None }
    }
}

/// Claims `wanted`, or the next port above it that is free. `folder` is where all of this user's
/// programs meet; where it can't be written the port is taken without a claim.
pub fn claim(folder: &Path, wanted: u16) -> Claim {
    let mut candidates = wanted..=wanted.saturating_add(200);
    let free = |port: u16| {
        if !is_free(port) {
            return None;
        }
        let path = folder.join(format!("gatewright-port-{port}.lock"));
        let file = OpenOptions::new()
            .create(true)
            .truncate(false)
            .write(true)
            .open(&path);
        match file.map(|file| (file.try_lock(), file)) {
            Ok((Ok(()), file)) => Some(Claim {
                port,
                file: Some(Arc::new(file)),
            }),
            Ok((Err(_), _)) => None,
            Err(_) => Some(Claim { port, file: None }),
        }
    };
    let fallback = Claim {
        port: wanted,
        file: None,
    };
    candidates.find_map(free).unwrap_or(fallback)
}

/// Who listens on a port, as far as this user may know: `nginx (pid 4711)`.
pub fn owner(port: u16) -> Option<String> {
    let (pid, name) = listener(port)?;
    Some(format!("{name} (pid {pid})"))
}

/// Addresses on which somebody listens at a port, as far as the system tells.
#[cfg(target_os = "linux")]
pub fn addresses(port: u16) -> Vec<IpAddr> {
    let tables = ["/proc/net/tcp", "/proc/net/tcp6"];
    let texts = tables
        .iter()
        .filter_map(|table| std::fs::read_to_string(table).ok());
    let mut found: Vec<IpAddr> = texts
        .flat_map(|table| listening_addresses(&table, port))
        .collect();
    found.dedup();
    found
}

/// Addresses on which somebody listens at a port, as far as the system tells.
#[cfg(not(target_os = "linux"))]
pub fn addresses(port: u16) -> Vec<IpAddr> {
    let filter = format!("-iTCP:{port}");
    let output = std::process::Command::new("lsof")
        .args(["-nP", &filter, "-sTCP:LISTEN", "-Fn"])
        .output();
    let text = output
        .map(|output| String::from_utf8_lossy(&output.stdout).into_owned())
        .unwrap_or_default();
    let address = |line: &str| {
        let (host, _) = line.strip_prefix('n')?.rsplit_once(':')?;
        match host {
            "*" => Some(IpAddr::V4(Ipv4Addr::UNSPECIFIED)),
            host => host.trim_matches(['[', ']']).parse().ok(),
        }
    };
    text.lines().filter_map(address).collect()
}

/// A taken port is named with its owner, and the next free one is offered.
pub fn taken(wanted: u16) -> Error {
    let owner = owner(wanted).unwrap_or_else(|| "a process of another user".to_string());
    let next = match next_free(wanted) {
        Some(free) => format!("gw up --port {free}"),
        None => "gw up --port PORT".to_string(),
    };
    let host = match is_answered((Ipv6Addr::LOCALHOST, wanted)) {
        true => "localhost",
        false => "127.0.0.1",
    };
    let what = format!("port {wanted} on {host} is taken by {owner}");
    Error::new(what, next).exit(Exit::NoTarget)
}

#[cfg(target_os = "linux")]
fn listener(port: u16) -> Option<(u32, String)> {
    let tables = ["/proc/net/tcp", "/proc/net/tcp6"];
    let inodes: Vec<String> = tables
        .iter()
        .filter_map(|table| std::fs::read_to_string(table).ok())
        .flat_map(|table| listening_inodes(&table, port))
        .collect();
    let wanted: Vec<String> = inodes
        .iter()
        .map(|inode| format!("socket:[{inode}]"))
        .collect();
    let processes = std::fs::read_dir("/proc").ok()?;
    for process in processes.flatten() {
        let Ok(pid) = process.file_name().to_string_lossy().parse::<u32>() else {
            continue;
        };
        let Ok(files) = std::fs::read_dir(process.path().join("fd")) else {
            continue;
        };
        let holds = |file: std::fs::DirEntry| {
            let link = std::fs::read_link(file.path()).ok()?;
            wanted
                .contains(&link.to_string_lossy().into_owned())
                .then_some(())
        };
        if files.flatten().find_map(holds).is_some() {
            let name = std::fs::read_to_string(process.path().join("comm")).ok()?;
            return Some((pid, name.trim().to_string()));
        }
    }
    None
}

/// Inodes of listening sockets on `port` in a table of the form of /proc/net/tcp: field 1 is the
/// local address with the port in hex, field 3 the state (0A is LISTEN), field 9 the inode.
#[cfg(any(target_os = "linux", test))]
fn listening_inodes(table: &str, port: u16) -> Vec<String> {
    let suffix = format!(":{port:04X}");
    let inode = |line: &str| {
        let fields: Vec<&str> = line.split_whitespace().collect();
        let listens = fields.get(1)?.ends_with(&suffix) && *fields.get(3)? == "0A";
        listens.then(|| fields.get(9).map(ToString::to_string))?
    };
    table.lines().skip(1).filter_map(inode).collect()
}

/// Local addresses of listening sockets on `port`: hex, each 32-bit word in the machine's own order.
#[cfg(any(target_os = "linux", test))]
fn listening_addresses(table: &str, port: u16) -> Vec<IpAddr> {
    let address = |line: &str| {
        let fields: Vec<&str> = line.split_whitespace().collect();
        let (address, hex) = fields.get(1)?.split_once(':')?;
        if *fields.get(3)? != "0A" || u16::from_str_radix(hex, 16).ok()? != port {
            return None;
        }
        let words: Vec<u32> = (0..address.len() / 8)
            .filter_map(|at| u32::from_str_radix(address.get(at * 8..at * 8 + 8)?, 16).ok())
            .collect();
        let bytes: Vec<u8> = words.iter().flat_map(|word| word.to_ne_bytes()).collect();
        match bytes.len() {
            4 => Some(IpAddr::from(<[u8; 4]>::try_from(bytes).ok()?)),
            16 => Some(IpAddr::from(<[u8; 16]>::try_from(bytes).ok()?)),
            _ => None,
        }
    };
    table.lines().skip(1).filter_map(address).collect()
}

#[cfg(not(target_os = "linux"))]
fn listener(port: u16) -> Option<(u32, String)> {
    let filter = format!("-iTCP:{port}");
    let output = std::process::Command::new("lsof")
        .args(["-nP", &filter, "-sTCP:LISTEN", "-Fpc"])
        .output()
        .ok()?;
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    let pid = text
        .lines()
        .find_map(|line| line.strip_prefix('p'))?
        .parse()
        .ok()?;
    let name = text.lines().find_map(|line| line.strip_prefix('c'))?;
    Some((pid, name.to_string()))
}

/// Whether anything takes a connection on this port of this machine; an error says what came.
pub async fn answers(port: u16) -> std::result::Result<(), String> {
    let connect = tokio::net::TcpStream::connect((std::net::Ipv4Addr::LOCALHOST, port));
    match tokio::time::timeout(std::time::Duration::from_secs(2), connect).await {
        Ok(Ok(_)) => Ok(()),
        Ok(Err(error)) => Err(error.to_string()),
        Err(_) => Err("no answer in 2 s".to_string()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_owner_of_a_port_is_the_process_that_listens() {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        let port = listener.local_addr().unwrap().port();
        assert!(!is_free(port));
        let pid = format!("(pid {})", std::process::id());
        assert!(owner(port).is_some_and(|owner| owner.ends_with(&pid)));
    }

    #[test]
    fn a_port_on_the_other_localhost_is_taken_too() {
        let Ok(listener) = TcpListener::bind((Ipv6Addr::LOCALHOST, 0)) else {
            return; // This machine has no IPv6: nobody can listen there.
        };
        let port = listener.local_addr().unwrap().port();
        assert!(!is_free(port));
        let said = taken(port).what;
        assert!(
            said.starts_with(&format!("port {port} on localhost is taken by ")),
            "{said}"
        );
    }

    #[test]
    fn who_listens_on_all_addresses_answers_on_this_machines_own() {
        let listener = TcpListener::bind((Ipv4Addr::UNSPECIFIED, 0)).unwrap();
        let port = listener.local_addr().unwrap().port();
        assert!(is_answered((Ipv4Addr::LOCALHOST, port)) && !is_free(port));
        drop(listener);
        assert!(!is_answered((Ipv4Addr::LOCALHOST, port)));
    }

    #[test]
    fn two_that_choose_at_once_choose_different_ports() {
        let folder = tempfile::tempdir().unwrap();
        let first = claim(folder.path(), 42000);
        let second = claim(folder.path(), 42000);
        assert_ne!(first.port, second.port);
        let port = first.port;
        drop(first);
        assert_eq!(claim(folder.path(), port).port, port);
    }

    #[test]
    fn only_listening_sockets_of_that_port_count() {
        let table = "  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode\n   \
            0: 0100007F:1F90 00000000:0000 0A 00000000:00000000 00:00000000 00000000     0        0 111 1\n   \
            1: 0100007F:1F90 0100007F:9999 01 00000000:00000000 00:00000000 00000000     0        0 222 1\n   \
            2: 0100007F:1F91 00000000:0000 0A 00000000:00000000 00:00000000 00000000     0        0 333 1\n";
        assert_eq!(listening_inodes(table, 8080), ["111"]);
        // Little-endian, as on every machine that gw runs on.
        assert_eq!(
            listening_addresses(table, 8080),
            ["127.0.0.1".parse::<IpAddr>().unwrap()]
        );
    }
}
