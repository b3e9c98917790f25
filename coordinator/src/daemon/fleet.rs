//! The sessions of one coordinator, from the call that starts them to the recording that stays of them.

use super::store::LeftOpen;
use super::update::update;
use super::{Log, Store};
use crate::feeding;
use crate::recording::RecordingError;
use crate::registry::Registry;
use crate::service::now_ns;
use crate::session::{self, Message, SessionHandle, SessionOptions, SessionProgress, StartError, spec};
use correlate_proto::wire;
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use tokio::sync::watch;

/// Sessions that run at once. More are refused: each has three threads and a file.
const MAX_OPEN: usize = 256;

/// Sessions and agents.
#[derive(Debug, Clone)]
pub(crate) struct Fleet(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    registry: Registry,
    store: Store,
    open: Mutex<BTreeMap<String, Open>>,
}

/// A session that is not over.
#[derive(Debug, Clone)]
pub(crate) struct Open {
    pub(crate) spec: wire::SessionSpec,
    pub(crate) started_at_ns: i64,
    pub(crate) log: Log,
    pub(crate) progress: watch::Receiver<SessionProgress>,
}

/// Why a session was not started.
#[derive(Debug, thiserror::Error)]
pub(crate) enum StartRefused {
    /// The request makes no sense.
    #[error("{0}")]
    Request(String),
    /// There is no such agent.
    #[error("no agent named {0} is connected; `correlate agents` lists those that are")]
    NoAgent(String),
    /// There are too many sessions.
    #[error("{MAX_OPEN} sessions run already; stop one")]
    TooMany,
    /// The session cannot begin.
    #[error(transparent)]
    Start(#[from] StartError),
}

impl Fleet {
    pub(crate) fn new(registry: Registry, store: Store) -> Self {
        Self(Arc::new(Inner { registry, store, open: Mutex::default() }))
    }

    pub(crate) fn registry(&self) -> &Registry {
        &self.0.registry
    }

    pub(crate) fn store(&self) -> &Store {
        &self.0.store
    }

    /// Starts a session and gives its name.
    pub(crate) async fn start(&self, asked: &wire::SessionSpec) -> Result<String, StartRefused> {
        let id = self.new_id();
        let options = spec::options(&id, asked).map_err(StartRefused::Request)?;
        let missing = options.points.iter().find(|point| !self.0.registry.has_agent(&point.agent));
        if let Some(point) = missing {
            return Err(StartRefused::NoAgent(point.agent.clone()));
        }
        if self.lock().len() >= MAX_OPEN {
            return Err(StartRefused::TooMany);
        }
        let options = SessionOptions {
            tool_version: env!("CARGO_PKG_VERSION").to_owned(),
            save: Some(self.0.store.path(&id)),
            resumable: true,
            ..options
        };
        let kept = spec::of(&options);
        let (handle, mailbox) = session::start(options, Box::new(feeding::engine))?;
        self.take_in(&id, kept, now_ns(), handle);
        self.0.registry.add_session(&id, mailbox).await;
        tracing::info!(session = id, "session started");
        Ok(id)
    }

    /// Goes on with a session that a coordinator before this one left open. One whose captures had not all begun
    /// comes to nothing: there is no packet to judge.
    pub(crate) async fn resume(&self, left: LeftOpen) {
        let (id, kept, started_at_ns) = (left.id.clone(), left.spec.clone(), left.started_at_ns);
        let began = left.recording.points().map(|points| points.len() == kept.points.len());
        let options = left.options(self.0.store.path(&id));
        let resumed = match (began, options) {
            (Ok(true), Ok(options)) => session::resume(options, left.recording, Box::new(feeding::engine))
                .map_err(|error| error.to_string()),
            (Ok(false), _) => Err("the coordinator ended before every capture had begun".to_owned()),
            (Err(error), _) => Err(error.to_string()),
            (_, Err(why)) => Err(why),
        };
        match resumed {
            Ok((handle, mailbox)) => {
                self.take_in(&id, kept, started_at_ns, handle);
                self.0.registry.add_session(&id, mailbox).await;
                tracing::info!(session = id, "session gone on with from its recording");
            }
            Err(why) => {
                tracing::warn!(session = id, why, "session given up: it cannot be gone on with");
                self.keep(&id, Some(&why));
            }
        }
    }

    /// The session of that name, if it runs.
    pub(crate) fn open(&self, id: &str) -> Option<Open> {
        self.lock().get(id).cloned()
    }

    /// Asks a session to end; `false`: none of that name runs.
    pub(crate) async fn stop(&self, id: &str, discard: bool) -> bool {
        let Some(mailbox) = self.open(id).and_then(|_| self.0.registry.session(id)) else { return false };
        // One that is over meanwhile needs no stop.
        let _ = mailbox.send(if discard { Message::GiveUp } else { Message::Stop }).await;
        true
    }

    /// Every session, oldest first.
    pub(crate) fn list(&self) -> Vec<wire::SessionSummary> {
        let open: Vec<_> = self.lock().clone().into_iter().collect();
        let mut all: Vec<_> = self.0.store.all().into_iter().map(|finished| finished.summary).collect();
        all.retain(|finished| !open.iter().any(|(id, _)| *id == finished.session));
        all.extend(open.into_iter().map(|(session, open)| wire::SessionSummary {
            session,
            phase: open.log.phase().into(),
            spec: Some(open.spec),
            started_at_ns: open.started_at_ns,
            recording_bytes: 0,
            outcome: String::new(),
        }));
        all.sort_by(|one, other| {
            (one.started_at_ns, &one.session).cmp(&(other.started_at_ns, &other.session))
        });
        all
    }

    /// From now on the session is this coordinator's, until it is over.
    fn take_in(&self, id: &str, spec: wire::SessionSpec, started_at_ns: i64, handle: SessionHandle) {
        let open = Open { spec, started_at_ns, log: Log::new(), progress: handle.progress() };
        let log = open.log.clone();
        self.lock().insert(id.to_owned(), open);
        tokio::spawn(self.clone().follow(id.to_owned(), handle, log));
    }

    /// Writes down what the session tells, and keeps what it comes to.
    async fn follow(self, id: String, mut handle: SessionHandle, log: Log) {
        while let Some(event) = handle.next_event().await {
            if let Some(update) = update(event) {
                log.push(update);
            }
        }
        let ended = match handle.outcome().await {
            Ok(outcome) => wire::SessionEnded {
                // What was recorded was JSON a moment ago.
                report_json: serde_json::to_vec(&outcome.report).unwrap_or_default(),
                ..Default::default()
            },
            Err(failure) => {
                let at = failure.point.and_then(|point| {
                    let open = self.open(&id)?;
                    open.spec.points.get(usize::from(point.0)).map(|point| format!("{}: ", point.agent))
                });
                let reason = format!("{}{}", at.unwrap_or_default(), failure.reason);
                wire::SessionEnded { reason, remedy: failure.remedy, ..Default::default() }
            }
        };
        let failure = ended.report_json.is_empty().then_some(ended.reason.as_str());
        tracing::info!(session = id, failure, "session over");
        self.keep(&id, failure);
        self.lock().remove(&id);
        log.end(ended);
    }

    fn keep(&self, id: &str, failure: Option<&str>) {
        let kept: Result<(), RecordingError> = self.0.store.add(id, failure);
        if let Err(error) = kept {
            tracing::error!(session = id, %error, "the end of a session cannot be kept");
        }
    }

    /// A name that no session has: the second, and a number where several begin within it.
    fn new_id(&self) -> String {
        let second = now_ns() / 1_000_000_000;
        let taken = |id: &String| self.lock().contains_key(id) || self.0.store.path(id).exists();
        let mut id = format!("s{second}");
        let mut number = 1;
        while taken(&id) {
            number += 1;
            id = format!("s{second}-{number}");
        }
        id
    }

    /// No code panics while it holds the lock, so the map is whole even if it is poisoned.
    fn lock(&self) -> MutexGuard<'_, BTreeMap<String, Open>> {
        self.0.open.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
