//! What a program gets of the environment of whoever ran `gw up`: what it takes to run and to fetch
//! its parts. All else may be somebody's token, and stands in the profile's `env` where it is meant.

/// First those that clients of the protocol pass on (its TypeScript SDK's stdio client), then the way
/// to registries, then where the usual starters keep their things.
const NAMES: [&str; 26] = [
    "HOME",
    "LOGNAME",
    "PATH",
    "SHELL",
    "TERM",
    "USER",
    "LANG",
    "TMPDIR",
    "TZ",
    "HTTP_PROXY",
    "HTTPS_PROXY",
    "NO_PROXY",
    "ALL_PROXY",
    "http_proxy",
    "https_proxy",
    "no_proxy",
    "all_proxy",
    "NODE_EXTRA_CA_CERTS",
    "SSL_CERT_FILE",
    "SSL_CERT_DIR",
    "REQUESTS_CA_BUNDLE",
    "DOCKER_HOST",
    "NVM_DIR",
    "PYENV_ROOT",
    "VIRTUAL_ENV",
    "GOPATH",
];
const BEGINNINGS: [&str; 6] = ["LC_", "XDG_", "npm_config_", "NPM_CONFIG_", "UV_", "PIP_"];
/// Parts of names that say that a value is secret.
const SECRET: [&str; 5] = ["auth", "token", "password", "secret", "key"];

pub(super) fn is_inherited(name: &str) -> bool {
    let small = name.to_ascii_lowercase();
    let is_secret = SECRET.iter().any(|part| small.contains(part));
    let begins = BEGINNINGS.iter().any(|begin| name.starts_with(begin));
    NAMES.contains(&name) || (begins && !is_secret)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_it_takes_to_run_is_passed_on_and_tokens_are_not() {
        for name in [
            "PATH",
            "HOME",
            "HTTPS_PROXY",
            "LC_ALL",
            "npm_config_registry",
            "UV_CACHE_DIR",
        ] {
            assert!(is_inherited(name), "{name}");
        }
        for name in [
            "GITHUB_TOKEN",
            "OPENAI_API_KEY",
            "DATABASE_URL",
            "npm_config_//registry.npmjs.org/:_authToken",
            "UV_PUBLISH_TOKEN",
            "PATHS",
            "",
        ] {
            assert!(!is_inherited(name), "{name}");
        }
    }
}
