//! Logins that Docker keeps for registries: whether a registry still takes one.

use super::web;
use crate::error::{Error, Result};
use serde_json::Value;
use sha2::{Digest, Sha256};
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

/// Tags of a repository in a registry that speaks the distribution API (opencontainers.org/specs,
/// distribution 1.1): anonymous, as public charts are read.
pub async fn tags(registry: &str, repository: &str, deadline: Duration) -> Result<Vec<String>> {
    let url = format!("https://{registry}/v2/{repository}/tags/list?n=1000");
    let body = read(&url, registry, repository, deadline).await?;
    let value: Value = serde_json::from_str(&body).unwrap_or_default();
    let tags = value["tags"].as_array().into_iter().flatten();
    Ok(tags.filter_map(Value::as_str).map(str::to_string).collect())
}

/// Digest of a tag: what it means today, and for ever.
pub async fn digest(
    registry: &str,
    repository: &str,
    tag: &str,
    deadline: Duration,
) -> Result<String> {
    const KINDS: &str = "application/vnd.oci.image.index.v1+json, application/vnd.oci.image.manifest.v1+json, \
        application/vnd.docker.distribution.manifest.list.v2+json, application/vnd.docker.distribution.manifest.v2+json";
    let url = format!("https://{registry}/v2/{repository}/manifests/{tag}");
    let fault = |facts: String| {
        let next = format!("helm show chart oci://{registry}/{repository} --version {tag}");
        Error::new(
            format!("{registry} does not tell what {repository}:{tag} is"),
            next,
        )
        .fact(facts)
    };
    let client = web::outside().ok_or_else(|| fault("no TLS".to_string()))?;
    let token = token(&client, registry, repository, deadline).await;
    let mut request = client.get(&url).header("accept", KINDS).timeout(deadline);
    if let Some(token) = &token {
        request = request.bearer_auth(token);
    }
    let response = request.send().await.map_err(|e| fault(web::why(&e)))?;
    let status = response.status();
    if !status.is_success() {
        return Err(fault(format!("answered {}", status.as_u16())));
    }
    let said = response
        .headers()
        .get("docker-content-digest")
        .and_then(|v| v.to_str().ok())
        .map(str::to_string);
    let body = response.bytes().await.map_err(|e| fault(web::why(&e)))?;
    // The digest of the bytes themselves: a header may say anything.
    let sum = Sha256::digest(&body);
    let hex: String = sum.iter().map(|byte| format!("{byte:02x}")).collect();
    let digest = format!("sha256:{hex}");
    match said.is_none_or(|said| said == digest) {
        true => Ok(digest),
        false => Err(fault("its digest is not that of its bytes".to_string())),
    }
}

async fn read(url: &str, registry: &str, repository: &str, deadline: Duration) -> Result<String> {
    let fault = |facts: String| {
        Error::new(
            format!("{url} can't be read"),
            format!("curl -fsSL '{url}'"),
        )
        .fact(facts)
    };
    let client = web::outside().ok_or_else(|| fault("no TLS".to_string()))?;
    let plain = client
        .get(url)
        .timeout(deadline)
        .send()
        .await
        .map_err(|e| fault(web::why(&e)))?;
    let response = match plain.status().as_u16() {
        401 => {
            let token = token(&client, registry, repository, deadline).await;
            let token =
                token.ok_or_else(|| fault("answered 401, and gives no token".to_string()))?;
            let request = client.get(url).bearer_auth(token).timeout(deadline);
            request.send().await.map_err(|e| fault(web::why(&e)))?
        }
        _ => plain,
    };
    let status = response.status();
    match status.is_success() {
        true => response.text().await.map_err(|e| fault(web::why(&e))),
        false => Err(fault(format!("answered {}", status.as_u16()))),
    }
}

async fn token(
    client: &reqwest::Client,
    registry: &str,
    repository: &str,
    deadline: Duration,
) -> Option<String> {
    let asked = client
        .get(token_url(registry, repository))
        .timeout(deadline)
        .send()
        .await
        .ok()?;
    let value: Value = serde_json::from_str(&asked.text().await.ok()?).ok()?;
    let token = value["token"].as_str().or(value["access_token"].as_str())?;
    Some(token.to_string())
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
