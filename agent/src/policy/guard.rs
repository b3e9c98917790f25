//! The policy, and the audit log, between a coordinator's commands and what opens captures.

use super::file::Policy;
use super::pace::{Pace, Paced};
use crate::capture::FrameSource;
use crate::uplink::{CaptureOpener, CaptureRequest, HostFacts, OpenCapture, Refusal};
use std::sync::Arc;

/// Opens what the policy allows, and writes down who asked for what and the answer.
pub struct Guarded {
    opener: Arc<dyn CaptureOpener>,
    policy: Option<Policy>,
}

impl core::fmt::Debug for Guarded {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.debug_struct("Guarded").field("policy", &self.policy).finish_non_exhaustive()
    }
}

impl Guarded {
    /// Guards `opener`; without a policy everything is allowed, and written down all the same.
    pub fn new(opener: Arc<dyn CaptureOpener>, policy: Option<Policy>) -> Self {
        Self { opener, policy }
    }

    fn answer(&self, request: &CaptureRequest) -> Result<OpenCapture, Refusal> {
        let Some(policy) = &self.policy else { return self.opener.open(request) };
        let existing: Vec<String> =
            self.opener.facts().interfaces.into_iter().map(|interface| interface.name).collect();
        let mut open = self.opener.open(&policy.narrow(request, &existing)?)?;
        if let Some(limit) = policy.packets_per_second {
            let rule = format!("{}, `packets_per_second`", policy.path.display());
            let pace = Pace::new(limit, rule);
            open.reader =
                open.reader.map_source(|source| Box::new(Paced { source, pace }) as Box<dyn FrameSource>);
        }
        Ok(open)
    }
}

impl CaptureOpener for Guarded {
    fn open(&self, request: &CaptureRequest) -> Result<OpenCapture, Refusal> {
        let answer = self.answer(request);
        let who = request.asked_by.as_deref().unwrap_or_default();
        let (session, filter, snaplen) = (&request.session, &request.filter, request.snaplen);
        let interfaces = request.interfaces.join(",");
        match &answer {
            Ok(_) => tracing::info!(
                target: "audit", act = "capture", who, session, filter, snaplen, interfaces, answer = "granted",
            ),
            Err(Refusal { reason, .. }) => tracing::warn!(
                target: "audit", act = "capture", who, session, filter, snaplen, interfaces,
                answer = "refused", reason,
            ),
        }
        answer
    }

    fn facts(&self) -> HostFacts {
        self.opener.facts()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use correlate_proto::{CapturePointId, Interface};
    use std::path::Path;
    use std::sync::Mutex;

    /// Writes down what it is asked for, and opens nothing.
    #[derive(Default)]
    struct Notes(Mutex<Vec<CaptureRequest>>);

    impl CaptureOpener for Notes {
        fn open(&self, request: &CaptureRequest) -> Result<OpenCapture, Refusal> {
            self.0.lock().unwrap().push(request.clone());
            Err(Refusal { reason: "opened".to_owned(), remedy: String::new() })
        }

        fn facts(&self) -> HostFacts {
            let interface = |name: &str| Interface { name: name.to_owned(), ..Interface::default() };
            HostFacts { interfaces: vec![interface("lo"), interface("eth0")], ..HostFacts::default() }
        }
    }

    fn ask(policy: Option<&str>, asked_by: &str) -> (String, Vec<CaptureRequest>) {
        let notes = Arc::new(Notes::default());
        let policy = policy.map(|text| Policy::parse(text, Path::new("/p.toml")).unwrap());
        let request = CaptureRequest {
            session: "s".to_owned(),
            point: CapturePointId(0),
            filter: "port 1".to_owned(),
            snaplen: 0,
            interfaces: Vec::new(),
            decapsulate: false,
            asked_by: Some(asked_by.to_owned()),
            count: None,
            duration: None,
        };
        let opener: Arc<dyn CaptureOpener> = Arc::clone(&notes) as Arc<dyn CaptureOpener>;
        let answer = Guarded::new(opener, policy).open(&request).unwrap_err();
        let asked = notes.0.lock().unwrap().clone();
        (answer.reason, asked)
    }

    #[test]
    fn what_is_refused_is_never_opened_and_what_is_allowed_is_narrowed() {
        let policy = Some("asked_by = ['anna']\ninterfaces = ['eth0']\nports = [5432]");
        let (reason, opened) = ask(policy, "bert");
        assert!(reason.contains("(/p.toml, `asked_by`): bert may not"), "{reason}");
        assert!(opened.is_empty());
        let (reason, opened) = ask(policy, "anna");
        assert_eq!(reason, "opened");
        assert_eq!(opened[0].interfaces, ["eth0"]);
        assert_eq!(opened[0].filter, "(port 1) and (port 5432)");
        let (_, opened) = ask(None, "bert");
        assert_eq!(opened[0].filter, "port 1");
    }
}
