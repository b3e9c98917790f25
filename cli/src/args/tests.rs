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

/// The examples of a help text: words, without what is said behind them.
fn examples(help: &str) -> Vec<Vec<String>> {
    let lines = help.lines().filter_map(|line| line.split("  correlate ").nth(1));
    let words = |line: &str| {
        let typed = line.split("    ").next().unwrap_or_default();
        let shell = typed.find(['|', '>']).map_or(typed, |end| &typed[..end]);
        shell.split_whitespace().map(str::to_owned).collect()
    };
    lines.map(words).collect()
}

#[test]
fn every_example_of_the_help_works() {
    let mut command = Cli::command();
    let mut helps: Vec<String> = vec![command.render_long_help().to_string()];
    helps.extend(command.get_subcommands_mut().map(|sub| sub.render_long_help().to_string()));
    let examples: Vec<Vec<String>> = helps.iter().flat_map(|help| examples(help)).collect();
    assert!(examples.len() > 15, "{examples:?}");
    for words in examples {
        let line = format!("correlate {}", words.join(" "));
        let parsed = parse(&line).unwrap_or_else(|error| panic!("{line}: {error}"));
        if let Command::Demo(DemoArgs { scenario: Some(name), .. }) = parsed {
            assert!(correlate_lab::find(&name).is_some(), "{line}");
        }
    }
}

#[test]
fn the_help_breaks_no_line_in_mid_sentence() {
    let mut command = Cli::command();
    let mut helps: Vec<String> = vec![command.render_long_help().to_string()];
    helps.extend(command.get_subcommands_mut().map(|sub| sub.render_long_help().to_string()));
    for help in helps {
        // A line that goes on below is long enough that the next word had no room.
        for pair in help.lines().collect::<Vec<_>>().windows(2) {
            let [line, next] = pair else { continue };
            let prose = |line: &str| line.starts_with(char::is_alphabetic);
            if prose(line) && prose(next) && !line.ends_with(':') {
                let word = next.split_whitespace().next().unwrap_or_default();
                assert!(line.chars().count() + 1 + word.chars().count() > 100, "{line}\n{next}");
            }
        }
    }
}
