//! Reading a ledger back that [`correlate_lab::write_csv`] has written.

use core::str::FromStr;
use correlate_lab::{Done, Entry, Leg, Protocol};
use correlate_proto::{Direction, Endpoint, FourTuple, TcpFlags};
use std::collections::BTreeMap;
use std::net::SocketAddr;

/// The entries of a ledger in CSV; an error says which line and field are wrong.
pub fn read(text: &str) -> Result<Vec<Entry>, String> {
    let mut lines = text.lines();
    let header: Vec<&str> = lines.next().unwrap_or("").split(',').collect();
    let entry = |(number, line): (usize, &str)| {
        let fields = Fields(header.iter().copied().zip(line.split(',')).collect());
        entry(&fields).map_err(|field| format!("line {number}: no valid {field}"))
    };
    (2..).zip(lines).map(entry).collect()
}

/// A line by the names of its columns.
struct Fields<'a>(BTreeMap<&'a str, &'a str>);

impl Fields<'_> {
    fn text(&self, name: &'static str) -> Result<&str, &'static str> {
        self.0.get(name).copied().ok_or(name)
    }

    fn number<T: FromStr>(&self, name: &'static str) -> Result<T, &'static str> {
        self.text(name)?.parse().map_err(|_| name)
    }

    fn optional<T: FromStr>(&self, name: &'static str) -> Result<Option<T>, &'static str> {
        if self.text(name)?.is_empty() { Ok(None) } else { self.number(name).map(Some) }
    }

    fn endpoint(&self, name: &'static str) -> Result<Endpoint, &'static str> {
        let address: SocketAddr = self.number(name)?;
        Ok(Endpoint { addr: address.ip(), port: address.port() })
    }

    fn flags(&self, name: &'static str) -> Result<TcpFlags, &'static str> {
        let digits = self.text(name)?.strip_prefix("0x").ok_or(name)?;
        u16::from_str_radix(digits, 16).map(TcpFlags).map_err(|_| name)
    }

    fn tuple(&self, src: &'static str, dst: &'static str) -> Result<FourTuple, &'static str> {
        Ok(FourTuple { src: self.endpoint(src)?, dst: self.endpoint(dst)? })
    }
}

fn entry(fields: &Fields<'_>) -> Result<Entry, &'static str> {
    Ok(Entry {
        at_in_ns: fields.number("t_in_ns")?,
        at_out_ns: fields.optional("t_out_ns")?,
        direction: match fields.text("direction")? {
            "c2s" => Direction::ClientToServer,
            "s2c" => Direction::ServerToClient,
            _ => return Err("direction"),
        },
        protocol: match fields.text("protocol")? {
            "tcp" => Protocol::Tcp,
            "icmp" => Protocol::Icmp,
            _ => return Err("protocol"),
        },
        connection: fields.tuple("connection_src", "connection_dst")?,
        came: fields.tuple("came_src", "came_dst")?,
        left: fields.tuple("left_src", "left_dst")?,
        server: fields.number("server")?,
        ip_id: fields.optional("ip_id")?,
        ip_len: fields.number("ip_len")?,
        seq: fields.number("seq")?,
        ack: fields.number("ack")?,
        flags: fields.flags("flags")?,
        payload_len: fields.number("payload_len")?,
        gso_size: fields.number("gso_size")?,
        wire_segments: fields.number("wire_segments")?,
        tsval: fields.optional("tsval")?,
        sack_blocks: fields.number("sack_blocks")?,
        done: done(fields.text("done")?).ok_or("done")?,
        rule: fields.text("rule")?.to_owned(),
        delay_ns: fields.number("delay_ns")?,
        seq_left: fields.number("seq_left")?,
        ack_left: fields.number("ack_left")?,
        leg: match fields.text("leg")? {
            "whole" => Leg::Whole,
            "near" => Leg::Near,
            "far" => Leg::Far,
            _ => return Err("leg"),
        },
        ip_id_left: fields.optional("ip_id_left")?,
        flags_left: fields.flags("flags_left")?,
        payload_len_left: fields.number("payload_len_left")?,
        tsval_left: fields.optional("tsval_left")?,
        fragments: fields.number("fragments")?,
    })
}

fn done(word: &str) -> Option<Done> {
    let passed = [Done::Forward, Done::Rewrite, Done::Duplicate, Done::Hold, Done::Piece];
    let others = [Done::Drop, Done::Inject, Done::Absorb];
    passed.into_iter().chain(others).find(|done| done.word() == word)
}

#[cfg(test)]
mod tests {
    use super::*;
    use correlate_lab::write_csv;

    #[test]
    fn what_was_written_is_read() {
        let end = |text: &str| {
            let address: SocketAddr = text.parse().unwrap();
            Endpoint { addr: address.ip(), port: address.port() }
        };
        let entry = Entry {
            at_in_ns: 5,
            at_out_ns: None,
            direction: Direction::ServerToClient,
            protocol: Protocol::Tcp,
            connection: FourTuple { src: end("10.0.0.9:80"), dst: end("10.0.0.2:4000") },
            came: FourTuple { src: end("[fd77::2]:80"), dst: end("[fd77::1]:4000") },
            left: FourTuple { src: end("10.0.0.1:80"), dst: end("10.0.0.2:4000") },
            server: 1,
            ip_id: Some(7),
            ip_len: 1500,
            seq: 1,
            ack: 2,
            flags: TcpFlags(0x118),
            payload_len: 1448,
            gso_size: 0,
            wire_segments: 1,
            tsval: None,
            sack_blocks: 2,
            done: Done::Hold,
            rule: "a+b".to_owned(),
            delay_ns: 5_000_000,
            seq_left: 3,
            ack_left: 4,
            leg: Leg::Near,
            ip_id_left: Some(8),
            flags_left: TcpFlags(0x110),
            payload_len_left: 700,
            tsval_left: Some(9),
            fragments: 2,
        };
        let mut both = vec![entry.clone(), entry];
        both[1].at_out_ns = Some(9);
        both[1].tsval = Some(3);
        both[1].ip_id = None;
        both[1].rule = String::new();
        let mut text = Vec::new();
        write_csv(&both, &mut text).unwrap();
        assert_eq!(read(std::str::from_utf8(&text).unwrap()), Ok(both));
    }

    #[test]
    fn a_wrong_field_is_named() {
        assert_eq!(read("t_in_ns,flags\n5,0x1\n").unwrap_err(), "line 2: no valid t_out_ns");
    }
}
