//! Our custom events, typed.

/// Sent downstream out of band by `consentgate` at each change. Whoever holds anything learned from faces under an
/// epoch older than this one drops it at once; with `open` false, also what was learned under this one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Gate {
    pub epoch: u64,
    pub open: bool,
    pub screen: String,
    /// Why, for an operator; nothing about a person.
    pub reason: String,
}

impl Gate {
    pub const NAME: &str = "facialads-consent";

    pub fn to_event(&self) -> gst::Event {
        gst::event::CustomDownstreamOob::new(gst::Structure::new_empty(Self::NAME))
    }
    /// `None` if this is another event. One of ours that cannot be read comes back as a closed gate.
    pub fn parse(_event: &gst::EventRef) -> Option<Self> {
        None
    }
}

/// Sent upstream by `adinsert` from its audience pad: what plays and what was decided, for `audienceoverlay`.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Running {
    /// Campaign and creative on air, `None` while the programme plays.
    pub campaign: Option<String>,
    pub creative: Option<String>,
    /// "by profile", "by subject", "house": of the last decision.
    pub basis: String,
    /// The decision in words, without any attribute of a person.
    pub why: String,
    /// The programme's subject, most probable first, as names.
    pub subject: Vec<String>,
    /// Running time at which this became true.
    pub since: Option<gst::ClockTime>,
}

impl Running {
    pub const NAME: &str = "facialads-running";

    pub fn to_event(&self) -> gst::Event {
        gst::event::CustomUpstream::new(gst::Structure::new_empty(Self::NAME))
    }
    pub fn parse(_event: &gst::EventRef) -> Option<Self> {
        None
    }
}
