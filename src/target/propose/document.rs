//! The profile of a proposal as text: the same bytes for the same machine.

use super::offer::Offer;
use crate::profile::wire::{API_VERSION, KIND};
use crate::profile::{PORT, TargetKind};
use crate::text::list;
use crate::yaml;
use serde_json::{Map, Value, json};

/// Name of the profile that a machine gives.
pub const NAME: &str = "found";

/// Where a profile runs.
pub struct Where<'a> {
    pub kind: TargetKind,
    pub cluster: Option<&'a str>,
    pub context: Option<&'a str>,
}

/// A profile with these backends, each under why it is there.
pub fn document(offers: &[Offer], target: Option<Where>, port: u16) -> String {
    let titles: Vec<&str> = offers.iter().map(|o| o.provider.ways().title).collect();
    let mut head = Map::new();
    head.insert("apiVersion".into(), json!(API_VERSION));
    head.insert("kind".into(), json!(KIND));
    head.insert("name".into(), json!(NAME));
    let description = format!("For this machine, with {}.", list(&titles));
    head.insert("description".into(), json!(description));
    if let Some(there) = target {
        let mut target = json!({"kind": there.kind.name()});
        for (field, name) in [("cluster", there.cluster), ("context", there.context)] {
            if let Some(name) = name {
                target[field] = json!(name);
            }
        }
        head.insert("target".into(), target);
    }
    if port != PORT {
        head.insert("gateway".into(), json!({"port": port}));
    }
    let mut text = String::from("# What `gw` found on a machine, as a profile of its own.\n");
    text.push_str(&yaml::write(&Value::Object(head)));
    text.push_str("backends:\n");
    for offer in offers {
        text.push_str(&comment(offer));
        text.push_str(&yaml::write(&json!([backend(offer)])));
    }
    text.push_str("policies:\n");
    text.push_str("# No web page but the gateway's own may send requests through your browser.\n");
    text.push_str("- name: same-site\n  csrf: {}\n");
    text
}

fn backend(offer: &Offer) -> Value {
    let mut backend = Map::new();
    backend.insert("name".into(), json!(offer.name));
    backend.insert("provider".into(), json!(offer.provider.ways().name));
    backend.extend(offer.fields.clone());
    Value::Object(backend)
}

/// What a provider said may have several lines.
fn comment(offer: &Offer) -> String {
    let title = offer.provider.ways().title;
    let reason = offer
        .reason
        .split_whitespace()
        .collect::<Vec<_>>()
        .join(" ");
    format!("# {title}: {reason}.\n")
}
