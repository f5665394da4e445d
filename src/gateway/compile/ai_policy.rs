//! `policies.ai`: route types, enrichment, aliases and guards (facts 4.4, 7.2).

use std::sync::Arc;

use http::StatusCode;
use http::header::{HeaderName, HeaderValue};
use regex::RegexBuilder;
use serde_json::Value;

use super::{auth, callee, reference, tls};
use crate::gateway::config::Auth;
use crate::gateway::guard::{
    Guard, Guards, Kind, MODEL, Moderation, REJECTED, Rules, Said, Wanted, Webhook,
};
use crate::gateway::llm::{AiPolicy, Aliases, Caching, Fields, RouteTypes};
use crate::gateway::object::{World, dig, list, text, text_or};

/// Null is no policy.
pub(super) fn read(
    world: &World,
    place: &str,
    spec: &Value,
) -> Result<Option<Arc<AiPolicy>>, String> {
    if spec.is_null() {
        return Ok(None);
    }
    let guards = |side: &str| {
        let guards = list(spec, &["promptGuard", side]).iter();
        let guards = guards.map(|spec| guard(world, place, spec));
        guards.collect::<Result<Vec<_>, _>>()
    };
    Ok(Some(Arc::new(AiPolicy {
        routes: RouteTypes::read(dig(spec, &["routes"]))?,
        fields: Fields::read(spec),
        aliases: Aliases::read(dig(spec, &["modelAliases"])),
        prepend: said(list(spec, &["prompt", "prepend"])),
        append: said(list(spec, &["prompt", "append"])),
        caching: Caching::read(dig(spec, &["promptCaching"])),
        guards: Guards {
            request: guards("request")?,
            response: guards("response")?,
        },
    })))
}

fn said(messages: &[Value]) -> Vec<Said> {
    let said = |message: &Value| Said {
        role: text(message, &["role"]).to_string(),
        content: text(message, &["content"]).to_string(),
    };
    messages.iter().map(said).collect()
}

fn guard(world: &World, place: &str, spec: &Value) -> Result<Guard, String> {
    let given = |field: &str| spec.get(field).filter(|value| !value.is_null());
    let kind = match (given("regex"), given("webhook"), given("openAIModeration")) {
        (Some(rules), None, None) => Kind::Rules(Rules::read(rules)?),
        (None, Some(spec), None) => {
            let built = webhook(world, place, spec);
            let built = built.map_err(|cause| format!("failed to build webhook: {cause}"))?;
            Kind::Webhook(Box::new(built))
        }
        (None, None, Some(spec)) => Kind::Moderation(Box::new(moderation(world, place, spec)?)),
        _ => {
            let message =
                "exactly one of the fields in [regex webhook openAIModeration] must be set";
            return Err(message.to_string());
        }
    };
    let status = dig(spec, &["response", "statusCode"]).as_u64();
    let status = status.and_then(|status| StatusCode::from_u16(u16::try_from(status).ok()?).ok());
    Ok(Guard {
        kind,
        status: status.unwrap_or(StatusCode::FORBIDDEN),
        message: text_or(spec, &["response", "message"], REJECTED).to_string(),
    })
}

fn webhook(world: &World, home: &str, spec: &Value) -> Result<Webhook, String> {
    let headers = list(spec, &["forwardHeaderMatches"]).iter();
    let forwarded = headers.map(|header| {
        let name = text(header, &["name"]);
        let parsed: HeaderName = name
            .parse()
            .map_err(|_| format!("invalid header name {name:?}"))?;
        Ok((parsed, wanted(header)?))
    });
    Ok(Webhook {
        callee: callee::read(world, home, spec)?,
        forwarded: forwarded.collect::<Result<_, String>>()?,
    })
}

fn wanted(header: &Value) -> Result<Wanted, String> {
    let value = text(header, &["value"]);
    match text(header, &["type"]) {
        "RegularExpression" => RegexBuilder::new(&format!("^(?:{value})$"))
            .size_limit(1 << 20)
            .build()
            .map(Wanted::Regex)
            .map_err(|_| format!("invalid regular expression {value:?}")),
        _ => Ok(Wanted::Exact(value.to_string())),
    }
}

fn moderation(world: &World, place: &str, spec: &Value) -> Result<Moderation, String> {
    let policies = dig(spec, &["policies"]);
    let tls = tls::read(world, place, dig(policies, &["tls"]))?;
    Ok(Moderation {
        model: text_or(spec, &["model"], MODEL).to_string(),
        origin: reference::origin(world, "api.openai.com", 443, Some(tls.unwrap_or_default()))?,
        key: key(auth::read(world, place, dig(policies, &["auth"]))?),
    })
}

/// Only a bearer key means something to OpenAI.
fn key(auth: Option<Auth>) -> Option<HeaderValue> {
    match auth {
        Some(Auth::Bearer(value)) => Some(value),
        _ => None,
    }
}
