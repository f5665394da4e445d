//! The mock's whole wit: what it answers, to whichever API. The same prompt has the same answer.

use serde_json::Value;

use super::sample::sample;
use super::text::{tokens, words};

/// What a request of any dialect asks.
#[derive(Debug, Clone, Default, PartialEq)]
pub(super) struct Asked {
    pub model: String,
    /// The last user's words.
    pub prompt: String,
    /// Results of tools that stand last in the conversation.
    pub results: Vec<String>,
    pub tools: Vec<Tool>,
    pub choice: Choice,
    /// Tokens of the whole conversation.
    pub input: usize,
    /// The most tokens that the answer may have.
    pub limit: Option<usize>,
    /// The JSON schema that the answer's text must fit.
    pub shape: Option<Value>,
    pub stream: bool,
    /// A few characters that are the same for the same request: part of every id.
    pub mark: String,
}

#[derive(Debug, Clone, PartialEq)]
pub(super) struct Tool {
    pub name: String,
    /// JSON schema of its arguments.
    pub schema: Value,
}

/// Whether a tool is to be called.
#[derive(Debug, Clone, Default, PartialEq)]
pub(super) enum Choice {
    #[default]
    Auto,
    Never,
    Any,
    Named(String),
}

/// One message of a conversation.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Turn {
    pub who: Who,
    pub text: String,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Who {
    System,
    User,
    Assistant,
    Tool,
}

#[derive(Debug, Clone, PartialEq)]
pub(super) enum Thought {
    Text {
        text: String,
        /// Whether it was cut at the limit.
        cut: bool,
    },
    Call {
        name: String,
        arguments: Value,
    },
}

impl Asked {
    /// Takes in a conversation.
    pub fn hear(&mut self, turns: &[Turn]) {
        let prompt = turns.iter().rev().find(|turn| turn.who == Who::User);
        self.prompt = prompt.map_or(String::new(), |turn| turn.text.clone());
        let last = turns.iter().rev().take_while(|turn| turn.who == Who::Tool);
        self.results = last.map(|turn| turn.text.clone()).collect();
        self.results.reverse();
        self.input = turns.iter().map(|turn| tokens(&turn.text)).sum();
    }

    pub fn think(&self) -> Thought {
        if let Some(tool) = self.tool() {
            return Thought::Call {
                name: tool.name.clone(),
                arguments: sample(&tool.schema, &self.prompt),
            };
        }
        let text = match &self.shape {
            Some(schema) => sample(schema, &self.prompt).to_string(),
            None if !self.results.is_empty() => {
                format!("mock: the tool said {}", self.results.join("; "))
            }
            None => reply(&self.prompt),
        };
        let kept: String = words(&text)
            .take(self.limit.unwrap_or(usize::MAX))
            .collect();
        Thought::Text {
            cut: kept.len() < text.len(),
            text: kept,
        }
    }

    /// The tool to call: one that must be, or one whose name the prompt has a word of.
    fn tool(&self) -> Option<&Tool> {
        if !self.results.is_empty() {
            return None;
        }
        let meant = || {
            self.tools
                .iter()
                .find(|tool| is_meant(&tool.name, &self.prompt))
        };
        match &self.choice {
            Choice::Never => None,
            Choice::Named(name) => self.tools.iter().find(|tool| tool.name == *name),
            Choice::Any => meant().or(self.tools.first()),
            Choice::Auto => meant(),
        }
    }
}

impl Thought {
    pub fn tokens(&self) -> usize {
        match self {
            Thought::Text { text, .. } => tokens(text),
            Thought::Call { arguments, .. } => 1 + tokens(&arguments.to_string()),
        }
    }
}

/// `get_weather` is meant by "what is the weather", `add` by "add 2 and 3".
fn is_meant(name: &str, prompt: &str) -> bool {
    let split = |c: char| !c.is_alphanumeric();
    let asked: Vec<String> = prompt.split(split).map(str::to_lowercase).collect();
    let parts = name.split(split).filter(|part| {
        let part = part.to_lowercase();
        part.len() > 2 && !["get", "set", "the", "and", "for", "mcp", "tool"].contains(&&*part)
    });
    parts
        .map(str::to_lowercase)
        .any(|part| asked.contains(&part))
}

/// What is said to a prompt without tools.
fn reply(prompt: &str) -> String {
    match prompt.trim() {
        "ping" => "mock: pong".to_string(),
        said => format!("mock: you said {said}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn asked(prompt: &str, choice: Choice) -> Asked {
        let schema = json!({"type": "object", "properties": {"city": {"type": "string"}}});
        let tool = |name: &str| Tool {
            name: name.to_string(),
            schema: schema.clone(),
        };
        Asked {
            prompt: prompt.to_string(),
            tools: vec![tool("search"), tool("get_weather")],
            choice,
            ..Asked::default()
        }
    }

    fn called(asked: &Asked) -> Option<String> {
        match asked.think() {
            Thought::Call { name, .. } => Some(name),
            Thought::Text { .. } => None,
        }
    }

    #[test]
    fn a_tool_is_called_when_it_is_meant_or_must_be() {
        let table = [
            (
                "What is the Weather in Paris?",
                Choice::Auto,
                Some("get_weather"),
            ),
            ("get me something", Choice::Auto, None),
            ("weather", Choice::Never, None),
            ("anything", Choice::Any, Some("search")),
            ("weather", Choice::Any, Some("get_weather")),
            ("weather", Choice::Named("search".into()), Some("search")),
            ("weather", Choice::Named("other".into()), None),
        ];
        for (prompt, choice, expected) in table {
            let found = called(&asked(prompt, choice));
            assert_eq!(found.as_deref(), expected, "{prompt}");
        }
    }

    #[test]
    fn a_tools_result_ends_the_round() {
        let mut asked = asked("", Choice::Any);
        let turn = |who, text: &str| Turn {
            who,
            text: text.to_string(),
        };
        asked.hear(&[
            turn(Who::User, "weather"),
            turn(Who::Assistant, ""),
            turn(Who::Tool, "sunny"),
        ]);
        let text = "mock: the tool said sunny".to_string();
        assert_eq!(asked.think(), Thought::Text { text, cut: false });
        asked.hear(&[turn(Who::Tool, "sunny"), turn(Who::User, "weather again")]);
        assert_eq!(called(&asked).as_deref(), Some("get_weather"));
    }

    #[test]
    fn an_answer_is_cut_at_its_limit_and_says_so() {
        let mut asked = Asked {
            prompt: "one two three".into(),
            ..Asked::default()
        };
        asked.limit = Some(4);
        let text = "mock: you said one ".to_string();
        assert_eq!(asked.think(), Thought::Text { text, cut: true });
        asked.limit = Some(6);
        assert!(matches!(asked.think(), Thought::Text { cut: false, .. }));
    }
}
