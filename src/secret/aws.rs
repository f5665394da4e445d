//! AWS's own files: the credentials of a profile, and what `aws` makes of a session (SSO, a role).

use super::Secret;
use crate::error::{Error, Result};
use crate::exec::{Run, find};
use serde_json::Value;
use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::Duration;
use tokio::sync::OnceCell;

/// A session may have to be renewed over the network.
const PATIENCE: Duration = Duration::from_secs(30);

/// Entries of a Secret (facts 5), names in AWS's file, names in what `aws` exports.
const NAMES: [(&str, &str, &str); 3] = [
    ("accessKey", "aws_access_key_id", "AccessKeyId"),
    ("secretKey", "aws_secret_access_key", "SecretAccessKey"),
    ("sessionToken", "aws_session_token", "SessionToken"),
];

static EXPORTED: OnceCell<Option<Value>> = OnceCell::const_new();

/// The profile that AWS's own tools take.
pub fn profile() -> String {
    let named = std::env::var("AWS_PROFILE").ok();
    let named = named.filter(|name| !name.trim().is_empty());
    named.unwrap_or_else(|| "default".to_string())
}

fn folder() -> PathBuf {
    std::env::home_dir().unwrap_or_default().join(".aws")
}

/// One part of a profile's key.
pub async fn read(entry: &str) -> Result<Secret> {
    let profile = profile();
    let Some((_, in_file, exported)) = NAMES.iter().find(|(name, ..)| *name == entry) else {
        return Err(Error::usage(format!("AWS has no {entry}"), "aws configure"));
    };
    let file = std::env::var_os("AWS_SHARED_CREDENTIALS_FILE").map(PathBuf::from);
    let file = file.unwrap_or_else(|| folder().join("credentials"));
    let text = std::fs::read_to_string(file).unwrap_or_default();
    let found = section(&text, &profile);
    if found.contains_key(NAMES[0].1) && found.contains_key(NAMES[1].1) {
        let secret = found.get(*in_file).and_then(|value| Secret::new(value));
        return secret.ok_or_else(|| lacking(&profile));
    }
    let value = EXPORTED.get_or_init(|| export(&profile)).await;
    let secret = value
        .as_ref()
        .and_then(|value| value[*exported].as_str())
        .and_then(Secret::new);
    let expires = value
        .as_ref()
        .and_then(|value| value["Expiration"].as_str())
        .and_then(super::expiry::instant);
    let secret = secret.ok_or_else(|| lacking(&profile))?;
    Ok(match expires {
        Some(at) => secret.until(at),
        None => secret,
    })
}

fn lacking(profile: &str) -> Error {
    let what = format!("AWS's profile {profile} has no key");
    let next = match folder().join("config").exists() {
        true => format!("aws sso login --profile {}", crate::text::shell(profile)),
        false => "aws configure".to_string(),
    };
    Error::usage(what, next)
}

/// What `aws` says of a profile whose key is made anew for each session.
async fn export(profile: &str) -> Option<Value> {
    if !folder().join("config").exists() {
        return None;
    }
    let program = find("aws", "aws configure").ok()?;
    let args = [
        "configure",
        "export-credentials",
        "--format",
        "process",
        "--profile",
        profile,
    ];
    let run = Run::new(program, &args).deadline(PATIENCE).with_keys();
    let output = run.output_unquoted().await.ok()?;
    serde_json::from_str(&output.stdout).ok()
}

/// The settings under `[name]`.
fn section(text: &str, name: &str) -> BTreeMap<String, String> {
    let mut inside = false;
    let mut found = BTreeMap::new();
    for line in text.lines().map(str::trim) {
        if let Some(head) = line
            .strip_prefix('[')
            .and_then(|rest| rest.strip_suffix(']'))
        {
            inside = head.trim() == name;
        } else if let (true, Some((key, value))) = (inside, line.split_once('=')) {
            found.insert(key.trim().to_string(), value.trim().to_string());
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_profile_has_its_own_section() {
        let text = "[default]\naws_access_key_id = A\naws_secret_access_key=S\n\n# x\n[work]\naws_access_key_id=B\n";
        assert_eq!(section(text, "default")["aws_access_key_id"], "A");
        assert_eq!(section(text, "default")["aws_secret_access_key"], "S");
        assert_eq!(section(text, "work").len(), 1);
        assert!(section(text, "none").is_empty());
    }
}
