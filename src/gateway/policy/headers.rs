//! `traffic.headerModifiers`: headers that are set, added and removed on the way (facts 7.2).

use serde_json::Value;

use crate::gateway::config::HeaderChange;
use crate::gateway::object::dig;

/// The changes to requests and to answers. v2.2's controller sends both under one name, so where
/// both are given the request's is lost (recording policies/headers).
pub fn read(spec: &Value) -> Result<(Option<HeaderChange>, Option<HeaderChange>), String> {
    let half = |field: &str| match dig(spec, &[field]) {
        Value::Null => Ok(None),
        change => HeaderChange::read(change).map(Some),
    };
    let (request, response) = (half("request")?, half("response")?);
    Ok((request.filter(|_| response.is_none()), response))
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn the_answers_change_hides_the_requests() {
        let change = json!({"set": [{"name": "x", "value": "1"}], "remove": ["y"]});
        let table = [
            (json!({"request": change}), (true, false)),
            (json!({"response": change}), (false, true)),
            (
                json!({"request": change, "response": change}),
                (false, true),
            ),
            (json!({}), (false, false)),
        ];
        for (spec, expected) in table {
            let (request, response) = read(&spec).unwrap();
            assert_eq!((request.is_some(), response.is_some()), expected, "{spec}");
        }
        assert!(read(&json!({"request": {"remove": ["no header"]}})).is_err());
    }
}
