//! Tokens of an issuer whose key is known: <https://issuer.example>, with the key `k`.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use jsonwebtoken::{Algorithm, EncodingKey, Header, encode};
use serde_json::Value;

/// A private key for tests only, PKCS 8.
const KEY: &str = "MIGHAgEAMBMGByqGSM49AgEGCCqGSM49AwEHBG0wawIBAQQglUi53nDtaSt8tLEVkA7FVXd96iDqMlE2GVpxkBJl3ByhRANCAATyDlOKAAaCaDLkAXrAe2IKVGAm71MGAbbYk6wHjiBsWQcLE0cjM9shDJTuwCZ6N+F/qWTg03Js8k+MgQOdDfse";

/// Its public half.
pub const JWKS: &str = r#"{"keys": [{"kty": "EC", "crv": "P-256", "kid": "k", "alg": "ES256", "x": "8g5TigAGgmgy5AF6wHtiClRgJu9TBgG22JOsB44gbFk", "y": "BwsTRyMz2yEMlO7AJno34X-pZODTcmzyT4yBA50N-x4"}]}"#;

/// A time that does not come.
pub const NEVER: u64 = 32_503_680_000;

/// A signed token; `kid` names the key that it claims to be signed with.
pub fn signed(claims: &Value, kid: Option<&str>) -> String {
    let key = EncodingKey::from_ec_der(&STANDARD.decode(KEY).unwrap());
    let header = Header {
        kid: kid.map(str::to_string),
        ..Header::new(Algorithm::ES256)
    };
    encode(&header, claims, &key).unwrap()
}

/// `Bearer` and a good token of these claims.
pub fn bearer(mut claims: Value) -> String {
    for (name, value) in [
        ("iss", "https://issuer.example".into()),
        ("exp", Value::from(NEVER)),
    ] {
        let fields = claims.as_object_mut().unwrap();
        fields.entry(name).or_insert(value);
    }
    format!("Bearer {}", signed(&claims, Some("k")))
}
