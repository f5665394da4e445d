//! Cases of a route itself: every API that its backend speaks, whole and as a stream, and what it
//! must refuse.

use super::super::case::{Answered, Case, Expect, Shown, Sight, Sort};
use super::super::form::Form;
use super::super::installed::{PathMatch, items, word};
use super::{Derived, Seen, Sources, Wants, copy, is_native};
use crate::provider::Provider;
use serde_json::{Value, json};

pub fn cases(sources: &Sources<'_>, seen: &Seen<'_>, derived: &mut Derived) {
    let mut cases = Vec::new();
    if seen.is_llm {
        llm(seen, &mut cases);
    } else if seen.is_mcp {
        cases.push(tools(seen));
    } else {
        cases.extend(plain(seen));
    }
    if let Some(counted) = seen.limited {
        // The bucket is the people's: what takes from it goes through a copy with one of its own.
        let copy = copy::wide(sources, seen.way);
        let takes = |case: &&mut Case| counted == copy::Small::Requests || !case.lane.is_empty();
        let taking = cases.iter_mut().filter(takes);
        taking.for_each(|case| copy.carry(case, seen));
        derived.add(copy);
    }
    // Who shows nothing is refused before anything is counted (facts 9.1).
    cases.extend(credentials(seen));
    derived.cases.extend(cases);
}

/// What a backend's route types name, each with the path that asks for it; without any all is a chat
/// completion (facts 9.2).
fn forms(seen: &Seen<'_>) -> Vec<(Form, String)> {
    let types = seen
        .backend
        .and_then(|b| b.pointer("/spec/policies/ai/routes"));
    let Some(types) = types.and_then(Value::as_object).filter(|t| !t.is_empty()) else {
        return vec![(Form::Completions, Form::Completions.path().to_string())];
    };
    let named = types.iter().filter_map(|(suffix, kind)| {
        let form = Form::named(kind.as_str()?)?;
        let path = match suffix.starts_with('/') {
            true => suffix.clone(),
            false => form.path().to_string(),
        };
        Some((form, path))
    });
    let mut forms: Vec<(Form, String)> = named.collect();
    // The one that most clients speak is the route's own case.
    forms.sort_by_key(|(form, _)| *form != Form::Completions);
    forms
}

fn llm(seen: &Seen<'_>, cases: &mut Vec<Case>) {
    let forms = forms(seen);
    for (number, (form, path)) in forms.iter().enumerate() {
        let suffix = match number {
            0 => String::new(),
            _ => form.name().to_string(),
        };
        cases.push(answer(seen, *form, path, &suffix, false));
        if form.streams() {
            let suffix = match number {
                0 => "stream".to_string(),
                _ => format!("{}.stream", form.name()),
            };
            cases.push(answer(seen, *form, path, &suffix, true));
        }
    }
    if let Some((form, path)) = forms.first() {
        cases.extend(get(seen, *form, path));
        cases.extend(rewritten(seen, *form, path));
    }
}

fn answer(seen: &Seen<'_>, form: Form, path: &str, suffix: &str, stream: bool) -> Case {
    let (sort, title) = match (stream, form) {
        (false, Form::Completions) => (Sort::Answer, format!("{} answers a POST", seen.shown_path)),
        (false, form) => (
            Sort::Answer,
            format!("{} answers {}", seen.shown_path, form.name()),
        ),
        (true, Form::Completions) => (Sort::Stream, format!("{} streams", seen.shown_path)),
        (true, form) => (
            Sort::Stream,
            format!("{} streams {}", seen.shown_path, form.name()),
        ),
    };
    let mut case = seen.case(suffix, title, sort, path);
    case.is_main = suffix.is_empty();
    if !case.is_main && !is_first(seen, form) {
        // A route type is a claim of ours about a provider, and some have only a part of the API.
        case.soft = Some(format!(
            "{} does not serve {}",
            seen.behind.title,
            form.name()
        ));
    }
    let mut model = seen.behind.model.as_str();
    let mut models = seen.models.clone();
    if form == Form::Embeddings {
        (model, models) = embeds(seen, &mut case);
    }
    case.tokens = form.tokens(model);
    case.ask.body = Some(form.body(model, stream, seen.behind.provider));
    case.lane = seen.lane();
    case.expect.answer = Some(Answered {
        form,
        stream,
        models,
    });
    case
}

fn is_first(seen: &Seen<'_>, form: Form) -> bool {
    forms(seen).first().is_some_and(|(first, _)| *first == form)
}

/// The model for embeddings: a model that chats has none.
fn embeds<'a>(seen: &'a Seen<'_>, case: &mut Case) -> (&'a str, Vec<String>) {
    let fixed = seen
        .backend
        .and_then(super::provider)
        .map_or("", super::fixed_model);
    match (fixed, seen.behind.provider) {
        (fixed, _) if fixed.contains("embed") || fixed == "mock" => (fixed, seen.models.clone()),
        ("", Provider::OpenAi | Provider::AzureOpenAi) => (
            "text-embedding-3-small",
            vec!["text-embedding-3-small".to_string()],
        ),
        _ => {
            case.unasked = Some("the backend's model is no model for embeddings".to_string());
            ("", Vec::new())
        }
    }
}

/// A GET is refused by the proxy before anything behind it is reached (facts 9.7).
fn get(seen: &Seen<'_>, form: Form, path: &str) -> Option<Case> {
    if seen.way.method.is_some() || !form.counts_output() {
        return None;
    }
    let title = format!("{} refuses a GET", seen.shown_path);
    let mut case = seen.case("get", title, Sort::Refusal, path);
    case.ask.method = "GET".to_string();
    case.expect = Expect {
        status: vec![503],
        contains: Some("processing failed: failed to parse request".to_string()),
        ..Expect::default()
    };
    case.means = Some((
        "what answers is not the proxy's own reading of a model's request: the route leads elsewhere"
            .to_string(),
        "gw status".to_string(),
    ));
    Some(case)
}

/// The path that comes upstream, where upstream tells.
fn rewritten(seen: &Seen<'_>, form: Form, path: &str) -> Option<Case> {
    if !seen.is_mock() || !is_native(form, seen.behind.speaks) {
        return None;
    }
    let provider = super::provider(seen.backend?)?;
    let sent = match word(provider, "/path") {
        "" => upstream_path(seen, path)?,
        fixed => fixed.to_string(),
    };
    let title = format!("{} asks upstream at {sent}", seen.shown_path);
    let mut case = answer(seen, form, path, "path", false);
    (case.title, case.sort) = (title, Sort::Policy);
    case.expect.sights = vec![Sight::Path(sent)];
    case.means = Some((
        "the rewrite of the path does not do what the route says".to_string(),
        "gw up".to_string(),
    ));
    Some(case)
}

/// A client's path after the rule's rewrite.
fn upstream_path(seen: &Seen<'_>, path: &str) -> Option<String> {
    let client = seen.client_path(path)?;
    let client = client.split('?').next().unwrap_or_default();
    let mut filters = items(&seen.way.rule, "/filters").iter();
    let rewrite = filters.rfind(|f| word(f, "/type") == "URLRewrite");
    let Some(rewrite) = rewrite else {
        return Some(client.to_string());
    };
    if let Some(whole) = rewrite.pointer("/urlRewrite/path/replaceFullPath") {
        return whole.as_str().map(str::to_string);
    }
    match (
        &seen.way.path,
        rewrite.pointer("/urlRewrite/path/replacePrefixMatch"),
    ) {
        (_, None) => Some(client.to_string()),
        (PathMatch::Prefix(prefix), Some(instead)) => {
            let rest = client.strip_prefix(prefix.trim_end_matches('/'))?;
            Some(format!("{}{rest}", instead.as_str()?.trim_end_matches('/')))
        }
        (PathMatch::Exact(_) | PathMatch::Regex(_), Some(_)) => None,
    }
}

fn tools(seen: &Seen<'_>) -> Case {
    let title = format!("{} lists its tools and calls one", seen.shown_path);
    let mut case = seen.case("", title, Sort::Answer, "");
    case.is_main = true;
    case.expect.tools = true;
    case.lane = seen.lane();
    case
}

/// A route to something that is no model: whoever is behind it answers, whatever they say; or the
/// route itself answers.
fn plain(seen: &Seen<'_>) -> Option<Case> {
    let mut case = seen.case("", String::new(), Sort::Answer, "");
    case.ask.method = seen.way.method.clone().unwrap_or_else(|| "GET".to_string());
    let mut filters = items(&seen.way.rule, "/filters").iter();
    let redirect = filters.rfind(|f| word(f, "/type") == "RequestRedirect");
    if let Some(redirect) = redirect {
        let status = redirect.pointer("/requestRedirect/statusCode");
        let status = status.and_then(Value::as_u64).unwrap_or(302);
        case.title = format!("{} redirects", seen.shown_path);
        case.expect.status = vec![u16::try_from(status).unwrap_or(302)];
        return Some(case);
    }
    if items(&seen.way.rule, "/backendRefs").is_empty() {
        return None;
    }
    case.title = format!("{} reaches {}", seen.shown_path, seen.behind.title);
    case.lane = seen.lane();
    case.expect.upstream = true;
    Some(case)
}

/// Without what the route wants, and with something else, nobody is answered.
fn credentials(seen: &Seen<'_>) -> Vec<Case> {
    let path = match seen.is_llm {
        true => Form::Completions.path(),
        false => "",
    };
    let refused = |suffix: &str, title: String, shown: Shown| {
        let mut case = seen.case(suffix, title, Sort::Refusal, path);
        case.ask.shown = shown;
        case.ask.body = Some(json!({}));
        case.expect.status = vec![401];
        case.means = Some((
            "whoever comes by is answered, at the cost of whoever pays".to_string(),
            "gw up".to_string(),
        ));
        case
    };
    let none = || {
        refused(
            "no-key",
            format!("{} refuses who shows nothing", seen.shown_path),
            Shown::Nothing,
        )
    };
    let wrong = || {
        refused(
            "wrong-key",
            format!("{} refuses a wrong key", seen.shown_path),
            Shown::Wrong,
        )
    };
    match seen.wants {
        Wants::Nothing => Vec::new(),
        Wants::Optional => vec![wrong()],
        Wants::Strict => vec![none(), wrong()],
    }
}
