//! Services of this machine: whether they answer, where they listen, what they refuse, their models.

use super::finding::{Change, Fix, Found, Scope, Severity};
use super::rule::{Needs, Rule};
use super::snapshot::{Probe, Service, Snapshot};
use crate::provider::Provider;
use crate::text;

pub const RULES: [Rule; 5] = [
    Rule {
        code: "GW020",
        title: "every service of this machine that a route needs answers",
        severity: Severity::Fail,
        needs: Needs::Nothing,
        story: "Asks each service that routes lead to, such as Ollama, at its port on 127.0.0.1. When nothing \
                answers there, the gateway says 503 upstream call failed and nothing else of it need be \
                wrong. Start the service again with the command that is shown.",
        explains: &["GW022", "GW025", "GW037", "GW038", "GW040"],
        look: services,
    },
    Rule {
        code: "GW022",
        title: "services of this machine listen where pods can reach them",
        severity: Severity::Fail,
        needs: Needs::Probes,
        // facts 11
        story: "A service answers on 127.0.0.1, listens on loopback alone, and the route's own answer says that \
                the connection was refused: pods come by the bridge's address, where nobody listens. Ollama does \
                so unless OLLAMA_HOST=0.0.0.0. The fix looks for the way again and starts a relay where one is \
                needed.",
        explains: &["GW038", "GW040"],
        look: loopback,
    },
    Rule {
        code: "GW023",
        title: "Ollama takes the Host header that the gateway sends",
        severity: Severity::Fail,
        needs: Needs::Probes,
        // facts 15.10
        story: "Bound to loopback, Ollama refuses requests with a foreign Host header: 403 with an empty body, \
                unless the host is an IP, localhost, or ends in .localhost, .local or .internal. gw asks Ollama \
                itself with that header. Bound to 0.0.0.0 it takes any.",
        explains: &["GW008", "GW040"],
        look: host_header,
    },
    Rule {
        code: "GW024",
        title: "Ollama takes the origins that a CORS policy allows",
        severity: Severity::Fail,
        needs: Needs::Objects,
        // facts 17.3
        story: "The Origin header of a browser goes on to Ollama, which has an origin check of its own: it \
                answers 403 with an empty body to pages that CORS at the gateway allows. gw asks Ollama itself \
                with that origin. OLLAMA_ORIGINS names the page, or the policy takes the header away with \
                headerModifiers.request.remove.",
        explains: &[],
        look: origin_header,
    },
    Rule {
        code: "GW025",
        title: "every model that a route asks for is there",
        severity: Severity::Fail,
        needs: Needs::Nothing,
        // facts 15.11
        story: "Compares the models that routes ask for with those that Ollama lists. A model that was never \
                pulled, or removed since, gives 404 with `model not found, try pulling it first`. `ollama pull` \
                fetches it; `gw up` picks one that is there.",
        explains: &["GW008", "GW040"],
        look: models,
    },
];

fn services(snapshot: &Snapshot) -> Vec<Found> {
    let silent = snapshot
        .services
        .iter()
        .filter_map(|service| Some((service, service.silence.as_ref()?)));
    // A process of ours that was not started yet comes with the place that it is for.
    let silent = silent.filter(|(service, _)| {
        let role = service.role.as_deref();
        let begun = snapshot
            .processes
            .iter()
            .any(|p| Some(p.role.as_str()) == role);
        role.is_none() || begun || snapshot.place.alive
    });
    let found = silent.map(|(service, why)| {
        let title = &service.title;
        let fix = match service.role.is_some() && snapshot.place.alive {
            true => Fix::Change(Change::Rewire {
                service: service.name.clone(),
            }),
            false if service.role.is_some() => Fix::command("gw up"),
            false => Fix::command(start(service)),
        };
        Found::new(format!("{title} answers on this machine"), "host", fix)
            .short(format!("{title} does not answer"))
            .scope(snapshot.scope_of_service(service))
            .cause(format!(
                "nothing that is {title} answers at 127.0.0.1:{}",
                service.port
            ))
            .saw(format!("127.0.0.1:{}", service.port), why.clone())
    });
    found.collect()
}

fn start(service: &Service) -> String {
    match service.start.as_str() {
        "" => format!("lsof -i :{}", service.port),
        // At another port than its own it must be told.
        "ollama serve" if service.port != Provider::Ollama.ways().default_port => {
            format!("OLLAMA_HOST=127.0.0.1:{} ollama serve", service.port)
        }
        start => start.to_string(),
    }
}

/// Whether an answer says that the upstream could not be connected to.
pub fn is_refused(probe: &Probe) -> bool {
    probe.status == 503 && probe.body.starts_with("upstream call failed")
}

fn probes_of<'a>(snapshot: &'a Snapshot, service: &Service) -> Vec<&'a Probe> {
    let Scope::Routes(routes) = snapshot.scope_of_service(service) else {
        return Vec::new();
    };
    snapshot
        .probes
        .iter()
        .filter(|probe| routes.contains(&probe.route))
        .collect()
}

fn loopback(snapshot: &Snapshot) -> Vec<Found> {
    if !snapshot.on_cluster() {
        return Vec::new();
    }
    let mut found = Vec::new();
    for service in snapshot
        .services
        .iter()
        .filter(|service| service.silence.is_none())
    {
        let alone = !service.listens.is_empty()
            && service.listens.iter().all(std::net::IpAddr::is_loopback);
        let relayed = snapshot
            .wires
            .get(&service.name)
            .is_some_and(|wire| wire.relay);
        let Some(probe) = probes_of(snapshot, service)
            .into_iter()
            .find(|probe| is_refused(probe))
        else {
            continue;
        };
        if !alone || relayed {
            continue;
        }
        let title = &service.title;
        let listens: Vec<String> = service.listens.iter().map(ToString::to_string).collect();
        found.push(
            Found::new(
                format!("{title} listens where pods can reach it"),
                "host",
                Fix::Change(Change::Rewire {
                    service: service.name.clone(),
                }),
            )
            .short(format!("{title} listens on loopback alone"))
            .scope(snapshot.scope_of_service(service))
            .cause(format!(
                "{title} listens on loopback alone, and pods come by the bridge's address"
            ))
            .saw(
                format!("listeners on port {}", service.port),
                text::list(&listens),
            )
            .saw(
                probe.sent.clone(),
                format!("{} {}", probe.status, probe.body),
            ),
        );
    }
    found
}

fn host_header(snapshot: &Snapshot) -> Vec<Found> {
    let mut found = Vec::new();
    for service in &snapshot.services {
        let Some((header, 403)) = &service.with_host else {
            continue;
        };
        let refused = |probe: &&Probe| probe.status == 403 && probe.body.is_empty();
        let Some(probe) = probes_of(snapshot, service).into_iter().find(refused) else {
            continue;
        };
        let title = &service.title;
        let bound = format!("OLLAMA_HOST=0.0.0.0:{} ollama serve", service.port);
        let backend = super::backend::of_route(snapshot, &probe.route);
        let fix = match backend {
            Some(backend) => super::limits::fix(snapshot, backend, bound),
            None => Fix::Command(bound),
        };
        found.push(
            Found::new(
                format!("{title} takes the Host header that the gateway sends"),
                "host",
                fix,
            )
            .about_backend(backend)
            .short(format!("{title} refuses the Host header"))
            .scope(snapshot.scope_of_service(service))
            .cause(format!(
                "{title} is bound to loopback and refuses the Host header {header}"
            ))
            .saw(format!("{title} itself, Host: {header}"), "403, empty")
            .saw(probe.sent.clone(), "403, empty"),
        );
    }
    found
}

fn origin_header(snapshot: &Snapshot) -> Vec<Found> {
    let mut found = Vec::new();
    for service in &snapshot.services {
        let Some((origin, 403)) = &service.with_origin else {
            continue;
        };
        let title = &service.title;
        found.push(
            Found::new(
                format!("{title} takes the origins that a CORS policy allows"),
                "host",
                Fix::command(format!(
                    "OLLAMA_ORIGINS={} ollama serve",
                    text::shell(origin)
                )),
            )
            .short(format!("{title} refuses pages of {origin}"))
            .scope(snapshot.scope_of_service(service))
            .cause(format!(
                "the gateway allows {origin} and passes the header on, and {title} refuses it"
            ))
            .saw(format!("{title} itself, Origin: {origin}"), "403, empty"),
        );
    }
    found
}

/// `llama3.2` is `llama3.2:latest` (github.com/ollama/ollama docs/api.md, model names).
fn has(models: &[String], wanted: &str) -> bool {
    let full = if wanted.contains(':') {
        wanted.to_string()
    } else {
        format!("{wanted}:latest")
    };
    models.iter().any(|model| *model == full || model == wanted)
}

fn models(snapshot: &Snapshot) -> Vec<Found> {
    let mut found = Vec::new();
    for service in &snapshot.services {
        let Some(models) = &service.models else {
            continue;
        };
        let Scope::Routes(routes) = snapshot.scope_of_service(service) else {
            continue;
        };
        for route in snapshot
            .routes
            .iter()
            .filter(|route| routes.contains(&route.name))
        {
            let named = asked_for(snapshot, &route.name).unwrap_or_else(|| route.model.clone());
            let pulls = Provider::named(&route.provider);
            // With a proof that came back the model is there under whatever name.
            let good = snapshot.probe(&route.name).is_some_and(|probe| probe.good);
            let Some(provider) =
                pulls.filter(|_| !named.is_empty() && !has(models, &named) && !good)
            else {
                continue;
            };
            let there = match models.is_empty() {
                true => "no model at all".to_string(),
                false => text::list(models),
            };
            found.push(
                Found::new(
                    format!("{} has model {named}", service.title),
                    "host",
                    restore_backend(snapshot, &route.name)
                        .unwrap_or_else(|| Fix::Command(provider.fetch_model(&named))),
                )
                .short(format!("model {named} is not there"))
                .about_backend(super::backend::of_route(snapshot, &route.name))
                .scope(Scope::route(&route.name))
                .cause(format!("{} has {there}, and not {named}", service.title))
                .saw(format!("models of {}", service.title), there),
            );
        }
    }
    found
}

/// The model that stands in the live backend of a route: what the proxy asks for, whatever callers do
/// (facts 9.5).
fn asked_for(snapshot: &Snapshot, route: &str) -> Option<String> {
    let backend = super::backend::of_route(snapshot, route)?;
    let provider = backend.pointer("/spec/ai/provider/openai/model")?;
    provider.as_str().map(str::to_string)
}

/// Where somebody changed the model in our backend, putting it back is the repair.
fn restore_backend(snapshot: &Snapshot, route: &str) -> Option<Fix> {
    let backend = super::backend::of_route(snapshot, route)?;
    let drift = snapshot.drift("AgentgatewayBackend", super::snapshot::name(backend))?;
    let model = drift
        .fields
        .iter()
        .any(|field| field.path.ends_with("/model"));
    model.then(|| Fix::Change(Change::Restore(drift.thing.clone())))
}
