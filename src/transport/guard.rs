//! Where calls may go: https to public addresses. Everything else needs `transport.allow_loopback`.
//!
//! A store's address is typed by a person or learnt from a server, and its name can lead anywhere the day after it was
//! checked. So literal addresses are checked before a call, and names at every resolution, all of their addresses: one
//! that is not public refuses the name. Plain http goes to addresses that are *not* public only, with the switch on: a key
//! never crosses the open network in clear.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::sync::Arc;

use reqwest::dns::{Addrs, Name, Resolve, Resolving};
use url::{Host, Url};

use crate::domain::error::{ErrorClass, RemoteError};

/// A target that calls must not go to.
#[derive(Clone, Debug, thiserror::Error, PartialEq, Eq)]
pub(super) enum Forbidden {
    #[error("{host} leads to {address}, which is not a public address")]
    NotPublic { host: String, address: IpAddr },
    #[error("{host} is to be called by plain http, which would show the credential to the network")]
    Plain { host: String },
    #[error("the address of the store holds a user name or a password")]
    UserInfo,
    #[error("{scheme} is not a way to call a store")]
    Scheme { scheme: String },
    #[error("the address of the store has no host")]
    NoHost,
}

impl Forbidden {
    /// The error of a call, with what to do next.
    pub(super) fn into_error(self, store: &str) -> RemoteError {
        let hint = match self {
            Self::NotPublic { .. } => {
                "use the store's public address; transport.allow_loopback = true allows others, for tests only"
                    .to_owned()
            }
            _ => format!("give the address as https://HOST: netosync store set {store} --url https://…"),
        };
        RemoteError::new(ErrorClass::Config, self.to_string()).hint(hint)
    }
}

/// Which addresses a client may connect to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Reach {
    /// Public ones.
    Public,
    /// All of them: https with `transport.allow_loopback`.
    Any,
    /// Those that are not public: plain http with `transport.allow_loopback`.
    NotPublic,
}

impl Reach {
    /// What is allowed for a call to `url`, whose literal address, if it has one, is checked.
    pub(super) fn check(url: &Url, allow_loopback: bool) -> Result<Self, Forbidden> {
        let host = url.host().ok_or(Forbidden::NoHost)?;
        let reach = match (url.scheme(), allow_loopback) {
            ("https", false) => Self::Public,
            ("https", true) => Self::Any,
            ("http", true) => Self::NotPublic,
            ("http", false) => return Err(Forbidden::Plain { host: host.to_string() }),
            (scheme, _) => return Err(Forbidden::Scheme { scheme: scheme.to_owned() }),
        };
        if !url.username().is_empty() || url.password().is_some() {
            return Err(Forbidden::UserInfo);
        }
        match host {
            Host::Ipv4(address) => reach.admit(&host.to_string(), address.into())?,
            Host::Ipv6(address) => reach.admit(&host.to_string(), address.into())?,
            Host::Domain(_) => {}
        }
        Ok(reach)
    }

    fn admit(self, host: &str, address: IpAddr) -> Result<(), Forbidden> {
        match (self, is_public(address)) {
            (Self::Any, _) | (Self::Public, true) | (Self::NotPublic, false) => Ok(()),
            (Self::Public, false) => Err(Forbidden::NotPublic { host: host.to_owned(), address }),
            (Self::NotPublic, true) => Err(Forbidden::Plain { host: host.to_owned() }),
        }
    }
}

/// Resolves names for one client and refuses those that lead out of its reach.
pub(super) struct Resolver(Reach);

impl Resolver {
    /// For a client with this reach.
    pub(super) fn new(reach: Reach) -> Arc<Self> {
        Arc::new(Self(reach))
    }
}

impl Resolve for Resolver {
    fn resolve(&self, name: Name) -> Resolving {
        let reach = self.0;
        Box::pin(async move {
            let host = name.as_str();
            let addresses: Vec<SocketAddr> = tokio::net::lookup_host((host, 0)).await?.collect();
            for address in &addresses {
                reach.admit(host, address.ip())?;
            }
            Ok(Box::new(addresses.into_iter()) as Addrs)
        })
    }
}

/// Whether an address is one of the open internet, by the registries of special-purpose addresses (RFC 6890).
fn is_public(address: IpAddr) -> bool {
    match address {
        IpAddr::V4(address) => is_public_v4(address),
        IpAddr::V6(address) => is_public_v6(address),
    }
}

fn is_public_v4(address: Ipv4Addr) -> bool {
    let special = match address.octets() {
        // This network, private, loopback; link-local with the clouds' metadata; private.
        [0 | 10 | 127, ..] | [169, 254, ..] | [192, 168, ..]
        // Protocols, documentation, old 6to4 relays; benchmarks; documentation.
        | [192, 0, 0 | 2, _] | [192, 88, 99, _] | [198, 18 | 19, ..] | [198, 51, 100, _] | [203, 0, 113, _] => true,
        // Carrier-grade NAT.
        [100, b, ..] => b & 0xc0 == 64,
        // Private.
        [172, b, ..] => b & 0xf0 == 16,
        // Multicast, reserved, broadcast.
        [a, ..] => a >= 224,
    };
    !special
}

fn is_public_v6(address: Ipv6Addr) -> bool {
    match address.segments() {
        // An IPv4 address in another coat: mapped, NAT64 (how IPv6-only networks reach IPv4), 6to4.
        [0, 0, 0, 0, 0, 0xffff, high, low] | [0x64, 0xff9b, 0, 0, 0, 0, high, low] | [0x2002, high, low, ..] => {
            is_public_v4(Ipv4Addr::from((u32::from(high) << 16) | u32::from(low)))
        }
        // Protocols (Teredo among them) and documentation.
        [0x2001, b, ..] => b >= 0x200 && b != 0xdb8,
        [0x3fff, b, ..] => b >= 0x1000,
        // Only 2000::/3 is handed out; loopback, link-local, private and multicast are all outside it.
        [a, ..] => a & 0xe000 == 0x2000,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(url: &str, allow_loopback: bool) -> Result<Reach, Forbidden> {
        Reach::check(&url.parse().expect("a URL"), allow_loopback)
    }

    #[test]
    fn addresses_are_told_apart() {
        for public in [
            "1.1.1.1",
            "8.8.8.8",
            "100.63.0.1",
            "100.128.0.1",
            "172.15.0.1",
            "172.32.0.1",
            "192.0.1.1",
            "223.255.255.1",
            "2606:4700::1111",
            "2001:4860:4860::8888",
            "::ffff:8.8.8.8",
            "64:ff9b::808:808",
        ] {
            assert!(is_public(public.parse().expect("an address")), "{public}");
        }
        for special in [
            "0.0.0.0",
            "0.1.2.3",
            "10.0.0.1",
            "100.64.0.1",
            "100.127.255.255",
            "127.0.0.1",
            "127.9.9.9",
            "169.254.169.254",
            "172.16.0.1",
            "172.31.255.255",
            "192.0.0.8",
            "192.0.2.1",
            "192.168.1.1",
            "198.18.0.1",
            "198.51.100.1",
            "203.0.113.9",
            "224.0.0.1",
            "240.0.0.1",
            "255.255.255.255",
            "::",
            "::1",
            "::127.0.0.1",
            "::ffff:127.0.0.1",
            "::ffff:10.0.0.1",
            "64:ff9b::7f00:1",
            "64:ff9b:1::1",
            "100::1",
            "fc00::1",
            "fd12::1",
            "fe80::1",
            "ff02::1",
            "2001::1",
            "2001:db8::1",
            "2002:7f00:1::",
            "3fff::1",
            "4000::1",
        ] {
            assert!(!is_public(special.parse().expect("an address")), "{special}");
        }
    }

    #[test]
    fn every_spelling_of_loopback_is_refused() {
        for url in [
            "https://127.0.0.1/",
            "https://2130706433/",
            "https://0x7f.1/",
            "https://0177.0.0.1/",
            "https://127.1/",
            "https://[::1]/",
            "https://[::ffff:127.0.0.1]/",
            "https://0/",
            "https://169.254.169.254/latest",
        ] {
            assert!(matches!(check(url, false), Err(Forbidden::NotPublic { .. })), "{url}");
            assert_eq!(check(url, true), Ok(Reach::Any), "{url}");
        }
    }

    #[test]
    fn plain_http_goes_to_addresses_that_are_not_public_only() {
        assert!(matches!(check("http://shop.example.com/", false), Err(Forbidden::Plain { .. })));
        assert!(matches!(check("http://8.8.8.8/", true), Err(Forbidden::Plain { .. })));
        assert_eq!(check("http://127.0.0.1:8080/", true), Ok(Reach::NotPublic));
        assert_eq!(check("http://simulator:8080/", true), Ok(Reach::NotPublic));
        assert!(matches!(
            Reach::NotPublic.admit("simulator", "8.8.8.8".parse().expect("an address")),
            Err(Forbidden::Plain { .. })
        ));
    }

    #[test]
    fn an_address_with_a_password_or_another_scheme_is_refused() {
        let error = check("https://u:canary@shop.example.com/", false).expect_err("refused");
        assert_eq!(error, Forbidden::UserInfo);
        assert!(!format!("{:?}", error.into_error("demo")).contains("canary"));
        assert!(matches!(check("ftp://shop.example.com/", true), Err(Forbidden::Scheme { .. })));
        assert!(matches!(check("file:///etc/passwd", true), Err(Forbidden::NoHost)));
    }

    #[tokio::test]
    async fn a_name_that_leads_to_loopback_is_refused() {
        let name: Name = "localhost".parse().expect("a name");
        let Err(error) = Resolver::new(Reach::Public).resolve(name).await else { panic!("resolved") };
        assert!(error.to_string().starts_with("localhost leads to "), "{error}");
        let name: Name = "localhost".parse().expect("a name");
        assert!(Resolver::new(Reach::NotPublic).resolve(name).await.is_ok());
    }
}
