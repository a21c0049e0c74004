//! What is a universally unique identifier?
//!
//! 128 bits, printed as 32 hexadecimal digits in groups of 8, 4, 4, 4 and 12. Its lane's number is these bits with the
//! first one turned over, so that numbers are ordered as identifiers are: byte by byte.
//!
//! Not here: making one at random (`func::random`).

use std::fmt;

/// A UUID: its bits, the first byte highest.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Uuid(pub u128);

const FIRST: u128 = 1 << 127;

impl Uuid {
    /// The lane's number.
    pub const fn lane(self) -> i128 {
        (self.0 ^ FIRST) as i128
    }

    /// The identifier of a lane's number.
    pub const fn from_lane(number: i128) -> Uuid {
        Uuid(number as u128 ^ FIRST)
    }

    /// As PostgreSQL reads it: 32 hexadecimal digits in any case, a hyphen or none after each group of four, braces
    /// around them or none.
    pub fn parse(text: &str) -> Option<Uuid> {
        let text = match text.strip_prefix('{') {
            Some(rest) => rest.strip_suffix('}')?,
            None => text,
        };
        let (mut bits, mut digits, mut after_hyphen) = (0u128, 0, true);
        for byte in text.bytes() {
            if byte == b'-' {
                if digits % 4 != 0 || digits == 0 || digits == 32 || after_hyphen {
                    return None;
                }
                after_hyphen = true;
                continue;
            }
            let digit = (byte as char).to_digit(16)?;
            if digits == 32 {
                return None;
            }
            bits = bits << 4 | u128::from(digit);
            digits += 1;
            after_hyphen = false;
        }
        (digits == 32 && !after_hyphen).then_some(Uuid(bits))
    }
}

impl fmt::Display for Uuid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let part = |shift: u32, bits: u32| (self.0 >> shift) & ((1 << bits) - 1);
        let (a, b, c, d, e) = (part(96, 32), part(80, 16), part(64, 16), part(48, 16), part(0, 48));
        write!(f, "{a:08x}-{b:04x}-{c:04x}-{d:04x}-{e:012x}")
    }
}

/// The text is no UUID.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("\"{text}\" is no uuid")]
pub struct InvalidUuid {
    /// The text.
    pub text: String,
}

impl std::str::FromStr for Uuid {
    type Err = InvalidUuid;

    fn from_str(text: &str) -> Result<Uuid, InvalidUuid> {
        Uuid::parse(text).ok_or_else(|| InvalidUuid { text: text.to_owned() })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn forms_that_postgresql_reads() {
        let printed = "a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11";
        let forms = [
            printed,
            "A0EEBC99-9C0B-4EF8-BB6D-6BB9BD380A11",
            "{a0eebc99-9c0b4ef8-bb6d6bb9-bd380a11}",
            "a0eebc999c0b4ef8bb6d6bb9bd380a11",
            "a0ee-bc99-9c0b-4ef8-bb6d-6bb9-bd38-0a11",
        ];
        for form in forms {
            assert_eq!(Uuid::parse(form).map(|uuid| uuid.to_string()).as_deref(), Some(printed), "{form}");
        }
        for form in ["", "a0", "{a0eebc999c0b4ef8bb6d6bb9bd380a11", "a-0eebc999c0b4ef8bb6d6bb9bd380a11", &printed[1..]]
        {
            assert_eq!(Uuid::parse(form), None, "{form}");
        }
    }

    #[test]
    fn lanes_are_ordered_as_identifiers_are() {
        let ids = [Uuid(0), Uuid(1), Uuid(FIRST - 1), Uuid(FIRST), Uuid(u128::MAX)];
        assert!(ids.windows(2).all(|pair| pair[0].lane() < pair[1].lane()));
        assert!(ids.iter().all(|id| Uuid::from_lane(id.lane()) == *id));
    }
}
