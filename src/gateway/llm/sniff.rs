//! Reads along with a streamed answer for the access log. Never holds an event back: the bytes have gone out already.

use serde::Deserialize;

use super::Usage;

/// A longer line than this is not looked at; it still goes to the client. The last event of the
/// Responses API repeats the whole answer, and the usage stands in it alone.
const LINE_LIMIT: usize = 2 << 20;

/// Watches server-sent events go by.
#[derive(Debug, Default)]
pub struct Sniffer {
    line: Vec<u8>,
    /// Whether the line that is being read is too long.
    is_cut: bool,
    pub usage: Usage,
}

#[derive(Deserialize)]
struct Event {
    model: Option<String>,
    usage: Option<Tokens>,
    /// Anthropic's first event has its `message` where OpenAI's have their `response`.
    #[serde(alias = "message")]
    response: Option<Inner>,
}

/// Where the Responses API puts the same facts.
#[derive(Deserialize)]
struct Inner {
    model: Option<String>,
    usage: Option<Tokens>,
}

#[derive(Deserialize)]
struct Tokens {
    #[serde(alias = "input_tokens")]
    prompt_tokens: Option<u64>,
    #[serde(alias = "output_tokens")]
    completion_tokens: Option<u64>,
}

impl Sniffer {
    pub fn see(&mut self, mut data: &[u8]) {
        while let Some(end) = data.iter().position(|byte| *byte == b'\n') {
            let (line, rest) = data.split_at(end);
            match self.line.is_empty() && !self.is_cut {
                true => self.read(line),
                false => {
                    self.keep(line);
                    let line = std::mem::take(&mut self.line);
                    self.is_cut = false;
                    self.read(&line);
                }
            }
            data = &rest[1..];
        }
        self.keep(data);
    }

    fn keep(&mut self, part: &[u8]) {
        self.is_cut |= self.line.len() + part.len() > LINE_LIMIT;
        match self.is_cut {
            true => self.line = Vec::new(),
            false => self.line.extend_from_slice(part),
        }
    }

    fn read(&mut self, line: &[u8]) {
        let Some(data) = line.strip_prefix(b"data:") else {
            return;
        };
        let wanted = self.usage.model.is_none() || contains(data, b"\"usage\"");
        if !wanted {
            return;
        }
        let Ok(event) = serde_json::from_slice::<Event>(data) else {
            return;
        };
        let (model, tokens) = match event.response {
            Some(inner) => (inner.model, inner.usage),
            None => (event.model, event.usage),
        };
        self.usage.model = model.or(self.usage.model.take());
        if let Some(tokens) = tokens {
            self.usage.input = tokens.prompt_tokens.or(self.usage.input);
            self.usage.output = tokens.completion_tokens.or(self.usage.output);
        }
    }
}

fn contains(data: &[u8], wanted: &[u8]) -> bool {
    data.windows(wanted.len()).any(|window| window == wanted)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::collection::vec;
    use proptest::prelude::{any, proptest};

    const STREAM: &str = "data: {\"model\": \"m\", \"choices\": []}\n\ndata: {\"model\": \"m\", \"usage\": {\"prompt_tokens\": 9, \"completion_tokens\": 4}}\n\ndata: [DONE]\n\n";

    #[test]
    fn usage_is_found_however_the_stream_is_cut() {
        let expected = Usage {
            model: Some("m".into()),
            input: Some(9),
            output: Some(4),
        };
        for size in [1, 7, 40, STREAM.len()] {
            let mut sniffer = Sniffer::default();
            STREAM
                .as_bytes()
                .chunks(size)
                .for_each(|part| sniffer.see(part));
            assert_eq!(sniffer.usage, expected, "pieces of {size}");
        }
    }

    #[test]
    fn the_responses_api_is_understood_too() {
        let mut sniffer = Sniffer::default();
        sniffer.see(b"event: x\ndata: {\"response\":{\"model\":\"m\",\"usage\":{\"input_tokens\":1,\"output_tokens\":2}}}\n");
        let expected = Usage {
            model: Some("m".into()),
            input: Some(1),
            output: Some(2),
        };
        assert_eq!(sniffer.usage, expected);
    }

    #[test]
    fn anthropics_events_are_understood_too() {
        let mut sniffer = Sniffer::default();
        sniffer.see(b"data: {\"type\":\"message_start\",\"message\":{\"model\":\"m\",\"usage\":{\"input_tokens\":9,\"output_tokens\":1}}}\n\n");
        sniffer.see(b"data: {\"type\":\"message_delta\",\"usage\":{\"output_tokens\":4}}\n\n");
        let expected = Usage {
            model: Some("m".into()),
            input: Some(9),
            output: Some(4),
        };
        assert_eq!(sniffer.usage, expected);
    }

    #[test]
    fn a_line_without_end_is_not_collected() {
        let mut sniffer = Sniffer::default();
        let most = (0..1000).map(|_| {
            sniffer.see(&[b'x'; 4096]);
            sniffer.line.len()
        });
        assert!(most.max().unwrap() <= LINE_LIMIT);
        sniffer.see(b"\n");
        sniffer.see(STREAM.as_bytes());
        assert_eq!(sniffer.usage.input, Some(9));
    }

    #[test]
    fn usage_is_found_at_the_end_of_an_event_that_repeats_the_whole_answer() {
        let text = "x".repeat(200_000);
        let event = format!(
            "data: {{\"response\":{{\"model\":\"m\",\"output\":\"{text}\",\"usage\":{{\"input_tokens\":1,\"output_tokens\":2}}}}}}\n"
        );
        let mut sniffer = Sniffer::default();
        event
            .as_bytes()
            .chunks(8192)
            .for_each(|part| sniffer.see(part));
        assert_eq!(
            (sniffer.usage.input, sniffer.usage.output),
            (Some(1), Some(2))
        );
    }

    proptest! {
        #[test]
        fn nothing_panics(parts in vec(vec(any::<u8>(), 0..50), 0..10)) {
            let mut sniffer = Sniffer::default();
            parts.iter().for_each(|part| sniffer.see(part));
        }
    }
}
