//! What a model costs, as an estimate: list prices for text at the standard tier, without caches,
//! batches or long prompts. A model that is not in the table has no price here, so that nobody takes
//! the unknown for free.

use super::{Home, Provider};

/// US dollars per million tokens.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Price {
    pub input: f64,
    pub output: f64,
}

/// What a model on this machine costs.
pub const FREE: Price = Price {
    input: 0.0,
    output: 0.0,
};

impl Price {
    /// US dollars for so many tokens.
    pub fn cost(self, input: u64, output: u64) -> f64 {
        const MILLION: f64 = 1_000_000.0;
        (self.input * input as f64 + self.output * output as f64) / MILLION
    }
}

/// OpenAI: developers.openai.com/api/docs/pricing as transcribed by github.com/pydantic/genai-prices
/// (gpt-5 family checked 2025-11-13, the older 2025-07-04) and deploybase.ai (2026-03-21).
const OPENAI: [(&str, f64, f64); 19] = [
    ("gpt-3.5-turbo", 0.5, 1.5),
    ("gpt-4", 30.0, 60.0),
    ("gpt-4-turbo", 10.0, 30.0),
    ("gpt-4.1", 2.0, 8.0),
    ("gpt-4.1-mini", 0.4, 1.6),
    ("gpt-4.1-nano", 0.1, 0.4),
    ("gpt-4o", 2.5, 10.0),
    // The first version kept its price (openai.com/api/pricing).
    ("gpt-4o-2024-05-13", 5.0, 15.0),
    ("gpt-4o-mini", 0.15, 0.6),
    ("gpt-5", 1.25, 10.0),
    ("gpt-5-mini", 0.25, 2.0),
    ("gpt-5-nano", 0.05, 0.4),
    ("gpt-5-pro", 15.0, 120.0),
    ("gpt-5.1", 1.25, 10.0),
    ("gpt-5.4", 2.5, 15.0),
    ("o1", 15.0, 60.0),
    ("o3", 2.0, 8.0),
    ("o3-mini", 1.1, 4.4),
    ("o4-mini", 1.1, 4.4),
];

/// Anthropic: platform.claude.com/docs, "Pricing", as read with Opus 4.6 the newest (spring of 2026).
/// Bedrock and Vertex AI ask the same in their first regions.
const ANTHROPIC: [(&str, f64, f64); 16] = [
    ("claude-3-haiku", 0.25, 1.25),
    ("claude-3-opus", 15.0, 75.0),
    ("claude-3-5-haiku", 0.8, 4.0),
    ("claude-3-5-sonnet", 3.0, 15.0),
    ("claude-3-7-sonnet", 3.0, 15.0),
    ("claude-haiku-4-5", 1.0, 5.0),
    ("claude-opus-4", 15.0, 75.0),
    ("claude-opus-4-0", 15.0, 75.0),
    ("claude-opus-4-1", 15.0, 75.0),
    ("claude-opus-4-5", 5.0, 25.0),
    ("claude-opus-4-6", 5.0, 25.0),
    ("claude-sonnet-4", 3.0, 15.0),
    ("claude-sonnet-4-0", 3.0, 15.0),
    ("claude-sonnet-4-5", 3.0, 15.0),
    ("claude-sonnet-4-6", 3.0, 15.0),
    ("claude-3-sonnet", 3.0, 15.0),
];

/// Gemini: ai.google.dev/gemini-api/docs/pricing, read 2026-09-20 (github.com/api-evangelist/gemini);
/// the outputs of 2.5 and all of 2.0 by github.com/pydantic/genai-prices (2025-06-22). Prompts up to
/// 200k tokens; an output counts what was thought. Vertex AI asks the same.
const GEMINI: [(&str, f64, f64); 7] = [
    ("gemini-2.0-flash", 0.1, 0.4),
    ("gemini-2.0-flash-lite", 0.075, 0.3),
    ("gemini-2.5-flash", 0.3, 2.5),
    ("gemini-2.5-flash-lite", 0.1, 0.4),
    ("gemini-2.5-pro", 1.25, 10.0),
    ("gemini-3.1-pro", 2.0, 12.0),
    ("gemini-3.5-flash", 1.5, 9.0),
];

/// Amazon: aws.amazon.com/bedrock/pricing, us-east-1, read 2025-07-20 (github.com/convo-lang/convo-lang).
const AMAZON: [(&str, f64, f64); 3] = [
    ("nova-micro", 0.035, 0.14),
    ("nova-lite", 0.06, 0.24),
    ("nova-pro", 0.8, 3.2),
];

/// The price of a cloud's model by its name, whoever sells it; `None` where the table has none.
pub fn price(model: &str) -> Option<Price> {
    let name = bare(model);
    let tables = [&OPENAI[..], &ANTHROPIC, &GEMINI, &AMAZON];
    let known = tables.into_iter().flatten();
    let fits = known.filter(|(stem, ..)| name.strip_prefix(stem).is_some_and(is_version));
    let (_, input, output) = fits.max_by_key(|(stem, ..)| stem.len())?;
    Some(Price {
        input: *input,
        output: *output,
    })
}

impl Provider {
    /// What a model costs at this provider: nothing on this machine.
    pub fn price(self, model: &str) -> Option<Price> {
        match self.ways().home {
            Home::Machine => Some(FREE),
            Home::Cloud => price(model),
            // Whose server it is nobody knows.
            Home::Address => None,
        }
    }
}

/// Without a seller's prefix: `google/…`, `publishers/google/models/…`, `us.anthropic.…`.
fn bare(model: &str) -> &str {
    const MAKERS: [&str; 2] = ["amazon.", "anthropic."];
    let last = model.rsplit('/').next().unwrap_or(model);
    let maker = |maker: &&str| last.split_once(*maker).map(|(_, name)| name);
    MAKERS.iter().find_map(maker).unwrap_or(last)
}

/// Whether the rest of a name says a version only: `-2024-07-18`, `@20250929`, `-001`, `-v1:0`,
/// `-latest`. A word more (`-audio`), or another generation (`-7`), is another model.
fn is_version(rest: &str) -> bool {
    let digits = |text: &str| !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit());
    let revision = |text: &str| text.strip_prefix('v').is_some_and(digits);
    let word = |text: &str| matches!(text, "latest" | "preview") || revision(text);
    let mut parts = rest.split(['-', '@', ':']);
    if parts.next() != Some("") {
        return false;
    }
    let mut first = true;
    parts.all(|part| {
        let long = !first || part.len() >= 3;
        first = false;
        word(part) || (digits(part) && long)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(model: &str) -> Option<(f64, f64)> {
        price(model).map(|price| (price.input, price.output))
    }

    #[test]
    fn a_model_is_priced_by_whatever_name_it_answers() {
        let table = [
            ("gpt-4o-mini", (0.15, 0.6)),
            ("gpt-4o-mini-2024-07-18", (0.15, 0.6)),
            ("gpt-4o-2024-05-13", (5.0, 15.0)),
            ("gpt-4o-2024-08-06", (2.5, 10.0)),
            ("claude-3-5-haiku-latest", (0.8, 4.0)),
            ("claude-haiku-4-5-20251001", (1.0, 5.0)),
            ("us.anthropic.claude-sonnet-4-5-20250929-v1:0", (3.0, 15.0)),
            ("claude-opus-4-1@20250805", (15.0, 75.0)),
            ("google/gemini-2.5-flash", (0.3, 2.5)),
            ("publishers/google/models/gemini-2.0-flash-001", (0.1, 0.4)),
            ("amazon.nova-lite-v1:0", (0.06, 0.24)),
        ];
        for (model, price) in table {
            assert_eq!(of(model), Some(price), "{model}");
        }
    }

    #[test]
    fn what_is_not_known_has_no_price() {
        let table = [
            "",
            "gpt-4o-audio-preview",
            "gpt-5.9",
            "gpt-5-codex",
            "claude-opus-4-9",
            "claude-sonnet-5",
            "gemini-2.5-flash-image",
            "amazon.nova-premier-v1:0",
            "llama3.2",
            "my-gpt-4o",
        ];
        for model in table {
            assert_eq!(of(model), None, "{model}");
        }
    }

    #[test]
    fn this_machine_asks_no_money_and_a_strangers_server_no_known_one() {
        assert_eq!(Provider::Ollama.price("gpt-oss:20b"), Some(FREE));
        assert_eq!(Provider::Mock.price("mock"), Some(FREE));
        assert_eq!(Provider::OpenAiCompatible.price("gpt-4o"), None);
        let cost = price("gpt-4o-mini").unwrap().cost(2_000_000, 1_000_000);
        assert!((cost - 0.9).abs() < 1e-9, "{cost}");
    }

    #[test]
    fn every_default_model_of_a_cloud_has_a_price() {
        for provider in Provider::ALL {
            let ways = provider.ways();
            let named = !ways.default_model.is_empty() && ways.home == Home::Cloud;
            let priced = provider.price(ways.default_model).is_some();
            assert!(!named || priced, "{}", ways.name);
        }
    }
}
