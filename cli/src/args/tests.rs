use super::*;
use clap::CommandFactory;

fn parse(line: &str) -> Result<Command, clap::Error> {
    Cli::try_parse_from(line.split_whitespace()).map(|cli| cli.command)
}

fn analyze(line: &str) -> AnalyzeArgs {
    let Command::Analyze(args) = parse(line).expect(line) else { panic!("not analyze: {line}") };
    args
}

fn run(line: &str) -> RunArgs {
    let Command::Run(args) = parse(line).expect(line) else { panic!("not run: {line}") };
    args
}

#[test]
fn the_definition_is_consistent() {
    Cli::command().debug_assert();
}

#[test]
fn the_filter_is_what_remains_wherever_the_options_stand() {
    for line in [
        "correlate analyze --client a --server b host 10.0.0.1 and port 80",
        "correlate analyze --client a --server b host 10.0.0.1 and port 80 --format json",
        "correlate analyze host 10.0.0.1 and --client a port 80 --server b",
    ] {
        assert_eq!(analyze(line).filter.joined(), "host 10.0.0.1 and port 80", "{line}");
    }
    assert_eq!(analyze("correlate analyze --client a --server b").filter.joined(), "");
}

#[test]
fn each_end_may_have_a_filter_of_its_own() {
    let filter = analyze("correlate analyze --client a --server b --server-filter tcp port 80").filter;
    assert_eq!((filter.client().as_str(), filter.server().as_str()), ("port 80", "tcp"));
    assert_eq!(filter.described(), "client: port 80; server: tcp");
}

#[test]
fn several_files_of_one_role_are_kept_in_order() {
    let args = analyze("correlate analyze --server b1 --client a --server b2");
    assert_eq!(args.server, [PathBuf::from("b1"), PathBuf::from("b2")]);
}

#[test]
fn a_command_stands_behind_two_dashes() {
    let args = run("correlate run --client netns:a --server netns:b port 80 --count 5 -- curl -s http://b");
    assert_eq!(args.filter.joined(), "port 80");
    assert_eq!(args.command, ["curl", "-s", "http://b"]);
    assert_eq!(args.count, Some(5));
}

#[test]
fn an_unknown_code_names_those_that_come_close() {
    let error = parse("correlate explain lost-syn-ack").expect_err("no such code").to_string();
    assert!(error.contains("syn-ack-lost"), "{error}");
    let error = parse("correlate analyze --client a --server b --expect xyz").expect_err("no such code");
    assert!(error.to_string().contains("correlate explain"), "{error}");
    assert_eq!(error.exit_code(), 2);
}

#[test]
fn both_ends_must_be_given() {
    for line in ["correlate analyze --client a", "correlate run --server local", "correlate demo"] {
        assert_eq!(parse(line).expect_err(line).exit_code(), 2);
    }
}

#[test]
fn every_command_shows_an_example_where_it_takes_arguments() {
    for command in Cli::command().get_subcommands() {
        let takes = command.get_arguments().any(|arg| arg.get_id() != "color" && arg.get_id() != "help");
        let help = command.clone().render_long_help().to_string();
        assert!(!takes || help.contains("Example"), "{}", command.get_name());
    }
}
