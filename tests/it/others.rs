//! The built-in connectors against the systems they describe: every way in, every stream, tokens that end, consents that are taken
//! back. On both engines.

use std::collections::BTreeSet;

use netosync::connect::{Connect, Outcome, Party, Wish};
use netosync::connector::described::Registry;
use netosync::connector::oauth::Client;
use netosync::domain::error::ErrorClass;
use netosync::domain::run::{Run, RunKind, RunState, Trigger, Verdict};
use netosync::domain::secret::Secret;
use netosync::domain::store::{CredentialState, Scheme, Store};
use netosync::storage::credentials::load_credential;
use netosync::storage::crypter::{Crypter, MasterKey};
use netosync::storage::oauth_states::Purpose;
use netosync::storage::runs::{self, Claim};
use netosync::storage::stores::{self, NewStore};
use netosync::storage::vault::{PlainCredential, Vault};
use netosync::sync::Syncer;
use tokio_util::sync::CancellationToken;
use url::Url;

use crate::support::fakes::neos::FakeNeos;
use crate::support::fakes::net_api::FakeNetApi;
use crate::support::fakes::net_explorer::{FakeNetExplorer, PASSWORD, USER};
use crate::support::fakes::{Asked, Fake, Kind, System};
use crate::support::mirrored::texts;
use crate::support::world::{config, worker};
use crate::support::{TestDb, http, on_both_engines};

on_both_engines!(
    a_platform_is_mirrored_with_all_its_streams_by_client_credentials,
    tokens_that_end_in_the_middle_of_a_run_are_got_anew_and_the_run_goes_on,
    a_platform_without_anything_is_empty_and_no_error,
    a_platform_of_before_is_logged_in_to,
    a_token_endpoint_may_be_elsewhere,
    a_client_that_is_revoked_ends_revoked_and_comes_back_by_itself,
    the_net_api_takes_its_key_a_client_and_a_consent,
    a_consent_to_the_net_api_is_refreshed_until_it_is_taken_back,
    a_profile_is_found_under_the_one_path_or_the_other,
);

const SECRET: &str = "fake-client-secret";
const REDIRECT: &str = "http://localhost:8080/";

/// A database with a store of a system that is faked, and a worker.
struct Office<S: System> {
    db: TestDb,
    fake: Fake<S>,
    connector: &'static str,
    syncer: Syncer,
}

impl<S: System> Office<S> {
    async fn new(db: TestDb, connector: &'static str, system: S) -> Self {
        let fake = Fake::start(system).await;
        let (config, clock) = (config(&[]), db.clock.clone());
        let vault = Vault::new(Crypter::new(MasterKey::generate(), Vec::new()));
        let syncer = worker(&db, config, vault, Registry::built_in(), clock);
        Self { db, fake, connector, syncer }
    }

    fn url(&self) -> Url {
        self.fake.url().parse().expect("a URL")
    }

    /// A store with that credential.
    async fn store(&self, credential: PlainCredential) -> Store {
        let new = NewStore {
            name: format!("store-{}", credential.scheme),
            connector: self.connector.to_owned(),
            url: self.url(),
            timezone: None,
            schedule_full: None,
            schedule_incremental: None,
            schedule_sweep: None,
            calls_per_minute: None,
        };
        let store = stores::add_store(&self.db, &new).await.expect("a new store");
        self.syncer.vault.put(&self.db, store.id, credential).await.expect("a sealed credential");
        store
    }

    /// A store whose tokens are bought with client id and secret.
    async fn store_of_client(&self) -> Store {
        self.store(client_credentials(SECRET)).await
    }

    /// A store that is connected by somebody's consent.
    async fn store_by_consent(&self) -> Store {
        let description = self.syncer.connectors.get(self.connector).expect("built in");
        let party = Party::described(description, &self.url(), None).expect("it knows consent");
        let client = Client { id: "fake-client".to_owned(), secret: Secret::new(SECRET) };
        let connect = Connect { tokens: self.syncer.tokens(), client, party };
        let wish = Wish {
            purpose: Purpose::Connect,
            subject: self.url().to_string(),
            store_name: Some("consented".to_owned()),
            redirect_uri: REDIRECT.to_owned(),
        };
        let (url, _) = connect.begin(&wish).await.expect("a beginning");
        let back: Url = http::location(url.as_str()).await.parse().expect("a URL");
        let get = |name: &str| back.query_pairs().find(|(key, _)| key == name).expect("there").1.into_owned();
        let begun = connect.take(&Secret::new(&get("state"))).await.expect("waited for");
        match connect.finish(&begun, &Secret::new(&get("code")), true).await.expect("connected") {
            Outcome::Connected(connected) => connected.store,
            Outcome::Disconnected(_) => panic!("connected"),
        }
    }

    /// Syncs; the rests of a key in doubt pass.
    async fn sync(&self, store: &Store) -> Run {
        let run = runs::enqueue(&self.db, store.id, RunKind::Full, Trigger::Manual, self.syncer.clock.now()).await;
        let id = run.expect("a queue").0.id;
        loop {
            let lease_for = self.syncer.config.worker.lease();
            let claim =
                Claim { owner: &self.syncer.owner, lease_for, only: Some(id), limit: 1, now: self.syncer.clock.now() };
            let (run, lease) = runs::claim(&self.db, &claim).await.expect("a queue").pop().expect("it is due");
            self.syncer.execute(run, lease, &CancellationToken::new()).await.expect("the database works");
            let run = runs::get(&self.db, id).await.expect("the database works").expect("the run stays");
            if (run.state, run.error_class) != (RunState::Queued, Some(ErrorClass::Unauthorized)) {
                return run;
            }
            self.db.clock.advance(run.scheduled_at - self.syncer.clock.now());
        }
    }

    async fn keys(&self, stream: &str) -> BTreeSet<String> {
        let sql = format!("SELECT key FROM records WHERE stream = '{stream}' AND removed_at IS NULL");
        texts(&self.db, &sql).await.into_iter().flatten().flatten().collect()
    }

    async fn state(&self, store: &Store) -> CredentialState {
        load_credential(&self.db, store.id).await.expect("read").expect("a credential").state
    }

    /// Calls of the token endpoint, by grant.
    fn grants(&self) -> Vec<String> {
        let of = |asked: &Asked| asked.fields().get("grant_type").cloned().unwrap_or_else(|| "login".to_owned());
        self.fake.asked().iter().filter(|asked| asked.kind == Kind::Token).map(of).collect()
    }

    /// Holds that what buys tokens went to the token endpoint only.
    fn assert_secrets_went_to_the_token_endpoint_only(&self) {
        for asked in self.fake.asked().iter().filter(|asked| asked.kind != Kind::Token) {
            for secret in [SECRET, PASSWORD] {
                assert!(!format!("{asked:?}").contains(secret), "{asked:?}");
            }
        }
    }
}

fn client_credentials(secret: &str) -> PlainCredential {
    PlainCredential {
        client_id: Some("fake-client".to_owned()),
        client_secret: Some(Secret::new(secret)),
        ..PlainCredential::new(Scheme::ClientCredentials, Secret::new(""))
    }
}

fn complete(run: &Run) {
    assert_eq!((run.state, run.verdict, &run.error), (RunState::Succeeded, Some(Verdict::Complete), &None));
}

async fn a_platform_is_mirrored_with_all_its_streams_by_client_credentials(db: TestDb) {
    let office = Office::new(db, "netexplorer", FakeNetExplorer::new(7, 40)).await;
    let store = office.store_of_client().await;

    complete(&office.sync(&store).await);

    let (files, folders) = {
        let system = office.fake.system();
        (system.tree.files(), system.tree.folders())
    };
    assert_eq!(office.keys("files").await, files.into_iter().collect());
    assert_eq!(office.keys("folders").await, folders.iter().map(ToString::to_string).collect());
    let five: BTreeSet<_> = (1..=5).map(|id| id.to_string()).collect();
    assert_eq!((office.keys("users").await, office.keys("groups").await), (five.clone(), five));
    assert_eq!(office.keys("logs").await.len(), 1);
    assert_eq!(office.grants(), ["client_credentials"]);

    let again = office.sync(&store).await;
    complete(&again);
    assert_eq!((again.counts.inserted, again.counts.updated), (0, 0));
    let changed = office.fake.system().tree.files()[0].clone();
    office.fake.system().tree.change_file(&changed);
    office.fake.system().put_user(6, "new");
    let third = office.sync(&store).await;
    complete(&third);
    // The user, and the line of the log that tells of it; the version of the file.
    assert_eq!((third.counts.inserted, third.counts.updated), (2, 1));
    office.assert_secrets_went_to_the_token_endpoint_only();
}

async fn tokens_that_end_in_the_middle_of_a_run_are_got_anew_and_the_run_goes_on(db: TestDb) {
    let office = Office::new(db, "netexplorer", FakeNetExplorer::new(7, 10)).await;
    office.fake.system().office.calls_per_token = Some(2);
    let store = office.store_of_client().await;

    let run = office.sync(&store).await;

    complete(&run);
    assert_eq!(run.attempt, 1);
    assert!(office.grants().len() > 2, "{:?}", office.grants());
    assert_eq!(office.keys("files").await.len(), 10);
    assert_eq!(office.state(&store).await, CredentialState::Ok);
}

async fn a_platform_without_anything_is_empty_and_no_error(db: TestDb) {
    let mut system = FakeNetExplorer::new(7, 0);
    (system.users, system.groups, system.logs) = Default::default();
    let office = Office::new(db, "netexplorer", system).await;
    let store = office.store_of_client().await;

    complete(&office.sync(&store).await);

    assert!(office.fake.asked().iter().any(|asked| asked.status == 204), "the platform says so without a body");
    assert!(office.keys("users").await.is_empty());
}

async fn a_platform_of_before_is_logged_in_to(db: TestDb) {
    let office = Office::new(db, "netexplorer", FakeNetExplorer::new(7, 3)).await;
    let login = |password: &str| PlainCredential {
        username: Some(USER.to_owned()),
        refresh: Some(Secret::new(password)),
        ..PlainCredential::new(Scheme::Login, Secret::new(""))
    };
    let store = office.store(login(PASSWORD)).await;

    complete(&office.sync(&store).await);
    assert_eq!(office.grants(), ["login"]);
    office.fake.system().office.end_access();
    complete(&office.sync(&store).await);
    assert_eq!(office.grants(), ["login", "login"]);

    office.syncer.vault.put(&office.db, store.id, login("wrong")).await.expect("stored");
    let run = office.sync(&store).await;
    assert_eq!((run.state, run.error_class), (RunState::Failed, Some(ErrorClass::Unauthorized)), "{:?}", run.error);
    assert_eq!(office.state(&store).await, CredentialState::Suspect, "one that has never worked");
    office.assert_secrets_went_to_the_token_endpoint_only();
}

async fn a_token_endpoint_may_be_elsewhere(db: TestDb) {
    let mut system = FakeNetExplorer::new(7, 3);
    system.token_path = "/api/authorize";
    let office = Office::new(db, "netexplorer", system).await;
    let token_url = office.url().join("/api/authorize").expect("a URL");

    let store = office.store(PlainCredential { token_url: Some(token_url), ..client_credentials(SECRET) }).await;

    complete(&office.sync(&store).await);
}

async fn a_client_that_is_revoked_ends_revoked_and_comes_back_by_itself(db: TestDb) {
    let office = Office::new(db, "netexplorer", FakeNetExplorer::new(7, 3)).await;
    let store = office.store_of_client().await;
    complete(&office.sync(&store).await);
    office.fake.system().office.revoke();

    let run = office.sync(&store).await;

    assert_eq!((run.state, run.error_class), (RunState::Cancelled, Some(ErrorClass::Unauthorized)), "{:?}", run.error);
    assert_eq!(office.state(&store).await, CredentialState::Revoked);
    assert_eq!(office.keys("files").await.len(), 3, "nothing is lost by it");

    office.fake.system().office.restore();
    complete(&office.sync(&store).await);
    assert_eq!(office.state(&store).await, CredentialState::Ok);
}

async fn the_net_api_takes_its_key_a_client_and_a_consent(db: TestDb) {
    let office = Office::new(db, "net-api", FakeNetApi::new(4)).await;
    let by_key = office.store(PlainCredential::new(Scheme::Bearer, Secret::new("fake-api-key"))).await;
    let by_client = office.store_of_client().await;
    let by_consent = office.store_by_consent().await;

    for store in [&by_key, &by_client, &by_consent] {
        let run = office.sync(store).await;
        complete(&run);
        assert_eq!(run.counts.inserted, 4, "{}", store.name);
    }
    assert_eq!(office.grants(), ["authorization_code", "client_credentials"]);

    let wrong = PlainCredential::new(Scheme::Bearer, Secret::new("not-the-key"));
    office.syncer.vault.put(&office.db, by_key.id, wrong).await.expect("stored");
    let run = office.sync(&by_key).await;
    assert!(run.error.as_deref().unwrap_or_default().contains("UNAUTHENTICATED"), "its own words: {:?}", run.error);
}

async fn a_consent_to_the_net_api_is_refreshed_until_it_is_taken_back(db: TestDb) {
    let office = Office::new(db, "net-api", FakeNetApi::new(4)).await;
    let store = office.store_by_consent().await;
    complete(&office.sync(&store).await);
    office.fake.system().office.end_access();
    complete(&office.sync(&store).await);
    office.fake.system().office.end_access();
    complete(&office.sync(&store).await);
    assert_eq!(office.grants(), ["authorization_code", "refresh_token", "refresh_token"], "each good for one use");

    office.fake.system().office.revoke();
    office.fake.system().office.restore();
    let run = office.sync(&store).await;

    assert_eq!((run.state, run.error_class), (RunState::Cancelled, Some(ErrorClass::Unauthorized)), "{:?}", run.error);
    assert!(run.error.as_deref().unwrap_or_default().contains("netosync oauth connect consented"), "{:?}", run.error);
    assert_eq!(office.state(&store).await, CredentialState::Revoked);
    let calls = office.grants().len();
    office.sync(&store).await;
    assert_eq!(office.grants().len(), calls, "what is dead is not sent again");
}

async fn a_profile_is_found_under_the_one_path_or_the_other(db: TestDb) {
    let office = Office::new(db, "neos", FakeNeos::default()).await;
    let store = office.store_by_consent().await;
    let consent = office.fake.asked().into_iter().find(|asked| asked.kind == Kind::Consent).expect("asked");
    assert_eq!(consent.query["scope"], "profile email");

    complete(&office.sync(&store).await);
    assert_eq!(office.keys("profile").await, BTreeSet::from(["U-Example".to_owned()]));

    office.fake.system().plural_only = true;
    let again = office.sync(&store).await;
    complete(&again);
    assert_eq!((again.counts.seen, again.counts.unchanged), (1, 1));

    // Without a refresh token it takes a person.
    office.fake.system().office.revoke();
    let run = office.sync(&store).await;
    assert_eq!(office.state(&store).await, CredentialState::Revoked);
    assert!(run.error.as_deref().unwrap_or_default().contains("must reconnect"), "{:?}", run.error);
    office.assert_secrets_went_to_the_token_endpoint_only();
}
