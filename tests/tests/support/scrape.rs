//! A daemon's metrics as a scraper reads them.

use super::binary::PATIENCE;
use correlate_tests::process::Running;
use std::collections::{BTreeMap, BTreeSet};
use std::io::{Read, Write};
use std::net::TcpStream;
use std::time::Duration;

/// Where a daemon that was just started serves its metrics.
pub(crate) fn url(daemon: &Running) -> String {
    let line = daemon.until_a_line_has("metrics are served", PATIENCE).expect("metrics are served");
    line.split("url=").nth(1).expect("a url").trim().to_owned()
}

/// One scrape.
#[derive(Debug)]
pub(crate) struct Scrape {
    /// Samples by name and labels as they are written.
    samples: BTreeMap<String, i64>,
    /// Names of the families, counters with their ending.
    pub(crate) families: BTreeSet<String>,
}

impl Scrape {
    /// Scrapes `url`, and holds the answer against the rules of the format.
    pub(crate) fn read(url: &str) -> Self {
        let (head, body) = get(url, "GET");
        assert!(head.starts_with("HTTP/1.1 200 "), "{head}");
        assert!(head.contains("content-type: application/openmetrics-text; version=1.0.0"), "{head}");
        Self::parse(&body)
    }

    fn parse(text: &str) -> Self {
        let lines: Vec<&str> = text.strip_suffix('\n').expect("a last line").split('\n').collect();
        let (end, lines) = lines.split_last().expect("lines");
        assert_eq!(*end, "# EOF", "{text}");
        let (mut samples, mut families) = (BTreeMap::new(), BTreeSet::new());
        let (mut family, mut helped) = (String::new(), String::new());
        for line in lines {
            if let Some(rest) = line.strip_prefix("# HELP ") {
                let (name, help) = rest.split_once(' ').expect("a text");
                assert!(!help.is_empty() && help.ends_with('.'), "{line}");
                name.clone_into(&mut helped);
            } else if let Some(rest) = line.strip_prefix("# TYPE ") {
                let (name, kind) = rest.split_once(' ').expect("a type");
                assert_eq!(name, helped, "help and type stand together");
                let ending = match kind {
                    "counter" => "_total",
                    "info" => "_info",
                    other => {
                        assert_eq!(other, "gauge", "{line}");
                        ""
                    }
                };
                family = format!("{name}{ending}");
                assert!(families.insert(family.clone()), "{family} stands there twice");
            } else {
                let (name, value) = line.rsplit_once(' ').expect("a sample");
                assert_eq!(name.split('{').next(), Some(family.as_str()), "a sample of its family");
                let value: i64 = value.parse().unwrap_or_else(|_| panic!("a number: {line}"));
                assert!(samples.insert(name.to_owned(), value).is_none(), "{name} stands there twice");
            }
        }
        Self { samples, families }
    }

    /// The value of that sample, labels and all.
    pub(crate) fn value(&self, name: &str) -> i64 {
        *self.samples.get(name).unwrap_or_else(|| panic!("no {name} in {:?}", self.samples))
    }
}

/// Head and body of the answer to a request.
pub(crate) fn get(url: &str, method: &str) -> (String, String) {
    let rest = url.strip_prefix("http://").expect("http");
    let (address, path) = rest.split_once('/').expect("a path");
    let mut stream = TcpStream::connect(address).expect("connects");
    stream.set_read_timeout(Some(Duration::from_secs(20))).expect("sets");
    write!(stream, "{method} /{path} HTTP/1.1\r\nHost: {address}\r\n\r\n").expect("asks");
    let mut answer = String::new();
    stream.read_to_string(&mut answer).expect("answers and closes");
    let (head, body) = answer.split_once("\r\n\r\n").expect("a head");
    (head.to_ascii_lowercase().replacen("http", "HTTP", 1), body.to_owned())
}
