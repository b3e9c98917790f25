use super::page;
use correlate_proto::report::Code;
use std::collections::BTreeSet;

const SECTIONS: [&str; 6] = [
    "## What it means",
    "## Evidence rule",
    "## Confidence",
    "## Innocent alternatives",
    "## What to do next",
    "## See it happen",
];

#[test]
fn every_page_has_its_sections_in_order_and_none_is_empty() {
    for code in Code::ALL {
        let text = page(*code);
        let mut lines = text.lines();
        assert_eq!(lines.next(), Some(format!("# {code}").as_str()));
        assert_eq!(lines.next(), Some(""), "{code}");
        let summary = lines.next().unwrap_or_default();
        assert!(summary.len() > 20 && summary.len() < 100 && summary.ends_with('.'), "{code}: {summary}");
        let headings: Vec<&str> = text.lines().filter(|line| line.starts_with("## ")).collect();
        assert_eq!(headings, SECTIONS, "{code}");
        for part in text.split("\n## ").skip(1) {
            let body = part.split_once('\n').map_or("", |(_, body)| body.trim());
            assert!(body.len() > 15, "{code}: an empty section: {part}");
        }
        let widest = text.lines().map(|line| line.chars().count()).max().unwrap_or_default();
        assert!(widest <= 100, "{code}: a line of {widest} columns");
    }
}

#[test]
fn no_page_is_left_of_a_code_that_is_gone() {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/src/explain");
    let files: BTreeSet<String> = std::fs::read_dir(folder)
        .expect("the folder can be read")
        .filter_map(|entry| entry.expect("an entry").file_name().into_string().ok())
        .filter_map(|name| name.strip_suffix(".md").map(str::to_owned))
        .collect();
    let codes: BTreeSet<String> = Code::ALL.iter().map(|code| code.name().to_owned()).collect();
    assert_eq!(files, codes);
}

#[test]
fn pages_refer_only_to_codes_that_exist() {
    for code in Code::ALL {
        for (at, _) in page(*code).match_indices("correlate explain ") {
            let rest = &page(*code)[at + "correlate explain ".len()..];
            let named = rest.split(|c: char| !c.is_ascii_lowercase() && c != '-').next().unwrap_or_default();
            assert!(Code::from_name(named).is_some(), "{code} refers to {named}");
        }
    }
}

#[cfg(target_os = "linux")]
#[test]
fn every_page_names_a_scenario_that_shows_it() {
    for code in Code::ALL {
        let (_, see) = page(*code).rsplit_once("correlate demo ").unwrap_or_default();
        let name = see.split_whitespace().next().unwrap_or_default();
        let scenario = correlate_lab::find(name).unwrap_or_else(|| panic!("{code}: no scenario {name}"));
        let expect = &scenario.expect;
        let shows = expect.must.contains(&code.name()) || expect.may.contains(&code.name());
        // Clocks that cannot be aligned are a consequence, planted by no scenario of their own.
        assert!(shows || *code == Code::ClockUnaligned, "{code}: {name} does not show it");
    }
}
