//! Words and columns: numbers with their nouns, durations, lists, tables.

use std::time::Duration;

/// A word as a shell takes it.
pub fn shell(word: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || "-_./~+:@%=,".contains(c);
    match !word.is_empty() && word.chars().all(plain) {
        true => word.to_string(),
        false => format!("'{}'", word.replace('\'', "'\\''")),
    }
}

/// `1 route`, `2 routes`.
pub fn count(number: usize, noun: &str) -> String {
    let plural = match noun.strip_suffix('y') {
        Some(stem) if !stem.ends_with(['a', 'e', 'o', 'u']) => format!("{stem}ies"),
        _ => format!("{noun}s"),
    };
    match number {
        1 => format!("1 {noun}"),
        _ => format!("{number} {plural}"),
    }
}

/// `0.27 s`, `34.2 s`, `2 min`: as a person would say it.
pub fn duration(time: Duration) -> String {
    let seconds = time.as_secs_f64();
    match seconds {
        s if s < 10.0 => format!("{s:.2} s"),
        s if s < 120.0 => format!("{s:.1} s"),
        s if s < 7200.0 => format!("{:.0} min", s / 60.0),
        s if s < 172_800.0 => format!("{:.0} h", s / 3600.0),
        s => count((s / 86_400.0).round() as usize, "day"),
    }
}

/// `98 bytes`, `694.6 kB`, `10.5 MB`, `2.0 GB`: decimal, as release hosts and disks count.
pub fn bytes(size: u64) -> String {
    let size_as = |unit: f64, name: &str| format!("{:.1} {name}", size as f64 / unit);
    match size {
        0..1_000 => count(usize::try_from(size).unwrap_or(0), "byte"),
        1_000..1_000_000 => size_as(1e3, "kB"),
        1_000_000..1_000_000_000 => size_as(1e6, "MB"),
        _ => size_as(1e9, "GB"),
    }
}

/// `a`, `a and b`, `a, b and c`.
pub fn list<T: AsRef<str>>(items: &[T]) -> String {
    match items {
        [] => String::new(),
        [only] => only.as_ref().to_string(),
        [start @ .., last] => {
            let start: Vec<&str> = start.iter().map(AsRef::as_ref).collect();
            format!("{} and {}", start.join(", "), last.as_ref())
        }
    }
}

/// Rows as aligned columns, two spaces apart, nothing after the last column.
pub fn table(rows: &[Vec<String>]) -> Vec<String> {
    let columns = rows.iter().map(Vec::len).max().unwrap_or(0);
    let widths: Vec<usize> = (0..columns)
        .map(|column| {
            rows.iter()
                .filter_map(|row| row.get(column))
                .map(|cell| console::measure_text_width(cell))
                .max()
                .unwrap_or(0)
        })
        .collect();
    rows.iter()
        .map(|row| {
            let mut line = String::new();
            for (cell, width) in row.iter().zip(&widths) {
                line.push_str(cell);
                let gap = width - console::measure_text_width(cell) + 2;
                line.extend(std::iter::repeat_n(' ', gap));
            }
            line.trim_end().to_string()
        })
        .collect()
}

/// The first line of a text, cut to `width` characters with an ellipsis. For quoting answers.
pub fn excerpt(text: &str, width: usize) -> String {
    let line = text.lines().next().unwrap_or("");
    if line.chars().count() <= width {
        return line.to_string();
    }
    let cut: String = line.chars().take(width.saturating_sub(1)).collect();
    format!("{cut}…")
}

/// A text in lines of at most `width` columns, broken between words where there are any.
pub fn wrap(text: &str, width: usize) -> Vec<String> {
    let width = width.max(1);
    let mut lines = vec![String::new()];
    for word in text.split_whitespace() {
        let used = lines.last().map_or(0, |line| line.chars().count());
        let blank = usize::from(used > 0);
        if used > 0 && used + blank + word.chars().count() > width {
            lines.push(String::new());
        }
        for part in word.chars().collect::<Vec<_>>().chunks(width) {
            let part: String = part.iter().collect();
            match lines.last_mut() {
                Some(line) if line.is_empty() => line.push_str(&part),
                Some(line) if line.chars().count() + 1 + part.chars().count() <= width => {
                    line.push(' ');
                    line.push_str(&part);
                }
                _ => lines.push(part),
            }
        }
    }
    lines
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counts_agree_with_their_nouns() {
        assert_eq!(count(1, "route"), "1 route");
        assert_eq!(count(2, "route"), "2 routes");
        assert_eq!(count(0, "policy"), "0 policies");
        assert_eq!(count(2, "key"), "2 keys");
    }

    #[test]
    fn durations_read_as_a_person_would_say_them() {
        let said = |seconds| duration(Duration::from_secs_f64(seconds));
        assert_eq!(said(0.268), "0.27 s");
        assert_eq!(said(34.21), "34.2 s");
        assert_eq!(said(125.0), "2 min");
        assert_eq!(said(10_800.0), "3 h");
        assert_eq!(said(200_000.0), "2 days");
    }

    #[test]
    fn lists_end_with_and() {
        assert_eq!(list(&["a"]), "a");
        assert_eq!(list(&["a", "b", "c"]), "a, b and c");
    }

    #[test]
    fn tables_align_by_what_is_seen_and_have_no_trailing_blanks() {
        let rows = vec![
            vec!["\u{1b}[32m✓\u{1b}[0m".to_string(), "b".into()],
            vec!["long".into(), String::new()],
        ];
        assert_eq!(table(&rows), ["\u{1b}[32m✓\u{1b}[0m     b", "long"]);
    }

    #[test]
    fn lines_break_between_words_and_only_a_long_word_is_cut() {
        assert_eq!(wrap("one two three", 7), ["one two", "three"]);
        assert_eq!(wrap("abcdefgh i", 4), ["abcd", "efgh", "i"]);
        assert_eq!(wrap("", 4), [""]);
    }
}
