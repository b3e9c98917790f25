//! What a session shall be, between the wire and the options. The message is also what a resumable session's
//! recording keeps.

use super::options::{PointSpec, SessionOptions};
use core::time::Duration;
use correlate_proto::{Role, wire};

/// The options that `spec` asks for, for a session of that name.
///
/// # Errors
/// What makes no sense: a lower-case fragment that says what to do.
pub(crate) fn options(id: &str, spec: &wire::SessionSpec) -> Result<SessionOptions, String> {
    let defaults = SessionOptions::default();
    Ok(SessionOptions {
        id: id.to_owned(),
        points: spec.points.iter().map(point).collect::<Result<_, _>>()?,
        filter: spec.filter.clone(),
        snaplen: spec.snaplen,
        count: (spec.count > 0).then_some(spec.count),
        duration: (spec.duration_ms > 0).then(|| Duration::from_millis(spec.duration_ms)),
        decapsulate: spec.decapsulate,
        asked_by: spec.asked_by.clone(),
        limit_bytes: if spec.limit_bytes > 0 { spec.limit_bytes } else { defaults.limit_bytes },
        ..defaults
    })
}

/// The message from which [`options`] makes the same again. The name, the place and the waits are not part of it.
pub(crate) fn of(options: &SessionOptions) -> wire::SessionSpec {
    let point = |spec: &PointSpec| wire::PointSpec {
        role: match spec.role {
            Role::Client => wire::Role::Client,
            Role::Via => wire::Role::Via,
            Role::Server => wire::Role::Server,
        }
        .into(),
        agent: spec.agent.clone(),
        filter: spec.filter.clone(),
        interfaces: spec.interfaces.clone(),
        vouched: spec.vouched,
    };
    wire::SessionSpec {
        points: options.points.iter().map(point).collect(),
        filter: options.filter.clone(),
        snaplen: options.snaplen,
        count: options.count.unwrap_or(0),
        duration_ms: options.duration.map_or(0, |time| u64::try_from(time.as_millis()).unwrap_or(u64::MAX)),
        decapsulate: options.decapsulate,
        asked_by: options.asked_by.clone(),
        limit_bytes: options.limit_bytes,
    }
}

fn point(spec: &wire::PointSpec) -> Result<PointSpec, String> {
    let role = match spec.role() {
        wire::Role::Client => Role::Client,
        wire::Role::Via => Role::Via,
        wire::Role::Server => Role::Server,
        wire::Role::Unspecified => {
            return Err(format!("{} has no role; say whether it is client or server", spec.agent));
        }
    };
    if spec.agent.is_empty() {
        return Err("a capture point has no agent; name one, as `correlate agents` lists them".to_owned());
    }
    Ok(PointSpec {
        role,
        host: spec.agent.clone(),
        agent: spec.agent.clone(),
        filter: spec.filter.clone(),
        interfaces: spec.interfaces.clone(),
        vouched: spec.vouched,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn options_survive_the_way_through_the_message() {
        let point = |role, agent: &str| PointSpec {
            role,
            host: agent.into(),
            agent: agent.into(),
            filter: (role == Role::Server).then(|| "port 8080".to_owned()),
            interfaces: vec!["eth0".into()],
            vouched: role == Role::Client,
        };
        let given = SessionOptions {
            id: "s".into(),
            points: vec![point(Role::Client, "web"), point(Role::Via, "lb"), point(Role::Server, "db")],
            filter: "port 80".into(),
            snaplen: 200,
            count: Some(7),
            duration: Some(Duration::from_millis(1500)),
            decapsulate: true,
            limit_bytes: 99,
            ..SessionOptions::default()
        };
        assert_eq!(options("s", &of(&given)), Ok(given.clone()));
        let mut wrong = of(&given);
        wrong.points[0].role = 0;
        assert!(options("s", &wrong).expect_err("no role").contains("client or server"));
        wrong.points[0] = wire::PointSpec { role: 1, ..Default::default() };
        assert!(options("s", &wrong).expect_err("no agent").contains("correlate agents"));
    }
}
