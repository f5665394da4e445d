//! Faults on demand: by a header, or by a word in what the user says last.

use std::time::Duration;

use http::{HeaderMap, StatusCode};
use serde_json::Value;

use super::refusal::Refusal;

/// The header that asks for a fault: `status=503`, `delay=250ms`, `drip=100ms`, `cut`, several with commas.
pub(super) const HEADER: &str = "x-mock-fault";
/// No fault lasts longer than this.
const LONGEST: Duration = Duration::from_secs(60);
const SLOW: Duration = Duration::from_secs(10);
const DRIP: Duration = Duration::from_millis(200);

/// What goes wrong with an answer.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Fault {
    /// Refuse with this status.
    pub status: Option<StatusCode>,
    /// Wait so long before the answer.
    pub delay: Duration,
    /// Wait so long between the pieces of a stream.
    pub drip: Duration,
    /// Break the connection off half way through the answer.
    pub cut: bool,
}

impl Fault {
    /// The faults that a request asks for; an error names a header that can't be read.
    pub fn of(headers: &HeaderMap, body: &Value) -> Result<Fault, Refusal> {
        let mut fault = Fault::default();
        fault.words(last_said(body), 0);
        for value in headers.get_all(HEADER) {
            let parts = value.to_str().unwrap_or("?").split(',').map(str::trim);
            for part in parts.filter(|part| !part.is_empty()) {
                fault.part(part).ok_or_else(|| Refusal::bad(format!(
                    "mock: {HEADER} takes status=CODE, delay=TIME, drip=TIME and cut, not {part:?}"
                )))?;
            }
        }
        Ok(fault)
    }

    fn part(&mut self, part: &str) -> Option<()> {
        match part.split_once('=').unwrap_or((part, "")) {
            ("status", code) => self.status = Some(failure(code)?),
            ("delay", time) => self.delay = duration(time)?,
            ("drip", time) => self.drip = duration(time)?,
            ("cut", "") => self.cut = true,
            _ => return None,
        }
        Some(())
    }

    /// FAIL500 and its like, SLOW, DRIP, CUT, in any text below a value.
    fn words(&mut self, value: &Value, depth: usize) {
        match value {
            Value::String(text) => text
                .split(|c: char| !c.is_ascii_alphanumeric())
                .for_each(|word| self.word(word)),
            Value::Array(values) if depth < 16 => {
                values.iter().for_each(|value| self.words(value, depth + 1))
            }
            Value::Object(values) if depth < 16 => values
                .values()
                .for_each(|value| self.words(value, depth + 1)),
            _ => {}
        }
    }

    fn word(&mut self, word: &str) {
        match word {
            "SLOW" => self.delay = SLOW,
            "DRIP" => self.drip = DRIP,
            "CUT" => self.cut = true,
            word => {
                let status = word.strip_prefix("FAIL").and_then(failure);
                self.status = status.or(self.status);
            }
        }
    }

    pub fn refusal(&self) -> Option<Refusal> {
        let status = self.status?;
        let message = match status.as_u16() {
            429 => "mock: rate limit reached, as asked for".to_string(),
            code => format!("mock: failed with {code}, as asked for"),
        };
        Some(Refusal::new(status, message))
    }
}

/// The last message, input or argument of a request of any dialect.
fn last_said(body: &Value) -> &Value {
    let lists = ["messages", "contents", "input", "requests"];
    let said = lists.iter().find_map(|name| body.get(name));
    match said {
        Some(Value::Array(list)) => list.last().unwrap_or(&Value::Null),
        Some(said) => said,
        None => body
            .pointer("/params/arguments")
            .or_else(|| body.get("content"))
            .unwrap_or(&Value::Null),
    }
}

fn failure(code: &str) -> Option<StatusCode> {
    let code: u16 = code.parse().ok()?;
    (400..600)
        .contains(&code)
        .then(|| StatusCode::from_u16(code).ok())?
}

/// `250ms`, `1.5s` or a plain number of seconds.
fn duration(text: &str) -> Option<Duration> {
    let (number, unit) = match text.strip_suffix("ms") {
        Some(number) => (number, 0.001),
        None => (text.strip_suffix('s').unwrap_or(text), 1.0),
    };
    let seconds = number.parse::<f64>().ok()? * unit;
    let duration = Duration::try_from_secs_f64(seconds).ok()?;
    Some(duration.min(LONGEST))
}

#[cfg(test)]
mod tests {
    use super::*;
    use http::HeaderValue;
    use serde_json::json;

    fn by_header(text: &str) -> Option<Fault> {
        let mut headers = HeaderMap::new();
        headers.insert(HEADER, HeaderValue::from_str(text).unwrap());
        Fault::of(&headers, &Value::Null).ok()
    }

    fn by_words(body: Value) -> Fault {
        Fault::of(&HeaderMap::new(), &body).unwrap()
    }

    #[test]
    fn a_header_asks_for_faults_and_is_not_misread() {
        let expected = Fault {
            status: Some(StatusCode::SERVICE_UNAVAILABLE),
            delay: Duration::from_millis(250),
            drip: Duration::from_secs(2),
            cut: true,
        };
        assert_eq!(
            by_header("status=503, delay=250ms,drip=2s, cut"),
            Some(expected)
        );
        assert_eq!(by_header("delay=1e9").unwrap().delay, LONGEST);
        for wrong in [
            "status=200",
            "status=x",
            "delay=-1",
            "delay=NaN",
            "delay=soon",
            "cut=1",
            "what",
        ] {
            assert_eq!(by_header(wrong), None, "{wrong}");
        }
    }

    #[test]
    fn a_word_asks_only_where_the_user_said_it_last() {
        let said = |text: &str| json!({"messages": [{"role": "user", "content": text}]});
        assert_eq!(
            by_words(said("please FAIL429")).status,
            Some(StatusCode::TOO_MANY_REQUESTS)
        );
        assert_eq!(
            by_words(said("FAIL200 FAILURE fail500 SLOWLY")),
            Fault::default()
        );
        assert_eq!(by_words(said("SLOW")).delay, SLOW);
        let before = json!({"messages": [{"role": "user", "content": "CUT"}, {"role": "user", "content": "go on"}]});
        assert_eq!(by_words(before), Fault::default());
        let table = [
            json!({"contents": [{"parts": [{"text": "CUT"}]}]}),
            json!({"input": "CUT"}),
            json!({"input": [{"role": "user", "content": [{"type": "input_text", "text": "CUT"}]}]}),
            json!({"method": "tools/call", "params": {"name": "echo", "arguments": {"message": "CUT"}}}),
        ];
        for body in table {
            assert!(by_words(body.clone()).cut, "{body}");
        }
    }

    proptest::proptest! {
        #[test]
        fn any_header_is_read_or_refused(text in "[ -~]{0,40}|(status|delay|drip|cut)=[0-9a-z.+-]{0,12}") {
            by_header(&text);
        }
    }
}
