//! Our custom events, typed.

/// Sent downstream by `consentgate` at each change, twice: out of band at once, and in the order of the buffers before
/// the first that it concerns. Whoever holds anything learned from faces under an
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

    /// Out of band: overtakes buffers that wait in queues.
    pub fn to_event(&self) -> gst::Event {
        gst::event::CustomDownstreamOob::new(self.to_structure())
    }

    /// In the order of the buffers: after it comes no buffer of an older epoch.
    pub fn to_serialized_event(&self) -> gst::Event {
        gst::event::CustomDownstream::new(self.to_structure())
    }

    fn to_structure(&self) -> gst::Structure {
        gst::Structure::builder(Self::NAME)
            .field("epoch", self.epoch)
            .field("open", self.open)
            .field("screen", &self.screen)
            .field("reason", &self.reason)
            .build()
    }

    /// `None` if this is another event. One of ours that cannot be read comes back as a closed gate of the last epoch
    /// there can be, so that everything learned so far is dropped.
    pub fn parse(event: &gst::EventRef) -> Option<Self> {
        let structure = event.structure().filter(|s| s.name() == Self::NAME)?;
        let field = |name: &str| structure.get::<String>(name).unwrap_or_default();
        let (epoch, open) = match (structure.get("epoch"), structure.get("open")) {
            (Ok(epoch), Ok(open)) => (epoch, open),
            _ => (u64::MAX, false),
        };
        Some(Self { epoch, open, screen: field("screen"), reason: field("reason") })
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
        gst::event::CustomUpstream::new(
            gst::Structure::builder(Self::NAME)
                .field_if_some("campaign", self.campaign.as_deref())
                .field_if_some("creative", self.creative.as_deref())
                .field("basis", &self.basis)
                .field("why", &self.why)
                .field("subject", gst::Array::new(self.subject.iter().map(String::as_str)))
                .field_if_some("since", self.since.map(gst::ClockTime::nseconds))
                .build(),
        )
    }

    /// `None` if this is another event. Fields that cannot be read are empty.
    pub fn parse(event: &gst::EventRef) -> Option<Self> {
        let structure = event.structure().filter(|s| s.name() == Self::NAME)?;
        let text = |name: &str| structure.get::<String>(name).ok();
        let subject = structure.get::<gst::Array>("subject").ok();
        Some(Self {
            campaign: text("campaign"),
            creative: text("creative"),
            basis: text("basis").unwrap_or_default(),
            why: text("why").unwrap_or_default(),
            subject: subject
                .map(|names| names.iter().filter_map(|v| v.get::<String>().ok()).collect())
                .unwrap_or_default(),
            since: structure.get("since").ok().and_then(crate::time),
        })
    }
}
