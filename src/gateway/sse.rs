//! Server-sent events, read piece by piece as a server writes them (WHATWG HTML, 9.2.6).

use std::collections::VecDeque;

use http_body_util::BodyExt;

use super::body::{AnyBody, BoxError};

/// One event as it was dispatched.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Event {
    /// The `event` field; empty stands for `message`.
    pub name: String,
    pub data: String,
}

/// An event that takes more than was agreed to hold.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("an event is longer than {0} bytes")]
pub(super) struct TooLong(usize);

/// Makes events of bytes, however these are cut. Holds one event at a time, of at most `limit` bytes.
#[derive(Debug)]
pub(super) struct Parser {
    limit: usize,
    line: Vec<u8>,
    /// A CR ended the last line: a LF that follows belongs to it.
    after_cr: bool,
    is_first_line: bool,
    event: Event,
    has_data: bool,
    /// The event at hand is left out to its end.
    is_too_long: bool,
}

impl Parser {
    pub fn new(limit: usize) -> Parser {
        Parser {
            limit,
            line: Vec::new(),
            after_cr: false,
            is_first_line: true,
            event: Event::default(),
            has_data: false,
            is_too_long: false,
        }
    }

    /// Takes the next piece of the stream and hands over the events that it completes. One that is too
    /// long is left out and told; those after it are read as ever.
    pub fn push(
        &mut self,
        mut piece: &[u8],
        mut complete: impl FnMut(Event),
    ) -> Result<(), TooLong> {
        let mut outcome = Ok(());
        while !piece.is_empty() {
            if std::mem::take(&mut self.after_cr) && piece[0] == b'\n' {
                piece = &piece[1..];
                continue;
            }
            let end = piece.iter().position(|byte| matches!(byte, b'\n' | b'\r'));
            let taken = &piece[..end.unwrap_or(piece.len())];
            let held = self.line.len() + self.event.data.len() + self.event.name.len();
            if !self.is_too_long && held + taken.len() > self.limit {
                outcome = Err(TooLong(self.limit));
                (self.is_too_long, self.has_data) = (true, false);
                self.event = Event::default();
            }
            match self.is_too_long {
                false => self.line.extend_from_slice(taken),
                // Of its lines only matters whether they are empty: an empty one ends it.
                true => {
                    self.line.extend(taken.first());
                    self.line.truncate(1);
                }
            }
            let Some(end) = end else { break };
            self.after_cr = piece[end] == b'\r';
            piece = &piece[end + 1..];
            if let Some(event) = self.end_line() {
                complete(event);
            }
        }
        outcome
    }

    fn end_line(&mut self) -> Option<Event> {
        let line = std::mem::take(&mut self.line);
        if self.is_too_long {
            self.is_too_long = !line.is_empty();
            return None;
        }
        let mut text = String::from_utf8_lossy(&line);
        if std::mem::take(&mut self.is_first_line)
            && let Some(rest) = text.strip_prefix('\u{feff}')
        {
            text = rest.to_string().into();
        }
        if text.is_empty() {
            let event = std::mem::take(&mut self.event);
            return std::mem::take(&mut self.has_data).then_some(event);
        }
        let (field, value) = text.split_once(':').unwrap_or((&text, ""));
        let value = value.strip_prefix(' ').unwrap_or(value);
        match field {
            "data" => {
                if std::mem::replace(&mut self.has_data, true) {
                    self.event.data.push('\n');
                }
                self.event.data.push_str(value);
            }
            "event" => self.event.name = value.to_string(),
            // Comments, `id` and `retry`: nothing is ever resumed here.
            _ => {}
        }
        None
    }
}

/// The events of a body, as they come.
pub(super) struct Events {
    body: AnyBody,
    parser: Parser,
    ready: VecDeque<Event>,
}

impl Events {
    pub fn new(body: AnyBody, limit: usize) -> Events {
        Events {
            body,
            parser: Parser::new(limit),
            ready: VecDeque::new(),
        }
    }

    /// The next event; none when the stream has ended. Nothing is lost when this is given up halfway.
    pub async fn next(&mut self) -> Option<Result<Event, BoxError>> {
        loop {
            if let Some(event) = self.ready.pop_front() {
                return Some(Ok(event));
            }
            let frame = match self.body.frame().await? {
                Ok(frame) => frame,
                Err(error) => return Some(Err(error)),
            };
            if let Some(data) = frame.data_ref()
                && let Err(error) = self.parser.push(data, |event| self.ready.push_back(event))
            {
                return Some(Err(error.into()));
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::collection::vec;
    use proptest::prelude::{any, prop_assert, prop_assert_eq, proptest};

    fn parse(pieces: &[&[u8]]) -> Vec<(String, String)> {
        let mut parser = Parser::new(1 << 20);
        let mut events = Vec::new();
        for piece in pieces {
            parser
                .push(piece, |event| events.push((event.name, event.data)))
                .unwrap();
        }
        events
    }

    fn event(name: &str, data: &str) -> (String, String) {
        (name.to_string(), data.to_string())
    }

    #[test]
    fn events_are_read_as_the_standard_has_them() {
        type Row<'a> = (&'a str, Vec<(String, String)>);
        let table: [Row<'_>; 9] = [
            ("data: a\n\n", vec![event("", "a")]),
            (
                "data:a\r\n\r\ndata:  b\r\r",
                vec![event("", "a"), event("", " b")],
            ),
            (
                "data: YHOO\ndata: +2\ndata: 10\n\n",
                vec![event("", "YHOO\n+2\n10")],
            ),
            (
                ": comment\n\nevent: endpoint\nid: 1\nretry: 3\ndata: /m\n\n",
                vec![event("endpoint", "/m")],
            ),
            (
                "data\n\ndata\ndata\n\ndata:",
                vec![event("", ""), event("", "\n")],
            ),
            (
                "\u{feff}data: a\n\n\u{feff}data: b\n\n",
                vec![event("", "a")],
            ),
            ("event: x\n\ndata: y\n\n", vec![event("", "y")]),
            ("other: x\ndata: y\n\n", vec![event("", "y")]),
            ("data: cut off", vec![]),
        ];
        for (text, expected) in table {
            assert_eq!(parse(&[text.as_bytes()]), expected, "{text:?}");
        }
    }

    #[test]
    fn an_event_that_is_too_long_is_refused_however_it_is_written() {
        for text in [
            "data: 123456789012345678901234\n\n",
            "data: 1234567890\ndata: 1234567890\n\n",
        ] {
            let mut parser = Parser::new(20);
            assert_eq!(parser.push(text.as_bytes(), |_| {}), Err(TooLong(20)));
        }
        // All of its lines are left out, and the next event is not.
        let mut parser = Parser::new(20);
        let mut seen = Vec::new();
        let text = b"data: 123456789012345678901234\ndata: more\n\ndata: a\n\n";
        assert_eq!(
            parser.push(text, |event| seen.push(event.data)),
            Err(TooLong(20))
        );
        assert_eq!(seen, ["a"]);
        let mut parser = Parser::new(20);
        for _ in 0..100 {
            parser.push(b"data: 1234567890\n\n", |_| {}).unwrap();
        }
    }

    proptest! {
        #[test]
        fn nothing_panics_on_any_bytes(bytes in vec(any::<u8>(), 0..300), limit in 0usize..100) {
            let _ = Parser::new(limit).push(&bytes, |_| {});
        }

        #[test]
        fn it_does_not_matter_how_a_stream_is_cut(
            parts in vec(0usize..9, 0..40),
            cuts in vec(1usize..7, 1..60),
        ) {
            const PARTS: [&str; 9] = ["data", ":", " ", "\n", "\r", "\r\n", "event", "é", "\n\n"];
            let text: String = parts.iter().map(|part| PARTS[*part]).collect();
            let whole = parse(&[text.as_bytes()]);
            let mut rest = text.as_bytes();
            let mut pieces = Vec::new();
            for cut in cuts.iter().cycle() {
                if rest.is_empty() { break; }
                let (piece, more) = rest.split_at((*cut).min(rest.len()));
                pieces.push(piece);
                rest = more;
            }
            prop_assert_eq!(parse(&pieces), whole);
        }

        #[test]
        fn data_comes_out_as_it_went_in(lines in vec("[^\r\n]{0,12}", 1..5)) {
            let text: String = lines.iter().map(|line| format!("data: {line}\n")).collect();
            let events = parse(&[text.as_bytes(), b"\n"]);
            prop_assert!(events == vec![event("", &lines.join("\n"))]);
        }
    }
}
