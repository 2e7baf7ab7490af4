//! A store's address, as people write it. What they wrote is not repeated: it may hold a password.

use url::Url;

use crate::cli::exit::CliError;
use crate::domain::given;

/// Reads an address: https, or http where loopback is allowed; a bare host gets https.
pub fn parse(text: &str, allow_loopback: bool) -> Result<Url, CliError> {
    given::address(text, allow_loopback).map_err(|why| {
        CliError::usage(format!(
            "the address given with --url cannot be used: {why}; give it as https://www.shop.example"
        ))
    })
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
