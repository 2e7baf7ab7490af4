//! A line of the change feed for people who read a terminal.

use serde_json::Value as Json;

use super::text::one_line;
use crate::storage::changes::{ChangeLine, Subject};

/// The longest value shown whole.
const LONGEST: usize = 40;

/// A line of the change feed as `changed  SKU  column old → new, …`; a product that is new by its name.
pub fn change(line: &ChangeLine) -> String {
    let mut what = Vec::new();
    if line.kind == "added" {
        let name = line.fields.as_ref().and_then(|fields| fields["name"][1].as_str());
        what.extend(name.map(one_line));
        return sentence(line, &what);
    }
    for (field, change) in line.fields.as_ref().and_then(Json::as_object).into_iter().flatten() {
        // Every edit moves the dates; they would hide what was edited.
        if !field.starts_with("date_updated") {
            differences(field, &change[0], &change[1], &mut what);
        }
    }
    sentence(line, &what)
}

fn sentence(line: &ChangeLine, what: &[String]) -> String {
    let name = match &line.subject {
        Subject::Product { sku, .. } => one_line(sku.as_deref().unwrap_or("?")),
        Subject::Record { stream, key } => format!("{} {}", one_line(stream), one_line(key)),
    };
    format!("{:<8} {name:<12} {}", line.kind, what.join(", ")).trim_end().to_owned()
}

/// Every value in which `old` and `new` differ; lists of the same length element by element.
fn differences(place: &str, old: &Json, new: &Json, what: &mut Vec<String>) {
    match (old, new) {
        (Json::Array(old), Json::Array(new)) if old.len() == new.len() => {
            for (number, (old, new)) in old.iter().zip(new).enumerate().filter(|(_, (old, new))| old != new) {
                differences(&format!("{place}[{number}]"), old, new, what);
            }
        }
        (Json::Array(old), Json::Array(new)) => what.push(format!("{place} {} → {} rows", old.len(), new.len())),
        (Json::Object(old), Json::Object(new)) => {
            for (name, new) in new.iter().filter(|(name, new)| old.get(*name) != Some(new)) {
                differences(&format!("{place}.{name}"), old.get(name).unwrap_or(&Json::Null), new, what);
            }
        }
        _ => what.push(format!("{place} {} → {}", value(old), value(new))),
    }
}

/// A value, cut where it is long.
pub fn value(value: &Json) -> String {
    let text = match value {
        Json::Null => "nothing".to_owned(),
        Json::String(text) => one_line(text),
        other => other.to_string(),
    };
    if text.chars().count() <= LONGEST {
        return text;
    }
    text.chars().take(LONGEST - 1).chain(['…']).collect()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_change_names_every_column_with_its_old_and_new_value() {
        let line = ChangeLine {
            seq: 1,
            subject: Subject::Product { inventory_id: 7, sku: Some("AB-1".into()) },
            kind: "changed".into(),
            run_id: None,
            at: chrono::DateTime::UNIX_EPOCH,
            fields: Some(json!({
                "date_updated": ["a", "b"],
                "default_price": ["1.50", "2.00"],
                "product_images": [[1, 2], [1]],
                "product_stock": [[{"warehouse_id": 1, "quantity": "5"}], [{"warehouse_id": 1, "quantity": "29"}]],
                "subtitle": [null, "x\u{1b}[31m".to_owned() + &"y".repeat(99)],
            })),
        };
        let subtitle = format!("x [31m{}…", "y".repeat(33));
        assert_eq!(
            change(&line),
            format!(
                "changed  AB-1         default_price 1.50 → 2.00, product_images 2 → 1 rows, \
                 product_stock[0].quantity 5 → 29, subtitle nothing → {subtitle}"
            )
        );
        let added = ChangeLine {
            kind: "added".into(),
            fields: Some(json!({"name": [null, "Kettle"], "rrp": [null, "2"]})),
            ..line
        };
        assert_eq!(change(&added), "added    AB-1         Kettle");
    }
}
