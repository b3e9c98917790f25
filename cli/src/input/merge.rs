//! From the readers into the engine.

use super::reader::{Delivery, Reader};
use super::saving::Saving;
use super::survey::Ahead;
use crate::error::CliError;
use correlate_coordinator::recording::RecordedPoint;
use correlate_engine::{Feed, Progress};
use std::collections::VecDeque;

/// Hands what was read `ahead` and then the readers' records to `feed` until all have ended, and keeps them in
/// `saving`. It asks for the point that the merge waits for, so that the others wait in their threads and not in
/// memory: a replay of what was kept asks in the same order. `watch` is called now and then with the state.
pub(super) fn merge(
    feed: &mut Feed,
    (points, readers): (&[RecordedPoint], &mut [Reader]),
    mut ahead: Ahead,
    mut saving: Option<&mut Saving>,
    mut watch: impl FnMut(Progress),
) -> Result<(), CliError> {
    while let Some(id) = feed.waiting_for() {
        let place = usize::from(id.0);
        let (Some(reader), Some(point)) = (readers.get_mut(place), points.get(place)) else {
            return Err(CliError::new(format!("the engine waits for capture point {} which is not", id.0)));
        };
        let delivery = match ahead.get_mut(place).and_then(VecDeque::pop_front) {
            Some(delivery) => delivery,
            None => reader.next()?,
        };
        take(feed, point, reader, delivery, saving.as_deref_mut())?;
        // What becomes provable on the way stands in the report; a file needs no verdict before its end.
        while feed.correlator().poll().is_some() {}
        watch(feed.progress());
    }
    Ok(())
}

fn take(
    feed: &mut Feed,
    known: &RecordedPoint,
    reader: &Reader,
    delivery: Delivery,
    saving: Option<&mut Saving>,
) -> Result<(), CliError> {
    let point = known.point.id;
    match delivery {
        Delivery::Records { mut records, watermark, .. } => {
            if let Some(saving) = saving {
                saving.records(point, &records, watermark)?;
            }
            feed.push_batch(point, &mut records);
            reader.recycle(records);
            if let Some(watermark) = watermark {
                feed.advance(point, watermark);
            }
        }
        Delivery::End(stats) => {
            if let Some(saving) = saving {
                saving.ended(point, &stats)?;
            }
            feed.correlator().covers_from(point, known.covers_from(&stats));
            feed.correlator().push_stats(point, *stats);
            feed.end(point);
        }
    }
    Ok(())
}
