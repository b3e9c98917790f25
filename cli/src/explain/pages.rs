//! The pages themselves, as files beside this one.

use correlate_proto::report::Code;

/// The page of `code`. Its first line is the code, its third one sentence that says what it means.
pub(crate) const fn page(code: Code) -> &'static str {
    match code {
        Code::SynLost => include_str!("syn-lost.md"),
        Code::SynAckLost => include_str!("syn-ack-lost.md"),
        Code::HandshakeAckLost => include_str!("handshake-ack-lost.md"),
        Code::SynUnanswered => include_str!("syn-unanswered.md"),
        Code::SynAckIgnored => include_str!("syn-ack-ignored.md"),
        Code::ConnectionRefused => include_str!("connection-refused.md"),
        Code::RefusedInPath => include_str!("refused-in-path.md"),
        Code::RstInjected => include_str!("rst-injected.md"),
        Code::RstLost => include_str!("rst-lost.md"),
        Code::PathMtuBlackhole => include_str!("path-mtu-blackhole.md"),
        Code::OneWayBlackhole => include_str!("one-way-blackhole.md"),
        Code::PacketLoss => include_str!("packet-loss.md"),
        Code::AsymmetricLoss => include_str!("asymmetric-loss.md"),
        Code::ResetByClient => include_str!("reset-by-client.md"),
        Code::ResetByServer => include_str!("reset-by-server.md"),
        Code::AddressTranslated => include_str!("address-translated.md"),
        Code::CaptureLoss => include_str!("capture-loss.md"),
        Code::NotCaptured => include_str!("not-captured.md"),
        Code::UnpairedConnection => include_str!("unpaired-connection.md"),
        Code::AcceptQueueFull => include_str!("accept-queue-full.md"),
        Code::SynAckInjected => include_str!("syn-ack-injected.md"),
        Code::ChallengeAck => include_str!("challenge-ack.md"),
        Code::IdleExpiry => include_str!("idle-expiry.md"),
        Code::Outage => include_str!("outage.md"),
        Code::AckLoss => include_str!("ack-loss.md"),
        Code::SackNotRewritten => include_str!("sack-not-rewritten.md"),
        Code::WindowScaleMismatch => include_str!("window-scale-mismatch.md"),
        Code::PayloadAltered => include_str!("payload-altered.md"),
        Code::OptionStripped => include_str!("option-stripped.md"),
        Code::ZeroWindow => include_str!("zero-window.md"),
        Code::WindowUpdateLost => include_str!("window-update-lost.md"),
        Code::ClockStep => include_str!("clock-step.md"),
        Code::SequenceRewritten => include_str!("sequence-rewritten.md"),
        Code::MssClamped => include_str!("mss-clamped.md"),
        Code::DscpRewritten => include_str!("dscp-rewritten.md"),
        Code::EcnBleached => include_str!("ecn-bleached.md"),
        Code::Proxied => include_str!("proxied.md"),
        Code::SpuriousRetransmission => include_str!("spurious-retransmission.md"),
        Code::Reordering => include_str!("reordering.md"),
        Code::Duplication => include_str!("duplication.md"),
        Code::SlowServer => include_str!("slow-server.md"),
        Code::SlowClient => include_str!("slow-client.md"),
        Code::ClockUnaligned => include_str!("clock-unaligned.md"),
    }
}

/// Every code with the sentence that its page begins with.
pub(crate) fn summaries() -> impl Iterator<Item = (Code, &'static str)> {
    Code::ALL.iter().map(|code| (*code, page(*code).lines().nth(2).unwrap_or_default()))
}
