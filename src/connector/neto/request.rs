//! `GetItem` requests (spec: Neto API §1 to §3).

use chrono::{DateTime, Utc};
use serde::{Serialize, Serializer};
use url::Url;

use super::collection::COLLECTIONS;
use crate::domain::catalogue::{PRODUCT, TEXTS};
use crate::domain::http::Request;
use crate::domain::light;
use crate::domain::store::{Credential, Scheme};

/// Path of the one endpoint, below the store's address.
const ENDPOINT: &str = "do/WS/NetoAPI";

/// Selectors that answers are known to contain, but that the documentation does not list for requests: a store may refuse
/// them, and lacks nothing that was promised then.
const UNDOCUMENTED: &[&str] =
    &["ApprovedForPOS", "ApprovedForMobileStore", "PromotionTag", "RestockQty", "ReorderQty", "RestockWarningLevel"];

/// What a walk asks for. Shrinks when a store refuses a part of it.
#[derive(Clone, Debug)]
pub struct Shape {
    selectors: Vec<String>,
    /// What the store has refused, by name: selectors, and `ORDER`.
    pub given_up: Vec<String>,
}

/// The name of the order among the parts that can be given up.
const ORDER: &str = "OrderBy";
/// What is always asked for.
const ESSENTIAL: &str = "ID";

impl Shape {
    /// Every field that has a place in the tables, in the order of their IDs, but for what was `given_up` before.
    #[must_use]
    pub fn full_without(given_up: &[String]) -> Self {
        Self::full().without(given_up)
    }

    /// Every field that has a place in the tables, in the order of their IDs.
    #[must_use]
    pub fn full() -> Self {
        let columns = PRODUCT.iter().chain(TEXTS).flat_map(|column| column.api).copied();
        let lists = COLLECTIONS.iter().map(|collection| collection.field);
        let rest = [
            "ID",
            "PriceGroups.MultilevelBands",
            "WarehouseLocations",
            "eBayItems",
            "eBayActiveItems",
            "eBayProductIDs",
        ];
        let named = columns.chain(lists).chain(rest).filter(|name| *name != "DateCreated").map(str::to_owned);
        let misc = (1..=52).map(|number| format!("Misc{number:02}"));
        Self { selectors: named.chain(misc).collect(), given_up: Vec::new() }
    }

    /// The light part, but for what was `given_up` before.
    #[must_use]
    pub fn light_without(given_up: &[String]) -> Self {
        Self::light().without(given_up)
    }

    /// The light part of every product (see [`light`]), in the order of their IDs.
    #[must_use]
    pub fn light() -> Self {
        let columns = light::columns().flat_map(|name| {
            let column = PRODUCT.iter().find(|column| column.name == name);
            column.expect("a column of the catalogue").api
        });
        let rest = ["ID", "WarehouseQuantity", "PriceGroups", "PriceGroups.MultilevelBands"];
        let selectors = columns.copied().chain(rest).map(str::to_owned).collect();
        Self { selectors, given_up: Vec::new() }
    }

    fn without(mut self, given_up: &[String]) -> Self {
        self.selectors.retain(|name| !given_up.contains(name));
        self.given_up = given_up.to_vec();
        self
    }

    /// Gives up what a refusal's message names. `false` when it names nothing that could be given up.
    pub fn give_up(&mut self, message: &str) -> bool {
        if self.ordered() && message.contains(ORDER) {
            self.given_up.push(ORDER.to_owned());
            return true;
        }
        let named = |selector: &String| {
            message.split(|c: char| !c.is_ascii_alphanumeric() && c != '.').any(|word| word == selector)
        };
        let gone: Vec<_> = self.selectors.extract_if(.., |selector| named(selector)).collect();
        let any = !gone.is_empty();
        self.given_up.extend(gone);
        any
    }

    /// Everything that can be given up: what may well be refused, and the rest.
    #[must_use]
    pub fn parts(&self) -> (Vec<String>, Vec<String>) {
        let order = self.ordered().then(|| ORDER.to_owned());
        let all = self.selectors.iter().filter(|name| *name != ESSENTIAL).cloned().chain(order);
        all.partition(|part| part == ORDER || UNDOCUMENTED.contains(&part.as_str()))
    }

    /// Of the shape, these parts only.
    #[must_use]
    pub fn only(&self, parts: &[String]) -> Self {
        let keeps = |name: &String| name == ESSENTIAL || parts.contains(name);
        let order = !parts.iter().any(|part| part == ORDER);
        Self {
            selectors: self.selectors.iter().filter(|name| keeps(name)).cloned().collect(),
            given_up: order.then(|| ORDER.to_owned()).into_iter().collect(),
        }
    }

    /// Asks for these no longer.
    pub fn give_up_parts(&mut self, parts: Vec<String>) {
        self.selectors.retain(|name| !parts.contains(name));
        self.given_up.extend(parts);
    }

    /// Documented selectors that the store has refused: the copy lacks what they would have brought.
    pub fn refused(&self) -> impl Iterator<Item = &str> {
        self.given_up.iter().map(String::as_str).filter(|name| *name != ORDER && !UNDOCUMENTED.contains(name))
    }

    fn ordered(&self) -> bool {
        !self.given_up.iter().any(|name| name == ORDER)
    }
}

/// Page `page` (from 0) of a walk over all products, active or not; only over those edited since then, where that is given
/// (spec §3.2: date filters are UTC).
#[must_use]
pub fn walk(
    store_url: &Url,
    credential: &Credential,
    shape: &Shape,
    page: u32,
    limit: u32,
    edited_since: Option<DateTime<Utc>>,
) -> Request {
    let order = shape.ordered();
    let filter = Filter {
        page,
        limit,
        date_updated_from: edited_since.map(|since| since.format("%Y-%m-%d %H:%M:%S").to_string()),
        order_by: order.then_some("ID"),
        order_direction: order.then_some("ASC"),
        ..Filter::of(&shape.selectors)
    };
    get_item(store_url, credential, &filter)
}

/// The products with those IDs, as far as the store has them.
#[must_use]
pub fn fetch(store_url: &Url, credential: &Credential, shape: &Shape, ids: &[i64]) -> Request {
    let filter = Filter {
        limit: u32::try_from(ids.len()).unwrap_or(u32::MAX),
        inventory_id: Some(ids.iter().map(i64::to_string).collect()),
        ..Filter::of(&shape.selectors)
    };
    get_item(store_url, credential, &filter)
}

/// The smallest call that needs a working credential.
#[must_use]
pub fn canary(store_url: &Url, credential: &Credential) -> Request {
    get_item(store_url, credential, &Filter { limit: 1, ..Filter::of(&["ID", "SKU"]) })
}

/// What products are asked for and what of them, active or not, as the API spells it.
#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct Filter<'a, S> {
    is_active: [&'static str; 2],
    #[serde(rename = "InventoryID", skip_serializing_if = "Option::is_none")]
    inventory_id: Option<Vec<String>>,
    #[serde(serialize_with = "as_text")]
    page: u32,
    #[serde(serialize_with = "as_text")]
    limit: u32,
    #[serde(skip_serializing_if = "Option::is_none")]
    date_updated_from: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    order_by: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    order_direction: Option<&'static str>,
    output_selector: &'a [S],
}

impl<'a, S> Filter<'a, S> {
    fn of(output_selector: &'a [S]) -> Self {
        Self {
            is_active: ["True", "False"],
            inventory_id: None,
            page: 0,
            limit: 0,
            date_updated_from: None,
            order_by: None,
            order_direction: None,
            output_selector,
        }
    }
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde's signature")]
fn as_text<S: Serializer>(number: &u32, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_str(number)
}

fn get_item<S: Serialize>(store_url: &Url, credential: &Credential, filter: &Filter<'_, S>) -> Request {
    let filter = serde_json::to_string(filter).expect("texts and numbers are JSON");
    let body = ["{\"Filter\":", &filter, "}"].concat();
    let request = Request::new(endpoint(store_url), body).plain("NETOAPI_ACTION", "GetItem");
    let secret = credential.secret.clone();
    match credential.scheme {
        Scheme::ApiKey => match &credential.username {
            Some(username) => request.plain("NETOAPI_USERNAME", username).secret("NETOAPI_KEY", secret),
            None => request.secret("NETOAPI_KEY", secret),
        },
        Scheme::Oauth => request
            .plain("X_ACCESS_KEY", credential.client_id.as_deref().unwrap_or_default())
            .secret("X_SECRET_KEY", secret),
        // The others are described connectors'.
        _ => {
            request.secret("Authorization", crate::domain::secret::Secret::new(&format!("Bearer {}", secret.expose())))
        }
    }
}

/// The endpoint of a store, whether its address was given with the path or without.
fn endpoint(store_url: &Url) -> Url {
    let mut url = store_url.clone();
    let path = url.path().trim_end_matches('/');
    if !path.ends_with(ENDPOINT) {
        let path = format!("{path}/{ENDPOINT}");
        url.set_path(&path);
    }
    url
}

#[cfg(test)]
mod tests {
    use chrono::DateTime;
    use serde_json::json;

    use super::*;
    use crate::domain::lifecycle::Standing;
    use crate::domain::secret::Secret;

    fn credential(scheme: Scheme) -> Credential {
        Credential {
            store_id: 1,
            scheme,
            username: Some("staff".into()),
            client_id: Some("client".into()),
            secret: Secret::new("not-a-key"),
            refresh: None,
            client_secret: None,
            token_url: None,
            scopes: None,
            renewed_at: None,
            expires_at: None,
            fingerprint: String::new(),
            standing: Standing::working(DateTime::UNIX_EPOCH),
            failing: false,
        }
    }

    fn url(text: &str) -> Url {
        text.parse().expect("a URL")
    }

    #[test]
    fn every_documented_selector_is_asked_for_and_no_unknown_one() {
        let fields = include_str!("../../../tests/fixtures/neto/getitem-fields.json");
        let fields: Vec<serde_json::Value> = serde_json::from_str(fields).unwrap();
        let mut known: Vec<_> = fields.iter().map(|field| field["name"].as_str().unwrap().to_owned()).collect();
        let mut asked = Shape::full().selectors;
        known.sort();
        known.retain(|name| name != "InventoryID");
        asked.sort();
        assert_eq!(asked, known);
    }

    #[test]
    fn a_walk_asks_for_both_states_in_the_order_of_ids() {
        let request = walk(&url("https://shop.example"), &credential(Scheme::ApiKey), &Shape::full(), 3, 50, None);
        assert_eq!(request.url.as_str(), "https://shop.example/do/WS/NetoAPI");
        let body: serde_json::Value = serde_json::from_str(request.body.text()).unwrap();
        for (key, expected) in [
            ("IsActive", json!(["True", "False"])),
            ("OrderBy", json!("ID")),
            ("OrderDirection", json!("ASC")),
            ("Page", json!("3")),
            ("Limit", json!("50")),
        ] {
            assert_eq!(body["Filter"][key], expected, "{key}");
        }
    }

    #[test]
    fn a_light_walk_asks_for_little_and_a_fetch_for_what_is_named() {
        let light = Shape::light().selectors;
        assert!(light.len() < 20 && light.contains(&"DateUpdatedUTC".to_owned()), "{light:?}");
        assert!(light.iter().all(|name| Shape::full().selectors.contains(name)));
        let since = "2026-11-21T08:09:10Z".parse().unwrap();
        let store = url("https://shop.example");
        let walked = walk(&store, &credential(Scheme::ApiKey), &Shape::light(), 0, 50, Some(since));
        assert!(walked.body.text().contains(r#""DateUpdatedFrom":"2026-11-21 08:09:10""#), "{}", walked.body.text());
        let fetched = fetch(&store, &credential(Scheme::ApiKey), &Shape::full(), &[7, 9]);
        let body: serde_json::Value = serde_json::from_str(fetched.body.text()).unwrap();
        assert_eq!((&body["Filter"]["InventoryID"], &body["Filter"]["Limit"]), (&json!(["7", "9"]), &json!("2")));
    }

    #[test]
    fn each_scheme_has_its_headers_and_the_endpoint_is_found_once() {
        for (scheme, names) in [
            (Scheme::ApiKey, vec!["NETOAPI_ACTION", "NETOAPI_USERNAME", "NETOAPI_KEY"]),
            (Scheme::Oauth, vec!["NETOAPI_ACTION", "X_ACCESS_KEY", "X_SECRET_KEY"]),
            (Scheme::Bearer, vec!["NETOAPI_ACTION", "Authorization"]),
        ] {
            let request = canary(&url("https://api.example/v1/stores/x/do/WS/NetoAPI/"), &credential(scheme));
            assert_eq!(request.headers.iter().map(|(name, _)| name.as_ref()).collect::<Vec<_>>(), names);
            assert_eq!(request.url.path().matches("NetoAPI").count(), 1);
        }
    }

    #[test]
    fn a_refusal_gives_up_what_it_names_and_else_nothing() {
        let mut shape = Shape::full();
        assert!(
            shape.give_up(
                "Value not allowed in OutputSelector: Warranty; Value not allowed in OutputSelector: RestockQty"
            )
        );
        assert_eq!(shape.refused().collect::<Vec<_>>(), ["Warranty"]);
        assert!(shape.give_up("Unknown OrderBy"));
        assert!(!shape.give_up("something else"));
        assert_eq!(shape.refused().collect::<Vec<_>>(), ["Warranty"]);
        let again = Shape::full_without(&shape.given_up);
        assert_eq!((&again.selectors, again.ordered()), (&shape.selectors, false));
    }

    #[test]
    fn a_shape_in_two_parts_has_everything_but_the_id_and_asks_for_no_more_than_is_left_of_it() {
        let mut shape = Shape::full();
        let (likely, others) = shape.parts();
        assert!(likely.contains(&ORDER.to_owned()) && likely.contains(&"RestockQty".to_owned()), "{likely:?}");
        assert_eq!(likely.len() + others.len(), shape.selectors.len());
        let few = shape.only(&["Name".to_owned(), ORDER.to_owned()]);
        assert_eq!((few.selectors, few.given_up.is_empty()), (vec!["Name".to_owned(), "ID".to_owned()], true));
        assert!(!shape.only(&others).ordered());
        shape.give_up_parts(vec!["Name".to_owned(), ORDER.to_owned()]);
        assert!(!shape.ordered() && !shape.selectors.contains(&"Name".to_owned()));
    }
}
