//! AWS's event stream encoding: length, headers, payload, checksums (Smithy, "Amazon Event Stream Specification").

use flate2::Crc;

/// Total length, length of the headers and their checksum, before the headers.
const PRELUDE: usize = 12;
/// The checksum of all that comes before it.
const TRAILER: usize = 4;
/// A longer frame is not one of a model's.
const FRAME_LIMIT: usize = 2 << 20;

/// Collects pieces to frames.
#[derive(Debug, Default)]
pub struct Frames {
    buffer: Vec<u8>,
    /// What came was no event stream; nothing after it can be made sense of.
    is_broken: bool,
}

/// One frame, as far as it is looked at.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Frame<'a> {
    /// The header `:event-type`; an exception has none.
    pub event: Option<&'a str>,
    pub payload: &'a [u8],
}

impl Frames {
    /// Calls back with every frame that this piece completes, and once with none if what comes is no
    /// event stream.
    pub fn push(&mut self, piece: &[u8], mut see: impl FnMut(Option<Frame<'_>>)) {
        if self.is_broken {
            return;
        }
        self.buffer.extend_from_slice(piece);
        let mut start = 0;
        while let Some(length) = self.length_at(start) {
            let parsed = length.and_then(|length| {
                let frame = self.buffer.get(start..start + length)?;
                Some((length, parse(frame)?))
            });
            let Some((length, frame)) = parsed else {
                self.is_broken = true;
                self.buffer.clear();
                return see(None);
            };
            see(Some(frame));
            start += length;
        }
        self.buffer.drain(..start);
    }

    /// The length of the frame that begins here, if all of it is there; `Some(None)` if it can't be one.
    fn length_at(&self, start: usize) -> Option<Option<usize>> {
        let rest = &self.buffer[start..];
        let length = number(rest.get(..4)?)?;
        if !(PRELUDE + TRAILER..=FRAME_LIMIT).contains(&length) {
            return Some(None);
        }
        (rest.len() >= length).then_some(Some(length))
    }
}

fn number(bytes: &[u8]) -> Option<usize> {
    let bytes: [u8; 4] = bytes.try_into().ok()?;
    usize::try_from(u32::from_be_bytes(bytes)).ok()
}

fn is_intact(bytes: &[u8], sum: &[u8]) -> bool {
    let mut crc = Crc::new();
    crc.update(bytes);
    sum == crc.sum().to_be_bytes()
}

fn parse(frame: &[u8]) -> Option<Frame<'_>> {
    let (content, sum) = frame.split_at_checked(frame.len().checked_sub(TRAILER)?)?;
    let (prelude, rest) = content.split_at_checked(PRELUDE)?;
    if !is_intact(&prelude[..8], &prelude[8..]) || !is_intact(content, sum) {
        return None;
    }
    let (headers, payload) = rest.split_at_checked(number(&prelude[4..8])?)?;
    let event = event_type(headers)?;
    Some(Frame { event, payload })
}

/// Reads through the headers; the error is that they can't be read.
fn event_type(mut headers: &[u8]) -> Option<Option<&str>> {
    let mut found = None;
    while let Some((length, rest)) = headers.split_first() {
        let (name, rest) = rest.split_at_checked(usize::from(*length))?;
        let (kind, rest) = rest.split_first()?;
        let (value, rest) = value(*kind, rest)?;
        if name == b":event-type" && *kind == STRING {
            found = Some(str::from_utf8(value).ok()?);
        }
        headers = rest;
    }
    Some(found)
}

const STRING: u8 = 7;

/// A header's value by its type, and what comes after.
fn value(kind: u8, rest: &[u8]) -> Option<(&[u8], &[u8])> {
    let length = match kind {
        // True, false, byte, short, integer, long; timestamp, UUID.
        0 | 1 => 0,
        2 => 1,
        3 => 2,
        4 => 4,
        5 | 8 => 8,
        9 => 16,
        6 | STRING => {
            let (length, rest) = rest.split_at_checked(2)?;
            let length = u16::from_be_bytes(length.try_into().ok()?);
            return rest.split_at_checked(usize::from(length));
        }
        _ => return None,
    };
    rest.split_at_checked(length)
}

/// A frame of this type, for tests.
#[cfg(test)]
pub fn written(event: &str, payload: &str) -> Vec<u8> {
    let mut headers = Vec::new();
    for (name, value) in [(":message-type", "event"), (":event-type", event)] {
        headers.push(u8::try_from(name.len()).unwrap());
        headers.extend_from_slice(name.as_bytes());
        headers.push(STRING);
        headers.extend_from_slice(&u16::try_from(value.len()).unwrap().to_be_bytes());
        headers.extend_from_slice(value.as_bytes());
    }
    let total = PRELUDE + headers.len() + payload.len() + TRAILER;
    let mut frame = Vec::new();
    let sum = |bytes: &[u8]| {
        let mut crc = Crc::new();
        crc.update(bytes);
        crc.sum().to_be_bytes()
    };
    frame.extend_from_slice(&u32::try_from(total).unwrap().to_be_bytes());
    frame.extend_from_slice(&u32::try_from(headers.len()).unwrap().to_be_bytes());
    frame.extend_from_slice(&sum(&frame));
    frame.extend_from_slice(&headers);
    frame.extend_from_slice(payload.as_bytes());
    frame.extend_from_slice(&sum(&frame));
    frame
}

#[cfg(test)]
mod tests {
    use proptest::collection::vec;
    use proptest::prelude::{any, prop_assert_eq, proptest};

    use super::*;

    fn read(pieces: &[&[u8]]) -> Vec<Option<(Option<String>, Vec<u8>)>> {
        let (mut frames, mut seen) = (Frames::default(), Vec::new());
        for piece in pieces {
            frames.push(piece, |frame| {
                seen.push(
                    frame.map(|frame| (frame.event.map(str::to_string), frame.payload.to_vec())),
                );
            });
        }
        seen
    }

    /// The empty message of the specification's own test vectors: nothing but lengths and checksums.
    #[test]
    fn the_specifications_empty_message_is_read() {
        let message = [
            0, 0, 0, 0x10, 0, 0, 0, 0, 0x05, 0xc2, 0x48, 0xeb, 0x7d, 0x98, 0xc8, 0xff,
        ];
        assert_eq!(read(&[&message]), [Some((None, Vec::new()))]);
    }

    #[test]
    fn frames_have_a_type_and_a_payload() {
        let stream = [written("messageStart", "{}"), written("metadata", "x")].concat();
        let expected = [("messageStart", "{}"), ("metadata", "x")]
            .map(|(event, payload)| Some((Some(event.to_string()), payload.as_bytes().to_vec())));
        assert_eq!(read(&[&stream]), expected);
    }

    #[test]
    fn what_is_damaged_is_told_once() {
        let mut damaged = written("messageStart", "{}");
        damaged[20] ^= 1;
        let whole = written("messageStop", "{}");
        assert_eq!(read(&[&damaged, &whole]), [None]);
        assert_eq!(read(&[b"<html>no stream</html>", &whole]), [None]);
    }

    proptest! {
        #[test]
        fn it_does_not_matter_how_a_stream_is_cut(payloads in vec(".{0,20}", 0..4), cut in any::<usize>()) {
            let stream: Vec<u8> = payloads.iter().flat_map(|payload| written("x", payload)).collect();
            let (first, second) = stream.split_at(cut % (stream.len() + 1));
            prop_assert_eq!(read(&[&stream]), read(&[first, second]));
            prop_assert_eq!(read(&[first, second]).len(), payloads.len());
        }

        #[test]
        fn nothing_panics(pieces in vec(vec(any::<u8>(), 0..60), 0..10), place in any::<usize>(), change in any::<u8>()) {
            let pieces: Vec<&[u8]> = pieces.iter().map(Vec::as_slice).collect();
            read(&pieces);
            let mut frame = written("contentBlockDelta", "{}");
            let place = place % frame.len();
            frame[place] ^= change;
            read(&[&frame]);
        }
    }
}
