//! Logins that Docker keeps for registries: whether a registry still takes one.

use super::web;
use serde_json::Value;
use std::path::PathBuf;
use std::time::Duration;

/// Whether the registry refuses the login that Docker keeps for it while it answers without one;
/// nothing where there is no login in plain, or where it can't be told. The login goes to its own
/// registry alone, as docker and helm send it.
pub async fn is_stale(registry: &str, repository: &str, deadline: Duration) -> Option<bool> {
    let login = login(&config()?, registry)?;
    let url = token_url(registry, repository);
    let client = web::outside()?;
    let ask = |login: Option<&str>| {
        let request = client.get(&url).timeout(deadline);
        match login {
            Some(login) => request.header("authorization", format!("Basic {login}")),
            None => request,
        }
    };
    let with = ask(Some(&login)).send().await.ok()?.status().as_u16();
    if !matches!(with, 401 | 403) {
        return Some(false);
    }
    let without = ask(None).send().await.ok()?.status().as_u16();
    Some(without == 200)
}

/// Where a token for pulling is given out (distribution.github.io, token authentication).
fn token_url(registry: &str, repository: &str) -> String {
    format!("https://{registry}/token?service={registry}&scope=repository:{repository}:pull")
}

fn config() -> Option<Value> {
    let folder = std::env::var_os("DOCKER_CONFIG").map(PathBuf::from);
    let folder = folder.or_else(|| Some(std::env::home_dir()?.join(".docker")))?;
    let text = std::fs::read_to_string(folder.join("config.json")).ok()?;
    serde_json::from_str(&text).ok()
}

/// The login as it goes into a header; one that a helper keeps is not looked at.
fn login(config: &Value, registry: &str) -> Option<String> {
    let auths = config.get("auths")?.as_object()?;
    let names = [
        registry.to_string(),
        format!("https://{registry}"),
        format!("https://{registry}/"),
    ];
    let entry = names.iter().find_map(|name| auths.get(name))?;
    let auth = entry.get("auth")?.as_str()?;
    (!auth.is_empty()).then(|| auth.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn a_login_in_plain_is_found_and_one_of_a_helper_is_left() {
        let plain = json!({"auths": {"https://ghcr.io": {"auth": "dTpw"}}});
        assert_eq!(login(&plain, "ghcr.io").as_deref(), Some("dTpw"));
        assert_eq!(login(&plain, "cr.agentgateway.dev"), None);
        let helper = json!({"auths": {"ghcr.io": {}}, "credsStore": "desktop"});
        assert_eq!(login(&helper, "ghcr.io"), None);
    }
}
