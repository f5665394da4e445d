//! Which cases are asked: what was named, and what the price cap lets through. What is not asked is
//! skipped with its reason, and is no failure.

use super::case::{Case, Sort};
use crate::text::shell;

/// What a person wants of a proof.
#[derive(Debug, Clone, Default)]
pub struct Choice {
    /// Words that a case must have one of: a sort, or a part of its id.
    pub only: Vec<String>,
    pub skip: Vec<String>,
    /// Names or paths of routes.
    pub routes: Vec<String>,
    /// US dollars.
    pub max_cost: f64,
    /// How often a failure is asked again, at the same price.
    pub retries: u32,
}

impl Choice {
    /// Whether nothing was named: then what belongs to no route is asked too.
    pub fn is_whole(&self) -> bool {
        self.only.is_empty() && self.routes.is_empty()
    }

    /// What of a proof was asked for, as it is typed; empty where it was all.
    pub fn part(&self) -> String {
        let all = [
            ("--route", &self.routes),
            ("--only", &self.only),
            ("--skip", &self.skip),
        ];
        let flags = all.iter().flat_map(|(flag, words)| {
            let said = words.iter();
            said.map(move |word| format!("{flag} {}", shell(word)))
        });
        flags.collect::<Vec<_>>().join(" ")
    }

    /// Whether what is of a sort, has an id and belongs to a route is wanted. `route`: its name and its
    /// path; what belongs to none is not wanted where routes were named.
    pub fn takes(&self, sort: Sort, id: &str, route: Option<(&str, &str)>) -> bool {
        let has = |word: &String| {
            let is_sort = [word, word.trim_end_matches('s')].contains(&sort.name());
            is_sort || id.contains(word.as_str())
        };
        let is_it = |named: &String| {
            let of = |(name, path): (&str, &str)| {
                name == named || path.trim_matches('/') == named.trim_matches('/')
            };
            route.is_some_and(of)
        };
        let only = self.only.is_empty() || self.only.iter().any(has);
        let routes = self.routes.is_empty() || self.routes.iter().any(is_it);
        only && routes && !self.skip.iter().any(has)
    }
}

/// What a model without a known price is taken to cost, in US dollars a million tokens: as the
/// dearest that are known.
const UNKNOWN: (f64, f64) = (15.0, 75.0);

/// The cases that were asked for, and what all that will be asked costs at most.
pub fn choose(cases: Vec<Case>, choice: &Choice) -> (Vec<Case>, f64) {
    let wanted = |case: &Case| choice.takes(case.sort, &case.id, Some((&case.route, &case.path)));
    let mut cases: Vec<Case> = cases.into_iter().filter(wanted).collect();
    let spent = cap(&mut cases, choice);
    (cases, spent)
}

/// What a case costs at most, in US dollars.
pub fn price(case: &Case) -> f64 {
    let (input, output) = case.tokens;
    case.cost().unwrap_or_else(|| dearest(input, output))
}

/// What so many tokens cost at a model whose price nobody knows.
pub fn dearest(input: u64, output: u64) -> f64 {
    (UNKNOWN.0 * input as f64 + UNKNOWN.1 * output as f64) / 1_000_000.0
}

/// A route's own answer comes before all that is more than that.
fn cap(cases: &mut [Case], choice: &Choice) -> f64 {
    let most = choice.max_cost;
    let mut order: Vec<usize> = (0..cases.len()).collect();
    order.sort_by_key(|at| (cases[*at].id.matches('.').count(), *at));
    let mut spent = 0.0;
    for at in order {
        let case = &mut cases[at];
        let cost = price(case) * f64::from(choice.retries + 1);
        if cost == 0.0 || case.unasked.is_some() {
            continue;
        }
        match spent + cost <= most {
            true => spent += cost,
            false => {
                let left = (most - spent).max(0.0);
                let why = format!(
                    "would cost up to {}, and {} of --max-cost is left",
                    dollars(cost),
                    dollars(left)
                );
                case.unasked = Some(why);
            }
        }
    }
    spent
}

/// `$0.0021`, `$0.04`, `$0`.
pub fn dollars(amount: f64) -> String {
    match amount {
        a if a <= 0.0 => "$0".to_string(),
        a if a < 0.0001 => "under $0.0001".to_string(),
        a if a < 0.01 => format!("${a:.4}"),
        a => format!("${a:.2}"),
    }
}

#[cfg(test)]
mod tests {
    use super::super::derive::{Sources, derive};
    use super::super::installed::tests::{gateway, installed, route};
    use super::*;
    use serde_json::{Value, json};

    fn cases(model: &str) -> Vec<Case> {
        let backend = json!({"kind": "AgentgatewayBackend", "metadata": {"name": "b", "namespace": "n"},
            "spec": {"ai": {"provider": {"openai": {"model": model}}}}});
        let rule = |path: &str| -> Value {
            json!([{"matches": [{"path": {"value": path}}], "backendRefs": [{"kind": "AgentgatewayBackend", "name": "b"}]}])
        };
        let there = installed(vec![
            gateway(),
            backend,
            route("a", rule("/a")),
            route("c", rule("/c")),
        ]);
        let sources = Sources {
            installed: &there,
            planned: &[],
            nonce: "0",
        };
        derive(&sources, false).cases
    }

    #[test]
    fn a_part_is_told_as_it_is_typed() {
        let choice = Choice {
            only: vec!["answer".into()],
            skip: vec!["my case".into()],
            routes: vec!["/a".into()],
            ..Choice::default()
        };
        assert_eq!(choice.part(), "--route /a --only answer --skip 'my case'");
        assert_eq!(Choice::default().part(), "");
    }

    fn asked(cases: &[Case]) -> Vec<&str> {
        cases
            .iter()
            .filter(|c| c.unasked.is_none())
            .map(|c| c.id.as_str())
            .collect()
    }

    #[test]
    fn a_cap_lets_the_routes_own_answers_through_first_and_what_is_free_always() {
        let usual = Choice {
            max_cost: 0.01,
            ..Choice::default()
        };
        let (all, cost) = choose(cases("gpt-4o-mini"), &usual);
        assert_eq!(
            asked(&all),
            [
                "route.a",
                "route.a.stream",
                "route.a.get",
                "route.c",
                "route.c.stream",
                "route.c.get"
            ]
        );
        assert!(cost > 0.0 && cost < 0.001, "{cost}");
        // 15 and 60 dollars a million, and room for thinking: three cents each.
        let some = Choice {
            max_cost: 0.07,
            ..Choice::default()
        };
        let (few, _) = choose(cases("o1"), &some);
        assert_eq!(
            asked(&few),
            ["route.a", "route.a.get", "route.c", "route.c.get"]
        );
        let (none, cost) = choose(cases("o1"), &Choice::default());
        assert_eq!(
            (asked(&none), cost),
            (vec!["route.a.get", "route.c.get"], 0.0)
        );
    }

    #[test]
    fn a_model_without_a_known_price_is_not_free() {
        let (_, cost) = choose(
            cases("never-heard-of"),
            &Choice {
                max_cost: 1.0,
                ..Choice::default()
            },
        );
        assert!(cost > 0.001, "{cost}");
    }

    #[test]
    fn sorts_ids_and_routes_choose() {
        let choice = |only: &[&str], routes: &[&str]| Choice {
            only: only.iter().map(ToString::to_string).collect(),
            routes: routes.iter().map(ToString::to_string).collect(),
            max_cost: 1.0,
            ..Choice::default()
        };
        let ids = |choice: &Choice| {
            let (cases, _) = choose(cases("gpt-4o-mini"), choice);
            cases.into_iter().map(|case| case.id).collect::<Vec<_>>()
        };
        assert_eq!(
            ids(&choice(&["streams"], &[])),
            ["route.a.stream", "route.c.stream"]
        );
        assert_eq!(
            ids(&choice(&[], &["/c"])),
            ["route.c", "route.c.stream", "route.c.get"]
        );
        assert_eq!(ids(&choice(&["refusal"], &["a"])), ["route.a.get"]);
    }
}
