//! Configuration files of the daemons, as the daemons and `validate` take them.

use crate::support::binary::{PATIENCE, command, correlate};
use crate::support::scratch;
use correlate_tests::process::{Ran, Running};
use std::fs;
use std::path::{Path, PathBuf};

fn write(folder: &Path, name: &str, text: &str) -> PathBuf {
    let path = folder.join(name);
    fs::write(&path, text).expect("write a file");
    path
}

fn text(path: &Path) -> &str {
    path.to_str().expect("UTF-8")
}

fn says(ran: &Ran, status: i32, words: &[&str]) {
    assert_eq!(ran.status, Some(status), "{} {}", ran.text(), ran.stderr);
    for word in words {
        assert!(
            format!("{}{}", ran.text(), ran.stderr).contains(word),
            "{word}: {} {}",
            ran.text(),
            ran.stderr
        );
    }
}

#[test]
fn a_coordinator_takes_its_file_and_flags_and_environment_stand_over_it() {
    let folder = scratch::folder("configuration-coordinator");
    let at = |name: &str| folder.join(name).display().to_string();
    let (file, flag) = (at("file.sock"), at("flag.sock"));
    let config = format!(
        "listen = [\"unix:{file}\"]\ndata = \"{}\"\nlog-format = \"json\"\nkeep-days = 7\n",
        at("from-file")
    );
    let config = write(&folder, "coordinator.toml", &config);
    let first = |words: &[&str], environment: &[(&str, &str)]| -> String {
        let mut coordinator = command();
        coordinator.args(["coordinator", "--config", text(&config)]).args(words);
        coordinator.envs(environment.iter().copied());
        let coordinator = Running::start(&mut coordinator);
        let line = coordinator.until_a_line_has("listening", PATIENCE).expect("the coordinator listens");
        coordinator.terminate();
        assert_eq!(coordinator.finish(PATIENCE).status, Some(0));
        line
    };
    let line = first(&[], &[]);
    assert!(line.starts_with('{') && line.contains(&file), "all from the file: {line}");
    assert!(folder.join("from-file").is_dir());

    let data = at("from-environment");
    let line = first(&["--listen", &format!("unix:{flag}")], &[("CORRELATE_DATA", &data)]);
    assert!(line.starts_with('{') && line.contains(&flag) && !line.contains(&file), "{line}");
    assert!(folder.join("from-environment").is_dir());

    let line = first(&["--log-format", "text"], &[("CORRELATE_LISTEN", &format!("unix:{flag}"))]);
    assert!(!line.starts_with('{') && line.contains(&flag), "{line}");
}

#[test]
fn a_daemon_does_not_start_on_a_file_that_is_wrong() {
    let folder = scratch::folder("configuration-wrong");
    for (daemon, config, words) in [
        ("coordinator", "keep_days = 7", ["line 1, column 1: unknown key `keep_days`", "`keep-days`?"]),
        ("coordinator", "# ours\nkeep-days = \"soon\"", ["line 2, column 13", "cannot be \"soon\""]),
        ("agent", "listen = \"x\"", ["unknown key `listen`", "a configuration of a coordinator"]),
        ("agent", "name = ", ["line 1, column", "TOML"]),
    ] {
        let path = write(&folder, "config.toml", config);
        says(&correlate([daemon, "--config", text(&path)]), 2, &words);
    }
    says(&correlate(["agent", "--config", "/nowhere/agent.toml"]), 2, &["cannot read /nowhere/agent.toml"]);
}

#[test]
fn validate_tells_the_kind_of_a_file_and_asks_where_it_could_be_several() {
    let folder = scratch::folder("configuration-validate");
    let agent = write(&folder, "agent.toml", "coordinator = \"unix:/c\"\nname = \"db-1\"\n");
    let coordinator = write(&folder, "coordinator.toml", "listen = \"127.0.0.1:1\"\nlog = \"debug\"\n");
    let policy = write(&folder, "policy.toml", correlate_agent::policy::EXAMPLE);
    let all = correlate(["validate", text(&agent), text(&coordinator), text(&policy)]);
    says(&all, 0, &["agent.toml: a sound configuration of an agent", "a coordinator", "a sound policy"]);

    let slip = write(&folder, "slip.toml", "interface = [\"eth0\"]\n");
    says(
        &correlate(["validate", text(&slip)]),
        2,
        &["could be a policy or a configuration of an agent", "--kind"],
    );
    let as_policy = correlate(["validate", "--kind", "policy", text(&slip)]);
    says(
        &as_policy,
        2,
        &["line 1, column 1: unknown key `interface` in a policy", "did you mean `interfaces`?"],
    );
    says(&correlate(["validate", "--kind", "agent", text(&slip)]), 0, &["a sound configuration of an agent"]);

    let wrong = write(&folder, "wrong.toml", "name = \"db-1\"\ncoordinator = \"http://192.0.2.1:1\"\n");
    says(&correlate(["validate", text(&wrong)]), 2, &["line 2, column 15", "write https://192.0.2.1:1"]);
}
