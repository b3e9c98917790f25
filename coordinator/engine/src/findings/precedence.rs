//! Which symptoms of one connection another one explains.

use super::Symptom;
use correlate_proto::report::Code;

/// `(cause, what it explains)`: where a connection shows the cause, the other is its consequence and is not
/// reported beside it.
const EXPLAINS: &[(Code, Code)] = &[
    // The peer of a forged RST answers later packets with real ones.
    (Code::RstInjected, Code::ResetByClient),
    (Code::RstInjected, Code::ResetByServer),
    (Code::RstInjected, Code::RstLost),
    (Code::RstInjected, Code::OneWayBlackhole),
    // The hosts give up on a connection that a device forgot.
    (Code::IdleExpiry, Code::ResetByClient),
    (Code::IdleExpiry, Code::ResetByServer),
    (Code::IdleExpiry, Code::RstLost),
    (Code::IdleExpiry, Code::OneWayBlackhole),
    // A sender that gives up over a black hole resets.
    (Code::PathMtuBlackhole, Code::OneWayBlackhole),
    (Code::PathMtuBlackhole, Code::RstLost),
    (Code::OneWayBlackhole, Code::RstLost),
    // The opener's stack gives up, or no longer knows the connection.
    (Code::SynAckLost, Code::ResetByClient),
    (Code::SynAckLost, Code::ResetByServer),
    (Code::SynAckLost, Code::RstLost),
    // The client resets the old connection that the server told it of.
    (Code::ChallengeAck, Code::ResetByClient),
    (Code::ChallengeAck, Code::AcceptQueueFull),
    (Code::Proxied, Code::UnpairedConnection),
    (Code::ConnectionRefused, Code::ResetByServer),
    (Code::ConnectionRefused, Code::ResetByClient),
];

/// Leaves out what other symptoms explain.
pub(super) fn resolve(symptoms: Vec<Symptom>) -> Vec<Symptom> {
    let codes: Vec<Code> = symptoms.iter().map(|symptom| symptom.code).collect();
    let explained =
        |code: Code| EXPLAINS.iter().any(|&(cause, effect)| effect == code && codes.contains(&cause));
    symptoms.into_iter().filter(|symptom| !explained(symptom.code)).collect()
}
