//! Points up to which Bedrock may keep what it has read, as a policy asks for them. A client of
//! Messages sets its own.

use super::request::{Block, CACHE_POINT, Request, Tool};
use crate::gateway::llm::policy::Caching;

/// Sets the points in a request to a model that can keep something.
pub fn mark(request: &mut Request, caching: &Caching) {
    if !can_keep(&request.model_id) {
        return;
    }
    let has_system = !request.system.is_empty();
    if caching.system && has_system && tokens(&request.system) >= caching.least {
        request.system.push(Block::CachePoint(CACHE_POINT));
    }
    // What has been said is kept, the turn that is asked for now is not.
    if caching.messages
        && let [.., last_said, _] = request.messages.as_mut_slice()
    {
        last_said.content.push(Block::CachePoint(CACHE_POINT));
    }
    if caching.tools
        && let Some(config) = &mut request.tool_config
    {
        config.tools.push(Tool::CachePoint(CACHE_POINT));
    }
}

/// Amazon's Nova, and Anthropic's models from Claude 3 on.
fn can_keep(model: &str) -> bool {
    let model = model.to_lowercase();
    let too_old = ["claude-instant", "claude-v1", "claude-v2"];
    let is_claude = model.contains("anthropic.claude");
    is_claude && !too_old.iter().any(|old| model.contains(old)) || model.contains("amazon.nova")
}

/// An estimate: 1.3 for each word (CRD `minTokens`).
fn tokens(blocks: &[Block]) -> usize {
    let words = blocks.iter().map(|block| match block {
        Block::Text(text) => text.split_whitespace().count(),
        _ => 0,
    });
    words.sum::<usize>() * 13 / 10
}

#[cfg(test)]
mod tests {
    use http::HeaderMap;
    use serde_json::{Value, json};

    use super::*;
    use crate::gateway::llm::converse::{Context, from_completions, from_messages, from_responses};

    const CLAUDE: &str = "anthropic.claude-3-5-sonnet-20241022-v2:0";

    fn caching() -> Caching {
        Caching {
            system: true,
            messages: true,
            tools: true,
            least: 4,
        }
    }

    /// A completion and the same as a response, as they go to Bedrock.
    fn sent(model: &str, caching: &Caching) -> [Value; 3] {
        let headers = HeaderMap::new();
        let context = Context {
            caching: Some(caching),
            ..Context::of(&headers)
        };
        let schema = json!({"type": "object"});
        let turns = json!([{"role": "user", "content": "a"}, {"role": "assistant", "content": "b"}, {"role": "user", "content": "c"}]);
        let mut messages = vec![json!({"role": "system", "content": "one two three four"})];
        messages.extend(turns.as_array().unwrap().clone());
        let completion = json!({"model": model, "messages": messages,
            "tools": [{"type": "function", "function": {"name": "f", "parameters": schema}}]});
        let response = json!({"model": model, "instructions": "one two three four", "input": turns,
            "tools": [{"type": "function", "name": "f", "parameters": schema}]});
        let message = json!({"model": model, "system": "one two three four", "max_tokens": 1, "messages": turns});
        let read = |body: Vec<u8>| serde_json::from_slice(&body).unwrap();
        [
            read(from_completions(&serde_json::from_value(completion).unwrap(), &context).unwrap()),
            read(from_responses(&serde_json::from_value(response).unwrap(), &context).unwrap()),
            read(from_messages(&serde_json::from_value(message).unwrap(), &context).unwrap()),
        ]
    }

    // From agentgateway's llm/conversion/bedrock.rs, `insert_cache_point_in_last_user_message` and its
    // callers.
    #[test]
    fn points_stand_after_the_system_before_the_last_turn_and_after_the_tools() {
        let point = json!({"cachePoint": {"type": "default"}});
        let [completion, response, message] = sent(CLAUDE, &caching());
        for sent in [completion, response] {
            assert_eq!(sent["system"][1], point);
            assert_eq!(sent["messages"][0]["content"].as_array().unwrap().len(), 1);
            assert_eq!(sent["messages"][1]["content"][1], point);
            assert_eq!(sent["messages"][2]["content"].as_array().unwrap().len(), 1);
            assert_eq!(sent["toolConfig"]["tools"][1], point);
        }
        assert!(!message.to_string().contains("cachePoint"));
    }

    #[test]
    fn only_what_is_asked_for_and_can_be_kept_is_marked() {
        let none = Caching {
            system: false,
            messages: false,
            tools: false,
            least: 0,
        };
        // Four words are estimated as five tokens.
        let table = [
            (CLAUDE, caching(), 3),
            ("us.amazon.nova-pro-v1:0", caching(), 3),
            ("anthropic.claude-v2:1", caching(), 0),
            ("anthropic.claude-instant-v1", caching(), 0),
            ("meta.llama3-70b-instruct-v1:0", caching(), 0),
            (CLAUDE, none, 0),
            (
                CLAUDE,
                Caching {
                    least: 5,
                    ..caching()
                },
                3,
            ),
            (
                CLAUDE,
                Caching {
                    least: 6,
                    ..caching()
                },
                2,
            ),
        ];
        for (model, caching, points) in table {
            for sent in &sent(model, &caching)[..2] {
                let sent = sent.to_string();
                assert_eq!(
                    sent.matches("cachePoint").count(),
                    points,
                    "{model} {caching:?}"
                );
            }
        }
    }
}
