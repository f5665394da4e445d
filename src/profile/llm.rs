//! A backend that is a provider's models: which of them, where, and with which key.

use super::address::address;
use super::field::{Field, Fields};
use super::problem::quote;
use super::suggest::among;
use super::value::filled;
use super::{Gateway, Llm, source};
use crate::provider::check::AUTHORIZATION;
use crate::provider::{Form, Home, Key, Provider, bedrock};
use std::collections::BTreeMap;

pub const FIELDS: [&str; 16] = [
    "provider",
    "model",
    "models",
    "aliases",
    "form",
    "port",
    "address",
    "endpoint",
    "deployment",
    "apiVersion",
    "project",
    "region",
    "key",
    "accessKey",
    "secretKey",
    SESSION,
];
const SESSION: &str = "sessionToken";
/// The CRD's own limit of a model's name (facts 6).
const LONGEST_MODEL: usize = 256;
const MOCK_FORMS: [Form; 3] = [Form::OpenAi, Form::Anthropic, Form::Gemini];

impl Llm {
    /// A provider as it is without a word more.
    pub fn of(provider: Provider) -> Llm {
        Llm {
            provider,
            model: None,
            models: Vec::new(),
            aliases: BTreeMap::new(),
            form: None,
            port: None,
            address: None,
            settings: BTreeMap::new(),
            keys: BTreeMap::new(),
        }
    }
}

pub fn llm(fields: &Fields, gateway: &Gateway) -> Llm {
    let provided = fields.need("provider", &format!("one of: {}", providers().join(", ")));
    let provider = provided
        .as_ref()
        .and_then(|field| field.one_of("a provider", &providers(), Provider::named));
    let mut llm = Llm::of(provider.unwrap_or(Provider::Mock));
    models(fields, &mut llm);
    llm.port = fields
        .get("port")
        .and_then(|f| f.number("a port", 1, u16::MAX));
    llm.address = fields.get("address").and_then(|f| address(&f));
    if let Some(field) = fields.get("form") {
        let named = |text: &str| MOCK_FORMS.into_iter().find(|form| form.name() == text);
        llm.form = field.one_of("a form", &MOCK_FORMS.map(Form::name), named);
    }
    keys(fields, &mut llm);
    let (Some(provider), Some(provided)) = (provider, provided) else {
        return llm;
    };
    settings(fields, &mut llm);
    refuse_strange(fields, provider);
    place(fields, &llm, &provided, gateway);
    llm
}

fn models(fields: &Fields, llm: &mut Llm) {
    let model = |field: &Field| {
        let text = filled(field)?;
        if text.len() > LONGEST_MODEL {
            field.wrong(
                "is longer than a model's name can be",
                "at most 256 characters",
            );
        }
        Some(text.to_string())
    };
    llm.model = fields.get("model").and_then(|field| model(&field));
    if let Some(field) = fields.get("models") {
        llm.models = field.items().iter().filter_map(model).collect();
        if let Some(one) = fields.get("model") {
            one.wrong(
                "replaces whatever model a client asks for, so `models` would be no choice",
                "keep one of `model` and `models`",
            );
        }
    }
    if let Some(field) = fields.get("aliases") {
        let pairs = field.pairs();
        let pairs = pairs.iter();
        let pairs = pairs.filter_map(|(entry, field)| Some((entry.key.clone(), model(field)?)));
        llm.aliases = pairs.collect();
        // Facts 9.5: the backend's model comes before the aliases.
        if fields.get("model").is_some() {
            field.wrong(
                "would never be used: `model` replaces what a client asks for",
                "name the models in `models` instead of `model`",
            );
        }
    }
}

fn keys(fields: &Fields, llm: &mut Llm) {
    let places = [
        ("key", AUTHORIZATION),
        (bedrock::PARTS[0].0, bedrock::PARTS[0].0),
        (bedrock::PARTS[1].0, bedrock::PARTS[1].0),
        (SESSION, SESSION),
    ];
    for (name, entry) in places {
        if let Some(source) = fields.get(name).and_then(|field| source::source(&field)) {
            llm.keys.insert(entry.to_string(), source);
        }
    }
    let has = |name: &str| fields.get(name).is_some();
    if has("accessKey") != has("secretKey") {
        fields.wrong(
            "has one half of an AWS key",
            "`accessKey` and `secretKey` belong together",
        );
    }
}

fn settings(fields: &Fields, llm: &mut Llm) {
    for setting in llm.provider.ways().settings {
        let Some(field) = fields.get(setting.field) else {
            continue;
        };
        let Some(text) = filled(&field) else { continue };
        let text = match setting.field {
            "endpoint" => crate::provider::azureopenai::host(text),
            _ => text,
        };
        let word = |c: char| c.is_ascii_alphanumeric() || "-._:/".contains(c);
        if text.len() > setting.longest || !text.chars().all(word) {
            field.wrong(
                format!("{} is not what `{}` can be", quote(text), setting.field),
                format!("for example `{}`", setting.example),
            );
        }
        llm.settings
            .insert(setting.field.to_string(), text.to_string());
    }
}

/// Fields that this provider has no use for.
fn refuse_strange(fields: &Fields, provider: Provider) {
    let ways = provider.ways();
    let mut known: Vec<&str> = vec!["provider", "model", "models", "aliases"];
    known.extend(ways.settings.iter().map(|setting| setting.field));
    if provider == Provider::AzureOpenAi {
        // Its CRD form has no model: the deployment is one (facts 6).
        known.retain(|name| !["model", "models", "aliases"].contains(name));
    }
    match ways.home {
        Home::Machine => known.push("port"),
        Home::Address => known.push("address"),
        Home::Cloud if matches!(ways.form, Form::OpenAi | Form::Anthropic | Form::Gemini) => {
            known.push("address");
        }
        Home::Cloud => {}
    }
    match ways.key {
        Key::None => {}
        Key::Optional | Key::Needed => known.push("key"),
        Key::Aws => known.extend(["key", "accessKey", "secretKey", SESSION]),
    }
    if provider == Provider::Mock {
        known.push("form");
    }
    for name in &FIELDS {
        if let Some(field) = fields.get(name).filter(|_| !known.contains(name)) {
            field.wrong(
                format!("`{name}` has no meaning for {}", ways.title),
                among(name, &known),
            );
        }
    }
}

fn place(fields: &Fields, llm: &Llm, provided: &Field, gateway: &Gateway) {
    let ways = llm.provider.ways();
    if ways.home == Home::Address && fields.get("address").is_none() {
        fields.wrong(
            "has no address",
            "for example `address: http://localhost:1234`",
        );
    }
    if let (Some(address), Some(field)) = (&llm.address, fields.get("address")) {
        if address.is_machine() {
            refuse_port(&field, address.port, gateway);
        }
        if address.is_machine() && address.tls {
            field.wrong(
                "is TLS on this machine",
                "a service of this machine is asked in plain HTTP",
            );
        }
    } else if ways.home == Home::Machine {
        let field = fields.get("port").unwrap_or_else(|| provided.clone());
        refuse_port(&field, llm.port.unwrap_or(ways.default_port), gateway);
    }
}

/// Both would listen on this machine, and the gateway would send requests to itself.
pub fn refuse_port(field: &Field, port: u16, gateway: &Gateway) {
    if port == gateway.port {
        let what = format!("port {port} is the gateway's own on this machine");
        field.wrong(
            what,
            format!("give the gateway {} another port", quote(&gateway.name)),
        );
    }
}

fn providers() -> Vec<&'static str> {
    Provider::ALL.map(|provider| provider.ways().name).to_vec()
}
