//! The calls of a connection as frames: what an inspector shows where nothing goes over a wire.
//!
//! Knows what stands in the store, and changes nothing there.

use super::store::Store;
use super::token::Token;
use crate::base::time::Wall;
use crate::link::session::{Ask, Verdict};
use crate::link::tap::{Direction, Piece};

/// What has been called and delivered since it was fetched last.
#[derive(Default)]
pub(super) struct Calls {
    pieces: Vec<Piece>,
}

impl Calls {
    pub(super) fn take(&mut self) -> Vec<Piece> {
        std::mem::take(&mut self.pieces)
    }

    fn push(&mut self, direction: Direction, at: Wall, summary: String, bytes: &[u8]) {
        self.pieces.push(Piece { direction, generation: 0, at, summary: Some(summary), bytes: bytes.to_vec() });
    }

    pub(super) fn publish(&mut self, at: Wall, store: &Store, route: usize, data: &[u8]) {
        self.push(Direction::Out, at, format!("PRODUCE {} {} bytes", store.route_name(route), data.len()), data);
    }

    pub(super) fn stored(&mut self, at: Wall, store: &Store, route: usize, sequence: u64, duplicate: bool) {
        let duplicate = if duplicate { " duplicate" } else { "" };
        self.push(Direction::In, at, format!("STORED {} {sequence}{duplicate}", store.route_name(route)), b"");
    }

    pub(super) fn refused(&mut self, at: Wall, store: &Store, route: usize, text: &str) {
        self.push(Direction::In, at, format!("REFUSED {} {text}", store.route_name(route)), text.as_bytes());
    }

    pub(super) fn ask(&mut self, at: Wall, store: &Store, member: usize, ask: &Ask) {
        self.push(Direction::Out, at, format!("ASK {} {} messages", store.member_name(member), ask.messages), b"");
    }

    pub(super) fn message(&mut self, at: Wall, store: &Store, member: usize, token: &Token, data: &[u8]) {
        let name = store.member_name(member);
        let Token { sequence, delivery, .. } = token;
        self.push(
            Direction::In,
            at,
            format!("MESSAGE {name} {sequence} delivery {delivery} {} bytes", data.len()),
            data,
        );
    }

    pub(super) fn settle(&mut self, at: Wall, store: &Store, token: &Token, verdict: &Verdict) {
        let what = match verdict {
            Verdict::Ack => "ACK".into(),
            Verdict::Nack => "NACK".into(),
            Verdict::Delay(span) => format!("DELAY {} ms", span.0),
            Verdict::Bury(reason) => format!("DEAD LETTER {reason:.80}"),
            Verdict::Extend(_) => "IN PROGRESS".into(),
        };
        let name = store.spot_name(token.spot.station as usize, token.spot.partition as usize);
        self.push(Direction::Out, at, format!("{what} {name} {}", token.sequence), b"");
    }
}

impl Store {
    fn route_name(&self, route: usize) -> String {
        self.routes
            .get(route)
            .map_or(String::new(), |route| format!("{}:{}", route.name, route.partition.saturating_add(1)))
    }

    fn member_name(&self, member: usize) -> String {
        let spot = self.members.get(member).and_then(|member| member.spot);
        spot.map_or(String::new(), |spot| {
            let group =
                self.stations.get(spot.station as usize).and_then(|station| station.groups.get(spot.group as usize));
            let group = group.map_or("", |group| group.name.as_str());
            format!("{} {group}", self.spot_name(spot.station as usize, spot.partition as usize))
        })
    }

    fn spot_name(&self, station: usize, partition: usize) -> String {
        let name = self.stations.get(station).map_or("", |station| station.name.as_str());
        format!("{name}:{}", partition.saturating_add(1))
    }
}
