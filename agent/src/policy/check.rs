//! A request held against the policy.

use super::file::Policy;
use super::rules::meant;
use crate::filter::{DEFAULT_SNAPLEN, Filter};
use crate::uplink::{CaptureRequest, Refusal};

impl Policy {
    /// The request as far as the policy allows it, on a host with those interfaces. What was asked for beyond a
    /// limit is refused; what was left open is filled in with the limit.
    pub(super) fn narrow(
        &self,
        request: &CaptureRequest,
        existing: &[String],
    ) -> Result<CaptureRequest, Refusal> {
        self.may_ask(request.asked_by.as_deref())?;
        let mut narrowed = request.clone();
        narrowed.interfaces = self.narrow_interfaces(&request.interfaces, existing)?;
        narrowed.snaplen = self.narrow_snaplen(request.snaplen)?;
        narrowed.filter = self.narrow_filter(&request.filter)?;
        if let Some(most) = self.duration {
            if let Some(asked) = request.duration.filter(|asked| *asked > most) {
                let says = format!("{} s were asked for, {} s are allowed", asked.as_secs(), most.as_secs());
                return Err(self.refusal("duration", &says));
            }
            narrowed.duration = Some(request.duration.unwrap_or(most));
        }
        Ok(narrowed)
    }

    fn may_ask(&self, asked_by: Option<&str>) -> Result<(), Refusal> {
        let Some(allowed) = &self.asked_by else { return Ok(()) };
        match asked_by {
            Some(name) if allowed.iter().any(|pattern| meant(pattern, name)) => Ok(()),
            Some(name) => Err(self.refusal("asked_by", &format!("{name} may not capture here"))),
            None => Err(self.refusal("asked_by", "the coordinator does not say who asks")),
        }
    }

    fn narrow_interfaces(&self, asked: &[String], existing: &[String]) -> Result<Vec<String>, Refusal> {
        let Some(allowed) = &self.interfaces else { return Ok(asked.to_vec()) };
        let may = |name: &String| allowed.iter().any(|pattern| meant(pattern, name));
        if let Some(name) = asked.iter().find(|name| !may(name)) {
            return Err(self.refusal("interfaces", &format!("{name} may not be captured")));
        }
        if !asked.is_empty() {
            return Ok(asked.to_vec());
        }
        let chosen: Vec<String> = existing.iter().filter(|name| may(name)).cloned().collect();
        if chosen.is_empty() {
            let says = format!("none of {} may be captured", existing.join(", "));
            return Err(self.refusal("interfaces", &says));
        }
        Ok(chosen)
    }

    fn narrow_snaplen(&self, asked: u32) -> Result<u32, Refusal> {
        match self.snaplen {
            Some(most) if asked > most => {
                Err(self.refusal("snaplen", &format!("{asked} octets were asked for, {most} are allowed")))
            }
            Some(most) if asked == 0 => Ok(most.min(DEFAULT_SNAPLEN)),
            Some(_) | None => Ok(asked),
        }
    }

    fn narrow_filter(&self, asked: &str) -> Result<String, Refusal> {
        let any = |words: Vec<String>| format!("({})", words.join(" or "));
        let addresses = self.addresses.as_ref().map(|all| any(all.iter().map(|one| one.words()).collect()));
        let ports = self.ports.as_ref().map(|all| any(all.iter().map(|one| one.words()).collect()));
        if addresses.is_none() && ports.is_none() {
            return Ok(asked.to_owned());
        }
        // By itself first: what closes a bracket that it did not open would not be narrowed by what follows.
        let own = Filter::parse(asked).map_err(|error| self.unreadable(&error.render()))?;
        let own = (!own.text().is_empty()).then(|| format!("({})", own.text()));
        let all: Vec<String> = [own, addresses, ports].into_iter().flatten().collect();
        let all = all.join(" and ");
        Filter::parse(&all).map_err(|error| self.unreadable(&error.render()))?;
        Ok(all)
    }

    fn unreadable(&self, error: &str) -> Refusal {
        let reason = format!("the filter does not compile together with {}: {error}", self.path.display());
        Refusal { reason, remedy: "use a simpler filter".to_owned() }
    }

    /// The refusal of a rule: its file and its key.
    fn refusal(&self, key: &str, says: &str) -> Refusal {
        Refusal {
            reason: format!("the policy of this host forbids it ({}, `{key}`): {says}", self.path.display()),
            remedy: "ask for less, or ask the host's owner to change the policy".to_owned(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use core::time::Duration;
    use correlate_proto::CapturePointId;
    use std::path::Path;

    fn request() -> CaptureRequest {
        CaptureRequest {
            session: "s".to_owned(),
            point: CapturePointId(0),
            filter: String::new(),
            snaplen: 0,
            interfaces: Vec::new(),
            decapsulate: false,
            asked_by: None,
            count: None,
            duration: None,
        }
    }

    fn narrow(policy: &str, request: &CaptureRequest) -> Result<CaptureRequest, String> {
        let existing = ["lo", "eth0", "eth1"].map(str::to_owned);
        let policy = Policy::parse(policy, Path::new("/p.toml")).unwrap();
        policy.narrow(request, &existing).map_err(|refusal| refusal.reason)
    }

    #[test]
    fn a_policy_without_rules_changes_nothing() {
        let asked = CaptureRequest { filter: "port 1".into(), snaplen: 9_000, ..request() };
        assert_eq!(narrow("", &asked), Ok(asked));
    }

    #[test]
    fn each_rule_refuses_by_file_and_key() {
        let hour = Some(Duration::from_secs(3_600));
        let named = |name: &str| Some(name.to_owned());
        for (policy, asked, key) in [
            (
                "interfaces = ['eth*']",
                CaptureRequest { interfaces: vec!["lo".into()], ..request() },
                "interfaces",
            ),
            ("interfaces = ['wlan0']", request(), "interfaces"),
            ("snaplen = 100", CaptureRequest { snaplen: 101, ..request() }, "snaplen"),
            ("duration = '59m'", CaptureRequest { duration: hour, ..request() }, "duration"),
            ("asked_by = ['anna']", CaptureRequest { asked_by: named("bert"), ..request() }, "asked_by"),
            ("asked_by = ['anna']", request(), "asked_by"),
        ] {
            let refused = narrow(policy, &asked).unwrap_err();
            assert!(refused.contains(&format!("(/p.toml, `{key}`)")), "{policy}: {refused}");
        }
    }

    #[test]
    fn what_is_left_open_is_filled_with_the_limit() {
        let policy = "interfaces = ['eth*']\nsnaplen = 100\nduration = '1h'\nasked_by = ['an*']";
        let asked = CaptureRequest { asked_by: Some("anna".into()), ..request() };
        let narrowed = narrow(policy, &asked).unwrap();
        assert_eq!(narrowed.interfaces, ["eth0", "eth1"]);
        assert_eq!((narrowed.snaplen, narrowed.duration), (100, Some(Duration::from_secs(3_600))));
        let less = CaptureRequest { snaplen: 60, interfaces: vec!["eth1".into()], ..asked };
        let narrowed = narrow(policy, &less).unwrap();
        assert_eq!((narrowed.snaplen, narrowed.interfaces), (60, vec!["eth1".to_owned()]));
        assert_eq!(narrow("snaplen = 9000", &request()).unwrap().snaplen, DEFAULT_SNAPLEN);
    }

    #[test]
    fn addresses_and_ports_are_added_to_the_filter() {
        let policy = "addresses = ['10.0.4.0/24', '::1']\nports = [5432, '8000-8100']";
        let added = "(net 10.0.4.0/24 or net ::1/128) and (port 5432 or portrange 8000-8100)";
        assert_eq!(narrow(policy, &request()).unwrap().filter, added);
        let asked = CaptureRequest { filter: " host 1.2.3.4 or port 22 ".into(), ..request() };
        let filter = narrow(policy, &asked).unwrap().filter;
        assert_eq!(filter, format!("(host 1.2.3.4 or port 22) and {added}"));
    }

    #[test]
    fn a_filter_cannot_break_out_of_its_brackets() {
        let asked = CaptureRequest { filter: "port 1) or (port 2".into(), ..request() };
        let refused = narrow("ports = [5432]", &asked).unwrap_err();
        assert!(refused.contains("does not compile"), "{refused}");
    }
}
