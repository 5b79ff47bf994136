//! The receipt id: the viewer's only handle, known to nobody but the viewer.

use super::StoreError;
use sha2::{Digest, Sha256};
use std::fmt;

/// 160 bits from the system's randomness as 32 letters and digits (RFC 4648 base 32, small letters). The store keeps
/// its [digest](Self::digest) alone. `Debug` does not print it.
#[derive(Clone, PartialEq, Eq)]
pub struct ReceiptId(String);

const ALPHABET: &[u8; 32] = b"abcdefghijklmnopqrstuvwxyz234567";
const BYTES: usize = 20;
const LETTERS: usize = 32;

impl ReceiptId {
    pub(super) fn random() -> Result<Self, StoreError> {
        let mut bytes = [0_u8; BYTES];
        getrandom::fill(&mut bytes).map_err(StoreError::Randomness)?;
        Ok(Self(base32(&bytes)))
    }

    /// Takes what a person typed: capitals, spaces and dashes do not matter. `None` if it cannot be a receipt.
    pub fn parse(text: &str) -> Option<Self> {
        let id: String = text
            .chars()
            .filter(|c| !c.is_whitespace() && *c != '-')
            .map(|c| c.to_ascii_lowercase())
            .take(LETTERS + 1)
            .collect();
        let known = |c: u8| ALPHABET.contains(&c);
        (id.len() == LETTERS && id.bytes().all(known)).then_some(Self(id))
    }

    /// The id itself, to be given to the viewer and to nobody else.
    pub fn reveal(&self) -> &str {
        &self.0
    }

    /// SHA-256 of the id as 64 hexadecimal digits: what is stored, stamped and logged in its place.
    pub fn digest(&self) -> String {
        Sha256::digest(self.0.as_bytes()).iter().map(|byte| format!("{byte:02x}")).collect()
    }
}

impl fmt::Debug for ReceiptId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("ReceiptId(…)")
    }
}

fn base32(bytes: &[u8; BYTES]) -> String {
    let mut text = String::with_capacity(LETTERS);
    // Five bytes are eight letters, so nothing is left over.
    for group in bytes.chunks_exact(5) {
        let bits = group.iter().fold(0_u64, |bits, byte| (bits << 8) | u64::from(*byte));
        for letter in (0..8).rev() {
            text.push(char::from(ALPHABET[(bits >> (5 * letter)) as usize & 31]));
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn base32_is_that_of_rfc_4648() {
        assert_eq!(base32(b"foobarfoobarfoobarfo"), "mzxw6ytbojtg633cmfzgm33pmjqxeztp");
    }

    #[test]
    fn receipts_differ_and_come_back_however_they_are_typed() {
        let (one, two) = (ReceiptId::random().unwrap(), ReceiptId::random().unwrap());
        assert_ne!(one, two);
        let typed = format!(" {}-{} ", one.reveal()[..16].to_uppercase(), &one.reveal()[16..]);
        assert_eq!(ReceiptId::parse(&typed), Some(one.clone()));
        assert_eq!(one.digest().len(), 64);
        assert!(!format!("{one:?}").contains(one.reveal()));
    }

    #[test]
    fn what_cannot_be_a_receipt_is_none() {
        for text in ["", "abc", &"a".repeat(33), &"1".repeat(32), &"ä".repeat(16), &"x".repeat(1 << 20)] {
            assert_eq!(ReceiptId::parse(text), None);
        }
    }
}
