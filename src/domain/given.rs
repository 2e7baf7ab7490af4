//! What people give us, in a command or in a row of their own database: addresses, keys, texts for headers. No error repeats it:
//! it may be, or hold, a secret.

use url::{Host, Url};

/// Path of the API, which people copy with the address.
const API_PATH: &str = "/do/ws/netoapi";

/// Pages of the control panel, which people copy too.
const PANEL_PATHS: &[&str] = &["/_cpanel", "/cpanel"];

/// Reads an address: https, or http where loopback is allowed; a bare host gets https. The error follows "it cannot be used: ".
pub fn address(text: &str, allow_loopback: bool) -> Result<Url, &'static str> {
    let text = text.trim();
    let text = if text.contains("://") { text.to_owned() } else { format!("https://{text}") };
    let mut url = Url::parse(&text).map_err(|_| "it is not one")?;
    match url.scheme() {
        "https" => {}
        "http" if allow_loopback => {}
        "http" => return Err("with plain http the key would cross the network unprotected"),
        _ => return Err("it is not https"),
    }
    if !url.username().is_empty() || url.password().is_some() {
        return Err("it holds a user or a password, which belong to the credential");
    }
    if url.query().is_some() || url.fragment().is_some() {
        return Err("it has a query or a fragment (the part after ? or #)");
    }
    let public = match url.host() {
        Some(Host::Domain(host)) => host.trim_end_matches('.').contains('.'),
        Some(_) => true, // the transport says which addresses may be called
        None => false,
    };
    if !public && !allow_loopback {
        return Err("its host is not a name of the internet");
    }
    let path = url.path().trim_end_matches('/');
    let lower = path.to_ascii_lowercase();
    if PANEL_PATHS.iter().any(|panel| lower.starts_with(panel)) {
        return Err("it is a page of the control panel");
    }
    let store = lower.strip_suffix(API_PATH).map_or(path, |before| &path[..before.len()]).to_owned();
    url.set_path(&store);
    Ok(url)
}

/// Reads a text that is sent in a header. The error follows its name.
pub fn header(text: &str) -> Result<String, &'static str> {
    let text = text.trim();
    if text.is_empty() {
        Err("is empty")
    } else if text.chars().all(|c| c.is_ascii_graphic() || c == ' ') {
        Ok(text.to_owned())
    } else {
        Err("has a character that cannot be sent in an HTTP header")
    }
}

/// The key or token in `text`, without byte order mark and white space around it. The error follows its name.
pub fn key(text: &str) -> Result<&str, &'static str> {
    let text = password(text)?;
    if text.is_ascii() { Ok(text) } else { Err("has characters that no key has: copy it again, as plain text") }
}

/// [`key`], of which any character may be part.
pub fn password(text: &str) -> Result<&str, &'static str> {
    let text = text.trim_start_matches('\u{feff}').trim();
    if text.is_empty() {
        Err("is empty: nothing but white space was given")
    } else if text.contains(['\n', '\r']) {
        Err("has more than one line: give it alone, without a name before it or anything after it")
    } else if text.chars().any(char::is_control) {
        Err("has control characters in it: copy it again, as plain text")
    } else {
        Ok(text)
    }
}
