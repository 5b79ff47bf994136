//! The path of a buffer: consent, looking, attaching.

use super::{
    attach,
    engine::Engine,
    imp::{CAT, FaceAnalyze, State, lock},
    summary, upstream,
};
use crate::analysis::{notices, report::warn};
use facialads_consent::{Measurement, Permit, Refusal, Site, Stamp, permit, wall_clock};
use facialads_meta::{Audience, Face, detection, event::Gate, face};
use facialads_vision::process::Permits;
use gst::subclass::prelude::*;
use gst_base::prelude::*;
use std::time::Instant;

impl FaceAnalyze {
    /// The gate has opened, closed or changed its terms. Comes on the gate's own thread and never waits for inference.
    pub(super) fn gate_changed(&self, gate: &Gate) {
        let valid_from = self.floor.apply(gate);
        if let Some(analyzer) = lock(&self.analyzer).as_ref() {
            analyzer.forget(valid_from);
        }
        gst::debug!(
            CAT,
            imp = self,
            "gate {}, epoch {}",
            if gate.open { "open" } else { "closed" },
            gate.epoch
        );
    }

    pub(super) fn transform(
        &self,
        state: &mut State,
        buffer: &mut gst::BufferRef,
    ) -> Result<gst::FlowSuccess, gst::FlowError> {
        lock(&self.stats).frames += 1;
        self.tell_notices(state);
        let (now, jumped_back) = state.clock.running_time(&self.obj().segment(), buffer);
        if let Some(engine) = state.engine.as_mut().filter(|_| jumped_back) {
            engine.reset();
        }
        let stamp = facialads_meta::consent::read(buffer);
        let Some(stamp) = self.may_look(state, stamp.as_ref())? else { return Ok(gst::FlowSuccess::Ok) };
        // Taken out so that the rest of the state can be used beside it.
        let Some(mut engine) = state.engine.take() else { return Ok(gst::FlowSuccess::Ok) };
        let looked = self.look(state, &mut engine, buffer, stamp, now);
        if looked.is_ok() {
            self.attach(state, &engine, buffer, stamp, now);
        }
        state.engine = Some(engine);
        looked
    }

    /// Says what became known of the networks, and notes where they run now.
    fn tell_notices(&self, state: &State) {
        let Some(analyzer) = state.engine.as_ref().map(Engine::analyzer) else { return };
        let notices = analyzer.notices();
        if !notices.is_empty() {
            lock(&self.in_use).moved(analyzer.runs_on());
            notices::tell(&*self.obj(), notices);
        }
    }

    /// The stamp, if people may be looked at under it now.
    fn may_look<'a>(
        &self,
        state: &mut State,
        stamp: Option<&'a Stamp>,
    ) -> Result<Option<&'a Stamp>, gst::FlowError> {
        if let Some(site) =
            stamp.map(|s| s.site).filter(|site| *site != Site::Public && lock(&self.settings).emotion)
        {
            return Err(self.refuse_emotion(site));
        }
        let permit: Permit<Measurement> = match permit(stamp, 0, wall_clock()) {
            Ok(permit) => permit,
            Err(refusal) => {
                lock(&self.stats).no_consent += 1;
                self.say_once_why_not(state, refusal);
                return Ok(None);
            }
        };
        let epoch = permit.epoch();
        if state.epoch.is_none_or(|known| epoch > known) {
            state.epoch = Some(epoch);
            self.floor.raise(epoch);
            if let Some(engine) = &state.engine {
                engine.analyzer().forget(epoch);
            }
        }
        if !self.floor.allows(epoch) {
            // The gate's event overtook this buffer.
            lock(&self.stats).no_consent += 1;
            return Ok(None);
        }
        Ok(stamp)
    }

    fn look(
        &self,
        state: &mut State,
        engine: &mut Engine,
        buffer: &gst::BufferRef,
        stamp: &Stamp,
        now: gst::ClockTime,
    ) -> Result<gst::FlowSuccess, gst::FlowError> {
        let begun = Instant::now();
        self.settle_thread(state, engine);
        let terms = engine.terms(stamp, now);
        // Not the shared ones: `stats` can be read while a network runs.
        let mut stats = lock(&self.stats).clone();
        let mut result = engine.collect(&mut stats).map_err(|e| e.to_string());
        if engine.takes_from_upstream()
            && let Some(reader) = &state.reader
        {
            let (label, threshold) = self.upstream_label_and_threshold();
            let info = reader.info();
            let found = upstream::observations(buffer, &label, threshold, info.width(), info.height());
            result = result.and(engine.observe(&found, &terms, &mut stats).map_err(|e| e.to_string()));
        }
        if let Some(reader) = &mut state.reader
            && let Some(plan) = engine.plan(&terms, &mut stats)
        {
            let looked = match reader.look(buffer, |frame| engine.look(frame, plan, &terms, &mut stats)) {
                Ok(looked) => looked.map_err(|e| e.to_string()),
                Err(unreadable) => {
                    stats.errors += 1;
                    Err(unreadable.to_string())
                }
            };
            result = result.and(looked);
            stats.streaming.add(begun.elapsed());
            lock(&self.in_use).looked_at(reader);
        }
        if engine.is_broken() {
            result = result.and(Err("the thread that runs the networks has died".into()));
        }
        *lock(&self.stats) = stats;
        result.or_else(|problem| self.failed(state, &problem))?;
        Ok(gst::FlowSuccess::Ok)
    }

    /// Writes on the buffer what is known now, unless consent has ended while it was learned.
    fn attach(
        &self,
        state: &mut State,
        engine: &Engine,
        buffer: &mut gst::BufferRef,
        stamp: &Stamp,
        now: gst::ClockTime,
    ) {
        let Some(info) = state.reader.as_ref().map(|reader| reader.info().clone()) else { return };
        let terms = engine.terms(stamp, now);
        let Ok(measurement) = permit::<Measurement>(Some(stamp), 0, terms.wall) else { return };
        let permits = Permits::of(engine.analyzer(), &terms);
        let analyzer = engine.analyzer();
        let tracked = analyzer.faces(&measurement, &permits.allowed(), terms.now);
        let personal = permit(Some(stamp), analyzer.count(terms.now), terms.wall).ok();
        let verdict = analyzer.targeting(personal.as_ref(), stamp.adult, terms.now);
        let (width, height) = (info.width(), info.height());
        let faces: Vec<Face> =
            tracked.into_iter().map(|face| attach::face(face, analyzer, width, height)).collect();
        if !self.floor.allows(stamp.epoch) {
            lock(&self.stats).stale += 1;
            return;
        }
        if engine.takes_from_upstream() {
            // Whom upstream found is there once, as followed here, or not at all where consent does not reach.
            detection::remove(buffer, &self.upstream_label_and_threshold().0);
        }
        face::remove_all(buffer);
        for face in &faces {
            face.attach_at(buffer, width, height, Some(now));
        }
        let count = u32::try_from(faces.len()).unwrap_or(u32::MAX);
        Audience { epoch: stamp.epoch, faces: count, targeting: attach::targeting(verdict) }.attach(buffer);
        lock(&self.stats).faces += u64::from(count);
        if state.pace.due(now) {
            let structure = summary::structure(&faces, stamp.epoch, now);
            let message = gst::message::Element::builder(structure).src(&*self.obj()).build();
            let _ = self.obj().post_message(message);
        }
    }

    fn upstream_label_and_threshold(&self) -> (String, f32) {
        let settings = lock(&self.settings);
        (settings.upstream_label.clone().unwrap_or_default(), settings.threshold)
    }

    /// On the first frame: whether to wait for results.
    fn settle_thread(&self, state: &mut State, engine: &mut Engine) {
        if std::mem::replace(&mut state.settled, true) {
            return;
        }
        let wanted = lock(&self.settings).run_async;
        if !wanted.resolve(self.obj().sink_pads().first()) {
            return;
        }
        match engine.run_beside_the_stream() {
            Ok(()) => lock(&self.in_use).running_async = true,
            Err(e) => {
                self.warn(state, "thread", &format!("no thread for inference ({e}): frames wait for it"))
            }
        }
    }

    fn refuse_emotion(&self, site: Site) -> gst::FlowError {
        gst::element_imp_error!(
            self,
            gst::LibraryError::Settings,
            ("emotion=true is refused here: {}. Set emotion=false", Refusal::Site(site))
        );
        gst::FlowError::Error
    }

    fn say_once_why_not(&self, state: &mut State, refusal: Refusal) {
        match refusal {
            Refusal::NoConsent => self.warn(
                state,
                "no-consent",
                "buffers carry no consent, so nobody is looked at; put consentgate in front of faceanalyze",
            ),
            Refusal::Purpose(_) => self.warn(state, "purpose", &format!("{refusal}, so nobody is looked at")),
            // The gate is about to close.
            other => gst::debug!(CAT, imp = self, "{other}"),
        }
    }

    fn warn(&self, state: &mut State, reason: &'static str, text: &str) {
        if state.said.first(reason) {
            warn(&*self.obj(), gst::ResourceError::Failed, reason, text);
        }
    }

    /// A network that failed to run, or a picture that could not be read: this frame goes without.
    fn failed(&self, state: &mut State, problem: &str) -> Result<(), gst::FlowError> {
        if lock(&self.settings).fallback {
            self.warn(state, "failed", &format!("{problem}; pictures pass without being looked at"));
            return Ok(());
        }
        gst::element_imp_error!(self, gst::StreamError::Failed, ("{}", problem));
        Err(gst::FlowError::Error)
    }
}
