//! `gw profile list|show|validate|schema`.

use super::Outcome;
use super::session::Session;
use crate::cli::{Profile, ProfileVerb};
use crate::profile::load::{find, load};
use crate::profile::manifest;
use crate::profile::schema::text_of_schema;
use crate::profile::shipped::shipped;
use crate::report::document::Document;
use crate::text;
use serde_json::{Value, json};

pub fn run(session: &Session, options: &Profile) -> Outcome {
    match &options.verb {
        ProfileVerb::List => list(session),
        ProfileVerb::Show { profile } => {
            let named = match profile {
                Some(name) => name.clone(),
                None => session.record()?.source,
            };
            session.write(&find(&named, std::io::stdin())?.text);
        }
        ProfileVerb::Schema => session.write(&text_of_schema()),
        ProfileVerb::Validate { profile } => {
            let profile = load(profile, std::io::stdin())?;
            let manifests = manifest::objects(&profile)?;
            let mut counts = vec![
                text::count(profile.backends.len(), "backend"),
                text::count(profile.routes.len(), "route"),
                text::count(profile.policies.len(), "policy"),
            ];
            if !manifests.is_empty() {
                counts.push(text::count(manifests.len(), "object"));
            }
            session.write(&format!(
                "{} profile {}: {}\n",
                session.out.good(),
                profile.name,
                text::list(&counts)
            ));
        }
    }
    Ok(None)
}

fn list(session: &Session) {
    if session.is_json() {
        let profiles: Vec<Value> = shipped()
            .iter()
            .map(|p| json!({"name": p.name, "description": p.description()}))
            .collect();
        return session.write(
            &Document::new("profile list", &session.global.env)
                .set("profiles", profiles)
                .text(),
        );
    }
    let rows: Vec<Vec<String>> = shipped()
        .iter()
        .map(|p| vec![p.name.to_string(), p.description()])
        .collect();
    session.write(&format!("{}\n", text::table(&rows).join("\n")));
}
