//! The thread that a network on a GPU lives on. ONNX Runtime keeps CUDA graphs and the handles of cuBLAS and cuDNN by thread: if
//! every element's worker ran the session itself, each would capture graphs of its own.

use super::{super::handle::Outcome, bindings::Bindings};
use crate::runtime::GpuTensor;
use std::{
    panic::{AssertUnwindSafe, catch_unwind},
    sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError},
    thread::JoinHandle,
};

/// What is wanted of the thread.
enum Job {
    Input(Vec<usize>),
    /// With memory for the answer.
    Run(Vec<GpuTensor>),
}

enum Answer {
    Address(Outcome<u64>),
    Outputs(Outcome<()>, Vec<GpuTensor>, Vec<String>),
}

#[derive(Default)]
struct Desk {
    job: Option<Job>,
    answer: Option<Answer>,
    /// The network is to be dropped, or the thread has ended.
    closed: bool,
}

#[derive(Default)]
struct Shared {
    desk: Mutex<Desk>,
    wake: Condvar,
}

/// A network's thread. One caller at a time.
pub(super) struct Engine {
    shared: Arc<Shared>,
    thread: Option<JoinHandle<()>>,
}

fn ended() -> String {
    "its thread has ended".to_owned()
}

impl Engine {
    /// Starts the thread, which makes the session by `make` and hands it to `last` in the end. Returns when the session is there.
    pub(super) fn start<A: Send + 'static>(
        name: &str,
        make: impl FnOnce() -> Result<(Bindings, A), crate::Error> + Send + 'static,
        last: impl FnOnce(Bindings) + Send + 'static,
    ) -> Result<(Self, A), crate::Error> {
        let shared = Arc::<Shared>::default();
        let (tell, told) = std::sync::mpsc::channel();
        let inside = Arc::clone(&shared);
        let failed = |problem: String| crate::Error::Library { problem };
        // The kernel cuts names off at 15 characters.
        let thread = std::thread::Builder::new()
            .name(name.to_owned())
            .spawn(move || {
                let body = AssertUnwindSafe(|| match make() {
                    Ok((mut bindings, about)) => {
                        let _ = tell.send(Ok(about));
                        inside.serve(&mut bindings);
                        last(bindings);
                    }
                    Err(e) => {
                        let _ = tell.send(Err(e));
                    }
                });
                // A panic must not take the player down; whoever waits is told.
                let _ = catch_unwind(body);
                inside.desk().closed = true;
                inside.wake.notify_all();
            })
            .map_err(|e| failed(format!("no thread can be started: {e}")))?;
        let engine = Self { shared, thread: Some(thread) };
        match told.recv() {
            Ok(Ok(about)) => Ok((engine, about)),
            Ok(Err(e)) => Err(e),
            Err(_) => Err(failed(ended())),
        }
    }

    /// See [`Bindings::input`].
    pub(super) fn input(&self, shape: &[usize]) -> Outcome<u64> {
        match self.ask(Job::Input(shape.to_vec())) {
            Some(Answer::Address(address)) => address,
            _ => Err(ended()),
        }
    }

    /// See [`Bindings::run`]. Returns what there is to be known of, too.
    pub(super) fn run(&self, outputs: &mut Vec<GpuTensor>) -> Outcome<Vec<String>> {
        match self.ask(Job::Run(std::mem::take(outputs))) {
            Some(Answer::Outputs(ran, told, notes)) => {
                *outputs = told;
                ran.map(|()| notes)
            }
            _ => Err(ended()),
        }
    }

    fn ask(&self, job: Job) -> Option<Answer> {
        let mut desk = self.shared.desk();
        if desk.closed {
            return None;
        }
        desk.job = Some(job);
        desk.answer = None;
        self.shared.wake.notify_all();
        loop {
            if let Some(answer) = desk.answer.take() {
                return Some(answer);
            }
            if desk.closed {
                return None;
            }
            desk = self.shared.wake.wait(desk).unwrap_or_else(PoisonError::into_inner);
        }
    }
}

impl Shared {
    fn desk(&self) -> MutexGuard<'_, Desk> {
        self.desk.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn serve(&self, bindings: &mut Bindings) {
        while let Some(job) = self.next() {
            let answer = match job {
                Job::Input(shape) => Answer::Address(bindings.input(&shape)),
                Job::Run(mut outputs) => {
                    let ran = bindings.run(&mut outputs);
                    Answer::Outputs(ran, outputs, bindings.notes())
                }
            };
            self.desk().answer = Some(answer);
            self.wake.notify_all();
        }
    }

    fn next(&self) -> Option<Job> {
        let mut desk = self.desk();
        loop {
            if desk.closed {
                return None;
            }
            if let Some(job) = desk.job.take() {
                return Some(job);
            }
            desk = self.wake.wait(desk).unwrap_or_else(PoisonError::into_inner);
        }
    }
}

impl Drop for Engine {
    /// Waits for the run that has been begun.
    fn drop(&mut self) {
        self.shared.desk().closed = true;
        self.shared.wake.notify_all();
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}
