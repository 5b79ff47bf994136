//! The store keeps what was agreed to, gives nothing away, and refuses what it does not understand.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use facialads_consent::{
    GrantError, InvalidGrant, NewGrant, Notice, Purpose, Purposes, Standing, Store, StoreError, wall_clock,
};
use std::{path::Path, time::Duration};

const MINUTE: u64 = 60_000_000_000;

fn new_grant(screen: &str) -> NewGrant {
    NewGrant {
        screen: screen.into(),
        purposes: Purposes::all().without(Purpose::Emotion),
        adult: true,
        duration: Duration::from_secs(15 * 60),
        notice: Notice { version: "1".into(), language: "en".into() },
        method: "operator".into(),
    }
}

fn raw(path: &Path) -> rusqlite::Connection {
    rusqlite::Connection::open(path).unwrap()
}

#[test]
fn a_grant_is_found_again_on_its_screen_and_for_its_time() {
    let folder = tempfile::tempdir().unwrap();
    let store = Store::open(&folder.path().join("deep/er/consent.db")).unwrap();
    let now = wall_clock();
    let (_, grant) = store.grant(&new_grant("lobby"), now).unwrap();
    assert_eq!(store.active("lobby", now).unwrap(), std::slice::from_ref(&grant));
    assert_eq!(store.active("lobby", now + 15 * MINUTE - 1).unwrap(), std::slice::from_ref(&grant));
    assert_eq!(store.active("lobby", now + 15 * MINUTE).unwrap(), []);
    assert_eq!(store.active("elsewhere", now).unwrap(), []);
    assert_eq!(store.list(None).unwrap(), std::slice::from_ref(&grant));
    assert_eq!(store.list(Some("elsewhere")).unwrap(), []);
    assert_eq!(grant.standing(now - MINUTE), Standing::NotYet);
    assert_eq!(store.active("lobby", now - MINUTE).unwrap(), [], "a grant from the future does not hold");
}

#[test]
fn the_receipt_id_is_nowhere_in_the_store() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("consent.db");
    let store = Store::open(&path).unwrap();
    let (receipt, grant) = store.grant(&new_grant("lobby"), wall_clock()).unwrap();
    drop(store);
    for file in std::fs::read_dir(folder.path()).unwrap() {
        let bytes = std::fs::read(file.unwrap().path()).unwrap();
        let found = |needle: &str| bytes.windows(needle.len()).any(|w| w == needle.as_bytes());
        assert!(!found(receipt.reveal()));
    }
    let bytes = std::fs::read(&path).unwrap();
    assert!(bytes.windows(64).any(|w| w == grant.digest.as_bytes()), "the digest is what is stored");
}

#[test]
fn withdrawing_ends_a_grant_once_and_for_all() {
    let folder = tempfile::tempdir().unwrap();
    let store = Store::open(&folder.path().join("consent.db")).unwrap();
    let now = wall_clock();
    let (receipt, grant) = store.grant(&new_grant("lobby"), now).unwrap();
    let (_, other) = store.grant(&new_grant("lobby"), now).unwrap();
    let withdrawn = store.withdraw(&receipt.reveal().to_uppercase(), now + 1).unwrap().unwrap();
    assert_eq!((withdrawn.digest.clone(), withdrawn.withdrawn_at), (grant.digest, Some(now + 1)));
    assert_eq!(store.active("lobby", now + 2).unwrap(), [other]);
    assert_eq!(
        store.withdraw(receipt.reveal(), now + 9).unwrap(),
        None,
        "a second time there is nothing to do"
    );
    assert_eq!(store.list(None).unwrap()[0].withdrawn_at, Some(now + 1));
}

#[test]
fn a_wrong_receipt_changes_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let store = Store::open(&folder.path().join("consent.db")).unwrap();
    let now = wall_clock();
    let (receipt, grant) = store.grant(&new_grant("lobby"), now).unwrap();
    let mut guess: String = receipt.reveal()[..31].into();
    guess.push(if receipt.reveal().ends_with('a') { 'b' } else { 'a' });
    for wrong in [guess.as_str(), "", "'; DROP TABLE grants; --", &grant.digest, &grant.digest[..32]] {
        assert_eq!(store.withdraw(wrong, now).unwrap(), None, "{wrong}");
    }
    assert_eq!(store.active("lobby", now).unwrap(), [grant]);
}

#[test]
fn what_cannot_be_granted_is_refused_with_its_reason() {
    let folder = tempfile::tempdir().unwrap();
    let store = Store::open(&folder.path().join("consent.db")).unwrap();
    let good = || new_grant("lobby");
    let minutes = |m: u64| Duration::from_secs(60 * m);
    let notice =
        |version: &str, language: &str| Notice { version: version.into(), language: language.into() };
    let cases = [
        (NewGrant { screen: " ".into(), ..good() }, InvalidGrant::NoScreen),
        (NewGrant { screen: "x".repeat(65), ..good() }, InvalidGrant::LongScreen(64)),
        (NewGrant { screen: "a\nb".into(), ..good() }, InvalidGrant::OddScreen),
        (NewGrant { purposes: Purposes::NONE, ..good() }, InvalidGrant::NoPurpose),
        (NewGrant { duration: minutes(0), ..good() }, InvalidGrant::Duration(1440)),
        (NewGrant { duration: minutes(1441), ..good() }, InvalidGrant::Duration(1440)),
        (NewGrant { duration: Duration::MAX, ..good() }, InvalidGrant::Duration(1440)),
        (NewGrant { notice: notice("", "en"), ..good() }, InvalidGrant::Text("the notice's version")),
        (NewGrant { notice: notice("1", "en us"), ..good() }, InvalidGrant::Text("the notice's language")),
        (NewGrant { method: "ö".into(), ..good() }, InvalidGrant::Text("the method")),
    ];
    for (grant, expected) in cases {
        match store.grant(&grant, wall_clock()) {
            Err(GrantError::Invalid(invalid)) => assert_eq!(invalid, expected),
            other => panic!("{other:?}"),
        }
    }
    assert_eq!(store.list(None).unwrap(), []);
    assert!(
        store.grant(&new_grant(&"ä".repeat(64)), wall_clock()).is_ok(),
        "length counts characters, not bytes"
    );
}

#[test]
fn one_malformed_row_makes_its_screen_an_error_and_no_other() {
    let changes = [
        "purposes = 'measurement,everything'",
        "adult = 7",
        "granted_at = -5",
        "expires_at = granted_at",
        "expires_at = 9223372036854775807",
        "digest = 'xyz'",
    ];
    for change in changes {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("consent.db");
        let store = Store::open(&path).unwrap();
        let now = wall_clock();
        let (receipt, _) = store.grant(&new_grant("lobby"), now).unwrap();
        store.grant(&new_grant("lobby"), now).unwrap();
        store.grant(&new_grant("cafe"), now).unwrap();
        raw(&path).execute(&format!("UPDATE grants SET {change} WHERE number = 1"), []).unwrap();
        let expected_gone = change.starts_with("expires_at = granted_at");
        match store.active("lobby", now) {
            Err(StoreError::Malformed { .. }) => assert!(!expected_gone, "{change}"),
            Ok(grants) => assert!(expected_gone && grants.len() == 1, "{change}: {grants:?}"),
            Err(other) => panic!("{change}: {other}"),
        }
        assert_eq!(store.active("cafe", now).unwrap().len(), 1, "{change}");
        if !change.starts_with("digest") {
            store.withdraw(receipt.reveal(), now).unwrap();
            assert_eq!(store.active("lobby", now).unwrap().len(), 1, "{change}: withdrawing mends it");
        }
    }
}

#[test]
fn a_newer_store_is_refused_and_left_alone() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("consent.db");
    drop(Store::open(&path).unwrap());
    raw(&path).pragma_update(None, "user_version", 99).unwrap();
    let error = Store::open(&path).err().unwrap();
    assert!(matches!(error, StoreError::Newer { found: 99, known: 1 }), "{error}");
    assert!(error.to_string().contains("install the newer facialads"));
}

#[test]
fn a_database_of_another_program_and_no_database_are_refused_and_left_alone() {
    let folder = tempfile::tempdir().unwrap();
    let other = folder.path().join("other.db");
    raw(&other).execute_batch("CREATE TABLE t (x); INSERT INTO t VALUES (1)").unwrap();
    assert!(matches!(Store::open(&other), Err(StoreError::Foreign(_))));
    assert_eq!(raw(&other).query_row("SELECT count(*) FROM t", [], |r| r.get::<_, i64>(0)), Ok(1));

    let text = folder.path().join("text.db");
    std::fs::write(
        &text,
        "this is no database, and longer than the header of one is, by some way. ".repeat(20),
    )
    .unwrap();
    assert!(matches!(Store::open(&text), Err(StoreError::Corrupt(_))));
    assert!(Store::open(folder.path()).is_err(), "a folder is no store");
}

#[cfg(unix)]
#[test]
fn a_new_store_is_its_owners_alone() {
    use std::os::unix::fs::PermissionsExt;
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("consent.db");
    let store = Store::open(&path).unwrap();
    store.grant(&new_grant("lobby"), wall_clock()).unwrap();
    for file in std::fs::read_dir(folder.path()).unwrap() {
        let file = file.unwrap();
        assert_eq!(file.metadata().unwrap().permissions().mode() & 0o777, 0o600, "{:?}", file.path());
    }
}

#[test]
fn two_programs_may_make_the_same_store_at_once() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("consent.db");
    let threads: Vec<_> = (0..4)
        .map(|_| {
            let path = path.clone();
            std::thread::spawn(move || {
                Store::open(&path).unwrap().grant(&new_grant("lobby"), wall_clock()).map(|_| ())
            })
        })
        .collect();
    for thread in threads {
        thread.join().unwrap().unwrap();
    }
    assert_eq!(Store::open(&path).unwrap().list(None).unwrap().len(), 4);
}
