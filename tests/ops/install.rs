//! `systemd/install.sh` and `systemd/uninstall.sh`, below a folder of their own.

use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Command;

use tempfile::TempDir;

use crate::support::Ended;

const PROGRAM: &str = "usr/local/bin/netosync";
const UNIT: &str = "etc/systemd/system/netosync.service";
const CONFIG: &str = "etc/netosync/config.toml";
const KEY: &str = "etc/netosync/netosync.key";

/// A folder that takes the place of `/`.
struct Root {
    folder: TempDir,
}

impl Root {
    fn new() -> Self {
        let root = Self { folder: tempfile::tempdir().expect("a temporary folder") };
        root.is_built("1");
        root
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join("root").join(name)
    }

    fn program(&self) -> PathBuf {
        self.folder.path().join("built")
    }

    /// A program that knows its version, which is all that installing asks of it.
    fn is_built(&self, version: &str) {
        self.is_program(&format!("[ \"$1\" = --version ] && echo {version}"));
    }

    /// Written by another process: one that this process has open while another test starts something is busy.
    fn is_program(&self, line: &str) {
        let write = "printf '#!/bin/sh\\n%s\\n' \"$0\" >\"$1\" && chmod 755 \"$1\"";
        let status = Command::new("sh").args(["-c", write, line]).arg(self.program()).status();
        assert!(status.expect("every system has sh").success());
    }

    fn script(&self, name: &str, arguments: &[&str], settings: &[(&str, &str)]) -> Ended {
        let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("systemd").join(name);
        let mut command = Command::new("sh");
        command.arg(script).args(arguments).env("DESTDIR", self.path("")).env_remove("PREFIX");
        Ended::of(command.envs(settings.iter().copied()).output().expect("every system has sh"))
    }

    #[track_caller]
    fn install(&self, settings: &[(&str, &str)]) -> Ended {
        let ended = self.script("install.sh", &[&self.program().display().to_string()], settings);
        assert_eq!(ended.code, Some(0), "{ended:?}");
        ended
    }

    #[track_caller]
    fn uninstall(&self, arguments: &[&str]) -> Ended {
        let ended = self.script("uninstall.sh", arguments, &[]);
        assert_eq!(ended.code, Some(0), "{ended:?}");
        ended
    }

    fn write(&self, name: &str, text: &str) {
        std::fs::create_dir_all(self.path(name).parent().expect("a folder")).expect("ours");
        std::fs::write(self.path(name), text).expect("ours");
    }

    fn read(&self, name: &str) -> String {
        std::fs::read_to_string(self.path(name)).unwrap_or_else(|error| panic!("{name}: {error}"))
    }

    /// Every file there is, with its mode.
    fn files(&self) -> Vec<(String, u32)> {
        let (mut files, mut folders) = (Vec::new(), vec![self.path("")]);
        while let Some(folder) = folders.pop() {
            for entry in std::fs::read_dir(folder).expect("ours") {
                let (path, found) = entry.and_then(|entry| Ok((entry.path(), entry.metadata()?))).expect("ours");
                if found.is_dir() {
                    folders.push(path);
                } else {
                    let name = path.strip_prefix(self.path("")).expect("below it").display().to_string();
                    files.push((name, found.permissions().mode() & 0o7777));
                }
            }
        }
        files.sort();
        files
    }
}

#[test]
fn everything_is_put_in_place_with_its_mode_and_what_was_left_out_is_said() {
    let root = Root::new();
    let said = root.install(&[]).stdout;
    let expected = [
        (CONFIG, 0o640),
        ("etc/systemd/system/netosync.service", 0o644),
        ("etc/sysusers.d/netosync.conf", 0o644),
        ("etc/tmpfiles.d/netosync.conf", 0o644),
        (PROGRAM, 0o755),
    ];
    assert_eq!(root.files(), expected.map(|(name, mode)| (name.to_owned(), mode)));
    let folder = root.path("etc/netosync").metadata().expect("there").permissions().mode();
    assert_eq!(folder & 0o7777, 0o750);
    assert_eq!(root.read(UNIT), include_str!("../../systemd/netosync.service"));
    let skipped: Vec<_> = said.lines().filter_map(|line| line.strip_prefix("skipped: ")).collect();
    assert_eq!(skipped.len(), 3, "{said}");
    for (line, word) in skipped.iter().zip(["user netosync", "master key", "systemctl daemon-reload"]) {
        assert!(line.contains(word) && line.contains("DESTDIR"), "{line}");
    }
}

#[test]
fn a_second_installation_renews_the_program_and_leaves_what_is_yours() {
    let root = Root::new();
    root.install(&[]);
    let first = root.files();
    root.install(&[]);
    assert_eq!(root.files(), first);
    root.write(CONFIG, "mine");
    root.write(KEY, "my key");
    root.write(UNIT, "of an old version");
    root.is_built("2");
    let said = root.install(&[]).stdout;
    assert!(said.contains("config.toml is yours") && said.contains("netosync.key is yours"), "{said}");
    assert_eq!((root.read(CONFIG), root.read(KEY)), ("mine".to_owned(), "my key".to_owned()));
    assert!(root.read(PROGRAM).contains("echo 2") && root.read(UNIT).contains("WatchdogSec="));
}

#[test]
fn a_prefix_moves_the_program_and_the_unit_knows() {
    let root = Root::new();
    root.install(&[("PREFIX", "/opt/netosync-1.0")]);
    assert!(root.path("opt/netosync-1.0/bin/netosync").exists() && !root.path(PROGRAM).exists());
    let unit = root.read(UNIT);
    assert!(unit.contains("\nExecStart=/opt/netosync-1.0/bin/netosync run\n"), "{unit}");
    assert!(!unit.contains("/usr/local"), "{unit}");
    for prefix in ["opt", "/opt/a b", "/opt/a|b"] {
        let refused = root.script("install.sh", &[&root.program().display().to_string()], &[("PREFIX", prefix)]);
        assert_eq!(refused.code, Some(1), "{refused:?}");
        assert!(refused.stderr.contains(prefix), "{refused:?}");
    }
}

#[test]
fn a_program_that_is_missing_or_does_not_run_changes_nothing() {
    let root = Root::new();
    let missing = root.script("install.sh", &["/nowhere/netosync"], &[]);
    assert!(missing.code == Some(1) && missing.stderr.contains("cargo build --release"), "{missing:?}");
    root.is_program("exit 1");
    let broken = root.script("install.sh", &[&root.program().display().to_string()], &[]);
    assert!(broken.code == Some(1) && broken.stderr.contains("does not run"), "{broken:?}");
    assert!(!root.path("").exists());
}

#[test]
fn what_is_removed_can_be_installed_again_and_data_goes_only_when_purged() {
    let root = Root::new();
    root.install(&[]);
    root.write(KEY, "my key");
    root.write("var/lib/netosync/netosync.db", "my data");
    root.write("etc/systemd/system/netosync.service.d/override.conf", "[Service]");
    let said = root.uninstall(&[]).stdout;
    assert!(said.contains("kept") && said.contains("--purge") && said.contains("skipped: stopping"), "{said}");
    let kept: Vec<_> = root.files().into_iter().map(|(name, _)| name).collect();
    let yours = [CONFIG, KEY, "etc/systemd/system/netosync.service.d/override.conf", "var/lib/netosync/netosync.db"];
    assert_eq!(kept, yours);
    root.uninstall(&[]);
    root.install(&[]);
    assert_eq!(root.read(KEY), "my key");
    let wrong = root.script("uninstall.sh", &["--everything"], &[]);
    assert!(wrong.code == Some(1) && wrong.stderr.contains("--purge") && root.path(PROGRAM).exists(), "{wrong:?}");
    root.uninstall(&["--purge"]);
    assert_eq!(root.files(), []);
    root.uninstall(&["--purge"]);
}
