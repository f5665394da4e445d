//! Which of several providers takes a call: groups in order, inside a group the better of two
//! picked at random (facts 6, failover).

use std::collections::HashMap;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

/// How much a new observation weighs against all before it.
const ALPHA: f64 = 0.3;
/// How much slower one more pending call makes a provider look.
const PENDING: f64 = 0.1;

/// What is known of one provider.
#[derive(Debug)]
struct Health {
    pending: AtomicUsize,
    seen: Mutex<Seen>,
}

#[derive(Debug)]
struct Seen {
    /// Share of calls that went well, the newest weighing most.
    success: f64,
    /// Seconds that a good call took, if there was one.
    latency: Option<f64>,
    evicted_until: Option<Instant>,
}

impl Health {
    fn new() -> Health {
        Health {
            pending: AtomicUsize::new(0),
            seen: Mutex::new(Seen {
                success: 1.0,
                latency: None,
                evicted_until: None,
            }),
        }
    }

    fn seen(&self) -> MutexGuard<'_, Seen> {
        self.seen.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn is_evicted(&self, now: Instant) -> bool {
        self.seen().evicted_until.is_some_and(|until| now < until)
    }

    /// Higher is better.
    fn score(&self) -> f64 {
        let pending = self.pending.load(Ordering::Relaxed) as f64;
        let seen = self.seen();
        let latency = seen.latency.unwrap_or(0.0) * (1.0 + pending * PENDING);
        seen.success / (1.0 + latency)
    }
}

/// What a call came to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Outcome {
    pub succeeded: bool,
    pub took: Duration,
    /// How long the provider asked to be left alone.
    pub evict: Option<Duration>,
}

/// A call that is under way; it counts as pending until it is dropped.
#[derive(Debug)]
pub(super) struct Turn {
    pub group: usize,
    pub member: usize,
    health: Arc<Health>,
}

impl Turn {
    /// Notes how the call went. A failure says nothing about speed: failing is often fast.
    pub fn note(&self, outcome: Outcome, now: Instant) {
        let mut seen = self.health.seen();
        let mixed = |old: f64, new: f64| ALPHA * new + (1.0 - ALPHA) * old;
        seen.success = mixed(seen.success, f64::from(u8::from(outcome.succeeded)));
        if outcome.succeeded {
            let took = outcome.took.as_secs_f64();
            seen.latency = Some(seen.latency.map_or(took, |old| mixed(old, took)));
        }
        // A call that began earlier does not shorten an eviction.
        if let Some(until) = outcome.evict.and_then(|wait| now.checked_add(wait)) {
            seen.evicted_until = seen.evicted_until.max(Some(until));
        }
    }
}

impl Drop for Turn {
    fn drop(&mut self) {
        self.health.pending.fetch_sub(1, Ordering::Relaxed);
    }
}

/// The providers of one backend, by group and place.
#[derive(Debug)]
pub(super) struct Pool(Vec<Vec<Arc<Health>>>);

impl Pool {
    fn new(sizes: &[usize]) -> Pool {
        let group = |size: &usize| (0..*size).map(|_| Arc::new(Health::new())).collect();
        Pool(sizes.iter().map(group).collect())
    }

    /// A provider for one call; none when all are evicted. The same one may be picked twice, so
    /// that the worst of a group still gets a call at times.
    pub fn pick(&self, now: Instant) -> Option<Turn> {
        for (group, members) in self.0.iter().enumerate() {
            let ready: Vec<usize> = (0..members.len())
                .filter(|member| !members[*member].is_evicted(now))
                .collect();
            let best = match ready[..] {
                [] => continue,
                [only] => only,
                _ => {
                    let [one, other] = [(); 2].map(|()| ready[rand::random_range(0..ready.len())]);
                    match members[other].score() > members[one].score() {
                        true => other,
                        false => one,
                    }
                }
            };
            let health = members[best].clone();
            health.pending.fetch_add(1, Ordering::Relaxed);
            return Some(Turn {
                group,
                member: best,
                health,
            });
        }
        None
    }
}

/// Which pool a backend has. The same object has the same key after a reload.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct PoolKey {
    /// `namespace/name` of the backend.
    pub owner: Arc<str>,
    /// Stands for its providers: other ones are not known yet.
    pub print: u64,
    /// How many providers each group has.
    pub sizes: Vec<usize>,
}

/// The pools of all backends. They outlive a configuration that has the same backends again.
#[derive(Default)]
pub(super) struct Pools(Mutex<HashMap<PoolKey, Arc<Pool>>>);

impl Pools {
    pub fn of(&self, key: &PoolKey) -> Arc<Pool> {
        let mut pools = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(pool) = pools.get(key) {
            return pool.clone();
        }
        let pool = Arc::new(Pool::new(&key.sizes));
        pools.insert(key.clone(), pool.clone());
        pool
    }

    /// Forgets the pools of backends that are gone.
    pub fn keep<'a>(&self, keys: impl Iterator<Item = &'a PoolKey>) {
        let mut pools = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let mut old = std::mem::take(&mut *pools);
        pools.extend(keys.filter_map(|key| old.remove_entry(key)));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const OK: Outcome = Outcome {
        succeeded: true,
        took: Duration::from_millis(10),
        evict: None,
    };
    const FAILED: Outcome = Outcome {
        succeeded: false,
        ..OK
    };

    fn evicting(seconds: u64) -> Outcome {
        Outcome {
            evict: Some(Duration::from_secs(seconds)),
            ..OK
        }
    }

    fn shares(pool: &Pool, now: Instant) -> [usize; 2] {
        let mut counts = [0; 2];
        for _ in 0..2000 {
            counts[pool.pick(now).unwrap().member] += 1;
        }
        counts
    }

    /// Notes an outcome for a member, however often it takes to be given it.
    fn note(pool: &Pool, member: usize, outcome: Outcome, now: Instant) {
        let turns = std::iter::repeat_with(|| pool.pick(now).unwrap());
        let turn = { turns }.find(|turn| turn.member == member);
        turn.unwrap().note(outcome, now);
    }

    #[test]
    fn a_failure_never_moves_calls_to_the_next_group() {
        let pool = Pool::new(&[1, 1]);
        let now = Instant::now();
        for _ in 0..50 {
            let turn = pool.pick(now).unwrap();
            assert_eq!(turn.group, 0);
            turn.note(FAILED, now);
        }
    }

    #[test]
    fn an_evicted_provider_gets_no_call_until_its_time_is_up() {
        let pool = Pool::new(&[1, 1]);
        let now = Instant::now();
        pool.pick(now).unwrap().note(evicting(30), now);
        let second = pool.pick(now).unwrap();
        assert_eq!(second.group, 1);
        second.note(evicting(60), now);
        assert!(pool.pick(now + Duration::from_secs(29)).is_none());
        let back = pool.pick(now + Duration::from_secs(30)).unwrap();
        assert_eq!(back.group, 0);
    }

    #[test]
    fn a_shorter_eviction_does_not_end_a_longer_one() {
        let pool = Pool::new(&[1]);
        let now = Instant::now();
        let (one, other) = (pool.pick(now).unwrap(), pool.pick(now).unwrap());
        one.note(evicting(30), now);
        other.note(evicting(1), now);
        assert!(pool.pick(now + Duration::from_secs(10)).is_none());
    }

    #[test]
    fn equals_share_and_the_worse_of_two_gets_a_quarter() {
        let pool = Pool::new(&[2]);
        let now = Instant::now();
        let [_, second] = shares(&pool, now);
        assert!((850..1150).contains(&second), "{second}");
        note(&pool, 0, FAILED, now);
        // It is taken only when both picks are it.
        let [first, _] = shares(&pool, now);
        assert!((400..600).contains(&first), "{first}");
    }

    #[test]
    fn a_slow_or_busy_provider_gets_less() {
        let now = Instant::now();
        let slow = Outcome {
            took: Duration::from_secs(5),
            ..OK
        };
        let pool = Pool::new(&[2]);
        note(&pool, 0, slow, now);
        assert!(shares(&pool, now)[0] < 600);
        let pool = Pool::new(&[2]);
        note(&pool, 0, OK, now);
        note(&pool, 1, OK, now);
        let turns = std::iter::repeat_with(|| pool.pick(now).unwrap());
        let held: Vec<Turn> = turns
            .take(200)
            .filter(|turn| turn.member == 0)
            .take(9)
            .collect();
        assert!(shares(&pool, now)[0] < 600);
        drop(held);
        assert!(shares(&pool, now)[0] > 800);
    }

    #[test]
    fn what_is_known_outlives_a_reload_of_the_same_backend() {
        let pools = Pools::default();
        let key = PoolKey {
            owner: "ns/b".into(),
            print: 1,
            sizes: vec![1],
        };
        let now = Instant::now();
        pools.of(&key).pick(now).unwrap().note(evicting(30), now);
        pools.keep([&key, &key].into_iter());
        assert!(pools.of(&key).pick(now).is_none());
        pools.keep(std::iter::empty());
        assert!(pools.of(&key).pick(now).is_some());
    }
}
