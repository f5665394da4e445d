//! For each policy what would not be so if it had no effect (facts 7.2, 9.1, 9.7).

use super::super::case::{Case, Expect, Shown, Sight, Sort, Want};
use super::super::form::Form;
use super::super::installed::{Installed, Way, items, name, namespace, word};
use super::{Derived, Seen, Sources, copy};
use serde_json::{Value, json};

/// Nobody's page.
const FOREIGN: &str = "https://gatewright.invalid";

pub fn cases(sources: &Sources<'_>, ways: &[&Way], derived: &mut Derived) {
    let installed = sources.installed;
    let policies: Vec<&Value> = installed.all("AgentgatewayPolicy").collect();
    for policy in policies {
        let Some(traffic) = policy.pointer("/spec/traffic").and_then(Value::as_object) else {
            continue;
        };
        for (field, value) in traffic {
            // The policy is tried where it is the one that counts.
            let counts = |way: &&&Way| {
                let nearest = installed.traffic(way, field);
                nearest.is_some_and(|(found, _)| std::ptr::eq(found, policy))
            };
            let mut counting: Vec<&Way> = ways.iter().filter(counts).copied().collect();
            counting.sort_by_key(|way| burden(installed, way));
            let Some(way) = counting.first() else {
                continue;
            };
            let seen = Seen::of(sources, way);
            let one = One {
                sources,
                policy,
                seen: &seen,
                value,
            };
            one.field(field, derived);
        }
    }
}

/// The fewer other policies a route has, the plainer what it shows of this one.
fn burden(installed: &Installed, way: &Way) -> (bool, usize) {
    (
        copy::limited(installed, way).is_some(),
        installed.policies(way).len(),
    )
}

/// One field of one policy, on the way where it is tried.
pub(super) struct One<'a> {
    pub sources: &'a Sources<'a>,
    pub policy: &'a Value,
    pub seen: &'a Seen<'a>,
    pub value: &'a Value,
}

impl One<'_> {
    fn field(&self, field: &str, derived: &mut Derived) {
        let cases = match field {
            "csrf" => vec![self.csrf()],
            "cors" => self.cors(),
            "timeouts" => return copy::timeout(self, derived),
            "rateLimit" => return copy::limits(self, derived),
            "retry" => self.retry().into_iter().collect(),
            "headerModifiers" => self.headers(),
            "transformation" => self.transformation(),
            "directResponse" => vec![self.direct()],
            "extProc" => vec![self.processed()],
            "extAuth" => vec![self.unknown("whom its server lets in is the server's own")],
            "authorization" => vec![self.unknown("whom it lets in is an expression")],
            // Every route that asks for credentials has cases of its own.
            _ => Vec::new(),
        };
        let mut cases = cases;
        if self.seen.limited.is_some() {
            let copy = copy::wide(self.sources, self.seen.way);
            cases
                .iter_mut()
                .for_each(|case| copy.carry(case, self.seen));
            derived.add(copy);
        }
        derived.cases.extend(cases);
    }

    pub fn case(&self, suffix: &str, title: String, cause: &str) -> Case {
        let path = match self.seen.is_llm {
            true => Form::Completions.path(),
            false => "",
        };
        let mut case = self.seen.case("", title, Sort::Policy, path);
        case.id = format!("policy.{}.{suffix}", name(self.policy));
        let own = (
            "AgentgatewayPolicy".to_string(),
            namespace(self.policy).to_string(),
            name(self.policy).to_string(),
        );
        case.objects.insert(0, own);
        let what = format!("policy {} has no effect: {cause}", name(self.policy));
        case.means = Some((what, "gw up".to_string()));
        case
    }

    /// A case that gets a model's answer.
    fn answered(&self, suffix: &str, title: String, cause: &str) -> Case {
        let mut case = self.case(suffix, title, cause);
        let behind = &self.seen.behind;
        match self.seen.is_llm {
            true => {
                case.ask.body = Some(Form::Completions.body(&behind.model, false, behind.provider));
                case.tokens = Form::Completions.tokens(&behind.model);
                case.lane = self.seen.lane();
            }
            false => case.ask.method = "GET".to_string(),
        }
        case
    }

    fn unknown(&self, why: &str) -> Case {
        let title = format!("policy {} lets in whom it should", name(self.policy));
        let mut case = self.case("who", title, "");
        case.unasked = Some(format!("{why}: write a test of your own"));
        case
    }

    fn csrf(&self) -> Case {
        let title = format!("{} refuses a foreign page", self.seen.shown_path);
        let mut case = self.case(
            "foreign-origin",
            title,
            "any page in a browser may send requests",
        );
        case.ask.method = "POST".to_string();
        case.ask
            .headers
            .push(("origin".to_string(), FOREIGN.to_string()));
        case.ask.body = Some(json!({}));
        case.expect = Expect {
            status: vec![403],
            contains: Some("CSRF validation failed".to_string()),
            ..Expect::default()
        };
        case
    }

    fn preflight(&self, suffix: &str, title: String, origin: &str) -> Case {
        let mut case = self.case(
            suffix,
            title,
            "browsers do not hear what it says of origins",
        );
        let method = items(self.value, "/allowMethods").first();
        let method = method
            .and_then(Value::as_str)
            .filter(|m| *m != "*")
            .unwrap_or("POST");
        case.ask.method = "OPTIONS".to_string();
        case.ask.shown = Shown::Nothing;
        case.ask
            .headers
            .push(("origin".to_string(), origin.to_string()));
        let asks = (
            "access-control-request-method".to_string(),
            method.to_string(),
        );
        case.ask.headers.push(asks);
        case
    }

    fn cors(&self) -> Vec<Case> {
        const ALLOWED: &str = "access-control-allow-origin";
        let origins = items(self.value, "/allowOrigins");
        let Some(first) = origins.first().and_then(Value::as_str) else {
            return Vec::new();
        };
        let any = first == "*";
        let origin = match any {
            true => FOREIGN.to_string(),
            // A wildcard in a name stands for any label.
            false => first.replace('*', "proof"),
        };
        let path = &self.seen.shown_path;
        let title = format!("{path} answers the preflight of {origin}");
        let mut allowed = self.preflight("allowed-origin", title, &origin);
        allowed.expect.status = vec![200];
        let want = match any {
            true => Want::There,
            false => Want::Is(origin),
        };
        allowed.expect.headers = vec![(ALLOWED.to_string(), want)];
        if any {
            return vec![allowed];
        }
        let title = format!("{path} gives another origin no leave");
        let mut other = self.preflight("other-origin", title, FOREIGN);
        // It is passed on as any request, and refused there (facts 9.7).
        other.expect.status = (200..=599).collect();
        other.expect.headers = vec![(ALLOWED.to_string(), Want::Absent)];
        vec![allowed, other]
    }

    fn retry(&self) -> Option<Case> {
        let code = items(self.value, "/codes")
            .first()
            .and_then(Value::as_u64)?;
        let attempts = self.value["attempts"].as_u64().unwrap_or(1);
        let times = usize::try_from(attempts).ok()?.saturating_add(1);
        let title = format!("{} is tried {times} times upstream", self.seen.shown_path);
        let mut case = self.answered("tries", title, "a failure is not tried again");
        let fault = ("x-mock-fault".to_string(), format!("status={code}"));
        case.ask.headers.push(fault);
        case.expect.status = vec![u16::try_from(code).ok()?];
        case.expect.sights = vec![Sight::Times(times)];
        if !self.seen.is_mock() {
            case.unasked = Some("only the mock fails on purpose".to_string());
        }
        Some(case)
    }

    fn headers(&self) -> Vec<Case> {
        let mut cases = Vec::new();
        for part in ["set", "add"] {
            for item in items(self.value, &format!("/request/{part}")) {
                let sight = Sight::Header(word(item, "/name").into(), word(item, "/value").into());
                cases.push(self.sent(&format!("request-{part}"), word(item, "/name"), sight));
            }
            for item in items(self.value, &format!("/response/{part}")) {
                cases.push(self.said(word(item, "/name"), Want::Is(word(item, "/value").into())));
            }
        }
        for header in items(self.value, "/request/remove")
            .iter()
            .filter_map(Value::as_str)
        {
            let mut case = self.sent(
                "request-remove",
                header,
                Sight::NoHeader(header.to_string()),
            );
            case.ask
                .headers
                .push((header.to_string(), "gatewright".to_string()));
            cases.push(case);
        }
        cases
    }

    fn transformation(&self) -> Vec<Case> {
        let mut cases = Vec::new();
        for part in ["set", "add"] {
            for item in items(self.value, &format!("/response/{part}")) {
                let want = literal(word(item, "/value")).map_or(Want::There, Want::Is);
                cases.push(self.said(word(item, "/name"), want));
            }
            for item in items(self.value, &format!("/request/{part}")) {
                let header = word(item, "/name");
                let text = literal(word(item, "/value"));
                let sight = Sight::Header(header.into(), text.clone().unwrap_or_default());
                let mut case = self.sent(&format!("request-{part}"), header, sight);
                if text.is_none() {
                    case.unasked =
                        Some("its value is an expression: write a test of your own".to_string());
                }
                cases.push(case);
            }
        }
        cases
    }

    /// A header that must come upstream, or must not.
    fn sent(&self, suffix: &str, header: &str, sight: Sight) -> Case {
        let change = match &sight {
            Sight::NoHeader(_) => "sends no",
            _ => "sends its",
        };
        let title = format!("{} {change} {header} upstream", self.seen.shown_path);
        let suffix = format!("{suffix}.{}", header.to_lowercase());
        let mut case = self.answered(&suffix, title, "the header is not changed");
        case.expect.sights = vec![sight];
        case
    }

    /// A header that must be in the answer.
    fn said(&self, header: &str, want: Want) -> Case {
        let title = format!("{} answers with its {header}", self.seen.shown_path);
        let suffix = format!("response.{}", header.to_lowercase());
        let mut case = self.answered(&suffix, title, "the header is not in the answer");
        case.expect.headers = vec![(header.to_string(), want)];
        case
    }

    fn direct(&self) -> Case {
        let title = format!("{} is answered by the gateway itself", self.seen.shown_path);
        let mut case = self.case("answer", title, "the request goes on");
        let status = self.value["status"]
            .as_u64()
            .and_then(|s| u16::try_from(s).ok());
        case.expect.status = status.into_iter().collect();
        case.expect.contains = self.value["body"].as_str().map(str::to_string);
        case
    }

    /// What upstream's own example, and ours, do when they are told to (facts 10).
    fn processed(&self) -> Case {
        const HEADER: &str = "x-gatewright-processed";
        let title = format!("{} passes its processor", self.seen.shown_path);
        let mut case = self.answered("processed", title, "requests pass unprocessed");
        let told = json!({"addHeaders": {HEADER: "yes"}}).to_string();
        case.ask.headers.push(("instructions".to_string(), told));
        case.expect.sights = vec![Sight::Header(HEADER.to_string(), "yes".to_string())];
        case.soft = Some(
            "its processor does not follow `instructions`: write a test of your own".to_string(),
        );
        case
    }
}

/// The text of an expression that is no more than a text.
fn literal(expression: &str) -> Option<String> {
    let expression = expression.trim();
    let quoted = |quote: char| {
        let inner = expression.strip_prefix(quote)?.strip_suffix(quote)?;
        (!inner.contains(quote) && !inner.contains('\\')).then(|| inner.to_string())
    };
    quoted('\'').or_else(|| quoted('"'))
}
