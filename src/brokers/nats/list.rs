//! Every station that the user can see: our own, put together from the streams of their partitions, and those that others
//! made, as stations of one partition.
//!
//! Source: jetstream.md sections 2.2, 2.6 and 8.4 (pages of 256). Knows nothing of messages.

use super::api::{Api, Body};
use super::station;
use crate::base::value::Value;
use crate::brokers::terms::{Done, StationReport};

/// Whose stream it is: the station's name, and the number of the partition.
struct Stream {
    station: String,
    partition: u32,
    info: Value,
}

/// All of them, by name.
pub async fn stations(api: &Api) -> Done<Vec<StationReport>> {
    let mut pages = Pages::default();
    let mut streams = Vec::new();
    loop {
        let body = Body::default().number("offset", i64::try_from(pages.offset).unwrap_or(i64::MAX)).finish();
        let page = api.ask("STREAM.LIST", body).await.map_err(|refusal| refusal.error(""))?;
        let (fresh, more) = pages.take(page.get("streams").elements(), page.get("total").whole().unwrap_or(0));
        streams.extend(fresh.iter().filter_map(place));
        if !more {
            return Ok(together(streams));
        }
    }
}

/// The way through the pages of a list that others change meanwhile. It is sorted by name, so each page begins a little before
/// the end of the last one: where their names do not meet, something before them has been removed, and it steps back.
#[derive(Default)]
struct Pages {
    offset: u64,
    back: u64,
    last: Option<String>,
}

impl Pages {
    /// What is new on a page, and whether there is another one to be asked for.
    fn take<'a>(&mut self, infos: &'a [Value], total: u64) -> (&'a [Value], bool) {
        let name = |info: &'a Value| info.get("config").get("name").text().unwrap_or_default();
        let meets = self.offset == 0
            || self.last.as_deref().is_none_or(|last| infos.first().is_some_and(|first| name(first) <= last));
        if !meets {
            self.back = self.back.saturating_mul(2).max(OVERLAP);
            self.offset = self.offset.saturating_sub(self.back);
            return (&[], true);
        }
        self.back = 0;
        let known = infos.iter().take_while(|info| self.last.as_deref().is_some_and(|last| name(info) <= last)).count();
        let fresh = infos.get(known..).unwrap_or_default();
        let end = self.offset.saturating_add(infos.len() as u64);
        if let Some(last) = fresh.last() {
            self.last = Some(name(last).into());
        }
        // A page of nothing new, but for the overlap, would come again and again.
        let more = end < total && end.saturating_sub(OVERLAP) > self.offset;
        self.offset = end.saturating_sub(OVERLAP);
        (fresh, more)
    }
}

/// Names that two pages have in common, unless something happened in between.
const OVERLAP: u64 = 8;

/// Where a stream belongs; `None` for those that only help: dead letters, buckets.
fn place(info: &Value) -> Option<Stream> {
    let config = info.get("config");
    let metadata = config.get("metadata");
    let name = config.get("name").text()?;
    let helps = ["KV_", "OBJ_"].iter().any(|start| name.starts_with(start))
        || name.ends_with("$dls")
        || metadata.get("stationmaster.dls_of") != &Value::Nothing;
    if helps {
        return None;
    }
    let (station, partition) = match metadata.get("stationmaster.partitions") {
        Value::Nothing => (name, 1),
        _ => (
            metadata.get("stationmaster.station").text().unwrap_or(name),
            station::number(metadata, "stationmaster.partition").unwrap_or(1),
        ),
    };
    Some(Stream { station: station.into(), partition, info: info.clone() })
}

/// Streams of one station become one report. Without partition 1 there is no station.
fn together(mut streams: Vec<Stream>) -> Vec<StationReport> {
    streams.sort_by(|a, b| a.station.cmp(&b.station).then(a.partition.cmp(&b.partition)));
    let mut reports = Vec::new();
    for group in streams.chunk_by(|a, b| a.station == b.station) {
        let Some(first) = group.first().filter(|first| first.partition == 1) else { continue };
        let facts = station::facts(&first.station, &first.info, true);
        let counts = |stream: &&Stream| facts.places.iter().any(|place| place.partition == stream.partition);
        let infos: Vec<_> = group.iter().filter(counts).map(|stream| stream.info.clone()).collect();
        reports.push(station::summary(&facts, &infos));
    }
    reports
}

#[cfg(test)]
mod tests {
    use super::*;

    fn stream(name: &str, messages: u64, metadata: &str) -> Value {
        serde_json::from_str(&format!(
            r#"{{"config":{{"name":"{name}","subjects":["x"],"metadata":{{{metadata}}}}},"state":{{"messages":{messages},"bytes":1,"first_seq":1,"last_seq":{messages},"consumer_count":2}}}}"#
        ))
        .unwrap()
    }

    fn part(name: &str, number: u32) -> Value {
        let stream_name = if number == 1 { name.to_string() } else { format!("{name}${number}") };
        stream(
            &stream_name,
            5,
            &format!(
                r#""stationmaster.station":"a.b","stationmaster.partition":"{number}","stationmaster.partitions":"2""#
            ),
        )
    }

    /// A list of which something is removed or added between two pages.
    fn listed(mut names: Vec<String>, page: usize, change: impl Fn(usize, &mut Vec<String>)) -> Vec<String> {
        let mut pages = Pages::default();
        let mut seen = Vec::new();
        for round in 0.. {
            assert!(round < 1000, "it ends");
            let from = (pages.offset as usize).min(names.len());
            let infos: Vec<_> = names[from..].iter().take(page).map(|name| stream(name, 1, "")).collect();
            let (fresh, more) = pages.take(&infos, names.len() as u64);
            seen.extend(fresh.iter().map(|info| info.get("config").get("name").text().unwrap().to_string()));
            if !more {
                return seen;
            }
            change(round, &mut names);
        }
        seen
    }

    #[test]
    fn others_may_change_the_list_between_two_pages() {
        let names: Vec<_> = (0..300).map(|number| format!("s{number:03}")).collect();
        assert_eq!(listed(names.clone(), 40, |_, _| {}), names);
        let some = listed(names.clone(), 40, |round, names| {
            if round < 8 {
                names.drain(..20);
            }
        });
        for name in &names[160..] {
            assert!(some.contains(name), "{name} was there all the time");
        }
        let more = listed(names.clone(), 40, |round, names| {
            if round < 5 {
                names.splice(0..0, (0..30).map(|number| format!("a{round}{number:02}")));
                names.sort();
            }
        });
        assert_eq!(
            more.iter().filter(|name| name.starts_with('s')).collect::<Vec<_>>(),
            names.iter().collect::<Vec<_>>()
        );
        assert_eq!(listed(Vec::new(), 40, |_, _| {}), Vec::<String>::new());
    }

    #[test]
    fn parts_are_one_station_and_helpers_are_none() {
        let infos = [
            part("a#b", 2),
            part("a#b", 1),
            part("a#b", 3),
            stream("EVENTS", 7, ""),
            stream("KV_bucket", 1, ""),
            stream("OBJ_store", 1, ""),
            stream("a#b$dls", 1, ""),
            stream("dead", 1, r#""stationmaster.dls_of":"x""#),
            stream(
                "half$2",
                1,
                r#""stationmaster.station":"half","stationmaster.partition":"2","stationmaster.partitions":"2""#,
            ),
        ];
        let reports = together(infos.iter().filter_map(place).collect());
        let seen: Vec<_> = reports
            .iter()
            .map(|report| (report.name.as_str(), report.partitions.clone(), report.messages, report.last))
            .collect();
        assert_eq!(seen, [("EVENTS", vec![1], 7, Some(7)), ("a.b", vec![1, 2], 10, None)]);
    }
}
