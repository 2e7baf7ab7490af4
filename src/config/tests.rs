use std::collections::BTreeMap;
use std::path::Path;

use super::{Config, ConfigError, DEFAULT_TOML, LogFormat, rules};

const FILE: &str = "/etc/netosync/config.toml";

fn env(pairs: &[(&str, &str)]) -> BTreeMap<String, String> {
    pairs.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
}

fn with_file(text: &str) -> Result<Config, ConfigError> {
    Config::from_parts(Some((Path::new(FILE), text)), &BTreeMap::new())
}

fn with_env(name: &str, value: &str) -> Result<Config, ConfigError> {
    Config::from_parts(None, &env(&[(name, value)]))
}

fn error(result: Result<Config, ConfigError>) -> String {
    result.expect_err("the configuration is wrong").to_string()
}

#[test]
fn the_defaults_load() {
    let config = Config::from_parts(None, &BTreeMap::new()).expect("defaults");
    assert_eq!(config.database.url.expose(), "sqlite://netosync.db?mode=rwc");
    assert_eq!(config.fetch.max_body_bytes, 64 << 20);
    assert_eq!(config.schedule.timezone, chrono_tz::UTC);
    assert!(config.http.listen.is_none() && config.notify.webhook_url.is_none() && config.secrets.key_file.is_none());
}

#[test]
fn the_production_example_loads() {
    let config = with_file(include_str!("../../config/example.production.toml")).expect("example");
    assert_eq!(config.log.format, LogFormat::Json);
    assert_eq!(config.worker.slots, 16);
}

#[test]
fn the_environment_overrides_the_file_and_the_file_the_defaults() {
    let file = Some((Path::new(FILE), "[worker]\nslots = 8\nlease_secs = 30\n"));
    let config = Config::from_parts(file, &env(&[("NETOSYNC__WORKER__SLOTS", "16"), ("NETOSYNC_OTHER", "x")]));
    let worker = config.expect("valid").worker;
    assert_eq!((worker.slots, worker.lease_secs, worker.max_attempts), (16, 30, 5));
}

#[test]
fn every_key_has_a_rule_in_its_place_a_default_and_a_comment_above_it() {
    let (mut section, mut commented, mut found) = (String::new(), false, Vec::new());
    for line in DEFAULT_TOML.lines().map(str::trim) {
        if let Some(name) = line.strip_prefix('[') {
            section = name.trim_end_matches(']').to_owned();
            commented = false;
        } else if line.starts_with('#') {
            commented = true;
        } else if let Some((key, _)) = line.split_once('=') {
            let field = format!("{section}.{}", key.trim());
            assert!(commented, "{field} has no comment in default.toml");
            commented = false;
            found.push(field);
        }
    }
    assert_eq!(found, rules::fields().collect::<Vec<_>>());
}

#[test]
fn an_unknown_key_is_an_error_that_names_what_exists() {
    assert_eq!(
        error(with_file("[worker]\nslot = 3\n")),
        "worker.slot (from /etc/netosync/config.toml) is not a setting; [worker] has slots, lease_secs, slice_secs, max_attempts"
    );
    let unknown = error(with_env("NETOSYNC__WROKER__SLOTS", "3"));
    assert!(unknown.starts_with("wroker.slots (from environment variable NETOSYNC__WROKER__SLOTS) is not a setting; the sections are database,"), "{unknown}");
    for name in ["NETOSYNC__", "NETOSYNC____SLOTS", "NETOSYNC__WORKER", "NETOSYNC__WORKER__SLOTS__X"] {
        assert!(error(with_env(name, "3")).contains("is not a setting"), "{name}");
    }
    assert!(error(with_file("worker = 3\n")).starts_with("worker (from"));
    assert!(error(with_file("worker = [1]\n")).starts_with("worker (from"));
}

#[test]
fn a_value_out_of_range_names_key_value_origin_and_rule() {
    assert_eq!(
        error(with_file("[worker]\nslots = 0\n")),
        "worker.slots = 0 (from /etc/netosync/config.toml): must be a whole number from 1 to 1024"
    );
    assert_eq!(
        error(with_env("NETOSYNC__BUDGET__CALLS_PER_MINUTE", "many")),
        "budget.calls_per_minute = \"many\" (from environment variable NETOSYNC__BUDGET__CALLS_PER_MINUTE): \
         must be a whole number from 1 to 1000000"
    );
}

#[test]
fn every_rule_refuses_nonsense() {
    let wrong = [
        "[worker]\nslots = 2.7",
        "[worker]\nslots = \"4\"",
        "[worker]\nlease_secs = 4",
        "[removal]\nmax_share = 1.5",
        "[removal]\nmax_share = nan",
        "[quarantine]\nmax_share = -0.1",
        "[transport]\nallow_loopback = \"yes\"",
        "[schedule]\nfull = \"0 3 * *\"",
        "[schedule]\nfull = \"0 0 3 * * 0\"",
        "[schedule]\nsweep = \"61 * * * *\"",
        "[schedule]\ntimezone = \"Brisbane\"",
        "[database]\nurl = \"mysql://h/db\"",
        "[database]\nurl = \"sqlite://\"",
        "[database]\nschema = \"Neto; drop\"",
        "[log]\nformat = \"xml\"",
        "[log]\nfilter = \"netosync=loud\"",
        "[http]\nlisten = \"9187\"",
        "[notify]\nwebhook_url = \"ftp://h\"",
        "[fetch]\nmax_body_bytes = 1",
        "[fetch]\npage_size = []",
        "[fetch.page_size]",
    ];
    for text in wrong {
        let error = error(with_file(text));
        assert!(error.contains("(from /etc/netosync/config.toml)") && !error.contains('\n'), "{text}: {error}");
    }
}

#[test]
fn limits_that_must_nest_are_checked_together() {
    assert_eq!(
        error(with_file("[retry]\ninitial_ms = 40000\n")),
        "retry.initial_ms = 40000 (from /etc/netosync/config.toml): must not be longer than retry.max_ms, which is 30000 (from default)"
    );
    for text in [
        "[fetch]\ntimeout_secs = 5",
        "[fetch]\nread_timeout_secs = 100",
        "[retry]\nmax_elapsed_secs = 1",
        "[auth]\ncanary_max_ms = 1",
        "[auth]\nretest_max_secs = 3600",
        "[retention]\nchanges_days = 31\nconsumer_days = 30",
    ] {
        assert!(error(with_file(text)).contains("must not be longer than"), "{text}");
    }
}

#[test]
fn a_section_within_a_section_is_read_from_file_and_environment() {
    let file = "[credentials.import]\nurl = \"sqlite://theirs.db\"\nquery = \"SELECT 1\"\ninterval_secs = 60\n";
    let from_file = with_file(file).expect("valid").credentials.import;
    assert_eq!((from_file.query.expose(), from_file.interval_secs, from_file.timeout_secs), ("SELECT 1", 60, 30));
    assert_eq!(from_file.url.map(|url| url.to_string()).as_deref(), Some("sqlite://theirs.db"));
    let from_env = with_env("NETOSYNC__CREDENTIALS__IMPORT__INTERVAL_SECS", "90").expect("valid").credentials.import;
    assert!(from_env.url.is_none() && from_env.interval_secs == 90);
    let unknown = error(with_file("[credentials.import]\ntable = \"shops\"\n"));
    assert!(
        unknown.contains("[credentials.import] has url, query, interval_secs, timeout_secs, max_share"),
        "{unknown}"
    );
    assert!(error(with_file("[credentials]\nurl = \"x\"\n")).contains("the sections are database,"));
    assert!(error(with_file("[credentials]\nimport = 3\n")).contains("is not a setting"));
    assert!(error(with_file("[credentials.import]\nurl = \"sqlite://a.db\"\n")).contains("must be the SELECT"));
    assert!(with_file("[credentials]\n").is_ok());
}

#[test]
fn an_empty_text_switches_an_optional_setting_off() {
    let config = with_env("NETOSYNC__SCHEDULE__FULL", "").expect("valid");
    assert!(config.schedule.full.is_none());
    assert!(error(with_env("NETOSYNC__WORKER__SLOTS", "")).starts_with("worker.slots = \"\""));
}

#[test]
fn no_error_and_no_debug_output_shows_a_secret() {
    const CANARY: &str = "canary-3f9c";
    let good = format!("postgres://neto:{CANARY}@db.example.com:5433/{CANARY}?password={CANARY}");
    let config = Config::from_parts(
        None,
        &env(&[
            ("NETOSYNC__DATABASE__URL", &good),
            ("NETOSYNC__NOTIFY__WEBHOOK_URL", &format!("https://hooks.example.com/{CANARY}")),
            ("NETOSYNC__CREDENTIALS__IMPORT__URL", &good),
            ("NETOSYNC__CREDENTIALS__IMPORT__QUERY", &format!("SELECT open(secret, '{CANARY}') AS secret FROM shops")),
        ]),
    )
    .expect("valid");
    let shown = format!("{config:?} {}", config.database.url);
    assert!(!shown.contains(CANARY), "{shown}");
    assert!(shown.contains("postgres://db.example.com:5433") && shown.contains("https://hooks.example.com"), "{shown}");
    for text in [
        format!("[database]\nurl = \"mysql://u:{CANARY}@h\"\n"),
        format!("[database]\nurl = \"postgres://u:{CANARY}@h:port/\"\n"),
        format!("[database]\nurl = \"postgres://u:{CANARY}@h\n"),
        format!("[database]\nurl = \"postgres://u:{CANARY}@h\" x\n"),
        format!("[database]\nurl = postgres://u:{CANARY}@h\n"),
        format!("[database]\nurl = [\"{CANARY}\"]\n"),
        format!("[notify]\nwebhook_url = \"{CANARY}\"\n"),
        format!("[credentials.import]\nurl = \"{CANARY}\"\n"),
        format!("[credentials.import]\nquery = \"DELETE FROM {CANARY}\"\n"),
    ] {
        let error = with_file(&text).expect_err("wrong");
        let shown = format!("{error} {error:?}");
        assert!(!shown.contains(CANARY) && !error.to_string().contains('\n'), "{shown}");
    }
}

#[test]
fn a_file_asked_for_must_exist() {
    let folder = tempfile::tempdir().expect("folder");
    let path = folder.path().join("none.toml");
    let error = Config::load(Some(&path)).expect_err("missing").to_string();
    assert!(error.contains("none.toml cannot be read"), "{error}");
}

#[test]
fn the_file_of_a_database_is_known_for_sqlite_only() {
    let file = |url: &str| with_env("NETOSYNC__DATABASE__URL", url).expect("valid").database.file();
    assert_eq!(file("sqlite:///srv/neto%20sync.db?mode=rwc").as_deref(), Some(Path::new("/srv/neto sync.db")));
    assert_eq!(file("sqlite://netosync.db?mode=rwc").as_deref(), Some(Path::new("netosync.db")));
    assert_eq!(file("sqlite::memory:"), None);
    assert_eq!(file("postgres://db.example.com/x"), None);
}
