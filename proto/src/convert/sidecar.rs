//! What a batch carries beside its packets.

use super::encode::{Loss, LossSource, Sidecar};
use super::error::ConvertError;
use crate::point::{ClockSample, HostCounters};
use crate::time::Timestamp;
use crate::wire;

/// Writes the sidecar into `batch`.
pub(super) fn to_wire(sidecar: &Sidecar, batch: &mut wire::Batch) {
    batch.watermark_ns = sidecar.watermark.map(Timestamp::as_ns);
    batch.watermark_raw_ns = sidecar.watermark_raw_ns;
    batch.losses.extend(sidecar.losses.iter().map(loss_to_wire));
    batch.clock_samples.extend(sidecar.clock_samples.iter().map(clock_to_wire));
    batch.host_counters.extend(
        sidecar
            .host_counters
            .iter()
            .map(|counters| wire::HostCounters { at_ns: counters.at_ns, deltas: counters.deltas.clone() }),
    );
}

/// Reads the sidecar out of `batch`.
pub(super) fn from_wire(batch: &wire::Batch) -> Result<Sidecar, ConvertError> {
    Ok(Sidecar {
        watermark: batch.watermark_ns.map(Timestamp::from_ns),
        watermark_raw_ns: batch.watermark_raw_ns,
        losses: batch.losses.iter().map(loss_from_wire).collect::<Result<_, _>>()?,
        clock_samples: batch.clock_samples.iter().map(clock_from_wire).collect(),
        host_counters: batch
            .host_counters
            .iter()
            .map(|counters| HostCounters { at_ns: counters.at_ns, deltas: counters.deltas.clone() })
            .collect(),
    })
}

fn loss_to_wire(loss: &Loss) -> wire::Loss {
    let source = match loss.source {
        LossSource::Kernel => wire::LossSource::Kernel,
        LossSource::Agent => wire::LossSource::Agent,
    };
    wire::Loss {
        source: source.into(),
        count: loss.count,
        first_at_ns: loss.first_at.as_ns(),
        last_at_ns: loss.last_at.as_ns(),
    }
}

fn loss_from_wire(loss: &wire::Loss) -> Result<Loss, ConvertError> {
    let source = match wire::LossSource::try_from(loss.source) {
        Ok(wire::LossSource::Kernel) => LossSource::Kernel,
        Ok(wire::LossSource::Agent) => LossSource::Agent,
        Ok(wire::LossSource::Unspecified) | Err(_) => {
            let value = u64::from(loss.source.unsigned_abs());
            return Err(ConvertError::OutOfRange { field: "loss.source", value });
        }
    };
    if loss.last_at_ns < loss.first_at_ns {
        return Err(ConvertError::Disorder { field: "loss" });
    }
    Ok(Loss {
        source,
        count: loss.count,
        first_at: Timestamp::from_ns(loss.first_at_ns),
        last_at: Timestamp::from_ns(loss.last_at_ns),
    })
}

fn clock_to_wire(sample: &ClockSample) -> wire::ClockSample {
    wire::ClockSample {
        raw_ns: sample.raw_ns,
        realtime_ns: sample.realtime.as_ns(),
        width_ns: sample.width_ns,
        stepped: sample.stepped,
    }
}

fn clock_from_wire(sample: &wire::ClockSample) -> ClockSample {
    ClockSample {
        raw_ns: sample.raw_ns,
        realtime: Timestamp::from_ns(sample.realtime_ns),
        width_ns: sample.width_ns,
        stepped: sample.stepped,
    }
}
