//! The envelopes around rows: JSON as documented or with the oddities of spec §4.4 and §5, and XML.

use std::fmt::Write as _;

use bytes::Bytes;
use chrono::{DateTime, Utc};
use serde_json::json;

use super::spelling::{Spelling, push, wire_time};

/// A page of rendered rows. `missing` names products that were asked for and are not there.
pub(super) fn page(rows: &[Bytes], missing: &[String], now: DateTime<Utc>, spelling: Spelling) -> Bytes {
    let mut out = Vec::with_capacity(rows.iter().map(|row| row.len() + 1).sum::<usize>() + 256);
    let wrapped = spelling.pick("wrapped", 16) == 1;
    push(&mut out, if wrapped { "{\"GetItemResponse\":{" } else { "{" });
    match (rows, spelling.pick("rows", 4)) {
        ([], 1) => push(&mut out, "\"Item\":\"\","),
        ([], 2) => {}
        ([row], 1) => {
            push(&mut out, "\"Item\":");
            out.extend_from_slice(row);
            push(&mut out, ",");
        }
        _ => {
            push(&mut out, "\"Item\":[");
            let again = rows.first().filter(|_| rows.len() > 1 && spelling.pick("duplicate", 5) == 1);
            for (place, row) in rows.iter().chain(again).enumerate() {
                if place > 0 {
                    out.push(b',');
                }
                out.extend_from_slice(row);
            }
            push(&mut out, "],");
        }
    }
    push(&mut out, &format!("\"CurrentTime\":\"{}\",", wire_time(now)));
    let ack = match (missing, spelling.pick("ack", 6)) {
        ([], 1) => "\"Ack\":\"success\"".to_owned(),
        ([], 2) => "\"Ack\":\"Success\",\"Messages\":\"\"".to_owned(),
        ([], 3) => "\"Ack\":\"Success\",\"Messages\":[]".to_owned(),
        ([_, ..], 1 | 2) => format!("\"Ack\":\"Warning\",\"Messages\":{}", json!({"Warning": warnings(missing)})),
        _ => "\"Ack\":\"Success\"".to_owned(),
    };
    push(&mut out, &ack);
    push(&mut out, if wrapped { "}}" } else { "}" });
    out.into()
}

fn warnings(missing: &[String]) -> Vec<serde_json::Value> {
    missing
        .iter()
        .map(|name| json!({"Message": format!("Cannot find Item {name}"), "SeverityCode": "Warning"}))
        .collect()
}

/// `Ack: Error`: one message as an object, several as the list of a list that some hosts send.
pub(super) fn error(messages: &[String], now: DateTime<Utc>) -> Bytes {
    let one = |message: &String| json!({"Message": message, "SeverityCode": "Error", "Description": ""});
    let messages = match messages {
        [message] => json!({"Error": one(message)}),
        several => json!([{"Error": several.iter().map(one).collect::<Vec<_>>()}]),
    };
    json!({"CurrentTime": wire_time(now), "Ack": "Error", "Messages": messages}).to_string().into()
}

/// What a client gets that did not ask for JSON: the keys of the page, as XML.
pub(super) fn xml(rows: &[(i64, String)], now: DateTime<Utc>) -> Bytes {
    let mut out = String::from("<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<GetItemResponse>");
    for (id, sku) in rows {
        let sku = sku.replace('&', "&amp;").replace('<', "&lt;");
        write!(out, "<Item><SKU>{sku}</SKU><InventoryID>{id}</InventoryID></Item>")
            .expect("a String takes every write");
    }
    write!(out, "<CurrentTime>{}</CurrentTime><Ack>Success</Ack></GetItemResponse>", wire_time(now))
        .expect("a String takes every write");
    out.into()
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use serde_json::Value;

    use super::*;

    fn now() -> DateTime<Utc> {
        "2026-04-03T02:09:12Z".parse().unwrap()
    }

    #[test]
    fn a_documented_page_is_as_in_the_samples() {
        let rows = [Bytes::from_static(b"{\"SKU\":\"A\"}"), Bytes::from_static(b"{\"SKU\":\"B\"}")];
        let page = page(&rows, &[], now(), Spelling::DOCUMENTED);
        assert_eq!(
            page,
            "{\"Item\":[{\"SKU\":\"A\"},{\"SKU\":\"B\"}],\"CurrentTime\":\"2026-04-03 02:09:12\",\"Ack\":\"Success\"}"
        );
    }

    #[test]
    fn an_empty_hostile_page_takes_all_three_forms_and_stays_json() {
        let forms: BTreeSet<String> = (0..100)
            .map(|seed| {
                let page: Value =
                    serde_json::from_slice(&page(&[], &["HF-1".into()], now(), Spelling::quirky(seed))).unwrap();
                let page = page.get("GetItemResponse").unwrap_or(&page);
                page.get("Item").map_or("absent".into(), Value::to_string)
            })
            .collect();
        assert_eq!(forms.into_iter().collect::<Vec<_>>(), ["\"\"", "[]", "absent"]);
    }

    #[test]
    fn one_error_is_an_object_and_several_are_a_list() {
        let one: Value = serde_json::from_slice(&error(&["Invalid API Key".into()], now())).unwrap();
        assert_eq!(one["Messages"]["Error"]["Message"], "Invalid API Key");
        let two: Value = serde_json::from_slice(&error(&["A".into(), "B".into()], now())).unwrap();
        assert_eq!(two["Messages"][0]["Error"][1]["Message"], "B");
    }
}
