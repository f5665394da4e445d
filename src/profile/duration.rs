//! Durations in the form of Gateway API: `30s`, `500ms`, `1m30s`.

use super::field::Field;
use super::problem::quote;
use std::time::Duration;

const UNITS: [(&str, u64); 4] = [("h", 3_600_000), ("m", 60_000), ("s", 1000), ("ms", 1)];
/// Less is refused by the API server (facts 8, `timeouts.request`).
const SHORTEST: Duration = Duration::from_millis(100);
const LONGEST: Duration = Duration::from_hours(24);
const HINT: &str = "for example `30s`, `500ms` or `2m`";

/// How long to wait before another try.
pub fn pause(field: &Field) -> Option<Duration> {
    let text = field.text_like(HINT)?;
    let time = parsed(text).filter(|time| (1..=60_000).contains(&time.as_millis()));
    if time.is_none() {
        field.wrong(
            format!("{} is not a pause", quote(text)),
            "from `1ms` to `1m`",
        );
    }
    time
}

/// How long a route may take.
pub fn timeout(field: &Field) -> Option<Duration> {
    let text = field.text_like(HINT)?;
    let Some(time) = parsed(text) else {
        field.wrong(format!("{} is not a duration", quote(text)), HINT);
        return None;
    };
    if time < SHORTEST {
        field.wrong(
            format!("{} is too short", quote(text)),
            "a timeout is `100ms` at least",
        );
    } else if time > LONGEST {
        field.wrong(
            format!("{} is too long", quote(text)),
            "a timeout is `24h` at most; leave it out for none",
        );
    }
    Some(time)
}

/// Up to four whole numbers with units, each of at most five digits.
fn parsed(text: &str) -> Option<Duration> {
    let mut rest = text;
    let mut total = 0;
    for _ in 0..4 {
        let digits = rest.find(|c: char| !c.is_ascii_digit())?;
        let (number, after) = rest.split_at(digits);
        let unit = after
            .find(|c: char| c.is_ascii_digit())
            .unwrap_or(after.len());
        let (unit, after) = after.split_at(unit);
        let (_, factor) = UNITS.iter().find(|(name, _)| *name == unit)?;
        if number.len() > 5 {
            return None;
        }
        total += number.parse::<u64>().ok()? * factor;
        rest = after;
        if rest.is_empty() {
            return Some(Duration::from_millis(total));
        }
    }
    None
}

/// The shortest form that reads back as the same duration, down to milliseconds.
pub fn written(time: Duration) -> String {
    let mut rest = u64::try_from(time.as_millis()).unwrap_or(u64::MAX);
    let mut text = String::new();
    for (unit, factor) in UNITS {
        if rest >= factor {
            text.push_str(&format!("{}{unit}", rest / factor));
            rest %= factor;
        }
    }
    match text.is_empty() {
        true => "0s".to_string(),
        false => text,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_are_those_of_gateway_api() {
        let millis = |text| parsed(text).map(|time| time.as_millis());
        assert_eq!(millis("30s"), Some(30_000));
        assert_eq!(millis("500ms"), Some(500));
        assert_eq!(millis("1h2m3s4ms"), Some(3_723_004));
        for text in [
            "",
            "30",
            "s",
            "1.5s",
            "-1s",
            "30 s",
            "1d",
            "100000s",
            "1s1s1s1s1s",
            "1µs",
            "٣s",
        ] {
            assert_eq!(millis(text), None, "{text}");
        }
    }

    #[test]
    fn a_written_duration_reads_back() {
        for millis in [100, 999, 1000, 90_000, 3_723_004, 86_400_000] {
            let time = Duration::from_millis(millis);
            assert_eq!(parsed(&written(time)), Some(time), "{}", written(time));
        }
        assert_eq!(written(Duration::from_secs(90)), "1m30s");
    }
}
