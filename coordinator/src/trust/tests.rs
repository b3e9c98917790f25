//! Both ends over loopback: who comes in, who does not, and what each is told.

use super::*;
use crate::connection::Connection;
use crate::peer::{Peer, PeerRole};
use core::time::Duration;
use correlate_agent::trust::{self as agent, Address, Credentials, TrustError as AgentError};
use correlate_proto::JoinToken;
use correlate_proto::wire::coordinator_client::CoordinatorClient;
use hyper_util::rt::TokioIo;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::sync::Arc;
use std::time::SystemTime;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::mpsc;
use tokio_rustls::rustls::pki_types::ServerName;
use tokio_stream::wrappers::ReceiverStream;
use tonic::transport::{Channel, Endpoint, Server};
use tonic_reflection::pb::v1::server_reflection_client::ServerReflectionClient;

const LIFE: Duration = Duration::from_secs(900);

/// A coordinator that does nothing but give certificates.
struct Office {
    _data: tempfile::TempDir,
    authority: Arc<Authority>,
    tokens: Tokens,
    address: Address,
    /// Who came in, or why they did not, in order.
    arrivals: mpsc::UnboundedReceiver<Result<Option<Peer>, String>>,
    _tasks: tokio::task::JoinSet<()>,
}

impl Office {
    async fn open() -> Self {
        Self::named(&["127.0.0.1", "localhost"]).await
    }

    async fn named(names: &[&str]) -> Self {
        let data = tempfile::tempdir().unwrap();
        let names: Vec<String> = names.iter().map(|name| (*name).to_owned()).collect();
        let authority = Arc::new(Authority::init(data.path(), &names).unwrap());
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap().to_string().parse().unwrap();
        let tokens = Tokens::open(authority.directory()).unwrap();
        let acceptor = Acceptor::new(Arc::clone(&authority)).unwrap();
        let trust = Trust::new(Arc::clone(&authority)).unwrap();
        let (told, arrivals) = mpsc::unbounded_channel();
        let mut tasks = tokio::task::JoinSet::new();
        tasks.spawn(serve(listener, acceptor, trust, told));
        Self { _data: data, authority, tokens, address, arrivals, _tasks: tasks }
    }

    fn token(&self, role: PeerRole, name: Option<&str>) -> JoinToken {
        let made = self.tokens.create(role, name, LIFE, SystemTime::now()).unwrap();
        self.word(made.secret)
    }

    fn word(&self, secret: [u8; 24]) -> JoinToken {
        let fingerprint = self.authority.fingerprint();
        JoinToken { expires_at: 0, fingerprint, secret, coordinator: String::new() }
    }

    /// Credentials that were made `ago`.
    fn credentials(&self, directory: &Path, role: PeerRole, ago: Duration) -> Credentials {
        let key = rcgen::KeyPair::generate().unwrap();
        let request = rcgen::CertificateParams::default().serialize_request(&key).unwrap();
        let issued = self.authority.issue(request.der(), "web-1", role, SystemTime::now() - ago).unwrap();
        let pem = |der: &[u8]| {
            let text = correlate_proto::join_token::base64(der);
            format!("-----BEGIN CERTIFICATE-----\n{text}\n-----END CERTIFICATE-----\n")
        };
        let write = |name: &str, text: &str| std::fs::write(directory.join(name), text).unwrap();
        write("identity.pem", &(key.serialize_pem() + &pem(&issued.certificate)));
        write("authority.pem", &pem(self.authority.certificate()));
        write("coordinator", &self.address.to_string());
        Credentials::load(directory).unwrap()
    }
}

async fn serve(
    listener: TcpListener,
    acceptor: Acceptor,
    trust: Trust,
    told: mpsc::UnboundedSender<Result<Option<Peer>, String>>,
) {
    let (known, connections) = mpsc::channel(8);
    let served = Server::builder().add_service(trust.service()).serve_with_incoming(
        tokio_stream::StreamExt::map(ReceiverStream::new(connections), Ok::<_, std::io::Error>),
    );
    tokio::spawn(served);
    while let Ok((io, _)) = listener.accept().await {
        match acceptor.accept(io).await {
            Ok(Secured { stream, peer: Some(peer) }) => {
                told.send(Ok(Some(peer.clone()))).unwrap();
                known.send(Connection::new(stream, peer)).await.unwrap();
            }
            Ok(Secured { stream, peer: None }) => {
                told.send(Ok(None)).unwrap();
                let trust = trust.clone();
                tokio::spawn(async move { trust.serve_stranger(stream).await });
            }
            Err(error) => told.send(Err(error.to_string())).unwrap(),
        }
    }
}

fn refusal(refused: Result<Credentials, AgentError>) -> String {
    refused.unwrap_err().to_string()
}

async fn dial(address: &Address, credentials: &Credentials) -> String {
    match agent::connect_tls(address, credentials).await {
        Ok(_) => panic!("the connection was made"),
        Err(error) => {
            assert_eq!(error.kind(), std::io::ErrorKind::PermissionDenied, "{error}");
            error.to_string()
        }
    }
}

#[tokio::test]
async fn who_joins_comes_in_under_name_and_role() {
    let mut office = Office::open().await;
    for (role, asked, token) in [
        (PeerRole::Agent, Some("web-1"), None),
        (PeerRole::Operator, None, Some("anna")),
        (PeerRole::Viewer, Some("bert"), Some("bert")),
    ] {
        let token = office.token(role, token);
        let credentials = agent::join(&office.address, &token, asked).await.unwrap();
        assert_eq!(office.arrivals.recv().await.unwrap(), Ok(None));
        let name = credentials.identity().unwrap().name;
        assert_eq!(name, asked.unwrap_or("anna"));
        agent::connect_tls(&office.address, &credentials).await.unwrap();
        assert_eq!(office.arrivals.recv().await.unwrap(), Ok(Some(Peer::Known { name, role })));
    }
}

#[tokio::test]
async fn used_expired_and_invented_tokens_are_refused_with_the_reason() {
    let office = Office::open().await;
    let token = office.token(PeerRole::Agent, None);
    agent::join(&office.address, &token, Some("web-1")).await.unwrap();
    let used = refusal(agent::join(&office.address, &token, Some("web-2")).await);
    assert!(used.contains("used already, by web-1"), "{used}");
    let past = SystemTime::now() - LIFE - Duration::from_secs(300);
    let expired = office.tokens.create(PeerRole::Agent, None, LIFE, past).unwrap();
    let expired = refusal(agent::join(&office.address, &office.word(expired.secret), Some("x")).await);
    assert!(expired.contains("the join token expired 5 min ago"), "{expired}");
    let invented = refusal(agent::join(&office.address, &office.word([1; 24]), Some("x")).await);
    assert!(invented.contains("unknown here"), "{invented}");
    let another = office.token(PeerRole::Agent, None);
    let held = refusal(agent::join(&office.address, &another, Some("web-1")).await);
    assert!(held.contains("the name web-1 is taken"), "{held}");
}

#[tokio::test]
async fn a_joiner_does_not_take_another_authority_for_its_coordinator() {
    let office = Office::open().await;
    let mut impostor = Office::open().await;
    let token = office.token(PeerRole::Agent, None);
    let refused = refusal(agent::join(&impostor.address, &token, Some("web-1")).await);
    assert!(refused.contains("is not the coordinator of these credentials"), "{refused}");
    // The impostor saw a handshake that failed, and no secret.
    assert!(impostor.arrivals.recv().await.unwrap().is_err());
    assert!(agent::join(&office.address, &token, Some("web-1")).await.is_ok(), "the token is not used up");
}

#[tokio::test]
async fn a_coordinator_under_a_name_that_it_has_not_is_not_taken() {
    let office = Office::named(&["collector.example"]).await;
    let token = office.token(PeerRole::Agent, None);
    let refused = refusal(agent::join(&office.address, &token, Some("web-1")).await);
    assert!(refused.contains("is not made out to 127.0.0.1"), "{refused}");
    assert!(refused.contains("coordinator init --name 127.0.0.1"), "{refused}");
}

#[tokio::test]
async fn a_certificate_of_another_authority_is_refused_at_both_ends() {
    let mut office = Office::open().await;
    let other = Office::open().await;
    let directory = tempfile::tempdir().unwrap();
    let credentials = other.credentials(directory.path(), PeerRole::Agent, Duration::ZERO);
    // The other's authority does not vouch for this coordinator either.
    let refused = dial(&office.address, &credentials).await;
    assert!(refused.contains("is not the coordinator of these credentials"), "{refused}");
    office.arrivals.recv().await.unwrap().unwrap_err();
    // One that does not care who the coordinator is.
    std::fs::write(
        directory.path().join("authority.pem"),
        std::fs::read(office.authority.directory().join("authority.pem")).unwrap(),
    )
    .unwrap();
    let credentials = Credentials::load(directory.path()).unwrap();
    let refused = dial(&office.address, &credentials).await;
    assert!(refused.contains("another authority signed it"), "{refused}");
    let logged = office.arrivals.recv().await.unwrap().unwrap_err();
    assert!(logged.contains("signed by another authority"), "{logged}");
}

#[tokio::test]
async fn an_expired_certificate_is_refused_at_both_ends() {
    let mut office = Office::open().await;
    let directory = tempfile::tempdir().unwrap();
    let ago = CERTIFICATE_LIFE + Duration::from_secs(60);
    let credentials = office.credentials(directory.path(), PeerRole::Agent, ago);
    let refused = dial(&office.address, &credentials).await;
    assert!(refused.contains("not valid now; join again"), "{refused}");
    let logged = office.arrivals.recv().await.unwrap().unwrap_err();
    assert!(logged.contains("has expired"), "{logged}");
}

#[tokio::test]
async fn a_certificate_is_renewed_when_two_thirds_are_over_and_not_before() {
    let mut office = Office::open().await;
    let directory = tempfile::tempdir().unwrap();
    let (early, due) = (CERTIFICATE_LIFE / 2, CERTIFICATE_LIFE / 3 * 2 + Duration::from_secs(7_200));
    let fresh = office.credentials(directory.path(), PeerRole::Operator, early);
    assert!(!agent::renew_if_due(&office.address, directory.path(), SystemTime::now()).await.unwrap());
    assert_eq!(Credentials::load(directory.path()).unwrap(), fresh);
    let old = office.credentials(directory.path(), PeerRole::Operator, due);
    assert!(agent::renew_if_due(&office.address, directory.path(), SystemTime::now()).await.unwrap());
    let new = Credentials::load(directory.path()).unwrap();
    assert!(new.identity().unwrap().expires_at > old.identity().unwrap().expires_at + CERTIFICATE_LIFE / 2);
    assert!(office.arrivals.recv().await.unwrap().is_ok());
    agent::connect_tls(&office.address, &new).await.unwrap();
    let same = Peer::Known { name: "web-1".into(), role: PeerRole::Operator };
    assert_eq!(office.arrivals.recv().await.unwrap(), Ok(Some(same)));
}

#[tokio::test]
async fn a_stranger_may_join_and_nothing_else() {
    let office = Office::open().await;
    let stranger = bare(&office).await;
    let answer = CoordinatorClient::new(stranger).control(tokio_stream::empty()).await.unwrap_err();
    assert_eq!(answer.code(), tonic::Code::Unauthenticated);
    assert!(answer.message().contains("run `correlate join`"), "{}", answer.message());
    // What the coordinator serves to others is nothing to strangers either.
    let mut reflection = ServerReflectionClient::new(bare(&office).await);
    let answer = reflection.server_reflection_info(tokio_stream::empty()).await.unwrap_err();
    assert_eq!(answer.code(), tonic::Code::Unauthenticated);
}

#[tokio::test]
async fn older_tls_and_plain_text_are_not_spoken() {
    let mut office = Office::open().await;
    let mut plain = TcpStream::connect(office.address.to_string()).await.unwrap();
    tokio::io::AsyncWriteExt::write_all(&mut plain, b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n").await.unwrap();
    let reason = office.arrivals.recv().await.unwrap().unwrap_err();
    assert!(reason.contains("the TLS handshake failed"), "{reason}");
}

#[tokio::test]
async fn a_request_that_is_not_sound_costs_no_token() {
    use correlate_proto::wire::JoinRequest;
    use correlate_proto::wire::trust_client::TrustClient;
    let office = Office::open().await;
    let token = office.token(PeerRole::Agent, None);
    let request = JoinRequest { secret: token.secret.to_vec(), name: "web-1".into(), request: vec![0x30, 0] };
    let stranger = bare(&office).await;
    let refused = TrustClient::new(stranger).join(request).await.unwrap_err();
    assert_eq!(refused.code(), tonic::Code::InvalidArgument);
    assert!(agent::join(&office.address, &token, Some("web-1")).await.is_ok());
}

/// A channel to the office that takes whoever answers for it.
async fn bare(office: &Office) -> Channel {
    let mut roots = tokio_rustls::rustls::RootCertStore::empty();
    roots.add(office.authority.certificate().clone()).unwrap();
    let provider = Arc::new(tokio_rustls::rustls::crypto::ring::default_provider());
    let mut config = tokio_rustls::rustls::ClientConfig::builder_with_provider(provider)
        .with_protocol_versions(&[&tokio_rustls::rustls::version::TLS13])
        .unwrap()
        .with_root_certificates(roots)
        .with_no_client_auth();
    config.alpn_protocols = vec![b"h2".to_vec()];
    let stream = TcpStream::connect(office.address.to_string()).await.unwrap();
    let name = ServerName::try_from("127.0.0.1").unwrap();
    let stream = tokio_rustls::TlsConnector::from(Arc::new(config)).connect(name, stream).await.unwrap();
    let mut slot = Some(TokioIo::new(stream));
    let connector = tower::service_fn(move |_| {
        core::future::ready(slot.take().ok_or_else(|| std::io::Error::from(std::io::ErrorKind::NotConnected)))
    });
    Endpoint::from_static("http://x").connect_with_connector(connector).await.unwrap()
}

#[test]
fn an_authority_is_made_once_and_kept() {
    let data = tempfile::tempdir().unwrap();
    let missing = Authority::open(data.path()).unwrap_err().to_string();
    assert!(missing.contains("correlate coordinator init"), "{missing}");
    let first = Authority::init(data.path(), &["a.example".to_owned()]).unwrap();
    let again = Authority::init(data.path(), &[]).unwrap();
    assert_eq!((first.fingerprint(), first.names()), (again.fingerprint(), again.names()));
    let renamed = Authority::init(data.path(), &["b.example".to_owned(), "::1".to_owned()]).unwrap();
    assert_eq!((renamed.fingerprint(), renamed.names().len()), (first.fingerprint(), 2));
    let key = std::fs::metadata(first.directory().join("authority.key")).unwrap();
    assert_eq!(key.permissions().mode() & 0o777, 0o600);
    std::fs::write(first.directory().join("authority.key"), "nothing").unwrap();
    let broken = Authority::open(data.path()).unwrap_err().to_string();
    assert!(broken.contains("authority.key does not hold a private key"), "{broken}");
}
