//! When a key ends: told by whoever gave it, or by itself where it is a JSON Web Token.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::Value;

/// Seconds since 1970 at which a token says that it ends (RFC 7519, `exp`). Nobody checks here who
/// signed it: it is only told.
pub fn of_token(text: &str) -> Option<u64> {
    let text = text.strip_prefix("Bearer ").unwrap_or(text);
    let mut parts = text.split('.');
    let (_, claims, _) = (parts.next()?, parts.next()?, parts.next()?);
    if parts.next().is_some() || !text.starts_with("eyJ") {
        return None;
    }
    let claims = URL_SAFE_NO_PAD.decode(claims).ok()?;
    let claims: Value = serde_json::from_slice(&claims).ok()?;
    claims["exp"].as_u64()
}

/// Seconds since 1970 of a date such as `2026-11-25T23:59:59Z` or `...+00:00` (RFC 3339).
pub fn instant(text: &str) -> Option<u64> {
    let (date, rest) = text.split_once(['T', ' '])?;
    let (time, offset) = match rest.find(['Z', '+']).or_else(|| rest.rfind('-')) {
        Some(at) => rest.split_at(at),
        None => (rest, "Z"),
    };
    let whole = time.split('.').next().unwrap_or(time);
    let ([year, month, day], [hour, minute, second]) = (three(date, '-')?, three(whole, ':')?);
    let known =
        (1..=12).contains(&month) && (1..=31).contains(&day) && (1970..=9999).contains(&year);
    if !known || hour > 24 || minute > 59 || second > 60 {
        return None;
    }
    // Days since 1970 by the civil calendar (Howard Hinnant, "chrono-compatible low-level date algorithms").
    let (y, m) = if month > 2 {
        (year, month - 3)
    } else {
        (year - 1, month + 9)
    };
    let era_day = (153 * m + 2) / 5 + day - 1;
    let days = 365 * y + y / 4 - y / 100 + y / 400 + era_day - 719_468;
    let shift = match offset.strip_prefix(['+', '-']) {
        None => 0,
        Some(by) => {
            let (hours, minutes) = by.split_once(':')?;
            let (hours, minutes) = (hours.parse::<u8>().ok()?, minutes.parse::<u8>().ok()?);
            let by = i64::from(hours) * 3600 + i64::from(minutes) * 60;
            if offset.starts_with('-') { -by } else { by }
        }
    };
    u64::try_from(days * 86_400 + hour * 3600 + minute * 60 + second - shift).ok()
}

fn three(text: &str, by: char) -> Option<[i64; 3]> {
    let numbers = text.split(by).map(|part| part.parse::<u16>().ok());
    let numbers: Option<Vec<u16>> = numbers.collect();
    let numbers: [u16; 3] = numbers?.try_into().ok()?;
    Some(numbers.map(i64::from))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::{any, proptest};

    #[test]
    fn a_date_is_an_instant() {
        // date -u -d DATE +%s
        let table = [
            ("1970-01-01T00:00:00Z", Some(0)),
            ("2026-11-25T23:59:59Z", Some(1_795_651_199)),
            ("2024-02-29T12:00:00+00:00", Some(1_709_208_000)),
            ("2024-02-29T14:00:00.123+02:00", Some(1_709_208_000)),
            ("2024-02-29", None),
            ("soon", None),
            ("2024-13-01T00:00:00Z", None),
        ];
        for (text, seconds) in table {
            assert_eq!(instant(text), seconds, "{text}");
        }
    }

    #[test]
    fn a_token_says_when_it_ends_and_a_key_does_not() {
        // {"alg":"none"} . {"exp":1795651199} . x
        let token = "eyJhbGciOiJub25lIn0.eyJleHAiOjE3OTU2NTExOTl9.x";
        assert_eq!(of_token(token), Some(1_795_651_199));
        for text in ["sk-1", "a.b.c", "eyJ.%.x", "eyJhbGciOiJub25lIn0.e30.x", ""] {
            assert_eq!(of_token(text), None, "{text}");
        }
    }

    proptest! {
        #[test]
        fn nothing_panics(text in any::<String>(), date in "[0-9T:Z+-]{0,24}") {
            of_token(&text);
            instant(&text);
            instant(&date);
        }
    }
}
