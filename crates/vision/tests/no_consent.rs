//! Row 1 of PRIVACY.md: without consent no network runs. One test alone in its process, because the counter is the process's.
#![allow(clippy::unwrap_used, clippy::panic)]

mod common;

use common::{
    Picture, ask,
    nets::{LARGE, Nets, color},
    onnx_runtime, stamp,
};
use facialads_consent::{Demographics, Measurement, Stamp, permit, wall_clock};
use facialads_vision::{Allowed, Verdict, inference_calls};
use std::time::Duration;

#[test]
fn without_a_permit_no_network_is_run_on_people() {
    if !onnx_runtime() {
        return;
    }
    let nets = Nets::new();
    let analyzer = nets.analyzer(&[LARGE]);
    let picture = Picture::plain(320, 320, color(40, 0.9));
    // All that can be called without a permit; `detect` and the networks themselves do not compile without one.
    for i in 0..10 {
        let now = Duration::from_millis(100 * i);
        let _input = analyzer.shrink(&picture.frame());
        let requests = analyzer.crops_due(&Allowed::default(), now);
        let crops = analyzer.cut(&picture.frame(), &requests);
        analyzer.describe(&Allowed::default(), &crops, now).unwrap();
        assert_eq!(analyzer.targeting(None, true, now), Verdict::NotPermitted);
    }
    assert_eq!(inference_calls(), 0);
    // And nobody hands out a permit without a grant.
    assert!(permit::<Measurement>(None, 0, wall_clock()).is_err());
    assert!(ask::<Demographics>(&Stamp { expires: 0, ..stamp() }, 1).is_none());
    // The counter does count.
    let measure = ask(&stamp(), 0).unwrap();
    let input = analyzer.shrink(&picture.frame());
    analyzer.detect(&measure, &input, stamp().zone, Duration::ZERO).unwrap();
    assert_eq!(inference_calls(), 1);
    assert_eq!(analyzer.stats().inference_calls, 1);
}
