//! Runs checks side by side as far as their needs allow; one that can't be judged is skipped and says why.

use super::check::{Check, Claim, Finding, Verdict};
use crate::text;
use futures::future::join_all;
use std::time::Instant;

/// Findings in the order of the checks.
pub async fn run(checks: &[Box<dyn Check>]) -> Vec<Finding> {
    let mut found: Vec<Option<Finding>> = checks.iter().map(|_| None).collect();
    loop {
        let mut ready = Vec::new();
        for (index, check) in checks
            .iter()
            .enumerate()
            .filter(|(index, _)| found[*index].is_none())
        {
            if matches!(standing(&check.claim(), &found), Standing::Ready) {
                ready.push((index, check));
            }
        }
        if ready.is_empty() {
            break;
        }
        let findings = join_all(ready.iter().map(|(_, check)| judged(check.as_ref()))).await;
        for ((index, _), finding) in ready.into_iter().zip(findings) {
            found[index] = Some(finding);
        }
    }
    let skipped = |check: &dyn Check, found: &[Option<Finding>]| {
        let claim = check.claim();
        let why = match standing(&claim, found) {
            Standing::Hopeless(why) => why,
            Standing::Ready | Standing::Waits => "what it needs was not checked".to_string(),
        };
        Finding {
            summary: why,
            ..Finding::new(&claim, Verdict::Skip)
        }
    };
    let all = checks.iter().enumerate();
    all.map(|(index, check)| {
        found[index]
            .clone()
            .unwrap_or_else(|| skipped(check.as_ref(), &found))
    })
    .collect()
}

enum Standing {
    Ready,
    Waits,
    Hopeless(String),
}

fn standing(claim: &Claim, found: &[Option<Finding>]) -> Standing {
    for need in &claim.needs {
        match found.iter().flatten().find(|finding| finding.id == *need) {
            None => return Standing::Waits,
            Some(finding) if finding.verdict == Verdict::Fail => {
                return Standing::Hopeless(format!("needs: {}", finding.title));
            }
            Some(_) => {}
        }
    }
    Standing::Ready
}

async fn judged(check: &dyn Check) -> Finding {
    let claim = check.claim();
    let start = Instant::now();
    let mut finding = match tokio::time::timeout(claim.deadline, check.run()).await {
        Ok(finding) => finding,
        Err(_) => Finding::fail(
            &claim,
            format!("no verdict in {}", text::duration(claim.deadline)),
            "gw logs",
        ),
    };
    if finding.seconds == 0.0 {
        finding.seconds = start.elapsed().as_secs_f64();
    }
    finding
}

#[cfg(test)]
mod tests {
    use super::*;
    use futures::FutureExt;
    use futures::future::BoxFuture;
    use std::time::Duration;

    struct Fixed {
        id: &'static str,
        needs: Vec<String>,
        verdict: Option<Verdict>,
    }

    impl Check for Fixed {
        fn claim(&self) -> Claim {
            Claim {
                id: self.id.into(),
                title: format!("{} holds", self.id),
                needs: self.needs.clone(),
                deadline: Duration::from_millis(20),
            }
        }

        fn run(&self) -> BoxFuture<'_, Finding> {
            async {
                match self.verdict {
                    Some(verdict) => Finding::new(&self.claim(), verdict),
                    None => std::future::pending().await,
                }
            }
            .boxed()
        }
    }

    fn check(id: &'static str, need: Option<&str>, verdict: Option<Verdict>) -> Box<dyn Check> {
        let needs = need.into_iter().map(str::to_string).collect();
        Box::new(Fixed { id, needs, verdict })
    }

    #[tokio::test]
    async fn what_needs_a_failure_is_skipped_and_says_which() {
        let checks = [
            check("b", Some("a"), Some(Verdict::Pass)),
            check("a", None, Some(Verdict::Fail)),
            check("c", None, Some(Verdict::Pass)),
        ];
        let found = run(&checks).await;
        let verdicts: Vec<Verdict> = found.iter().map(|f| f.verdict).collect();
        assert_eq!(verdicts, [Verdict::Skip, Verdict::Fail, Verdict::Pass]);
        assert_eq!(found[0].summary, "needs: a holds");
    }

    #[tokio::test]
    async fn a_check_without_a_verdict_in_time_has_failed() {
        let found = run(&[check("slow", None, None)]).await;
        assert_eq!(found[0].verdict, Verdict::Fail);
        assert_eq!(found[0].summary, "no verdict in 0.02 s");
    }
}
