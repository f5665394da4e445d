//! What a policy's expressions and keys come to (facts 4.5, 7.1).

use serde_json::{Value, json};

use super::{gateway, object, policy, said, status};

fn conditions(traffic: Value) -> Vec<String> {
    let service = object("v1", "Service", "s", json!({"ports": [{"port": 1}]}));
    let target = json!([{"kind": "Gateway", "name": "gw"}]);
    let policy = policy(json!({"targetRefs": target, "traffic": traffic}));
    let status = status(
        vec![gateway(json!({})), service, policy],
        "AgentgatewayPolicy",
    );
    said(&status["ancestors"][0]["conditions"])
}

#[test]
fn expressions_that_do_not_parse_are_told_in_the_controllers_words() {
    let header = |value: &str| json!({"name": "x-a", "value": value});
    let set = |values: &[&str]| {
        let pairs: Vec<Value> = values.iter().map(|value| header(value)).collect();
        json!({"transformation": {"request": {"set": pairs}}})
    };
    let words = "header value is not a valid CEL expression: a.(";
    let detached = "Attached=False Pending Policy is not attached due to invalid status";
    assert_eq!(
        conditions(set(&["'a'", "a.("])),
        [format!("Accepted=True PartiallyValid {words}")]
    );
    assert_eq!(
        conditions(set(&["a.("])),
        [
            format!("Accepted=True Invalid {words}"),
            detached.to_string()
        ]
    );
    // The real controller does not look into rules.
    let rules = json!({"authorization": {"policy": {"matchExpressions": ["a.("]}}});
    assert_eq!(conditions(rules)[0], "Accepted=True Valid Policy accepted");
}

#[test]
fn keys_that_are_none_are_told() {
    let provider = json!({"issuer": "i", "jwks": {"inline": "nonsense"}});
    let told = conditions(json!({"jwtAuthentication": {"providers": [provider]}}));
    let expected = "Accepted=True Invalid failed to parse JWKS: ";
    assert!(told[0].starts_with(expected), "{told:?}");
}

#[test]
fn either_phase_is_taken() {
    let header = json!({"name": "x-a", "value": "'a'"});
    let transformation = json!({"request": {"set": [header]}});
    for phase in ["PreRouting", "PostRouting"] {
        let told = conditions(json!({"phase": phase, "transformation": transformation}));
        assert_eq!(told[0], "Accepted=True Valid Policy accepted", "{phase}");
    }
}
