//! Answers that come compressed although none were asked for so.

use std::io::{Read, Write};

use bytes::Bytes;
use flate2::read::MultiGzDecoder;
use flate2::write::GzDecoder;
use http::header::{CONTENT_ENCODING, HeaderMap};

/// How a body is compressed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Coding {
    Plain,
    Gzip,
    /// One that is not read here; such an answer can only go by as it is.
    Other,
}

impl Coding {
    pub fn of(headers: &HeaderMap) -> Coding {
        let coding = headers.get(CONTENT_ENCODING).map(|value| value.as_bytes());
        match coding {
            None | Some(b"" | b"identity") => Coding::Plain,
            Some(b"gzip" | b"x-gzip") => Coding::Gzip,
            Some(_) => Coding::Other,
        }
    }
}

/// Unpacks a whole body of at most `limit` bytes.
pub fn unpack(packed: &[u8], limit: usize) -> Result<Bytes, String> {
    let most = u64::try_from(limit).unwrap_or(u64::MAX);
    let mut plain = Vec::new();
    let mut reader = MultiGzDecoder::new(packed).take(most.saturating_add(1));
    reader
        .read_to_end(&mut plain)
        .map_err(|error| error.to_string())?;
    match plain.len() > limit {
        true => Err("response was too large".to_string()),
        false => Ok(plain.into()),
    }
}

/// Unpacks a stream piece by piece.
pub struct Unpacker(GzDecoder<Vec<u8>>);

impl Unpacker {
    pub fn new() -> Unpacker {
        Unpacker(GzDecoder::new(Vec::new()))
    }

    /// What this piece makes known of the plain stream.
    pub fn push(&mut self, piece: &[u8]) -> std::io::Result<Vec<u8>> {
        self.0.write_all(piece)?;
        self.0.flush()?;
        Ok(std::mem::take(self.0.get_mut()))
    }
}

#[cfg(test)]
mod tests {
    use flate2::Compression;
    use flate2::write::GzEncoder;
    use proptest::collection::vec;
    use proptest::prelude::{any, prop_assert_eq, proptest};

    use super::*;

    fn packed(plain: &[u8]) -> Vec<u8> {
        let mut zip = GzEncoder::new(Vec::new(), Compression::fast());
        zip.write_all(plain).unwrap();
        zip.finish().unwrap()
    }

    #[test]
    fn no_more_is_unpacked_than_the_limit() {
        let bomb = packed(&vec![0; 1000]);
        assert_eq!(unpack(&bomb, 1000).unwrap().len(), 1000);
        assert!(unpack(&bomb, 999).is_err());
    }

    #[test]
    fn codings_are_told_apart() {
        let table = [
            (None, Coding::Plain),
            (Some("identity"), Coding::Plain),
            (Some("gzip"), Coding::Gzip),
            (Some("br"), Coding::Other),
        ];
        for (value, expected) in table {
            let mut headers = HeaderMap::new();
            headers.extend(value.map(|value| (CONTENT_ENCODING, value.parse().unwrap())));
            assert_eq!(Coding::of(&headers), expected);
        }
    }

    proptest! {
        #[test]
        fn pieces_give_what_the_whole_gives(plain in vec(any::<u8>(), 0..200), size in 1usize..50) {
            let packed = packed(&plain);
            let mut unpacker = Unpacker::new();
            let found: Vec<u8> = packed.chunks(size).flat_map(|piece| unpacker.push(piece).unwrap()).collect();
            prop_assert_eq!(found, plain);
        }

        #[test]
        fn nothing_panics(bytes in vec(any::<u8>(), 0..100)) {
            let _ = unpack(&bytes, 100);
            let _ = Unpacker::new().push(&bytes);
        }
    }
}
