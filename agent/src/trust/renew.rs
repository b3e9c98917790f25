//! The next certificate, before the present one expires.

use super::join::{channel, credentials, key_and_request, unreachable};
use super::tls::connect_tls;
use super::{Address, Credentials, TrustError};
use core::time::Duration;
use correlate_proto::wire::RenewRequest;
use correlate_proto::wire::trust_client::TrustClient;
use std::path::Path;
use std::time::SystemTime;
use tokio::sync::watch;

/// Between two attempts, and the longest sleep: clocks are set, and hosts are suspended.
const LOOK_EVERY: Duration = Duration::from_secs(3_600);

/// Renews the credentials in `directory` if two thirds of their certificate's life are over. Gives whether it did.
pub async fn renew_if_due(address: &Address, directory: &Path, now: SystemTime) -> Result<bool, TrustError> {
    let held = Credentials::load(directory)?;
    if now < held.identity()?.renew_at() {
        return Ok(false);
    }
    let (key, request) = key_and_request()?;
    let io = connect_tls(address, &held).await.map_err(|error| unreachable(address, error))?;
    let given = TrustClient::new(channel(io).await?).renew(RenewRequest { request }).await;
    let given = given.map_err(|status| TrustError::Refused(status.message().to_owned()))?.into_inner();
    credentials(&key, &given, held.coordinator)?.save(directory)?;
    Ok(true)
}

/// Renews the credentials in `directory` as often as it is due, until `shutdown` turns true or is dropped. Each new
/// connection takes the newest ones; what is open goes on.
pub async fn keep_renewed(address: Address, directory: &Path, mut shutdown: watch::Receiver<bool>) {
    loop {
        match renew_if_due(&address, directory, SystemTime::now()).await {
            Ok(true) => tracing::info!("certificate renewed"),
            Ok(false) => {}
            Err(error) => {
                tracing::warn!(%error, "the certificate could not be renewed; tried again in an hour");
            }
        }
        tokio::select! {
            () = tokio::time::sleep(LOOK_EVERY) => {}
            _ = shutdown.wait_for(|asked| *asked) => return,
        }
    }
}
