//! A network that moves: from a GPU that fails to the next device, and to TensorRT once its engine is there.

use super::{
    Description, Device, GpuNetwork, GpuSession, GpuTensor, Network, Notice, NoticeKind, Notices, Tensor,
};
use crate::{
    Error, Result,
    cuda::{Gpu, GpuFailure, Stream},
};
use std::{
    sync::{
        Arc, Mutex, MutexGuard, OnceLock, PoisonError, Weak,
        atomic::{AtomicU64, AtomicUsize, Ordering},
    },
    thread,
    time::{Duration, Instant},
};

/// As many moves as can happen: TensorRT's engine becomes ready, and each device after it fails.
const MOST_MOVES: usize = 8;
/// How often it is told that TensorRT still builds.
const PROGRESS: Duration = Duration::from_secs(15);

/// Loads the network on a device, ready to run; for threads of its own.
pub(super) type Loader = Arc<dyn Fn(&Device) -> Result<Arc<dyn Network>> + Send + Sync>;

/// One network after the other, of which the last is in use. Those before it stay where they are as long as this lives, so that
/// who is using one is not disturbed.
pub(super) struct Resilient {
    first: Step,
    later: [OnceLock<Step>; MOST_MOVES],
    /// 0: the first; n: number n - 1 of the later ones.
    current: AtomicUsize,
    next: Mutex<Next>,
    load: Loader,
    notices: Notices,
    me: Weak<Self>,
}

/// What can still be done.
struct Next {
    /// Devices to go to, best first.
    devices: Vec<Device>,
    /// A thread is loading one, or there is none left.
    moving: bool,
}

struct Step {
    network: Arc<dyn Network>,
    on_gpu: Option<OnGpu>,
    /// How much of its notices has been taken over.
    seen: AtomicU64,
}

impl Step {
    fn new(network: Arc<dyn Network>, number: usize, owner: &Weak<Resilient>) -> Self {
        let gpu = network.gpu().map(|network| (network.gpu().clone(), network.half_input()));
        let on_gpu = gpu.map(|(gpu, half)| OnGpu {
            network: Arc::clone(&network),
            gpu,
            half,
            number,
            owner: owner.clone(),
        });
        Self { network, on_gpu, seen: AtomicU64::new(0) }
    }
}

impl Resilient {
    /// `devices`: where to go when `first` fails, best first.
    pub(super) fn new(first: Arc<dyn Network>, devices: Vec<Device>, load: Loader) -> Arc<Self> {
        Arc::new_cyclic(|me| Self {
            first: Step::new(first, 0, me),
            later: Default::default(),
            current: AtomicUsize::new(0),
            next: Mutex::new(Next { devices, moving: false }),
            load,
            notices: Notices::default(),
            me: me.clone(),
        })
    }

    fn next(&self) -> MutexGuard<'_, Next> {
        self.next.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn number(&self) -> usize {
        self.current.load(Ordering::Acquire)
    }

    fn step(&self, number: usize) -> &Step {
        let later = number.checked_sub(1).and_then(|index| self.later.get(index)).and_then(OnceLock::get);
        later.unwrap_or(&self.first)
    }

    fn network(&self) -> &dyn Network {
        &*self.step(self.number()).network
    }

    /// Uses another network from now on, unless it has moved too often.
    fn adopt(&self, network: Arc<dyn Network>) {
        // Held so that two that come at once get a place each.
        let _next = self.next();
        let Some(index) = self.later.iter().position(|step| step.get().is_none()) else { return };
        if self.later[index].set(Step::new(network, index + 1, &self.me)).is_ok() {
            self.current.store(index + 1, Ordering::Release);
        }
    }

    fn model(&self) -> String {
        self.network().describe().model.clone()
    }

    /// A run on step `number` failed: if that was the GPU's fault, the next device is loaded beside.
    fn failed(&self, number: usize, error: &Error) {
        let Some(failure) = error.gpu_failure() else { return };
        let mut next = self.next();
        if next.moving || self.number() != number {
            return;
        }
        next.moving = true;
        drop(next);
        let (Some(me), text) = (self.me.upgrade(), error.to_string()) else { return };
        let started =
            thread::Builder::new().name("facialads-move".into()).spawn(move || me.go_on(failure, &text));
        if let Err(e) = started {
            // `moving` stays, so that this is not said with each frame.
            self.notices.warn(&self.model(), format!("{error}; no other device can be tried: {e}"));
        }
    }

    /// Takes the first device that works. On a thread of its own.
    fn go_on(&self, failure: GpuFailure, problem: &str) {
        let model = self.model();
        let mut problems = vec![problem.to_owned()];
        loop {
            let device = {
                let mut next = self.next();
                if next.devices.is_empty() { None } else { Some(next.devices.remove(0)) }
            };
            let Some(device) = device else {
                self.notices.warn(&model, format!("{}; no other device works", problems.join("; ")));
                // `moving` stays: there is nowhere to go, and this has been said.
                return;
            };
            // What is lost stays lost: another provider on the same card would fail the same way, after seconds.
            let on_a_card = matches!(device, Device::Cuda(_) | Device::TensorRt(_));
            if on_a_card && failure != GpuFailure::Other && failure != GpuFailure::Compile {
                continue;
            }
            match (self.load)(&device) {
                Ok(network) => {
                    let runtime = network.describe().runtime.clone();
                    self.adopt(network);
                    let place = device.in_words();
                    self.notices.warn(
                        &model,
                        format!("{}; running on {place} ({runtime}) from now on", problems.join("; ")),
                    );
                    self.next().moving = false;
                    return;
                }
                Err(e) => problems.push(e.to_string()),
            }
        }
    }

    /// Builds an engine beside, tells how that goes, and uses it when it is there. Returns at once.
    ///
    /// `fallback`: the device that is in use now and to be gone back to, should the engine fail later.
    pub(super) fn build(&self, device: Device, fallback: Device) {
        let (me, load, model) = (self.me.clone(), Arc::clone(&self.load), self.model());
        let begun = Instant::now();
        self.notices.add(Notice {
            model: model.clone(),
            kind: NoticeKind::Progress(Duration::ZERO),
            text: format!(
                "TensorRT builds its engine, which takes minutes; {} carries on meanwhile",
                fallback.in_words()
            ),
        });
        let name = model.clone();
        let work = move || {
            let (done, told) = std::sync::mpsc::channel();
            let wanted = device.clone();
            let builder = thread::Builder::new().name("facialads-trt".into()).spawn(move || {
                // One after the other: each wants much of the card, and of the processor.
                let _turn = BUILDING.lock().unwrap_or_else(PoisonError::into_inner);
                let _ = done.send(load(&wanted));
            });
            let built = loop {
                match builder.as_ref().map(|_| told.recv_timeout(PROGRESS)) {
                    Ok(Ok(built)) => break built.map_err(|e| e.to_string()),
                    Ok(Err(std::sync::mpsc::RecvTimeoutError::Timeout)) => {
                        // Nobody uses it any more: the engine is kept on disk for the next time.
                        let Some(me) = me.upgrade() else { return };
                        let so_far = begun.elapsed();
                        let text =
                            format!("TensorRT has been building its engine for {} s", so_far.as_secs());
                        me.notices.add(Notice {
                            model: name.clone(),
                            kind: NoticeKind::Progress(so_far),
                            text,
                        });
                    }
                    Ok(Err(_)) => break Err("the thread that built it has ended".into()),
                    Err(e) => break Err(e.to_string()),
                }
            };
            if let Some(me) = me.upgrade() {
                me.built(built, begun.elapsed(), fallback);
            }
        };
        if let Err(e) = thread::Builder::new().name("facialads-trt".into()).spawn(work) {
            self.notices.warn(&model, format!("TensorRT's engine cannot be built: {e}"));
        }
    }

    fn built(&self, built: std::result::Result<Arc<dyn Network>, String>, took: Duration, fallback: Device) {
        let model = self.model();
        match built {
            Ok(network) => {
                // Whatever runs now works, so it is the first to go back to.
                self.next().devices.insert(0, fallback);
                self.adopt(network);
                let text = format!("TensorRT's engine is ready after {} s and in use", took.as_secs());
                self.notices.add(Notice { model, kind: NoticeKind::Done(took), text });
            }
            Err(problem) => {
                let place = self.network().describe().device.clone();
                self.notices.warn(
                    &model,
                    format!("TensorRT's engine cannot be built: {problem}; staying on {place}"),
                );
            }
        }
    }
}

static BUILDING: Mutex<()> = Mutex::new(());

impl Network for Resilient {
    fn describe(&self) -> &Description {
        self.network().describe()
    }

    fn prepare(&self, shape: &[usize]) -> Result<()> {
        self.network().prepare(shape)
    }

    fn run(&self, shape: &[usize], values: &[f32], outputs: &mut Vec<Tensor>) -> Result<()> {
        let number = self.number();
        let ran = self.step(number).network.run(shape, values, outputs);
        ran.inspect_err(|error| self.failed(number, error))
    }

    fn gpu(&self) -> Option<&dyn GpuNetwork> {
        self.step(self.number()).on_gpu.as_ref().map(|on_gpu| on_gpu as &dyn GpuNetwork)
    }

    fn notices(&self) -> Option<&Notices> {
        for step in self.later.iter().filter_map(OnceLock::get).chain([&self.first]) {
            let Some(theirs) = step.network.notices() else { continue };
            let mut seen = step.seen.load(Ordering::Relaxed);
            theirs.since(&mut seen).into_iter().for_each(|notice| self.notices.add(notice));
            step.seen.store(seen, Ordering::Relaxed);
        }
        Some(&self.notices)
    }
}

/// A network on a GPU whose failures are noticed.
struct OnGpu {
    network: Arc<dyn Network>,
    gpu: Gpu,
    half: bool,
    number: usize,
    owner: Weak<Resilient>,
}

impl OnGpu {
    fn failed(&self, error: &Error) {
        if let Some(owner) = self.owner.upgrade() {
            owner.failed(self.number, error);
        }
    }
}

impl GpuNetwork for OnGpu {
    fn session(&self) -> Result<Box<dyn GpuSession + '_>> {
        let Some(network) = self.network.gpu() else {
            let describe = self.network.describe();
            let problem = format!("it is on {} and not on a GPU", describe.device);
            return Err(Error::Inference { model: describe.model.clone(), problem });
        };
        let session = network.session().inspect_err(|error| self.failed(error))?;
        Ok(Box::new(Watched { session, on_gpu: self }))
    }
    fn half_input(&self) -> bool {
        self.half
    }
    fn gpu(&self) -> &Gpu {
        &self.gpu
    }
}

struct Watched<'a> {
    session: Box<dyn GpuSession + 'a>,
    on_gpu: &'a OnGpu,
}

impl GpuSession for Watched<'_> {
    fn stream(&self) -> &Stream {
        self.session.stream()
    }
    fn input(&mut self, shape: &[usize]) -> Result<u64> {
        self.session.input(shape).inspect_err(|error| self.on_gpu.failed(error))
    }
    fn run(&mut self) -> Result<()> {
        self.session.run().inspect_err(|error| self.on_gpu.failed(error))
    }
    fn outputs(&self) -> &[GpuTensor] {
        self.session.outputs()
    }
}
