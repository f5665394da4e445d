//! Asks one case and judges what comes back.

use super::answer::{Asked, Explanation, explain};
use super::budget::Budget;
use super::case::{Case, Shown, Sort};
use super::check::{Check, Claim, Finding, RouteProof, Verdict};
use super::choose::price;
use super::credential::Credential;
use super::form::Gist;
use super::gateway;
use super::judge::{self, Reply};
use super::sight::{self, Upstream};
use crate::host::mark;
use crate::host::web::{local, read, why};
use crate::provider::Provider;
use crate::text;
use futures::FutureExt;
use futures::future::BoxFuture;
use std::sync::Arc;
use std::time::{Duration, Instant};

/// Between two tries; the proxy has no way to announce that it has taken up a route.
const PAUSE: Duration = Duration::from_millis(50);
/// Between two tries of a request that may cost somebody something.
const LONG_PAUSE: Duration = Duration::from_millis(500);
/// What a wrong key looks like.
const NO_KEY: &str = "Bearer gatewright-wrong-key";
/// The header that marks a request for whoever stands behind the route.
pub const MARK: &str = "x-gatewright-proof";

/// How often a failure that may pass is looked at again.
#[derive(Debug, Clone, Copy)]
pub struct Patience {
    /// How long the gateway may take to know a route that it has just been given.
    pub settle: Duration,
    /// How often an upstream's failure is asked again.
    pub retries: u32,
    /// Whether what stands behind the routes was wired a moment ago, so that it may not be reached yet.
    pub fresh: bool,
}

pub struct Probe {
    pub base: String,
    pub case: Case,
    pub credential: Arc<Credential>,
    pub patience: Patience,
    /// Where the built-in mock tells what it was sent.
    pub upstream: Option<Upstream>,
    /// What it may be asked again for.
    pub budget: Arc<Budget>,
}

/// One try: what came of it, and whether it may be another in a moment.
struct Try {
    finding: Finding,
    passing: bool,
    again: bool,
    /// Whether nobody behind the proxy was reached.
    from_proxy: bool,
}

impl Probe {
    async fn prove(&self) -> Finding {
        let claim = self.claim();
        if let Some(why) = self.unasked() {
            return Finding {
                summary: why,
                ..Finding::new(&claim, Verdict::Skip)
            };
        }
        if self.case.ask.shown == Shown::Right
            && let Credential::Lacking(why) = self.credential.as_ref()
        {
            return self.without(&claim, why).await;
        }
        let start = Instant::now();
        let mut retried = Vec::new();
        let mut settling = 0;
        // What comes past the proxy costs its owner: it is not asked in a loop.
        let (pause, most) = match self.case.lane.as_str() {
            "" => (PAUSE, usize::MAX),
            _ => (LONG_PAUSE, 8),
        };
        loop {
            let sent = Instant::now();
            let tried = self.ask(&claim).await;
            let settles = tried.passing && start.elapsed() < self.patience.settle;
            let paid = || settling < most && self.budget.take(price(&self.case));
            let retries = tried.again && retried.len() < self.patience.retries as usize;
            if settles && (tried.from_proxy || paid()) {
                settling += 1;
                let pause = if tried.from_proxy { PAUSE } else { pause };
                tokio::time::sleep(pause).await;
                continue;
            }
            if retries {
                retried.push(tried.finding.summary.clone());
                tokio::time::sleep(LONG_PAUSE).await;
                continue;
            }
            let finding = Finding {
                // The time of the request that counted, not of the wait before it.
                seconds: sent.elapsed().as_secs_f64(),
                ..tried.finding
            };
            let facts = retried.into_iter().enumerate();
            return facts.fold(finding, |finding, (n, why)| {
                finding.fact(&format!("try {}", n + 1), why)
            });
        }
    }

    pub(super) fn unasked(&self) -> Option<String> {
        let blind = self.upstream.is_none() && !self.case.expect.sights.is_empty();
        let why = "only the mock tells what it was sent";
        self.case
            .unasked
            .clone()
            .or_else(|| blind.then(|| why.to_string()))
    }

    /// Where nobody but an issuer gives what callers show, the refusal is all that can be proved; a
    /// key that `up` had and that is gone keeps its owner out.
    async fn without(&self, claim: &Claim, why: &str) -> Finding {
        let gone = matches!(self.credential.as_ref(), Credential::Lacking(text) if text.starts_with("the key"));
        match gone {
            true => {
                let finding = Finding::fail(claim, format!("not asked: {why}"), "gw up");
                self.with_route(finding, 0, &Gist::default())
            }
            false => Finding {
                summary: format!("not asked: {why}"),
                ..Finding::new(claim, Verdict::Skip)
            },
        }
    }

    fn url(&self) -> String {
        format!("{}{}", self.base, self.case.ask.path)
    }

    /// A host name of its own for each request, where any will do and nothing behind the proxy minds:
    /// the access log keeps it (facts 9.7), and nothing else of what a client sends.
    pub(super) fn host(&self, mark: &str) -> Option<String> {
        match &self.case.ask.host {
            Some(host) => {
                let port = self.base.rsplit(':').next().unwrap_or("80");
                Some(format!("{host}:{port}"))
            }
            None if self.case.expect.answer.is_some()
                || self.case.lane.is_empty()
                || self.case.sort == Sort::Refusal =>
            {
                Some(mark::host(mark, &self.base))
            }
            None => None,
        }
    }

    async fn ask(&self, claim: &Claim) -> Try {
        let mark = mark::new();
        let host = self.host(&mark);
        let reply = match self.send(&mark, host.as_deref()).await {
            Ok(reply) => reply,
            Err(why) => {
                let finding = self.evidence(
                    Finding::fail(claim, self.nobody(&why), "gw up"),
                    host.as_deref(),
                );
                return Try {
                    finding: self.with_route(finding, 0, &Gist::default()),
                    passing: false,
                    again: true,
                    from_proxy: false,
                };
            }
        };
        let judged = judge::judge(&reply, &self.case);
        let fault = match (&judged, &self.upstream) {
            (Ok(_), Some(upstream)) if !self.case.expect.sights.is_empty() => {
                sight::fault(upstream, &mark, &self.case.expect.sights).await
            }
            _ => None,
        };
        match (judged, fault) {
            (Ok(gist), None) => Try {
                finding: self.with_route(Finding::new(claim, Verdict::Pass), reply.status, &gist),
                passing: false,
                again: false,
                from_proxy: false,
            },
            (Ok(gist), Some(_)) if self.case.soft.is_some() => {
                let finding = Finding {
                    summary: self.case.soft.clone().unwrap_or_default(),
                    ..Finding::new(claim, Verdict::Skip)
                };
                Try {
                    finding: self.with_route(finding, reply.status, &gist),
                    passing: false,
                    again: false,
                    from_proxy: false,
                }
            }
            (Ok(gist), Some(fault)) => {
                let (cause, next) = self.means();
                let finding = Finding::fail(claim, fault, next).fact("cause", cause);
                let finding = self.evidence(finding, host.as_deref());
                Try {
                    finding: self.with_route(finding, reply.status, &gist),
                    passing: true,
                    again: false,
                    from_proxy: false,
                }
            }
            (Err(fault), _) => self.failed(claim, &reply, &fault, host.as_deref()),
        }
    }

    pub(super) async fn send(&self, mark: &str, host: Option<&str>) -> Result<Reply, String> {
        let ask = &self.case.ask;
        let method = ask.method.parse::<reqwest::Method>();
        let method = method.map_err(|_| format!("`{}` is no HTTP method", ask.method))?;
        let mut request = local()
            .request(method, self.url())
            .timeout(self.case.behind.patience)
            .header(MARK, mark);
        if let Some(host) = host {
            request = request.header("host", host);
        }
        for (name, value) in &ask.headers {
            request = request.header(name, value);
        }
        if let Some(body) = &ask.body {
            request = request.json(body);
        }
        request = match ask.shown {
            Shown::Nothing => request,
            Shown::Right => self.credential.put(request),
            Shown::Wrong => request.header("authorization", NO_KEY),
        };
        let response = request.send().await.map_err(|e| why(&e))?;
        let status = response.status().as_u16();
        let headers = response.headers().clone();
        let (body, broke) = read(response).await;
        Ok(Reply {
            status,
            headers,
            body,
            broke,
        })
    }

    fn nobody(&self, why: &str) -> String {
        match why {
            "no answer in time" => {
                let time = text::duration(self.case.behind.patience);
                format!("{} gave no answer in {time}", self.base)
            }
            why => format!("{}: {why}", self.base),
        }
    }

    pub(super) fn means(&self) -> (String, String) {
        let usual = || {
            (
                "the gateway does not do what is set".to_string(),
                "gw status".to_string(),
            )
        };
        self.case.means.clone().unwrap_or_else(usual)
    }

    fn failed(&self, claim: &Claim, reply: &Reply, fault: &str, host: Option<&str>) -> Try {
        let explained = self.explained(reply);
        let unserved = [404, 405, 501].contains(&reply.status) && !explained.from_proxy;
        if let Some(soft) = self.case.soft.as_ref().filter(|_| unserved) {
            return Try {
                finding: Finding {
                    summary: format!("{}: {soft}", reply.status),
                    ..Finding::new(claim, Verdict::Skip)
                },
                passing: false,
                again: false,
                from_proxy: false,
            };
        }
        let unwanted = self.case.expect.answer.is_none() && !self.case.expect.tools;
        // What is to be refused and is not, tells nothing of who stands behind the route.
        let (summary, cause, next) = match (unwanted, reply.status) {
            (true, _) => {
                let (cause, next) = self.means();
                (fault.to_string(), cause, next)
            }
            (false, 200..=299) => {
                let cause = format!(
                    "{} answers, and not as the API asks",
                    self.case.behind.title
                );
                (
                    format!("{}, but {fault}", reply.status),
                    cause,
                    "gw logs".to_string(),
                )
            }
            (false, _) => (explained.summary, explained.cause, explained.next),
        };
        let finding = Finding::fail(claim, summary, next);
        let finding = self.evidence(finding, host).fact(
            "answered",
            format!("{} {:?}", reply.status, text::excerpt(&reply.body, 300)),
        );
        let finding = finding.fact("cause", cause);
        // Whoever is behind the route is not there: a copy of it finds nobody either, however late.
        let unreached = reply.body.starts_with("upstream call failed") && !self.patience.fresh;
        let upstream = !explained.from_proxy && (reply.status >= 500 || reply.status == 429);
        Try {
            finding: self.with_route(finding, reply.status, &Gist::default()),
            passing: (explained.passing || unwanted) && !(unreached && self.case.copy.is_some()),
            again: upstream || reply.broke.is_some(),
            from_proxy: explained.from_proxy,
        }
    }

    fn explained(&self, reply: &Reply) -> Explanation {
        let behind = &self.case.behind;
        explain(
            &reply.answer(),
            Asked {
                provider: behind.provider,
                title: &behind.title,
                model: &behind.model,
                port: behind.port,
            },
        )
    }

    /// What was sent, so that a person can send it again.
    fn evidence(&self, finding: Finding, host: Option<&str>) -> Finding {
        let ask = &self.case.ask;
        let sent = format!("{} {}", ask.method, ask.path);
        let headers = ask
            .headers
            .iter()
            .map(|(name, value)| format!("{name}: {value}"));
        let shown = match ask.shown {
            Shown::Nothing | Shown::Right => None,
            Shown::Wrong => Some("a wrong key".to_string()),
        };
        let all: Vec<String> = std::iter::once(sent).chain(headers).chain(shown).collect();
        let finding = finding.fact("sent", all.join(", "));
        match host {
            Some(host) => Finding {
                request: Some(host.to_string()),
                ..finding
            },
            None => finding,
        }
    }

    fn with_route(&self, finding: Finding, status: u16, gist: &Gist) -> Finding {
        let behind = &self.case.behind;
        let model = match gist.model.as_str() {
            "" => behind.model.clone(),
            model => model.to_string(),
        };
        Finding {
            route: self.case.is_main.then(|| RouteProof {
                path: self.case.path.clone(),
                model,
                status,
                input_tokens: gist.input,
                output_tokens: gist.output,
                answer: text::excerpt(&gist.said, 60),
                mock: behind.provider == Provider::Mock,
                tools: None,
            }),
            ..finding
        }
    }
}

impl Check for Probe {
    fn claim(&self) -> Claim {
        let tries = self.patience.retries + 1;
        Claim {
            id: self.case.id.clone(),
            title: self.case.title.clone(),
            needs: vec![gateway::ID.to_string()],
            deadline: (self.case.behind.patience + LONG_PAUSE) * tries + self.patience.settle,
            lane: self.case.lane.clone(),
        }
    }

    fn run(&self) -> BoxFuture<'_, Finding> {
        self.prove().boxed()
    }
}
