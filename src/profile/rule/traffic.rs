//! Rules about traffic: limits, origins, retries, external processing.

use super::{Cors, Counted, Limit, Processor, Retry, Rule, Unit};
use crate::profile::address::MACHINE;
use crate::profile::duration;
use crate::profile::field::{Field, Fields};
use crate::profile::origin::{is_origin, origin};
use crate::profile::problem::quote;
use crate::profile::value::{filled, name};

const IN_CLUSTER: &str = "cluster";
/// Where the built-in processor may run.
pub const PLACES: [&str; 2] = ["machine", IN_CLUSTER];

const METHODS: [&str; 10] = [
    "GET", "HEAD", "POST", "PUT", "DELETE", "CONNECT", "OPTIONS", "TRACE", "PATCH", "*",
];

pub fn csrf(field: Option<Field>) -> Rule {
    let fields = field.and_then(|field| field.fields(&["additionalOrigins"]));
    let origins = fields.and_then(|fields| fields.get("additionalOrigins"));
    let items = origins.as_ref().map(Field::items).unwrap_or_default();
    if let Some(field) = origins.filter(|_| items.len() > 15) {
        field.wrong("has too many origins", "at most 15");
    }
    Rule::Csrf {
        additional_origins: items.iter().filter_map(origin).collect(),
    }
}

pub fn limit(field: &Field) -> Option<Limit> {
    let fields = field.fields(&["requests", "tokens", "per", "burst"])?;
    let count = |name: &str| fields.get(name)?.count("a count");
    let (requests, tokens) = (fields.get("requests"), fields.get("tokens"));
    let (of, found) = match (&requests, &tokens) {
        (Some(_), None) => (Counted::Requests, count("requests")),
        (None, Some(_)) => (Counted::Tokens, count("tokens")),
        (Some(_), Some(second)) => {
            // Facts 7.2: the second would be ignored in silence.
            second.wrong(
                "is a second limit, and the proxy counts only one",
                "give each a policy and routes of its own",
            );
            return None;
        }
        (None, None) => {
            fields.wrong(
                "counts nothing",
                "for example `{requests: 60, per: minute}`",
            );
            return None;
        }
    };
    let per = fields.need("per", "`second`, `minute` or `hour`")?;
    let named = |text: &str| Unit::ALL.into_iter().find(|unit| unit.name() == text);
    Some(Limit {
        of,
        count: found?,
        per: per.one_of("a unit", &Unit::ALL.map(Unit::name), named)?,
        burst: count("burst"),
    })
}

pub fn cors(field: &Field) -> Option<Cors> {
    const KNOWN: [&str; 6] = [
        "origins",
        "methods",
        "headers",
        "expose",
        "credentials",
        "maxAge",
    ];
    let fields = field.fields(&KNOWN)?;
    let need = fields.need("origins", "for example `[https://app.example]`")?;
    let origins = texts(&need, |item, text| {
        if text != "*" && !is_web_origin(text) {
            item.wrong(
                format!("{} is not an origin", quote(text)),
                "`*`, or scheme, host and port: `https://app.example`",
            );
        }
    });
    if origins.len() > 1 && origins.iter().any(|text| text == "*") {
        need.wrong("has `*` beside others", "`*` stands alone");
    }
    let header = |item: &Field, text: &str| {
        let token = |c: char| c.is_ascii_alphanumeric() || "!#$%&'*+-.^_`|~".contains(c);
        if text.is_empty() || !text.chars().all(token) {
            item.wrong(
                format!("{} is not the name of a header", quote(text)),
                "letters, digits and `-`",
            );
        }
    };
    let list = |name: &str| fields.get(name).map(|field| texts(&field, header));
    let methods = fields.get("methods").map(|field| {
        texts(&field, |item, text| {
            if !METHODS.contains(&text) {
                item.wrong(
                    format!("{} is not a method", quote(text)),
                    METHODS.join(", "),
                );
            }
        })
    });
    Some(Cors {
        origins,
        methods: methods.unwrap_or_default(),
        headers: list("headers").unwrap_or_default(),
        expose: list("expose").unwrap_or_default(),
        credentials: fields
            .get("credentials")
            .and_then(|f| f.boolean())
            .unwrap_or(false),
        max_age: fields
            .get("maxAge")
            .and_then(|f| f.count("a number of seconds")),
    })
}

/// What the CRD takes: no brackets, no path (facts 7.2).
fn is_web_origin(text: &str) -> bool {
    is_origin(text) && !text.contains(['[', '?', '#'])
}

fn texts(field: &Field, check: impl Fn(&Field, &str)) -> Vec<String> {
    let items = field.items();
    if items.len() > 64 {
        field.wrong("has too many items", "at most 64");
    }
    let read = |item: &Field| {
        let text = item.text()?;
        check(item, text);
        Some(text.to_string())
    };
    items.iter().filter_map(read).collect()
}

pub fn retry(field: &Field) -> Option<Retry> {
    let fields = field.fields(&["attempts", "codes", "backoff"])?;
    let attempts = fields.need("attempts", "how often again, such as `2`")?;
    let codes = fields.need("codes", "for example `[500, 502, 503]`")?;
    let items = codes.items();
    let codes = items
        .iter()
        .filter_map(|item| item.number("an HTTP status", 400, 599));
    Some(Retry {
        attempts: attempts.number("a number of attempts", 1, 20)?,
        codes: codes.collect(),
        backoff: fields.get("backoff").and_then(|f| duration::pause(&f)),
    })
}

/// Where the built-in processor runs; on this machine where nothing is said.
fn demo_in(fields: &Fields) -> Option<Processor> {
    let named = |text: &str| PLACES.contains(&text).then(|| text == IN_CLUSTER);
    let place = fields.get("in");
    let place = place.map(|field| field.one_of("a place", &PLACES, named));
    let image = fields.get("image");
    match place {
        Some(None) => None,
        Some(Some(true)) => Some(Processor::Cluster {
            image: image.and_then(|field| filled(&field).map(str::to_string)),
        }),
        None | Some(Some(false)) => {
            if let Some(image) = image {
                image.wrong(
                    "is for a processor in the cluster",
                    "`in: cluster` beside it",
                );
            }
            Some(Processor::Machine { port: None })
        }
    }
}

pub fn processor(field: &Field) -> Option<Processor> {
    const EXAMPLE: &str =
        "`{service: NAME, port: 9002}`, `{host: NAME, port: 9002}` or `{demo: true}`";
    let fields = field.fields(&[
        "service",
        "namespace",
        "host",
        "port",
        "demo",
        "in",
        "image",
    ])?;
    let demo = fields.get("demo").and_then(|field| field.boolean());
    if demo == Some(true) {
        let beside = ["service", "namespace", "host", "port"];
        if let Some(other) = beside.iter().find_map(|name| fields.get(name)) {
            other.wrong("has no meaning beside `demo`", "keep one of them");
        }
        return demo_in(&fields);
    }
    for name in ["in", "image"] {
        if let Some(other) = fields.get(name) {
            other.wrong("is for the built-in processor", "`demo: true` beside it");
        }
    }
    let port = fields
        .need("port", EXAMPLE)?
        .number("a port", 1, u16::MAX)?;
    match (fields.get("service"), fields.get("host")) {
        (Some(service), None) => Some(Processor::Service {
            name: name(&service, 63),
            namespace: fields.get("namespace").map(|field| name(&field, 63)),
            port,
        }),
        (None, Some(host)) => {
            let text = filled(&host)?;
            let good = |c: char| c.is_ascii_alphanumeric() || c == '.' || c == '-';
            if text.len() > 253 || !text.chars().all(good) {
                host.wrong(
                    format!("{} is not a host", quote(text)),
                    "a name or an IPv4 address",
                );
            }
            Some(match MACHINE.contains(&text) {
                true => Processor::Machine { port: Some(port) },
                false => Processor::Host {
                    host: text.to_string(),
                    port,
                },
            })
        }
        _ => {
            fields.wrong("names no server, or two", EXAMPLE);
            None
        }
    }
}
