//! Where AWS's own tools find their keys: environment variables, then `~/.aws/credentials`.

use std::collections::BTreeMap;

use aws_credential_types::Credentials;

use super::Surroundings;

pub async fn find(surroundings: &Surroundings<'_>) -> Result<Credentials, String> {
    let variable = |name: &str| surroundings.get(name);
    if let (Some(id), Some(secret)) = (
        variable("AWS_ACCESS_KEY_ID"),
        variable("AWS_SECRET_ACCESS_KEY"),
    ) {
        return Ok(Credentials::new(
            id,
            secret,
            variable("AWS_SESSION_TOKEN"),
            None,
            "settings",
        ));
    }
    let profile = variable("AWS_PROFILE").unwrap_or("default".to_string());
    let file = surroundings.file("AWS_SHARED_CREDENTIALS_FILE", ".aws/credentials");
    let missing = || {
        format!(
            "no AWS credentials in the environment, nor a profile {profile:?} with keys in ~/.aws/credentials"
        )
    };
    let text = tokio::fs::read_to_string(file.ok_or_else(missing)?).await;
    let fields = section(&text.map_err(|_| missing())?, &profile);
    let field = |name: &str| fields.get(name).cloned();
    match (field("aws_access_key_id"), field("aws_secret_access_key")) {
        (Some(id), Some(secret)) => Ok(Credentials::new(
            id,
            secret,
            field("aws_session_token"),
            None,
            "settings",
        )),
        _ => Err(missing()),
    }
}

/// The fields of one section of an INI file.
fn section(text: &str, wanted: &str) -> BTreeMap<String, String> {
    let mut fields = BTreeMap::new();
    let mut is_wanted = false;
    for line in text.lines().map(str::trim) {
        if let Some(name) = line
            .strip_prefix('[')
            .and_then(|rest| rest.strip_suffix(']'))
        {
            is_wanted = name.trim() == wanted;
            continue;
        }
        let is_comment = line.starts_with(['#', ';']);
        if let Some((key, value)) = line.split_once('=').filter(|_| is_wanted && !is_comment) {
            fields.insert(key.trim().to_string(), value.trim().to_string());
        }
    }
    fields
}

#[cfg(test)]
mod tests {
    use std::fs;

    use proptest::prelude::{any, proptest};

    use super::*;

    const FILE: &str = "# mine\n[default]\naws_access_key_id = A\naws_secret_access_key=B\n\n[work]\naws_access_key_id = C\n; aws_secret_access_key = no\naws_secret_access_key = D=\naws_session_token = E\n";

    fn keys(credentials: &Credentials) -> [Option<&str>; 3] {
        let token = credentials.session_token();
        [
            Some(credentials.access_key_id()),
            Some(credentials.secret_access_key()),
            token,
        ]
    }

    #[tokio::test]
    async fn the_environment_wins_over_a_profile_of_the_file() {
        let folder = tempfile::tempdir().unwrap();
        fs::create_dir(folder.path().join(".aws")).unwrap();
        fs::write(folder.path().join(".aws/credentials"), FILE).unwrap();
        let home = folder.path().to_str().unwrap().to_string();
        type Case<'a> = (&'a [(&'a str, &'a str)], [Option<&'a str>; 3]);
        let cases: [Case; 3] = [
            (&[], [Some("A"), Some("B"), None]),
            (
                &[("AWS_PROFILE", "work")],
                [Some("C"), Some("D="), Some("E")],
            ),
            (
                &[
                    ("AWS_ACCESS_KEY_ID", "X"),
                    ("AWS_SECRET_ACCESS_KEY", "Y"),
                    ("AWS_PROFILE", "work"),
                ],
                [Some("X"), Some("Y"), None],
            ),
        ];
        for (set, expected) in cases {
            let variable = |name: &str| match name {
                "HOME" => Some(home.clone()),
                _ => set
                    .iter()
                    .find(|(key, _)| *key == name)
                    .map(|(_, value)| value.to_string()),
            };
            let found = find(&Surroundings {
                variable: &variable,
            })
            .await
            .unwrap();
            assert_eq!(keys(&found), expected);
        }
    }

    #[tokio::test]
    async fn what_is_nowhere_is_told_without_a_path() {
        let nothing = find(&Surroundings {
            variable: &|_| None,
        })
        .await
        .unwrap_err();
        assert_eq!(
            nothing,
            "no AWS credentials in the environment, nor a profile \"default\" with keys in ~/.aws/credentials"
        );
    }

    proptest! {
        #[test]
        fn nothing_panics(text in any::<String>(), wanted in any::<String>()) {
            section(&text, &wanted);
        }
    }
}
