//! One thread that does the slow part, with room for one job: a stream never waits for it, and what it cannot take
//! is skipped, because a frame that waited in a queue would be described too late to matter.

use std::{
    collections::VecDeque,
    panic::{AssertUnwindSafe, catch_unwind},
    sync::{Arc, Condvar, Mutex, PoisonError},
    thread::JoinHandle,
};

/// Results that nobody has fetched are bounded too: a stream that stopped must not make memory grow.
const MOST_RESULTS: usize = 8;

struct Desk<J, R> {
    job: Option<J>,
    busy: bool,
    results: VecDeque<R>,
    /// Jobs handed in before this number are of no interest any more.
    stopped: bool,
    /// The thread ended by a panic inside a library; said once, then nothing is taken any more.
    broken: bool,
}

struct Shared<J, R> {
    desk: Mutex<Desk<J, R>>,
    wake: Condvar,
}

/// A thread that turns jobs into results, one at a time, in order.
pub struct Worker<J, R> {
    shared: Arc<Shared<J, R>>,
    thread: Option<JoinHandle<()>>,
}

impl<J: Send + 'static, R: Send + 'static> Worker<J, R> {
    /// Starts a thread called `name` that calls `work` for each job.
    pub fn start(name: &str, mut work: impl FnMut(J) -> R + Send + 'static) -> Result<Self, std::io::Error> {
        let shared = Arc::new(Shared {
            desk: Mutex::new(Desk {
                job: None,
                busy: false,
                results: VecDeque::new(),
                stopped: false,
                broken: false,
            }),
            wake: Condvar::new(),
        });
        let inside = shared.clone();
        let thread = std::thread::Builder::new().name(name.to_owned()).spawn(move || {
            while let Some(job) = inside.next() {
                // A panic in a native library's wrapper must not take the player down with it.
                match catch_unwind(AssertUnwindSafe(|| work(job))) {
                    Ok(result) => inside.done(result),
                    Err(_) => return inside.broke(),
                }
            }
        })?;
        Ok(Self { shared, thread: Some(thread) })
    }

    /// Hands a job in, unless the thread still has one: then the job comes back. Never waits for the work itself.
    pub fn submit(&self, job: J) -> Result<(), J> {
        let mut desk = self.shared.desk();
        if desk.busy || desk.job.is_some() || desk.stopped || desk.broken {
            return Err(job);
        }
        desk.job = Some(job);
        self.shared.wake.notify_all();
        Ok(())
    }

    /// Whether a job handed in now would be taken: asked before the work of preparing one.
    pub fn is_free(&self) -> bool {
        let desk = self.shared.desk();
        !desk.busy && desk.job.is_none() && !desk.stopped && !desk.broken
    }

    /// Whether the thread died of a panic.
    pub fn is_broken(&self) -> bool {
        self.shared.desk().broken
    }

    /// What has been finished since the last call, oldest first.
    pub fn results(&self) -> Vec<R> {
        self.shared.desk().results.drain(..).collect()
    }

    /// Drops the job that has not been begun and every result that has not been fetched.
    pub fn forget(&self) {
        let mut desk = self.shared.desk();
        desk.job = None;
        desk.results.clear();
    }
}

impl<J, R> Shared<J, R> {
    fn desk(&self) -> std::sync::MutexGuard<'_, Desk<J, R>> {
        self.desk.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn next(&self) -> Option<J> {
        let mut desk = self.desk();
        loop {
            if desk.stopped {
                return None;
            }
            if let Some(job) = desk.job.take() {
                desk.busy = true;
                return Some(job);
            }
            desk = self.wake.wait(desk).unwrap_or_else(PoisonError::into_inner);
        }
    }

    fn done(&self, result: R) {
        let mut desk = self.desk();
        desk.busy = false;
        if desk.results.len() == MOST_RESULTS {
            desk.results.pop_front();
        }
        desk.results.push_back(result);
    }

    fn broke(&self) {
        let mut desk = self.desk();
        desk.busy = false;
        desk.broken = true;
    }
}

impl<J, R> Drop for Worker<J, R> {
    /// Waits for the job that has been begun, at most one inference.
    fn drop(&mut self) {
        {
            let mut desk = self.shared.desk();
            desk.stopped = true;
            desk.job = None;
        }
        self.shared.wake.notify_all();
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::mpsc;

    /// A worker whose work waits until the test lets it go on.
    fn held() -> (Worker<u32, u32>, mpsc::Sender<()>, mpsc::Receiver<u32>) {
        let (go, gate) = mpsc::channel::<()>();
        let (begun, seen) = mpsc::channel();
        let worker = Worker::start("test", move |job: u32| {
            begun.send(job).unwrap();
            gate.recv().unwrap();
            job * 10
        })
        .unwrap();
        (worker, go, seen)
    }

    fn until<T>(mut f: impl FnMut() -> Option<T>) -> T {
        let end = std::time::Instant::now() + std::time::Duration::from_secs(60);
        loop {
            if let Some(found) = f() {
                return found;
            }
            assert!(std::time::Instant::now() < end, "waited a minute");
            std::thread::yield_now();
        }
    }

    #[test]
    fn a_busy_worker_gives_the_job_back_instead_of_queueing_it() {
        let (worker, go, seen) = held();
        assert_eq!(worker.submit(1), Ok(()));
        assert_eq!(seen.recv(), Ok(1));
        assert!(!worker.is_free());
        assert_eq!(worker.submit(2), Err(2));
        go.send(()).unwrap();
        assert_eq!(until(|| worker.results().pop()), 10);
        assert!(until(|| worker.is_free().then_some(true)));
    }

    #[test]
    fn dropping_it_in_the_middle_of_a_job_waits_for_that_job_and_ends() {
        let (worker, go, seen) = held();
        worker.submit(1).unwrap();
        seen.recv().unwrap();
        go.send(()).unwrap();
        drop(worker);
        assert!(seen.recv().is_err(), "the thread has gone");
    }

    #[test]
    fn forgotten_results_are_not_handed_out() {
        let (worker, go, _seen) = held();
        worker.submit(1).unwrap();
        go.send(()).unwrap();
        until(|| worker.is_free().then_some(()));
        worker.forget();
        assert!(worker.results().is_empty());
    }

    #[test]
    fn a_panic_in_the_work_is_noticed_and_nothing_more_is_taken() {
        let worker: Worker<u32, u32> = Worker::start("test", |_| panic!("as a library might")).unwrap();
        worker.submit(1).unwrap();
        until(|| worker.is_broken().then_some(()));
        assert_eq!(worker.submit(2), Err(2));
    }
}
