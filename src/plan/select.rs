//! Which backends of a profile are used on this machine, and with which model. Pure.

use crate::error::{Error, Exit, Result};
use crate::profile::{Backend, Profile};
use crate::provider::{Provider, ollama};
use crate::text;

/// The services of this machine that a plan can use, as found by `host` or given as a fixture.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Services {
    pub found: Vec<Service>,
    /// Port for the built-in mock provider: the one it already has, or a free one.
    pub mock_port: u16,
}

#[derive(Debug, Clone, PartialEq)]
pub struct Service {
    pub provider: Provider,
    pub port: u16,
    /// Models it has, in its own order.
    pub models: Vec<String>,
}

/// A backend that is used.
#[derive(Debug, Clone, PartialEq)]
pub struct Selected {
    pub name: String,
    pub provider: Provider,
    pub model: String,
    pub port: u16,
}

#[derive(Debug, Clone, PartialEq, Default)]
pub struct Selection {
    pub backends: Vec<Selected>,
    /// What was decided without asking, and why.
    pub notes: Vec<String>,
}

/// Takes every backend whose service answers; a fallback only where no other is there.
pub fn select(profile: &Profile, services: &Services) -> Result<Selection> {
    let mut selection = Selection::default();
    let mut reasons = Vec::new();
    for backend in profile.backends.iter().filter(|b| !b.fallback) {
        match choose(backend, services, &mut selection.notes) {
            Ok(selected) => selection.backends.push(selected),
            Err(error) if backend.required => return Err(error),
            Err(error) => reasons.push(error.what),
        }
    }
    if selection.backends.is_empty() {
        for backend in profile.backends.iter().filter(|b| b.fallback) {
            selection
                .backends
                .push(choose(backend, services, &mut selection.notes)?);
        }
        let names: Vec<&str> = selection.backends.iter().map(|b| b.name.as_str()).collect();
        if !names.is_empty() && !reasons.is_empty() {
            let instead = text::list(&names);
            selection
                .notes
                .push(format!("{}: using {instead} instead", text::list(&reasons)));
        }
    } else {
        selection
            .notes
            .extend(reasons.iter().map(|r| format!("left out: {r}")));
    }
    if selection.backends.is_empty() {
        let error = Error::new(
            "no backend of the profile is available",
            "gw up --profile default",
        );
        let error = reasons.into_iter().fold(error, Error::fact);
        return Err(error.exit(Exit::Usage));
    }
    Ok(selection)
}

fn choose(backend: &Backend, services: &Services, notes: &mut Vec<String>) -> Result<Selected> {
    let ways = backend.provider.ways();
    let selected = |port, model: &str| Selected {
        name: backend.name.clone(),
        provider: backend.provider,
        model: model.to_string(),
        port,
    };
    let wanted = backend.model.as_deref().unwrap_or(ways.default_model);
    if backend.provider == Provider::Mock {
        return Ok(selected(backend.port.unwrap_or(services.mock_port), wanted));
    }
    let port = backend.port.unwrap_or(ways.default_port);
    let service = services
        .found
        .iter()
        .find(|s| s.provider == backend.provider && s.port == port);
    let Some(service) = service else {
        let what = format!("{} does not answer on 127.0.0.1:{port}", ways.title);
        return Err(Error::new(what, ways.start));
    };
    let Some(first) = service.models.first() else {
        let what = format!("{} has no model", ways.title);
        return Err(Error::new(what, backend.provider.fetch_model(wanted)));
    };
    if service
        .models
        .iter()
        .any(|model| ollama::same_model(wanted, model))
    {
        return Ok(selected(port, wanted));
    }
    notes.push(format!(
        "{} has no {wanted}: using {first}; get it with: {}",
        ways.title,
        backend.provider.fetch_model(wanted)
    ));
    Ok(selected(port, first))
}
