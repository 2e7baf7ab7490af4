//! Descriptions at work: every style of paging against an API in memory, and the answers of the three built-in ones.

mod built_in;

use proptest::prelude::*;
use serde_json::{Value as Json, json};
use url::Url;

use super::{Description, Mark, Page, Position};
use crate::domain::error::{ErrorClass, RemoteError};
use crate::domain::http::Answer;

fn store() -> Url {
    "https://api.example.com".parse().expect("a URL")
}

fn answer(status: u16, body: impl Into<String>) -> Answer {
    Answer { status, content_type: None, link: None, body: body.into(), lossy: false }
}

/// A description of one stream, `rest` being what its table has beside name, path and key.
fn described(rest: &str) -> Description {
    let text = format!(
        "name = \"shop\"\n[auth.bearer]\n[errors]\ncode = \"error.code\"\nmessage = \"error.message\"\n\
         unauthorized = [\"UNAUTHENTICATED\"]\ntransient = [423]\nfailed = {{ path = \"Ack\", equals = [\"Error\"] }}\n\
         [[stream]]\nname = \"items\"\npath = \"/items\"\nkey = \"id\"\n{rest}\n"
    );
    Description::parse(text.as_bytes(), "shop").unwrap_or_else(|mistakes| panic!("{mistakes:?}"))
}

fn read(description: &Description, position: &Position, answer: &Answer) -> Result<Page, RemoteError> {
    description.streams[0].page(description, &store(), position, answer)
}

/// What the fake API is like.
#[derive(Clone, Debug)]
struct Fake {
    records: u64,
    size: u64,
    /// It gives no more than this, whatever it is asked for.
    cap: u64,
    first: u64,
}

impl Fake {
    /// Answers a request of any style.
    fn answer(&self, style: &str, url: &Url, body: Option<&Json>) -> Answer {
        let param = |name: &str| {
            let in_body = body.and_then(|body| body["f"].get(name)).map(|value| value.as_u64().expect("a number"));
            in_body.or_else(|| {
                url.query_pairs().find(|(key, _)| key == name).map(|(_, value)| value.parse().expect("a number"))
            })
        };
        let size = param("size").unwrap_or(self.size).min(self.cap);
        let start = match style {
            "page" => (param("page").expect("a page") - self.first) * size,
            "last" => param("start").map_or(0, |last| last + 1),
            _ => param("start").unwrap_or(0),
        };
        let end = (start + size).min(self.records);
        let items: Vec<_> = (start..end).map(|id| json!({"id": id, "price": "1.10"})).collect();
        let next = (end < self.records).then(|| format!("/items?start={end}&size={size}"));
        let mut body = json!({"data": items, "start": start, "count": end.saturating_sub(start)});
        match style {
            "total" => body["total"] = json!(self.records),
            "link" => body["next"] = json!(next),
            "cursor" if end < self.records => body["token"] = json!(end.to_string()),
            "more" => body["more"] = json!(end < self.records),
            _ => {}
        }
        let link =
            next.filter(|_| style == "header").map(|next| format!("<{next}>; rel=\"next\", </items>; rel=\"first\""));
        Answer { link, ..answer(200, body.to_string()) }
    }
}

/// Reads a whole list through serialised positions, as a run that crashes after every page would.
fn whole(
    description: &Description,
    style: &str,
    fake: &Fake,
) -> Result<(Vec<String>, usize, Option<String>), RemoteError> {
    let stream = &description.streams[0];
    let (mut position, mut keys, mut calls) = (Some(Position::start(None)), Vec::new(), 0);
    let mut doubt = None;
    while let Some(now) = position {
        let now: Position = serde_json::from_str(&serde_json::to_string(&now).expect("JSON")).expect("a position");
        let ask = stream.ask(description, &store(), &now)?;
        let page = read(description, &now, &fake.answer(style, &ask.url, ask.body.as_ref()))?;
        assert!(page.bad.is_empty());
        keys.extend(page.records.into_iter().map(|record| record.key));
        doubt = doubt.or(page.doubt);
        position = page.next;
        calls += 1;
        assert!(calls < 1000, "it goes on for ever");
    }
    Ok((keys, calls, doubt))
}

proptest! {
    #[test]
    fn any_size_of_page_of_any_style_gives_the_same_records(
        records in 0_u64..40, size in 1_u64..12, cap in 1_u64..12, first in 0_u64..2,
    ) {
        let sized = format!("size_param = \"size\", size = {size}");
        let styles = [
            ("page", format!("\"page\", param = \"page\", first = {first}, {sized}")),
            ("offset", format!("\"offset\", param = \"start\", {sized}")),
            ("total", format!("\"offset\", param = \"start\", {sized}, total = \"total\", start = \"start\", count = \"count\"")),
            ("more", format!("\"offset\", param = \"start\", {sized}, more = \"more\"")),
            ("body", format!("\"offset\", in = \"body\", param = \"f.start\", size_param = \"f.size\", size = {size}")),
            ("link", "\"next-link\", path = \"next\"".to_owned()),
            ("header", "\"next-link\", path = \"header:link\"".to_owned()),
            ("last", format!("\"cursor\", param = \"start\", last = \"id\", {sized}")),
            ("cursor", format!("\"cursor\", param = \"start\", path = \"token\", {sized}")),
        ];
        let expected: Vec<String> = (0..records).map(|id| id.to_string()).collect();
        for (style, paging) in styles {
            let method = if style == "body" { "POST" } else { "GET" };
            let description = described(&format!("items = \"data\"\nmethod = \"{method}\"\npaging = {{ style = {paging} }}"));
            let fake = Fake { records, size, cap, first };
            let (keys, calls, doubt) = whole(&description, style, &fake).expect(style);
            prop_assert_eq!(&keys, &expected, "{}", style);
            prop_assert_eq!(doubt, None, "{}", style);
            let pages = usize::try_from(records.div_ceil(size.min(cap))).expect("few");
            prop_assert!(calls <= pages + 1, "{} took {} calls", style, calls);
        }
    }

    #[test]
    fn no_answer_makes_reading_a_page_panic(body in "\\PC{0,80}", status in 100_u16..600, link in "\\PC{0,40}") {
        for paging in ["\"page\", param = \"p\", total = \"a\"", "\"next-link\", path = \"a\"", "\"next-link\", path = \"header:link\"", "\"cursor\", param = \"p\", last = \"id\""] {
            let description = described(&format!("items = [\"a\", \"\"]\npaging = {{ style = {paging} }}"));
            let reply = Answer { link: Some(link.clone()), ..answer(status, body.clone()) };
            let _ = read(&description, &Position::start(None), &reply);
        }
    }

    #[test]
    fn no_json_makes_reading_a_page_panic_or_lose_an_element(elements in proptest::collection::vec(any_json(), 0..6)) {
        let description = described("flatten = { children = \"a\" }\ndrop = [\"b.a\"]");
        let count = elements.len();
        if let Ok(page) = read(&description, &Position::start(None), &answer(200, Json::from(elements).to_string())) {
            prop_assert!(page.records.len() + page.bad.len() >= count);
        }
    }
}

fn any_json() -> impl Strategy<Value = Json> {
    let leaf = prop_oneof![
        Just(Json::Null),
        any::<bool>().prop_map(Json::from),
        any::<i64>().prop_map(Json::from),
        "[a-c\\PC]{0,4}".prop_map(Json::from)
    ];
    leaf.prop_recursive(5, 40, 4, |inner| {
        prop_oneof![
            proptest::collection::vec(inner.clone(), 0..4).prop_map(Json::from),
            proptest::collection::hash_map("[ab]|id", inner, 0..4)
                .prop_map(|members| Json::Object(members.into_iter().collect())),
        ]
    })
}

#[test]
fn numbers_keep_their_spelling_and_the_order_of_fields_is_no_content() {
    let description = described("");
    let texts = [
        r#"[{"id":1,"price":10.50,"n":12345678901234567890.10,"a":{"y":1,"x":2}}]"#,
        r#"{"a": {"x":2, "y":1}, "n": 12345678901234567890.10, "price":10.50,"id":1}"#,
    ];
    let data = texts.map(|text| {
        read(&description, &Position::start(None), &answer(200, text)).expect("a page").records[0].data.clone()
    });
    assert_eq!(data[0], r#"{"a":{"x":2,"y":1},"id":1,"n":12345678901234567890.10,"price":10.50}"#);
    assert_eq!(data[0], data[1]);
}

#[test]
fn every_spelling_of_no_items_is_an_empty_list_and_other_shapes_are_errors() {
    let description = described("items = [\"objects\", \"\"]");
    let empty = ["[]", "null", "\"\"", "{}", r#"{"objects":[]}"#, r#"{"objects":null}"#, r#"{"objects":""}"#];
    for body in empty {
        let page = read(&description, &Position::start(None), &answer(200, body)).expect(body);
        assert!(page.records.is_empty() && page.bad.is_empty() && page.next.is_none(), "{body}");
    }
    assert!(read(&description, &Position::start(None), &answer(204, "")).expect("204").records.is_empty());
    for body in ["5", "true", "\"text\"", r#"{"objects":5}"#] {
        assert_eq!(
            read(&description, &Position::start(None), &answer(200, body)).expect_err(body).class,
            ErrorClass::Data,
            "{body}"
        );
    }
    for body in ["", "[{\"id\":1}", "<html>", "nonsense"] {
        assert_eq!(
            read(&description, &Position::start(None), &answer(200, body)).expect_err(body).class,
            ErrorClass::Transient,
            "{body}"
        );
    }
    let missing =
        read(&described("items = \"data.list\""), &Position::start(None), &answer(200, r#"{"rows":[],"n":1}"#));
    assert_eq!(missing.expect_err("no list").message, "the answer has no `data.list`; it has rows, n");
}

#[test]
fn what_is_dropped_of_records_is_dropped_of_those_that_cannot_be_read_too() {
    let description = described("drop = [\"token\"]");
    let page = read(&description, &Position::start(None), &answer(200, r#"[{"token":"t","name":"no key"}]"#));
    let raw: Vec<_> = page.expect("a page").bad.into_iter().map(|bad| bad.raw).collect();
    assert_eq!(raw, [r#"{"name":"no key"}"#]);
}

#[test]
fn what_cannot_be_a_record_is_bad_with_its_reason_and_the_rest_is_read() {
    let description = described("");
    let long = "k".repeat(2000);
    let body = format!(r#"[{{"id":1}},{{"name":"x"}},7,null,{{"id":""}},{{"id":{{}}}},{{"id":"{long}"}},{{"id":2}}]"#);
    let page = read(&description, &Position::start(None), &answer(200, body)).expect("a page");
    let keys: Vec<_> = page.records.iter().map(|record| record.key.as_str()).collect();
    assert_eq!(keys, ["1", "2"]);
    let reasons: Vec<_> = page.bad.iter().map(|bad| bad.reason.split(':').next().expect("a text")).collect();
    let no_key = "it has no `id`, which is its key";
    assert_eq!(
        reasons,
        [no_key, "it is no object", "it is no object", no_key, no_key, "its key is longer than 1024 bytes"]
    );
}

#[test]
fn a_compound_key_is_unambiguous() {
    let description = Description::parse(
        b"name = \"shop\"\n[auth.bearer]\n[[stream]]\nname = \"a\"\npath = \"/a\"\nkey = [\"shop\", \"n\"]\n",
        "shop",
    );
    let description = description.expect("a description");
    let page = read(
        &description,
        &Position::start(None),
        &answer(200, r#"[{"shop":"a\",\"b","n":1},{"shop":"a","n":"b\",1"}]"#),
    );
    let keys: Vec<_> = page.expect("a page").records.into_iter().map(|record| record.key).collect();
    assert_eq!(keys, [r#"["a\",\"b","1"]"#, r#"["a","b\",1"]"#]);
}

#[test]
fn an_api_that_goes_in_circles_ends_or_fails_but_never_goes_on() {
    let page = r#"{"data":[{"id":1},{"id":2}],"next":"/items?b","token":"t"}"#;
    let other = r#"{"data":[{"id":3},{"id":4}],"next":"/items?a","token":"u"}"#;
    for (paging, fails) in [
        ("\"page\", param = \"page\"", false),
        ("\"offset\", param = \"start\"", false),
        ("\"next-link\", path = \"next\"", true),
        ("\"cursor\", param = \"after\", path = \"token\"", true),
    ] {
        for bodies in [[page, page], [page, other]] {
            let description = described(&format!("items = \"data\"\npaging = {{ style = {paging} }}"));
            let mut position = Position::start(None);
            let mut error = None;
            let ended = (0..20).any(|n| match read(&description, &position, &answer(200, bodies[n % 2])) {
                Ok(Page { next: Some(next), .. }) => {
                    position = next;
                    false
                }
                Ok(_) => true,
                Err(failed) => {
                    error = Some(failed);
                    true
                }
            });
            assert!(ended, "{paging}");
            assert_eq!(error.map(|error| error.class), fails.then_some(ErrorClass::Data), "{paging}");
        }
    }
}

#[test]
fn an_end_that_cannot_be_believed_is_told() {
    let sized = described("paging = { style = \"page\", param = \"p\", size_param = \"n\", size = 2 }");
    let full = answer(200, r#"[{"id":1},{"id":2}]"#);
    let next = read(&sized, &Position::start(None), &full).expect("a page").next.expect("more");
    let again = read(&sized, &next, &full).expect("a page");
    assert!(
        again.records.is_empty()
            && again.next.is_none()
            && again.doubt.is_some_and(|doubt| doubt.contains("the first again"))
    );
    // One that is not as long as was asked for has everything.
    let short = answer(200, r#"[{"id":1}]"#);
    let next = read(&sized, &Position::start(None), &short).expect("a page").next.expect("more");
    assert_eq!(read(&sized, &next, &short).expect("a page").doubt, None);

    let counted =
        described("items = \"d\"\npaging = { style = \"offset\", param = \"p\", total = \"t\", start = \"s\" }");
    let first = answer(200, r#"{"d":[{"id":1},{"id":2}],"t":5,"s":0}"#);
    let next = read(&counted, &Position::start(None), &first).expect("a page").next.expect("more");
    let doubt = |body| read(&counted, &next, &answer(200, body)).expect("a page").doubt.unwrap_or_default();
    assert_eq!(doubt(r#"{"d":[],"t":5,"s":2}"#), "it says that there are 5 in all, but only 2 came");
    assert!(doubt(r#"{"d":[{"id":1},{"id":2}],"t":5,"s":0}"#).contains("what follows 0"));
}

#[test]
fn a_next_link_never_leaves_the_store() {
    let description = described("items = \"d\"\npaging = { style = \"next-link\", path = \"next\" }");
    for link in [
        "https://evil.example/items",
        "//evil.example/x",
        "http://api.example.com/items?2",
        "https://api.example.com:8443/x",
        "https://me@api.example.com/x",
        "javascript:alert(1)",
    ] {
        let body = json!({"d": [{"id": 1}], "next": link}).to_string();
        let error = read(&description, &Position::start(None), &answer(200, body)).expect_err(link);
        assert_eq!(error.class, ErrorClass::Data);
        assert!(error.message.contains("leads away from the store"), "{link}: {error}");
    }
    // Nor does a checkpoint that was tampered with.
    let good = json!({"d": [{"id": 1}], "next": "?page=2"}).to_string();
    let next = read(&description, &Position::start(None), &answer(200, good)).expect("a page").next.expect("more");
    let ask = description.streams[0].ask(&description, &store(), &next).expect("a request");
    assert_eq!(ask.url.as_str(), "https://api.example.com/items?page=2");
    let text = serde_json::to_string(&next).expect("JSON").replace("api.example.com", "evil.example");
    let tampered: Position = serde_json::from_str(&text).expect("a position");
    assert!(description.streams[0].ask(&description, &store(), &tampered).is_err());
}

#[test]
fn an_error_answer_has_the_class_that_the_file_gives_and_the_words_of_the_api() {
    let description = described("");
    let cases = [
        (
            401,
            r#"{"error":{"code":"UNAUTHENTICATED","message":"No\nway."}}"#,
            ErrorClass::Unauthorized,
            "shop refused the credential: HTTP 401, UNAUTHENTICATED, No way.",
        ),
        (
            400,
            r#"{"error":{"code":"unauthenticated"}}"#,
            ErrorClass::Unauthorized,
            "shop refused the credential: HTTP 400, unauthenticated",
        ),
        (423, "locked", ErrorClass::Transient, "shop could not answer: HTTP 423"),
        (418, "{}", ErrorClass::Rejected, "shop refused the request: HTTP 418"),
        (429, "", ErrorClass::RateLimited, "shop asked for fewer calls: HTTP 429"),
        (503, "", ErrorClass::Transient, "shop could not answer: HTTP 503"),
        (
            200,
            r#"{"Ack":"error","error":{"message":"bad filter"}}"#,
            ErrorClass::Rejected,
            "shop refused the request: bad filter",
        ),
    ];
    for (status, body, class, message) in cases {
        let error = read(&description, &Position::start(None), &answer(status, body)).expect_err(body);
        assert_eq!((error.class, error.message.as_str(), error.status), (class, message, Some(status)));
    }
    let long = format!(r#"{{"error":{{"message":"{}"}}}}"#, "x".repeat(10_000));
    assert!(read(&description, &Position::start(None), &answer(400, long)).expect_err("long").message.len() < 300);
}

#[test]
fn a_cursor_asks_for_what_changed_since_on_every_page() {
    let description = described(
        "query = { all = 1 }\ncursor = { field = \"at\", param = \"since\" }\npaging = { style = \"page\", param = \"p\" }",
    );
    let since = Mark::Time("2026-03-30T15:12:09.5Z".parse().expect("a time"));
    let stream = &description.streams[0];
    let position = Position::start(Some(since));
    let url = |position: &Position| stream.ask(&description, &store(), position).expect("a request").url;
    assert_eq!(url(&position).query(), Some("all=1&since=2026-03-30T15%3A12%3A09Z&p=1"));
    let page = read(&description, &position, &answer(200, r#"[{"id":1,"at":"2026-03-30T17:12:10+02:00"},{"id":2}]"#));
    let page = page.expect("a page");
    assert!(page.records[0].mark > Some(since) && page.records[1].mark.is_none());
    assert_eq!(url(&page.next.expect("more")).query(), Some("all=1&since=2026-03-30T15%3A12%3A09Z&p=2"));
}
