//! Captures of this agent, and what the coordinator says about them.

use super::moment;
use super::opener::{CaptureOpener, CaptureRequest};
use super::options::Options;
use super::thread::{self, After, Opened, Start, StopSignal};
use super::uploader::{Backlog, Connection, Uploaded, Uploader};
use crate::metrics::{METRICS, Refuser};
use core::time::Duration;
use correlate_proto::convert::interface_to_wire;
use correlate_proto::{CapturePointId, wire};
use std::collections::BTreeMap;
use std::sync::Arc;
use tokio::sync::{mpsc, watch};
use wire::agent_message::Message;

/// Session, capture point, and which of the captures there.
type Key = (String, u32, u32);

/// What happens to captures, told to the task that owns them.
#[derive(Debug)]
pub(super) enum CaptureEvent {
    Opened(Key, Opened),
    Finished(Key, Uploaded),
}

struct Running {
    stop: Arc<StopSignal>,
    started: Option<wire::CaptureStarted>,
    backlog: watch::Receiver<Backlog>,
    upload: tokio::task::AbortHandle,
}

/// The captures that this agent runs, across connections.
pub(super) struct Captures {
    options: Options,
    opener: Arc<dyn CaptureOpener>,
    connection: Connection,
    events: mpsc::UnboundedSender<CaptureEvent>,
    running: BTreeMap<Key, Running>,
}

impl Captures {
    pub(super) fn new(
        options: Options,
        opener: Arc<dyn CaptureOpener>,
        connection: Connection,
        events: mpsc::UnboundedSender<CaptureEvent>,
    ) -> Self {
        Self { options, opener, connection, events, running: BTreeMap::new() }
    }

    /// What the agent says first on every connection.
    pub(super) fn hello(&self) -> wire::Hello {
        let facts = self.opener.facts();
        wire::Hello {
            protocol: wire::PROTOCOL,
            name: self.options.name.clone(),
            version: self.options.version.clone(),
            system: facts.system,
            interfaces: facts.interfaces.iter().map(interface_to_wire).collect(),
            realtime_ns: moment::realtime().plus(facts.clock_ahead).as_ns(),
            running: self.running.keys().map(capture_id).collect(),
            labels: self.options.labels.clone(),
        }
    }

    /// Tells a new connection again which captures run.
    pub(super) fn started_again(&self) -> Vec<Message> {
        self.running.values().filter_map(|running| running.started.clone()).map(Message::Started).collect()
    }

    /// How the captures are.
    pub(super) fn health(&self) -> Vec<Message> {
        let one = |(key, running): (&Key, &Running)| {
            let backlog = *running.backlog.borrow();
            Message::Health(wire::Health {
                capture: Some(capture_id(key)),
                unacknowledged_batches: backlog.batches,
                unacknowledged_bytes: backlog.bytes,
            })
        };
        self.running.iter().map(one).collect()
    }

    /// Whether nothing runs.
    pub(super) fn is_empty(&self) -> bool {
        self.running.is_empty()
    }

    /// Obeys a command. Gives an answer where one is due at once.
    pub(super) fn obey(&mut self, command: wire::coordinator_message::Message) -> Option<Message> {
        match command {
            wire::coordinator_message::Message::Welcome(_) => None,
            wire::coordinator_message::Message::Start(start) => self.start(start),
            wire::coordinator_message::Message::Stop(stop) => {
                self.stop(&stop);
                None
            }
        }
    }

    /// Takes note of what happened to a capture. Gives what the coordinator must hear.
    pub(super) fn note(&mut self, event: CaptureEvent) -> Option<Message> {
        match event {
            CaptureEvent::Opened(key, Opened::Started(started)) => {
                self.running.get_mut(&key)?.started = Some(started.clone());
                Some(Message::Started(started))
            }
            CaptureEvent::Opened(key, Opened::Refused(refusal)) => {
                METRICS.refused(Refuser::Host);
                self.forget(&key);
                Some(Message::Refused(wire::CaptureRefused {
                    capture: Some(capture_id(&key)),
                    reason: refusal.reason,
                    remedy: refusal.remedy,
                }))
            }
            CaptureEvent::Finished(key, how) => {
                if let Uploaded::Unwanted(status) = how {
                    METRICS.refused(Refuser::Coordinator);
                    tracing::warn!(
                        session = key.0,
                        point = key.1,
                        reason = status.message(),
                        "capture refused by the coordinator"
                    );
                }
                self.forget(&key);
                None
            }
        }
    }

    /// Ends every capture.
    pub(super) fn stop_all(&self) {
        for running in self.running.values() {
            running.stop.stop(Duration::ZERO);
        }
    }

    fn start(&mut self, start: wire::StartCapture) -> Option<Message> {
        let id = start.capture.clone()?;
        let key = key(&id);
        // What is wanted of the point is its newest capture.
        let older =
            self.running.keys().filter(|known| (&known.0, known.1) == (&key.0, key.1) && **known != key);
        for old in older.cloned().collect::<Vec<_>>() {
            self.forget(&old);
        }
        if let Some(running) = self.running.get(&key) {
            return running.started.clone().map(Message::Started);
        }
        let after = After { batch: start.after_batch, packet: start.after_packet };
        let request = match request(start) {
            Ok(request) => request,
            Err(reason) => {
                let remedy = "let coordinator and agent be of the same version".to_owned();
                return Some(Message::Refused(wire::CaptureRefused { capture: Some(id), reason, remedy }));
            }
        };
        let (queue, items) = mpsc::channel(self.options.queue_batches.max(1));
        let (backlog_sender, backlog) = watch::channel(Backlog::default());
        let stop = Arc::new(StopSignal::default());
        let thread = Start {
            id: id.clone(),
            request,
            after,
            opener: Arc::clone(&self.opener),
            queue,
            stop: Arc::clone(&stop),
            compress: self.options.compress,
        };
        let (events, opened_key) = (self.events.clone(), key.clone());
        let spawned = std::thread::Builder::new().name("capture".to_owned()).spawn(move || {
            thread::capture(thread, move |opened| {
                let _ = events.send(CaptureEvent::Opened(opened_key, opened));
            });
        });
        if let Err(error) = spawned {
            return Some(Message::Refused(wire::CaptureRefused {
                capture: Some(id),
                reason: format!("cannot start a thread: {error}"),
                remedy: "raise the limit of tasks for this agent".to_owned(),
            }));
        }
        let (name, spool_bytes) = (self.options.name.clone(), self.options.spool_bytes);
        let uploader = Uploader::new(id, name, items, spool_bytes, backlog_sender, after.batch);
        let (events, finished_key, connection) = (self.events.clone(), key.clone(), self.connection.clone());
        let task = tokio::spawn(async move {
            let how = uploader.run(connection).await;
            let _ = events.send(CaptureEvent::Finished(finished_key, how));
        });
        self.running.insert(key, Running { stop, started: None, backlog, upload: task.abort_handle() });
        None
    }

    fn stop(&mut self, stop: &wire::StopCapture) {
        let Some(key) = stop.capture.as_ref().map(key) else { return };
        if stop.discard {
            self.forget(&key);
        } else if let Some(running) = self.running.get(&key) {
            running.stop.stop(Duration::from_millis(stop.linger_ms.into()));
        }
    }

    /// Ends a capture whatever it holds: without its uploader the thread ends too.
    fn forget(&mut self, key: &Key) {
        if let Some(running) = self.running.remove(key) {
            running.stop.stop(Duration::ZERO);
            running.upload.abort();
        }
    }
}

fn key(id: &wire::CaptureId) -> Key {
    (id.session.clone(), id.point, id.incarnation)
}

fn capture_id(key: &Key) -> wire::CaptureId {
    wire::CaptureId { session: key.0.clone(), point: key.1, incarnation: key.2 }
}

/// The command in the agent's words.
fn request(start: wire::StartCapture) -> Result<CaptureRequest, String> {
    let id = start.capture.unwrap_or_default();
    let point = u16::try_from(id.point).map_err(|_| format!("capture point {} is out of range", id.point))?;
    Ok(CaptureRequest {
        session: id.session,
        point: CapturePointId(point),
        filter: start.filter,
        snaplen: start.snaplen,
        interfaces: start.interfaces,
        decapsulate: start.decapsulate,
        asked_by: Some(start.asked_by).filter(|name| !name.is_empty()),
        count: (start.count > 0).then_some(start.count),
        duration: (start.duration_ms > 0).then(|| Duration::from_millis(start.duration_ms)),
    })
}
