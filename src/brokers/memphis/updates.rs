//! What the broker tells by itself: the one place where it is given to whom it concerns.

use super::session::MemphisSession;
use super::shared::About;
use super::{resent, schemas};
use crate::base::error::{Error, Kind};
use crate::base::time::Now;
use crate::base::value::Value;
use crate::brokers::nats::wire::Msg;
use crate::link::outbox::Outbox;
use crate::link::session::{Arrival, Output, Session, Source, Span, Verdict};

/// A message on one of our subscriptions.
pub struct Told {
    /// Which one, by its number in [`Shared::ears`](super::shared::Shared::ears).
    pub ear: u32,
    /// Where everything stands in the bytes.
    pub msg: Msg,
    /// The whole frame.
    pub bytes: Vec<u8>,
}

impl Told {
    fn data(&self) -> &[u8] {
        self.bytes.get(self.msg.data.clone()).unwrap_or_default()
    }
}

/// Give an update to whom it concerns. What cannot be read is nobody's.
pub fn take(session: &mut MemphisSession, now: Now, told: &Told, out: &mut Outbox) {
    let about = session.shared.ears.borrow().get(told.ear as usize).filter(|ear| !ear.subject.is_empty()).cloned();
    match about.map(|ear| ear.about) {
        Some(About::Clients) => {
            if let Some(update) = session.json.read(told.data()) {
                clients(session, &update);
            }
        }
        Some(About::Schema(station)) => {
            let news = schemas::heard(&session.shared, session.json, &station, told.data());
            if let Some(news) = news {
                session.outputs.push_back(Output::Registry(news));
            }
        }
        Some(About::Dead { station, group }) => resent(session, now, (&station, &group), told, out),
        None => {}
    }
}

/// Section 2.8.
fn clients(session: &mut MemphisSession, update: &Value) {
    let station = super::names::external(update.get("station_name").text().unwrap_or_default());
    match update.get("type").text() {
        Some("send_notification") => session.shared.notify.set(update.get("update").truth()),
        // What comes is the value from before: only that it may be another one is of use.
        // Those of all stations of the broker come here: most are of no interest.
        Some("schemaverse_to_dls") => session.shared.doubt(&station),
        Some("remove_station") => {
            let error = Error::new(Kind::NoSuchStation, "the station has been destroyed")
                .hint("Make the station, the producer or the consumer again to create it.");
            session.inner.lost_station(&station, &error);
        }
        _ => {}
    }
}

/// Section 5.8. It comes by way of a feed of its group, though it has no place in any partition: sequence 0 says so.
fn resent(session: &mut MemphisSession, now: Now, (station, group): (&str, &str), told: &Told, out: &mut Outbox) {
    let part = |range: &std::ops::Range<usize>| told.bytes.get(range.clone()).unwrap_or_default();
    let (head, data) = (part(&told.msg.head), part(&told.msg.data));
    let Some((feed, auto_ack)) = session.first_feed(station, group) else { return };
    let Some(token) = resent::token(head) else { return };
    if auto_ack {
        session.settle(now, out, feed, &token, &Verdict::Ack, None);
    }
    let span = |at: usize, len: usize| Span {
        at: u32::try_from(at).unwrap_or(u32::MAX),
        len: u32::try_from(len).unwrap_or(u32::MAX),
    };
    let start = session.resent.len();
    session.resent.extend_from_slice(head);
    let data_at = session.resent.len();
    session.resent.extend_from_slice(data);
    let token_at = session.resent.len();
    session.resent.extend_from_slice(&token);
    session.outputs.push_back(Output::Arrived(Arrival {
        feed,
        source: Source::Own,
        frame: span(start, session.resent.len().saturating_sub(start)),
        head: span(start, head.len()),
        data: span(data_at, data.len()),
        token: span(token_at, token.len()),
        sequence: 0,
        stamp: now.wall,
        deliveries: 1,
    }));
}
