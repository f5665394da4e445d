//! From what is installed to the cases that prove it. Pure: objects in, cases out.

mod copy;
mod guard;
mod object;
mod policy;
mod route;
mod sample;

pub use copy::{Copy, Small};
pub use object::{Fault, absent, faults, with_gone};

use super::case::{Ask, Behind, Case, Expect, Shown, Sort};
use super::form::Form;
use super::installed::{Installed, PathMatch, Way, items, name, namespace, word};
use crate::plan::{PlannedRoute, Served};
use crate::provider::{Form as Of, Home, Provider};
use serde_json::Value;
use std::time::Duration;

/// What cases are derived from.
pub struct Sources<'a> {
    /// As it is, with what was applied and has gone since: what is missing must turn a case red.
    pub installed: &'a Installed,
    /// What the profile knows of routes and objects do not say.
    pub planned: &'a [PlannedRoute],
    /// Makes the names of copies unguessable, and different in each run.
    pub nonce: &'a str,
}

#[derive(Debug, Default)]
pub struct Derived {
    pub cases: Vec<Case>,
    /// Copies of routes that some cases go through.
    pub copies: Vec<Copy>,
    /// Routes of others.
    pub others: Vec<String>,
}

/// How long an answer of somebody whose ways are not known may take.
const PATIENCE: Duration = Duration::from_secs(60);

/// Every case of every route; routes of others only with `all`.
pub fn derive(sources: &Sources<'_>, all: bool) -> Derived {
    let mut derived = Derived::default();
    let ways = sources.installed.ways();
    let (mine, others): (Vec<&Way>, Vec<&Way>) = ways.iter().partition(|way| way.ours);
    for way in &others {
        let title = format!("{}/{}", way.namespace, way.route);
        if !derived.others.contains(&title) {
            derived.others.push(title);
        }
    }
    let ways: Vec<&Way> = match all {
        true => mine.into_iter().chain(others).collect(),
        false => mine,
    };
    for way in &ways {
        let seen = Seen::of(sources, way);
        route::cases(sources, &seen, &mut derived);
        guard::cases(sources, &seen, &mut derived);
    }
    policy::cases(sources, &ways, &mut derived);
    // What two ways of deriving come to is asked once.
    let mut ids = std::collections::HashSet::new();
    derived.cases.retain(|case| ids.insert(case.id.clone()));
    derived
}

/// A way with everything that was found out about it.
pub(super) struct Seen<'a> {
    pub way: &'a Way,
    /// The first backend, if it is there.
    pub backend: Option<&'a Value>,
    /// Name of the first backend with its kind.
    pub backend_title: String,
    pub behind: Behind,
    pub models: Vec<String>,
    pub is_llm: bool,
    pub is_mcp: bool,
    /// A path under the way that its match takes; `None` where none could be made.
    pub path: Option<String>,
    /// As people type it.
    pub shown_path: String,
    /// Of the way (`Way::id`).
    pub id: String,
    pub wants: Wants,
    /// What a limit of it counts: a copy stands for it then.
    pub limited: Option<copy::Small>,
}

/// What a route asks its callers for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Wants {
    Nothing,
    /// A key, a password or a token; without it nobody is answered.
    Strict,
    /// Whoever shows a wrong one is refused; nobody has to show one.
    Optional,
}

impl<'a> Seen<'a> {
    pub fn of(sources: &'a Sources<'_>, way: &'a Way) -> Seen<'a> {
        let backends = sources.installed.backends(way);
        let first = backends.into_iter().next();
        let backend = first.as_ref().and_then(|(_, object)| *object);
        let planned = sources
            .planned
            .iter()
            .find(|p| p.name == way.route && way.ours);
        let is = |pointer: &str| backend.is_some_and(|b| b.pointer(pointer).is_some());
        let planned_chat = planned.map(|p| matches!(p.serves, Served::Chat { .. }));
        let gone = backend.is_none();
        let (behind, models) = behind(backend, planned);
        let shown_path = match &way.path {
            PathMatch::Prefix(path) | PathMatch::Exact(path) | PathMatch::Regex(path) => {
                path.clone()
            }
        };
        Seen {
            way,
            backend,
            backend_title: first.map(|(title, _)| title).unwrap_or_default(),
            is_llm: is("/spec/ai") || (gone && planned_chat == Some(true)),
            is_mcp: is("/spec/mcp") || (gone && planned_chat == Some(false)),
            behind,
            models,
            path: base_path(&way.path),
            shown_path,
            id: way.id(),
            wants: wants(sources.installed, way),
            limited: copy::limited(sources.installed, way),
        }
    }

    pub fn is_mock(&self) -> bool {
        self.behind.provider == Provider::Mock
    }

    /// Requests to one address are asked a few at a time.
    pub fn lane(&self) -> String {
        let provider = self.backend.and_then(|b| b.pointer("/spec/ai/provider"));
        match provider {
            Some(provider) if provider["host"].is_string() => {
                format!("{}:{}", word(provider, "/host"), provider["port"])
            }
            _ => self.backend_title.clone(),
        }
    }

    /// A path of a client's under the way.
    pub fn client_path(&self, suffix: &str) -> Option<String> {
        let base = self.path.as_deref()?;
        let path = match &self.way.path {
            PathMatch::Prefix(_) => format!("{}{suffix}", base.trim_end_matches('/')),
            PathMatch::Exact(_) | PathMatch::Regex(_) => base.to_string(),
        };
        let query = self.way.query.iter().flatten();
        let query: Vec<String> = query
            .map(|(name, value)| format!("{name}={value}"))
            .collect();
        Some(match query.is_empty() {
            true => path,
            false => format!("{path}?{}", query.join("&")),
        })
    }

    pub fn shown(&self) -> Shown {
        match self.wants {
            Wants::Strict => Shown::Right,
            Wants::Nothing | Wants::Optional => Shown::Nothing,
        }
    }

    /// A case that is to be filled in: a POST that shows what the route wants.
    pub fn case(&self, suffix: &str, title: String, sort: Sort, path: &str) -> Case {
        let way = self.way;
        let host = way.hosts.first().map(|host| host.replacen('*', "proof", 1));
        let mut unasked = None;
        let client_path = self.client_path(path);
        if client_path.is_none() || way.headers.is_none() || way.query.is_none() {
            unasked = Some("its match is an expression: write a test of your own".to_string());
        }
        let mut objects = vec![(
            "HTTPRoute".to_string(),
            way.namespace.clone(),
            way.route.clone(),
        )];
        if let Some(backend) = self.backend {
            objects.push((
                word(backend, "/kind").to_string(),
                namespace(backend).to_string(),
                name(backend).to_string(),
            ));
        }
        objects.push((
            "Gateway".to_string(),
            way.parent.namespace.clone(),
            way.parent.name.clone(),
        ));
        let id = match suffix {
            "" => self.id.clone(),
            suffix => format!("{}.{suffix}", self.id),
        };
        Case {
            id,
            title,
            sort,
            route: way.route.clone(),
            path: self.shown_path.clone(),
            ours: way.ours,
            objects,
            ask: Ask {
                method: way.method.clone().unwrap_or_else(|| "POST".to_string()),
                path: client_path.unwrap_or_default(),
                host,
                headers: way.headers.clone().unwrap_or_default(),
                shown: self.shown(),
                body: None,
            },
            expect: Expect::default(),
            behind: self.behind.clone(),
            lane: String::new(),
            tokens: (0, 0),
            unasked,
            is_main: false,
            soft: None,
            means: None,
            copy: None,
        }
    }
}

/// A path that a match takes, to which a suffix can be added where it is a prefix.
fn base_path(path: &PathMatch) -> Option<String> {
    match path {
        PathMatch::Prefix(path) | PathMatch::Exact(path) => Some(path.clone()),
        PathMatch::Regex(pattern) => sample::of(pattern).filter(|path| path.starts_with('/')),
    }
}

fn wants(installed: &Installed, way: &Way) -> Wants {
    let fields = [
        "apiKeyAuthentication",
        "basicAuthentication",
        "jwtAuthentication",
    ];
    let modes: Vec<&str> = fields
        .iter()
        .filter_map(|field| installed.traffic(way, field))
        .map(|(_, value)| match word(value, "/mode") {
            "" => "Strict",
            mode => mode,
        })
        .collect();
    match modes.as_slice() {
        [] => Wants::Nothing,
        modes if modes.contains(&"Strict") => Wants::Strict,
        modes if modes.contains(&"Optional") => Wants::Optional,
        _ => Wants::Nothing,
    }
}

/// The forms of v2.2, by the field that names them in a backend (facts 6).
const FORMS: [(&str, Provider); 6] = [
    ("openai", Provider::OpenAi),
    ("azureopenai", Provider::AzureOpenAi),
    ("anthropic", Provider::Anthropic),
    ("gemini", Provider::Gemini),
    ("vertexai", Provider::VertexAi),
    ("bedrock", Provider::Bedrock),
];

/// The provider of a backend: its only one, or the first of its groups.
pub fn provider(backend: &Value) -> Option<&Value> {
    let only = backend.pointer("/spec/ai/provider");
    only.or_else(|| items(backend, "/spec/ai/groups/0/providers").first())
}

/// The form of a provider's object.
pub fn form(provider: &Value) -> Option<Provider> {
    let found = FORMS
        .into_iter()
        .find(|(field, _)| !provider[*field].is_null());
    found.map(|(_, provider)| provider)
}

/// Who stands behind a backend, and of which models an answer may come.
fn behind(backend: Option<&Value>, planned: Option<&PlannedRoute>) -> (Behind, Vec<String>) {
    let fixed = backend.and_then(provider).map_or("", fixed_model);
    if let Some(planned) = planned {
        let (provider, model, mut models) = match &planned.serves {
            Served::Chat {
                provider,
                model,
                accepted,
            } => (*provider, model.clone(), accepted.clone()),
            Served::Tools => (Provider::OpenAiCompatible, String::new(), Vec::new()),
        };
        if models.is_empty() && !fixed.is_empty() {
            models = vec![fixed.to_string()];
        }
        let behind = Behind {
            provider,
            speaks: speaks(backend, provider),
            title: planned.serves.title().to_string(),
            model,
            port: provider.ways().default_port,
            patience: planned.patience,
        };
        return (behind, models);
    }
    (
        unplanned(backend, fixed),
        match fixed {
            "" => Vec::new(),
            model => vec![model.to_string()],
        },
    )
}

/// The model that replaces whatever a client asks for (facts 9.5).
pub fn fixed_model(provider: &Value) -> &str {
    let of = |(field, _): &(&str, Provider)| {
        let spec = &provider[*field];
        spec["model"].as_str().or(spec["deploymentName"].as_str())
    };
    FORMS.iter().find_map(of).unwrap_or("")
}

/// As much as a backend says of itself.
fn unplanned(backend: Option<&Value>, model: &str) -> Behind {
    let provider = backend.and_then(provider);
    let host = provider.map_or("", |p| word(p, "/host"));
    let of = provider.and_then(form);
    let known = match (of, host) {
        (Some(provider), "") => provider,
        // Whose server of the OpenAI form it is nobody knows.
        (Some(Provider::OpenAi), _) | (None, _) => Provider::OpenAiCompatible,
        (Some(provider), _) => provider,
    };
    let title = match (host, backend) {
        ("", Some(backend)) if of.is_none() => title_of(backend),
        ("", _) => known.ways().title.to_string(),
        (host, _) => host.to_string(),
    };
    let model = match (model, known.ways().home) {
        ("", Home::Cloud) => known.ways().default_model,
        (model, _) => model,
    };
    Behind {
        provider: known,
        speaks: speaks(backend, known),
        title,
        model: model.to_string(),
        port: 0,
        patience: PATIENCE,
    }
}

fn title_of(backend: &Value) -> String {
    match (
        word(backend, "/spec/static/host"),
        backend["spec"]["mcp"].is_object(),
    ) {
        ("", true) => "the MCP server".to_string(),
        ("", false) => name(backend).to_string(),
        (host, _) => host.to_string(),
    }
}

/// The form that a backend's object names; the provider's own where it names none.
fn speaks(backend: Option<&Value>, or: Provider) -> Of {
    let named = backend.and_then(provider).and_then(form);
    named.unwrap_or(or).ways().form
}

/// Whether a form is the provider's own, so that its streams have their own end and usage.
pub fn is_native(form: Form, speaks: Of) -> bool {
    match (form, speaks) {
        (Form::Completions, of) => matches!(of, Of::OpenAi | Of::Gemini | Of::AzureOpenAi),
        (Form::Messages, of) => of == Of::Anthropic,
        (Form::Responses, of) => matches!(of, Of::OpenAi | Of::AzureOpenAi),
        (Form::Embeddings | Form::TokenCount, _) => true,
    }
}

#[cfg(test)]
mod tests;
