//! What a backend's own `ai` policies must do: guards, prompts, aliases, defaults (facts 7.2, 9.5).

use super::super::case::{Case, Sight, Sort};
use super::super::form::Form;
use super::super::installed::{items, name, namespace, word};
use super::{Derived, Seen, Sources, copy, sample};
use serde_json::{Value, json};

/// What a rejected caller is told where nothing else is set (facts 9.7).
const REJECTED: &str = "The request was rejected due to inappropriate content";

pub fn cases(sources: &Sources<'_>, seen: &Seen<'_>, derived: &mut Derived) {
    let Some(backend) = seen.backend.filter(|_| seen.is_llm) else {
        return;
    };
    let mut cases = Vec::new();
    for (owner, ai) in policies(sources, backend) {
        let one = One { seen, owner, ai };
        one.guards(&mut cases);
        one.prompts(&mut cases);
        one.fields(&mut cases);
        one.aliases(&mut cases);
    }
    if seen.limited.is_some() && !cases.is_empty() {
        let copy = copy::wide(sources, seen.way);
        cases.iter_mut().for_each(|case| copy.carry(case, seen));
        derived.add(copy);
    }
    derived.cases.extend(cases);
}

/// The backend's own word on `ai`, else that of a policy for it; the own one beats the other (facts 7.1).
fn policies<'a>(sources: &'a Sources<'_>, backend: &'a Value) -> Vec<(&'a Value, &'a Value)> {
    if let Some(ai) = backend.pointer("/spec/policies/ai") {
        return vec![(backend, ai)];
    }
    let targets = |policy: &&Value| {
        items(policy, "/spec/targetRefs").iter().any(|target| {
            word(target, "/kind") == "AgentgatewayBackend"
                && word(target, "/name") == name(backend)
                && namespace(policy) == namespace(backend)
        })
    };
    let found = sources.installed.all("AgentgatewayPolicy").filter(targets);
    found
        .filter_map(|policy| Some((policy, policy.pointer("/spec/backend/ai")?)))
        .collect()
}

struct One<'a> {
    seen: &'a Seen<'a>,
    /// The object that says it.
    owner: &'a Value,
    ai: &'a Value,
}

impl One<'_> {
    fn case(&self, suffix: &str, title: String, said: &str) -> Case {
        let behind = &self.seen.behind;
        let mut case = self
            .seen
            .case(suffix, title, Sort::Policy, Form::Completions.path());
        let mut body = Form::Completions.body(&behind.model, false, behind.provider);
        if !said.is_empty() {
            body["messages"] = json!([{"role": "user", "content": said}]);
        }
        case.ask.body = Some(body);
        case.tokens = Form::Completions.tokens(&behind.model);
        case.lane = self.seen.lane();
        let what = format!(
            "{} {} does not do what it says",
            word(self.owner, "/kind"),
            name(self.owner)
        );
        case.means = Some((what, "gw up".to_string()));
        case
    }

    fn guards(&self, cases: &mut Vec<Case>) {
        for (place, guard) in items(self.ai, "/promptGuard/request").iter().enumerate() {
            let Some(regex) = guard.get("regex") else {
                let title = format!("{} asks its guard", self.seen.shown_path);
                let mut case = self.case(&format!("guard.{place}"), title, "");
                case.unasked =
                    Some("what its guard rejects is its own: write a test of your own".to_string());
                cases.push(case);
                continue;
            };
            let rejects = word(regex, "/action") == "Reject";
            let builtins = items(regex, "/builtins").iter().filter_map(Value::as_str);
            let builtins = builtins.map(|name| (name, sample::builtin(name).map(str::to_string)));
            let own = items(regex, "/matches").iter().filter_map(Value::as_str);
            let own = own.map(|pattern| (pattern, sample::of(pattern)));
            for (number, (pattern, text)) in builtins.chain(own).enumerate() {
                let suffix = format!("guard.{place}.{number}");
                cases.push(match rejects {
                    true => self.rejects(&suffix, pattern, text, guard),
                    false => self.masks(&suffix, pattern, text),
                });
            }
        }
        if !items(self.ai, "/promptGuard/response").is_empty() {
            let title = format!("{} guards its answers", self.seen.shown_path);
            let mut case = self.case("guard.answers", title, "");
            case.unasked = Some("a model says what it says: write a test of your own".to_string());
            cases.push(case);
        }
    }

    fn rejects(&self, suffix: &str, pattern: &str, text: Option<String>, guard: &Value) -> Case {
        let title = format!("{} rejects {pattern}", self.seen.shown_path);
        let said = text.as_deref().unwrap_or_default();
        let mut case = self.case(suffix, title, said);
        let status = guard
            .pointer("/response/statusCode")
            .and_then(Value::as_u64);
        case.expect.status = vec![status.and_then(|s| u16::try_from(s).ok()).unwrap_or(403)];
        let message = guard.pointer("/response/message").and_then(Value::as_str);
        case.expect.contains = Some(message.unwrap_or(REJECTED).to_string());
        case.unasked = case.unasked.or_else(|| unsampled(text.is_none()));
        case
    }

    fn masks(&self, suffix: &str, pattern: &str, text: Option<String>) -> Case {
        let title = format!("{} masks {pattern}", self.seen.shown_path);
        let said = text.clone().unwrap_or_default();
        let mut case = self.case(suffix, title, &said);
        case.expect.sights = vec![Sight::NoText(said)];
        case.unasked = case.unasked.or_else(|| unsampled(text.is_none()));
        case
    }

    fn prompts(&self, cases: &mut Vec<Case>) {
        for part in ["prepend", "append"] {
            let said = items(self.ai, &format!("/prompt/{part}")).iter();
            for (number, message) in said.enumerate() {
                let title = format!("{} adds to the prompt", self.seen.shown_path);
                let mut case = self.case(&format!("prompt.{part}.{number}"), title, "");
                // As it stands in JSON, without the quotes around it.
                let text = message["content"].to_string();
                let text = text.trim_matches('"').to_string();
                case.expect.sights = vec![Sight::Text(text)];
                cases.push(case);
            }
        }
    }

    fn fields(&self, cases: &mut Vec<Case>) {
        let lists = [("overrides", true), ("defaults", false)];
        for (list, replaces) in lists {
            for item in items(self.ai, &format!("/{list}")) {
                let field = word(item, "/field");
                // The model is seen in the route's own answer.
                if field == "model" || item["value"].is_object() || item["value"].is_array() {
                    continue;
                }
                let title = format!("{} sends its own {field}", self.seen.shown_path);
                let mut case = self.case(&format!("{list}.{field}"), title, "");
                if let Some(body) = case.ask.body.as_mut().and_then(Value::as_object_mut)
                    && !replaces
                {
                    body.shift_remove(field);
                }
                let text = format!("\"{field}\":{}", item["value"]);
                case.expect.sights = vec![Sight::Text(text)];
                cases.push(case);
            }
        }
    }

    /// Where the backend has no model of its own, a client's alias becomes the model it stands for.
    fn aliases(&self, cases: &mut Vec<Case>) {
        let fixed = self
            .seen
            .backend
            .and_then(super::provider)
            .map_or("", super::fixed_model);
        let aliases = self.ai["modelAliases"].as_object();
        if !fixed.is_empty() {
            return;
        }
        for (alias, model) in aliases.into_iter().flatten() {
            let (false, Some(model)) = (alias.contains('*'), model.as_str()) else {
                continue;
            };
            let title = format!("{} takes {alias} for {model}", self.seen.shown_path);
            let mut case = self.case(&format!("alias.{alias}"), title, "");
            if let Some(body) = &mut case.ask.body {
                body["model"] = alias.as_str().into();
            }
            case.expect.answer = Some(super::super::case::Answered {
                form: Form::Completions,
                stream: false,
                models: vec![model.to_string()],
            });
            cases.push(case);
        }
    }
}

fn unsampled(is: bool) -> Option<String> {
    is.then(|| "no text was found that its pattern takes: write a test of your own".to_string())
}
