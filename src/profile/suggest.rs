//! "Did you mean": the known word nearest to what was written.

/// The nearest word, if it is near enough to be a slip of the fingers.
pub fn nearest<'a>(written: &str, known: &[&'a str]) -> Option<&'a str> {
    let lower = written.to_lowercase();
    let limit = (written.chars().count() / 3).clamp(1, 3);
    known
        .iter()
        .map(|word| (distance(&lower, &word.to_lowercase()), *word))
        .filter(|(far, word)| *far <= limit && *far < word.chars().count())
        .min_by_key(|(far, _)| *far)
        .map(|(_, word)| word)
}

/// A hint that names the nearest word where there is one, and all known ones.
pub fn among(written: &str, known: &[&str]) -> String {
    let mut named: Vec<&str> = Vec::new();
    for word in known {
        // Names that couldn't be read are empty, and a name may be written twice.
        if !word.is_empty() && !named.contains(word) {
            named.push(word);
        }
    }
    let all = match named.as_slice() {
        [] => "there is none".to_string(),
        _ => format!("known: {}", named.join(", ")),
    };
    match nearest(written, known) {
        Some(word) => format!("did you mean `{word}`? {all}"),
        None => all,
    }
}

/// Insertions, deletions, replacements and swaps of neighbours that lead from one word to another.
fn distance(from: &str, to: &str) -> usize {
    let from: Vec<char> = from.chars().take(64).collect();
    let to: Vec<char> = to.chars().take(64).collect();
    let mut rows: Vec<Vec<usize>> = vec![(0..=to.len()).collect()];
    for i in 1..=from.len() {
        let mut row = vec![i];
        for j in 1..=to.len() {
            let changed = usize::from(from[i - 1] != to[j - 1]);
            let mut best = (rows[i - 1][j] + 1)
                .min(row[j - 1] + 1)
                .min(rows[i - 1][j - 1] + changed);
            if i > 1 && j > 1 && from[i - 1] == to[j - 2] && from[i - 2] == to[j - 1] {
                best = best.min(rows[i - 2][j - 2] + 1);
            }
            row.push(best);
        }
        rows.push(row);
    }
    rows[from.len()][to.len()]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_slip_finds_its_word() {
        let known = ["ollama", "mock"];
        assert_eq!(nearest("olama", &known), Some("ollama"));
        assert_eq!(nearest("Ollama", &known), Some("ollama"));
        assert_eq!(nearest("mcok", &known), Some("mock"));
    }

    #[test]
    fn another_word_finds_none() {
        assert_eq!(nearest("openai", &["ollama", "mock"]), None);
        assert_eq!(nearest("x", &["y"]), None);
        assert_eq!(among("x", &["ollama", "mock"]), "known: ollama, mock");
        assert_eq!(among("x", &["a", "", "a"]), "known: a");
    }
}
