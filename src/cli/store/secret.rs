//! Where keys and tokens come from: a file, standard input, or a prompt that shows nothing. Never the command line or
//! the environment, which other programs can read. No message of this file repeats what was given.

use std::fs::File;
use std::io::{self, IsTerminal, Read};
use std::path::Path;

use zeroize::Zeroizing;

use crate::cli::complain;
use crate::cli::exit::{CliError, Exit};
use crate::domain::given;
use crate::domain::secret::Secret;
use crate::domain::store::Scheme;

/// More is no key or token.
const MOST_BYTES: usize = 16 << 10;

/// The characters of a Neto API key (spec: Neto API §2).
const API_KEY_LENGTH: usize = 32;

/// Reads the key or token of the store `name`.
pub fn read(key_file: Option<&Path>, name: &str, scheme: Scheme) -> Result<Secret, CliError> {
    let what = what(scheme);
    let text = match key_file {
        Some(path) if path == Path::new("-") => all(io::stdin().lock(), what)?,
        // The path is not repeated: it may be the key itself, given by mistake.
        Some(path) => {
            let file = File::open(path).map_err(|error| {
                CliError::usage(format!(
                    "the file named by --key-file cannot be read: {error}; it takes the path of a file that holds the {what}, not the {what} itself"
                ))
            })?;
            all(file, what)?
        }
        None if io::stdin().is_terminal() => {
            Zeroizing::new(rpassword::prompt_password(format!("{what} of {name} (not shown): "))?)
        }
        None => {
            return Err(CliError::usage(format!(
                "no {what}: name the file that holds it with --key-file PATH, or --key-file - to read it from standard input; on a terminal it is asked for"
            )));
        }
    };
    let text = check(&text, what, scheme == Scheme::Login)?;
    if scheme == Scheme::ApiKey && text.len() != API_KEY_LENGTH {
        complain(&format!(
            "warning: this key has {} characters, Neto's have {API_KEY_LENGTH}; a key copied from a narrow form field is often cut short",
            text.len()
        ));
    }
    Ok(Secret::new(text))
}

/// What is asked for.
fn what(scheme: Scheme) -> &'static str {
    match scheme {
        Scheme::ApiKey => "API key",
        Scheme::HeaderKey | Scheme::HeaderPair => "key",
        Scheme::ClientCredentials => "client secret",
        Scheme::Login => "password",
        Scheme::Oauth | Scheme::Bearer | Scheme::AuthorizationCode => "access token",
    }
}

/// Reads to the end. The buffer has its size from the beginning, so growing leaves no copy behind.
fn all(from: impl Read, what: &str) -> Result<Zeroizing<String>, CliError> {
    let mut bytes = Zeroizing::new(Vec::with_capacity(MOST_BYTES + 1));
    let failed =
        |error: &dyn std::fmt::Display| CliError::new(Exit::Failed, format!("the {what} cannot be read: {error}"));
    from.take(MOST_BYTES as u64 + 1).read_to_end(&mut bytes).map_err(|error| failed(&error))?;
    if bytes.len() > MOST_BYTES {
        return Err(failed(&format!("there are more than {MOST_BYTES} bytes, so this is not the {what} alone")));
    }
    match std::str::from_utf8(&bytes) {
        Ok(text) => Ok(Zeroizing::new(text.to_owned())),
        Err(_) => Err(failed(&"it is not text in UTF-8; save the file as plain text")),
    }
}

/// The key or token in `text`, without byte order mark and white space around it. Only a password may have any character.
fn check<'a>(text: &'a str, what: &str, any: bool) -> Result<&'a str, CliError> {
    let read = if any { given::password(text) } else { given::key(text) };
    read.map_err(|why| CliError::usage(format!("the {what} {why}")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn white_space_and_a_byte_order_mark_around_a_key_are_nothing() {
        assert_eq!(check("\u{feff} not-a-key\r\n", "API key", false).expect("a key"), "not-a-key");
    }

    #[test]
    fn what_cannot_be_a_key_is_refused_without_repeating_it() {
        for text in ["", " \r\n", "canary\ncanary", "canary\u{1b}[31m", "canary\0", "canaryé"] {
            let error = check(text, "API key", false).expect_err(text);
            assert_eq!(error.exit, Exit::Usage);
            assert!(!error.message.contains("canary"), "{}", error.message);
        }
        assert_eq!(check("pässwörd", "password", true).expect("one"), "pässwörd");
        let long = vec![b'a'; MOST_BYTES + 1];
        assert!(all(&long[..], "API key").is_err() && all(&long[1..], "API key").is_ok());
        assert!(all(&b"\xff\xfe"[..], "API key").is_err());
    }
}
