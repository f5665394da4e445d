//! The policies of a profile: what they do, and to which routes.

use super::field::{Field, Fields};
use super::rule::{RULES, Rule, rule};
use super::value::{name, reference, refuse_twins};
use super::{Policy, Route};

/// The policies in the order of the text.
pub fn policies(root: &Fields, routes: &[Route]) -> Vec<Policy> {
    let items = root.get("policies").map(|field| field.items());
    let items = items.unwrap_or_default();
    let known: Vec<&str> = routes.iter().map(|route| route.name.as_str()).collect();
    let read: Vec<Placed> = items.iter().map(|item| policy(item, &known)).collect();
    let names = read.iter();
    let names = names.map(|p| (p.named.clone(), p.name.clone()));
    refuse_twins("policy name", &names.collect::<Vec<_>>());
    refuse_seconds(&read);
    refuse_traps(&read, routes);
    read.into_iter().filter_map(Placed::policy).collect()
}

/// A policy with the fields that say its name and its rule.
struct Placed<'a> {
    name: String,
    routes: Vec<String>,
    rule: Option<Rule>,
    named: Field<'a>,
    ruled: Option<Field<'a>>,
}

impl Placed<'_> {
    fn policy(self) -> Option<Policy> {
        Some(Policy {
            name: self.name,
            routes: self.routes,
            rule: self.rule?,
        })
    }

    /// Whether it is on the gateway itself, or on this route.
    fn is_on(&self, route: Option<&str>) -> bool {
        match route {
            None => self.routes.is_empty(),
            Some(route) => self.routes.iter().any(|name| name == route),
        }
    }
}

fn policy<'a>(item: &Field<'a>, routes: &[&str]) -> Placed<'a> {
    let mut policy = Placed {
        name: String::new(),
        routes: Vec::new(),
        rule: None,
        named: item.clone(),
        ruled: None,
    };
    let known: Vec<&str> = ["name", "routes"].iter().chain(&RULES).copied().collect();
    let Some(fields) = item.fields(&known) else {
        return policy;
    };
    if let Some(field) = fields.need("name", "for example `same-site`") {
        policy.name = name(&field, 55);
        policy.named = field;
    }
    if let Some(field) = fields.get("routes") {
        let items = field.items();
        policy.routes = items
            .iter()
            .map(|item| reference(item, "route", routes))
            .collect();
        if items.is_empty() || items.len() > 16 {
            field.wrong(
                "has no routes, or more than 16",
                "leave it out for all of the gateway",
            );
        }
    }
    let there = |name: &&&str| fields.get_or_empty(name).is_some();
    let rules: Vec<&str> = RULES.iter().filter(there).copied().collect();
    match rules.as_slice() {
        [] if fields.strange => {}
        [] => fields.wrong(
            "has no rule",
            format!("a policy has one rule; known: {}", RULES.join(", ")),
        ),
        [only] => {
            policy.ruled = fields.get_or_empty(only);
            policy.rule = rule(&fields, only);
            if policy.rule.is_none() && fields.get(only).is_none() {
                fields.wrong(
                    format!("says nothing of `{only}`"),
                    "write what it is to do",
                );
            }
        }
        [_, second, ..] => {
            if let Some(field) = fields.get_or_empty(second) {
                field.wrong(
                    "is a second rule",
                    "a policy has one rule: make it another policy",
                );
            }
        }
    }
    policy
}

/// Policies of one target merge field by field, so one of two would have no effect (facts 7.1).
fn refuse_seconds(all: &[Placed]) {
    for (index, policy) in all.iter().enumerate() {
        let (Some(rule), Some(field)) = (&policy.rule, &policy.ruled) else {
            continue;
        };
        // Guards go into the backends, where they add up.
        let adds_up = matches!(rule, Rule::PromptGuard(_));
        let same = |other: &&Placed| {
            let kind = other.rule.as_ref().map(Rule::name) == Some(rule.name());
            let gateway = policy.is_on(None) && other.is_on(None);
            kind && (gateway || policy.routes.iter().any(|route| other.is_on(Some(route))))
        };
        if !adds_up && all[..index].iter().any(|other| same(&other)) {
            field.wrong(
                "is the second rule of its kind",
                match rule {
                    Rule::Limit(_) => "the proxy counts one limit on a route: give it other routes",
                    _ => "only one could take effect: join them",
                },
            );
        }
    }
}

/// What v2.2 takes and does not do (facts 9.1, 14.6).
fn refuse_traps(all: &[Placed], routes: &[Route]) {
    let on = |route: &str, is: &dyn Fn(&Rule) -> bool| {
        let here = |p: &&Placed| p.rule.as_ref().is_some_and(is);
        let own = all.iter().find(|p| here(p) && p.is_on(Some(route)));
        own.or_else(|| all.iter().find(|p| here(p) && p.is_on(None)))
    };
    let mut told: Vec<&str> = Vec::new();
    for route in routes {
        let strict = on(&route.name, &Rule::is_strict);
        let cors = on(&route.name, &|rule| matches!(rule, Rule::Cors(_)));
        let (Some(strict), Some(cors)) = (strict, cors) else {
            continue;
        };
        if let Some(field) = cors
            .ruled
            .as_ref()
            .filter(|_| !told.contains(&cors.name.as_str()))
        {
            field.wrong(
                format!(
                    "has no effect on route `{}`: `{}` refuses browsers' preflights first",
                    route.name, strict.name
                ),
                "preflights carry no credentials: `optional: true`, or other routes for browsers",
            );
            told.push(&cors.name);
        }
    }
    refuse_foreign_pages(all, routes, &on);
    refuse_two_credentials(all, routes);
}

/// The policy that is at work on a route: its own, else the gateway's.
type At<'a, 'p> = &'a dyn Fn(&str, &dyn Fn(&Rule) -> bool) -> Option<&'a Placed<'p>>;

/// Cross-site requests are refused before CORS is looked at (facts 9.1).
fn refuse_foreign_pages<'a, 'p>(all: &'a [Placed<'p>], routes: &[Route], on: At<'a, 'p>) {
    for (index, policy) in all.iter().enumerate() {
        let (Some(Rule::Cors(cors)), Some(field)) = (&policy.rule, &policy.ruled) else {
            continue;
        };
        let here = |route: &&Route| {
            let at = on(&route.name, &|rule| matches!(rule, Rule::Cors(_)));
            at.is_some_and(|at| std::ptr::eq(at, &all[index]))
        };
        let refused = routes.iter().filter(here).find_map(|route| {
            let csrf = on(&route.name, &|rule| matches!(rule, Rule::Csrf { .. }))?;
            let Some(Rule::Csrf { additional_origins }) = &csrf.rule else {
                return None;
            };
            let origin = cors
                .origins
                .iter()
                .find(|o| !additional_origins.contains(o))?;
            Some((origin, &csrf.name))
        });
        if let Some((origin, csrf)) = refused {
            field.wrong(
                format!("allows `{origin}`, and `{csrf}` refuses its requests first"),
                "name the same origins in `additionalOrigins` of the `csrf` policy",
            );
        }
    }
}

/// A request has one Authorization header, and each of these wants it.
fn refuse_two_credentials(all: &[Placed], routes: &[Route]) {
    for (index, policy) in all.iter().enumerate() {
        let strict = |p: &Placed| p.rule.as_ref().is_some_and(Rule::is_strict);
        let (true, Some(field)) = (strict(policy), &policy.ruled) else {
            continue;
        };
        let meets = |other: &&Placed| {
            let both = |route: &Route| {
                let on = |p: &Placed| p.is_on(None) || p.is_on(Some(&route.name));
                on(policy) && on(other)
            };
            let kinds = policy.rule.as_ref().map(Rule::name) != other.rule.as_ref().map(Rule::name);
            strict(other) && kinds && routes.iter().any(both)
        };
        if let Some(other) = all[..index].iter().find(meets) {
            field.wrong(
                format!("asks for credentials where `{}` does already", other.name),
                "a request has one Authorization header: give it other routes",
            );
        }
    }
}
