//! Password hashes as the htpasswd program writes them: `{SHA}`, bcrypt, and Apache's own MD5.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use md5::{Digest, Md5};
use sha1::Sha1;
use subtle::ConstantTimeEq;

/// Whether a password fits a hash. One of another form fits none.
pub fn verify(hash: &str, password: &str) -> bool {
    if let Some(encoded) = hash.strip_prefix("{SHA}") {
        return same(encoded, &STANDARD.encode(Sha1::digest(password)));
    }
    if hash.starts_with("$2") {
        return bcrypt::verify(password, hash).unwrap_or(false);
    }
    let Some((salt, digest)) = hash
        .strip_prefix("$apr1$")
        .and_then(|rest| rest.split_once('$'))
    else {
        return false;
    };
    same(digest, &apr1(password.as_bytes(), salt.as_bytes()))
}

fn same(one: &str, other: &str) -> bool {
    one.as_bytes().ct_eq(other.as_bytes()).into()
}

/// Apache's variant of the MD5 crypt: a thousand rounds, in which password and salt come and go
/// (apr_md5.c of the Apache Portable Runtime).
fn apr1(password: &[u8], salt: &[u8]) -> String {
    let inner = Md5::new()
        .chain_update(password)
        .chain_update(salt)
        .chain_update(password)
        .finalize();
    let mut start = Md5::new()
        .chain_update(password)
        .chain_update(b"$apr1$")
        .chain_update(salt);
    for part in password.chunks(inner.len()) {
        start.update(&inner[..part.len()]);
    }
    let mut length = password.len();
    while length > 0 {
        match length % 2 {
            1 => start.update([0]),
            _ => start.update(&password[..1]),
        }
        length /= 2;
    }
    let mut sum = start.finalize();
    for round in 0..1000 {
        let is_odd = round % 2 == 1;
        let mut next = Md5::new();
        next.update(if is_odd { password } else { &sum[..] });
        if round % 3 != 0 {
            next.update(salt);
        }
        if round % 7 != 0 {
            next.update(password);
        }
        next.update(if is_odd { &sum[..] } else { password });
        sum = next.finalize();
    }
    written(&sum)
}

/// The digest in crypt's alphabet, its bytes in crypt's order.
fn written(sum: &[u8]) -> String {
    const ALPHABET: &[u8; 64] = b"./0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";
    const GROUPS: [(&[usize], usize); 6] = [
        (&[0, 6, 12], 4),
        (&[1, 7, 13], 4),
        (&[2, 8, 14], 4),
        (&[3, 9, 15], 4),
        (&[4, 10, 5], 4),
        (&[11], 2),
    ];
    let mut text = String::new();
    for (places, digits) in GROUPS {
        let bytes = places.iter().map(|place| usize::from(sum[*place]));
        let mut value = bytes.fold(0, |value, byte| value << 8 | byte);
        for _ in 0..digits {
            text.push(char::from(ALPHABET[value % 64]));
            value /= 64;
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::{any, proptest};

    #[test]
    fn hashes_of_every_form() {
        let table = [
            ("{SHA}5en6G6MezRroT3XKqkdPOmY/BfQ=", "secret", true),
            ("{SHA}5en6G6MezRroT3XKqkdPOmY/BfQ=", "Secret", false),
            ("$apr1$lZL6V/ci$eIMz/iKDkbtys/uU7LEK00", "password", true),
            ("$apr1$lZL6V/ci$eIMz/iKDkbtys/uU7LEK00", "passwort", false),
            ("$apr1$7/CTEZag$omWmIgXPJYoxB3joyuq4S/", "zaq1@WSX", true),
            ("$apr1$xxxxxxxx$dxHfLAsjHkDRmG83UXe8K0", "password", true),
            (
                "$2y$05$nC6nErr9XZJuMJ57WyCob.EuZEjylDt2KaHfbfOtyb.EgL1I2jCVa",
                "password",
                true,
            ),
            (
                "$2y$05$nC6nErr9XZJuMJ57WyCob.EuZEjylDt2KaHfbfOtyb.EgL1I2jCVa",
                "other",
                false,
            ),
            ("$2y$", "x", false),
            ("$apr1$", "x", false),
            ("plain", "plain", false),
            ("", "", false),
        ];
        for (hash, password, expected) in table {
            assert_eq!(verify(hash, password), expected, "{hash} {password}");
        }
    }

    proptest! {
        #[test]
        fn nothing_panics(rest in any::<String>(), password in any::<String>()) {
            for form in ["{SHA}", "$apr1$", ""] {
                assert!(!verify(&format!("{form}{rest}"), &password));
            }
        }
    }
}
