//! From the readers into the engine.

use super::reader::{Delivery, Reader};
use super::survey::Ahead;
use crate::error::CliError;
use correlate_engine::{Feed, Progress};
use correlate_proto::CapturePointId;
use std::collections::VecDeque;

/// Hands what was read `ahead` and then the readers' records to `feed` until all have ended. It asks for the point that the merge waits for, so
/// that the others wait in their threads and not in memory. `watch` is called now and then with the state.
pub(crate) fn merge(
    feed: &mut Feed,
    readers: &mut [Reader],
    mut ahead: Ahead,
    mut watch: impl FnMut(Progress),
) -> Result<(), CliError> {
    while let Some(point) = feed.waiting_for() {
        let Some(reader) = readers.get_mut(usize::from(point.0)) else {
            return Err(CliError::new(format!(
                "the engine waits for capture point {} which is not",
                point.0
            )));
        };
        let delivery = match ahead.get_mut(usize::from(point.0)).and_then(VecDeque::pop_front) {
            Some(delivery) => delivery,
            None => reader.next()?,
        };
        take(feed, point, reader, delivery);
        // What becomes provable on the way stands in the report; a file needs no verdict before its end.
        while feed.correlator().poll().is_some() {}
        watch(feed.progress());
    }
    Ok(())
}

fn take(feed: &mut Feed, point: CapturePointId, reader: &Reader, delivery: Delivery) {
    match delivery {
        Delivery::Records(mut records, watermark) => {
            feed.push_batch(point, &mut records);
            reader.recycle(records);
            if let Some(watermark) = watermark {
                feed.advance(point, watermark);
            }
        }
        Delivery::End(stats) => {
            feed.correlator().push_stats(point, *stats);
            feed.end(point);
        }
    }
}
