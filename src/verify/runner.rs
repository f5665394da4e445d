//! Runs checks side by side as far as their needs allow; one that can't be judged is skipped and says why.

use super::check::{Check, Claim, Finding, Verdict};
use crate::text;
use futures::future::join_all;
use std::collections::HashMap;
use std::time::Instant;
use tokio::sync::Semaphore;

/// Checks of one lane at a time: more than anybody's routes, and no flood.
const WIDTH: usize = 64;

/// Findings in the order of the checks. What they need may be found `before`; `told` hears of each one
/// as it comes.
pub async fn run(
    checks: &[Box<dyn Check>],
    before: &[Finding],
    told: &(dyn Fn(&Finding) + Sync),
) -> Vec<Finding> {
    let mut found: Vec<Option<Finding>> = checks.iter().map(|_| None).collect();
    let named = checks.iter().map(|check| check.claim().lane);
    let lanes: HashMap<String, Semaphore> =
        named.map(|lane| (lane, Semaphore::new(WIDTH))).collect();
    loop {
        let mut ready = Vec::new();
        for (index, check) in checks
            .iter()
            .enumerate()
            .filter(|(index, _)| found[*index].is_none())
        {
            if matches!(standing(&check.claim(), before, &found), Standing::Ready) {
                ready.push((index, check));
            }
        }
        if ready.is_empty() {
            break;
        }
        let judging = ready.iter().map(|(_, check)| async {
            let lane = check.claim().lane;
            let lane = lanes.get(&lane).filter(|_| !lane.is_empty());
            let _place = match lane {
                // Never closed; without a place it is asked all the same.
                Some(lane) => lane.acquire().await.ok(),
                None => None,
            };
            let finding = judged(check.as_ref()).await;
            told(&finding);
            finding
        });
        let findings = join_all(judging).await;
        for ((index, _), finding) in ready.into_iter().zip(findings) {
            found[index] = Some(finding);
        }
    }
    let skipped = |check: &dyn Check, found: &[Option<Finding>]| {
        let claim = check.claim();
        let why = match standing(&claim, before, found) {
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

fn standing(claim: &Claim, before: &[Finding], found: &[Option<Finding>]) -> Standing {
    for need in &claim.needs {
        let mut known = before.iter().chain(found.iter().flatten());
        match known.find(|finding| finding.id == *need) {
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
                lane: String::new(),
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
        let found = run(&checks, &[], &|_| {}).await;
        let verdicts: Vec<Verdict> = found.iter().map(|f| f.verdict).collect();
        assert_eq!(verdicts, [Verdict::Skip, Verdict::Fail, Verdict::Pass]);
        assert_eq!(found[0].summary, "needs: a holds");
    }

    #[tokio::test]
    async fn what_was_found_before_is_not_looked_for_again() {
        let needing = [check("b", Some("a"), Some(Verdict::Pass))];
        for (before, after) in [
            (Verdict::Pass, Verdict::Pass),
            (Verdict::Fail, Verdict::Skip),
        ] {
            let before = [check("a", None, Some(before)).run().await];
            let found = run(&needing, &before, &|_| {}).await;
            assert_eq!((found.len(), found[0].verdict), (1, after));
        }
        let found = run(&needing, &[], &|_| {}).await;
        assert_eq!(found[0].summary, "what it needs was not checked");
    }

    const SLOW: Duration = Duration::from_millis(400);

    struct Slow {
        number: usize,
        lane: String,
    }

    impl Check for Slow {
        fn claim(&self) -> Claim {
            Claim {
                id: format!("slow.{}", self.number),
                title: String::new(),
                needs: Vec::new(),
                deadline: Duration::from_secs(5),
                lane: self.lane.clone(),
            }
        }

        fn run(&self) -> BoxFuture<'_, Finding> {
            async {
                tokio::time::sleep(SLOW).await;
                Finding::new(&self.claim(), Verdict::Pass)
            }
            .boxed()
        }
    }

    #[tokio::test]
    async fn fifty_routes_take_at_most_twice_as_long_as_the_slowest() {
        // Each route is asked whole and as a stream.
        let slow = |number| -> Box<dyn Check> {
            Box::new(Slow {
                number,
                lane: "one".to_string(),
            })
        };
        let checks: Vec<Box<dyn Check>> = (0..100).map(slow).collect();
        let start = Instant::now();
        let found = run(&checks, &[], &|_| {}).await;
        assert_eq!(found.len(), 100);
        // With a moment for a machine that does other things too.
        assert!(
            start.elapsed() < SLOW * 2 + SLOW / 2,
            "{:?}",
            start.elapsed()
        );
    }

    #[tokio::test]
    async fn a_check_without_a_verdict_in_time_has_failed() {
        let found = run(&[check("slow", None, None)], &[], &|_| {}).await;
        assert_eq!(found[0].verdict, Verdict::Fail);
        assert_eq!(found[0].summary, "no verdict in 0.02 s");
    }
}
