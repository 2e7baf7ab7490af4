//! The tables as sea-orm sees them, one file a table. Used by `storage` only; these types do not leave it.
//!
//! Pages of products are written by set-based statements made from [`crate::domain::catalogue`], not through these
//! entities; a test holds catalogue, entities and the migrated tables together.

pub mod consumers;
pub mod credentials;
pub mod cursors;
pub mod findings;
pub mod held_removals;
pub mod incidents;
pub mod instances;
pub mod numeric;
pub mod oauth_states;
pub mod product_categories;
pub mod product_change_lines;
pub mod product_images;
pub mod product_kit_components;
pub mod product_price_bands;
pub mod product_price_groups;
pub mod product_relations;
pub mod product_sales_channels;
pub mod product_specifics;
pub mod product_stock;
pub mod product_texts;
pub mod products;
pub mod quarantine;
pub mod record_changes;
pub mod records;
pub mod runs;
pub mod stores;

#[cfg(test)]
mod tests {
    use sea_orm::{ColumnTrait, EntityTrait, IdenStatic, Iterable, PrimaryKeyToColumn, PrimaryKeyTrait};

    use crate::domain::catalogue::Kind;
    use crate::storage::dictionary::{self, ColumnKind};

    /// Name, key columns and columns of an entity, in its order.
    type Shape = (String, Vec<String>, Vec<(String, &'static str)>);

    fn shape<E: EntityTrait>() -> Shape
    where
        E::PrimaryKey: PrimaryKeyTrait + PrimaryKeyToColumn,
    {
        let columns = E::Column::iter().map(|column| (column.as_str().to_owned(), kind(&column))).collect();
        let key = E::PrimaryKey::iter().map(|key| key.into_column().as_str().to_owned()).collect();
        (E::default().table_name().to_owned(), key, columns)
    }

    fn kind(column: &impl ColumnTrait) -> &'static str {
        use sea_orm::ColumnType as Type;
        match column.def().get_column_type() {
            Type::String(_) => "text",
            Type::BigInteger | Type::Integer => "integer",
            Type::Custom(name) if name.to_string() == "numeric" => "decimal",
            Type::Boolean => "boolean",
            Type::TimestampWithTimeZone => "time (UTC)",
            Type::DateTime => "time (local)",
            Type::Date => "date",
            Type::Json => "JSON",
            Type::VarBinary(_) | Type::Blob => "bytes",
            other => panic!("{}: unexpected {other:?}", column.as_str()),
        }
    }

    #[test]
    fn the_entities_have_the_columns_of_the_dictionary() {
        let mut entities = vec![
            shape::<super::stores::Entity>(),
            shape::<super::products::Entity>(),
            shape::<super::product_texts::Entity>(),
            shape::<super::product_images::Entity>(),
            shape::<super::product_categories::Entity>(),
            shape::<super::product_price_groups::Entity>(),
            shape::<super::product_price_bands::Entity>(),
            shape::<super::product_stock::Entity>(),
            shape::<super::product_specifics::Entity>(),
            shape::<super::product_kit_components::Entity>(),
            shape::<super::product_relations::Entity>(),
            shape::<super::product_sales_channels::Entity>(),
            shape::<super::product_change_lines::Entity>(),
            shape::<super::consumers::Entity>(),
            shape::<super::runs::Entity>(),
            shape::<super::instances::Entity>(),
            shape::<super::findings::Entity>(),
            shape::<super::held_removals::Entity>(),
            shape::<super::cursors::Entity>(),
            shape::<super::quarantine::Entity>(),
            shape::<super::records::Entity>(),
            shape::<super::record_changes::Entity>(),
            shape::<super::credentials::Entity>(),
            shape::<super::oauth_states::Entity>(),
            shape::<super::incidents::Entity>(),
        ]
        .into_iter();
        for table in dictionary::tables() {
            if table.view || table.name == migration::HISTORY_TABLE {
                continue;
            }
            let (name, key, columns) = entities.next().expect("an entity for every table");
            let documented: Vec<_> = table.columns.iter().map(|c| (c.name.to_owned(), c.kind.to_string())).collect();
            let columns: Vec<_> = columns.into_iter().map(|(name, kind)| (name, kind.to_owned())).collect();
            assert_eq!((name.as_str(), key, columns), (table.name, own(&table.key), documented));
        }
        assert!(entities.next().is_none());
        assert_eq!(ColumnKind::Of(Kind::Decimal).to_string(), "decimal");
    }

    fn own(names: &[&str]) -> Vec<String> {
        names.iter().map(|name| (*name).to_owned()).collect()
    }
}
