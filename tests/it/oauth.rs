//! Tokens and connections by consent, against the simulated vendor, on both engines.

use std::collections::BTreeSet;
use std::sync::Arc;

use chrono::TimeDelta;
use netosync::clock::{SharedClock, SystemClock};
use netosync::connect::{self, Connect, ConnectError, Connected, Outcome, Party, UninstallNotice};
use netosync::connector::neto::oauth::Version;
use netosync::connector::oauth::Client;
use netosync::domain::error::ErrorClass;
use netosync::domain::run::{Run, RunKind, RunState, Verdict};
use netosync::domain::secret::Secret;
use netosync::domain::store::{Credential, CredentialState, Scheme, Store};
use netosync::simulator::oauth::{OauthConfig, TokenCall};
use netosync::simulator::{SimulatedStore, SimulatorConfig};
use netosync::storage::credentials::{SealedCredential, load_credential};
use netosync::storage::incidents;
use netosync::storage::oauth_states::Purpose;
use netosync::storage::store_removal;
use netosync::storage::stores::{self, StoreChanges};
use netosync::sync::Syncer;
use netosync::sync::plan::{Plan, Wish};
use netosync::tokens::{TokenError, Tokens, hosts};

use crate::support::world::World;
use crate::support::{TestDb, on_both_engines};

on_both_engines!(
    a_store_is_connected_and_its_token_renewed_before_it_ends,
    a_token_refused_in_the_middle_of_a_run_is_renewed_and_the_run_goes_on,
    a_token_refused_again_after_its_renewal_is_not_about_its_age,
    instances_that_want_a_new_token_at_once_make_one_call,
    a_dead_refresh_token_is_never_sent_again_and_the_merchant_has_to_reconnect,
    a_plan_renews_a_token_where_the_store_is_and_none_in_its_copy,
    the_first_version_is_asked_by_post_or_by_get,
    a_state_comes_back_once_in_time_and_from_here,
    a_code_is_good_once,
    an_answer_about_another_store_is_thrown_away,
    properties_of_another_store_are_too,
    a_vendor_that_says_nothing_about_a_store_is_trusted_by_an_operator_only,
    nothing_goes_to_a_domain_that_nobody_has_approved,
    a_merchant_who_takes_his_consent_back_leaves_no_token,
    an_uninstall_notice_is_believed_when_its_code_is,
);

const REDIRECT: &str = "http://127.0.0.1:8723/callback";

/// A world whose vendor is the shop itself.
struct Vendor {
    world: World,
    worker: Syncer,
    connect: Connect,
    domain: String,
}

impl Vendor {
    async fn new(db: TestDb, version: Version, oauth: OauthConfig) -> Self {
        let shop = SimulatorConfig { products: 250, oauth, ..SimulatorConfig::default() };
        let world = World::new(db, shop).await;
        // The store that stands for the shop with a key is not the one that is connected.
        store_removal::remove_store(&world.db, "shop").await.expect("removed");
        let url = world.shop.url();
        let settings = [("NETOSYNC__OAUTH__V1_URL", url.as_str()), ("NETOSYNC__OAUTH__V2_URL", url.as_str())];
        let worker = world.worker(&settings);
        let client = Client { id: "simulated-client".to_owned(), secret: Secret::new("simulated-secret") };
        let connect =
            Connect { tokens: worker.tokens(), client, party: Party::Neto { version, hosts: hosts(&worker.config) } };
        let domain = url.trim_start_matches("http://").to_owned();
        Self { world, worker, connect, domain }
    }

    fn shop(&self) -> &SimulatedStore {
        &self.world.shop
    }

    /// Begins, consents at the vendor's, and gives the state and the code that come back.
    async fn consent(&self, purpose: Purpose, domain: &str) -> (Secret, Secret) {
        let wish =
            connect::Wish { purpose, subject: domain.to_owned(), store_name: None, redirect_uri: REDIRECT.to_owned() };
        let (url, state) = self.connect.begin(&wish).await.expect("a beginning");
        let back = crate::support::http::location(url.as_str()).await;
        let back: url::Url = back.parse().expect("a URL");
        let get = |name: &str| back.query_pairs().find(|(key, _)| key == name).expect("there").1.into_owned();
        assert_eq!(get("state"), state.expose());
        (state, Secret::new(&get("code")))
    }

    async fn connected(&self, by_operator: bool) -> Result<Connected, ConnectError> {
        let (state, code) = self.consent(Purpose::Connect, &self.domain).await;
        let begun = self.connect.take(&state).await?;
        match self.connect.finish(&begun, &code, by_operator).await? {
            Outcome::Connected(connected) => Ok(*connected),
            Outcome::Disconnected(_) => panic!("connected"),
        }
    }

    async fn store(&self) -> Store {
        self.connected(true).await.expect("connected").store
    }

    async fn sync(&self, store: &Store) -> Run {
        self.world.sync_store(&self.worker, store).await
    }

    async fn credential(&self, store: &Store) -> SealedCredential {
        load_credential(&self.world.db, store.id).await.expect("read").expect("a credential")
    }

    /// Grants of the token endpoint, with their statuses.
    fn grants(&self) -> Vec<(String, u16)> {
        self.shop().token_calls().into_iter().map(|TokenCall { grant, status, .. }| (grant, status)).collect()
    }
}

fn grant(name: &str, status: u16) -> (String, u16) {
    (name.to_owned(), status)
}

async fn a_store_is_connected_and_its_token_renewed_before_it_ends(db: TestDb) {
    let vendor = Vendor::new(db, Version::V2, OauthConfig::default()).await;
    let connected = vendor.connected(true).await.expect("connected");
    let store = &connected.store;
    assert!(connected.added);
    assert_eq!(connected.scopes.as_deref(), Some("api openid"));
    assert_eq!(connected.title.as_deref(), Some("Harbour & Fern Pty Ltd"));
    assert_eq!(store.timezone.as_deref(), Some("Australia/Sydney"));
    assert_eq!(store.url.as_str(), format!("{}/v1/stores/a1b2c3d4e5", vendor.shop().url()));
    let first = vendor.credential(store).await;

    assert_eq!(vendor.sync(store).await.verdict, Some(Verdict::Complete));
    // Twenty-five of thirty minutes: within refresh_ahead_secs of the end.
    vendor.world.db.clock.advance(TimeDelta::minutes(25));
    assert_eq!(vendor.sync(store).await.verdict, Some(Verdict::Complete));

    let second = vendor.credential(store).await;
    assert_eq!(vendor.grants(), [grant("authorization_code", 200), grant("refresh_token", 200)]);
    assert_ne!(first.sealed.fingerprint, second.sealed.fingerprint);
    assert!(second.sealed.expires_at > first.sealed.expires_at && second.state == CredentialState::Ok);
    // The refresh token was replaced with it: the next renewal works too.
    vendor.world.db.clock.advance(TimeDelta::hours(5));
    assert_eq!(vendor.sync(store).await.verdict, Some(Verdict::Complete));
    assert_eq!(vendor.grants().len(), 3);
}

async fn a_token_refused_in_the_middle_of_a_run_is_renewed_and_the_run_goes_on(db: TestDb) {
    let vendor = Vendor::new(db, Version::V2, OauthConfig::default()).await;
    let store = vendor.store().await;
    vendor.shop().set_faults(vec!["revoke@2x1".parse().expect("a fault")]);

    let run = vendor.sync(&store).await;

    assert_eq!((run.state, run.verdict, run.counts.inserted), (RunState::Succeeded, Some(Verdict::Complete), 250));
    assert_eq!((run.attempt, vendor.grants().len()), (1, 2), "one refresh, within the attempt");
    assert_eq!(vendor.credential(&store).await.state, CredentialState::Ok);
}

async fn a_token_refused_again_after_its_renewal_is_not_about_its_age(db: TestDb) {
    let vendor = Vendor::new(db, Version::V2, OauthConfig::default()).await;
    let store = vendor.store().await;
    assert_eq!(vendor.sync(&store).await.state, RunState::Succeeded);
    vendor.shop().set_faults(vec!["revoke".parse().expect("a fault")]);

    let run = vendor.sync(&store).await;

    assert_eq!((run.state, run.error_class), (RunState::Cancelled, Some(ErrorClass::Unauthorized)));
    assert_eq!(vendor.credential(&store).await.state, CredentialState::Revoked);
    assert!(run.error.as_deref().unwrap_or_default().contains("netosync oauth connect 127.0.0.1-"), "{run:?}");
    assert_eq!(vendor.grants().len(), 2, "one refresh, at the first refusal");
}

async fn instances_that_want_a_new_token_at_once_make_one_call(db: TestDb) {
    let vendor = Vendor::new(db, Version::V2, OauthConfig::default()).await;
    let store = vendor.store().await;
    let ours = vendor.worker.tokens();
    let old = ours.vault.open(&ours.db, store.id, &store.name).await.expect("opened");
    let stop = tokio_util::sync::CancellationToken::new();
    let mut instances = Vec::new();
    // Whoever does not come first looks now and then, so time has to pass.
    let clock: SharedClock = Arc::new(SystemClock);
    for number in 1..=8 {
        let db = vendor.world.db.opened_again().await;
        instances.push(Tokens { db, name: format!("instance-{number}"), clock: clock.clone(), ..ours.clone() });
    }

    let renewals = instances.iter().map(|instance| instance.renew(&store, &old, &stop));
    let renewed = futures::future::join_all(renewals).await;

    let fingerprint =
        |renewed: Result<Option<Credential>, TokenError>| renewed.expect("renewed").expect("a token").fingerprint;
    let fingerprints: BTreeSet<_> = renewed.into_iter().map(fingerprint).collect();
    assert!(fingerprints.len() == 1 && !fingerprints.contains(&old.fingerprint), "{fingerprints:?}");
    assert_eq!(vendor.grants(), [grant("authorization_code", 200), grant("refresh_token", 200)]);
}

async fn a_dead_refresh_token_is_never_sent_again_and_the_merchant_has_to_reconnect(db: TestDb) {
    let vendor = Vendor::new(db, Version::V2, OauthConfig::default()).await;
    let store = vendor.store().await;
    assert_eq!(vendor.sync(&store).await.state, RunState::Succeeded);
    vendor.shop().end_access_tokens();
    vendor.shop().end_refresh_tokens();

    let run = vendor.sync(&store).await;

    let said = run.error.clone().unwrap_or_default();
    assert_eq!((run.state, run.error_class), (RunState::Cancelled, Some(ErrorClass::Unauthorized)));
    assert!(said.contains("the merchant must reconnect: netosync oauth connect"), "{said}");
    let credential = vendor.credential(&store).await;
    assert_eq!((credential.state, credential.sealed.refresh_secret), (CredentialState::Revoked, None));
    assert_eq!(incidents::open(&vendor.world.db, None).await.expect("listed").len(), 1);
    vendor.sync(&store).await;
    assert_eq!(vendor.grants(), [grant("authorization_code", 200), grant("refresh_token", 400)]);

    let again = vendor.connected(true).await.expect("connected again");
    assert!(!again.added && again.store.id == store.id);
    assert_eq!(vendor.sync(&store).await.state, RunState::Succeeded);
    assert_eq!(incidents::open(&vendor.world.db, None).await.expect("listed"), []);
}

async fn a_plan_renews_a_token_where_the_store_is_and_none_in_its_copy(db: TestDb) {
    let vendor = Vendor::new(db, Version::V2, OauthConfig::default()).await;
    let store = vendor.store().await;
    vendor.world.db.clock.advance(TimeDelta::hours(1));
    let wish = Wish { kind: RunKind::Full, approve_removals: false, max_calls: 100 };
    let planned = async || {
        let plan = Plan::prepare(&vendor.worker, &store, &wish).await.expect("a copy");
        let planned = plan.carry_out(&tokio_util::sync::CancellationToken::new()).await.expect("a plan");
        plan.throw_away().await;
        planned.run
    };

    let run = planned().await;
    assert_eq!((run.state, run.counts.inserted), (RunState::Succeeded, 250));
    assert_eq!(vendor.grants(), [grant("authorization_code", 200), grant("refresh_token", 200)]);

    vendor.shop().end_access_tokens();
    let run = planned().await;
    assert_eq!(run.error_class, Some(ErrorClass::Unauthorized));
    assert_eq!(vendor.grants().len(), 2, "a token got in the copy would go away with it");
    assert_eq!(vendor.sync(&store).await.state, RunState::Succeeded);
}

async fn the_first_version_is_asked_by_post_or_by_get(db: TestDb) {
    let vendor =
        Vendor::new(db, Version::V1, OauthConfig { get_only: true, camel_case: true, ..OauthConfig::default() }).await;

    let connected = vendor.connected(true).await.expect("connected");

    assert_eq!(connected.title.as_deref(), Some("Harbour & Fern"));
    assert_eq!(connected.user.as_deref(), Some("Marisol Okafor"));
    let methods: Vec<_> = vendor.shop().token_calls().into_iter().map(|call| (call.method, call.status)).collect();
    assert_eq!(methods, [("POST".to_owned(), 405), ("GET".to_owned(), 200)]);
    assert_eq!(vendor.credential(&connected.store).await.sealed.scheme, Scheme::Oauth);
    assert_eq!(vendor.sync(&connected.store).await.counts.inserted, 250);
}

async fn a_state_comes_back_once_in_time_and_from_here(db: TestDb) {
    let vendor = Vendor::new(db, Version::V2, OauthConfig::default()).await;
    let refusal = async |state: &Secret| vendor.connect.take(state).await.expect_err("refused").to_string();

    let (state, _) = vendor.consent(Purpose::Connect, &vendor.domain).await;
    let (first, second) = tokio::join!(vendor.connect.take(&state), vendor.connect.take(&state));
    assert_eq!(u8::from(first.is_ok()) + u8::from(second.is_ok()), 1, "of two who bring it, one is believed");
    assert!(refusal(&state).await.contains("used before"));
    assert!(refusal(&Secret::new("forged")).await.contains("nobody here"));

    let (late, _) = vendor.consent(Purpose::Connect, &vendor.domain).await;
    vendor.world.db.clock.advance(TimeDelta::minutes(10));
    assert!(refusal(&late).await.contains("late"));
    assert_eq!(vendor.grants(), [], "no code was sent for any of them");
}

async fn a_code_is_good_once(db: TestDb) {
    let vendor = Vendor::new(db, Version::V2, OauthConfig::default()).await;
    let (state, code) = vendor.consent(Purpose::Connect, &vendor.domain).await;
    let begun = vendor.connect.take(&state).await.expect("waited for");
    vendor.connect.finish(&begun, &code, true).await.expect("connected");

    let error = vendor.connect.finish(&begun, &code, true).await.expect_err("used");

    assert!(error.is_refusal() && error.to_string().contains("invalid_grant"), "{error}");
    assert_eq!(vendor.grants(), [grant("authorization_code", 200), grant("authorization_code", 400)]);
}

async fn an_answer_about_another_store_is_thrown_away(db: TestDb) {
    thrown_away(db, Version::V1).await;
}

async fn properties_of_another_store_are_too(db: TestDb) {
    thrown_away(db, Version::V2).await;
}

async fn thrown_away(db: TestDb, version: Version) {
    let elsewhere = OauthConfig { domain: Some("www.other.example".to_owned()), ..OauthConfig::default() };
    let vendor = Vendor::new(db, version, elsewhere).await;

    let error = vendor.connected(true).await.expect_err("another store");

    assert!(matches!(error, ConnectError::OtherStore { .. }), "{error}");
    assert!(stores::list_stores(&vendor.world.db).await.expect("listed").is_empty());
}

async fn a_vendor_that_says_nothing_about_a_store_is_trusted_by_an_operator_only(db: TestDb) {
    let vendor = Vendor::new(db, Version::V2, OauthConfig { reticent: true, ..OauthConfig::default() }).await;

    vendor.connected(false).await.expect_err("nothing ties the token to the domain");
    assert!(stores::list_stores(&vendor.world.db).await.expect("listed").is_empty());

    let store = vendor.connected(true).await.expect("connected").store;
    assert_eq!(store.domain.as_ref(), Some(&vendor.domain));
    assert_eq!(vendor.sync(&store).await.state, RunState::Succeeded);
}

async fn nothing_goes_to_a_domain_that_nobody_has_approved(db: TestDb) {
    let vendor = Vendor::new(db, Version::V1, OauthConfig::default()).await;
    let store = vendor.store().await;
    let calls = vendor.shop().calls_made();
    vendor.shop().move_to("www.moved.example");

    let again = vendor.connected(false).await.expect("the same store").store;

    assert_eq!((again.id, &again.url), (store.id, &store.url));
    assert_eq!(again.domain.as_deref(), Some("www.moved.example"));
    assert_eq!(again.pending_url.as_ref().map(url::Url::as_str), Some("https://www.moved.example/"));
    let now = vendor.worker.clock.now();
    let reloaded = stores::load_store(&vendor.world.db, store.id).await.expect("there");
    assert!(reloaded.is_paused(now), "it rests until a person has approved the address");
    assert!(reloaded.paused_reason.unwrap_or_default().contains("netosync store set"));
    assert_eq!(vendor.shop().calls_made(), calls);

    let url = again.pending_url;
    let changes = StoreChanges { url, ..StoreChanges::default() };
    let approved = stores::change_store(&vendor.world.db, &store.name, &changes).await.expect("approved");
    assert_eq!((approved.url.as_str(), &approved.pending_url), ("https://www.moved.example/", &None));
    assert!(!approved.is_paused(now), "approval ends the rest");
}

async fn a_merchant_who_takes_his_consent_back_leaves_no_token(db: TestDb) {
    let vendor = Vendor::new(db, Version::V2, OauthConfig::default()).await;
    let store = vendor.store().await;
    let (state, code) = vendor.consent(Purpose::Disconnect, &vendor.domain).await;
    let begun = vendor.connect.take(&state).await.expect("waited for");

    let Outcome::Disconnected(rested) = vendor.connect.finish(&begun, &code, true).await.expect("disconnected") else {
        panic!("disconnected");
    };

    assert_eq!(rested.id, store.id);
    assert!(rested.is_paused(vendor.worker.clock.now()));
    assert!(load_credential(&vendor.world.db, store.id).await.expect("read").is_none());

    let again = vendor.store().await;
    assert!(again.id == store.id && !again.is_paused(vendor.worker.clock.now()), "connected again, it goes on");
}

async fn an_uninstall_notice_is_believed_when_its_code_is(db: TestDb) {
    let vendor = Vendor::new(db, Version::V2, OauthConfig::default()).await;
    let store = vendor.store().await;
    let (_, code) = vendor.consent(Purpose::Disconnect, &vendor.domain).await;
    let notice = |code: Option<&str>| UninstallNotice {
        client_id: "simulated-client".to_owned(),
        store_id: Some("N000001".to_owned()),
        api_id: Some("a1b2c3d4e5".to_owned()),
        code: code.map(str::to_owned),
    };

    for forged in [notice(None), notice(Some("forged"))] {
        vendor.connect.uninstalled(&forged, REDIRECT, false).await.expect_err("not believed");
    }
    let another = UninstallNotice { client_id: "another".to_owned(), ..notice(Some(code.expose())) };
    vendor.connect.uninstalled(&another, REDIRECT, false).await.expect_err("not ours");
    assert!(load_credential(&vendor.world.db, store.id).await.expect("read").is_some());

    let gone = vendor.connect.uninstalled(&notice(Some(code.expose())), REDIRECT, false).await.expect("believed");
    assert_eq!(gone.id, store.id);
    assert!(load_credential(&vendor.world.db, store.id).await.expect("read").is_none());
}
