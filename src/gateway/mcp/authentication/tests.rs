//! What is said to clients of the way to a token.

use serde_json::{Value, json};

use super::{Asked, Authentication, Origin, snake};

fn authentication(more: Value) -> Authentication {
    let mut spec = json!({"issuer": "https://issuer.example/tenant/", "audiences": ["gw"],
        "jwks": {"backendRef": {"name": "s", "port": 1}, "jwksPath": "jwks"}});
    for (field, value) in more.as_object().unwrap() {
        spec[field] = value.clone();
    }
    let none = |_: &Value| {
        Ok(Origin {
            endpoint: "keys:1".into(),
            dial: Vec::new(),
            host: None,
            tls: None,
            http2: false,
        })
    };
    Authentication::read(&spec, none, |_, _, _| Err(String::new())).unwrap()
}

fn at(path: &str) -> Asked {
    Asked {
        base: "http://gw.example:8080".to_string(),
        path: path.to_string(),
    }
}

// From `create_auth_required_response` of agentgateway's mcp/auth.rs.
#[test]
fn a_challenge_names_the_place_that_the_client_can_reach() {
    let own = authentication(json!({}));
    let given =
        authentication(json!({"resourceMetadata": {"resource": "https://mcp.example/mcp"}}));
    let table = [
        (
            &own,
            "/mcp",
            "/mcp",
            "http://gw.example:8080/.well-known/oauth-protected-resource/mcp",
        ),
        (
            &own,
            "/team/mcp",
            "/mcp",
            "http://gw.example:8080/team/.well-known/oauth-protected-resource/mcp",
        ),
        (
            &given,
            "/mcp",
            "/mcp",
            "https://mcp.example/.well-known/oauth-protected-resource/mcp",
        ),
    ];
    for (policy, asked, path, place) in table {
        let expected = format!("Bearer resource_metadata=\"{place}\"");
        assert_eq!(policy.challenge(&at(asked), path), expected, "{asked}");
    }
}

#[test]
fn names_are_written_as_the_standard_writes_them() {
    let table = [
        ("scopesSupported", "scopes_supported"),
        ("bearer_methods_supported", "bearer_methods_supported"),
        ("resourceURL", "resource_url"),
        ("JWKSUri", "jwks_uri"),
        ("resource-documentation", "resource_documentation"),
    ];
    for (name, expected) in table {
        assert_eq!(snake(name), expected);
    }
}

#[test]
fn an_issuers_metadata_is_changed_where_its_provider_needs_it() {
    let told = json!({"authorization_endpoint": "https://i/authorize", "registration_endpoint": "https://i/register"});
    let table = [
        ("", told.clone()),
        (
            "Auth0",
            json!({"authorization_endpoint": "https://i/authorize?audience=gw", "registration_endpoint": "https://i/register"}),
        ),
        (
            "Keycloak",
            json!({"authorization_endpoint": "https://i/authorize",
            "registration_endpoint": "http://gw.example:8080/.well-known/oauth-authorization-server/mcp/client-registration"}),
        ),
    ];
    for (provider, expected) in table {
        let policy = authentication(json!({"provider": provider}));
        let followed = policy.followed(
            told.clone(),
            &at("/.well-known/oauth-authorization-server/mcp"),
        );
        assert_eq!(followed, Some(expected), "{provider}");
    }
    let keycloak = authentication(json!({"provider": "Keycloak"}));
    assert_eq!(keycloak.followed(json!({}), &at("/")), None);
}
