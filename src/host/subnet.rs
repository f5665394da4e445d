//! Networks as they are written: an address and how many of its bits are the network's (RFC 4632).

use std::net::IpAddr;
use std::str::FromStr;

/// Such as `172.18.0.0/16` or `fd00::/8`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Subnet {
    base: IpAddr,
    length: u32,
}

impl FromStr for Subnet {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let read = || {
            let (base, length) = text.split_once('/')?;
            let (base, length) = (base.parse().ok()?, length.parse().ok()?);
            (length <= bits(base).1).then_some(Subnet { base, length })
        };
        read().ok_or_else(|| format!("`{text}` is not a network such as 172.18.0.0/16"))
    }
}

impl Subnet {
    pub fn contains(self, address: IpAddr) -> bool {
        let ((base, width), (address, other)) = (bits(self.base), bits(address));
        // A shift by the whole width leaves nothing to differ.
        let network = |bits: u128| bits.checked_shr(width - self.length).unwrap_or(0);
        width == other && network(base) == network(address)
    }

    /// Whether it is a part of IPv4's addresses, and not all of them.
    pub fn is_part_of_v4(self) -> bool {
        self.base.is_ipv4() && self.length > 0
    }
}

/// The bits of an address, and how many they are.
fn bits(address: IpAddr) -> (u128, u32) {
    match address {
        IpAddr::V4(address) => (u128::from(address.to_bits()), 32),
        IpAddr::V6(address) => (address.to_bits(), 128),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_clusters_own_network_is_a_source() {
        let subnet: Subnet = "172.18.0.0/16".parse().unwrap();
        assert!(subnet.contains("172.18.200.3".parse().unwrap()) && subnet.is_part_of_v4());
        assert!(!subnet.contains("172.19.0.3".parse().unwrap()));
        assert!(!subnet.contains("::1".parse().unwrap()));
        assert!("172.18.0.0".parse::<Subnet>().is_err());
        let all: Subnet = "0.0.0.0/0".parse().unwrap();
        assert!(all.contains("172.19.0.3".parse().unwrap()) && !all.is_part_of_v4());
    }
}
