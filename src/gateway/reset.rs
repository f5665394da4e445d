//! How long a provider that has had enough asks to be left alone: the headers of a 429 (facts 6, failover).

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use http::header::{HeaderMap, RETRY_AFTER};

/// A bare number in `x-ratelimit-reset` is seconds below this, a time of day above.
const MONTH: u64 = 30 * 24 * 60 * 60;

/// Limits that are told one by one; the one that ends first counts.
const EACH: [&str; 4] = [
    "x-ratelimit-reset-requests",
    "x-ratelimit-reset-tokens",
    "x-ratelimit-reset-requests-day",
    "x-ratelimit-reset-tokens-minute",
];

/// The wait that the headers ask for, if they ask for one. A date in the past is no hint.
pub(super) fn wait(headers: &HeaderMap, now: SystemTime) -> Option<Duration> {
    let text = |name: &str| headers.get(name).and_then(|value| value.to_str().ok());
    let milliseconds = text("retry-after-ms").and_then(|value| value.parse().ok());
    if let Some(milliseconds) = milliseconds {
        return Some(Duration::from_millis(milliseconds));
    }
    let after = text(RETRY_AFTER.as_str());
    if let Some(wait) = after.and_then(|value| seconds_or_date(value, now)) {
        return Some(wait);
    }
    let reset = text("x-ratelimit-reset").and_then(|value| value.parse().ok());
    if let Some(wait) = reset.and_then(|number| seconds_or_epoch(number, now)) {
        return Some(wait);
    }
    EACH.iter().filter_map(|name| duration(text(name)?)).min()
}

fn seconds_or_date(value: &str, now: SystemTime) -> Option<Duration> {
    match value.parse() {
        Ok(seconds) => Some(Duration::from_secs(seconds)),
        Err(_) => httpdate::parse_http_date(value)
            .ok()?
            .duration_since(now)
            .ok(),
    }
}

fn seconds_or_epoch(number: u64, now: SystemTime) -> Option<Duration> {
    match number < MONTH {
        true => Some(Duration::from_secs(number)),
        false => UNIX_EPOCH
            .checked_add(Duration::from_secs(number))?
            .duration_since(now)
            .ok(),
    }
}

/// A duration as OpenAI writes it: `6m0s`, `20ms`, `1h2m3.5s`; a bare number is seconds.
fn duration(text: &str) -> Option<Duration> {
    let mut total = Duration::ZERO;
    let mut rest = text;
    while !rest.is_empty() {
        let end = rest
            .find(|c: char| !c.is_ascii_digit() && c != '.')
            .unwrap_or(rest.len());
        let number: f64 = rest[..end].parse().ok()?;
        let after = &rest[end..];
        let unit_end = after
            .find(|c: char| c.is_ascii_digit())
            .unwrap_or(after.len());
        let unit = match &after[..unit_end] {
            "ms" => 0.001,
            "s" | "" => 1.0,
            "m" => 60.0,
            "h" => 3600.0,
            _ => return None,
        };
        let part = Duration::try_from_secs_f64(number * unit).ok()?;
        total = total.checked_add(part)?;
        rest = &after[unit_end..];
    }
    (!text.is_empty()).then_some(total)
}

#[cfg(test)]
mod tests {
    use super::*;
    use http::header::{HeaderName, HeaderValue};
    use proptest::prelude::{any, proptest};

    fn asked(headers: &[(&str, &str)]) -> Option<Duration> {
        let now = UNIX_EPOCH + Duration::from_secs(1_700_000_000);
        let headers = headers.iter().map(|(name, value)| {
            let name: HeaderName = name.parse().unwrap();
            (name, HeaderValue::from_str(value).unwrap())
        });
        wait(&headers.collect(), now)
    }

    #[test]
    fn a_hint_is_read_in_every_form_that_providers_use() {
        type Row<'a> = (&'a [(&'a str, &'a str)], Option<u64>);
        let table: [Row<'_>; 16] = [
            (&[("retry-after", "120")], Some(120_000)),
            (&[("retry-after", "0")], Some(0)),
            (
                &[("retry-after-ms", "250"), ("retry-after", "9")],
                Some(250),
            ),
            // 1700000000 is 14 Nov 2023 22:13:20 GMT.
            (
                &[("retry-after", "Tue, 14 Nov 2023 22:14:20 GMT")],
                Some(60_000),
            ),
            (&[("retry-after", "Tue, 14 Nov 2023 22:12:20 GMT")], None),
            (&[("retry-after", "soon")], None),
            (&[("x-ratelimit-reset", "1234")], Some(1_234_000)),
            (&[("x-ratelimit-reset", "1700000240")], Some(240_000)),
            (&[("x-ratelimit-reset", "1699999999")], None),
            (&[("x-ratelimit-reset-requests", "6m0s")], Some(360_000)),
            (&[("x-ratelimit-reset-requests", "20ms")], Some(20)),
            (&[("x-ratelimit-reset-tokens", "11.1")], Some(11_100)),
            (
                &[
                    ("x-ratelimit-reset-tokens", "1m"),
                    ("x-ratelimit-reset-requests", "2m"),
                ],
                Some(60_000),
            ),
            (&[("x-ratelimit-reset-tokens", "1m2x")], None),
            (&[("x-ratelimit-reset-requests", "-1m")], None),
            (&[], None),
        ];
        for (headers, expected) in table {
            let expected = expected.map(Duration::from_millis);
            assert_eq!(asked(headers), expected, "{headers:?}");
        }
    }

    proptest! {
        #[test]
        fn nothing_panics(text in any::<String>(), number in any::<u64>()) {
            duration(&text);
            duration(&format!("{number}h"));
            let now = UNIX_EPOCH + Duration::from_secs(1_700_000_000);
            seconds_or_epoch(number, now);
            seconds_or_date(&text, now);
        }
    }
}
