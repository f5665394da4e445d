//! The policies of a profile: what the gateway refuses.

use super::field::{Field, Fields};
use super::problem::quote;
use super::value::{name, refuse_twins};
use super::{Policy, Rule};

const KNOWN: [&str; 2] = ["name", "csrf"];
const RULES: &str = "a policy has one rule; known: csrf";

/// The policies in the order of the text.
pub fn policies(root: &Fields) -> Vec<Policy> {
    let items = root.get("policies").map(|field| field.items());
    let items = items.unwrap_or_default();
    let read: Vec<_> = items.iter().map(policy).collect();
    let names = read
        .iter()
        .map(|(p, named, _)| (named.clone(), p.name.clone()));
    refuse_twins("policy name", &names.collect::<Vec<_>>());
    // Policies of one gateway merge field by field, so one of two would have no effect (facts 8).
    let rules = read.iter().filter_map(|(_, _, rule)| rule.clone());
    for second in rules.skip(1) {
        second.wrong(
            "is the second rule of its kind",
            "only one could take effect: join them",
        );
    }
    read.into_iter().map(|(policy, _, _)| policy).collect()
}

/// A policy with the fields that say its name and its rule.
type Placed<'a> = (Policy, Field<'a>, Option<Field<'a>>);

fn policy<'a>(item: &Field<'a>) -> Placed<'a> {
    let mut policy = Policy {
        name: String::new(),
        rule: Rule::Csrf {
            additional_origins: Vec::new(),
        },
    };
    let Some(fields) = item.fields(&KNOWN) else {
        return (policy, item.clone(), None);
    };
    let named = fields.need("name", "for example `same-site`");
    if let Some(field) = &named {
        policy.name = name(field, 63);
    }
    // `csrf:` with nothing after it is a rule without exceptions.
    let rule = fields.get_or_empty("csrf");
    match &rule {
        Some(_) => policy.rule = csrf(fields.get("csrf")),
        // A misspelt rule is said already.
        None if fields.strange => {}
        None => fields.wrong("has no rule", RULES),
    }
    (policy, named.unwrap_or_else(|| item.clone()), rule)
}

fn csrf(field: Option<Field>) -> Rule {
    let fields = field.and_then(|field| field.fields(&["additionalOrigins"]));
    let origins = fields.and_then(|fields| fields.get("additionalOrigins"));
    let items = origins.map(|field| field.items()).unwrap_or_default();
    Rule::Csrf {
        additional_origins: items.iter().filter_map(origin).collect(),
    }
}

/// An origin as browsers send it.
fn origin(field: &Field) -> Option<String> {
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

fn is_origin(text: &str) -> bool {
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
