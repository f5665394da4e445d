//! Keys for callers that are made on the way: shown once, kept in files, and never written where a
//! command is suggested.

use super::session::Session;
use crate::apply::record::Record;
use crate::error::Result;
use crate::host::made_key;
use crate::plan::Scheme;
use crate::plan::policy::owner;
use crate::profile::rule::KeyFrom;
use crate::secret::Secret;
use crate::secret::source::Source;
use crate::secret::vault::Vault;
use crate::text;
use serde_json::{Value, json};

/// A key for callers that was made in this run: policy, name, and the key.
pub type Made = (String, String, Secret);

pub fn make_keys(
    session: &Session,
    to_make: &[(String, String)],
    vault: &mut Vault,
) -> Result<Vec<Made>> {
    let mut made = Vec::new();
    for (policy, name) in to_make {
        let secret = made_key::make(&session.environment(), policy, name)?;
        vault.put(&owner(policy), name, secret.clone());
        made.push((policy.clone(), name.clone(), secret));
    }
    Ok(made)
}

/// The one moment at which a key is shown; in JSON it never is, only where it is kept.
pub fn show_keys(session: &Session, made: &[Made]) {
    if session.is_json() {
        return;
    }
    for key in made {
        session.write(&format!(
            "\n{}:\n  {}\n",
            kept(session, key),
            key.2.expose()
        ));
    }
}

pub fn kept(session: &Session, (policy, name, _): &Made) -> String {
    let file = session.environment().made_key(policy, name);
    let shown = if session.is_json() {
        "made now"
    } else {
        "shown only now"
    };
    format!("Key of {name}, {shown} and kept in {}", file.display())
}

/// What a caller of a route has to show, as options of curl: where the key is, never the key.
pub fn to_show(session: &Session, record: &Record, path: &str) -> Option<String> {
    let mut routes = record.routes.iter();
    let auth = routes.find(|route| route.path == path)?.auth.as_ref()?;
    let value = match auth.from.as_ref()? {
        KeyFrom::Generated => {
            let file = session.environment().made_key(&auth.policy, &auth.name);
            format!("$(cat {})", text::shell(&file.to_string_lossy()))
        }
        KeyFrom::Source(source @ Source::Env(_)) if !source.is_in_file() => {
            format!("${}", source.place())
        }
        // Where no command could be copied, the person puts in the key.
        KeyFrom::Source(source) => match source.printed() {
            Some(line) => format!("$({line})"),
            None => "$KEY".to_string(),
        },
    };
    Some(match auth.scheme {
        Scheme::Bearer => format!("-H \"authorization: Bearer {value}\""),
        Scheme::Basic => format!("-u \"{}:{value}\"", auth.name),
    })
}

/// Where each key is, for machines.
pub fn places(session: &Session, made: &[Made]) -> Vec<Value> {
    let place = |(policy, name, _): &Made| {
        let file = session.environment().made_key(policy, name);
        json!({"policy": policy, "name": name, "file": file})
    };
    made.iter().map(place).collect()
}
