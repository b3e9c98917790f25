//! What happened in one session, for whoever watches it, from its beginning and however late they come.

use correlate_proto::wire;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use tokio::sync::watch;
use wire::SessionPhase;

/// Updates that are kept of a session. Later ones are counted and not told: the report holds what they said.
const MAX_UPDATES: usize = 4096;

/// The log of one session.
#[derive(Debug, Clone)]
pub(crate) struct Log(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    state: Mutex<State>,
    /// How often the state changed.
    changes: watch::Sender<u64>,
}

#[derive(Debug)]
struct State {
    updates: Vec<wire::SessionUpdate>,
    untold: u64,
    phase: SessionPhase,
    ended: Option<wire::SessionEnded>,
}

/// What a log has told from some place on.
#[derive(Debug)]
pub(crate) struct Told {
    /// The updates.
    pub(crate) updates: Vec<wire::SessionUpdate>,
    /// The end, once it has come.
    pub(crate) ended: Option<wire::SessionEnded>,
}

impl Log {
    pub(crate) fn new() -> Self {
        let state = State { updates: Vec::new(), untold: 0, phase: SessionPhase::Waiting, ended: None };
        Self(Arc::new(Inner { state: Mutex::new(state), changes: watch::Sender::new(0) }))
    }

    /// Something happened.
    pub(crate) fn push(&self, update: wire::session_update::Update) {
        use wire::session_update::Update;
        let mut state = self.lock();
        match &update {
            Update::Started(_) => state.phase = SessionPhase::Capturing,
            Update::Stopping(_) => state.phase = SessionPhase::Draining,
            Update::Finding(_)
            | Update::AgentLost(_)
            | Update::AgentBack(_)
            | Update::PointFailed(_)
            | Update::PointResumed(_)
            | Update::RecordingFull(_)
            | Update::Counts(_)
            | Update::Ended(_) => {}
        }
        if state.updates.len() < MAX_UPDATES {
            state.updates.push(wire::SessionUpdate { update: Some(update) });
        } else {
            state.untold += 1;
        }
        drop(state);
        self.0.changes.send_modify(|changes| *changes += 1);
    }

    /// The session is over.
    pub(crate) fn end(&self, mut ended: wire::SessionEnded) {
        let mut state = self.lock();
        ended.untold = state.untold;
        state.phase = if ended.report_json.is_empty() { SessionPhase::Failed } else { SessionPhase::Done };
        state.ended = Some(ended);
        drop(state);
        self.0.changes.send_modify(|changes| *changes += 1);
    }

    /// Where the session stands.
    pub(crate) fn phase(&self) -> SessionPhase {
        self.lock().phase
    }

    /// What happened since `from` updates were told.
    pub(crate) fn since(&self, from: usize) -> Told {
        let state = self.lock();
        Told { updates: state.updates.get(from..).unwrap_or_default().to_vec(), ended: state.ended.clone() }
    }

    /// Tells of every change from now on.
    pub(crate) fn changes(&self) -> watch::Receiver<u64> {
        self.0.changes.subscribe()
    }

    /// No code panics while it holds the lock, so the state is whole even if it is poisoned.
    fn lock(&self) -> MutexGuard<'_, State> {
        self.0.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use wire::session_update::Update;

    #[test]
    fn who_comes_late_is_told_all_and_what_is_too_much_is_counted() {
        let log = Log::new();
        assert_eq!(log.phase(), SessionPhase::Waiting);
        log.push(Update::Started(wire::CapturesStarted::default()));
        assert_eq!(log.phase(), SessionPhase::Capturing);
        for _ in 0..MAX_UPDATES + 2 {
            log.push(Update::AgentLost(0));
        }
        assert_eq!(log.since(0).updates.len(), MAX_UPDATES);
        assert_eq!(log.since(MAX_UPDATES - 1).updates.len(), 1);
        assert!(log.since(MAX_UPDATES + 9).updates.is_empty());
        log.end(wire::SessionEnded { reason: "x".into(), ..Default::default() });
        assert_eq!(
            (log.phase(), log.since(0).ended.map(|ended| ended.untold)),
            (SessionPhase::Failed, Some(3))
        );
    }
}
