//! `traffic.authorization`: who may call, by expressions (facts 9.1, 17.9).

use std::sync::Arc;

use serde_json::Value;

use crate::gateway::cel::{Expression, Facts, Needs};
use crate::gateway::object::{text_or, texts};
use crate::gateway::refusal::Refusal;

/// The rules of all policies that apply: unlike other fields, they add up (the CRD's text on `authorization`).
#[derive(Debug, Clone, Default)]
pub struct Authorization {
    allow: Vec<Rule>,
    deny: Vec<Rule>,
}

/// An expression; none where it could not be compiled.
type Rule = Option<Arc<Expression>>;

impl Authorization {
    /// Reads one policy's rules. The real controller does not look into expressions, and an
    /// unusable one is never true in the real proxy; here one that denies refuses everybody instead.
    pub(in crate::gateway) fn read(spec: &Value) -> Result<Authorization, String> {
        let rules = texts(spec, &["policy", "matchExpressions"]);
        let rules = rules
            .iter()
            .map(|rule| Expression::compile(rule).ok().map(Arc::new));
        let rules = rules.collect();
        match text_or(spec, &["action"], "Allow") {
            "Allow" => Ok(Authorization {
                allow: rules,
                deny: Vec::new(),
            }),
            "Deny" => Ok(Authorization {
                allow: Vec::new(),
                deny: rules,
            }),
            other => Err(format!("unsupported authorization action {other:?}")),
        }
    }

    /// The rules of two policies together.
    pub fn and(mut self, other: &Authorization) -> Authorization {
        self.allow.extend_from_slice(&other.allow);
        self.deny.extend_from_slice(&other.deny);
        self
    }

    pub fn needs(&self) -> Needs {
        let rules = self.allow.iter().chain(&self.deny).flatten();
        rules.fold(Needs::default(), |needs, rule| needs.and(rule.needs()))
    }

    /// Refused is who some rule denies, and who no rule allows: with rules that only deny, that is
    /// everybody (facts 17.9).
    pub(in crate::gateway) fn check(&self, facts: &Facts<'_>) -> Result<(), Refusal> {
        match self.allows(facts) {
            true => Ok(()),
            false => Err(Refusal::authorization()),
        }
    }

    pub(in crate::gateway) fn allows(&self, facts: &Facts<'_>) -> bool {
        let denies = |rule: &Rule| rule.as_ref().is_none_or(|rule| rule.holds(facts));
        let allows = |rule: &Rule| rule.as_ref().is_some_and(|rule| rule.holds(facts));
        !self.deny.iter().any(denies) && self.allow.iter().any(allows)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn rules(action: &str, expressions: &[&str]) -> Authorization {
        let spec = json!({"action": action, "policy": {"matchExpressions": expressions}});
        Authorization::read(&spec).unwrap()
    }

    #[test]
    fn who_no_rule_allows_is_refused_and_who_one_denies_too() {
        let (yes, no, broken) = ("true", "false", "(");
        let table = [
            (vec![rules("Allow", &[yes])], true),
            (vec![rules("Allow", &[no])], false),
            (vec![rules("Allow", &[no, yes])], true),
            // Only rules that deny: nobody is let in, whether they match or not (facts 17.9).
            (vec![rules("Deny", &[no])], false),
            (vec![rules("Deny", &[yes])], false),
            (vec![rules("Allow", &[yes]), rules("Deny", &[no])], true),
            (vec![rules("Allow", &[yes]), rules("Deny", &[yes])], false),
            (vec![rules("Allow", &[no]), rules("Allow", &[yes])], true),
            // What can't be evaluated allows nobody, and lets nobody through.
            (vec![rules("Allow", &["jwt.sub == 'ann'"])], false),
            (vec![rules("Allow", &["'text'"])], false),
            (vec![rules("Allow", &[broken])], false),
            (
                vec![rules("Allow", &[yes]), rules("Deny", &[broken])],
                false,
            ),
        ];
        for (sets, expected) in table {
            let all = sets
                .iter()
                .fold(Authorization::default(), |all, set| all.and(set));
            let allowed = all.check(&Facts::default()).is_ok();
            assert_eq!(allowed, expected, "{sets:?}");
        }
    }

    #[test]
    fn actions_that_the_crd_does_not_have_are_named() {
        let spec = json!({"action": "Maybe", "policy": {"matchExpressions": ["true"]}});
        assert!(Authorization::read(&spec).unwrap_err().contains("Maybe"));
        let allow = json!({"policy": {"matchExpressions": ["true"]}});
        assert!(
            Authorization::read(&allow)
                .unwrap()
                .check(&Facts::default())
                .is_ok()
        );
    }
}
