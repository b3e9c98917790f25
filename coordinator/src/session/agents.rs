//! A session and its agents: what they are told, and what becomes of what they say.

use super::commands;
use super::event::{Failure, SessionEvent};
use super::machine::{Input, Phase};
use super::message::{AgentConnected, UploadGrant};
use super::task::Session;
use crate::recorder::Source;
use correlate_proto::{CapturePointId, Timestamp, wire};
use tokio::sync::oneshot;

impl Session {
    /// Tells a connected agent what it has to do here. An agent that was started anew has lost its captures.
    pub(super) fn connected(&mut self, agent: &AgentConnected) -> Vec<Input> {
        let mut lost = Vec::new();
        for (id, place) in (0u16..).zip(0..self.points.len()) {
            let point = CapturePointId(id);
            if !self.belongs(point, &agent.agent) {
                continue;
            }
            let known = &mut self.points[place];
            let back = known.rough_offset.is_some();
            known.agent = Some(agent.clone());
            known.rough_offset.get_or_insert(agent.rough_offset);
            if back {
                self.tell(SessionEvent::AgentBack(point));
            }
            let wanted = commands::capture_id(&self.options, point, self.points[place].incarnation);
            if self.machine.is_asked(point) {
                self.command(point, commands::start(&self.options, point));
            } else if self.machine.is_running(point) && !agent.running.contains(&wanted) {
                lost.extend(self.lost(point));
            } else if self.machine.phase() == Phase::Draining {
                self.command_stop(point, false);
            }
        }
        lost
    }

    pub(super) fn gone(&mut self, agent: &str, connection: u64) {
        for (id, place) in (0u16..).zip(0..self.points.len()) {
            let known = &mut self.points[place].agent;
            if known.as_ref().is_some_and(|known| known.agent == agent && known.connection == connection) {
                *known = None;
                if self.machine.is_running(CapturePointId(id)) {
                    self.tell(SessionEvent::AgentLost(CapturePointId(id)));
                }
            }
        }
    }

    pub(super) async fn started(
        &mut self,
        agent: &str,
        point: CapturePointId,
        started: wire::CaptureStarted,
    ) -> Option<Input> {
        if !self.belongs(point, agent) {
            return None;
        }
        if self.machine.is_running(point) {
            return self.restarted(point, started).await;
        }
        if !self.machine.is_asked(point) {
            return None;
        }
        let began = Timestamp::from_ns(started.realtime_ns);
        match commands::capture_point(&self.options, point, started) {
            Ok(capture_point) => {
                let known = &mut self.points[usize::from(point.0)];
                known.started = Some(capture_point);
                known.began = Some(began);
                self.let_upload(point);
                Some(Input::Started(point))
            }
            Err(error) => {
                let failure = Failure {
                    point: Some(point),
                    reason: format!("its agent says what makes no sense: {error}"),
                    remedy: "let agent and coordinator be of the same version".to_owned(),
                };
                Some(Input::Refused(point, failure))
            }
        }
    }

    /// Lets an upload begin. One that comes before its capture is known to run waits for that: the two come on
    /// streams of their own, in either order.
    pub(super) fn upload(
        &mut self,
        agent: &str,
        source: Source,
        reply: oneshot::Sender<Option<UploadGrant>>,
    ) {
        let Source { point, incarnation } = source;
        let wanted = self.belongs(point, agent)
            && self.points.get(usize::from(point.0)).is_some_and(|known| known.incarnation == incarnation);
        if wanted && (self.machine.is_asked(point) || self.is_restarting(point)) {
            self.points[usize::from(point.0)].waiting_upload = Some(reply);
            return;
        }
        let grant = wanted.then(|| self.grant(point)).flatten();
        // An upload that is gone meanwhile opens another.
        let _ = reply.send(grant);
    }

    /// Lets an upload begin that came before its capture was known to run.
    pub(super) fn let_upload(&mut self, point: CapturePointId) {
        let waiting = self.points.get_mut(usize::from(point.0)).and_then(|known| known.waiting_upload.take());
        if let Some(reply) = waiting {
            let _ = reply.send(self.grant(point));
        }
    }

    pub(super) fn belongs(&self, point: CapturePointId, agent: &str) -> bool {
        self.options.points.get(usize::from(point.0)).is_some_and(|spec| spec.agent == agent)
    }

    fn grant(&self, point: CapturePointId) -> Option<UploadGrant> {
        Some(UploadGrant {
            recorder: self.recorder.clone(),
            recorded: self.recorder.recorded(point)?,
            arrivals: self.arrivals.clone(),
            session: self.mailbox.clone(),
        })
    }

    pub(super) fn command_stop(&self, point: CapturePointId, discard: bool) {
        let incarnation = self.points.get(usize::from(point.0)).map_or(0, |known| known.incarnation);
        let capture = commands::capture_id(&self.options, point, incarnation);
        self.command(point, commands::stop(&self.options, capture, discard));
    }

    /// Sends a command to a point's agent. Lost if there is none: it is given again when the agent comes back.
    pub(super) fn command(&self, point: CapturePointId, command: wire::CoordinatorMessage) {
        let agent = self.points.get(usize::from(point.0)).and_then(|point| point.agent.as_ref());
        if let Some(agent) = agent {
            let _ = agent.commands.try_send(command);
        }
    }
}
