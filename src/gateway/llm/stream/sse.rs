//! Server-sent events, read from pieces that may end anywhere (WHATWG HTML, 9.2.6).

use crate::gateway::sse::Parser;

/// An event that is longer than this is skipped: nothing a model says in one go is.
const EVENT_LIMIT: usize = 2 << 20;

/// Collects pieces to the data of events.
#[derive(Debug)]
pub struct Events(Parser);

impl Default for Events {
    fn default() -> Events {
        Events(Parser::new(EVENT_LIMIT))
    }
}

impl Events {
    /// Calls back with the data of every event that this piece completes.
    pub fn push(&mut self, piece: &[u8], mut see: impl FnMut(&[u8])) {
        // One that is too long is skipped, as its limit says.
        let _ = self.0.push(piece, |event| see(event.data.as_bytes()));
    }
}

/// Writes an event as the real proxy does: it always has a name, if an empty one.
pub fn write_event(out: &mut Vec<u8>, name: &str, data: &[u8]) {
    out.extend_from_slice(b"event: ");
    out.extend_from_slice(name.as_bytes());
    out.extend_from_slice(b"\ndata: ");
    out.extend_from_slice(data);
    out.extend_from_slice(b"\n\n");
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::collection::vec;
    use proptest::prelude::{any, prop_assert_eq, proptest};

    fn read(pieces: &[&[u8]]) -> Vec<String> {
        let (mut events, mut seen) = (Events::default(), Vec::new());
        for piece in pieces {
            events.push(piece, |data| {
                seen.push(String::from_utf8_lossy(data).into_owned());
            });
        }
        seen
    }

    #[test]
    fn events_are_read_as_the_standard_says() {
        let table: [(&str, &[&str]); 8] = [
            ("data: a\n\n", &["a"]),
            ("event: x\ndata: a\ndata: b\n\n", &["a\nb"]),
            ("data:a\r\n\r\ndata:b\r\rdata: c\n\n", &["a", "b", "c"]),
            (": comment\n\nid: 1\n\n", &[]),
            ("data\n\n", &[""]),
            ("data:  two spaces\n\n", &[" two spaces"]),
            ("database: no\n\n", &[]),
            // An event that never ended is none.
            ("data: a", &[]),
        ];
        for (stream, expected) in table {
            assert_eq!(read(&[stream.as_bytes()]), expected, "{stream:?}");
        }
    }

    #[test]
    fn an_event_that_is_too_long_is_skipped_and_the_next_is_not() {
        let long = vec![b'x'; EVENT_LIMIT];
        assert_eq!(read(&[b"data: ", &long, b"\n\ndata: a\n\n"]), ["a"]);
    }

    proptest! {
        #[test]
        fn it_does_not_matter_how_a_stream_is_cut(bytes in vec(proptest::sample::select(b"data: \r\nx".to_vec()), 0..80), cut in any::<usize>()) {
            let cut = cut % (bytes.len() + 1);
            let (first, second) = bytes.split_at(cut);
            prop_assert_eq!(read(&[&bytes]), read(&[first, second]));
        }

        #[test]
        fn nothing_panics(pieces in vec(vec(any::<u8>(), 0..50), 0..10)) {
            let pieces: Vec<&[u8]> = pieces.iter().map(Vec::as_slice).collect();
            read(&pieces);
        }
    }
}
