//! What `netosync check` says of the service's surroundings: the address of its pages, its unit, its webhook, its files with
//! connectors. Each only where it is configured or installed; a plain command-line user has none of them.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::path::Path;
use std::time::Duration;

use super::super::exit::{CliError, Exit};
use super::super::text;
use super::Finding;
use crate::config::{Config, SecretUrl};
use crate::connector::described::{Origin, Registry};
use crate::http::health::ALIVE;
use crate::http::serve::ListenError;

/// The unit this version comes with.
const UNIT: &str = include_str!("../../../systemd/netosync.service");

/// The program in it.
const PROGRAM: &str = "/usr/local/bin/netosync";

/// Where units are installed, in the order in which systemd looks.
const UNITS: [&str; 4] = [
    "/etc/systemd/system/netosync.service",
    "/usr/local/lib/systemd/system/netosync.service",
    "/usr/lib/systemd/system/netosync.service",
    "/lib/systemd/system/netosync.service",
];

/// How long our own service may take to say that it is there.
const ANSWER: Duration = Duration::from_secs(2);

/// Everything there is to say.
pub(super) fn look(config: &Config) -> Vec<Finding> {
    let installed = UNITS.iter().find_map(|path| Some((*path, std::fs::read_to_string(path).ok()?)));
    [
        config.http.listen.map(pages),
        installed.map(|(path, text)| unit(Path::new(path), &text)),
        config.notify.webhook_url.as_ref().map(webhook),
    ]
    .into_iter()
    .flatten()
    .chain(connectors(config))
    .collect()
}

/// Each file of the folder with connectors must be one.
fn connectors(config: &Config) -> Vec<Finding> {
    let subject = "connectors";
    let registry = Registry::load(config.connectors.dir.as_deref());
    let problem = |text: String| Finding::new(subject, Err(CliError::new(Exit::Configuration, text::one_line(&text))));
    let mut findings: Vec<_> = registry.trouble().map(|trouble| problem(trouble.to_owned())).into_iter().collect();
    let files = || registry.entries().map(|(_, entry)| entry).filter(|entry| entry.origin != Origin::BuiltIn);
    findings
        .extend(files().filter_map(|entry| entry.description.as_ref().err()).map(|wrong| problem(wrong.to_string())));
    if findings.is_empty() && files().next().is_some() {
        let replaced = files().filter(|entry| entry.replaces_built_in).count();
        let detail = format!("{} described in files, {replaced} of them instead of built-in ones", files().count());
        findings.push(Finding::new(subject, Ok(detail)));
    }
    findings
}

/// The address must be free, unless the service that has it is ours.
fn pages(address: SocketAddr) -> Finding {
    let subject = "http.listen";
    match TcpListener::bind(address) {
        Ok(_) => Finding::new(subject, Ok(format!("{address} is free"))),
        Err(_) if answers_as_ours(address) => Finding::new(subject, Ok(format!("netosync answers on {address}"))),
        Err(source) => Finding::new(subject, Err(CliError::from(ListenError { address, source }))),
    }
}

fn answers_as_ours(address: SocketAddr) -> bool {
    let asked = || {
        let mut stream = TcpStream::connect_timeout(&address, ANSWER)?;
        stream.set_read_timeout(Some(ANSWER))?;
        write!(stream, "GET /healthz HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\n\r\n")?;
        let mut answer = String::new();
        stream.take(4096).read_to_string(&mut answer)?;
        Ok::<_, std::io::Error>(answer)
    };
    asked().is_ok_and(|answer| answer.contains(ALIVE))
}

/// A unit that differs works, maybe without what a new version relies on.
fn unit(path: &Path, text: &str) -> Finding {
    let path = path.display();
    if text == UNIT.replace(PROGRAM, program(text)) {
        return Finding::new("unit", Ok(format!("{path} is the one of this version")));
    }
    Finding::note(
        "unit",
        format!(
            "{path} is not the one of this version; install it again and keep your own settings in a drop-in: \
             systemctl edit netosync"
        ),
    )
}

/// The program that a unit starts, which `PREFIX` of the installation decides.
fn program(unit: &str) -> &str {
    unit.lines().find_map(|line| line.strip_prefix("ExecStart=")?.strip_suffix(" run")).unwrap_or(PROGRAM)
}

/// Only what is true without asking anybody.
fn webhook(url: &SecretUrl) -> Finding {
    if url.to_string().starts_with("https://") {
        return Finding::new("notify.webhook_url", Ok(format!("notices go to {url}")));
    }
    Finding::note(
        "notify.webhook_url",
        format!("notices go to {url} in clear, for whoever is between to read; use https if it leaves this machine"),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_unit_of_this_version_is_known_and_another_is_a_note() {
        let path = Path::new("/etc/systemd/system/netosync.service");
        assert!(!unit(path, UNIT).note);
        assert!(!unit(path, &UNIT.replace(PROGRAM, "/usr/bin/netosync")).note, "installed with another prefix");
        let other = unit(path, &UNIT.replace("RestartSec=3", "RestartSec=1"));
        assert!(other.note && other.result.is_ok_and(|said| said.contains("systemctl edit")));
    }

    #[test]
    fn a_webhook_in_clear_is_a_note_and_no_token_is_shown() {
        for (url, note) in [("https://hooks.example.com/canary", false), ("http://hooks.example.com/canary", true)] {
            let found = webhook(&SecretUrl::new(url));
            let said = found.result.expect("never a problem");
            assert!(found.note == note && said.contains("//hooks.example.com") && !said.contains("canary"), "{said}");
        }
    }
}
