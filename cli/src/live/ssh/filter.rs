//! The filter as tcpdump gets it.

use correlate_agent::filter::{Exclusion, Filter};
use correlate_proto::Endpoint;
use std::fmt::Write;

/// ICMP and `ICMPv6` errors, which may quote TCP, and later fragments, which hold no ports.
const BESIDE: &str = "(icmp and (icmp[0] = 3 or icmp[0] = 4 or icmp[0] = 5 or icmp[0] = 11 or icmp[0] = 12)) \
    or (icmp6 and ip6[40] < 128) or (ip[6:2] & 0x1fff != 0) or (ip6[6] = 44 and ip6[42:2] & 0xfff8 != 0)";

/// The words for tcpdump: (TCP and `filter`), or ICMP errors, or later fragments, and nothing of `exclusions`. One line.
pub(super) fn tcpdump(filter: &Filter, exclusions: &[Exclusion]) -> String {
    let words: Vec<&str> = filter.text().split_ascii_whitespace().collect();
    let asked = if words.is_empty() { "tcp".to_owned() } else { format!("(tcp and ({}))", words.join(" ")) };
    let mut all = format!("({asked} or {BESIDE})");
    for exclusion in exclusions {
        // Into a string, which does not fail.
        let _ = write!(all, " and not ({})", words_of(*exclusion));
    }
    all
}

fn words_of(exclusion: Exclusion) -> String {
    match exclusion {
        Exclusion::Connection(a, b) => {
            format!("({} and {}) or ({} and {})", end("src", a), end("dst", b), end("src", b), end("dst", a))
        }
        Exclusion::Endpoint(endpoint) => format!("({}) or ({})", end("src", endpoint), end("dst", endpoint)),
        Exclusion::Port(port) => format!("tcp port {port}"),
    }
}

fn end(way: &str, endpoint: Endpoint) -> String {
    format!("{way} host {} and tcp {way} port {}", endpoint.addr, endpoint.port)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn end_of(addr: &str, port: u16) -> Endpoint {
        Endpoint { addr: addr.parse().expect("an address"), port }
    }

    #[test]
    fn what_is_asked_for_stands_in_brackets_and_what_is_ours_is_left_out() {
        let filter = Filter::parse("port 5432\n or  port 80").expect("a filter");
        let ours = Exclusion::Connection(end_of("10.0.0.1", 4_000), end_of("10.0.0.2", 22));
        let text = tcpdump(&filter, &[ours, Exclusion::Port(7)]);
        assert!(text.starts_with("((tcp and (port 5432 or port 80)) or (icmp and"), "{text}");
        assert!(text.ends_with(
            " and not ((src host 10.0.0.1 and tcp src port 4000 and dst host 10.0.0.2 and tcp dst port 22) \
             or (src host 10.0.0.2 and tcp src port 22 and dst host 10.0.0.1 and tcp dst port 4000)) \
             and not (tcp port 7)"
        ), "{text}");
        assert!(tcpdump(&Filter::all_tcp(), &[]).starts_with("(tcp or (icmp and"));
    }

    #[test]
    fn our_own_compiler_takes_the_words_too() {
        let ours = Exclusion::Endpoint(end_of("fd00::1", 4_000));
        let text = tcpdump(&Filter::parse("host 10.0.0.1").expect("a filter"), &[ours]);
        Filter::parse(&text).unwrap_or_else(|error| panic!("{}", error.render()));
    }
}
