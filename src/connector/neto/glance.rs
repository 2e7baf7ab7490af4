//! A look at a record that is not parsed.

use memchr::memmem;

/// The key of the product that a record seems to be about: the first `InventoryID` in it, wherever it stands. Good enough to look
/// up what is held under it and to compare, and for nothing else.
#[must_use]
pub fn likely_id(record: &str) -> Option<i64> {
    const NAME: &[u8] = b"\"InventoryID\"";
    let record = record.as_bytes();
    let behind = &record[memmem::find(record, NAME)? + NAME.len()..];
    let value = behind.trim_ascii_start().strip_prefix(b":")?.trim_ascii_start();
    let value = value.strip_prefix(b"\"").unwrap_or(value);
    let digits = value.iter().take_while(|byte| byte.is_ascii_digit()).count();
    std::str::from_utf8(&value[..digits]).ok()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_key_counts_however_it_is_written() {
        for (record, id) in [
            (r#"{"InventoryID":"12","SKU":"a"}"#, Some(12)),
            (r#"{"VariantInventoryIDs":[{"VariantInventoryID":"7"}], "InventoryID" : 13}"#, Some(13)),
            (r#"{"SKU":"InventoryID"}"#, None),
            (r#"{"InventoryID":"99999999999999999999"}"#, None),
            (r#"{"InventoryID":null}"#, None),
            (r#"{"InventoryID""#, None),
        ] {
            assert_eq!(likely_id(record), id, "{record}");
        }
    }
}
