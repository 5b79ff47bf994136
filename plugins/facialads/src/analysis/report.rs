//! Telling the operator, once, and in a form that a programme can read too.

use gst::{MessageErrorDomain, glib, prelude::*};

/// Warnings that are said once between start and stop, however many frames they concern.
#[derive(Default)]
pub struct Once(std::collections::HashSet<&'static str>);

impl Once {
    /// Whether `what` is new.
    pub fn first(&mut self, what: &'static str) -> bool {
        self.0.insert(what)
    }
}

/// A warning on the bus with `reason` as a machine-readable field beside the words.
pub fn warn(
    element: &(impl IsA<gst::Element> + IsA<gst::Object>),
    domain: impl MessageErrorDomain,
    reason: &'static str,
    text: &str,
) {
    let details = gst::Structure::builder("facialads-details").field("reason", reason).build();
    let message = gst::message::Warning::builder(domain, text).src(element).details(details).build();
    let _ = element.post_message(message);
}

/// Nanoseconds as the milliseconds that people read.
pub fn millis(duration: std::time::Duration) -> f64 {
    duration.as_secs_f64() * 1000.0
}

/// How long something took: count, mean, longest.
#[derive(Clone, Copy, Debug, Default)]
pub struct Timing {
    count: u64,
    total: std::time::Duration,
    longest: std::time::Duration,
}

impl Timing {
    pub fn add(&mut self, took: std::time::Duration) {
        self.count += 1;
        self.total += took;
        self.longest = self.longest.max(took);
    }
    /// Mean in milliseconds, 0 where nothing was timed.
    pub fn mean_ms(&self) -> f64 {
        if self.count == 0 { 0.0 } else { millis(self.total) / self.count as f64 }
    }
    /// Longest in milliseconds.
    pub fn longest_ms(&self) -> f64 {
        millis(self.longest)
    }
}

/// A structure as the value of a property, for which the bindings have no shape of their own.
pub struct Statistics(pub gst::Structure);

impl HasParamSpec for Statistics {
    type ParamSpec = glib::ParamSpecBoxed;
    type SetValue = Self;
    type BuilderFn = fn(&str) -> glib::ParamSpecBoxedBuilder<'_, gst::Structure>;
    fn param_spec_builder() -> Self::BuilderFn {
        |name| Self::ParamSpec::builder(name)
    }
}

impl From<Statistics> for glib::Value {
    fn from(statistics: Statistics) -> Self {
        statistics.0.to_value()
    }
}

impl StaticType for Statistics {
    fn static_type() -> glib::Type {
        gst::Structure::static_type()
    }
}

// SAFETY: the checker admits values of the type above only, which is that of a structure, and that is what is read.
unsafe impl<'a> glib::value::FromValue<'a> for Statistics {
    type Checker = glib::value::GenericValueTypeChecker<Self>;
    unsafe fn from_value(value: &'a glib::Value) -> Self {
        // SAFETY: as above.
        Self(unsafe { gst::Structure::from_value(value) })
    }
}
