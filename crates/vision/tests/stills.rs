//! A picture on its own, as evaluations look at it.
#![allow(clippy::unwrap_used, clippy::panic)]

mod common;

use common::{
    Picture, ask,
    nets::{LARGE, Nets, color},
    onnx_runtime, stamp,
};
use facialads_vision::{
    Allowed,
    face::{Gender, Stills},
};

#[test]
fn one_look_tells_what_the_analyzer_would_and_what_the_minors_rule_says() {
    if !onnx_runtime() {
        return;
    }
    let nets = Nets::new();
    let stills = Stills::new(&nets.options(&[LARGE])).unwrap();
    let stamp = stamp();
    let demographics = ask(&stamp, 1);
    let allowed = Allowed { demographics: demographics.as_ref(), emotion: None, adult_declared: false };
    for (years, declared, undeclared) in [(15, false, false), (25, true, false), (45, true, true)] {
        let picture = Picture::plain(320, 320, color(years, 0.98));
        let faces = stills.detect(&ask(&stamp, 0).unwrap(), &picture.frame()).unwrap();
        assert_eq!(faces.len(), 1);
        let told = stills.describe(&allowed, &picture.frame(), &faces[0]).unwrap().unwrap();
        assert!(told.age.low < told.age.years && told.age.years < told.age.high);
        assert!(told.gender.value == Gender::Female && told.female > 0.8);
        assert!((told.age_bins.iter().sum::<f32>() - 1.0).abs() < 1e-4);
        assert!(told.age_bins.iter().all(|p| (0.0..=1.0).contains(p)));
        assert_eq!((told.passes_declared, told.passes_undeclared), (declared, undeclared), "{years}");
        assert!(told.emotion.is_none(), "nobody permitted it");
        assert_eq!(format!("{told:?}"), "Described(…)");
    }
    let picture = Picture::plain(320, 320, color(45, 0.98));
    let faces = stills.detect(&ask(&stamp, 0).unwrap(), &picture.frame()).unwrap();
    assert!(stills.describe(&Allowed::default(), &picture.frame(), &faces[0]).unwrap().is_none());
}
