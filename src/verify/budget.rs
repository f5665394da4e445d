//! What a proof may still cost: a request that is sent again while a gateway settles is paid for too.

use std::sync::{Mutex, PoisonError};

pub struct Budget(Mutex<Purse>);

/// In US dollars.
struct Purse {
    left: f64,
    spent: f64,
}

impl Budget {
    pub fn new(left: f64) -> Self {
        Budget(Mutex::new(Purse { left, spent: 0.0 }))
    }

    /// Takes the price of one more request, if so much is left.
    pub fn take(&self, price: f64) -> bool {
        let mut purse = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let enough = price <= purse.left;
        if enough {
            purse.left -= price;
            purse.spent += price;
        }
        enough
    }

    /// All that was taken.
    pub fn spent(&self) -> f64 {
        let purse = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        purse.spent
    }
}

#[cfg(test)]
mod tests {
    use super::super::check::{Check, Verdict};
    use super::super::choose::price;
    use super::super::credential::Credential;
    use super::super::derive::{Sources, derive};
    use super::super::installed::tests::{gateway, installed, route};
    use super::super::probe::{Patience, Probe};
    use super::*;
    use serde_json::json;
    use std::io::{Read, Write};
    use std::net::TcpListener;
    use std::sync::Arc;
    use std::sync::atomic::{AtomicUsize, Ordering};
    use std::time::Duration;

    /// A server that answers everybody, and how many have come.
    fn server() -> (u16, Arc<AtomicUsize>) {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        let asked = Arc::new(AtomicUsize::new(0));
        let counted = asked.clone();
        std::thread::spawn(move || {
            for mut stream in listener.incoming().flatten() {
                let _ = stream.read(&mut [0; 16 << 10]);
                counted.fetch_add(1, Ordering::SeqCst);
                let answer = "HTTP/1.1 200 OK\r\nconnection: close\r\ncontent-length: 2\r\n\r\n{}";
                let _ = stream.write_all(answer.as_bytes());
            }
        });
        (port, asked)
    }

    #[tokio::test]
    async fn a_paid_request_is_repeated_only_as_far_as_money_is_left() {
        let _ = rustls::crypto::ring::default_provider().install_default();
        let backend = json!({"kind": "AgentgatewayBackend", "metadata": {"name": "b", "namespace": "n"},
            "spec": {"ai": {"provider": {"openai": {"model": "gpt-4o-mini"}}}}});
        let rules = json!([{"matches": [{"path": {"value": "/a"}}],
            "backendRefs": [{"kind": "AgentgatewayBackend", "name": "b"}]}]);
        let there = installed(vec![gateway(), backend, route("a", rules)]);
        let sources = Sources {
            installed: &there,
            planned: &[],
            nonce: "0",
        };
        let mut case = derive(&sources, false).cases.remove(0);
        // To be refused, and is answered: as long as the gateway may not know better, it is asked again.
        case.expect.answer = None;
        case.expect.status = vec![401];
        let one = price(&case);
        assert!(one > 0.0 && !case.lane.is_empty());
        let (port, asked) = server();
        let budget = Arc::new(Budget::new(one * 2.5));
        let probe = Probe {
            base: format!("http://127.0.0.1:{port}"),
            case,
            credential: Arc::new(Credential::None),
            patience: Patience {
                settle: Duration::from_secs(60),
                retries: 0,
                fresh: true,
            },
            upstream: None,
            budget: budget.clone(),
        };
        assert_eq!(probe.run().await.verdict, Verdict::Fail);
        assert_eq!(asked.load(Ordering::SeqCst), 3);
        assert!((budget.spent() - one * 2.0).abs() < 1e-12);
    }
}
