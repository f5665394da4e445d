//! What who stands behind a route was sent: the built-in mock tells, nobody else does.

use super::case::Sight;
use super::probe::MARK;
use crate::host::web;
use serde_json::Value;
use std::time::Duration;

/// Where the mock of an environment keeps what it was sent.
#[derive(Debug, Clone)]
pub struct Upstream {
    /// `http://127.0.0.1:18434`.
    pub base: String,
}

/// What of the expectation was not seen, for the request that carried the mark.
pub async fn fault(upstream: &Upstream, mark: &str, sights: &[Sight]) -> Option<String> {
    let url = format!("{}/mock/requests", upstream.base);
    let (status, body) = match web::get(&url, None, Duration::from_secs(5)).await {
        Ok(answer) => answer,
        Err(why) => return Some(format!("the mock does not tell what it was sent: {why}")),
    };
    let list: Value = serde_json::from_str(&body).unwrap_or(Value::Null);
    let Some(requests) = list["requests"].as_array().filter(|_| status == 200) else {
        return Some(format!(
            "the mock answered {status} where it tells what it was sent"
        ));
    };
    let mine: Vec<&Value> = requests
        .iter()
        .filter(|request| request["headers"][MARK] == mark)
        .collect();
    sights.iter().find_map(|sight| look(sight, &mine))
}

fn look(sight: &Sight, requests: &[&Value]) -> Option<String> {
    if let Sight::Times(times) = sight {
        let came = requests.len();
        return (came != *times).then(|| format!("it came {came} times upstream and not {times}"));
    }
    let Some(request) = requests.last() else {
        return Some("it did not come to the mock".to_string());
    };
    let body = || request["body"].to_string();
    match sight {
        Sight::Times(_) => None,
        Sight::Path(path) => {
            let seen = request["path"].as_str().unwrap_or("");
            (seen != path).then(|| format!("upstream saw the path {seen} and not {path}"))
        }
        Sight::Header(name, value) => {
            let seen = request["headers"][name.to_lowercase()].as_str();
            match seen {
                Some(seen) if seen == value => None,
                Some(seen) => Some(format!("upstream saw {name}: {seen} and not {value}")),
                None => Some(format!("upstream saw no header {name}")),
            }
        }
        Sight::NoHeader(name) => {
            let seen = request["headers"][name.to_lowercase()].as_str();
            seen.map(|_| format!("upstream saw the header {name}"))
        }
        Sight::NoText(text) => body()
            .contains(text.as_str())
            .then(|| format!("upstream was sent {text:?}")),
        Sight::Text(text) => {
            let there = body().contains(text.as_str());
            (!there).then(|| format!("upstream was not sent {text:?}"))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn what_was_not_seen_is_named() {
        let request = json!({"path": "/v1/x", "headers": {"x-a": "1"}, "body": {"text": "masked"}});
        let seen = [&request];
        let table = [
            (Sight::Path("/v1/x".into()), None),
            (
                Sight::Path("/a/v1/x".into()),
                Some("upstream saw the path /v1/x and not /a/v1/x"),
            ),
            (Sight::Header("X-A".into(), "1".into()), None),
            (
                Sight::Header("x-b".into(), "1".into()),
                Some("upstream saw no header x-b"),
            ),
            (
                Sight::NoHeader("x-a".into()),
                Some("upstream saw the header x-a"),
            ),
            (
                Sight::NoText("masked".into()),
                Some("upstream was sent \"masked\""),
            ),
            (Sight::Times(2), Some("it came 1 times upstream and not 2")),
        ];
        for (sight, fault) in table {
            assert_eq!(look(&sight, &seen).as_deref(), fault, "{sight:?}");
        }
        assert!(look(&Sight::Path("/".into()), &[]).is_some());
    }
}
