//! A person's own proof, from a profile: a request and what must come back.

use super::check::{Check, Claim, Finding, Verdict};
use super::gateway;
use crate::host::web::{local, why};
use crate::profile::Test;
use crate::text;
use futures::FutureExt;
use futures::future::BoxFuture;
use std::time::Duration;

/// A first answer may have to wait for a model to be loaded.
const DEADLINE: Duration = Duration::from_secs(180);

pub struct Own {
    pub url: String,
    pub test: Test,
}

impl Own {
    async fn ask(&self) -> Finding {
        let (claim, test) = (self.claim(), &self.test);
        let Ok(method) = test.method.parse::<reqwest::Method>() else {
            return Finding::fail(
                &claim,
                format!("`{}` is no HTTP method", test.method),
                "gw profile list",
            );
        };
        let sent = format!("{method} {}", self.url);
        let mut request = local().request(method, &self.url).timeout(DEADLINE);
        if let Some(body) = &test.body {
            request = request.json(body);
        }
        let response = match request.send().await {
            Ok(response) => response,
            Err(error) => return Finding::fail(&claim, why(&error), "gw up").fact("sent", sent),
        };
        let status = response.status().as_u16();
        let body = response.text().await.unwrap_or_default();
        match fault(test, status, &body) {
            None => Finding::new(&claim, Verdict::Pass),
            Some(fault) => Finding::fail(&claim, fault, "gw logs")
                .fact("sent", sent)
                .fact(
                    "answered",
                    format!("{status} {:?}", text::excerpt(&body, 300)),
                ),
        }
    }
}

/// What of the expectation is not so.
fn fault(test: &Test, status: u16, body: &str) -> Option<String> {
    if status != test.status {
        return Some(format!("{status} where {} was expected", test.status));
    }
    let wanted = test.contains.as_deref()?;
    (!body.contains(wanted)).then(|| format!("{status}, but without {wanted:?}"))
}

impl Check for Own {
    fn claim(&self) -> Claim {
        Claim {
            id: format!("test.{}", self.test.name),
            title: format!("own test {}", self.test.name),
            needs: vec![gateway::ID.to_string()],
            deadline: DEADLINE,
        }
    }

    fn run(&self) -> BoxFuture<'_, Finding> {
        self.ask().boxed()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn status_and_text_are_both_expected() {
        let test = Test {
            name: "t".into(),
            route: "r".into(),
            method: "GET".into(),
            path: "/x".into(),
            body: None,
            status: 503,
            contains: Some("EOF".into()),
        };
        assert_eq!(fault(&test, 503, "... EOF ..."), None);
        assert_eq!(
            fault(&test, 200, "EOF").unwrap(),
            "200 where 503 was expected"
        );
        assert_eq!(
            fault(&test, 503, "other").unwrap(),
            "503, but without \"EOF\""
        );
    }
}
