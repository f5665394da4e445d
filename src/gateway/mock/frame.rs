//! AWS event stream frames (`application/vnd.amazon.eventstream`).

use bytes::Bytes;
use flate2::Crc;

use super::answer::JSON;

/// Lengths and checksums: two words before the prelude's checksum, one after it, one at the end.
const AROUND: usize = 16;
/// The type of a header's value that is a string.
const STRING: u8 = 7;

/// One event. Its payload is a few words of the mock's, far below the limit of 16 MiB.
pub(super) fn frame(name: &str, payload: &[u8]) -> Bytes {
    let mut headers = Vec::new();
    for (name, value) in [
        (":event-type", name),
        (":content-type", JSON),
        (":message-type", "event"),
    ] {
        headers.push(name.len() as u8);
        headers.extend_from_slice(name.as_bytes());
        headers.push(STRING);
        headers.extend_from_slice(&(value.len() as u16).to_be_bytes());
        headers.extend_from_slice(value.as_bytes());
    }
    let total = AROUND + headers.len() + payload.len();
    let mut frame = Vec::with_capacity(total);
    frame.extend_from_slice(&(total as u32).to_be_bytes());
    frame.extend_from_slice(&(headers.len() as u32).to_be_bytes());
    frame.extend_from_slice(&checksum(&frame).to_be_bytes());
    frame.extend_from_slice(&headers);
    frame.extend_from_slice(payload);
    frame.extend_from_slice(&checksum(&frame).to_be_bytes());
    frame.into()
}

fn checksum(bytes: &[u8]) -> u32 {
    let mut crc = Crc::new();
    crc.update(bytes);
    crc.sum()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_frame_says_its_lengths_and_is_checked_twice() {
        // The checksum of RFC 3720's and everybody's test word.
        assert_eq!(checksum(b"123456789"), 0xcbf4_3926);
        let frame = frame("metadata", b"{}");
        let word = |at: usize| u32::from_be_bytes(frame[at..at + 4].try_into().unwrap());
        let end = frame.len();
        assert_eq!(word(0) as usize, end);
        assert_eq!(word(4) as usize, end - AROUND - 2);
        assert_eq!(word(8), checksum(&frame[..8]));
        assert_eq!(word(end - 4), checksum(&frame[..end - 4]));
        assert_eq!(&frame[end - 6..end - 4], b"{}");
    }
}
