//! What a session asks of the engine.

/// Settings of a session.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Config {
    /// Version of the tool, for the report.
    pub tool_version: String,
    /// Name of the session, for the report.
    pub session_id: String,
    /// The filter as the user gave it, for the report.
    pub filter: String,
    /// The client and server captures turned out to be the other way round and were swapped.
    pub swapped: bool,
    /// Hand out findings while the session runs, as [`crate::Event::Finding`].
    pub announce: bool,
    /// Report the fate of every wire segment that did not simply arrive, as [`crate::Event::Fate`]. For tests
    /// that hold each packet against a ledger; costs memory in the consumer only.
    pub trace_fates: bool,
}
