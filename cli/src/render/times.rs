//! Where the time of a connection's exchanges went: one line for each that something dominates.

use super::layout::table;
use super::number;
use correlate_proto::report::{ConnectionReport, ExchangesReport, Report, TimeSplit, WayTime};

/// Connections listed in text; the JSON report has more.
const SHOWN: usize = 10;

/// What a user does not wait for is not told.
const LEAST_NS: i64 = 100_000_000;

/// Connections whose exchanges something dominates, those that took longest first.
pub(super) fn lines(report: &Report) -> Vec<String> {
    let mut dominated: Vec<(&ConnectionReport, &ExchangesReport, Part)> = report
        .connections
        .iter()
        .filter_map(|connection| {
            let exchanges = connection.exchanges.as_ref()?;
            Some((connection, exchanges, dominant(&exchanges.total)?))
        })
        .collect();
    dominated.sort_by_key(|(_, exchanges, _)| core::cmp::Reverse(asked_for(&exchanges.total)));
    let rows: Vec<Vec<String>> = dominated.iter().take(SHOWN).map(row).collect();
    let mut lines = table(&rows, &[], 2);
    if dominated.len() > SHOWN {
        let more = number::count((dominated.len() - SHOWN) as u64);
        lines.push(format!("  … {more} more, in the JSON report"));
    }
    lines
}

/// A part of the time, in words.
#[derive(Debug, Clone, Copy)]
struct Part {
    name: &'static str,
    ns: i64,
}

/// The time from requests to answers: the client's silences between them left out.
fn asked_for(time: &TimeSplit) -> i64 {
    time.whole_ns - time.client.think_ns
}

fn parts(time: &TimeSplit) -> [Part; 12] {
    let part = |name, ns| Part { name, ns };
    let way = |way: &WayTime, names: [&'static str; 4]| {
        [way.queueing_ns, way.recovery_ns, way.window_ns, way.sending_ns]
            .into_iter()
            .zip(names)
            .map(|(ns, name)| part(name, ns))
            .collect::<Vec<_>>()
    };
    let there = way(
        &time.network.client_to_server,
        [
            "queueing to the server",
            "recovery of losses to the server",
            "the server's window",
            "sending to the server",
        ],
    );
    let back = way(
        &time.network.server_to_client,
        [
            "queueing to the client",
            "recovery of losses to the client",
            "the client's window",
            "sending to the client",
        ],
    );
    let ends = [
        part("the server's think time", time.server.think_ns),
        part("pauses of the server", time.server.pause_ns),
        part("pauses of the client", time.client.pause_ns),
        part("the path's own delay", time.network.propagation_ns),
    ];
    let mut all = ends.into_iter().chain(there).chain(back);
    core::array::from_fn(|_| all.next().unwrap_or(part("", 0)))
}

/// The part that took more than half of the time from requests to answers, if that time is worth telling.
fn dominant(time: &TimeSplit) -> Option<Part> {
    let all = asked_for(time);
    let most = parts(time).into_iter().max_by_key(|part| part.ns)?;
    (all >= LEAST_NS && most.ns > all / 2).then_some(most)
}

fn row((connection, exchanges, most): &(&ConnectionReport, &ExchangesReport, Part)) -> Vec<String> {
    let time = &exchanges.total;
    let all = asked_for(time);
    let slowest = number::span(asked_for(&exchanges.slowest.time));
    vec![
        connection.id.clone(),
        number::counted(exchanges.count, "exchange"),
        format!("{}, slowest {slowest}", number::span(all)),
        format!("{} % {}", most.ns.saturating_mul(100) / all.max(1), most.name),
        format!(
            "server {}, network {} (shortest round trip {})",
            number::span(time.server.total_ns()),
            number::span(time.network.total_ns),
            number::span(time.network.propagation_ns / i64::try_from(exchanges.count.max(1)).unwrap_or(1)),
        ),
    ]
}
