//! Producers: queues of encoded messages, windows, repetition, receipts (semantics.md section 2).
//!
//! A call is encoded at once and waits as bytes; it takes its slot on the wire when it enters the producer's window.
//! Knows no broker and no promise.

use super::call::{Call, Calls, State};
use super::context::Context;
use super::lane::{Flow, Lane};
pub use super::sender::Message;
use super::sender::{Producer, Stage, Target, auto_text, closed, lost, no_partition, silence};
use super::turn::{CallId, OpId, ProducerId, Row, Status};
use crate::base::error::{Error, Kind};
use crate::base::limits;
use crate::base::time::{Millis, Time, earliest};
use crate::brokers::terms::StationFacts;
use crate::link::receipts::Receipts;
use crate::link::session::{Draft, RouteId, Slot};
use crate::policy::partition::{Choice, choose};
use crate::policy::resend;
use std::collections::{BinaryHeap, VecDeque};

/// All producers of a connection.
#[derive(Debug)]
pub struct Producers {
    pub(super) producers: Vec<Option<Producer>>,
    pub(super) calls: Calls,
    pub(super) receipts: Receipts,
    /// Bytes of the messages whose receipts came.
    pub sent: (u64, u64),
    failed: Vec<(String, Error, u32, Vec<String>)>,
    /// Producers whose next message needs stations that are made ready for it.
    pub(super) unready: Vec<(ProducerId, u8)>,
    /// No later than the next moment anything is due; found again by looking at everything, which is not done a turn.
    due: Option<Time>,
}

impl Producers {
    /// None yet, with the application's limits.
    pub fn new(most: u32, most_bytes: u64) -> Producers {
        Producers {
            producers: Vec::new(),
            calls: Calls::new(most, most_bytes),
            receipts: Receipts::default(),
            sent: (0, 0),
            failed: Vec::new(),
            unready: Vec::new(),
            due: None,
        }
    }

    /// A producer of this name for these stations, with the beginning of the ids it makes, if it makes them. It takes messages
    /// at once; they wait until [`Producers::opened`].
    pub fn add(&mut self, name: String, stations: Vec<String>, prefix: Option<String>) -> ProducerId {
        let id = ProducerId(self.producers.len() as u32);
        self.producers.push(Some(Producer {
            name,
            stage: Stage::Opening,
            targets: Vec::new(),
            stations,
            queue: VecDeque::new(),
            in_flight: 0,
            full: false,
            pending: 0,
            prefix,
            counter: 0,
            opened: Vec::new(),
            flushes: Vec::new(),
            ready: 0,
            preparing: false,
        }));
        id
    }

    pub(super) fn get(&mut self, id: ProducerId) -> Option<&mut Producer> {
        self.producers.get_mut(id.0 as usize)?.as_mut()
    }

    /// The stations a producer was made for.
    pub fn stations(&self, id: ProducerId) -> Vec<String> {
        self.producers
            .get(id.0 as usize)
            .and_then(Option::as_ref)
            .map(|producer| producer.stations.clone())
            .unwrap_or_default()
    }

    /// How many messages, and bytes, have no outcome.
    pub fn pending(&self) -> (usize, u64) {
        (self.calls.len(), self.calls.bytes())
    }

    /// Indexes of calls that have ended may be used again: what said so has been read.
    pub fn free(&mut self) {
        self.calls.free();
    }

    /// Somebody wants to know when there is room again.
    pub fn want_room(&mut self) {
        self.calls.wants_room = true;
    }

    /// Tell `op` when the producer sends, or why it never will.
    pub fn when_open(&mut self, ctx: &mut Context<'_>, id: ProducerId, op: OpId) {
        let Some(producer) = self.get(id) else { return ctx.turn.end(op, Err(closed())) };
        match &producer.stage {
            Stage::Opening => producer.opened.push(op),
            Stage::Open => ctx.turn.end(op, Ok(())),
            Stage::Closing { .. } => ctx.turn.end(op, Err(closed())),
            Stage::Ended(error) => ctx.turn.end(op, Err(error.clone())),
        }
    }

    /// Its stations are known: it sends from now on.
    pub fn opened(&mut self, ctx: &mut Context<'_>, id: ProducerId, stations: Vec<StationFacts>) {
        let Some(producer) = self.get(id) else { return };
        if !matches!(producer.stage, Stage::Opening | Stage::Closing { .. }) {
            return;
        }
        producer.targets = stations
            .into_iter()
            .map(|facts| Target {
                gone: None,
                window: facts.window,
                numbers: facts.places.iter().map(|place| place.partition).collect(),
                lanes: facts
                    .places
                    .iter()
                    .map(|place| Lane::new(ctx.session.open_route(place), place.partition))
                    .collect(),
                turn: 0,
                station: facts.name,
            })
            .collect();
        if matches!(producer.stage, Stage::Opening) {
            producer.stage = Stage::Open;
        }
        for op in std::mem::take(&mut producer.opened) {
            ctx.turn.end(op, Ok(()));
        }
        self.pump(ctx, id, false);
    }

    /// It is over: everything it has is rejected with this error.
    pub fn end(&mut self, ctx: &mut Context<'_>, id: ProducerId, error: &Error) {
        let Some(producer) = self.get(id) else { return };
        if matches!(producer.stage, Stage::Ended(_)) {
            return;
        }
        let closing = if let Stage::Closing { op, .. } = producer.stage { op } else { None };
        producer.stage = Stage::Ended(error.clone());
        let opened = std::mem::take(&mut producer.opened);
        // Without its lanes nothing of it is written again while its calls are rejected.
        for lane in std::mem::take(&mut producer.targets).iter().flat_map(|target| &target.lanes) {
            ctx.session.close_route(lane.route);
        }
        for op in opened {
            ctx.turn.end(op, Err(error.clone()));
        }
        for call in self.in_order(|call| call.producer == id) {
            self.fail(ctx, call, error.clone());
        }
        if let Some(op) = closing {
            ctx.turn.end(op, Ok(()));
        }
        if error.kind != Kind::Closed {
            ctx.turn.rows.push(Row::ProducerEnded(id));
        }
    }

    /// Take a message. The bytes are copied before this returns.
    pub fn produce(&mut self, ctx: &mut Context<'_>, id: ProducerId, message: &Message<'_>) -> Result<CallId, Error> {
        let producer = self.producers.get_mut(id.0 as usize).and_then(Option::as_mut).ok_or_else(closed)?;
        match &producer.stage {
            Stage::Ended(error) => return Err(error.clone()),
            Stage::Closing { .. } => return Err(closed()),
            Stage::Opening | Stage::Open => {}
        }
        self.calls.admit(message.data.len(), ctx.beside)?;
        let mut auto = String::new();
        let mut auto_id = 0;
        if let (None, Some(prefix)) = (message.msg_id, &producer.prefix) {
            auto_id = producer.counter.wrapping_add(1);
            auto = auto_text(prefix, auto_id);
        }
        let id_text = message.msg_id.or((auto_id > 0).then_some(auto.as_str()));
        let mut bytes = self.calls.buffer();
        let Message { headers, data, times, .. } = *message;
        let draft = Draft { producer: &producer.name, headers, msg_id: id_text, data, times };
        let head = match ctx.session.encode(&draft, &mut bytes) {
            Ok(head) => head,
            Err(error) => {
                bytes.clear();
                self.calls.recycle(bytes);
                let station = producer.stations.first().cloned().unwrap_or_default();
                return Err(error.at(&station));
            }
        };
        if let Some(number) =
            message.partition.filter(|number| producer.targets.iter().any(|target| !target.numbers.contains(number)))
        {
            bytes.clear();
            self.calls.recycle(bytes);
            return Err(no_partition(number));
        }
        producer.counter = producer.counter.max(auto_id);
        producer.pending = producer.pending.saturating_add(1);
        let choice = match (message.partition, message.key, message.msg_id) {
            (Some(number), ..) => Choice::Number(number),
            (_, Some(key), _) => Choice::Hash(crate::policy::partition::hash(key)),
            // A repeat by the application meets its first copy; an id made here does not choose.
            (_, _, Some(id)) => Choice::Hash(crate::policy::partition::hash(id)),
            _ => Choice::Turn,
        };
        let call = self.calls.insert(Call {
            producer: id,
            target: 0,
            lane: 0,
            choice,
            bytes,
            head,
            state: State::Waiting,
            deadline: ctx.now.mono + message.ack_wait,
            limit: message.limit.max(1),
            needs: times.needs(),
            has_id: id_text.is_some(),
            id: if message.wants_receipt { None } else { id_text.map(String::from) },
            auto_id,
            wants_receipt: message.wants_receipt,
            told: false,
            order: 0,
            first_sent: None,
            sent: ctx.now.mono,
            copies: 0,
            lost: false,
        });
        self.due_at(ctx.now.mono + message.ack_wait);
        let order = self.calls.get(call).map_or(0, |call| call.order);
        let Some(producer) = self.get(id) else { return Err(closed()) };
        producer.queue.push_back((call, order));
        if producer.queue.len() == 1 {
            self.pump(ctx, id, false);
        }
        Ok(call)
    }

    /// Let waiting messages into the window. After an outcome only when half of it is free, so that they leave together.
    pub(super) fn pump(&mut self, ctx: &mut Context<'_>, id: ProducerId, refill: bool) {
        if !ctx.up {
            return;
        }
        let mut first = refill;
        loop {
            let Some(producer) = self.producers.get_mut(id.0 as usize).and_then(Option::as_mut) else { return };
            if producer.targets.is_empty() || matches!(producer.stage, Stage::Opening | Stage::Ended(_)) {
                return;
            }
            let Some(&(call_id, order)) = producer.queue.front() else { return };
            let Some(call) = self.calls.same(call_id, order).filter(|call| call.state == State::Waiting) else {
                producer.queue.pop_front();
                continue;
            };
            if call.deadline <= ctx.now.mono {
                // Its time is over: the tick that is at work takes it out.
                producer.queue.pop_front();
                continue;
            }
            if call.needs & !producer.ready != 0 {
                return producer.prepare(id, call.needs, &mut self.unready);
            }
            if producer.in_flight >= call.limit || (first || producer.full) && producer.in_flight > call.limit / 2 {
                return;
            }
            first = false;
            producer.queue.pop_front();
            producer.in_flight = producer.in_flight.saturating_add(1);
            producer.full = producer.in_flight >= call.limit;
            self.place(ctx, call_id);
        }
    }

    /// Choose the partition at the call's present station and write it there, or park it.
    fn place(&mut self, ctx: &mut Context<'_>, id: CallId) {
        let Some(call) = self.calls.get_mut(id) else { return };
        let Some(producer) = self.producers.get_mut(call.producer.0 as usize).and_then(Option::as_mut) else { return };
        let Some(target) = producer.targets.get_mut(call.target) else { return };
        if let Some(error) = target.gone.clone() {
            call.state = State::Held;
            return self.fail(ctx, id, error);
        }
        let Some(index) = choose(call.choice, &target.numbers, &mut target.turn) else {
            let number = if let Choice::Number(number) = call.choice { number } else { 0 };
            call.state = State::Held;
            let error = no_partition(number).at(&target.station);
            return self.fail(ctx, id, error);
        };
        call.lane = index;
        let Some(lane) = target.lanes.get_mut(index) else { return };
        if lane.flow == Flow::Flowing {
            self.write(ctx, id);
        } else {
            call.state = State::Parked;
            lane.parked.push_back((id, call.order));
        }
    }

    /// Put a copy of the message on its way.
    fn write(&mut self, ctx: &mut Context<'_>, id: CallId) {
        let slot = match self.calls.get(id).map(|call| call.state) {
            // A copy sent because of silence keeps its slot: either answer is good.
            Some(State::Written(slot)) => slot,
            Some(_) => self.receipts.open(id.0),
            None => return,
        };
        let Some(call) = self.calls.get_mut(id) else { return };
        let Some(producer) = self.producers.get_mut(call.producer.0 as usize).and_then(Option::as_mut) else { return };
        let Some(lane) = producer.targets.get(call.target).and_then(|target| target.lanes.get(call.lane)) else {
            return;
        };
        call.state = State::Written(slot);
        call.sent = ctx.now.mono;
        if call.first_sent.is_some() {
            let station = producer.targets.get(call.target).map_or("", |target| target.station.as_str());
            ctx.turn.repeated(station);
        }
        call.first_sent.get_or_insert(ctx.now.mono);
        call.copies = call.copies.saturating_add(1);
        ctx.session.publish(ctx.now, ctx.out, lane.route, slot, &call.bytes, call.head);
        let due = silence(call);
        let last = call.target.saturating_add(1) == producer.targets.len();
        if !call.wants_receipt && !call.told && last {
            call.told = true;
            ctx.turn.rows.push(Row::Stored {
                call: id,
                target: call.target as u32,
                partition: lane.partition,
                sequence: 0,
                duplicate: false,
                auto_id: call.auto_id,
                more: false,
            });
        }
        self.due = earliest(self.due, due);
    }

    /// A receipt came.
    pub fn stored(&mut self, ctx: &mut Context<'_>, slot: Slot, sequence: u64, duplicate: bool) {
        let Some(id) = self.close(ctx, slot) else { return };
        let Some(call) = self.calls.get_mut(id) else { return };
        let producer_id = call.producer;
        let Some(producer) = self.producers.get_mut(producer_id.0 as usize).and_then(Option::as_mut) else { return };
        self.sent = (self.sent.0.saturating_add(1), self.sent.1.saturating_add(call.bytes.len() as u64));
        let last = call.target.saturating_add(1) >= producer.targets.len();
        let (at, lane_index) = (call.target, call.lane);
        if !call.told {
            let partition = producer
                .targets
                .get(at)
                .and_then(|target| target.lanes.get(lane_index))
                .map_or(0, |lane| lane.partition);
            ctx.turn.rows.push(Row::Stored {
                call: id,
                target: at as u32,
                partition,
                sequence,
                duplicate,
                auto_id: call.auto_id,
                more: !last,
            });
        }
        if last {
            self.finish(id);
        } else {
            call.target = call.target.saturating_add(1);
            call.state = State::Waiting;
            call.lost = false;
            call.first_sent = None;
        }
        self.advance(ctx, producer_id, at, lane_index, id, true);
        if last {
            self.after(ctx, producer_id);
        } else {
            self.place(ctx, id);
        }
    }

    /// What a lane may write after one of its calls has been answered.
    fn advance(
        &mut self,
        ctx: &mut Context<'_>,
        id: ProducerId,
        target: usize,
        lane: usize,
        call: CallId,
        stored: bool,
    ) {
        let Some(lane_ref) = self.lane(id, target, lane) else { return };
        if lane_ref.flow == Flow::Flowing {
            return;
        }
        let next = lane_ref.settled(call, stored);
        self.repeat(ctx, id, target, lane, next);
    }

    fn lane(&mut self, id: ProducerId, target: usize, lane: usize) -> Option<&mut Lane> {
        self.get(id)?.targets.get_mut(target)?.lanes.get_mut(lane)
    }

    /// Write what has to be repeated; when the lane flows again, what was parked follows.
    fn repeat(&mut self, ctx: &mut Context<'_>, id: ProducerId, target: usize, lane: usize, calls: Vec<CallId>) {
        let window =
            self.get(id).and_then(|producer| producer.targets.get(target)).map_or(Millis(0), |target| target.window);
        for call_id in calls {
            let Some(call) = self.calls.get(call_id) else { continue };
            let sent = call.first_sent.unwrap_or(ctx.now.mono);
            if call.deadline <= ctx.now.mono {
                // Its time is over: the tick that is at work takes it out.
                continue;
            }
            if call.is_uncertain() && !resend::may_repeat(call.has_id, sent, ctx.now.mono, window) {
                let error = lost(true);
                self.fail(ctx, call_id, error);
            } else {
                self.write(ctx, call_id);
            }
        }
        while let Some(lane) = self.lane(id, target, lane).filter(|lane| lane.flow == Flow::Flowing) {
            let Some((call, order)) = lane.parked.pop_front() else { break };
            if self
                .calls
                .same(call, order)
                .is_some_and(|call| call.state == State::Parked && call.deadline > ctx.now.mono)
            {
                self.write(ctx, call);
            }
        }
    }

    /// The broker's word that a message was not stored for now.
    #[inline(never)]
    pub fn not_now(&mut self, ctx: &mut Context<'_>, slot: Slot) {
        let Some(id) = self.close(ctx, slot) else { return };
        let Some(call) = self.calls.get_mut(id) else { return };
        call.state = State::Held;
        let (producer, target, lane, order) = (call.producer, call.target, call.lane, call.order);
        let now = ctx.now.mono;
        if let Some(lane) = self.lane(producer, target, lane) {
            lane.not_now(now, id, order);
            let due = lane.deadline();
            self.due = earliest(self.due, due);
        }
    }

    /// The broker's word that a message is not stored, for good.
    #[inline(never)]
    pub fn refused(&mut self, ctx: &mut Context<'_>, slot: Slot, error: Error) {
        if let Some(id) = self.close(ctx, slot) {
            if let Some(call) = self.calls.get_mut(id) {
                call.state = State::Held;
            }
            self.fail(ctx, id, error);
        }
    }

    /// One copy of a call was answered. Another that is still out may have been stored, and its answer must not be taken
    /// for that of the slot's next message.
    fn close(&mut self, ctx: &mut Context<'_>, slot: Slot) -> Option<CallId> {
        let id = self.receipts.close(slot).map(CallId)?;
        if let Some(call) = self.calls.get_mut(id) {
            if call.copies > 1 {
                ctx.session.forget(slot);
                call.lost = true;
            }
            call.copies = 0;
        }
        Some(id)
    }

    /// A partition is of no use any more. A station that is gone ends its producers.
    #[inline(never)]
    pub fn route_lost(&mut self, ctx: &mut Context<'_>, route: RouteId, error: &Error) {
        let found = self.producers.iter().enumerate().find_map(|(index, producer)| {
            let at = |target: &Target| target.lanes.iter().position(|lane| lane.route == route);
            let (target, lane) = producer
                .as_ref()?
                .targets
                .iter()
                .enumerate()
                .find_map(|(number, target)| Some((number, at(target)?)))?;
            Some((ProducerId(index as u32), target, lane))
        });
        let Some((id, target, lane)) = found else { return };
        if error.kind == Kind::NoSuchStation {
            return self.target_gone(ctx, id, target, error);
        }
        let mine = |call: &Call| {
            call.producer == id
                && call.target == target
                && call.lane == lane
                && matches!(call.state, State::Written(_) | State::Held)
        };
        let calls: Vec<_> = self.calls.iter().filter(|(_, call)| mine(call)).map(|(id, _)| id).collect();
        for call in calls {
            if let Some(call) = self.calls.get_mut(call) {
                call.copies = 0;
            }
            self.fail(ctx, call, error.clone());
        }
    }

    /// A station was destroyed here: its producers end.
    #[inline(never)]
    pub fn station_gone(&mut self, ctx: &mut Context<'_>, station: &str, error: &Error) {
        for id in self.ids(|producer| producer.stations.iter().any(|name| name == station)) {
            let targets = self.get(id).map(|producer| producer.stations.clone()).unwrap_or_default();
            for (target, _) in targets.iter().enumerate().filter(|(_, name)| *name == station) {
                self.target_gone(ctx, id, target, error);
            }
        }
    }

    /// One of a producer's stations is gone: it ends, or, with a list, goes on as far as the list still reaches.
    fn target_gone(&mut self, ctx: &mut Context<'_>, id: ProducerId, target: usize, error: &Error) {
        let Some(producer) = self.get(id).filter(|producer| producer.targets.len() > 1) else {
            return self.end(ctx, id, error);
        };
        let Some(gone) = producer.targets.get_mut(target) else { return };
        gone.gone = Some(error.clone());
        // Without its lanes nothing is written there again, and no route is closed twice.
        for lane in std::mem::take(&mut gone.lanes) {
            ctx.session.close_route(lane.route);
        }
        for call in self.in_order(|call| call.producer == id && call.target == target && call.state != State::Waiting) {
            if let Some(call) = self.calls.get_mut(call) {
                call.copies = 0;
            }
            self.fail(ctx, call, error.clone());
        }
    }

    pub(super) fn ids(&self, mut pick: impl FnMut(&Producer) -> bool) -> Vec<ProducerId> {
        let live = |producer: &Producer| !matches!(producer.stage, Stage::Ended(_));
        let all = self.producers.iter().enumerate().filter_map(|(index, producer)| Some((index, producer.as_ref()?)));
        all.filter(|(_, producer)| live(producer) && pick(producer))
            .map(|(index, _)| ProducerId(index as u32))
            .collect()
    }

    /// The application withdraws a call.
    pub fn abort(&mut self, ctx: &mut Context<'_>, id: CallId) {
        self.fail(ctx, id, Error::new(Kind::Aborted, "the signal was aborted"));
    }

    /// A call has come to nothing.
    pub fn fail(&mut self, ctx: &mut Context<'_>, id: CallId, error: Error) {
        let Some(call) = self.calls.get(id) else { return };
        let (producer_id, target, lane) = (call.producer, call.target, call.lane);
        if let State::Written(slot) = call.state {
            self.receipts.close(slot);
            ctx.session.forget(slot);
        }
        let station =
            self.get(producer_id).and_then(|producer| producer.stations.get(target).cloned()).unwrap_or_default();
        let Some(call) = self.calls.get(id) else { return };
        let mut error = error.at(&station);
        if error.maybe_delivered.is_none() {
            error.maybe_delivered = Some(call.is_uncertain());
        }
        if call.told {
            let text = call.id.clone();
            match self.failed.iter_mut().find(|(name, other, ..)| *name == station && other.kind == error.kind) {
                Some((_, _, count, ids)) => {
                    *count = count.saturating_add(1);
                    ids.extend(text.filter(|_| ids.len() < limits::FAILED_IDS));
                }
                None => self.failed.push((station, error, 1, text.into_iter().collect())),
            }
        } else {
            ctx.turn.rows.push(Row::Failed { call: id, error });
        }
        self.finish(id);
        self.advance(ctx, producer_id, target, lane, id, false);
        self.after(ctx, producer_id);
    }

    /// A call has its outcome: take it out of every count.
    fn finish(&mut self, id: CallId) {
        let Some(call) = self.calls.remove(id) else { return };
        if let Some(producer) = self.get(call.producer) {
            producer.pending = producer.pending.saturating_sub(1);
            // What still waits has not entered the window.
            if call.state != State::Waiting {
                producer.in_flight = producer.in_flight.saturating_sub(1);
            }
            for flush in &mut producer.flushes {
                if call.order < flush.before {
                    flush.left = flush.left.saturating_sub(1);
                }
            }
        }
        self.calls.recycle(call.bytes);
    }

    /// After an outcome: flushes that are done, a producer that may close, room for what waits.
    fn after(&mut self, ctx: &mut Context<'_>, id: ProducerId) {
        let Some(producer) = self.get(id) else { return };
        if !producer.flushes.is_empty() {
            producer.flushes.retain(|flush| {
                if flush.left == 0 {
                    ctx.turn.end(flush.op, Ok(()));
                }
                flush.left > 0
            });
        }
        if producer.pending == 0 && matches!(producer.stage, Stage::Closing { .. }) {
            self.end(ctx, id, &closed());
        } else {
            self.pump(ctx, id, true);
        }
        if self.calls.take_room() {
            ctx.turn.rows.push(Row::Room);
        }
    }

    /// Everything is over at once.
    pub fn end_all(&mut self, ctx: &mut Context<'_>, error: &Error) {
        for id in self.ids(|_| true) {
            self.end(ctx, id, error);
        }
    }

    /// The link was lost: what may be repeated is held, the rest is rejected.
    pub fn link_lost(&mut self, ctx: &mut Context<'_>) {
        self.receipts.clear();
        for producer in self.producers.iter_mut().flatten() {
            for lane in producer.targets.iter_mut().flat_map(|target| &mut target.lanes) {
                lane.hold();
            }
        }
        for id in self.in_order(|call| matches!(call.state, State::Written(_))) {
            let Some(call) = self.calls.get_mut(id) else { continue };
            call.state = State::Held;
            call.lost = true;
            call.copies = 0;
            let (producer, target, lane, has_id, order) =
                (call.producer, call.target, call.lane, call.has_id, call.order);
            if has_id {
                if let Some(lane) = self.lane(producer, target, lane) {
                    lane.link_lost(id, order);
                }
            } else {
                self.fail(ctx, id, lost(true));
            }
        }
    }

    /// The link is back.
    pub fn link_up(&mut self, ctx: &mut Context<'_>) {
        for id in self.ids(|producer| !producer.targets.is_empty()) {
            let shape: Vec<_> = self
                .get(id)
                .map(|producer| producer.targets.iter().map(|target| target.lanes.len()).collect())
                .unwrap_or_default();
            for (target, lanes) in shape.into_iter().enumerate() {
                for lane in 0..lanes {
                    let calls = self.lane(id, target, lane).map(Lane::link_up).unwrap_or_default();
                    self.repeat(ctx, id, target, lane, calls);
                }
            }
            self.pump(ctx, id, false);
        }
    }

    /// Calls in the order they were made.
    pub(super) fn in_order(&self, pick: impl Fn(&Call) -> bool) -> Vec<CallId> {
        // A heap: it is a tenth of the code that sorting takes.
        let calls: BinaryHeap<_> =
            self.calls.iter().filter(|(_, call)| pick(call)).map(|(id, call)| (call.order, id)).collect();
        calls.into_sorted_vec().into_iter().map(|(_, id)| id).collect()
    }

    /// When it wants [`Producers::tick`]; may be too early, never too late.
    pub fn deadline(&self) -> Option<Time> {
        self.due
    }

    pub(super) fn due_at(&mut self, at: Time) {
        self.due = earliest(self.due, Some(at));
    }

    /// The next moment anything is due, exactly.
    fn next_due(&self, up: bool) -> Option<Time> {
        let due = |call: &Call| earliest(Some(call.deadline), silence(call).filter(|_| up));
        let calls = self.calls.iter().fold(None, |at, (_, call)| earliest(at, due(call)));
        self.producers.iter().flatten().fold(calls, |at, producer| {
            let closing = if let Stage::Closing { until, .. } = producer.stage { Some(until) } else { None };
            let lanes = producer.targets.iter().flat_map(|target| &target.lanes);
            lanes.filter(|_| up).fold(earliest(at, closing), |at, lane| earliest(at, lane.deadline()))
        })
    }

    /// Time has passed.
    pub fn tick(&mut self, ctx: &mut Context<'_>) {
        if self.due.is_some_and(|due| due <= ctx.now.mono) {
            self.work(ctx);
            self.due = self.next_due(ctx.up);
        }
    }

    fn work(&mut self, ctx: &mut Context<'_>) {
        let now = ctx.now.mono;
        for id in self.in_order(|call| call.deadline <= now) {
            let error = Error::new(Kind::Timeout, "no receipt within ackWaitMs").hint(
                "The broker may be slow or without a leader. With maybeDelivered the message may have been stored; a msgId makes trying again safe.",
            );
            self.fail(ctx, id, error);
        }
        for id in self.ids(|producer| matches!(producer.stage, Stage::Closing { until, .. } if until <= now)) {
            self.end(ctx, id, &closed());
        }
        if !ctx.up {
            return;
        }
        for id in self.ids(|producer| {
            producer
                .targets
                .iter()
                .flat_map(|target| &target.lanes)
                .any(|lane| lane.deadline().is_some_and(|at| at <= now))
        }) {
            let shape: Vec<_> = self
                .get(id)
                .map(|producer| producer.targets.iter().map(|target| target.lanes.len()).collect())
                .unwrap_or_default();
            for (target, lanes) in shape.into_iter().enumerate() {
                for lane in 0..lanes {
                    let calls = self.lane(id, target, lane).map(|lane| lane.tick(now)).unwrap_or_default();
                    self.repeat(ctx, id, target, lane, calls);
                }
            }
        }
        for id in self.in_order(|call| silence(call).is_some_and(|at| at <= now)) {
            let Some(call) = self.calls.get_mut(id) else { continue };
            let (producer, target, first) = (call.producer, call.target, call.first_sent.unwrap_or(now));
            // Counted from here even if nothing is sent: silence is looked at every two seconds, not all the time.
            call.sent = now;
            let window = self
                .get(producer)
                .and_then(|producer| producer.targets.get(target))
                .map_or(Millis(0), |target| target.window);
            if resend::may_repeat(true, first, now, window) {
                self.write(ctx, id);
            }
        }
    }

    /// Say what came to nothing after its promise had been resolved: once a station, code and turn.
    pub fn report(&mut self, turn: &mut super::turn::Turn) {
        for (station, error, messages, ids) in self.failed.drain(..) {
            turn.status(Status::ProduceFailed { station, error, messages, ids });
        }
    }
}
