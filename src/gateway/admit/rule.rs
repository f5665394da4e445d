//! The conditions of the CRDs, in CEL (Kubernetes, "Validation rules").

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

use cel::extractors::This;
use cel::parser::{Expression, PrattParser};
use cel::{Context, Value as Cel};
use serde_json::{Map, Value};

use super::schema::{Rule, Schema};
use super::{Fault, Path, Step};
use crate::text;

/// A field whose name is a word of CEL is written so in rules.
const ESCAPED: &str = "__namespace__";

static PROGRAMS: Mutex<BTreeMap<String, Option<Arc<Expression>>>> = Mutex::new(BTreeMap::new());

thread_local! {
    /// Making one takes longer than most rules.
    static FUNCTIONS: Context<'static, 'static> = {
        let mut context = Context::default();
        // Refused only where there is one already, and then that one serves.
        let _ = context.add_function("split", split);
        context
    };
}

/// Every condition that does not hold, for values that are sound in structure.
pub(super) fn check(schema: &Schema, value: &Value, path: Path) -> Vec<Fault> {
    let mut faults = Vec::new();
    walk(schema, value, &mut path.clone(), &mut faults);
    faults
}

fn walk(schema: &Schema, value: &Value, path: &mut Path, faults: &mut Vec<Fault>) {
    if !schema.rules.is_empty() {
        let broken = broken(&schema.rules, value);
        faults.extend(broken.into_iter().map(|rule| Fault {
            path: path.clone(),
            what: format!("Invalid value: {}: {}", shown(value), said(rule)),
            hint: String::new(),
            at_name: false,
        }));
    }
    match value {
        Value::Object(fields) => {
            for (name, value) in fields {
                let known = schema.properties.get(name);
                let step = match known {
                    Some(_) => Step::Field(name.clone()),
                    None => Step::Key(name.clone()),
                };
                if let Some(inner) = known.or(schema.others.as_deref()) {
                    path.0.push(step);
                    walk(inner, value, path, faults);
                    path.0.pop();
                }
            }
        }
        Value::Array(items) => {
            for (index, item) in items.iter().enumerate() {
                if let Some(inner) = &schema.items {
                    path.0.push(Step::Index(index));
                    walk(inner, item, path, faults);
                    path.0.pop();
                }
            }
        }
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
    }
}

fn broken<'r>(rules: &'r [Rule], value: &Value) -> Vec<&'r Rule> {
    let plain = cel::to_value(value).unwrap_or(Cel::Null);
    FUNCTIONS.with(|functions| {
        let holds = |rule: &Rule| {
            let Some(program) = program(&rule.rule) else {
                return true;
            };
            let mut context = functions.new_inner_scope();
            let own = match rule.rule.contains(ESCAPED) {
                true => cel::to_value(escaped(value)).unwrap_or(Cel::Null),
                false => plain.clone(),
            };
            context.add_variable_from_value("self", own);
            // What can't be evaluated is no proof against the writer.
            !matches!(Cel::resolve(&program, &context), Ok(Cel::Bool(false)))
        };
        rules.iter().filter(|rule| !holds(rule)).collect()
    })
}

/// Rules about a change from an old object have nothing to compare here.
fn program(rule: &str) -> Option<Arc<Expression>> {
    if rule.contains("oldSelf") {
        return None;
    }
    let mut known = PROGRAMS.lock().unwrap_or_else(PoisonError::into_inner);
    if let Some(program) = known.get(rule) {
        return program.clone();
    }
    // The library's usual parser takes some twenty times as long, and keeps half a MB of tables.
    let program = PrattParser::new().parse(rule).ok().map(Arc::new);
    known.insert(rule.to_string(), program.clone());
    program
}

pub(super) fn forget() {
    let mut known = PROGRAMS.lock().unwrap_or_else(PoisonError::into_inner);
    known.clear();
}

fn escaped(value: &Value) -> Value {
    match value {
        Value::Object(fields) => {
            let renamed = fields.iter().map(|(name, value)| {
                let name = if name == "namespace" { ESCAPED } else { name };
                (name.to_string(), escaped(value))
            });
            Value::Object(renamed.collect::<Map<_, _>>())
        }
        Value::Array(items) => items.iter().map(escaped).collect(),
        other => other.clone(),
    }
}

/// `split` is of Kubernetes' own library.
fn split(This(text): This<Arc<String>>, separator: Arc<String>) -> Cel {
    let parts = text.split(separator.as_str());
    let parts: Vec<Cel> = parts
        .map(|part| Cel::String(Arc::new(part.to_string())))
        .collect();
    Cel::List(Arc::new(parts))
}

/// An API server names the sort of a whole object, and quotes a plain value.
fn shown(value: &Value) -> String {
    match value {
        Value::Object(_) => "\"object\"".to_string(),
        Value::Array(_) => "\"array\"".to_string(),
        Value::String(text) => format!("{:?}", text::excerpt(text, 60)),
        other => other.to_string(),
    }
}

fn said(rule: &Rule) -> String {
    match &rule.message {
        Some(message) => message.clone(),
        None => format!("failed rule: {}", rule.rule),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::gateway::admit::schema;
    use serde_json::json;

    #[test]
    fn every_rule_of_every_schema_is_understood() {
        fn rules<'a>(schema: &'a Schema, found: &mut Vec<&'a str>) {
            found.extend(schema.rules.iter().map(|rule| rule.rule.as_str()));
            schema
                .properties
                .values()
                .for_each(|inner| rules(inner, found));
            schema.others.iter().for_each(|inner| rules(inner, found));
            schema.items.iter().for_each(|inner| rules(inner, found));
        }
        let kinds = [
            "Gateway",
            "HTTPRoute",
            "ReferenceGrant",
            "AgentgatewayBackend",
            "AgentgatewayPolicy",
            "AgentgatewayParameters",
        ];
        let schemas = kinds.map(|kind| schema::of(kind).unwrap());
        let mut found = Vec::new();
        for schema in &schemas {
            rules(schema, &mut found);
        }
        assert!(found.len() > 200, "{}", found.len());
        // Both parsers of the library read the same, but for the numbers that they give.
        let number = regex::Regex::new(r"\bid: \d+").unwrap();
        for rule in found.iter().filter(|rule| !rule.contains("oldSelf")) {
            let plain = |parsed: &Expression| {
                let shown = format!("{parsed:?}");
                number.replace_all(&shown, "").into_owned()
            };
            let other = cel::Program::compile(rule).unwrap();
            let read = program(rule).unwrap_or_else(|| panic!("{rule}"));
            assert_eq!(plain(&read), plain(other.expression()), "{rule}");
        }
    }

    #[test]
    fn the_functions_that_rules_use_work_as_in_kubernetes() {
        let table = [
            ("matches(self.a, '^x+$')", true),
            ("matches(self.a, '^y$')", false),
            ("self.a.matches(r\"\"\"^x\\w$\"\"\")", true),
            ("duration(self.d) >= duration('100ms')", true),
            ("duration(self.d) >= duration('5m')", false),
            ("self.a.split('/')[0].size() < 253", true),
            (
                "has(self.__namespace__) && self.__namespace__ == 'ns'",
                true,
            ),
            (
                "'k' in self.map && self.map.all(key, key.startsWith('k'))",
                true,
            ),
            (
                "size(self.list) == 2 && self.list.exists_one(i, i == 'b')",
                true,
            ),
            (
                "[has(self.a), has(self.no)].filter(x, x == true).size() == 2",
                false,
            ),
        ];
        let value =
            json!({"a": "xx", "d": "1s", "namespace": "ns", "map": {"k": 1}, "list": ["a", "b"]});
        for (rule, expected) in table {
            let rules = [Rule {
                rule: rule.to_string(),
                message: None,
            }];
            assert_eq!(broken(&rules, &value).is_empty(), expected, "{rule}");
            let program = program(rule).unwrap();
            FUNCTIONS.with(|functions| {
                let mut context = functions.new_inner_scope();
                context.add_variable_from_value("self", cel::to_value(escaped(&value)).unwrap());
                assert_eq!(
                    Cel::resolve(&program, &context),
                    Ok(Cel::Bool(expected)),
                    "{rule}"
                );
            });
        }
    }
}
