//! The values that rules are made of.

use core::fmt;
use core::time::Duration;
use serde::{Deserialize, Deserializer, de};
use std::net::IpAddr;

/// Addresses that begin alike.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Network {
    address: IpAddr,
    prefix: u8,
}

/// A port, or all between two, both included.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Ports {
    low: u16,
    high: u16,
}

impl Network {
    /// `10.0.4.0/24`, `2001:db8::/32`, or a single address. Bits behind the prefix must be zero: what is written
    /// otherwise was meant otherwise.
    fn parse(text: &str) -> Result<Self, String> {
        let wrong = |why: &str| format!("{text:?} is no network: {why}; write 10.0.4.0/24 or 2001:db8::1");
        let (address, prefix) = text.split_once('/').map_or((text, None), |(a, p)| (a, Some(p)));
        let address: IpAddr = address.parse().map_err(|_| wrong("it is no IP address"))?;
        let bits = if address.is_ipv4() { 32 } else { 128 };
        let prefix =
            prefix.map_or(Ok(bits), |prefix| prefix.parse::<u8>().map_err(|_| wrong("its length")))?;
        if prefix > bits {
            return Err(wrong("its length"));
        }
        let host = match address {
            IpAddr::V4(v4) => u128::from(v4.to_bits()) & (1u128 << (bits - prefix)).wrapping_sub(1),
            IpAddr::V6(v6) if prefix == 0 => v6.to_bits(),
            IpAddr::V6(v6) => v6.to_bits() & (1u128 << (bits - prefix)).wrapping_sub(1),
        };
        if host != 0 {
            return Err(wrong("it has bits behind its prefix"));
        }
        Ok(Self { address, prefix })
    }

    /// The test in pcap-filter(7)'s words.
    pub(super) fn words(self) -> String {
        format!("net {self}")
    }
}

impl fmt::Display for Network {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.address, self.prefix)
    }
}

impl Ports {
    fn parse(text: &str) -> Result<Self, String> {
        let (low, high) = text.split_once('-').unwrap_or((text, text));
        let wrong = || format!("{text:?} is no range of ports; write 5432 or \"8000-8100\"");
        let (low, high) = low.trim().parse().ok().zip(high.trim().parse().ok()).ok_or_else(wrong)?;
        if low <= high { Ok(Self { low, high }) } else { Err(wrong()) }
    }

    /// The test in pcap-filter(7)'s words.
    pub(super) fn words(self) -> String {
        if self.low == self.high { format!("port {}", self.low) } else { format!("portrange {self}") }
    }
}

impl fmt::Display for Ports {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.low == self.high {
            write!(f, "{}", self.low)
        } else {
            write!(f, "{}-{}", self.low, self.high)
        }
    }
}

/// A number or a text, as people write ports.
#[derive(Deserialize)]
#[serde(untagged)]
enum Written {
    Number(u16),
    Text(String),
}

impl<'de> Deserialize<'de> for Ports {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        match Written::deserialize(deserializer)
            .map_err(|_| de::Error::custom("a port is a number to 65535, or a range as \"8000-8100\""))?
        {
            Written::Number(port) => Ok(Self { low: port, high: port }),
            Written::Text(text) => Self::parse(&text).map_err(de::Error::custom),
        }
    }
}

impl<'de> Deserialize<'de> for Network {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Self::parse(&String::deserialize(deserializer)?).map_err(de::Error::custom)
    }
}

/// A time span with its unit: `90s`, `15m`, `2h`.
pub(super) fn time_span<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Duration>, D::Error> {
    let text = String::deserialize(deserializer)?;
    let wrong = || de::Error::custom(format!("{text:?} is no time span; write 90s, 15m or 2h"));
    let unit = text.chars().last().ok_or_else(wrong)?;
    let seconds = match unit {
        's' => 1,
        'm' => 60,
        'h' => 3_600,
        _ => return Err(wrong()),
    };
    let count: u64 = text[..text.len() - 1].parse().map_err(|_| wrong())?;
    let seconds = count.checked_mul(seconds).filter(|seconds| *seconds > 0).ok_or_else(wrong)?;
    Ok(Some(Duration::from_secs(seconds)))
}

/// Whether `name` is meant by `pattern`: the same, or with the same beginning where the pattern ends in `*`.
pub(super) fn meant(pattern: &str, name: &str) -> bool {
    pattern.strip_suffix('*').map_or(pattern == name, |beginning| name.starts_with(beginning))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn networks_are_read_and_their_slips_told() {
        for (text, shown) in [
            ("10.0.4.0/24", "10.0.4.0/24"),
            ("10.0.4.12", "10.0.4.12/32"),
            ("0.0.0.0/0", "0.0.0.0/0"),
            ("2001:db8::/32", "2001:db8::/32"),
            ("::/0", "::/0"),
            ("::1", "::1/128"),
        ] {
            assert_eq!(Network::parse(text).unwrap().to_string(), shown);
        }
        for bad in ["10.0.4.1/24", "10.0.4.0/33", "::1/64", "web", "10.0.4.0/x", "1.2.3.4/0", "::1/0"] {
            assert!(Network::parse(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn ports_are_read_and_said_as_filters_say_them() {
        assert_eq!(Ports::parse("5432").unwrap().words(), "port 5432");
        assert_eq!(Ports::parse("8000-8100").unwrap().words(), "portrange 8000-8100");
        for bad in ["", "x", "8100-8000", "70000", "1-2-3"] {
            assert!(Ports::parse(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn a_star_at_the_end_stands_for_the_rest() {
        assert!(meant("eth0", "eth0") && meant("eth*", "eth0") && meant("*", "lo"));
        assert!(!meant("eth0", "eth01") && !meant("e*h", "eth"));
    }
}
