//! Packs the program's relocation table where the C library can read it: 1.4 MB that every process would map and read through at its
//! start become a few kilobytes (docs/performance.md).

use std::env;
use std::process::Command;

/// The first glibc that reads packed tables.
const READS_PACKED: (u32, u32) = (2, 36);

fn main() {
    println!("cargo::rerun-if-changed=build.rs");
    let target = |what: &str| env::var(format!("CARGO_CFG_TARGET_{what}")).unwrap_or_default();
    // What another machine has is not known here.
    let here = env::var_os("HOST") == env::var_os("TARGET");
    if here && target("OS") == "linux" && target("ENV") == "gnu" && glibc() >= Some(READS_PACKED) {
        println!("cargo::rustc-link-arg-bins=-Wl,-z,pack-relative-relocs");
    }
}

/// The version of this machine's C library, if it is glibc: `getconf` says `glibc 2.36`.
fn glibc() -> Option<(u32, u32)> {
    let said = Command::new("getconf").arg("GNU_LIBC_VERSION").output().ok()?.stdout;
    let (major, minor) = str::from_utf8(&said).ok()?.trim().strip_prefix("glibc ")?.split_once('.')?;
    Some((major.parse().ok()?, minor.parse().ok()?))
}
