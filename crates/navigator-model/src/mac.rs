//! An Ethernet address, written the way Neutron writes it: lower case, colons.

use std::{fmt, str::FromStr};

use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct MacAddress(pub [u8; 6]);

#[derive(Debug, thiserror::Error)]
#[error("'{0}' is not a valid MAC address")]
pub struct InvalidMac(String);

impl fmt::Display for MacAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let [a, b, c, d, e, g] = self.0;
        write!(f, "{a:02x}:{b:02x}:{c:02x}:{d:02x}:{e:02x}:{g:02x}")
    }
}

impl fmt::Debug for MacAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl FromStr for MacAddress {
    type Err = InvalidMac;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let invalid = || InvalidMac(text.to_owned());
        let mut bytes = [0; 6];
        let mut parts = text.split([':', '-']);
        for byte in &mut bytes {
            let part = parts.next().filter(|p| is_byte(p)).ok_or_else(invalid)?;
            *byte = u8::from_str_radix(part, 16).map_err(|_| invalid())?;
        }
        if parts.next().is_some() { Err(invalid()) } else { Ok(Self(bytes)) }
    }
}

/// Two digits: a number's parser alone would take a sign too.
fn is_byte(part: &str) -> bool {
    part.len() == 2 && part.bytes().all(|digit| digit.is_ascii_hexdigit())
}

impl Serialize for MacAddress {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for MacAddress {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        text.parse().map_err(de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::MacAddress;

    #[test]
    fn an_address_is_six_pairs_of_hexadecimal_digits() {
        for text in ["fa:16:3e:00:00:01", "FA-16-3E-00-00-01"] {
            assert_eq!(text.parse::<MacAddress>().unwrap().to_string(), "fa:16:3e:00:00:01");
        }
        for text in [
            "",
            "fa:16:3e:00:00",
            "fa:16:3e:00:00:01:02",
            "fa:16:3e:00:00:+f",
            "-1:16:3e:00:00:01",
            "fa:16:3e:00:00: 1",
            "fa:16:3e:00:00:1",
            "fa:16:3e:00:00:001",
            "fa:16:3e:00:00:0g",
            "fa:16:3e:00:00:é",
            "fa163e000001",
        ] {
            assert!(text.parse::<MacAddress>().is_err(), "{text:?}");
        }
    }
}
