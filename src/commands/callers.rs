//! What callers of a route will have to show: keys and passwords of the profile's policies.

use super::keys::{Keys, then_up};
use crate::error::Error;
use crate::host::made_key;
use crate::host::paths::EnvironmentPaths;
use crate::plan::policy;
use crate::profile::rule::KeyFrom;
use crate::profile::{Policy, Rule};
use crate::secret::Secret;
use crate::secret::hidden;
use crate::secret::source::Source;
use sha1::{Digest, Sha1};

/// What callers will have to show. Without all of it nobody may ask, so what is missing is an error.
pub async fn of_policy(
    policy: &Policy,
    paths: &EnvironmentPaths,
    keys: &mut Keys,
) -> Result<(), Error> {
    let owner = policy::owner(&policy.name);
    match &policy.rule {
        Rule::ApiKeys(rule) => {
            for (name, from) in &rule.keys {
                match from {
                    KeyFrom::Source(source) => {
                        let secret = for_callers(policy, name, source).await?;
                        keys.vault.put(&owner, name, secret);
                    }
                    KeyFrom::Generated => match made_key::read(paths, &policy.name, name) {
                        Some(secret) => keys.vault.put(&owner, name, secret),
                        None => keys.to_make.push((policy.name.clone(), name.clone())),
                    },
                }
            }
        }
        Rule::Basic(rule) => {
            let mut lines = Vec::new();
            for (name, source) in &rule.users {
                let password = for_callers(policy, name, source).await?;
                lines.push(password.derive(|text| htpasswd_line(name, text)));
            }
            let all: Vec<&str> = lines.iter().map(Secret::expose).collect();
            if let Some(file) = Secret::new(&all.join("\n")) {
                keys.vault.put(&owner, policy::HTPASSWD, file);
            }
        }
        _ => {}
    }
    Ok(())
}

async fn for_callers(policy: &Policy, name: &str, source: &Source) -> Result<Secret, Error> {
    hidden::hide(source.variables().iter().map(String::as_str));
    source.read().await.map_err(|error| Error {
        what: format!(
            "no key for {name} of policy {}: {}",
            policy.name, error.what
        ),
        next: then_up(&error),
        ..error
    })
}

/// The same password gives the same line, so that nothing changes where nothing has changed: its salt
/// is made from what the line is to hide.
fn htpasswd_line(user: &str, password: &str) -> String {
    const COST: u32 = 8;
    let digest = Sha1::digest(format!("gatewright basic\n{user}\n{password}"));
    let mut salt = [0; 16];
    salt.iter_mut()
        .zip(digest.iter())
        .for_each(|(to, from)| *to = *from);
    match bcrypt::hash_with_salt(password, COST, salt) {
        Ok(parts) => format!("{user}:{}", parts.format_for_version(bcrypt::Version::TwoY)),
        // A password that can't be hashed lets nobody in.
        Err(_) => format!("{user}:!"),
    }
}
