//! Values packed one behind the other into one piece of memory, on their way to the thread that writes them.

use rusqlite::types::ValueRef;

const NULL: u8 = 0;
const INT: u8 = 1;
const REAL: u8 = 2;
const TEXT: u8 = 3;
const BLOB: u8 = 4;

/// Packed values.
#[derive(Debug, Default)]
pub struct Pack(Vec<u8>);

impl Pack {
    /// Room for so many bytes.
    pub fn with_capacity(bytes: usize) -> Self {
        Self(Vec::with_capacity(bytes))
    }

    /// Bytes so far.
    pub fn len(&self) -> usize {
        self.0.len()
    }

    pub fn null(&mut self) {
        self.0.push(NULL);
    }

    pub fn int(&mut self, number: i64) {
        self.0.push(INT);
        self.0.extend_from_slice(&number.to_ne_bytes());
    }

    pub fn real(&mut self, number: f64) {
        self.0.push(REAL);
        self.0.extend_from_slice(&number.to_ne_bytes());
    }

    pub fn text(&mut self, text: &str) {
        self.0.push(TEXT);
        self.sized(text.as_bytes());
    }

    pub fn blob(&mut self, bytes: &[u8]) {
        self.0.push(BLOB);
        self.sized(bytes);
    }

    fn sized(&mut self, bytes: &[u8]) {
        self.0.extend_from_slice(&bytes.len().to_ne_bytes());
        self.0.extend_from_slice(bytes);
    }

    /// The values, in the order they were packed.
    pub fn values(&self) -> Values<'_> {
        Values(&self.0)
    }
}

/// See [`Pack::values`].
#[derive(Debug)]
pub struct Values<'p>(&'p [u8]);

impl<'p> Values<'p> {
    fn take(&mut self, bytes: usize) -> &'p [u8] {
        let (taken, rest) = self.0.split_at(bytes);
        self.0 = rest;
        taken
    }

    fn eight(&mut self) -> [u8; 8] {
        self.take(8).try_into().expect("eight bytes were taken")
    }

    fn sized(&mut self) -> &'p [u8] {
        let bytes = usize::from_ne_bytes(self.eight());
        self.take(bytes)
    }
}

impl<'p> Iterator for Values<'p> {
    type Item = ValueRef<'p>;

    fn next(&mut self) -> Option<ValueRef<'p>> {
        let (kind, rest) = self.0.split_first()?;
        self.0 = rest;
        Some(match *kind {
            NULL => ValueRef::Null,
            INT => ValueRef::Integer(i64::from_ne_bytes(self.eight())),
            REAL => ValueRef::Real(f64::from_ne_bytes(self.eight())),
            TEXT => ValueRef::Text(self.sized()),
            BLOB => ValueRef::Blob(self.sized()),
            other => unreachable!("nothing of kind {other} is packed"),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_packed_comes_out_as_it_went_in() {
        let mut pack = Pack::default();
        pack.text("päck");
        pack.null();
        pack.int(i64::MIN);
        pack.text("");
        pack.real(0.1);
        pack.blob(&[0, 255]);
        let values: Vec<_> = pack.values().collect();
        let expected = [
            ValueRef::Text("päck".as_bytes()),
            ValueRef::Null,
            ValueRef::Integer(i64::MIN),
            ValueRef::Text(b""),
            ValueRef::Real(0.1),
            ValueRef::Blob(&[0, 255]),
        ];
        assert_eq!(values, expected);
    }
}
