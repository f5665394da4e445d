//! Whether a provider takes a key, asked without spending money. Pure: what to send, and what an
//! answer means.

use super::{Form, anthropic, azureopenai, bedrock, gemini, openai, vertexai};
use crate::secret::Secret;
use crate::secret::vault::Vault;
use aws_credential_types::Credentials;
use aws_sigv4::http_request::{SignableBody, SignableRequest, SigningSettings, sign};
use aws_sigv4::sign::v4;
use serde_json::Value;
use std::collections::BTreeMap;
use std::time::SystemTime;

/// The entry of a Secret that the proxy reads for a bearer (facts 5).
pub const AUTHORIZATION: &str = "Authorization";

/// A GET that costs nothing. It holds a key, so it can't be printed.
pub struct Request {
    pub url: String,
    pub headers: Vec<(String, String)>,
}

/// Whose key it is, and where the provider is.
pub struct Subject<'a> {
    pub form: Form,
    pub settings: &'a BTreeMap<String, String>,
    /// Scheme, host and port, and perhaps a path, where the provider is not at home.
    pub address: Option<&'a str>,
    /// Under which the keys are in the vault.
    pub owner: &'a str,
}

/// What an answer means.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Judgement {
    Taken,
    /// Not taken; in the provider's own words.
    Refused(String),
    /// The answer says nothing about the key; what it says instead.
    Unclear(String),
}

/// What to ask, in this order until something answers.
pub fn requests(subject: &Subject<'_>, vault: &Vault) -> Vec<Request> {
    let setting = |name: &str| subject.settings.get(name).map_or("", String::as_str);
    let bearer = vault.get(subject.owner, AUTHORIZATION);
    let home = |host: &str| match subject.address {
        Some(address) => address.trim_end_matches('/').to_string(),
        None => format!("https://{host}"),
    };
    match (subject.form, bearer) {
        (Form::OpenAi, Some(key)) => vec![get(home(openai::HOST) + "/v1/models", key)],
        (Form::Anthropic, Some(key)) => vec![Request {
            url: home(anthropic::HOST) + "/v1/models",
            headers: vec![
                ("x-api-key".into(), key.expose().into()),
                ("anthropic-version".into(), anthropic::VERSION.into()),
            ],
        }],
        (Form::Gemini, Some(key)) => vec![get(home(gemini::HOST) + "/v1beta/openai/models", key)],
        (Form::AzureOpenAi, Some(key)) => {
            let host = azureopenai::host(setting(azureopenai::ENDPOINT));
            // Azure's keys go by this header; the proxy's bearer works where Azure takes one (facts 5).
            vec![Request {
                url: home(host) + "/openai/v1/models",
                headers: vec![("api-key".into(), key.expose().into())],
            }]
        }
        (Form::VertexAi, Some(key)) => {
            let (project, region) = (setting(vertexai::PROJECT), setting(vertexai::REGION));
            let path = format!("/v1/projects/{project}/locations/{region}/models");
            vec![get(home(&vertexai::host(region)) + &path, key)]
        }
        (Form::Bedrock, Some(key)) => {
            let region = setting(bedrock::REGION);
            let control = format!("https://bedrock.{region}.amazonaws.com/foundation-models");
            vec![get(control, key), get(bedrock_runtime(region), key)]
        }
        (Form::Bedrock, None) => aws(setting(bedrock::REGION), subject.owner, vault),
        (_, None) => Vec::new(),
    }
}

fn get(url: String, key: &Secret) -> Request {
    let value = format!("Bearer {}", bare(key));
    Request {
        url,
        headers: vec![("authorization".into(), value)],
    }
}

/// A key may be written with its scheme: the controller takes it off (facts 5).
fn bare(key: &Secret) -> &str {
    let key = key.expose();
    key.strip_prefix("Bearer ").unwrap_or(key)
}

fn bedrock_runtime(region: &str) -> String {
    format!("https://bedrock-runtime.{region}.amazonaws.com/")
}

/// GetCallerIdentity is what every key may ask, whatever else it may (AWS STS API reference); where
/// it can't be reached, any answer of Bedrock itself says whether the signature was taken.
fn aws(region: &str, owner: &str, vault: &Vault) -> Vec<Request> {
    let identity = "?Action=GetCallerIdentity&Version=2011-06-15";
    let places = [
        (
            format!("https://sts.{region}.amazonaws.com/{identity}"),
            "sts",
        ),
        (bedrock_runtime(region), "bedrock"),
    ];
    let signed = |(url, service): (String, &str)| signed(url, region, service, owner, vault);
    places.into_iter().filter_map(signed).collect()
}

fn signed(url: String, region: &str, service: &str, owner: &str, vault: &Vault) -> Option<Request> {
    let part = |index: usize| {
        vault
            .get(owner, bedrock::PARTS[index].0)
            .map(Secret::expose)
    };
    let token = part(2).map(str::to_string);
    let identity = Credentials::new(part(0)?, part(1)?, token, None, "gatewright").into();
    let params = v4::SigningParams::builder()
        .identity(&identity)
        .region(region)
        .name(service)
        .time(SystemTime::now())
        .settings(SigningSettings::default());
    let params = params.build().ok()?.into();
    let body = SignableBody::Bytes(&[]);
    let request = SignableRequest::new("GET", &url, std::iter::empty(), body).ok()?;
    let (instructions, _) = sign(request, &params).ok()?.into_parts();
    let headers = instructions.headers();
    let headers = headers.map(|(name, value)| (name.to_string(), value.to_string()));
    Some(Request {
        headers: headers.collect(),
        url,
    })
}

/// What an answer of status and body says of the key.
pub fn judge(status: u16, body: &str) -> Judgement {
    /// A key that is known and may not list models may still be good for asking one.
    const LIMITED: [&str; 4] = [
        "insufficient permissions",
        "Missing scopes",
        "not authorized to perform",
        "aiplatform.",
    ];
    let said = words(body);
    let limited = LIMITED.iter().any(|part| said.contains(part));
    let about_key = said.to_lowercase().contains("api key");
    match status {
        200..=299 => Judgement::Taken,
        401 | 403 if limited => Judgement::Unclear(said),
        401 | 403 => Judgement::Refused(said),
        400 if about_key => Judgement::Refused(said),
        _ => Judgement::Unclear(format!("answered {status} {said}").trim().to_string()),
    }
}

/// What a provider says in its own form of an error: OpenAI's, Google's list, AWS's XML.
fn words(body: &str) -> String {
    const PLACES: [&str; 4] = ["/error/message", "/0/error/message", "/message", "/Message"];
    let value: Value = serde_json::from_str(body).unwrap_or(Value::Null);
    let json = PLACES
        .iter()
        .find_map(|place| value.pointer(place)?.as_str());
    let xml = || body.split_once("<Message>")?.1.split("</Message>").next();
    let said = json.or_else(xml).unwrap_or(body);
    crate::text::excerpt(said.trim(), 160)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::provider::Provider;

    fn vault(entries: &[(&str, &str)]) -> Vault {
        let mut vault = Vault::default();
        for (entry, text) in entries {
            vault.put("b", entry, Secret::new(text).unwrap());
        }
        vault
    }

    fn asked(form: Form, settings: &[(&str, &str)], keys: &[(&str, &str)]) -> Vec<Request> {
        let settings = settings.iter();
        let settings = settings.map(|(name, value)| (name.to_string(), value.to_string()));
        let subject = Subject {
            form,
            settings: &settings.collect(),
            address: None,
            owner: "b",
        };
        requests(&subject, &vault(keys))
    }

    #[test]
    fn every_provider_is_asked_at_home_for_its_models() {
        let key = [(AUTHORIZATION, "k-1")];
        let vertex = [("project", "p"), ("region", "europe-west1")];
        let nothing: &[(&str, &str)] = &[];
        let azure = [("endpoint", "https://a.openai.azure.com/")];
        let gemini = "https://generativelanguage.googleapis.com/v1beta/openai/models";
        let europe = "https://europe-west1-aiplatform.googleapis.com";
        let table = [
            (Form::OpenAi, nothing, "https://api.openai.com/v1/models"),
            (
                Form::Anthropic,
                nothing,
                "https://api.anthropic.com/v1/models",
            ),
            (Form::Gemini, nothing, gemini),
            (
                Form::AzureOpenAi,
                &azure,
                "https://a.openai.azure.com/openai/v1/models",
            ),
            (
                Form::VertexAi,
                &vertex,
                &format!("{europe}/v1/projects/p/locations/europe-west1/models"),
            ),
        ];
        for (form, settings, url) in table {
            let requests = asked(form, settings, &key);
            assert_eq!(requests[0].url, url);
            assert!(requests[0].headers[0].1.ends_with("k-1"));
            assert!(!requests[0].url.contains("k-1"));
        }
        assert!(asked(Form::OpenAi, &[], &[]).is_empty());
    }

    #[test]
    fn an_aws_key_signs_and_stays_at_home() {
        let keys = [
            ("accessKey", "AKIDEXAMPLE"),
            ("secretKey", "very-secret"),
            ("sessionToken", "token"),
        ];
        let requests = asked(Form::Bedrock, &[("region", "us-east-1")], &keys);
        assert!(
            requests[0]
                .url
                .starts_with("https://sts.us-east-1.amazonaws.com/?Action=")
        );
        for request in &requests {
            let all = format!("{} {:?}", request.url, request.headers);
            assert!(all.contains("Credential=AKIDEXAMPLE/"), "{all}");
            assert!(!all.contains("very-secret"), "{all}");
        }
        assert_eq!(Provider::Bedrock.ways().form, Form::Bedrock);
    }

    #[test]
    fn a_refusal_is_told_in_the_providers_own_words() {
        // Bodies as the providers document them.
        let refused = |text: &str| Judgement::Refused(text.to_string());
        let table = [
            (200, "{}", Judgement::Taken),
            (
                401,
                r#"{"type":"error","error":{"type":"authentication_error","message":"invalid x-api-key"}}"#,
                refused("invalid x-api-key"),
            ),
            (
                400,
                r#"[{"error":{"code":400,"message":"API key not valid. Please pass a valid API key.","status":"INVALID_ARGUMENT"}}]"#,
                refused("API key not valid. Please pass a valid API key."),
            ),
            (
                403,
                "<ErrorResponse><Error><Code>InvalidClientTokenId</Code><Message>The security token included in the request is invalid.</Message></Error></ErrorResponse>",
                refused("The security token included in the request is invalid."),
            ),
            (
                403,
                r#"{"error":{"message":"You have insufficient permissions for this operation. Missing scopes: api.model.read."}}"#,
                Judgement::Unclear("You have insufficient permissions for this operation. Missing scopes: api.model.read.".into()),
            ),
            (500, "oops", Judgement::Unclear("answered 500 oops".into())),
        ];
        for (status, body, judgement) in table {
            assert_eq!(judge(status, body), judgement, "{body}");
        }
    }
}
