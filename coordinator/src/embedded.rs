//! A coordinator inside of another program: `correlate run` is one.
//!
//! ```text
//! let coordinator = Embedded::start();
//! // One agent per host; each dials through `connector()`, or its connection is handed to `accept`.
//! let session = coordinator.start_session(options).await?;
//! while let Some(event) = session.next_event().await { … }
//! let outcome = session.finish().await?;
//! ```

use crate::feeding::{self, MakeConsumer};
use crate::registry::Registry;
use crate::server::{self, Connector};
use crate::session::{self, SessionHandle, SessionOptions, StartError};

/// A coordinator in this process. Dropping it ends its connections; sessions end by their handles.
#[derive(Debug)]
pub struct Embedded {
    registry: Registry,
    incoming: Connector,
    server: tokio::task::AbortHandle,
}

impl Embedded {
    /// Starts a coordinator on the present runtime.
    #[must_use]
    pub fn start() -> Self {
        let registry = Registry::default();
        let (incoming, server) = server::serve(registry.clone(), None, None);
        Self { registry, incoming, server }
    }

    /// Makes connections to this coordinator.
    #[must_use]
    pub fn connector(&self) -> Connector {
        self.incoming.clone()
    }

    /// Starts a session. Agents that are connected, and those that will be, are told what to capture.
    pub async fn start_session(&self, options: SessionOptions) -> Result<SessionHandle, StartError> {
        self.start_session_with(options, Box::new(feeding::engine)).await
    }

    pub(crate) async fn start_session_with(
        &self,
        options: SessionOptions,
        make_consumer: MakeConsumer,
    ) -> Result<SessionHandle, StartError> {
        let id = options.id.clone();
        if self.registry.has_session(&id) {
            return Err(StartError::Exists(id));
        }
        let (handle, mailbox) = session::start(options, make_consumer)?;
        if self.registry.add_session(&id, mailbox).await { Ok(handle) } else { Err(StartError::Exists(id)) }
    }
}

impl Drop for Embedded {
    fn drop(&mut self) {
        self.server.abort();
    }
}
