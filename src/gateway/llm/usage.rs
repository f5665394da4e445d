//! What a call has cost.

/// Tokens of a call, as far as the answer said.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Usage {
    pub model: Option<String>,
    pub input: Option<u64>,
    pub output: Option<u64>,
}

impl Usage {
    /// What a token limit counts.
    pub fn tokens(&self) -> u64 {
        let (input, output) = (self.input.unwrap_or(0), self.output.unwrap_or(0));
        input.saturating_add(output)
    }
}
