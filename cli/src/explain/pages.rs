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
        Code::ClockUnaligned => include_str!("clock-unaligned.md"),
    }
}

/// Every code with the sentence that its page begins with.
pub(crate) fn summaries() -> impl Iterator<Item = (Code, &'static str)> {
    Code::ALL.iter().map(|code| (*code, page(*code).lines().nth(2).unwrap_or_default()))
}
