//! Times as text, in UTC.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

/// `2026-11-23T18:37:50.562880Z`, as the proxy's access log has it.
pub(super) fn precise(time: SystemTime) -> String {
    let since = time.duration_since(UNIX_EPOCH).unwrap_or(Duration::ZERO);
    let (date, clock) = parts(since.as_secs());
    format!("{date}T{clock}.{:06}Z", since.subsec_micros())
}

/// `2026-11-23T18:37:28Z`, as an API server writes `creationTimestamp`.
pub(super) fn seconds(time: SystemTime) -> String {
    let since = time.duration_since(UNIX_EPOCH).unwrap_or(Duration::ZERO);
    let (date, clock) = parts(since.as_secs());
    format!("{date}T{clock}Z")
}

/// Seconds since 1970, now.
pub(super) fn unix() -> u64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH);
    since.map_or(0, |since| since.as_secs())
}

/// Milliseconds since 1970, now.
pub(super) fn unix_millis() -> u128 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH);
    since.map_or(0, |since| since.as_millis())
}

fn parts(seconds: u64) -> (String, String) {
    let (year, month, day) = civil(seconds / 86_400);
    let rest = seconds % 86_400;
    let (hour, minute, second) = (rest / 3600, rest / 60 % 60, rest % 60);
    (
        format!("{year:04}-{month:02}-{day:02}"),
        format!("{hour:02}:{minute:02}:{second:02}"),
    )
}

/// The date of a day since 1970, counting years from March so that leap days come last.
fn civil(days: u64) -> (u64, u64, u64) {
    let days = days + 719_468;
    let era = days / 146_097;
    let of_era = days % 146_097;
    let year = (of_era - of_era / 1460 + of_era / 36_524 - of_era / 146_096) / 365;
    let of_year = of_era - (365 * year + year / 4 - year / 100);
    let month = (5 * of_year + 2) / 153;
    let day = of_year - (153 * month + 2) / 5 + 1;
    let month = if month < 10 { month + 3 } else { month - 9 };
    let year = year + era * 400 + u64::from(month <= 2);
    (year, month, day)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dates_are_those_of_the_calendar() {
        let table = [
            (0, "1970-01-01T00:00:00Z"),
            (951_782_400, "2000-02-29T00:00:00Z"),
            (951_868_800, "2000-03-01T00:00:00Z"),
            (1_795_459_048, "2026-11-23T18:37:28Z"),
            (4_107_542_399, "2100-02-28T23:59:59Z"),
            (4_107_542_400, "2100-03-01T00:00:00Z"),
        ];
        for (unix, expected) in table {
            assert_eq!(seconds(UNIX_EPOCH + Duration::from_secs(unix)), expected);
        }
        let time = UNIX_EPOCH + Duration::from_micros(1_795_459_070_562_880);
        assert_eq!(precise(time), "2026-11-23T18:37:50.562880Z");
    }
}
