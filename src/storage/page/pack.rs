//! Cells packed one behind the other, on their way to the database: apart from the product they come from, and in no more memory than
//! they need, because whole groups of pages wait for their turn this way.

use chrono::{DateTime, NaiveDate, NaiveDateTime};
use rust_decimal::Decimal;

use super::rows::Cell;

const NULL: u8 = 0;
const TEXT: u8 = 1;
const INT: u8 = 2;
const DECIMAL: u8 = 3;
const FALSE: u8 = 4;
const TRUE: u8 = 5;
const TIME: u8 = 6;
const LOCAL_TIME: u8 = 7;
const DATE: u8 = 8;
const BYTES: u8 = 9;
const NUMBERED: u8 = 10;

/// Packed cells.
#[derive(Debug, Default)]
pub struct Pack {
    /// What kind each cell is of and, but for texts, its value.
    cells: Vec<u8>,
    /// All texts, one behind the other.
    texts: String,
}

impl Pack {
    /// With room for as much as another has, and a little more.
    pub fn with_room_of(other: &Self) -> Self {
        let room = |bytes: usize| bytes + bytes / 8;
        let (cells, texts) = (room(other.cells.len()), room(other.texts.len()));
        Self { cells: Vec::with_capacity(cells), texts: String::with_capacity(texts) }
    }

    /// Bytes so far.
    pub fn len(&self) -> usize {
        self.cells.len() + self.texts.len()
    }

    /// Adds a cell.
    pub fn push(&mut self, cell: Cell<'_>) {
        match cell {
            Cell::Null => self.cells.push(NULL),
            Cell::Text(text) => {
                self.kind(TEXT, text.len().to_ne_bytes());
                self.texts.push_str(text);
            }
            Cell::Int(number) => self.kind(INT, number.to_ne_bytes()),
            Cell::Decimal(number) => self.kind(DECIMAL, number.serialize()),
            Cell::Bool(truth) => self.cells.push(if truth { TRUE } else { FALSE }),
            Cell::Time(time) => self.time(TIME, time.naive_utc()),
            Cell::LocalTime(time) => self.time(LOCAL_TIME, time),
            Cell::Date(date) => self.kind(DATE, chrono::Datelike::num_days_from_ce(&date).to_ne_bytes()),
            Cell::Bytes(bytes) => {
                self.kind(BYTES, bytes.len().to_ne_bytes());
                self.cells.extend_from_slice(bytes);
            }
            Cell::Numbered(behind) => self.kind(NUMBERED, behind.to_ne_bytes()),
        }
    }

    fn kind<const N: usize>(&mut self, kind: u8, value: [u8; N]) {
        self.cells.push(kind);
        self.cells.extend_from_slice(&value);
    }

    fn time(&mut self, kind: u8, time: NaiveDateTime) {
        let time = time.and_utc();
        self.kind(kind, time.timestamp().to_ne_bytes());
        self.cells.extend_from_slice(&time.timestamp_subsec_nanos().to_ne_bytes());
    }

    /// The cells, in the order they were added.
    pub fn cells(&self) -> Cells<'_> {
        Cells { cells: &self.cells, texts: &self.texts }
    }
}

/// See [`Pack::cells`].
#[derive(Debug)]
pub struct Cells<'p> {
    cells: &'p [u8],
    texts: &'p str,
}

impl<'p> Cells<'p> {
    fn bytes(&mut self, bytes: usize) -> &'p [u8] {
        let (taken, rest) = self.cells.split_at(bytes);
        self.cells = rest;
        taken
    }

    fn value<const N: usize>(&mut self) -> [u8; N] {
        self.bytes(N).try_into().expect("as many bytes were taken")
    }

    fn time(&mut self) -> NaiveDateTime {
        let (seconds, nanos) = (i64::from_ne_bytes(self.value()), u32::from_ne_bytes(self.value()));
        DateTime::from_timestamp(seconds, nanos).expect("a time was packed").naive_utc()
    }
}

impl<'p> Iterator for Cells<'p> {
    type Item = Cell<'p>;

    fn next(&mut self) -> Option<Cell<'p>> {
        let (kind, rest) = self.cells.split_first()?;
        self.cells = rest;
        Some(match *kind {
            NULL => Cell::Null,
            TEXT => {
                let (text, rest) = self.texts.split_at(usize::from_ne_bytes(self.value()));
                self.texts = rest;
                Cell::Text(text)
            }
            INT => Cell::Int(i64::from_ne_bytes(self.value())),
            DECIMAL => Cell::Decimal(Decimal::deserialize(self.value())),
            FALSE => Cell::Bool(false),
            TRUE => Cell::Bool(true),
            TIME => Cell::Time(self.time().and_utc()),
            LOCAL_TIME => Cell::LocalTime(self.time()),
            DATE => {
                let date = NaiveDate::from_num_days_from_ce_opt(i32::from_ne_bytes(self.value()));
                Cell::Date(date.expect("a date was packed"))
            }
            BYTES => {
                let bytes = usize::from_ne_bytes(self.value());
                Cell::Bytes(self.bytes(bytes))
            }
            NUMBERED => Cell::Numbered(i64::from_ne_bytes(self.value())),
            other => unreachable!("nothing of kind {other} is packed"),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_packed_comes_out_as_it_went_in() {
        let time = DateTime::from_timestamp(-1, 999_999_999).expect("a time");
        let cells = [
            Cell::Text("päck"),
            Cell::Null,
            Cell::Int(i64::MIN),
            Cell::Text(""),
            Cell::Decimal("-0.10".parse().expect("a decimal")),
            Cell::Decimal(Decimal::MAX),
            Cell::Bool(true),
            Cell::Bool(false),
            Cell::Bytes(&[0, 255]),
            Cell::Time(time),
            Cell::LocalTime(NaiveDateTime::MIN),
            Cell::LocalTime(NaiveDateTime::MAX),
            Cell::Date(NaiveDate::MIN),
            Cell::Date(NaiveDate::MAX),
            Cell::Numbered(7),
            Cell::Text("日"),
        ];
        let mut pack = Pack::default();
        for cell in cells {
            pack.push(cell);
        }
        let came_out: Vec<_> = pack.cells().collect();
        assert_eq!(format!("{came_out:?}"), format!("{cells:?}"));
        assert_eq!(came_out, cells);
        let mut like = Pack::with_room_of(&pack);
        assert_eq!((like.len(), like.cells().count()), (0, 0));
        like.push(Cell::Int(1));
        assert_eq!(like.cells().collect::<Vec<_>>(), [Cell::Int(1)]);
    }
}
