//! Clean values: what a simulated product *is*, before any spelling of the wire is put on it.

use chrono::{DateTime, NaiveDate, NaiveDateTime, Utc};

/// One clean value of a product or of a member of one of its lists.
///
/// These types are the simulator's own on purpose: the truth that a test compares with must not come out of
/// the code that is being tested.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SimValue {
    /// Nothing; on the wire an empty string, a zero date, `null` or no key at all.
    None,
    /// Text exactly as the merchant typed it, HTML entities included.
    Text(String),
    /// Whole number.
    Int(i64),
    /// Exact decimal, as digits; never a float.
    Decimal(String),
    /// Truth value.
    Bool(bool),
    /// Instant in UTC, whole seconds.
    Time(DateTime<Utc>),
    /// Wall-clock time of the store.
    LocalTime(NaiveDateTime),
    /// Calendar date.
    Date(NaiveDate),
}

impl SimValue {
    /// Text, from anything that is text.
    #[must_use]
    pub fn text(text: impl Into<String>) -> Self {
        Self::Text(text.into())
    }

    /// An amount of money given in cents.
    #[must_use]
    pub fn cents(cents: i64) -> Self {
        Self::Decimal(scaled(cents, 2))
    }

    /// A measure given in thousandths.
    #[must_use]
    pub fn thousandths(thousandths: i64) -> Self {
        Self::Decimal(scaled(thousandths, 3))
    }

    /// The text, if it is text.
    #[must_use]
    pub fn as_text(&self) -> Option<&str> {
        match self {
            Self::Text(text) => Some(text),
            _ => None,
        }
    }

    /// The whole number, if it is one.
    #[must_use]
    pub fn as_int(&self) -> Option<i64> {
        match self {
            Self::Int(number) => Some(*number),
            _ => None,
        }
    }
}

fn scaled(units: i64, scale: u32) -> String {
    let one = 10_u64.pow(scale);
    let sign = if units < 0 { "-" } else { "" };
    let units = units.unsigned_abs();
    format!("{sign}{}.{:0width$}", units / one, units % one, width = scale as usize)
}

/// One element of a list of a product: an image, a category, a price group, …
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Member {
    /// The documented members, by API name.
    pub fields: Vec<(&'static str, SimValue)>,
    /// Quantity bands; only price groups have them.
    pub bands: Vec<Member>,
    /// Members no documentation knows, sent exactly like this. Only with quirks.
    pub unknown: Vec<(&'static str, serde_json::Value)>,
}

impl Member {
    /// A member of the given fields.
    #[must_use]
    pub fn new(fields: Vec<(&'static str, SimValue)>) -> Self {
        Self { fields, ..Self::default() }
    }

    /// The value of a field; [`SimValue::None`] when the member does not have it.
    #[must_use]
    pub fn get(&self, name: &str) -> &SimValue {
        self.fields.iter().find(|(field, _)| *field == name).map_or(&SimValue::None, |(_, value)| value)
    }

    /// Sets a field, adding it when it is not there.
    pub fn set(&mut self, name: &'static str, value: SimValue) {
        match self.fields.iter_mut().find(|(field, _)| *field == name) {
            Some((_, old)) => *old = value,
            None => self.fields.push((name, value)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cents_keep_their_sign_and_leading_zeros() {
        assert_eq!(SimValue::cents(-5), SimValue::Decimal("-0.05".into()));
        assert_eq!(SimValue::cents(123_450), SimValue::Decimal("1234.50".into()));
    }
}
