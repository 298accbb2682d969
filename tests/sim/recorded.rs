//! The simulated server against a recording of the real one: the same commands at the same times get the same answers.

use crate::server::Server;
use serde_json::Value;
use stationmaster::base::time::{Millis, Now, Time, Wall};
use stationmaster::runtime::sim::{Host, Said};
use std::fs;

/// Subjects of answers that the simulated server does not give: reading single messages is no part of it.
const LEFT_OUT: [&str; 2] = ["_INBOX.A.12 ", "_INBOX.A.13 "];

#[test]
fn it_answers_like_the_real_one() {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/vectors/nats/transcript.jsonl");
    let rows: Vec<Value> =
        fs::read_to_string(path).unwrap().lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let at = |millis: u64| Now { mono: Time(millis), wall: Wall(1_795_243_580_000_000_000 + millis * 1_000_000) };
    let mut server = Server::new(1);
    server.opened(at(0), 1);
    let (mut real, mut ours) = (String::new(), String::new());
    for row in &rows {
        let millis = row["at"].as_u64().unwrap();
        while let Some(due) = server.deadline().filter(|due| due.0 <= millis) {
            server.tick(at(due.0));
        }
        let bytes = row["bytes"].as_str().unwrap();
        if row["dir"] == "c2s" {
            if !LEFT_OUT.iter().any(|subject| bytes.contains(subject)) {
                server.bytes(at(millis), 1, bytes.as_bytes());
            }
        } else {
            real += bytes;
        }
        while let Some(said) = server.poll() {
            let Said::Bytes { bytes, .. } = said else { panic!("{said:?}") };
            ours += &String::from_utf8(bytes).unwrap();
        }
    }
    assert_eq!(server.complaint, None);
    let (real, ours) = (essence(&real), essence(&ours));
    for (at, (ours, real)) in ours.iter().zip(&real).enumerate() {
        assert_eq!(ours, real, "frame {at}");
    }
    assert_eq!(ours.len(), real.len());
    assert!(ours.len() > 25, "only {} frames", ours.len());
}

#[test]
fn time_is_told_by_heartbeats_and_pings() {
    let mut server = Server::new(1);
    let at = |millis: u64| Now { mono: Time(millis), wall: Wall(millis * 1_000_000) };
    server.opened(at(0), 1);
    server.bytes(at(0), 1, b"CONNECT {\"verbose\":false,\"headers\":true,\"no_responders\":true}\r\nPING\r\n");
    while server.poll().is_some() {}
    let mut pings = 0;
    let mut gone = None;
    while let (Some(due), None) = (server.deadline(), &gone) {
        server.tick(at(due.0));
        while let Some(said) = server.poll() {
            match said {
                Said::Bytes { bytes, .. } if bytes == b"PING\r\n" => pings += 1,
                Said::Bytes { .. } => {}
                Said::HangUp { reason, .. } => gone = Some((due, reason)),
            }
        }
    }
    let end = Time(2_000) + Millis(240_000);
    assert_eq!((pings, gone), (2, Some((end, "Stale Connection".into()))), "a client that never answers");
}

/// What a client goes by: subjects, subscriptions, statuses, receipts and errors; not times, ids and descriptions.
fn essence(text: &str) -> Vec<String> {
    let mut found = Vec::new();
    let mut rest = text;
    while let Some((line, after)) = rest.split_once("\r\n") {
        rest = after;
        let words: Vec<&str> = line.split(' ').filter(|word| !word.is_empty()).collect();
        let body = match words[0] {
            "MSG" | "HMSG" => {
                let total: usize = words.last().unwrap().parse().unwrap();
                let (body, after) = rest.split_at(total);
                rest = after.strip_prefix("\r\n").unwrap();
                body
            }
            "PONG" => "",
            // When the server pings and what it says about itself differs by nature.
            _ => continue,
        };
        if LEFT_OUT.iter().any(|subject| line.contains(subject)) {
            continue;
        }
        let json: Option<Value> = serde_json::from_str(body).ok().filter(|json: &Value| json.get("type").is_some());
        let body = match json {
            Some(json) => format!(
                "{} error {} partitions {} pending {} purged {}",
                // An error tells its number; under which name it comes, nobody looks at.
                if json["error"].is_null() { json["type"].as_str().unwrap() } else { "" },
                json["error"]["err_code"],
                json["config"]["metadata"]["stationmaster.partitions"],
                json["num_pending"],
                json["purged"]
            ),
            None => body.to_string(),
        };
        let counted = if words[0] == "PONG" || body.contains(" error ") { 0 } else { words.len() };
        let kept: Vec<String> = words.iter().take(counted.max(3)).map(|word| without_time(word)).collect();
        found.push(format!("{} | {body}", kept.join(" ")));
    }
    found
}

/// An ack subject without the moment in it.
fn without_time(word: &str) -> String {
    let tokens: Vec<&str> = word.split('.').collect();
    match tokens[..] {
        ["$JS", "ACK", .., consumer_seq, _, pending] => {
            format!("{}.{consumer_seq}.-.{pending}", tokens[..tokens.len() - 3].join("."))
        }
        _ => word.into(),
    }
}
