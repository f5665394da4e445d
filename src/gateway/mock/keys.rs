//! Keys, checked as the real providers check theirs.

use http::{HeaderMap, StatusCode};

use super::place::{Dialect, Place};
use super::refusal::Refusal;

/// Whose keys are taken.
#[derive(Clone, Default)]
pub enum Keys {
    /// Nobody is asked for a key.
    #[default]
    Unasked,
    /// Any key, but one must be given.
    Any,
    /// These.
    These(Vec<String>),
}

impl Keys {
    /// Keys as they are written in a file or a variable: one a line or separated by commas, `*` for
    /// any. A line that begins with `#` is a comment.
    pub fn read(text: &str) -> Keys {
        let lines = text
            .lines()
            .map(str::trim)
            .filter(|line| !line.starts_with('#'));
        let keys = lines.flat_map(|line| line.split(','));
        let keys: Vec<String> = keys
            .map(|key| key.trim().to_string())
            .filter(|key| !key.is_empty())
            .collect();
        match keys.is_empty() {
            true => Keys::Unasked,
            false if keys.iter().any(|key| key == "*") => Keys::Any,
            false => Keys::These(keys),
        }
    }

    fn takes(&self, key: &str) -> bool {
        match self {
            Keys::Unasked => true,
            Keys::Any => !key.is_empty(),
            Keys::These(keys) => keys.iter().any(|known| known == key),
        }
    }

    /// Refuses as the provider would. MCP servers and the mock's own paths ask for no key.
    pub(super) fn check(
        &self,
        place: &Place,
        headers: &HeaderMap,
        query: &str,
    ) -> Result<(), Refusal> {
        if matches!(self, Keys::Unasked) || matches!(place.dialect, Dialect::Mcp | Dialect::Own) {
            return Ok(());
        }
        let key = key(place.dialect, headers, query);
        if place.dialect == Dialect::Bedrock {
            return self.check_aws(headers, key.as_deref());
        }
        match key {
            Some(key) if self.takes(&key) => {}
            Some(_) => return Err(wrong(place.dialect)),
            None => return Err(missing(place.dialect)),
        }
        let has_version = headers.contains_key("anthropic-version");
        match place.dialect == Dialect::Anthropic && !has_version {
            true => Err(Refusal::bad("anthropic-version: header is required")),
            false => Ok(()),
        }
    }

    /// Bedrock's own bearer keys, or the shape of a signature (SigV4): the secret is not known here.
    fn check_aws(&self, headers: &HeaderMap, bearer: Option<&str>) -> Result<(), Refusal> {
        let forbidden =
            |message: &str, code| Err(Refusal::new(StatusCode::FORBIDDEN, message).code(code));
        if let Some(bearer) = bearer {
            return match self.takes(bearer) {
                true => Ok(()),
                false => forbidden(
                    "Authentication failed: Please make sure your API Key is valid.",
                    "AccessDeniedException",
                ),
            };
        }
        let given = header(headers, "authorization");
        if given.is_empty() {
            return forbidden(
                "Missing Authentication Token",
                "MissingAuthenticationTokenException",
            );
        }
        let Some(signed) = Signed::read(given) else {
            return forbidden(
                "Authorization header requires 'Credential', 'Signature' and 'SignedHeaders' parameters.",
                "IncompleteSignatureException",
            );
        };
        if headers.get("x-amz-date").is_none() {
            return forbidden(
                "Authorization header requires existence of either a 'X-Amz-Date' or a 'Date' header.",
                "IncompleteSignatureException",
            );
        }
        match signed.is_bedrock && self.takes(signed.key) {
            true => Ok(()),
            false => forbidden(
                "The security token included in the request is invalid.",
                "UnrecognizedClientException",
            ),
        }
    }
}

/// An `AWS4-HMAC-SHA256` authorization whose shape is right.
struct Signed<'a> {
    key: &'a str,
    /// Whether it was signed for Bedrock: `KEY/DATE/REGION/bedrock/aws4_request`.
    is_bedrock: bool,
}

impl<'a> Signed<'a> {
    fn read(given: &'a str) -> Option<Signed<'a>> {
        let rest = given.strip_prefix("AWS4-HMAC-SHA256 ")?;
        let part = |name: &str| {
            let mut parts = rest.split(',').map(str::trim);
            parts.find_map(|part| part.strip_prefix(name)?.strip_prefix('='))
        };
        let signature = part("Signature")?;
        let is_hex =
            signature.len() == 64 && signature.bytes().all(|byte| byte.is_ascii_hexdigit());
        let names = part("SignedHeaders")?;
        let has_names = ["host", "x-amz-date"]
            .iter()
            .all(|name| names.split(';').any(|signed| signed == *name));
        let scope: Vec<&str> = part("Credential")?.split('/').collect();
        let [key, _date, _region, service, "aws4_request"] = scope[..] else {
            return None;
        };
        let is_bedrock = service == "bedrock";
        (is_hex && has_names).then_some(Signed { key, is_bedrock })
    }
}

fn header<'a>(headers: &'a HeaderMap, name: &str) -> &'a str {
    let value = headers.get(name).and_then(|value| value.to_str().ok());
    value.unwrap_or("").trim()
}

/// The key where this provider looks for it.
fn key(dialect: Dialect, headers: &HeaderMap, query: &str) -> Option<String> {
    let given = |name: &str| Some(header(headers, name).to_string()).filter(|key| !key.is_empty());
    let bearer = || {
        let (scheme, key) = header(headers, "authorization").split_once(' ')?;
        scheme
            .eq_ignore_ascii_case("bearer")
            .then(|| key.trim().to_string())
    };
    match dialect {
        Dialect::OpenAi | Dialect::Google | Dialect::Vertex | Dialect::Bedrock => bearer(),
        Dialect::Anthropic => given("x-api-key").or_else(bearer),
        Dialect::Azure => given("api-key").or_else(bearer),
        Dialect::Gemini => given("x-goog-api-key").or_else(|| {
            let mut pairs = url::form_urlencoded::parse(query.as_bytes());
            pairs.find_map(|(name, value)| (name == "key").then(|| value.into_owned()))
        }),
        Dialect::Mcp | Dialect::Own => None,
    }
}

fn missing(dialect: Dialect) -> Refusal {
    let unauthorized = |message: &str| Refusal::new(StatusCode::UNAUTHORIZED, message);
    match dialect {
        Dialect::Anthropic => unauthorized("x-api-key header is required"),
        Dialect::Gemini => Refusal::new(
            StatusCode::FORBIDDEN,
            "Method doesn't allow unregistered callers (callers without established identity). Please use API Key or other form of API consumer identity to call this API.",
        ),
        Dialect::Google => Refusal::bad("Missing or invalid Authorization header."),
        Dialect::OpenAi => unauthorized(
            "You didn't provide an API key. You need to provide your API key in an Authorization header using Bearer auth (i.e. Authorization: Bearer YOUR_KEY).",
        ),
        _ => wrong(dialect),
    }
}

fn wrong(dialect: Dialect) -> Refusal {
    let unauthorized = |message: &str| Refusal::new(StatusCode::UNAUTHORIZED, message);
    match dialect {
        Dialect::Anthropic => unauthorized("invalid x-api-key"),
        Dialect::Azure => unauthorized(
            "Access denied due to invalid subscription key or wrong API endpoint. Make sure to provide a valid key for an active subscription and use a correct regional API endpoint for your resource.",
        ),
        Dialect::Gemini | Dialect::Google => {
            Refusal::bad("API key not valid. Please pass a valid API key.")
        }
        Dialect::Vertex => unauthorized(
            "Request had invalid authentication credentials. Expected OAuth 2 access token, login cookie or other valid authentication credential.",
        ),
        _ => unauthorized(
            "Incorrect API key provided. You can find your API key in the mock's own settings.",
        ),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use http::{HeaderValue, Method};

    type Given<'a> = &'a [(&'static str, &'a str)];

    fn status(keys: &str, path: &str, given: Given) -> u16 {
        let mut headers = HeaderMap::new();
        for (name, value) in given {
            headers.insert(*name, HeaderValue::from_str(value).unwrap());
        }
        let (path, query) = path.split_once('?').unwrap_or((path, ""));
        let place = Place::of(&Method::POST, path, &headers).unwrap();
        let checked = Keys::read(keys).check(&place, &headers, query);
        checked.map_or_else(|refusal| refusal.status.as_u16(), |()| 200)
    }

    #[test]
    fn each_provider_finds_its_key_where_it_looks_for_it() {
        let version = ("anthropic-version", "2023-06-01");
        let chat = "/v1/chat/completions";
        let gemini = "/v1beta/models/g:generateContent";
        let azure = "/openai/v1/chat/completions";
        let table: [(&str, Given, u16); 16] = [
            (chat, &[("authorization", "Bearer k1")], 200),
            (chat, &[("authorization", "Bearer k3")], 401),
            (chat, &[("x-api-key", "k1")], 401),
            (chat, &[], 401),
            ("/v1/messages", &[("x-api-key", "k2"), version], 200),
            ("/v1/messages", &[("x-api-key", "k2")], 400),
            ("/v1/messages", &[("x-api-key", "k3"), version], 401),
            ("/v1/messages", &[version], 401),
            (gemini, &[("x-goog-api-key", "k1")], 200),
            ("/v1beta/models/g:generateContent?alt=sse&key=k1", &[], 200),
            (gemini, &[("x-goog-api-key", "k")], 400),
            (gemini, &[], 403),
            (azure, &[("api-key", "k1")], 200),
            (azure, &[("api-key", "k")], 401),
            ("/model/m/converse", &[], 403),
            ("/model/m/converse", &[("authorization", "Bearer k1")], 200),
        ];
        for (path, given, expected) in table {
            assert_eq!(
                status("# test\nk1, k2", path, given),
                expected,
                "{path} {given:?}"
            );
            assert_eq!(status("", path, given), 200, "{path} without keys");
        }
        assert_eq!(
            status("*", chat, &[("authorization", "Bearer anything")]),
            200
        );
        assert_eq!(status("*", chat, &[("authorization", "Bearer ")]), 401);
    }

    #[test]
    fn a_signature_must_have_its_shape_and_be_for_bedrock() {
        let signature = "0".repeat(64);
        let signed = |service: &str, names: &str, signature: &str| {
            let given = format!(
                "AWS4-HMAC-SHA256 Credential=AKID/20260101/eu-west-1/{service}/aws4_request, SignedHeaders={names}, Signature={signature}"
            );
            status(
                "AKID",
                "/model/m/converse",
                &[
                    ("authorization", &given),
                    ("x-amz-date", "20260101T000000Z"),
                ],
            )
        };
        assert_eq!(signed("bedrock", "host;x-amz-date", &signature), 200);
        assert_eq!(signed("s3", "host;x-amz-date", &signature), 403);
        assert_eq!(signed("bedrock", "host", &signature), 403);
        assert_eq!(signed("bedrock", "host;x-amz-date", "abc"), 403);
    }

    proptest::proptest! {
        #[test]
        fn any_signature_is_read(given in "(AWS4-HMAC-SHA256 )?(Credential=|SignedHeaders=|Signature=|[a-z0-9/;, ]|host|x-amz-date)*") {
            let _ = Signed::read(&given);
        }
    }
}
