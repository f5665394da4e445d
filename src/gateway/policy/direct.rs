//! `traffic.directResponse`: an answer without any upstream (facts 7.2; recording policies/direct).

use http::StatusCode;
use serde_json::Value;

use crate::gateway::object::{port, text};
use crate::gateway::refusal::Refusal;

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Direct {
    status: StatusCode,
    body: String,
}

impl Direct {
    pub(in crate::gateway) fn read(spec: &Value) -> Result<Direct, String> {
        let code = port(spec, &["status"]);
        let status = StatusCode::from_u16(code).ok().filter(|_| code >= 200);
        Ok(Direct {
            status: status.ok_or_else(|| format!("invalid status {code}"))?,
            body: text(spec, &["body"]).to_string(),
        })
    }

    pub(in crate::gateway) fn answer(&self) -> Refusal {
        Refusal::direct(self.status, &self.body)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn only_final_answers() {
        for (status, is_valid) in [
            (418, true),
            (200, true),
            (101, false),
            (0, false),
            (99999, false),
        ] {
            let read = Direct::read(&json!({"status": status, "body": "x"}));
            assert_eq!(read.is_ok(), is_valid, "{status}");
        }
        let direct = Direct::read(&json!({"status": 418, "body": "teapot"})).unwrap();
        assert_eq!(
            direct.answer(),
            Refusal::direct(StatusCode::IM_A_TEAPOT, "teapot")
        );
    }
}
