//! The hops behind the gateway: name, address, TLS and whoever answers, as far as a look came. Pure.

use super::check::{Finding, Verdict};
use super::reach::{broken, hop};
use super::tls::{Hands, fault};
use crate::plan::view::{Address, Sight, View};
use crate::text;
use std::net::IpAddr;

/// What a person does about a hop that fails.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Remedy<'a> {
    /// What starts the service; empty where nobody here can.
    pub start: &'a str,
    pub hands: Hands,
}

impl Remedy<'_> {
    fn of(&self, otherwise: String) -> String {
        match (self.hands.is_changed, self.start) {
            (true, _) => "gw up --force".to_string(),
            (false, "") => otherwise,
            (false, start) => start.to_string(),
        }
    }

    /// A name of a cluster's own is one of ours, which `up` makes again.
    fn name(&self, address: &Address) -> String {
        match (
            self.hands.is_changed,
            address.host.ends_with(".svc.cluster.local"),
        ) {
            (true, _) => "gw up --force".to_string(),
            (false, true) => "gw up".to_string(),
            (false, false) => format!("nslookup {}", text::shell(&address.host)),
        }
    }
}

/// Name, address, TLS and whoever answers, as far as the look came: nothing is said of what comes after
/// the first that fails.
pub fn behind(address: &Address, view: &View, title: &str, remedy: &Remedy<'_>) -> Vec<Finding> {
    let (at, from) = (address.title(), view.from);
    let scheme = if address.tls { "https" } else { "http" };
    let ask = || format!("curl -sv {}", text::shell(&format!("{scheme}://{at}/")));
    let passed = passed(address, view);
    let (good, last) = match &view.sight {
        Sight::NoName(why) => {
            let what = format!("{} has no address {from}: {why}", address.host);
            (0, broken("name", "name", what, &remedy.name(address)))
        }
        Sight::NoConnection(why) => {
            let what = format!("{at} takes no connection {from}: {why}");
            (1, broken("address", "address", what, &remedy.of(ask())))
        }
        Sight::NoTls(why) => (2, untrusted(why, address, &remedy.hands)),
        Sight::Silent(time) => {
            let time = text::duration(*time);
            let what = format!("{at} takes the connection and answers nothing in {time}, {from}");
            (3, broken("service", title, what, &remedy.of(ask())))
        }
        Sight::Answered { status: 0, .. } => (3, hop("service", title, "speaks HTTP/2")),
        Sight::Answered { status, .. } => {
            let text = format!("answers HTTP ({status})");
            (3, hop("service", title, text))
        }
        Sight::Unseen(why) => {
            let what = format!("{at} could not be looked at {from}: {why}");
            (0, broken("service", title, what, "gw logs"))
        }
    };
    passed.into_iter().take(good).chain([last]).collect()
}

/// Name, address and TLS, where nothing is wrong with them.
fn passed(address: &Address, view: &View) -> Vec<Finding> {
    let (at, from, host) = (address.title(), view.from, &address.host);
    let found: Vec<String> = view.addresses.iter().map(ToString::to_string).collect();
    let name = match found.as_slice() {
        _ if host.trim_matches(['[', ']']).parse::<IpAddr>().is_ok() => {
            format!("{host} is an address")
        }
        [] => format!("{host} resolves {from}"),
        found => format!("{host} -> {}", text::list(found)),
    };
    let mut hops = vec![
        hop("name", "name", name),
        hop(
            "address",
            "address",
            format!("{at} takes connections {from}"),
        ),
    ];
    if address.tls {
        let held = match address.trusts_all() {
            true => "any certificate will do, and none is looked at".to_string(),
            false => format!("{} has a certificate that holds", address.server_name()),
        };
        hops.push(hop("tls", "TLS", held));
    }
    hops
}

fn untrusted(why: &str, address: &Address, hands: &Hands) -> Finding {
    let fault = fault(why, address, hands);
    let what = format!("{}: {}", address.title(), fault.what);
    broken("tls", "TLS", what, &fault.next)
        .fact("answered", format!("{why:?}"))
        .fact("fix", fault.fix)
}

/// What the same service says to this machine, where pods do not reach it.
pub fn beside(hops: &mut [Finding], here: &View) {
    let Some(broken) = hops.iter_mut().find(|hop| hop.verdict == Verdict::Fail) else {
        return;
    };
    let said = match &here.sight {
        Sight::Answered { .. } => "answers on this machine",
        Sight::Silent(_) => "takes connections on this machine and answers nothing",
        Sight::NoConnection(_) => "takes no connection on this machine either",
        Sight::NoName(_) | Sight::NoTls(_) | Sight::Unseen(_) => return,
    };
    broken
        .facts
        .push(("here".to_string(), format!("127.0.0.1 {said}")));
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    fn at(tls: bool) -> Address {
        Address {
            host: "host.docker.internal".into(),
            port: 11434,
            tls,
            ..Address::default()
        }
    }

    fn seen(sight: Sight, tls: bool) -> Vec<(String, Verdict)> {
        let view = View {
            from: "from the proxy's pod",
            addresses: Vec::new(),
            sight,
        };
        let hops = behind(&at(tls), &view, "Ollama", &Remedy::default());
        hops.into_iter().map(|hop| (hop.id, hop.verdict)).collect()
    }

    #[test]
    fn the_first_hop_that_fails_is_the_last_that_is_shown() {
        let table = [
            (Sight::NoName("x".into()), "reach.name", 1, 1),
            (Sight::NoConnection("refused".into()), "reach.address", 2, 2),
            (Sight::NoTls("alert".into()), "reach.tls", 3, 3),
            (Sight::Silent(Duration::from_secs(5)), "reach.service", 3, 4),
        ];
        for (sight, id, plain, secure) in table {
            for (tls, length) in [(false, plain), (true, secure)] {
                let hops = seen(sight.clone(), tls);
                assert_eq!(hops.len(), length, "{hops:?}");
                assert_eq!(hops.last().unwrap(), &(id.to_string(), Verdict::Fail));
            }
        }
        let good = Sight::Answered {
            status: 404,
            body: String::new(),
        };
        let good = seen(good, true);
        assert_eq!(good.len(), 4);
        assert!(good.iter().all(|(_, verdict)| *verdict == Verdict::Pass));
    }
}
