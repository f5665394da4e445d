//! The routes of a profile: a path, a backend, changes to a request.

use super::field::{Field, Fields};
use super::header::headers;
use super::value::{name, reference, refuse_twins};
use super::{Backend, Headers, Route, duration, path};

const KNOWN: [&str; 5] = ["name", "path", "backend", "requestHeaders", "timeout"];

/// The routes as written, or one for each backend if none are.
pub fn routes(root: &Fields, backends: &[Backend]) -> Vec<Route> {
    let Some(field) = root.get("routes") else {
        return backends.iter().map(|b| plain(&b.name)).collect();
    };
    let items = field.items();
    if items.is_empty() {
        field.wrong(
            "has no routes, so nothing could be asked",
            "leave `routes` out for one route for each backend",
        );
    }
    let known: Vec<&str> = backends.iter().map(|b| b.name.as_str()).collect();
    let read: Vec<_> = items.iter().map(|item| route(item, &known)).collect();
    refuse_equal(&read);
    read.into_iter().map(|(route, _, _)| route).collect()
}

fn plain(backend: &str) -> Route {
    Route {
        name: backend.to_string(),
        path: format!("/{backend}"),
        backend: backend.to_string(),
        request_headers: Headers::default(),
        timeout: None,
    }
}

/// A route with the fields that say its name and its path.
type Placed<'a> = (Route, Field<'a>, Option<Field<'a>>);

fn route<'a>(item: &Field<'a>, backends: &[&str]) -> Placed<'a> {
    let Some(fields) = item.fields(&KNOWN) else {
        return (plain(""), item.clone(), None);
    };
    let backend = fields.need("backend", "the name of one of the backends");
    let mut route = plain(&match &backend {
        Some(field) => reference(field, "backend", backends),
        None => String::new(),
    });
    let named = fields.get("name");
    if let Some(field) = &named {
        route.name = name(field, 63);
        route.path = format!("/{}", route.name);
    }
    let placed = fields.get("path");
    if let Some(field) = &placed {
        route.path = path::prefix(field).unwrap_or_default();
    }
    if let Some(field) = fields.get("requestHeaders") {
        route.request_headers = headers(&field);
    }
    if let Some(field) = fields.get("timeout") {
        route.timeout = duration::timeout(&field);
    }
    let named = named.or(backend).unwrap_or_else(|| item.clone());
    (route, named, placed)
}

/// Notes equal names and equal paths; equal names with the paths that follow from them only once.
fn refuse_equal(routes: &[Placed]) {
    let names = routes
        .iter()
        .map(|(r, named, _)| (named.clone(), r.name.clone()));
    let twins = refuse_twins("route name", &names.collect::<Vec<_>>());
    let paths = routes.iter().enumerate();
    let paths = paths.filter(|(index, (_, _, placed))| placed.is_some() || !twins.contains(index));
    let paths = paths.map(|(_, (r, named, placed))| match placed {
        Some(field) => (field.clone(), r.path.clone()),
        // A name that couldn't be read has no path to compare.
        None if r.name.is_empty() => (named.clone(), String::new()),
        None => (named.clone(), r.path.clone()),
    });
    refuse_twins("path", &paths.collect::<Vec<_>>());
}
