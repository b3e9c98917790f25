//! A first look at the captures: how far apart are their clocks, roughly, and which is which.

use super::analysis::Given;
use super::capture::Capture;
use super::reader::{Batches, Delivery, Reader};
use crate::error::CliError;
use correlate_engine::rough::RoughAligner;
use correlate_proto::{Record, Role, Span};
use std::collections::VecDeque;

/// Batches of each capture that are looked at before the analysis begins, and kept for it: about 130,000 records.
const LOOKAHEAD: usize = 32;

/// With a handshake in common after so many batches nothing more is looked for.
const ENOUGH_BATCHES: usize = 2;

/// What the first look gave.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Survey {
    /// Added to the stamps of each capture they give a common time, to within a second or so.
    pub(crate) offsets: Vec<Span>,
    /// Every connection was opened from the server's end: the captures were given the other way round.
    pub(crate) exchanged: bool,
}

/// What was read ahead of each capture, for the analysis to begin with.
pub(crate) type Ahead = Vec<VecDeque<Delivery>>;

/// Looks at the beginnings of the captures; where those have nothing in common, for a handshake in the whole of
/// them, as far as they can be read twice.
pub(crate) fn survey(
    given: &[Given],
    readers: &mut [Reader],
    decap: bool,
) -> Result<(Survey, Ahead), CliError> {
    let mut ahead: Ahead = readers.iter().map(|_| VecDeque::new()).collect();
    let mut aligners: Vec<RoughAligner> = given.iter().skip(1).map(|_| RoughAligner::default()).collect();
    for round in 0..LOOKAHEAD {
        for (index, (reader, queue)) in readers.iter_mut().zip(&mut ahead).enumerate() {
            if matches!(queue.back(), Some(Delivery::End(_))) {
                continue;
            }
            let delivery = reader.next()?;
            if let Delivery::Records { records, .. } = &delivery {
                look(&mut aligners, index, records);
            }
            queue.push_back(delivery);
        }
        let settled = |aligner: &RoughAligner| aligner.is_enough() || aligner.finish().offset.is_some();
        if round + 1 >= ENOUGH_BATCHES && aligners.iter().all(settled) {
            break;
        }
    }
    let read_through = ahead.iter().all(|queue| matches!(queue.back(), Some(Delivery::End(_))));
    if !read_through && twice(given) {
        for (second, aligner) in (1..).zip(&mut aligners) {
            if aligner.finish().offset.is_none() {
                search(&given[0], &given[second], decap, aligner)?;
            }
        }
    }
    Ok((conclude(given, &aligners), ahead))
}

fn look(aligners: &mut [RoughAligner], index: usize, records: &[Record]) {
    for record in records {
        match index {
            0 => aligners.iter_mut().for_each(|aligner| aligner.take(0, record)),
            other => aligners[other - 1].take(1, record),
        }
    }
}

fn twice(given: &[Given]) -> bool {
    given.iter().all(|given| given.path.metadata().is_ok_and(|meta| meta.is_file()))
}

/// Reads two captures from front to back until they are known to have enough in common.
fn search(first: &Given, second: &Given, decap: bool, aligner: &mut RoughAligner) -> Result<(), CliError> {
    for (index, given) in [first, second].into_iter().enumerate() {
        let mut capture = Capture::open(&given.path, &given.filter, decap)?;
        let mut records = Vec::new();
        while capture.fill(&mut records)? && !aligner.is_enough() {
            records.drain(..).for_each(|record| aligner.take(index, &record));
        }
    }
    Ok(())
}

fn conclude(given: &[Given], aligners: &[RoughAligner]) -> Survey {
    let mut offsets = vec![Span(0)];
    let mut votes = (0, 0);
    for (given, aligner) in given.iter().skip(1).zip(aligners) {
        let found = aligner.finish();
        offsets.push(found.offset.map_or(Span(0), |offset| Span(offset.as_ns().saturating_neg())));
        if given.role == Role::Server && found.offset.is_some() {
            if found.opened_from_second { votes.1 += 1 } else { votes.0 += 1 }
        }
    }
    Survey { offsets, exchanged: given.len() == 2 && votes.1 > votes.0 }
}
