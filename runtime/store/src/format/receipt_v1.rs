//! Which bytes say that facts were erased?
//!
//! The payload of a record of kind 3: which table, how many keys, how many facts. Nothing of what was erased: the leaves stand
//! in the records that stated the facts (`log_v1`).
//!
//! Not here: erasing (`erase`).

use super::bytes::{Put, Read, Reader};
use crate::replay::Receipt;
use spectradb_kernel::schema::TableId;

/// The payload.
pub(crate) fn encode_receipt(receipt: &Receipt) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(20);
    bytes.put_u32(receipt.table.0);
    bytes.put_u64(receipt.keys);
    bytes.put_u64(receipt.facts);
    bytes
}

/// What a payload says.
pub(crate) fn decode_receipt(payload: &[u8]) -> Read<Receipt> {
    let mut reader = Reader::new(payload);
    let receipt = Receipt { table: TableId(reader.u32()?), keys: reader.u64()?, facts: reader.u64()? };
    reader.check(reader.is_at_end(), "something follows a receipt")?;
    Ok(receipt)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_receipt_is_read_as_it_was_written() {
        let receipt = Receipt { table: TableId(7), keys: 2, facts: 300 };
        let bytes = encode_receipt(&receipt);
        assert_eq!(decode_receipt(&bytes), Ok(receipt));
        assert!((0..bytes.len()).all(|len| decode_receipt(&bytes[..len]).is_err()));
    }
}
