//! What the built-in descriptions make of the documented answers, and what the documentation says of descriptions.

use serde_json::json;

use super::super::{Auth, Description, Page, Position, Registry};
use super::{answer, read, store};
use crate::connector::oauth::{Encoding, SecretIn};
use crate::domain::error::{ErrorClass, RemoteError};
use crate::domain::http::Answer;

fn built_in(name: &str) -> Description {
    Registry::built_in().get(name).expect("a built-in connector").clone()
}

fn page_of(description: &Description, stream: &str, position: &Position, reply: &Answer) -> Result<Page, RemoteError> {
    description.stream(stream).expect("a stream").page(description, &store(), position, reply)
}

const TREE: &str = r#"[{"id":1,"name":"Shared","modification":"2026-03-30T17:12:09+02:00","content":{
    "files":[{"id":901,"guid":"5b1f","name":"prices.xlsx","modification":"2026-03-30T17:12:09+02:00","downloadToken":"x"}],
    "folders":[{"id":2,"name":"2026","content":{"files":[{"id":902,"guid":"77aa"}],"folders":[]}},{"id":3,"name":"empty"}]}}]"#;

#[test]
fn netexplorer_reads_folders_and_files_from_one_tree_and_groups_from_envelopes() {
    let netexplorer = built_in("netexplorer");
    let start = Position::start(None);
    let ask = netexplorer.stream("folders").expect("a stream").ask(&netexplorer, &store(), &start).expect("a request");
    assert_eq!(ask.url.as_str(), "https://api.example.com/api/folders?depth=-1");
    let folders = page_of(&netexplorer, "folders", &start, &answer(200, TREE)).expect("a page");
    let data: Vec<_> = folders.records.iter().map(|record| record.data.as_str()).collect();
    assert_eq!(
        data,
        [
            r#"{"id":1,"modification":"2026-03-30T17:12:09+02:00","name":"Shared"}"#,
            r#"{"id":2,"name":"2026"}"#,
            r#"{"id":3,"name":"empty"}"#
        ]
    );
    let files = page_of(&netexplorer, "files", &start, &answer(200, TREE)).expect("a page");
    let keys: Vec<_> = files.records.iter().map(|record| record.key.as_str()).collect();
    assert_eq!(keys, ["5b1f", "77aa"]);
    assert!(!files.records[0].data.contains("downloadToken") && files.records[0].mark.is_some());
    for stream in ["users", "groups", "folders", "files", "logs"] {
        assert!(page_of(&netexplorer, stream, &start, &answer(204, "")).expect("204").records.is_empty());
    }

    let groups = [(0, 2), (2, 2), (4, 1)].map(|(start, count)| {
        let objects: Vec<_> = (start..start + count).map(|id| json!({"id": id})).collect();
        json!({"offsetStart": start, "nbObjets": count, "nbTotalObjects": 5, "objects": objects}).to_string()
    });
    let (mut position, mut keys) = (Some(start.clone()), Vec::new());
    for body in groups {
        let page = page_of(&netexplorer, "groups", &position.expect("more"), &answer(200, body)).expect("a page");
        assert_eq!((page.total, page.doubt), (Some(5), None));
        keys.extend(page.records.into_iter().map(|record| record.key));
        position = page.next;
    }
    assert_eq!((position, keys.len()), (None, 5));
}

#[test]
fn net_api_tells_its_401_in_its_own_words() {
    let net_api = built_in("net-api");
    let body = r#"{"error":{"code":"UNAUTHENTICATED","message":"Authentication failed. Please check your API key or token."}}"#;
    let error = page_of(&net_api, "users", &Position::start(None), &answer(401, body)).expect_err("refused");
    assert_eq!(error.class, ErrorClass::Unauthorized);
    assert_eq!(
        error.message,
        "Net API refused the credential: HTTP 401, UNAUTHENTICATED, Authentication failed. Please check your API key or token."
    );
}

#[test]
fn neos_falls_back_to_the_plural_path_once() {
    let neos = built_in("neos");
    let stream = &neos.streams[0];
    let start = Position::start(None);
    let missing = answer(404, "");
    assert_eq!(stream.ask(&neos, &store(), &start).expect("a request").url.path(), "/api/user/profile");
    let fallback = read(&neos, &start, &missing).expect("no error").next.expect("another path");
    assert_eq!(stream.ask(&neos, &store(), &fallback).expect("a request").url.path(), "/api/user/profiles");
    let page = read(&neos, &fallback, &answer(200, r#"{"id":"U-Example","username":"Example"}"#)).expect("a page");
    assert_eq!((page.records[0].key.as_str(), page.next), ("U-Example", None));
    assert_eq!(read(&neos, &fallback, &missing).expect_err("both are missing").class, ErrorClass::Rejected);
    // The check goes the same way, and ends where a credential works.
    let again = neos.check_answer(&store(), &start, &missing).expect("no error").expect("another path");
    assert_eq!(neos.check_ask(&store(), &again).expect("a request").url.path(), "/api/user/profiles");
    assert_eq!(neos.check_answer(&store(), &again, &answer(200, r#"{"id":"U-Example"}"#)), Ok(None));
}

#[test]
fn the_worked_example_of_the_documentation_is_read_and_every_key_is_explained() {
    let page = include_str!("../../../../docs/connectors.md");
    let example = page.split("```toml\n").nth(1).and_then(|rest| rest.split("```").next()).expect("an example");
    let parcels = Description::parse(example.as_bytes(), "parcels").expect("the example");
    let answered = answer(
        200,
        r#"{"meta":{"page":1,"total":1},"data":[{"id":"S-1","updated_at":"2026-03-30T17:12:09Z","label":{"url":"x"}}]}"#,
    );
    let first = read(&parcels, &Position::start(None), &answered).expect("a page");
    assert_eq!(first.records[0].data, r#"{"id":"S-1","label":{},"updated_at":"2026-03-30T17:12:09Z"}"#);
    assert_eq!((first.next, first.total), (None, Some(1)));

    let everything = include_str!("../../../../tests/fixtures/connectors/everything.toml");
    let keys = everything.split([' ', '{', '\n']).filter(|word| !word.is_empty()).collect::<Vec<_>>();
    let keys = keys.windows(2).filter(|pair| pair[1] == "=").map(|pair| pair[0]);
    let own = [
        "active",
        "kind",
        "depth",
        "Accept-Language",
        "user",
        "password",
        "device",
        "audience",
        "prompt",
        "fields",
        "filter",
        "state",
        "limit",
        "minimum",
        "trace",
    ];
    for key in keys.filter(|key| !own.contains(key)) {
        assert!(page.contains(&format!("`{key}`")) || page.contains(&format!("{key} = ")), "{key} is not explained");
    }
}

#[test]
fn the_ways_in_of_the_built_in_connectors_lead_to_the_documented_addresses() {
    let address = |name: &str, scheme: &str| {
        let description = built_in(name);
        let auth = description.auth_of(scheme).expect("a way in").clone();
        auth.endpoint(&description, &store()).expect("a token endpoint").expect("a URL").token_url.to_string()
    };
    assert_eq!(address("netexplorer", "client-credentials"), "https://api.example.com/oauth2/token");
    assert_eq!(address("net-api", "authorization-code"), "https://api.example.com/oauth/token");
    assert_eq!(address("neos", "authorization-code"), "https://api.example.com/connect/token");
    let neos = built_in("neos");
    let code = neos.auth_of("authorization-code").expect("a way in");
    let consent = code.authorize_url(&neos, &store()).expect("an address").expect("a URL");
    assert_eq!(consent.as_str(), "https://api.example.com/connect/authorize");
    let endpoint = code.endpoint(&neos, &store()).expect("a token endpoint").expect("a URL");
    assert_eq!((endpoint.secret_in, endpoint.scopes), (SecretIn::Body, vec!["profile".to_owned(), "email".to_owned()]));

    let netexplorer = built_in("netexplorer");
    let Some(Auth::Login(login)) = netexplorer.auth_of("login") else { panic!("a login") };
    let form = login.form(&netexplorer, &store()).expect("a form");
    assert_eq!((form.url.as_str(), form.encoding), ("https://api.example.com/api/auth", Encoding::Json));
    assert_eq!(
        form.fields,
        [("password".to_owned(), "{password}".to_owned()), ("user".to_owned(), "{username}".to_owned())]
    );
    assert_eq!(login.token.to_string(), "token");
}
