//! One small request through each route, and what came back.

use super::Scene;
use crate::diagnose::snapshot::Probe;
use crate::host::mark;
use crate::host::web::{local, why};
use crate::plan::{PlannedRoute, Served};
use crate::provider::CHAT_PATH;
use crate::text;
use crate::verify::check::{Check, Verdict};
use crate::verify::credential::Credential;
use crate::verify::tools::{NONE, Tools};
use futures::future::join_all;
use serde_json::Value;
use std::time::{Duration, Instant};

/// A model may have to be loaded; a person who debugs does not wait for longer.
const DEADLINE: Duration = Duration::from_secs(30);
/// Enough of a body for every text that rules look for.
const BODY: usize = 600;

pub async fn all(scene: &Scene<'_>) -> Vec<Probe> {
    let base = scene.record.base_url.as_str();
    if base.is_empty() {
        return Vec::new();
    }
    let asked = scene.routes.iter().map(|(route, credential)| async move {
        let start = Instant::now();
        let probe = match &route.serves {
            Served::Chat { .. } => chat(base, route, credential).await,
            Served::Tools => tools(base, route, credential).await,
        };
        Probe {
            route: route.name.clone(),
            body: scene.vault.blot(&probe.body),
            why: scene.vault.blot(&probe.why),
            seconds: start.elapsed().as_secs_f64(),
            ..probe
        }
    });
    join_all(asked).await
}

async fn chat(base: &str, route: &PlannedRoute, credential: &Credential) -> Probe {
    let Served::Chat { provider, .. } = &route.serves else {
        return Probe::default();
    };
    let mut body = provider.probe();
    if !route.serves.model().is_empty() {
        body["model"] = route.serves.model().into();
    }
    let path = format!("{}{CHAT_PATH}", route.path);
    let request = local()
        .post(format!("{base}{path}"))
        .header("host", mark::host(&mark::new(), base))
        .timeout(DEADLINE)
        .json(&body);
    let sent = format!("POST {path}");
    if let Credential::Lacking(why) = credential {
        // Nobody but an issuer gives what this route asks for: a refusal is all that can be seen.
        let answer = request.send().await;
        let status = answer.map_or(0, |answer| answer.status().as_u16());
        return Probe {
            sent,
            status,
            good: status == 401,
            body: why.clone(),
            ..Probe::default()
        };
    }
    match credential.put(request).send().await {
        Err(error) => Probe {
            sent,
            body: why(&error),
            ..Probe::default()
        },
        Ok(answer) => {
            let status = answer.status().as_u16();
            let kind = answer
                .headers()
                .get("content-type")
                .and_then(|v| v.to_str().ok());
            let content_type = kind.unwrap_or("").to_string();
            let text = answer.text().await.unwrap_or_default();
            let good = status == 200
                && serde_json::from_str::<Value>(&text).is_ok_and(|v| v["choices"].is_array());
            let words: Vec<&str> = text.split_whitespace().collect();
            let body = text::excerpt(&words.join(" "), BODY);
            Probe {
                sent,
                status,
                content_type,
                body,
                good,
                ..Probe::default()
            }
        }
    }
}

async fn tools(base: &str, route: &PlannedRoute, credential: &Credential) -> Probe {
    let credential = match credential {
        Credential::None => Credential::None,
        Credential::Value(secret) => Credential::Value(secret.clone()),
        Credential::Lacking(why) => Credential::Lacking(why.clone()),
    };
    let check = Tools::of(base, route, credential);
    let finding = match tokio::time::timeout(DEADLINE, check.run()).await {
        Ok(finding) => finding,
        Err(_) => {
            return Probe {
                sent: format!("POST {}", route.path),
                body: "no answer in 30 s".into(),
                ..Probe::default()
            };
        }
    };
    let shown = finding.route.as_ref();
    let good = finding.verdict == Verdict::Pass;
    // Where it never came to a list nobody knows how many there are.
    let listed = good || finding.summary == NONE;
    let cause = finding.facts.iter().find(|(name, _)| name == "cause");
    Probe {
        sent: format!("POST {}", route.path),
        status: shown.map_or(0, |route| route.status),
        body: text::excerpt(&finding.summary, BODY),
        good,
        why: cause.map_or_else(String::new, |(_, why)| why.clone()),
        tools: shown.filter(|_| listed).and_then(|route| route.tools),
        ..Probe::default()
    }
}
