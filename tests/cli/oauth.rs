//! `oauth connect` and `oauth disconnect`, with a person's browser played by the test.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::process::{Child, Stdio};

use netosync::simulator::{SimulatedStore, SimulatorConfig};
use serde_json::Value;
use url::Url;

use crate::support::{Desk, Done};

/// What no output and no file may hold: tokens, codes and the client's secret.
const TELLING: [&str; 4] = ["simulated-access", "simulated-refresh", "simulated-code", "simulated-secret"];

/// A page, as far as a browser cares.
fn fetch(url: &str) -> (Option<String>, String) {
    let url: Url = url.parse().expect("a URL");
    let address = (url.host_str().expect("a host"), url.port().expect("a port"));
    let mut stream = TcpStream::connect(address).expect("somebody listens");
    let target = &url[url::Position::BeforePath..];
    write!(stream, "GET {target} HTTP/1.1\r\nHost: {}\r\nConnection: close\r\n\r\n", address.0).expect("sent");
    let mut answer = String::new();
    stream.read_to_string(&mut answer).expect("an answer");
    let location = answer.lines().find_map(|line| line.strip_prefix("location: ")).map(str::to_owned);
    (location, answer)
}

/// A command that waits for a person, and what it said up to that.
struct Waiting {
    process: Child,
    said: BufReader<std::process::ChildStdout>,
    /// Where the person is led to.
    url: String,
}

impl Waiting {
    fn start(desk: &Desk, shop: &SimulatedStore, args: &[&str]) -> Self {
        let mut command = desk.std_command(args);
        for (name, value) in settings(shop) {
            command.env(name, value);
        }
        let mut process =
            command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("it starts");
        let mut said = BufReader::new(process.stdout.take().expect("piped"));
        let mut line = String::new();
        while !line.contains("/oauth/v2/") {
            line.clear();
            assert_ne!(said.read_line(&mut line).expect("text"), 0, "it ended before it asked");
        }
        Self { process, said, url: line.trim().to_owned() }
    }

    fn ended(mut self) -> Done {
        let mut out = String::new();
        self.said.read_to_string(&mut out).expect("text");
        let mut done = Done::of(self.process.wait_with_output());
        done.out.insert_str(0, &out);
        done
    }
}

fn settings(shop: &SimulatedStore) -> [(&'static str, String); 3] {
    [
        ("NETOSYNC__OAUTH__V1_URL", shop.url()),
        ("NETOSYNC__OAUTH__V2_URL", shop.url()),
        ("NETOSYNC__LOG__FILTER", "trace".to_owned()),
    ]
}

fn run(desk: &Desk, shop: &SimulatedStore, args: &[&str], input: &str) -> Done {
    let mut command = desk.netosync(args);
    for (name, value) in settings(shop) {
        command.env(name, value);
    }
    Done::of(command.write_stdin(input).output().map_err(std::io::Error::other))
}

fn domain(shop: &SimulatedStore) -> String {
    shop.url().trim_start_matches("http://").to_owned()
}

/// A free port for the answer.
fn redirect() -> String {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").expect("a free port");
    format!("http://{}/callback", listener.local_addr().expect("an address"))
}

#[test]
fn a_store_is_connected_by_the_browser_synced_and_disconnected_and_no_secret_is_anywhere() {
    let desk = Desk::new();
    let shop = desk.shop(SimulatorConfig { products: 30, ..SimulatorConfig::default() });
    std::fs::write(desk.folder().join("client-secret"), "simulated-secret").expect("a file");
    let redirect = redirect();
    let client =
        ["--client-id", "simulated-client", "--client-secret-file", "client-secret", "--redirect-uri", &redirect];
    let domain = domain(&shop);
    let mut seen = Vec::new();

    let waiting =
        Waiting::start(&desk, &shop, &[&["oauth", "connect", "main", "--store-domain", &domain][..], &client].concat());
    // Answers that nobody asked for are turned away, and the right one is waited for on.
    let (_, forged) = fetch(&format!("{redirect}?code=stolen&state=forged"));
    assert!(forged.starts_with("HTTP/1.1 400"), "{forged}");
    let (back, _) = fetch(&waiting.url);
    let (_, told) = fetch(&back.expect("sent back"));
    assert!(told.starts_with("HTTP/1.1 200"), "{told}");
    seen.push(waiting.ended().exits(0).says(&["main", "granted: api openid", "consented: mokafor"]));

    seen.push(run(&desk, &shop, &["store", "check", "main"], "").exits(0).says(&["works"]));
    seen.push(run(&desk, &shop, &["sync", "main", "--json"], "").exits(0));
    shop.end_access_tokens();
    seen.push(run(&desk, &shop, &["sync", "main", "--json"], "").exits(0));
    seen.push(run(&desk, &shop, &["store", "show", "main"], "").exits(0).says(&["granted", "api openid"]));
    let shown = run(&desk, &shop, &["store", "show", "main", "--json"], "").exits(0);
    assert_eq!(shown.json()["remote_id"], "a1b2c3d4e5");
    seen.push(shown);
    shop.end_access_tokens();
    shop.end_refresh_tokens();
    seen.push(
        run(&desk, &shop, &["store", "check", "main"], "")
            .exits(5)
            .complains(&["must reconnect: netosync oauth connect main"]),
    );
    seen.push(run(&desk, &shop, &["why", "main"], "").says(&["do: netosync oauth connect main"]));

    let waiting = Waiting::start(&desk, &shop, &[&["oauth", "disconnect", "main"][..], &client].concat());
    let (back, _) = fetch(&waiting.url);
    fetch(&back.expect("sent back"));
    seen.push(waiting.ended().exits(0).says(&["disconnected main"]));

    for done in &seen {
        for telling in TELLING {
            assert!(!done.out.contains(telling) && !done.err.contains(telling), "{telling}: {done:#?}");
        }
    }
    for entry in std::fs::read_dir(desk.folder()).expect("the folder").map(|entry| entry.expect("an entry").path()) {
        let bytes = std::fs::read(&entry).unwrap_or_default();
        let ours = entry.file_name().is_some_and(|name| name.to_string_lossy().starts_with("copy.db"));
        for telling in TELLING.iter().filter(|_| ours) {
            assert!(!bytes.windows(telling.len()).any(|window| window == telling.as_bytes()), "{telling}: {entry:?}");
        }
    }
}

#[test]
fn a_code_is_taken_pasted_and_what_is_wrong_with_it_is_said() {
    let desk = Desk::new();
    let shop = desk.shop(SimulatorConfig { products: 3, ..SimulatorConfig::default() });
    std::fs::write(desk.folder().join("client-secret"), "simulated-secret").expect("a file");
    let domain = domain(&shop);
    let connect = |more: &[&str], input: &str| {
        let args = ["oauth", "connect", "--store-domain", &domain, "--paste", "--client-id", "simulated-client"];
        run(&desk, &shop, &[&args[..], &["--client-secret-file", "client-secret"], more].concat(), input)
    };

    connect(&[], "made-up\n").exits(5).complains(&["invalid_grant"]);
    connect(&[], "http://127.0.0.1:8723/callback?code=x&state=forged\n").exits(1).complains(&["no answer was pasted"]);
    connect(&[], "?error=access_denied&state=x\n").exits(1);
    run(&desk, &shop, &["oauth", "connect", "--store-domain", &domain], "").exits(3).complains(&["oauth.client_id"]);
    run(&desk, &shop, &["oauth", "connect", "--store-domain", "not a domain"], "").exits(2);
    assert_eq!(desk.json(&["store", "list", "--json"]), Value::Array(Vec::new()));

    let (back, _) = fetch(&format!(
        "{}/oauth/v2/auth?client_id=simulated-client&redirect_uri=http://127.0.0.1:8723/callback&state=x",
        shop.url()
    ));
    let code = back.and_then(|back| Some(back.split("code=").nth(1)?.split('&').next()?.to_owned())).expect("a code");
    let done = connect(&["--json"], &code).exits(0);
    assert_eq!((&done.json()["added"], &done.json()["scopes"]), (&Value::Bool(true), &"api openid".into()));
}
