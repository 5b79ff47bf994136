//! The choices of `facialads_consent` as GStreamer shows them.

use facialads_consent as consent;
use gst::glib;

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, glib::Enum)]
#[enum_type(name = "GstFacialAdsConsentPolicy")]
pub enum Policy {
    #[default]
    #[enum_value(
        name = "With more faces in the zone than grants nobody is described: it is unclear who agreed",
        nick = "strict"
    )]
    Strict,
    #[enum_value(
        name = "Only as many of the largest faces in the zone as there are grants are described",
        nick = "nearest"
    )]
    Nearest,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, glib::Enum)]
#[enum_type(name = "GstFacialAdsConsentSite")]
pub enum Site {
    #[default]
    #[enum_value(name = "A place that is neither of the others", nick = "public")]
    Public,
    #[enum_value(
        name = "A place of work: emotion is never inferred (EU AI Act, Art. 5(1)(f))",
        nick = "workplace"
    )]
    Workplace,
    #[enum_value(
        name = "A place of education: emotion is never inferred (EU AI Act, Art. 5(1)(f))",
        nick = "education"
    )]
    Education,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, glib::Enum)]
#[enum_type(name = "GstFacialAdsLawfulBasis")]
pub enum Basis {
    #[default]
    #[enum_value(name = "People in front of the screen, each of whom agreed", nick = "viewer-consent")]
    ViewerConsent,
    #[enum_value(
        name = "Faces in the programme itself, on a basis that the operator states",
        nick = "published-content"
    )]
    PublishedContent,
}

/// What the pipeline may use at most. None: what suits the lawful basis.
#[glib::flags(name = "GstFacialAdsPurposes")]
pub enum Purposes {
    #[flags_value(name = "Detecting and counting faces; everything else needs it too", nick = "measurement")]
    MEASUREMENT = 0b0001,
    #[flags_value(name = "Estimating age and gender", nick = "demographics")]
    DEMOGRAPHICS = 0b0010,
    #[flags_value(name = "Estimating emotion; refused on workplace and education sites", nick = "emotion")]
    EMOTION = 0b0100,
    #[flags_value(name = "Using the estimates to choose an advertisement", nick = "personalisation")]
    PERSONALISATION = 0b1000,
}

impl Default for Purposes {
    fn default() -> Self {
        Self::empty()
    }
}

impl From<Policy> for consent::Policy {
    fn from(policy: Policy) -> Self {
        match policy {
            Policy::Strict => Self::Strict,
            Policy::Nearest => Self::Nearest,
        }
    }
}

impl From<Site> for consent::Site {
    fn from(site: Site) -> Self {
        match site {
            Site::Public => Self::Public,
            Site::Workplace => Self::Workplace,
            Site::Education => Self::Education,
        }
    }
}

impl From<Purposes> for consent::Purposes {
    fn from(purposes: Purposes) -> Self {
        let each = [
            (Purposes::MEASUREMENT, consent::Purpose::Measurement),
            (Purposes::DEMOGRAPHICS, consent::Purpose::Demographics),
            (Purposes::EMOTION, consent::Purpose::Emotion),
            (Purposes::PERSONALISATION, consent::Purpose::Personalisation),
        ];
        each.into_iter().filter(|(flag, _)| purposes.contains(*flag)).map(|(_, purpose)| purpose).collect()
    }
}
