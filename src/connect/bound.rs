//! A store's domain: as people and the vendor write it, and as an address.

use url::{Host, Url};

use crate::domain::store::Store;

/// The longest name that the internet has, in bytes.
const MAX_LENGTH: usize = 253;

/// What was given is no domain.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("that is not the domain of a store; give it like www.shop.example")]
pub struct BadDomain;

/// The domain in what a person or the vendor wrote, in lower case, with its port where it has one. A scheme is left out.
///
/// # Errors
/// [`BadDomain`] when it is not one, or none of the internet and `allow_loopback` is not set.
pub fn domain(text: &str, allow_loopback: bool) -> Result<String, BadDomain> {
    let text = text.trim();
    let text = text.strip_prefix("https://").or_else(|| text.strip_prefix("http://")).unwrap_or(text);
    let text = text.trim_end_matches('/');
    let url = Url::parse(&format!("https://{text}")).map_err(|_| BadDomain)?;
    let plain = url.username().is_empty() && url.password().is_none() && url.query().is_none();
    if !plain || url.path() != "/" || url.fragment().is_some() {
        return Err(BadDomain);
    }
    let host = url.host().ok_or(BadDomain)?;
    if let Host::Domain(name) = &host
        && (name.len() > MAX_LENGTH || !name.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-._".contains(&byte)))
    {
        return Err(BadDomain);
    }
    let public = matches!(host, Host::Domain(name) if name.trim_end_matches('.').contains('.'));
    if !public && !allow_loopback {
        return Err(BadDomain);
    }
    Ok(url.port().map_or_else(|| host.to_string(), |port| format!("{host}:{port}")))
}

/// The address of a domain: https, but for one of this machine or its networks, which only tests and rehearsals have.
pub fn url_of(domain: &str, allow_loopback: bool) -> Result<Url, BadDomain> {
    let url = Url::parse(&format!("https://{domain}/")).map_err(|_| BadDomain)?;
    let here = match url.host() {
        Some(Host::Ipv4(address)) => address.is_loopback() || address.is_private(),
        Some(Host::Ipv6(address)) => address.is_loopback(),
        Some(Host::Domain(name)) => !name.contains('.'),
        None => return Err(BadDomain),
    };
    if here && allow_loopback { Url::parse(&format!("http://{domain}/")).map_err(|_| BadDomain) } else { Ok(url) }
}

/// Whether a store is the one of a domain, as far as is known here.
pub fn leads_to(store: &Store, domain: &str) -> bool {
    store.domain.as_deref() == Some(domain) || same_host(&store.url, domain)
}

/// Whether calls to `url` go to that domain.
pub fn same_host(url: &Url, domain: &str) -> bool {
    let host = url.host_str().unwrap_or_default();
    url.port().map_or_else(|| host == domain, |port| format!("{host}:{port}") == domain)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_domain_is_taken_as_people_write_it_and_nothing_else_is() {
        for (written, meant) in [
            ("www.Shop.example", Some("www.shop.example")),
            (" https://www.shop.example/ ", Some("www.shop.example")),
            ("www.shop.example:8443", Some("www.shop.example:8443")),
            ("www.shop.example/path", None),
            ("user@www.shop.example", None),
            ("www.shop.example?x=1", None),
            ("www.shop.example#x", None),
            ("127.0.0.1:80", None),
            ("localhost", None),
            ("", None),
            ("a b", None),
            // They would stand in commands that are copied into a shell.
            ("shop.example;id", None),
            ("$(id).example", None),
            ("'.example", None),
        ] {
            assert_eq!(domain(written, false).ok().as_deref(), meant, "{written}");
        }
        assert!(domain(&format!("{}.example", "a".repeat(250)), false).is_err());
        assert_eq!(domain("127.0.0.1:8080", true).as_deref(), Ok("127.0.0.1:8080"));
    }

    #[test]
    fn only_addresses_of_this_machine_are_called_without_tls() {
        for (domain, switch, url) in [
            ("www.shop.example", true, "https://www.shop.example/"),
            ("127.0.0.1:8080", true, "http://127.0.0.1:8080/"),
            ("127.0.0.1:8080", false, "https://127.0.0.1:8080/"),
            ("8.8.8.8", true, "https://8.8.8.8/"),
        ] {
            assert_eq!(url_of(domain, switch).map(String::from).as_deref(), Ok(url));
        }
    }
}
