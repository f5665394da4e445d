//! AWS Signature Version 4, by AWS's own crate, over everything that the request carries (recording `cloud-bedrock-chat`).

use std::time::SystemTime;

use aws_credential_types::Credentials;
use aws_sigv4::http_request::{SignableBody, SignableRequest, SigningSettings, sign as sigv4};
use aws_sigv4::sign::v4;
use http::header::{self, HeaderName, HeaderValue};
use http::request::Parts;

use super::{Surroundings, chain};

/// What Bedrock is called in a signature.
const SERVICE: &str = "bedrock";

/// The keys that AWS's own tools would use: environment variables, then a profile.
pub async fn usual_keys(surroundings: &Surroundings<'_>) -> Result<Credentials, String> {
    chain::find(surroundings).await
}

/// The region that AWS's own tools would use, if one is set.
pub fn usual_region(surroundings: &Surroundings<'_>) -> Option<String> {
    surroundings
        .get("AWS_REGION")
        .or_else(|| surroundings.get("AWS_DEFAULT_REGION"))
}

/// Signs a request that is complete but for its length. The error never has a key in it.
pub fn sign(
    head: &mut Parts,
    body: &[u8],
    keys: &Credentials,
    region: &str,
    now: SystemTime,
) -> Result<(), String> {
    // A client's own key is not for Amazon.
    head.headers.remove(header::AUTHORIZATION);
    let identity = keys.clone().into();
    let params = v4::SigningParams::builder()
        .identity(&identity)
        .region(region)
        .name(SERVICE)
        .time(now)
        .settings(SigningSettings::default())
        .build()
        .map_err(|error| error.to_string())?
        .into();
    let host = head
        .headers
        .get(header::HOST)
        .and_then(|host| host.to_str().ok());
    let uri = format!("https://{}{}", host.unwrap_or(""), head.uri);
    let headers = head
        .headers
        .iter()
        .filter_map(|(name, value)| Some((name.as_str(), value.to_str().ok()?)));
    let request = SignableRequest::new(
        head.method.as_str(),
        uri,
        headers,
        SignableBody::Bytes(body),
    );
    let signed = sigv4(request.map_err(|error| error.to_string())?, &params);
    let (instructions, _) = signed.map_err(|error| error.to_string())?.into_parts();
    for added in instructions.into_parts().0 {
        let mut value = HeaderValue::from_str(added.value()).map_err(|error| error.to_string())?;
        value.set_sensitive(added.sensitive());
        head.headers
            .insert(HeaderName::from_static(added.name()), value);
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use http::Request;

    use super::*;

    /// Recording `cloud-bedrock-chat`, signed by the real proxy at 2026-11-22T20:54:32Z.
    #[test]
    fn the_signature_is_the_real_proxys() {
        let body = br#"{"modelId":"anthropic.claude-3-haiku-20240307-v1:0","messages":[{"role":"user","content":[{"text":"ping"}]}],"inferenceConfig":{"maxTokens":4096}}"#;
        let request = Request::post("/model/anthropic.claude-3-haiku-20240307-v1:0/converse")
            .header("content-type", "application/json")
            .header("accept-encoding", "identity")
            .header("authorization", "Bearer client")
            .header("host", "bedrock-runtime.us-east-1.amazonaws.com");
        let (mut head, ()) = request.body(()).unwrap().into_parts();
        let keys = Credentials::new("AKIDEXAMPLE", SECRET, None, None, "test");
        let now = SystemTime::UNIX_EPOCH + Duration::from_secs(1_795_380_872);
        sign(&mut head, body, &keys, "us-east-1", now).unwrap();
        assert_eq!(head.headers["x-amz-date"], "20261122T205432Z");
        assert_eq!(
            head.headers["authorization"],
            "AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE/20261122/us-east-1/bedrock/aws4_request, SignedHeaders=accept-encoding;content-type;host;x-amz-date, Signature=efd4380d546882c3a7d297d60335d4cf10562c2f2c99ffdcf5d039ff8f25a4ac"
        );
    }

    #[test]
    fn a_session_token_goes_along() {
        let (mut head, ()) = Request::post("/model/m/converse")
            .header("host", "h")
            .body(())
            .unwrap()
            .into_parts();
        let keys = Credentials::new("A", "B", Some("T".to_string()), None, "test");
        sign(&mut head, b"", &keys, "r", SystemTime::UNIX_EPOCH).unwrap();
        assert_eq!(head.headers["x-amz-security-token"], "T");
    }

    const SECRET: &str = "secret";
}
