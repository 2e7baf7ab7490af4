//! The pages on which merchants connect their stores, of a real service and over real sockets.

use netosync::simulator::{SimulatedStore, SimulatorConfig};

use crate::http::address;
use crate::pages::{Page, get, send};
use crate::service::Service;
use crate::support::Machine;

/// A service with pages for merchants, and the shop whose vendor they are led to.
struct Desk {
    machine: Machine,
    shop: SimulatedStore,
    service: Service,
    address: String,
}

impl Desk {
    async fn new() -> Self {
        let machine = Machine::new();
        machine.write("client-secret", "simulated-secret\n");
        let config = SimulatorConfig { products: 12, ..SimulatorConfig::default() };
        let shop = SimulatedStore::start("127.0.0.1:0".parse().expect("an address"), config).await.expect("a shop");
        let url = shop.url();
        let service = Service::start(
            &machine,
            &[],
            &[
                ("NETOSYNC__HTTP__LISTEN", "127.0.0.1:0"),
                ("NETOSYNC__OAUTH__PUBLIC_URL", "https://sync.example"),
                ("NETOSYNC__OAUTH__CLIENT_ID", "simulated-client"),
                ("NETOSYNC__OAUTH__CLIENT_SECRET_FILE", "client-secret"),
                ("NETOSYNC__OAUTH__V1_URL", &url),
                ("NETOSYNC__OAUTH__V2_URL", &url),
                ("NETOSYNC__TRANSPORT__ALLOW_LOOPBACK", "true"),
            ],
        );
        let address = address(&service);
        Self { machine, shop, service, address }
    }

    fn domain(&self) -> String {
        self.shop.url().trim_start_matches("http://").to_owned()
    }

    /// Consents at the vendor's, for what `install` led to, and gives the address that the browser is sent back to.
    fn consented(&self, install: Page) -> String {
        assert_eq!(install.status, 303, "{install:?}");
        let vendor = location(install);
        let path = vendor.strip_prefix(&self.shop.url()).expect("the vendor's own address");
        let back = location(get(&self.domain(), path));
        back.strip_prefix("https://sync.example").expect("our own address").to_owned()
    }

    fn install(&self) -> Page {
        get(&self.address, &format!("/oauth/neto/install?store_domain={}", self.domain()))
    }

    fn stores(&self) -> Vec<serde_json::Value> {
        let listed = self.machine.run(&["store", "list", "--json"]);
        serde_json::from_str::<Vec<_>>(&listed.stdout).expect("a list")
    }
}

fn location(page: Page) -> String {
    page.location.unwrap_or_else(|| panic!("no location: {}", page.body))
}

#[tokio::test(flavor = "multi_thread")]
async fn a_merchant_connects_his_store_and_a_replayed_or_forged_answer_connects_nothing() {
    let desk = Desk::new().await;

    let refused = get(&desk.address, "/oauth/neto/callback?code=stolen&state=forged");
    assert!(refused.status == 400 && refused.body.contains("nobody here has asked"), "{refused:?}");
    let stateless = get(&desk.address, "/oauth/neto/callback?code=stolen");
    assert!(stateless.status == 400 && stateless.body.contains("has no state"), "{stateless:?}");
    let denied = desk.consented(desk.install()).replace("code=", "error=access_denied&was=");
    let denied = get(&desk.address, &denied);
    assert!(denied.status == 400 && denied.body.contains("not granted"), "{denied:?}");
    assert_eq!((desk.shop.token_calls().len(), desk.stores().len()), (0, 0));

    let back = desk.consented(desk.install());
    let connected = get(&desk.address, &back);
    assert!(
        connected.status == 200 && connected.body.contains("Harbour &amp; Fern Pty Ltd is connected"),
        "{connected:?}"
    );
    assert!(connected.body.contains("api openid"), "scopes are shown: {connected:?}");
    assert!(connected.head.contains("referrer-policy: no-referrer"), "{connected:?}");
    let replayed = get(&desk.address, &back);
    assert!(replayed.status == 400 && replayed.body.contains("used before"), "{replayed:?}");
    assert_eq!((desk.shop.token_calls().len(), desk.stores().len()), (1, 1));

    // Whoever installs the add-on from the control panel lands on the callback first.
    let panel = get(&desk.address, &format!("/oauth/neto/callback?store_domain={}&store_id=N1", desk.domain()));
    assert_eq!(panel.status, 303, "{panel:?}");
    let nowhere = get(&desk.address, "/oauth/neto/install?store_domain=javascript:alert(1)");
    assert!(nowhere.status == 400 && !nowhere.body.contains("alert"), "{nowhere:?}");
    secrets_are_nowhere(desk, &back);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_merchant_who_removes_the_add_on_is_forgotten_and_a_forged_notice_changes_nothing() {
    let desk = Desk::new().await;
    get(&desk.address, &desk.consented(desk.install()));
    let notice = |code: &str| {
        let body =
            format!(r#"{{"client_id":"simulated-client","store_id":"N000001","api_id":"a1b2c3d4e5","code":"{code}"}}"#);
        let head =
            format!("POST /oauth/neto/uninstall HTTP/1.1\r\nHost: {}\r\nContent-Length: {}", desk.address, body.len());
        send(&desk.address, format!("{head}\r\n\r\n{body}").as_bytes())
    };

    assert_eq!(notice("forged").status, 400);
    assert_eq!(desk.stores()[0]["credential"]["state"], "ok");

    let query = format!(
        "client_id=simulated-client&redirect_uri=https://sync.example/oauth/neto/callback&state=x&store_domain={}",
        desk.domain()
    );
    let deauthorized = location(get(&desk.domain(), &format!("/oauth/v2/deauth?version=2&{query}")));
    let code = deauthorized.split("code=").nth(1).and_then(|rest| rest.split('&').next()).expect("a code").to_owned();
    let gone = notice(&code);

    assert_eq!(gone.status, 204, "{gone:?}");
    let store = &desk.stores()[0];
    assert!(store["credential"].is_null() && store["paused"] == true, "{store}");
    assert!(store["paused_reason"].as_str().unwrap_or_default().contains("removed the add-on"), "{store}");
}

/// No token, code or client secret is in the log.
fn secrets_are_nowhere(desk: Desk, back: &str) {
    desk.service.signal("TERM");
    let log = desk.service.rest();
    assert!(log.contains("connected"), "{log}");
    let code = back.split("code=").nth(1).and_then(|rest| rest.split('&').next()).expect("a code");
    for told in [code, "simulated-secret", "simulated-access", "simulated-refresh"] {
        assert!(!log.contains(told), "{told} is in the log: {log}");
    }
}
