//! The course of one direction of a path over time, over all of its connections: when it carried, and when it did not.

mod passages;
mod silences;

pub(crate) use passages::{Gone, Passages, Passed};
pub(crate) use silences::{LEAST_NS, Silence, Silences};

use crate::connection::{Connection, Run};
use crate::matching::{Kind, Piece};
use crate::session::Session;
use correlate_proto::Direction;

/// One direction between two capture points over time, by the sender's clock.
#[derive(Debug, Clone, Default)]
pub(crate) struct Course {
    pub(crate) silences: Silences,
    pub(crate) passages: Passages,
}

/// A segment that was lost, as a course takes it in.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Lost {
    pub(crate) piece: Piece,
    /// Another copy brought its octets.
    pub(crate) confirmed: bool,
}

impl Course {
    /// `sent` arrived as `received`.
    pub(crate) fn deliver(&mut self, sent: &Piece, received: &Piece) {
        self.silences.deliver(sent.at, sent.largest_ip_len);
        self.passages.deliver(sent, received);
    }

    /// A segment of `connection` was lost.
    pub(crate) fn lose(&mut self, lost: &Lost, connection: u64) {
        // A host repeats RSTs for whatever still reaches it.
        if lost.piece.kind != Kind::Rst {
            self.passages.lose(&lost.piece);
            self.silences.lose(&lost.piece, lost.confirmed, connection);
        }
    }

    /// `connection` has ended; its last segment that arrived was sent at `last`.
    pub(crate) fn note_end(&mut self, connection: u64, last: Option<i64>) {
        if let Some(last) = last {
            self.silences.note_end(connection, last);
        }
    }
}

impl Session {
    /// The course of a direction between two points; `None` before anything was matched or lost there.
    pub(crate) fn course(&self, up: usize, down: usize, direction: Direction) -> Option<&Course> {
        self.courses.get(&(up, down)).map(|courses| &courses[direction.index()])
    }

    /// Whether what `connection` lost in `run` was lost while its whole direction was out: others lost something at
    /// the same time, nothing arrived, and then the direction carried again.
    pub(crate) fn was_out(&self, connection: &Connection, direction: Direction, run: &Run) -> bool {
        let (Some(up), Some(down)) = (
            connection.flows.first().and_then(Option::as_ref),
            connection.flows.last().and_then(Option::as_ref),
        ) else {
            return false;
        };
        self.course(up.point, down.point, direction).is_some_and(|course| {
            let around = |silence: &Silence| {
                silence.connections.len() > 1 && silence.from < run.first_at && run.last_at < silence.to
            };
            course.silences.lossy().any(around)
        })
    }
}
