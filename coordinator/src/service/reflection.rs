//! What the daemon serves, for tools that ask: grpcurl and its like need no `.proto` files.
//!
//! It stands beside the other services on the same connections: over TLS whoever has a certificate may ask, whatever
//! its role, and a stranger may not. It tells the shape of calls, which is in the sources, and nothing of this host.

use correlate_proto::wire::FILE_DESCRIPTOR_SET;
use correlate_proto::wire::coordinator_server::SERVICE_NAME as AGENTS;
use correlate_proto::wire::operator_server::SERVICE_NAME as OPERATORS;
use correlate_proto::wire::trust_server::SERVICE_NAME as TRUST;
use tonic_reflection::server::{Builder, Error, v1, v1alpha};

/// Octets of the largest request that is taken: a name, which the answer repeats.
const MAX_MESSAGE_BYTES: usize = 16 << 10;
/// The service that tells whether the others serve.
const HEALTH: &str = "grpc.health.v1.Health";

/// What describes the services that there are; `trust`: those that give certificates are among them.
fn builder(trust: bool) -> Builder<'static> {
    let builder = Builder::configure()
        .register_encoded_file_descriptor_set(FILE_DESCRIPTOR_SET)
        .register_encoded_file_descriptor_set(tonic_health::pb::FILE_DESCRIPTOR_SET);
    let trust = trust.then_some(TRUST);
    [AGENTS, OPERATORS, HEALTH].into_iter().chain(trust).fold(builder, Builder::with_service_name)
}

/// Reflection as tools speak it today; `None`, with a word in the log, if the descriptors are not sound.
pub(crate) fn v1(trust: bool) -> Option<v1::ServerReflectionServer<impl v1::ServerReflection>> {
    let built = builder(trust).with_service_name("grpc.reflection.v1.ServerReflection").build_v1();
    sound(built).map(|server| server.max_decoding_message_size(MAX_MESSAGE_BYTES))
}

/// Reflection as older tools speak it.
pub(crate) fn v1alpha(
    trust: bool,
) -> Option<v1alpha::ServerReflectionServer<impl v1alpha::ServerReflection>> {
    let name = "grpc.reflection.v1alpha.ServerReflection";
    let built = builder(trust).with_service_name(name).build_v1alpha();
    sound(built).map(|server| server.max_decoding_message_size(MAX_MESSAGE_BYTES))
}

fn sound<T>(built: Result<T, Error>) -> Option<T> {
    built.inspect_err(|error| tracing::error!(%error, "nothing is told by reflection")).ok()
}
