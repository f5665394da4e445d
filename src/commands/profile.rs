//! `gw profile list|show|validate`.

use super::Outcome;
use super::session::Session;
use crate::cli::{Profile, ProfileVerb};
use crate::profile::load::{find, load};
use crate::profile::shipped::shipped;
use crate::report::document::Document;
use crate::text;
use serde_json::{Value, json};

pub fn run(session: &Session, options: &Profile) -> Outcome {
    match &options.verb {
        ProfileVerb::List => list(session),
        ProfileVerb::Show { profile } => session.write(&find(profile, std::io::stdin())?.text),
        ProfileVerb::Validate { profile } => {
            let profile = load(profile, std::io::stdin())?;
            let counts = [
                text::count(profile.backends.len(), "backend"),
                text::count(profile.routes.len(), "route"),
                text::count(profile.policies.len(), "policy"),
            ];
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
