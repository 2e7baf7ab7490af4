//! The light part of a product: what a sweep asks for of every product, and what its differences mean (design §3).
//!
//! The state, the date of the last edit, prices and stock. The date says that there may be more to see; prices and stock move
//! without a new date (spec: Neto API §8), so they are part of it and are taken over as they are.

use std::sync::LazyLock;

use super::catalogue::{CHILDREN, Child, Column, PRODUCT};
use super::product::{Content, ContentHash, Product, Value};

/// Columns whose difference shows that the product was edited, so that all of it has to be asked for.
const SIGNS: [&str; 3] = ["sku", "is_active", "date_updated"];
/// Prices and stock: a difference in them alone is all there is to know.
const AMOUNTS: [&str; 6] =
    ["default_price", "rrp", "cost_price", "promotion_price", "available_sell_quantity", "committed_quantity"];
/// Lists that belong to them.
pub const LISTS: [Child; 3] = [Child::PriceGroups, Child::PriceBands, Child::Stock];

static SIGN_PLACES: LazyLock<Vec<usize>> = LazyLock::new(|| places(&SIGNS));
static AMOUNT_PLACES: LazyLock<Vec<usize>> = LazyLock::new(|| places(&AMOUNTS));
const EXTRA: &str = "extra";

fn places(names: &[&str]) -> Vec<usize> {
    names.iter().map(|name| place(name)).collect()
}

fn place(name: &str) -> usize {
    PRODUCT.iter().position(|column| column.name == name).expect("a column of the catalogue")
}

/// The columns of the light part.
pub fn columns() -> impl Iterator<Item = &'static str> {
    SIGNS.into_iter().chain(AMOUNTS)
}

/// What [`difference`] and [`take_over`] look at of a product that is held, besides its [`LISTS`].
pub static COMPARED: LazyLock<Vec<Column>> = LazyLock::new(|| {
    let of_light = |column: &&Column| column.name == EXTRA || columns().any(|name| name == column.name);
    PRODUCT.iter().filter(of_light).copied().collect()
});

/// Whether these columns and child tables are prices and stock, and no others: they move without a date.
pub fn only_amounts<'n>(fields: impl IntoIterator<Item = &'n String>) -> bool {
    let lists = LISTS.map(|list| CHILDREN[list as usize].name);
    fields.into_iter().all(|field| AMOUNTS.contains(&field.as_str()) || lists.contains(&field.as_str()))
}

/// A product of which only the values of [`COMPARED`] are known.
#[must_use]
pub fn of_compared(inventory_id: i64, values: &[Value<'static>]) -> Product<'static> {
    let mut product = Product::empty(inventory_id);
    for (column, value) in COMPARED.iter().zip(values) {
        product.fields[place(column.name)] = value.clone();
    }
    product
}

/// What a light record says about the product that is held.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Difference {
    /// Prices or stock only: [`take_over`] is all there is to do.
    Amounts,
    /// The product was edited: ask for all of it.
    Edited,
}

/// Hash over the light part.
#[must_use]
pub fn hash(product: &Product<'_>) -> ContentHash {
    let mut content = Content::new();
    for place in SIGN_PLACES.iter().chain(&*AMOUNT_PLACES) {
        content.value(&product.fields[*place]);
    }
    for list in LISTS {
        content.rows(&product.children[list as usize]);
    }
    content.hash()
}

/// Why the light parts of two products with different [`hash`]es differ. An amount that is gone is no amount: a store that leaves
/// it out, or a key that may not see it any more, has to say so again when asked for the product.
#[must_use]
pub fn difference(held: &Product<'_>, light: &Product<'_>) -> Difference {
    let edited = SIGN_PLACES.iter().any(|place| held.fields[*place] != light.fields[*place]);
    // Something did not fit its column, and only the whole record says what belongs beside it.
    let extra = &light.fields[place(EXTRA)];
    let odd = *extra != Value::Null && *extra != held.fields[place(EXTRA)];
    let gone =
        AMOUNT_PLACES.iter().any(|place| light.fields[*place] == Value::Null && held.fields[*place] != Value::Null)
            || LISTS.iter().any(|list| light.children[*list as usize].len() < held.children[*list as usize].len());
    if edited || odd || gone { Difference::Edited } else { Difference::Amounts }
}

/// Puts the light part of a record in the place of what is held.
pub fn take_over<'a>(held: &mut Product<'a>, light: &Product<'a>) {
    for place in SIGN_PLACES.iter().chain(&*AMOUNT_PLACES) {
        held.fields[*place] = light.fields[*place].clone();
    }
    for list in LISTS {
        held.children[list as usize].clone_from(&light.children[list as usize]);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn product(price: i64, edited: i64) -> Product<'static> {
        let mut product = Product::empty(1);
        product.fields[place("default_price")] = Value::Decimal(price.into());
        product.fields[place("date_updated")] = Value::Int(edited);
        product.fields[place("name")] = Value::Text("A name".into());
        product
    }

    #[test]
    fn only_the_light_part_counts() {
        let mut other = product(5, 1);
        other.fields[place("name")] = Value::Text("Another name".into());
        assert_eq!(hash(&product(5, 1)), hash(&other));
        assert_ne!(hash(&product(5, 1)), hash(&product(6, 1)));
        let mut stocked = product(5, 1);
        stocked.children[Child::Stock as usize].push(vec![Value::Int(1), Value::Int(3)]);
        assert_ne!(hash(&product(5, 1)), hash(&stocked));
    }

    #[test]
    fn another_price_is_taken_over_and_another_date_is_not_enough() {
        let mut held = product(5, 1);
        assert_eq!(difference(&held, &product(6, 2)), Difference::Edited);
        assert_eq!(difference(&held, &product(6, 1)), Difference::Amounts);
        let mut light = product(6, 1);
        light.fields[place("name")] = Value::Null;
        take_over(&mut held, &light);
        assert_eq!(held, product(6, 1));
        assert_eq!(difference(&held, &product(6, 1)), Difference::Amounts);
        light.fields[place("default_price")] = Value::Null;
        assert_eq!(difference(&held, &light), Difference::Edited, "a price that is gone");
        light.fields[place(EXTRA)] = Value::Text("{}".into());
        assert_eq!(difference(&held, &light), Difference::Edited);
    }
}
