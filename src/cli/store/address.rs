//! A store's address, as people write it. What they wrote is not repeated: it may hold a password.

use url::{Host, Url};

use crate::cli::exit::CliError;

/// Path of the API, which people copy with the address.
const API_PATH: &str = "/do/ws/netoapi";

/// Pages of the control panel, which people copy too.
const PANEL_PATHS: &[&str] = &["/_cpanel", "/cpanel"];

/// Reads an address: https, or http where loopback is allowed; a bare host gets https.
pub fn parse(text: &str, allow_loopback: bool) -> Result<Url, CliError> {
    let text = text.trim();
    let text = if text.contains("://") { text.to_owned() } else { format!("https://{text}") };
    let refuse = |why: &str| {
        Err(CliError::usage(format!(
            "the address given with --url cannot be used: {why}; give it as https://www.shop.example"
        )))
    };
    let Ok(mut url) = Url::parse(&text) else { return refuse("it is not one") };
    match url.scheme() {
        "https" => {}
        "http" if allow_loopback => {}
        "http" => return refuse("with plain http the key would cross the network unprotected"),
        _ => return refuse("it is not https"),
    }
    if !url.username().is_empty() || url.password().is_some() {
        return refuse("it holds a user or a password, which belong to the credential");
    }
    if url.query().is_some() || url.fragment().is_some() {
        return refuse("it has a query or a fragment (the part after ? or #)");
    }
    let public = match url.host() {
        Some(Host::Domain(host)) => host.trim_end_matches('.').contains('.'),
        Some(_) => true, // the transport says which addresses may be called
        None => false,
    };
    if !public && !allow_loopback {
        return refuse("its host is not a name of the internet");
    }
    let path = url.path().trim_end_matches('/');
    let lower = path.to_ascii_lowercase();
    if PANEL_PATHS.iter().any(|panel| lower.starts_with(panel)) {
        return refuse("it is a page of the control panel");
    }
    let store = lower.strip_suffix(API_PATH).map_or(path, |before| &path[..before.len()]).to_owned();
    url.set_path(&store);
    Ok(url)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_is_taken_as_people_write_it() {
        for (written, meant) in [
            (" https://www.shop.example ", "https://www.shop.example/"),
            ("www.shop.example", "https://www.shop.example/"),
            ("WWW.Shop.example/", "https://www.shop.example/"),
            ("www.shop.example:8443", "https://www.shop.example:8443/"),
            ("https://www.shop.example/do/WS/NetoAPI", "https://www.shop.example/"),
            ("https://www.shop.example/do/ws/netoapi/", "https://www.shop.example/"),
            ("https://api.shop.example/v1/stores/x/do/WS/NetoAPI", "https://api.shop.example/v1/stores/x"),
        ] {
            assert_eq!(parse(written, false).expect(written).as_str(), meant);
        }
    }

    #[test]
    fn plain_http_and_names_of_this_network_need_the_switch() {
        for text in ["http://127.0.0.1:8080", "http://localhost", "https://simulator"] {
            assert!(parse(text, false).is_err(), "{text}");
            assert!(parse(text, true).is_ok(), "{text}");
        }
    }

    #[test]
    fn what_cannot_be_called_is_refused_without_repeating_it() {
        for text in [
            "",
            "https://",
            "ftp://www.shop.example",
            "https://staff:canary@www.shop.example",
            "canary@www.shop.example",
            "https://www.shop.example/?key=canary",
            "https://www.shop.example/#canary",
            "https://www.shop.example/_cpanel/canary",
            "canary canary",
        ] {
            let error = parse(text, true).expect_err(text);
            assert!(!error.message.contains("canary"), "{}", error.message);
        }
    }
}
