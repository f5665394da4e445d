//! HTTPRoute filters (facts 4.3, 9.1).

use http::header::HeaderValue;
use serde_json::Value;

use super::status::Problem;
use crate::gateway::config::{Filter, HeaderChange, PathChange, Redirect};
use crate::gateway::object::{dig, list, port, text};

/// Reads `filters` of a rule or of a backend reference. Every mistake drops the route.
pub(super) fn read(spec: &Value) -> Result<Vec<Filter>, Problem> {
    let here = list(spec, &["filters"]).iter();
    // Those of other kinds are read by whoever knows what they need.
    let here = here.filter(|f| !matches!(text(f, &["type"]), "RequestMirror" | "CORS"));
    let filters = here.map(filter);
    let filters = filters.collect::<Result<Vec<Filter>, Problem>>()?;
    let rewrites = filters.iter().any(|f| matches!(f, Filter::Rewrite { .. }));
    let redirects = filters.iter().any(|f| matches!(f, Filter::Redirect(_)));
    if rewrites && redirects {
        let message = "Cannot combine multiple terminal filters: RequestRedirect, URLRewrite";
        return Err(incompatible(message.to_string()));
    }
    Ok(filters)
}

fn incompatible(message: String) -> Problem {
    Problem::hard("IncompatibleFilters", message)
}

fn filter(spec: &Value) -> Result<Filter, Problem> {
    match text(spec, &["type"]) {
        "RequestHeaderModifier" => {
            change(dig(spec, &["requestHeaderModifier"])).map(Filter::RequestHeaders)
        }
        "ResponseHeaderModifier" => {
            change(dig(spec, &["responseHeaderModifier"])).map(Filter::ResponseHeaders)
        }
        "URLRewrite" => rewrite(dig(spec, &["urlRewrite"])),
        "RequestRedirect" => Ok(Filter::Redirect(redirect(dig(spec, &["requestRedirect"])))),
        "ExtensionRef" => {
            let (group, kind) = (
                text(spec, &["extensionRef", "group"]),
                text(spec, &["extensionRef", "kind"]),
            );
            Err(incompatible(format!(
                "unsupported ExtensionRef: {group}/{kind}"
            )))
        }
        other => Err(incompatible(format!("unsupported filter type {other:?}"))),
    }
}

fn change(spec: &Value) -> Result<HeaderChange, Problem> {
    HeaderChange::read(spec).map_err(incompatible)
}

fn rewrite(spec: &Value) -> Result<Filter, Problem> {
    let hostname = match text(spec, &["hostname"]) {
        "" => None,
        name => Some(
            HeaderValue::from_str(name)
                .map_err(|_| incompatible(format!("invalid hostname {name:?}")))?,
        ),
    };
    Ok(Filter::Rewrite {
        hostname,
        path: path_change(spec),
    })
}

fn path_change(spec: &Value) -> Option<PathChange> {
    let path = dig(spec, &["path"]);
    match text(path, &["type"]) {
        "ReplaceFullPath" => Some(PathChange::Full(
            text(path, &["replaceFullPath"]).to_string(),
        )),
        "ReplacePrefixMatch" => Some(PathChange::Prefix(
            text(path, &["replacePrefixMatch"]).to_string(),
        )),
        _ => None,
    }
}

fn redirect(spec: &Value) -> Redirect {
    let given = |field: &str| match text(spec, &[field]) {
        "" => None,
        value => Some(value.to_string()),
    };
    Redirect {
        scheme: given("scheme"),
        hostname: given("hostname"),
        port: Some(port(spec, &["port"])).filter(|port| *port != 0),
        path: path_change(spec),
        status: Some(port(spec, &["statusCode"]))
            .filter(|code| *code != 0)
            .unwrap_or(302),
    }
}
