//! `traffic.rateLimit.local`: a token bucket of requests, or of a model's tokens (facts 9.7, 17.1).

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use serde_json::Value;

use crate::gateway::object::{dig, text};
use crate::gateway::refusal::Refusal;

/// What a limit is a limit of.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Counts {
    Requests,
    Tokens,
}

/// One limit of one target of a policy. Equal limits share a bucket, before and after a reload.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Limit {
    /// The policy and its target, so that two policies with the same numbers count apart.
    pub owner: Arc<str>,
    pub counts: Counts,
    amount: u64,
    burst: u64,
    unit: Duration,
}

impl Limit {
    /// Reads the first entry of `local`: the real translator looks at no other (facts 7.2).
    pub(in crate::gateway) fn read(spec: &Value) -> Option<Limit> {
        let number = |field: &str| dig(spec, &[field]).as_u64();
        let (counts, amount) = match (number("requests"), number("tokens")) {
            (Some(requests), _) => (Counts::Requests, requests),
            (None, tokens) => (Counts::Tokens, tokens?),
        };
        let seconds = match text(spec, &["unit"]) {
            "Seconds" => 1,
            "Minutes" => 60,
            "Hours" => 3600,
            _ => return None,
        };
        Some(Limit {
            owner: Arc::default(),
            counts,
            amount,
            burst: number("burst").unwrap_or(0),
            unit: Duration::from_secs(seconds),
        })
    }
}

/// What is left of a limit: starts full, refilled once a unit. Tokens are taken after the answer, so
/// it may be overdrawn.
#[derive(Debug)]
pub struct Bucket {
    capacity: i64,
    refill: i64,
    unit: Duration,
    level: Mutex<Level>,
}

#[derive(Debug)]
struct Level {
    left: i64,
    next: Instant,
}

impl Bucket {
    fn new(limit: &Limit, now: Instant) -> Bucket {
        let capped = |amount: u64| i64::try_from(amount).unwrap_or(i64::MAX);
        let capacity = capped(limit.amount.saturating_add(limit.burst));
        Bucket {
            capacity,
            refill: capped(limit.amount),
            unit: limit.unit,
            level: Mutex::new(Level {
                left: capacity,
                next: now + limit.unit,
            }),
        }
    }

    /// Takes one request.
    pub fn take(&self, now: Instant) -> Result<(), Refusal> {
        let mut level = self.level(now);
        self.positive(&level, now)?;
        level.left -= 1;
        Ok(())
    }

    /// Asks only that something is left, as is done before a call to a model.
    pub fn check(&self, now: Instant) -> Result<(), Refusal> {
        let level = self.level(now);
        self.positive(&level, now)
    }

    /// Takes what an answer has cost.
    pub fn charge(&self, amount: u64) {
        let amount = i64::try_from(amount).unwrap_or(i64::MAX);
        let mut level = self.lock();
        level.left = level.left.saturating_sub(amount).max(0);
    }

    fn positive(&self, level: &Level, now: Instant) -> Result<(), Refusal> {
        if level.left > 0 {
            return Ok(());
        }
        let wait = level
            .next
            .saturating_duration_since(now)
            .as_secs_f64()
            .ceil();
        let whole = |number: i64| u64::try_from(number).unwrap_or(0);
        Err(Refusal::rate_limit(
            whole(self.capacity),
            whole(level.left),
            wait as u64,
        ))
    }

    /// The level after all refills that were due.
    fn level(&self, now: Instant) -> MutexGuard<'_, Level> {
        let mut level = self.lock();
        if let Some(late) = now.checked_duration_since(level.next) {
            let units = late.as_secs() / self.unit.as_secs().max(1) + 1;
            let refill = self
                .refill
                .saturating_mul(i64::try_from(units).unwrap_or(i64::MAX));
            level.left = level.left.saturating_add(refill).min(self.capacity);
            level.next += self.unit * u32::try_from(units).unwrap_or(u32::MAX);
        }
        level
    }

    fn lock(&self) -> MutexGuard<'_, Level> {
        self.level.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The buckets of all limits. They outlive a configuration that has the same limits again.
#[derive(Default)]
pub struct Buckets(Mutex<HashMap<Limit, Arc<Bucket>>>);

impl Buckets {
    pub fn of(&self, limit: &Limit) -> Arc<Bucket> {
        let mut buckets = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        // A request that began before a reload may still ask for a bucket that is gone.
        let new = || Arc::new(Bucket::new(limit, Instant::now()));
        buckets.entry(limit.clone()).or_insert_with(new).clone()
    }

    /// Fills buckets for new limits, forgets those of limits that are gone.
    pub fn keep<'a>(&self, limits: impl Iterator<Item = &'a Limit>) {
        let mut buckets = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let mut old = std::mem::take(&mut *buckets);
        for limit in limits {
            if !buckets.contains_key(limit) {
                let kept = old.remove(limit);
                let new = || Arc::new(Bucket::new(limit, Instant::now()));
                buckets.insert(limit.clone(), kept.unwrap_or_else(new));
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn limit(spec: Value) -> Limit {
        Limit::read(&spec).unwrap()
    }

    #[test]
    fn requests_up_to_the_burst_then_one_refill_a_unit() {
        let start = Instant::now();
        let limit = limit(json!({"requests": 2, "unit": "Minutes", "burst": 1}));
        let bucket = Bucket::new(&limit, start);
        let at = |seconds: u64| start + Duration::from_secs(seconds);
        let table = [
            (0, None),
            (1, None),
            (2, None),
            (4, Some(56)),
            (59, Some(1)),
            (60, None),
            (61, None),
            (62, Some(58)),
            // Ten minutes later it is full again, and no fuller.
            (660, None),
            (660, None),
            (660, None),
            (660, Some(60)),
        ];
        for (second, reset) in table {
            let refused = bucket.take(at(second)).err();
            let expected = reset.map(|reset| Refusal::rate_limit(3, 0, reset));
            assert_eq!(refused, expected, "second {second}");
        }
    }

    #[test]
    fn tokens_are_taken_afterwards_and_may_overdraw() {
        let start = Instant::now();
        let limit = limit(json!({"tokens": 30, "unit": "Hours"}));
        let bucket = Bucket::new(&limit, start);
        for _ in 0..2 {
            assert_eq!(bucket.check(start), Ok(()));
            bucket.charge(22);
        }
        let refused = Refusal::rate_limit(30, 0, 3600);
        assert_eq!(bucket.check(start), Err(refused));
        assert_eq!(bucket.check(start + Duration::from_secs(3600)), Ok(()));
        bucket.charge(u64::MAX);
        bucket.charge(u64::MAX);
        assert!(bucket.check(start).is_err());
    }

    #[test]
    fn buckets_survive_a_reload_of_the_same_limit() {
        let buckets = Buckets::default();
        let (one, two) = (
            limit(json!({"requests": 1, "unit": "Hours"})),
            limit(json!({"requests": 2, "unit": "Hours"})),
        );
        buckets.keep([&one, &two].into_iter());
        assert_eq!(buckets.of(&one).take(Instant::now()), Ok(()));
        assert_eq!(buckets.of(&two).take(Instant::now()), Ok(()));
        buckets.keep([&one, &one].into_iter());
        assert!(buckets.of(&one).take(Instant::now()).is_err());
        // A limit that was gone for a while begins anew.
        buckets.keep([&one, &two].into_iter());
        assert_eq!(buckets.of(&two).level(Instant::now()).left, 2);
    }

    #[test]
    fn what_is_no_limit_is_none() {
        for spec in [
            json!({}),
            json!({"requests": 1}),
            json!({"requests": -1, "unit": "Hours"}),
            json!({"unit": "Hours"}),
        ] {
            assert_eq!(Limit::read(&spec), None, "{spec}");
        }
    }
}
