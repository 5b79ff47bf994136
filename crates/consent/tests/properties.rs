//! For all grants and all stamps: nothing is allowed that anybody forbade.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use facialads_consent::{
    Basis, Demographics, Emotion, GateRules, Grant, Measurement, Notice, Permit, Personalisation, Policy,
    Purpose, PurposeKind, Purposes, Refusal, Site, Stamp, Zone, permit, published_stamp, stamp_for,
};
use proptest::prelude::*;

fn purposes() -> impl Strategy<Value = Purposes> {
    any::<u32>().prop_map(Purposes::from_bits_truncate)
}

fn site() -> impl Strategy<Value = Site> {
    prop::sample::select(Site::ALL)
}

fn grant() -> impl Strategy<Value = Grant> {
    (purposes(), any::<bool>(), 0..1000_u64, 1..1000_u64, any::<u64>()).prop_map(
        |(purposes, adult, start, length, id)| Grant {
            number: 1,
            digest: format!("{id:064x}"),
            screen: "s".into(),
            purposes,
            adult,
            granted_at: start,
            expires_at: start + length,
            notice: Notice { version: "1".into(), language: "en".into() },
            method: "operator".into(),
            withdrawn_at: None,
        },
    )
}

fn rules() -> impl Strategy<Value = GateRules> {
    (purposes(), site(), prop::sample::select(Policy::ALL)).prop_map(|(purposes, site, policy)| GateRules {
        screen: "s".into(),
        zone: Zone::FULL,
        site,
        policy,
        purposes,
    })
}

fn stamp() -> impl Strategy<Value = Stamp> {
    (purposes(), 0..4_u32, site(), prop::sample::select(Policy::ALL), any::<u64>()).prop_map(
        |(purposes, max_faces, site, policy, expires)| Stamp {
            purposes,
            epoch: 9,
            max_faces,
            adult: true,
            zone: Zone::FULL,
            basis: Basis::ViewerConsent,
            site,
            policy,
            screen: "s".into(),
            expires,
            receipts: Vec::new(),
        },
    )
}

fn check<P: PurposeKind>(stamp: &Stamp, faces: usize, now: u64) -> Result<(), TestCaseError> {
    let result: Result<Permit<P>, Refusal> = permit(Some(stamp), faces, now);
    let purpose = P::PURPOSE;
    let granted = stamp.purposes.contains(purpose) && stamp.purposes.contains(Purpose::Measurement);
    let lawful = purpose != Purpose::Emotion || stamp.site == Site::Public;
    let clear = purpose == Purpose::Measurement
        || stamp.policy == Policy::Nearest
        || faces <= stamp.max_faces as usize;
    let expected = granted && lawful && clear && stamp.max_faces > 0 && now < stamp.expires;
    prop_assert_eq!(result.is_ok(), expected, "{:?} for {}", result, purpose);
    if let Ok(permit) = result {
        prop_assert_eq!(permit.epoch(), stamp.epoch);
        if purpose != Purpose::Measurement {
            prop_assert_eq!(permit.limit(), stamp.max_faces as usize);
        }
    }
    prop_assert_eq!(
        permit::<P>(Some(&stamp.clone().allowing_nothing()), faces, now).err(),
        Some(Refusal::NoConsent)
    );
    Ok(())
}

proptest! {
    #[test]
    fn a_stamp_never_allows_what_any_grant_forbids(grants in prop::collection::vec(grant(), 0..6), rules in rules()) {
        let Some(stamp) = stamp_for(&grants, &rules, 3) else {
            let shared = grants.iter().map(|g| g.purposes).reduce(Purposes::intersection);
            let useful = shared.is_some_and(|s| s.intersection(rules.purposes).contains(Purpose::Measurement));
            prop_assert!(!useful, "no stamp although measurement is shared and asked for");
            return Ok(());
        };
        prop_assert!(!grants.is_empty());
        for purpose in stamp.purposes.iter() {
            prop_assert!(rules.purposes.contains(purpose));
            prop_assert!(grants.iter().all(|g| g.purposes.contains(purpose)));
        }
        prop_assert!(rules.site == Site::Public || !stamp.purposes.contains(Purpose::Emotion));
        prop_assert_eq!(stamp.max_faces as usize, grants.len());
        prop_assert_eq!(stamp.adult, grants.iter().all(|g| g.adult));
        prop_assert!(grants.iter().all(|g| stamp.expires <= g.expires_at));
        prop_assert_eq!(stamp.epoch, 3);
        prop_assert_eq!(stamp.receipts.len(), grants.len());
    }

    #[test]
    fn one_more_grant_never_allows_more(grants in prop::collection::vec(grant(), 1..5), more in grant(), rules in rules()) {
        let before = stamp_for(&grants, &rules, 1);
        let mut all = grants;
        all.push(more);
        if let Some(after) = stamp_for(&all, &rules, 2) {
            let before = before.expect("what all share, some share");
            prop_assert!(after.purposes.iter().all(|p| before.purposes.contains(p)));
            prop_assert!(after.expires <= before.expires);
            prop_assert!(before.adult || !after.adult);
        }
    }

    #[test]
    fn a_permit_is_given_exactly_where_the_stamp_says_so(stamp in stamp(), faces in 0..6_usize, now: u64) {
        check::<Measurement>(&stamp, faces, now)?;
        check::<Demographics>(&stamp, faces, now)?;
        check::<Emotion>(&stamp, faces, now)?;
        check::<Personalisation>(&stamp, faces, now)?;
    }

    #[test]
    fn published_content_needs_a_statement_and_takes_no_adult_on_trust(rules in rules(), statement in "[a-z ]{0,8}") {
        match published_stamp(&rules, &statement, 5) {
            Ok(stamp) => {
                prop_assert!(!statement.trim().is_empty() && rules.check().is_ok());
                prop_assert_eq!(stamp.purposes, rules.purposes);
                prop_assert!(!stamp.adult && stamp.receipts.is_empty() && stamp.basis == Basis::PublishedContent);
            }
            Err(_) => prop_assert!(statement.trim().is_empty() || rules.check().is_err()),
        }
    }

    #[test]
    fn purposes_come_back_from_text_and_bits(set in purposes()) {
        prop_assert_eq!(set.to_string().parse::<Purposes>(), Ok(set));
        prop_assert_eq!(Purposes::from_bits_truncate(set.bits()), set);
    }

    #[test]
    fn a_zone_comes_back_from_text_and_never_leaves_the_frame(text in "[-0-9.,a-zA-Z]{0,20}", x in 0.0..0.5, w in 0.01..0.5) {
        let zone = Zone { x, y: 0.0, width: w, height: 1.0 };
        prop_assert_eq!(zone.to_string().parse::<Zone>(), Ok(zone));
        if let Ok(zone) = text.parse::<Zone>() {
            prop_assert!(zone.x >= 0.0 && zone.width > 0.0 && zone.x + zone.width <= 1.0 + 1e-6);
        }
    }
}

#[test]
fn no_stamp_is_no_consent() {
    assert_eq!(permit::<Measurement>(None, 0, 0).err(), Some(Refusal::NoConsent));
}

#[test]
fn odd_zones_are_refused() {
    for text in [
        "",
        "1",
        "0,0,1",
        "0,0,0,1",
        "0,0,1,1,1",
        "NaN,0,1,1",
        "0,0,inf,1",
        "0.5,0,0.6,1",
        "-0.1,0,1,1",
        "a,b,c,d",
    ] {
        assert!(text.parse::<Zone>().is_err(), "{text}");
    }
}
