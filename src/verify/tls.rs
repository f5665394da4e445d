//! Why TLS with an upstream fails, in plain words, and what mends it. Pure: the words of rustls, which the
//! embedded gateway and agentgateway both pass on (facts 9.7), and those of the look itself.

use crate::plan::view::{Address, HANGS, PLAIN, speaks_of_tls};
use crate::text::{list, shell};
use std::time::{Duration, UNIX_EPOCH};

/// Who can change the backend.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Hands {
    pub backend: String,
    /// `kubectl -n NAMESPACE`; `None` where there is no cluster.
    pub kubectl: Option<String>,
    /// Whether it is not as a profile of ours has it.
    pub is_changed: bool,
    /// Whether somebody has added TLS to it: what others own in an object, `up --force` leaves.
    pub is_secured: bool,
    /// Whether it has no other policy: one without any is refused (facts 6).
    pub is_lone: bool,
    /// The profile that names its address.
    pub profile: Option<String>,
}

/// A fault of TLS.
#[derive(Debug, Clone, PartialEq)]
pub struct Fault {
    pub what: String,
    pub fix: String,
    pub next: String,
}

pub fn fault(why: &str, at: &Address, hands: &Hands) -> Fault {
    let found = sorted(why, at, hands);
    if let (true, Some(kubectl)) = (hands.is_secured, &hands.kubectl) {
        let backend = &hands.backend;
        return Fault {
            fix: format!("no profile has TLS for {backend}: somebody has added it"),
            next: format!(
                "{kubectl} patch agentgatewaybackend {backend} {} && gw up --force",
                without(hands)
            ),
            ..found
        };
    }
    // Whatever it is there: the profile leads elsewhere.
    match hands.is_changed {
        true => Fault {
            fix: format!(
                "no profile leads to {}: somebody has changed {}",
                at.title(),
                hands.backend
            ),
            next: "gw up --force".to_string(),
            ..found
        },
        false => found,
    }
}

/// Takes TLS from a backend.
fn without(hands: &Hands) -> String {
    let path = match hands.is_lone {
        true => "/spec/policies",
        false => "/spec/policies/tls",
    };
    format!(r#"--type json -p '[{{"op": "remove", "path": "{path}"}}]'"#)
}

/// What is wrong with TLS, where it is TLS that is wrong.
pub fn words(why: &str) -> Option<String> {
    let nowhere = Address {
        host: "the name that is asked for".to_string(),
        ..Address::default()
    };
    speaks_of_tls(why).then(|| sorted(why, &nowhere, &Hands::default()).what)
}

fn sorted(why: &str, at: &Address, hands: &Hands) -> Fault {
    let has = |word: &str| why.contains(word);
    if has("InvalidContentType") || has(PLAIN) {
        return plain(why, at, hands);
    }
    if has("NotValidForName") || has("not valid for name") {
        return misnamed(why, at, hands);
    }
    if has("UnknownIssuer") || has("CaUsedAsEndEntity") {
        return untrusted(at, hands);
    }
    if has("Expired") || has("certificate expired") {
        let what = match moment(why, "not valid after ") {
            Some(moment) => format!("its certificate has expired: it was valid until {moment}"),
            None => "its certificate has expired".to_string(),
        };
        let fix = format!("who runs {} has to renew its certificate", at.title());
        return shown(what, fix, at, "| openssl x509 -noout -subject -dates");
    }
    if has("NotValidYet") || has("not valid yet") {
        let what = match moment(why, "not valid before ") {
            Some(moment) => format!("its certificate is valid from {moment} only"),
            None => "its certificate is not valid yet".to_string(),
        };
        let fix = "the clock of the gateway's machine is behind, or the certificate is for later";
        return shown(what, fix.to_string(), at, "| openssl x509 -noout -dates");
    }
    if has("CertificateRequired") {
        let what = "it wants a certificate of the gateway, and is shown none".to_string();
        let fix = format!(
            "{} names a Secret with one in policies.tls.mtlsCertificateRef",
            hands.backend
        );
        let field = "explain agentgatewaybackend.spec.policies.tls.mtlsCertificateRef";
        return match &hands.kubectl {
            Some(kubectl) => Fault {
                next: format!("{kubectl} {field}"),
                what,
                fix,
            },
            None => shown(what, fix, at, ""),
        };
    }
    if has("ProtocolVersion") || has("Tls12NotOffered") || has("peer is incompatible") {
        let what = format!("it offers no TLS of today, 1.2 or 1.3 ({})", last(why));
        let fix = format!("who runs {} has to offer TLS 1.2 or newer", at.title());
        return shown(what, fix, at, "-tls1_2");
    }
    if has(HANGS) {
        let fix = format!("what listens at {} hangs: start it anew", at.title());
        return shown(why.to_string(), fix, at, "");
    }
    let what = format!("the TLS handshake fails: {}", last(why));
    let fix = format!("{} says no more than that", at.host);
    shown(what, fix, at, "")
}

/// What is left to whoever runs the server: openssl shows it.
fn shown(what: String, fix: String, at: &Address, how: &str) -> Fault {
    let (to, name) = (shell(&at.title()), shell(at.server_name()));
    let (flag, pipe) = match how.starts_with('-') {
        true => (format!(" {how}"), String::new()),
        false => (String::new(), format!(" {how}")),
    };
    let next = format!("openssl s_client -connect {to} -servername {name}{flag} </dev/null{pipe}");
    Fault {
        what,
        fix,
        next: next.trim_end().to_string(),
    }
}

fn plain(why: &str, at: &Address, hands: &Hands) -> Fault {
    let said = why.split_once(PLAIN);
    let what = match said {
        Some((_, status)) => format!("it speaks no TLS: plain HTTP is answered ({status})"),
        None => "what listens there speaks no TLS that the gateway knows".to_string(),
    };
    let (old, new) = (
        format!("https://{}", bare(at)),
        format!("http://{}", at.title()),
    );
    let fix = format!("ask it in plain HTTP: {new}");
    mended(what, fix, at, hands, &without(hands), (&old, &new))
}

fn misnamed(why: &str, at: &Address, hands: &Hands) -> Fault {
    let names = names(why);
    let asked = at.server_name();
    let what = match names.is_empty() {
        true => format!("its certificate is not for {asked}"),
        false => format!("its certificate is for {}, not for {asked}", list(&names)),
    };
    let Some(name) = names.iter().find(|name| !name.contains(['*', ':'])) else {
        let fix = format!("{asked} has to show a certificate for its name");
        let how = "| openssl x509 -noout -subject -ext subjectAltName";
        return shown(what, fix, at, how);
    };
    let patch =
        format!(r#"--type merge -p '{{"spec": {{"policies": {{"tls": {{"sni": "{name}"}}}}}}}}'"#);
    let renamed = Address {
        host: name.clone(),
        ..at.clone()
    };
    let (old, new) = (
        format!("https://{}", bare(at)),
        format!("https://{}", bare(&renamed)),
    );
    let fix = format!("ask it by a name that its certificate has: {name}");
    mended(what, fix, at, hands, &patch, (&old, &new))
}

fn untrusted(at: &Address, hands: &Hands) -> Fault {
    let backend = &hands.backend;
    let what = "its certificate is signed by nobody whom the gateway trusts".to_string();
    let fix = "give the gateway the CA's certificate, here ca.pem".to_string();
    let next = match &hands.kubectl {
        Some(kubectl) => {
            let map = format!("{backend}-ca");
            let patch = format!(
                r#"{{"spec": {{"policies": {{"tls": {{"caCertificateRefs": [{{"name": "{map}"}}]}}}}}}}}"#
            );
            format!(
                "{kubectl} create configmap {map} --from-file=ca.crt=ca.pem && {kubectl} patch agentgatewaybackend {backend} --type merge -p '{patch}'"
            )
        }
        // It reads the system's roots when it makes its first call.
        None => "gw down && SSL_CERT_FILE=ca.pem gw up".to_string(),
    };
    match at.settings["caCertificateRefs"][0]["name"].as_str() {
        Some(map) => Fault {
            what: format!("its certificate is not signed by the CA in ConfigMap {map}"),
            fix: format!("{map} has to hold the CA of {}, under ca.crt", at.title()),
            next: shown(String::new(), String::new(), at, "-showcerts").next,
        },
        None => Fault { what, fix, next },
    }
}

/// A change of the address in the profile, or else of the object.
fn mended(
    what: String,
    fix: String,
    at: &Address,
    hands: &Hands,
    patch: &str,
    (old, new): (&str, &str),
) -> Fault {
    let next = match (&hands.profile, &hands.kubectl) {
        (Some(profile), _) => {
            let edit = shell(&format!("s|{old}|{new}|"));
            format!("sed -i.bak {edit} {} && gw up", shell(profile))
        }
        (None, Some(kubectl)) => {
            format!(
                "{kubectl} patch agentgatewaybackend {} {patch}",
                hands.backend
            )
        }
        (None, None) => shown(String::new(), String::new(), at, "").next,
    };
    Fault { what, fix, next }
}

/// As an address is written: without the usual port.
fn bare(at: &Address) -> String {
    match at.port {
        443 => at.host.clone(),
        _ => at.title(),
    }
}

/// `DnsName("a.example") or IpAddress(127.0.0.1)` in rustls' words. They are the server's own, and come to
/// stand in a command: what is no plain name is left out.
fn names(why: &str) -> Vec<String> {
    let Some((_, said)) = why.split_once("only valid for ") else {
        return Vec::new();
    };
    let said = said.replace(" or ", ", ").replace('\\', "");
    let plain = |c: char| c.is_ascii_alphanumeric() || "-._*:".contains(c);
    let name = |word: &str| {
        let dns = word.trim().strip_prefix("DnsName(\"");
        let dns = dns.and_then(|word| word.split_once("\")"));
        let ip = word.trim().strip_prefix("IpAddress(");
        let (name, _) = dns.or_else(|| ip?.split_once(')'))?;
        (!name.is_empty() && name.chars().all(plain)).then(|| name.to_string())
    };
    said.split(", ").filter_map(name).take(8).collect()
}

/// The moment that stands behind a word, in seconds since 1970.
fn moment(why: &str, word: &str) -> Option<String> {
    let (_, after) = why.split_once(word)?;
    let digits: String = after.chars().take_while(char::is_ascii_digit).collect();
    let moment = UNIX_EPOCH.checked_add(Duration::from_secs(digits.parse().ok()?))?;
    // Later years are no dates of HTTP.
    let year_9999 = Duration::from_secs(253_402_300_799);
    (moment.duration_since(UNIX_EPOCH).ok()? < year_9999).then(|| httpdate::fmt_http_date(moment))
}

/// What the innermost fault says.
fn last(why: &str) -> &str {
    why.rsplit(": ").next().unwrap_or(why)
}

#[cfg(test)]
mod tests;
