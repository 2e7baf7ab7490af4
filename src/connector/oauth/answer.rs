//! What a token endpoint answers.

use chrono::TimeDelta;
use serde_json::Value;

use crate::domain::http::Answer;
use crate::domain::secret::Secret;

/// Longer lifetimes are nonsense or never, which is the same to us.
const LONGEST: TimeDelta = TimeDelta::days(3650);

/// What it gave, as far as it was told.
#[derive(Clone, Debug, Default)]
pub struct Tokens {
    /// The access token; absent where the answer is about something else (a disconnection).
    pub access: Option<Secret>,
    /// The refresh token, if there is a new one.
    pub refresh: Option<Secret>,
    /// For how long the access token is good.
    pub lifetime: Option<TimeDelta>,
    /// What it allows.
    pub scopes: Option<String>,
    /// The store, by its hash in the addresses of the shared host (spec: Neto API §6.2).
    pub api_id: Option<String>,
    /// The store (§6.1).
    pub shop: Shop,
    /// Who has consented.
    pub user: User,
}

/// A store as the vendor describes it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Shop {
    /// Its identity, whatever its domain.
    pub id: Option<String>,
    /// Its domain, without a scheme.
    pub domain: Option<String>,
    /// Its name, fit for display.
    pub name: Option<String>,
    /// Its time zone (IANA name).
    pub timezone: Option<String>,
}

/// A person as the vendor describes him, fit for display.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct User {
    /// First and last name, or the user name.
    pub name: Option<String>,
    /// Mail address.
    pub email: Option<String>,
}

/// Where a login's answer has its token, and its lifetime if it has one: names from the outside in, or places in a list.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Places {
    /// The token.
    pub token: Vec<String>,
    /// Its lifetime in seconds.
    pub lifetime: Option<Vec<String>>,
}

/// Why there are no tokens. The sentences are the server's words: quote them through the transport's redaction only.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Refusal {
    /// What was given is not good (any more); the same again brings the same: `invalid_grant`.
    Dead(String),
    /// The client is not known, or its secret is wrong: `invalid_client`.
    Client(String),
    /// It wants to be asked in another way: no POST here, or no code found.
    OtherWay(String),
    /// Something else is wrong with the request.
    Other(String),
    /// This is no answer of a token endpoint.
    Unreadable,
}

/// Reads the answer of a token endpoint.
///
/// # Errors
/// A [`Refusal`], also of a good status: some endpoints say 200 to everything.
pub fn read(answer: &Answer, places: Option<&Places>) -> Result<Tokens, Refusal> {
    let good = (200..300).contains(&answer.status);
    let json: Option<Value> = serde_json::from_str(&answer.body).ok().filter(Value::is_object);
    let Some(json) = json else {
        return Err(match answer.status {
            404 | 405 => Refusal::OtherWay(format!("HTTP {}", answer.status)),
            401 | 403 => Refusal::Client(format!("HTTP {}", answer.status)),
            status if !good => Refusal::Other(format!("HTTP {status}")),
            _ => Refusal::Unreadable,
        });
    };
    if !good || json.get("error").is_some_and(|error| !error.is_null() && error != "") {
        return Err(refusal(answer.status, &json));
    }
    Ok(tokens(&json, places))
}

fn refusal(status: u16, json: &Value) -> Refusal {
    let code = text(json, "error").or_else(|| text(&json["error"], "code")).unwrap_or_default();
    let described = ["error_description", "hint", "message"].iter().filter_map(|name| display(json, name));
    let described = described.chain(display(&json["error"], "message"));
    let mut said: Vec<String> = if code.is_empty() { Vec::new() } else { vec![code.clone()] };
    for sentence in described {
        if !said.contains(&sentence) {
            said.push(sentence);
        }
    }
    let said = if said.is_empty() { format!("HTTP {status}") } else { said.join(": ") };
    let lower = said.to_lowercase();
    // Some say `invalid_request` of a refresh token that was revoked (spec: Neto API §6.2, samples).
    let about_the_token =
        lower.contains("refresh token") && ["invalid", "revoked", "expired"].iter().any(|word| lower.contains(word));
    let lacks_the_code = ["missing", "required"].iter().any(|word| lower.contains(word)) && lower.contains("code");
    match code.as_str() {
        "invalid_grant" => Refusal::Dead(said),
        "invalid_client" | "unauthorized_client" => Refusal::Client(said),
        _ if about_the_token => Refusal::Dead(said),
        _ if lacks_the_code || matches!(status, 404 | 405) => Refusal::OtherWay(said),
        _ if matches!(status, 401 | 403) => Refusal::Client(said),
        _ => Refusal::Other(said),
    }
}

fn tokens(json: &Value, places: Option<&Places>) -> Tokens {
    let user = &json["user"];
    let first = display(user, "first_name").or_else(|| display(user, "firstName"));
    let last = display(user, "last_name").or_else(|| display(user, "lastName"));
    let name = [first, last].into_iter().flatten().collect::<Vec<_>>().join(" ");
    let access = places.map_or_else(|| text(json, "access_token"), |places| at(json, &places.token).and_then(as_text));
    let lifetime_at = match places {
        Some(places) => places.lifetime.as_ref().and_then(|names| at(json, names)),
        None => json.get("expires_in"),
    };
    let secret = |text: String| Some(Secret::new(&text)).filter(|secret| !secret.is_empty());
    Tokens {
        access: access.and_then(secret),
        refresh: text(json, "refresh_token").and_then(secret),
        lifetime: lifetime_at.and_then(lifetime),
        scopes: display(json, "scope"),
        api_id: text(json, "api_id"),
        shop: Shop {
            id: text(json, "store_id"),
            domain: text(json, "store_domain").map(|domain| domain.to_lowercase()),
            name: display(json, "store_name"),
            timezone: text(json, "store_timezone"),
        },
        user: User {
            name: Some(name).filter(|name| !name.is_empty()).or_else(|| display(json, "username")),
            email: display(user, "email"),
        },
    }
}

/// A number or a number in quotes; neither less than a second nor more than years.
fn lifetime(value: &Value) -> Option<TimeDelta> {
    let seconds = value.as_f64().or_else(|| value.as_str()?.trim().parse().ok())?;
    let whole = (seconds.is_finite() && seconds >= 1.0).then(|| seconds.min(LONGEST.num_seconds() as f64))?;
    #[expect(clippy::cast_possible_truncation, reason = "it was bounded")]
    TimeDelta::try_seconds(whole as i64)
}

fn at<'a>(json: &'a Value, names: &[String]) -> Option<&'a Value> {
    names.iter().try_fold(json, |json, name| match json {
        Value::Array(list) => list.get(name.parse::<usize>().ok()?),
        json => json.get(name),
    })
}

/// A text or a number, trimmed; nothing of what is empty.
fn text(json: &Value, name: &str) -> Option<String> {
    json.get(name).and_then(as_text)
}

fn as_text(value: &Value) -> Option<String> {
    let text = match value {
        Value::String(text) => text.trim().to_owned(),
        Value::Number(number) => number.to_string(),
        _ => return None,
    };
    Some(text).filter(|text| !text.is_empty())
}

/// A text for people: Neto writes HTML entities even here (spec: Neto API §5.10).
fn display(json: &Value, name: &str) -> Option<String> {
    let text = text(json, name)?;
    Some(html_escape::decode_html_entities(&text).into_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn answer(status: u16, body: &str) -> Answer {
        Answer { status, content_type: None, link: None, body: body.to_owned(), lossy: false }
    }

    fn sample(name: &str) -> Tokens {
        let path = format!("{}/tests/fixtures/oauth/{name}.json", env!("CARGO_MANIFEST_DIR"));
        let body = std::fs::read_to_string(path).expect("a sample");
        read(&answer(200, &body), None).expect("tokens")
    }

    #[test]
    fn the_first_version_describes_the_store_and_both_spellings_of_the_user() {
        for name in ["oauth-token-v1", "oauth-token-v1-camelcase-user"] {
            let tokens = sample(name);
            assert_eq!(tokens.shop.id.as_deref(), Some("N051234"), "{name}");
            assert_eq!(tokens.shop.timezone.as_deref(), Some("Australia/Sydney"), "{name}");
            assert_eq!(tokens.user.name.as_deref(), Some("Marisol Okafor"), "{name}");
            assert!(tokens.access.is_some() && tokens.refresh.is_none() && tokens.lifetime.is_none(), "{name}");
        }
    }

    #[test]
    fn texts_lose_their_entities() {
        assert_eq!(sample("oauth-token-v1").shop.name.as_deref(), Some("Harbour & Fern"));
    }

    #[test]
    fn the_second_version_expires_and_can_be_refreshed() {
        let (first, second) = (sample("oauth-token-v2"), sample("oauth-refresh-v2"));
        assert_eq!((first.api_id.as_deref(), first.lifetime), (Some("a1b2c3d4e5"), Some(TimeDelta::minutes(30))));
        let of = |tokens: &Tokens| tokens.refresh.as_ref().map(|token| token.expose().to_owned());
        assert!(of(&first).is_some() && of(&first) != of(&second));
    }

    #[test]
    fn a_disconnection_names_the_store_and_has_no_token() {
        let tokens = sample("oauth-deauth");
        assert_eq!((tokens.shop.id.as_deref(), tokens.access.is_none()), (Some("N051234"), true));
    }

    #[test]
    fn refusals_are_told_apart() {
        use Refusal::{Client, Dead, Other, OtherWay, Unreadable};
        let said = |refusal: Refusal| match refusal {
            Dead(_) => "dead",
            Client(_) => "client",
            OtherWay(_) => "other way",
            Other(_) => "other",
            Unreadable => "unreadable",
        };
        let revoked = r#"{"error":"invalid_request","error_description":"The refresh token is invalid.","hint":"Token has been revoked"}"#;
        for (status, body, expected) in [
            (400, r#"{"error":"invalid_grant","error_description":"The code has expired"}"#, "dead"),
            (200, r#"{"error":"invalid_grant"}"#, "dead"),
            (400, revoked, "dead"),
            (401, r#"{"error":"invalid_client"}"#, "client"),
            (401, r#"{"error":{"code":"UNAUTHENTICATED","message":"no"}}"#, "client"),
            (403, "<html>", "client"),
            (405, "<html>", "other way"),
            (404, "", "other way"),
            (400, r#"{"error":"invalid_request","error_description":"Missing parameter: code"}"#, "other way"),
            (400, r#"{"error":"unsupported_grant_type"}"#, "other"),
            (400, "oops", "other"),
            (200, "<html>", "unreadable"),
            (200, "[]", "unreadable"),
        ] {
            let refusal = read(&answer(status, body), None).expect_err("refused");
            assert_eq!(said(refusal), expected, "{status} {body}");
        }
    }

    #[test]
    fn a_lifetime_is_a_number_or_text_and_never_nonsense() {
        for (text, secs) in [("1800", Some(1800)), ("\"60\"", Some(60)), ("0", None), ("-5", None), ("\"x\"", None)] {
            let tokens = read(&answer(200, &format!(r#"{{"access_token":"t","expires_in":{text}}}"#)), None);
            assert_eq!(tokens.expect("tokens").lifetime.map(|time| time.num_seconds()), secs, "{text}");
        }
        let tokens = read(&answer(200, r#"{"access_token":"t","expires_in":1e300}"#), None).expect("tokens");
        assert_eq!(tokens.lifetime, Some(LONGEST));
    }

    #[test]
    fn the_token_of_a_login_is_where_it_is_said_to_be() {
        let names = |path: &str| path.split('.').map(str::to_owned).collect();
        let places = Places { token: names("data.0.token"), lifetime: Some(names("ttl")) };
        let body = r#"{"data":[{"token":"session"}],"ttl":60}"#;
        let tokens = read(&answer(200, body), Some(&places)).expect("tokens");
        assert_eq!(tokens.access.expect("a token").expose(), "session");
        assert_eq!(tokens.lifetime, Some(TimeDelta::seconds(60)));
    }
}
