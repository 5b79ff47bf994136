//! The handle that elements hold, and what it shares with the writer's thread.

use crate::{Event, EventKind, History, history::Plays, writer::Writer};
use facialads_campaign::CreativeRef;
use std::{
    collections::{BTreeMap, HashMap, VecDeque},
    fmt,
    path::{Path, PathBuf},
    sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError, Weak},
    time::{Duration, Instant},
};

/// How long the last handle waits for the writer when it goes.
const CLOSE: Duration = Duration::from_secs(2);

/// How a store is kept. The first who opens a path in a process decides.
#[derive(Clone, Debug, PartialEq)]
pub struct Settings {
    /// After this many days records are purged.
    pub retention_days: u32,
    /// How many events may wait for the writer; at least one.
    pub queue: usize,
    /// The store stops recording when it has grown to this many bytes; `None` is as large as the disk.
    pub largest: Option<u64>,
}

impl Default for Settings {
    fn default() -> Self {
        Self { retention_days: 90, queue: 4096, largest: None }
    }
}

/// The one writer of a store in this process. Clones are handles to it; the last one that goes waits up to two seconds
/// for what is queued to be written, so let it go on a thread that may wait.
#[derive(Clone)]
pub struct Ledger(Arc<Handle>);

struct Handle {
    shared: Arc<Shared>,
    plays: Arc<Plays>,
    path: PathBuf,
}

static OPEN: Mutex<Option<HashMap<PathBuf, Weak<Handle>>>> = Mutex::new(None);

impl Ledger {
    /// The writer for this path, started if there is none. Never waits for the store and never fails: what goes wrong
    /// with it is counted in [`stats`](Self::stats), told to observers, and tried again.
    pub fn shared(path: &Path) -> Self {
        Self::with_settings(path, Settings::default())
    }

    /// As [`shared`](Self::shared); the settings count where this call starts the writer.
    pub fn with_settings(path: &Path, settings: Settings) -> Self {
        let path = identity(path);
        let mut open = OPEN.lock().unwrap_or_else(PoisonError::into_inner);
        let open = open.get_or_insert_default();
        open.retain(|_, handle| handle.strong_count() > 0);
        if let Some(handle) = open.get(&path).and_then(Weak::upgrade) {
            return Self(handle);
        }
        let handle = Arc::new(Handle::start(path.clone(), settings));
        open.insert(path, Arc::downgrade(&handle));
        Self(handle)
    }

    /// The file, absolute.
    pub fn path(&self) -> &Path {
        &self.0.path
    }

    /// Hands an event to the writer. Never waits: where the queue is full the event is dropped and counted, and `false`
    /// is the answer.
    pub fn record(&self, event: Event) -> bool {
        if let Event::Impression(shown) = &event
            && (shown.frames > 0 || shown.samples > 0)
        {
            // Also where the store is of no use: caps must hold.
            let creative = CreativeRef { campaign: shown.campaign.clone(), creative: shown.creative.clone() };
            self.0.plays.add(&shown.screen, creative, shown.at);
        }
        self.0.shared.push(event)
    }

    /// Waits until everything recorded before is on disk (people in the buckets excepted), at most `timeout`. `false` if it
    /// is not. Not for streaming threads.
    pub fn flush(&self, timeout: Duration) -> bool {
        self.0.shared.flush(timeout)
    }

    pub fn stats(&self) -> Stats {
        self.0.shared.stats()
    }

    /// Calls `notify` from the writer's thread when recording stops and when it goes on, until the returned guard is
    /// dropped; at once, from here, if recording has stopped already. It must not wait.
    #[must_use = "dropping the observer ends it"]
    pub fn observe(&self, notify: impl Fn(&Notice) + Send + Sync + 'static) -> Observer {
        self.0.shared.observe(Arc::new(notify))
    }

    /// What was played on a screen, from memory: filled from the store by the writer's thread, then by every impression
    /// that is recorded.
    pub fn history(&self, screen: &str) -> History {
        History::new(screen, self.0.plays.clone())
    }

    /// Whether what the store knows has been read into the history, or cannot be at present.
    pub fn history_loaded(&self) -> bool {
        self.0.shared.lock().history_loaded
    }
}

impl fmt::Debug for Ledger {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Ledger").field(&self.0.path).finish()
    }
}

impl Handle {
    fn start(path: PathBuf, settings: Settings) -> Self {
        let shared = Arc::new(Shared::new(settings.queue.max(1)));
        let plays = Arc::new(Plays::default());
        let writer = Writer::new(path.clone(), settings, shared.clone(), plays.clone());
        let thread = std::thread::Builder::new().name("facialads-ledger".to_owned());
        if let Err(error) = thread.spawn(move || writer.run()) {
            shared.stopped(&format!("no thread for the ledger: {error}"));
            shared.closed();
        }
        Self { shared, plays, path }
    }
}

impl Drop for Handle {
    fn drop(&mut self) {
        self.shared.close(CLOSE);
    }
}

/// One spelling for each file, so that two spellings share a writer.
fn identity(path: &Path) -> PathBuf {
    let absolute = std::path::absolute(path).unwrap_or_else(|_| path.to_owned());
    match (absolute.parent().map(Path::canonicalize), absolute.file_name()) {
        (Some(Ok(folder)), Some(name)) => folder.join(name),
        _ => absolute,
    }
}

/// Ends the notifications when dropped.
pub struct Observer {
    id: u64,
    shared: Weak<Shared>,
}

impl Drop for Observer {
    fn drop(&mut self) {
        if let Some(shared) = self.shared.upgrade() {
            shared.lock().observers.retain(|(id, _)| *id != self.id);
        }
    }
}

/// Something about the store that an operator should know.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Notice {
    /// Recording has stopped; it is being tried again.
    Stopped { error: String, hint: String },
    /// It goes on; so many events were lost since the writer was started.
    Resumed { dropped: u64 },
}

#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Stats {
    /// Events that are on disk or, for audiences, counted in a bucket.
    pub recorded: u64,
    /// Events lost, by kind.
    pub dropped: BTreeMap<EventKind, u64>,
    /// Waiting to be written.
    pub queued: u64,
    /// Why recording has stopped, while it has.
    pub error: Option<String>,
}

type Notify = Arc<dyn Fn(&Notice) + Send + Sync>;

/// What handles and the writer share. The lock is never held over a write.
pub(crate) struct Shared {
    state: Mutex<State>,
    /// Something for the writer to do.
    work: Condvar,
    /// Something was written, or the writer has ended.
    done: Condvar,
    capacity: usize,
}

#[derive(Default)]
struct State {
    queue: VecDeque<Event>,
    /// Events accepted, and events that were written or lost after that.
    accepted: u64,
    settled: u64,
    stats: Stats,
    observers: Vec<(u64, Notify)>,
    next_observer: u64,
    last_stop: Option<Notice>,
    history_loaded: bool,
    retry_now: bool,
    closing: bool,
    closed: bool,
}

impl Shared {
    fn new(capacity: usize) -> Self {
        Self { state: Mutex::default(), work: Condvar::new(), done: Condvar::new(), capacity }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn push(&self, event: Event) -> bool {
        let mut state = self.lock();
        if state.closed || state.queue.len() >= self.capacity {
            *state.stats.dropped.entry(event.kind()).or_default() += 1;
            return false;
        }
        state.queue.push_back(event);
        state.accepted += 1;
        self.work.notify_one();
        true
    }

    pub fn take(&self, most: usize) -> Vec<Event> {
        let mut state = self.lock();
        let count = most.min(state.queue.len());
        state.queue.drain(..count).collect()
    }

    fn flush(&self, timeout: Duration) -> bool {
        let deadline = Instant::now() + timeout;
        let mut state = self.lock();
        let (goal, lost) = (state.accepted, lost(&state.stats));
        state.retry_now = true;
        self.work.notify_one();
        while state.settled < goal || state.stats.error.is_some() {
            let left = deadline.saturating_duration_since(Instant::now());
            if left.is_zero() || state.closed {
                return false;
            }
            state = self.done.wait_timeout(state, left).unwrap_or_else(PoisonError::into_inner).0;
        }
        self::lost(&state.stats) == lost
    }

    fn stats(&self) -> Stats {
        let state = self.lock();
        Stats { queued: state.accepted - state.settled, ..state.stats.clone() }
    }

    fn observe(self: &Arc<Self>, notify: Notify) -> Observer {
        let (id, stopped) = {
            let mut state = self.lock();
            let id = state.next_observer;
            state.next_observer += 1;
            state.observers.push((id, notify.clone()));
            (id, state.last_stop.clone().filter(|_| state.stats.error.is_some()))
        };
        if let Some(notice) = stopped {
            notify(&notice);
        }
        Observer { id, shared: Arc::downgrade(self) }
    }

    /// Tells the observers, without the lock: they may ask for statistics.
    pub fn notify(&self, notice: &Notice) {
        let observers: Vec<Notify> = {
            let mut state = self.lock();
            if matches!(notice, Notice::Stopped { .. }) {
                state.last_stop = Some(notice.clone());
            }
            state.observers.iter().map(|(_, notify)| notify.clone()).collect()
        };
        observers.iter().for_each(|notify| notify(notice));
    }

    pub fn error(&self) -> Option<String> {
        self.lock().stats.error.clone()
    }

    /// `true` if recording went on until now.
    pub fn stopped(&self, error: &str) -> bool {
        let mut state = self.lock();
        let first = state.stats.error.is_none();
        state.stats.error = Some(error.to_owned());
        first
    }

    /// How many were lost so far, if recording had stopped until now.
    pub fn resumed(&self) -> Option<u64> {
        let mut state = self.lock();
        let had_stopped = state.stats.error.take().is_some();
        self.done.notify_all();
        had_stopped.then(|| lost(&state.stats))
    }

    pub fn written(&self, events: usize) {
        let mut state = self.lock();
        state.settled += events as u64;
        state.stats.recorded += events as u64;
        self.done.notify_all();
    }

    pub fn lost(&self, kinds: &[EventKind]) {
        let mut state = self.lock();
        for kind in kinds {
            *state.stats.dropped.entry(*kind).or_default() += 1;
        }
        state.settled += kinds.len() as u64;
        self.done.notify_all();
    }

    pub fn history_is_loaded(&self) {
        self.lock().history_loaded = true;
    }

    /// Until there are events, a flush, the end, or `tick` is over. Whether the end has come.
    pub fn wait_for_events(&self, tick: Duration, idle: bool) -> bool {
        let waiting =
            |state: &mut State| idle && state.queue.is_empty() && !state.closing && !state.retry_now;
        self.wait(tick, waiting)
    }

    /// Until a flush, the end, or `retry` is over. Whether the end has come.
    pub fn wait_before_retry(&self, retry: Duration) -> bool {
        self.wait(retry, |state| !state.closing && !state.retry_now)
    }

    fn wait(&self, time: Duration, waiting: impl FnMut(&mut State) -> bool) -> bool {
        let state = self.lock();
        let (mut state, _) =
            self.work.wait_timeout_while(state, time, waiting).unwrap_or_else(PoisonError::into_inner);
        state.retry_now = false;
        state.closing
    }

    pub fn is_drained(&self) -> bool {
        let state = self.lock();
        state.queue.is_empty() && state.settled == state.accepted
    }

    fn close(&self, timeout: Duration) {
        let mut state = self.lock();
        state.closing = true;
        self.work.notify_one();
        let ended = self.done.wait_timeout_while(state, timeout, |state| !state.closed);
        drop(ended.unwrap_or_else(PoisonError::into_inner));
    }

    pub fn closed(&self) {
        self.lock().closed = true;
        self.done.notify_all();
    }
}

fn lost(stats: &Stats) -> u64 {
    stats.dropped.values().sum()
}
