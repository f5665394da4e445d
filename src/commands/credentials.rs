//! What callers of each route have to show, from where `up` had it.

use crate::host::made_key;
use crate::host::paths::EnvironmentPaths;
use crate::plan::{PlannedRoute, Scheme};
use crate::profile::rule::KeyFrom;
use crate::verify::credential::Credential;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use std::collections::BTreeMap;
use std::sync::Arc;

pub async fn credentials(
    paths: &EnvironmentPaths,
    planned: &[PlannedRoute],
) -> BTreeMap<String, Arc<Credential>> {
    let mut found = BTreeMap::new();
    for route in planned {
        let credential = credential(paths, route).await;
        found.insert(route.name.clone(), Arc::new(credential));
    }
    found
}

/// What a caller of a route has to show, from where `up` had it.
pub async fn credential(paths: &EnvironmentPaths, route: &PlannedRoute) -> Credential {
    let Some(auth) = &route.auth else {
        return Credential::None;
    };
    let secret = match &auth.from {
        None => Err("only its issuer gives a token".to_string()),
        Some(KeyFrom::Source(source)) => source
            .read()
            .await
            .map_err(|error| format!("the key: {}", error.what)),
        Some(KeyFrom::Generated) => made_key::read(paths, &auth.policy, &auth.name)
            .ok_or_else(|| format!("the key of {} is gone", auth.name)),
    };
    match secret {
        Err(why) => Credential::Lacking(why),
        Ok(secret) => Credential::Value(secret.derive(|text| match auth.scheme {
            Scheme::Bearer => format!("Bearer {text}"),
            Scheme::Basic => {
                let pair = STANDARD.encode(format!("{}:{text}", auth.name));
                format!("Basic {pair}")
            }
        })),
    }
}
