//! The fakes of the three other systems do what the systems' documents say, asked by a plain HTTP client.

use std::collections::BTreeSet;

use reqwest::redirect::Policy;
use serde_json::{Value, json};

use crate::support::fakes::neos::FakeNeos;
use crate::support::fakes::net_api::FakeNetApi;
use crate::support::fakes::net_explorer::{FakeNetExplorer, PASSWORD, USER};
use crate::support::fakes::{Fake, Kind, System};

/// A status and what came with it; no body is null.
type Got = (u16, Value);

#[expect(clippy::disallowed_methods, reason = "the plain client that the fakes are proved with")]
fn client() -> reqwest::Client {
    reqwest::Client::builder().redirect(Policy::none()).build().expect("a client")
}

async fn got(request: reqwest::RequestBuilder) -> Got {
    let response = request.send().await.expect("it answers");
    let status = response.status().as_u16();
    let text = response.text().await.expect("text");
    (status, if text.is_empty() { Value::Null } else { serde_json::from_str(&text).expect("JSON") })
}

async fn get<S: System>(fake: &Fake<S>, path: &str, token: &str) -> Got {
    got(client().get(format!("{}{path}", fake.url())).header("authorization", format!("Bearer {token}"))).await
}

/// Asks a token endpoint with a form.
async fn token<S: System>(fake: &Fake<S>, path: &str, fields: &[(&str, &str)]) -> Got {
    let client_fields = [("client_id", "fake-client"), ("client_secret", "fake-client-secret")];
    let mut form = url::form_urlencoded::Serializer::new(String::new());
    form.extend_pairs(client_fields.iter().filter(|(name, _)| !fields.iter().any(|(given, _)| given == name)));
    form.extend_pairs(fields);
    let request = client().post(format!("{}{path}", fake.url())).body(form.finish());
    got(request.header("content-type", "application/x-www-form-urlencoded")).await
}

/// The code that a consent sends the browser back with.
async fn code<S: System>(fake: &Fake<S>, path: &str, scope: &str) -> String {
    let query = format!(
        "client_id=fake-client&redirect_uri=http%3A%2F%2Flocalhost%3A8080%2Fback&response_type=code&scope={scope}&state=mine"
    );
    let response = client().get(format!("{}{path}?{query}", fake.url())).send().await.expect("it answers");
    assert_eq!(response.status(), 302);
    let back: url::Url = response.headers()["location"].to_str().expect("text").parse().expect("an address");
    let query: std::collections::HashMap<_, _> = back.query_pairs().into_owned().collect();
    assert_eq!((back.path(), query["state"].as_str()), ("/back", "mine"));
    query["code"].clone()
}

const BACK: &str = "http://localhost:8080/back";

fn access(got: &Got) -> String {
    assert_eq!(got.0, 200, "{got:?}");
    got.1["access_token"].as_str().expect("a token").to_owned()
}

fn fixture(name: &str) -> Value {
    let path = format!("{}/tests/fixtures/described/{name}.json", env!("CARGO_MANIFEST_DIR"));
    serde_json::from_str(&std::fs::read_to_string(path).expect("a fixture")).expect("JSON")
}

/// The names of an object's fields.
fn fields(object: &Value) -> BTreeSet<&str> {
    object.as_object().expect("an object").keys().map(String::as_str).collect()
}

#[tokio::test]
async fn client_credentials_buy_a_token_at_the_path_that_is_configured() {
    let fake = Fake::start(FakeNetExplorer::new(1, 0)).await;
    fake.system().token_path = "/elsewhere/token";
    let bought = [("grant_type", "client_credentials")];
    assert_eq!(token(&fake, "/oauth2/token", &bought).await.0, 401, "there is nothing but the API");

    let answer = token(&fake, "/elsewhere/token", &bought).await;

    assert_eq!(fields(&answer.1), fields(&fixture("netexplorer-token")));
    assert_eq!(get(&fake, "/api/account", &access(&answer)).await.0, 200);
    assert_eq!(get(&fake, "/api/account", "another").await.0, 401);
    let wrong = [("grant_type", "client_credentials"), ("client_secret", "wrong")];
    assert_eq!(token(&fake, "/elsewhere/token", &wrong).await, (401, json!({ "error": "invalid_client" })));
    assert_eq!(token(&fake, "/elsewhere/token", &[("grant_type", "password")]).await.0, 400);
    // Who sent what where can be told afterwards.
    let sent: Vec<_> = fake.asked().into_iter().filter(|asked| asked.body.contains("fake-client-secret")).collect();
    assert!(sent.iter().all(|asked| asked.path.ends_with("/token")) && sent.len() == 3, "{sent:?}");
    assert_eq!(fake.asked().iter().filter(|asked| asked.bearer() == Some("another")).count(), 1);
}

#[tokio::test]
async fn the_login_of_before_takes_user_and_password_in_json() {
    let fake = Fake::start(FakeNetExplorer::new(1, 0)).await;
    let login = |password: &str| {
        let body = json!({ "user": USER, "password": password }).to_string();
        client().post(format!("{}/api/auth", fake.url())).body(body)
    };

    let answer = got(login(PASSWORD)).await;

    assert_eq!((answer.0, fields(&answer.1)), (200, fields(&fixture("netexplorer-legacy-auth"))));
    assert_eq!(get(&fake, "/api/users", answer.1["token"].as_str().expect("a token")).await.0, 200);
    assert_eq!(got(login("wrong")).await.0, 401);
    assert_eq!((fake.calls(Kind::Token), fake.calls(Kind::Resource)), (2, 1));
}

#[tokio::test]
async fn a_code_and_a_refresh_token_work_once() {
    let fake = Fake::start(FakeNetApi::new(3)).await;
    let code = code(&fake, "/oauth/authorize", "").await;
    let exchange = [("grant_type", "authorization_code"), ("code", &code), ("redirect_uri", BACK)];

    let first = token(&fake, "/oauth/token", &exchange).await;

    assert!(fields(&first.1).is_superset(&fields(&fixture("netapi-token"))), "{first:?}");
    assert_eq!(token(&fake, "/oauth/token", &exchange).await, (400, json!({ "error": "invalid_grant" })));
    let refresh = first.1["refresh_token"].as_str().expect("a refresh token");
    let refreshing = [("grant_type", "refresh_token"), ("refresh_token", refresh)];
    let second = token(&fake, "/oauth/token", &refreshing).await;
    assert_ne!(second.1["refresh_token"], first.1["refresh_token"]);
    assert_eq!(get(&fake, "/v1/users", &access(&second)).await.0, 200);
    assert_eq!(token(&fake, "/oauth/token", &refreshing).await.0, 400);
    assert_eq!(fake.calls(Kind::Consent), 1);
}

#[tokio::test]
async fn a_code_for_another_address_is_refused_and_spent() {
    let fake = Fake::start(FakeNetApi::new(3)).await;
    let code = code(&fake, "/oauth/authorize", "").await;

    for back in ["https://elsewhere.example/", BACK] {
        let exchange = [("grant_type", "authorization_code"), ("code", code.as_str()), ("redirect_uri", back)];
        assert_eq!(token(&fake, "/oauth/token", &exchange).await.0, 400, "{back}");
    }
}

#[tokio::test]
async fn a_token_ends_after_so_many_calls_and_everything_when_it_is_revoked() {
    let fake = Fake::start(FakeNetApi::new(3)).await;
    fake.system().office.calls_per_token = Some(2);
    let bought = [("grant_type", "client_credentials")];
    let short = access(&token(&fake, "/oauth/token", &bought).await);

    let mut statuses = Vec::new();
    for _ in 0..4 {
        statuses.push(get(&fake, "/v1/users", &short).await.0);
    }

    assert_eq!(statuses, [200, 200, 401, 401]);
    let unauthorized = fixture("netapi-401");
    assert_eq!(get(&fake, "/v1/users", &short).await, (401, unauthorized["body"].clone()));
    let next = access(&token(&fake, "/oauth/token", &bought).await);
    assert_eq!(get(&fake, "/v1/users", &next).await.0, 200);
    fake.system().office.end_access();
    assert_eq!(get(&fake, "/v1/users", &next).await.0, 401);
    assert_eq!(get(&fake, "/v1/users", "fake-api-key").await.0, 200, "a key is no token");

    fake.system().office.revoke();

    assert_eq!(get(&fake, "/v1/users", "fake-api-key").await.0, 401);
    assert_eq!(token(&fake, "/oauth/token", &bought).await, (401, json!({ "error": "invalid_client" })));
    fake.system().office.restore();
    assert_eq!(token(&fake, "/oauth/token", &bought).await.0, 200);
}

#[tokio::test]
async fn the_fields_of_a_grant_come_as_json_only_where_that_is_known() {
    let fake = Fake::start(FakeNetApi::new(3)).await;
    let ask = || {
        let body = json!({ "grant_type": "client_credentials", "client_id": "fake-client", "client_secret": "fake-client-secret" });
        let request = client().post(format!("{}/oauth/token", fake.url())).body(body.to_string());
        got(request.header("content-type", "application/json"))
    };
    assert_eq!(ask().await.0, 400);
    fake.system().office.takes_json = true;
    assert_eq!(ask().await.0, 200);
}

#[tokio::test]
async fn groups_come_in_pages_that_are_no_larger_than_the_cap() {
    let fake = Fake::start(FakeNetExplorer::new(1, 0)).await;
    let token = access(&token(&fake, "/oauth2/token", &[("grant_type", "client_credentials")]).await);
    let page = async |query: &str| get(&fake, &format!("/api/groups?{query}"), &token).await.1;

    let first = page("offset=0&limit=500").await;

    assert_eq!(fields(&first), fields(&fixture("netexplorer-groups-page")));
    let facts = |page: &Value| (page["offsetStart"].clone(), page["nbObjets"].clone(), page["nbTotalObjects"].clone());
    assert_eq!(facts(&first), (json!(0), json!(2), json!(5)));
    assert_eq!(facts(&page("offset=4&limit=500").await), (json!(4), json!(1), json!(5)));
    assert_eq!(facts(&page("offset=5").await), (json!(5), json!(0), json!(5)));
    fake.system().knows_no_offset = true;
    assert_eq!(facts(&page("offset=4&limit=500").await), (json!(0), json!(2), json!(5)));
}

#[tokio::test]
async fn a_list_without_rows_is_no_body_at_all() {
    let fake = Fake::start(FakeNetExplorer::new(1, 0)).await;
    let token = access(&token(&fake, "/oauth2/token", &[("grant_type", "client_credentials")]).await);
    {
        let mut system = fake.system();
        system.users.clear();
        system.groups.clear();
        system.logs.clear();
    }
    for path in ["/api/users", "/api/groups", "/api/logs"] {
        assert_eq!(get(&fake, path, &token).await, (204, Value::Null), "{path}");
    }
}

/// Every file's `guid` and number, and the number of folders, in a tree as it was answered.
fn walk(folders: &Value, files: &mut Vec<(String, i64)>) -> usize {
    let folders = folders.as_array().expect("a list");
    let below = folders.iter().map(|folder| {
        let content = &folder["content"];
        for file in content["files"].as_array().expect("files") {
            assert_eq!(file["parentId"], folder["id"]);
            files.push((file["guid"].as_str().expect("a guid").to_owned(), file["id"].as_i64().expect("a number")));
        }
        walk(&content["folders"], files)
    });
    folders.len() + below.sum::<usize>()
}

#[tokio::test]
async fn the_tree_is_whole_the_same_for_a_seed_and_changes_with_its_files() {
    let fake = Fake::start(FakeNetExplorer::new(7, 100)).await;
    let token = access(&token(&fake, "/oauth2/token", &[("grant_type", "client_credentials")]).await);
    let tree = async || get(&fake, "/api/folders?depth=-1", &token).await.1;

    let before = tree().await;

    let mut files = Vec::new();
    let folders = walk(&before, &mut files);
    assert_eq!((files.len(), folders), (100, fake.system().tree.folders().len()));
    let sample = fixture("netexplorer-folders-depth");
    assert!(fields(&before[0]["content"]) == fields(&sample[0]["content"]) && before[0]["pathName"] == "/Folder 1");
    assert_eq!(FakeNetExplorer::new(7, 100).tree.render(Some(-1)), before);
    assert_ne!(FakeNetExplorer::new(8, 100).tree.render(Some(-1)), before);
    let roots = get(&fake, "/api/folders", &token).await.1;
    assert!(
        roots.as_array().expect("roots").iter().all(|root| root.get("content").is_none()),
        "without a depth only the roots"
    );

    let (changed, removed) = (files[0].0.clone(), files[1].0.clone());
    let added = {
        let mut system = fake.system();
        system.tree.change_file(&changed);
        system.tree.remove_file(&removed);
        let folder = system.tree.folders()[0];
        system.tree.add_file(folder)
    };
    let mut after = Vec::new();
    walk(&tree().await, &mut after);
    let id = |files: &[(String, i64)], guid: &str| files.iter().find(|(known, _)| known == guid).map(|(_, id)| *id);
    assert_ne!(id(&after, &changed), id(&files, &changed), "a new version has another number and the same guid");
    assert!(id(&after, &changed).is_some() && id(&after, &removed).is_none() && id(&after, &added).is_some());
    assert_eq!(fake.system().tree.files().len(), 100);
}

#[tokio::test]
async fn users_come_change_and_go_and_the_log_says_so() {
    let fake = Fake::start(FakeNetExplorer::new(1, 0)).await;
    let token = access(&token(&fake, "/oauth2/token", &[("grant_type", "client_credentials")]).await);
    {
        let mut system = fake.system();
        system.put_user(6, "new");
        system.put_user(1, "renamed");
        system.remove_user(2);
    }

    let users = get(&fake, "/api/users", &token).await.1;

    let logins: Vec<_> =
        users.as_array().expect("a list").iter().map(|user| user["login"].as_str().expect("text")).collect();
    assert_eq!(logins, ["renamed", "user-3", "user-4", "user-5", "new"]);
    let logs = get(&fake, "/api/logs", &token).await.1;
    let kinds: Vec<_> =
        logs.as_array().expect("a list").iter().map(|log| log["type"].as_str().expect("text")).collect();
    assert_eq!(kinds, ["LOGIN", "USER_EDIT", "USER_EDIT", "USER_DELETE"]);
    let mut api = FakeNetApi::new(2);
    api.put_user(3, "third");
    api.remove_user(1);
    assert_eq!(api.users.into_keys().collect::<Vec<_>>(), [2, 3]);
}

#[tokio::test]
async fn a_list_may_be_wrapped() {
    let fake = Fake::start(FakeNetApi::new(1)).await;
    assert_eq!(get(&fake, "/v1/users", "fake-api-key").await.1, json!([{ "id": 1, "name": "User 1" }]));
    fake.system().wrapped_in = Some("data");
    assert_eq!(get(&fake, "/v1/users", "fake-api-key").await.1, json!({ "data": [{ "id": 1, "name": "User 1" }] }));
}

/// A token of Neos, by consent to these scopes.
async fn neos_token(fake: &Fake<FakeNeos>, scope: &str) -> Got {
    let code = code(fake, "/connect/authorize", scope).await;
    token(fake, "/connect/token", &[("grant_type", "authorization_code"), ("code", &code), ("redirect_uri", BACK)])
        .await
}

#[tokio::test]
async fn a_profile_is_where_it_is_and_has_what_was_consented_to() {
    let fake = Fake::start(FakeNeos::default()).await;

    let answer = neos_token(&fake, "profile+email").await;

    assert_eq!(fields(&answer.1), fields(&fixture("neos-token")));
    assert_eq!(answer.1["scope"], "profile email");
    let token = access(&answer);
    assert_eq!(get(&fake, "/api/user/profile", &token).await, (200, fixture("neos-profile")));
    fake.system().plural_only = true;
    assert_eq!(get(&fake, "/api/user/profile", &token).await.0, 404);
    assert_eq!(get(&fake, "/api/user/profiles", &token).await, (200, fixture("neos-profile")));
    let plain = access(&neos_token(&fake, "profile").await);
    assert_eq!(get(&fake, "/api/user/profiles", &plain).await.1.get("email"), None);
}

#[tokio::test]
async fn the_clients_secret_is_taken_from_the_form_only_and_no_refresh_is_given_unless_wanted() {
    let fake = Fake::start(FakeNeos::default()).await;
    assert!(neos_token(&fake, "profile").await.1.get("refresh_token").is_none());
    assert_eq!(token(&fake, "/connect/token", &[("grant_type", "client_credentials")]).await.0, 400);
    let basic = client()
        .post(format!("{}/connect/token", fake.url()))
        .header("authorization", "Basic ZmFrZS1jbGllbnQ6ZmFrZS1jbGllbnQtc2VjcmV0")
        .body("grant_type=authorization_code&code=x");
    assert_eq!(got(basic).await.0, 401);
    fake.system().office.gives_refresh = true;
    assert!(neos_token(&fake, "profile").await.1.get("refresh_token").is_some());
}
