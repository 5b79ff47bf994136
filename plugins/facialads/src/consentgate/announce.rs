//! Who is told of a change: downstream, the application, the ledger.

use super::imp::CAT;
use facialads_consent::{GateState, Reading};
use facialads_ledger::Ledger;
use facialads_meta::event::Gate;
use gst::{glib, prelude::*};

pub struct Announcer {
    pub element: glib::WeakRef<super::ConsentGate>,
    pub screen: String,
    pub basis: facialads_consent::Basis,
    pub statement: Option<String>,
    pub ledger: Option<Ledger>,
}

impl Announcer {
    /// Called with each change in the order of epochs, from the thread that found it. Downstream first: whatever was
    /// learned from faces has to be dropped at once.
    pub fn tell(&self, reading: &Reading) {
        let gate = self.gate(reading);
        if let Some(element) = self.element.upgrade() {
            gst::info!(CAT, obj = element, "epoch {}: {}", gate.epoch, gate.reason);
            if let Some(pad) = element.static_pad("src") {
                // Out of band: overtakes buffers, waits for no lock of theirs. Refused where there is nobody to hear it,
                // before the pads start and after they stop; the streaming thread tells those who come later.
                pad.push_event(gate.to_event());
            }
            let purposes = match &reading.state {
                GateState::Open(stamp) => stamp.purposes.to_string(),
                GateState::Closed(_) => String::new(),
            };
            let structure = gst::Structure::builder(Gate::NAME)
                .field("open", gate.open)
                .field("epoch", gate.epoch)
                .field("screen", &gate.screen)
                .field("purposes", purposes)
                .field("reason", &gate.reason)
                .build();
            // Refused only where there is no bus, so nobody to tell.
            let _ = element.post_message(gst::message::Element::builder(structure).src(&element).build());
        }
        self.record(&gate);
    }

    /// The change as an event for those downstream.
    pub fn gate(&self, reading: &Reading) -> Gate {
        Gate {
            epoch: reading.epoch,
            open: reading.is_open(),
            screen: self.screen.clone(),
            reason: self.reason(&reading.state),
        }
    }

    pub fn reason(&self, state: &GateState) -> String {
        match state {
            GateState::Closed(reason) => reason.to_string(),
            GateState::Open(stamp) if stamp.basis == facialads_consent::Basis::PublishedContent => {
                "published content, on the operator's statement".into()
            }
            GateState::Open(stamp) => format!("grants: {}", stamp.max_faces),
        }
    }

    fn record(&self, gate: &Gate) {
        let Some(ledger) = &self.ledger else { return };
        // A ledger that cannot record counts that itself and says so; the gate goes on.
        ledger.record(facialads_ledger::Event::Gate(facialads_ledger::Gate {
            screen: gate.screen.clone(),
            at: jiff::Timestamp::now(),
            epoch: gate.epoch,
            open: gate.open,
            reason: gate.reason.clone(),
            basis: self.basis.name().to_owned(),
            statement: self.statement.clone(),
        }));
    }
}
