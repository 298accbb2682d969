//! Questions for a message on the wire of NATS: each brings one, under the subject of its stream.

use proptest::prelude::*;
use stationmaster::base::id::random_id;
use stationmaster::base::time::{Millis, Now, Time, Wall};
use stationmaster::base::value::JsonReader;
use stationmaster::brokers::nats::session::NatsSession;
use stationmaster::link::outbox::Outbox;
use stationmaster::link::session::{Encryption, Input, Login, Output, Request, Session, WaitId};

const NEXT: &str = "$JS.API.CONSUMER.MSG.NEXT.DLADV_dl.fwd";
const TOLD: &str = "{\"type\":\"io.nats.jetstream.advisory.v1.max_deliver\",\"stream\":\"dl\",\"consumer\":\"g\",\"stream_seq\":1,\"deliveries\":2}";

/// What a question came to: its number, the status, where the message is acknowledged, whether it is the one told.
type Answer = (u32, u32, String, bool);

struct Talk {
    session: NatsSession,
    out: Outbox,
    now: Now,
}

impl Talk {
    fn up() -> Talk {
        let now = Now { mono: Time(1_000), wall: Wall(0) };
        let json = JsonReader(|bytes| serde_json::from_slice(bytes).ok());
        let mut talk = Talk { session: NatsSession::new(json, "$JS.API"), out: Outbox::default(), now };
        let login = Login::default();
        let (encryption, took) = (Encryption::Settled, Millis(1));
        talk.session.handle(now, Input::Opened { login: &login, encryption, took, random: [7; 8] }, &mut talk.out);
        talk.hears(b"INFO {\"headers\":true,\"max_payload\":1000} \r\nPONG\r\n");
        talk
    }

    fn ask(&mut self, wait: u32) {
        let question = Request { to: NEXT.into(), body: b"{}".to_vec(), head: 0, many: true };
        self.session.request(self.now, &mut self.out, WaitId(wait), &question);
    }

    fn hears(&mut self, bytes: &[u8]) -> Vec<Answer> {
        self.session.handle(self.now, Input::Chunk(bytes), &mut self.out);
        let answer = |output| match output {
            Output::Replied(wait, Ok(reply)) => {
                let head = String::from_utf8(reply.head).unwrap();
                Some((wait.0, reply.status, head, reply.body == TOLD.as_bytes()))
            }
            _ => None,
        };
        std::iter::from_fn(|| self.session.poll()).filter_map(answer).collect()
    }

    fn passes(&mut self, span: Millis) {
        self.now.mono = self.now.mono + span;
    }
}

fn token(number: u32, group: &str) -> String {
    format!("$JS.ACK.DLADV_dl.{group}.1.{number}.{number}.1795243847349808572.1")
}

fn told(number: u32, group: &str) -> Vec<u8> {
    let subject = "$JS.EVENT.ADVISORY.CONSUMER.MAX_DELIVERIES.dl.g";
    format!("MSG {subject} 1 {} {}\r\n{TOLD}\r\n", token(number, group), TOLD.len()).into_bytes()
}

/// The server has none for this question.
fn nothing(wait: &str) -> Vec<u8> {
    let head = "NATS/1.0 404 No Messages\r\n\r\n";
    let inbox = format!("_INBOX.{}", random_id([7; 8]));
    format!("HMSG {inbox}.R{wait} 1 {len} {len}\r\n{head}\r\n", len = head.len()).into_bytes()
}

fn brought(wait: u32, number: u32) -> Vec<Answer> {
    vec![(wait, 0, token(number, "fwd"), true)]
}

#[test]
fn each_brings_one_in_turn() {
    let mut talk = Talk::up();
    assert!(talk.hears(&told(1, "fwd")).is_empty(), "nobody asked");
    talk.ask(10);
    talk.ask(11);
    talk.ask(12);
    assert!(talk.hears(&told(2, "other")).is_empty(), "another group's");
    assert_eq!(talk.hears(&told(3, "fwd")), brought(10, 3));
    assert_eq!(talk.hears(&[told(4, "fwd"), nothing("c")].concat()).len(), 2);
    assert!(talk.hears(&told(5, "fwd")).is_empty(), "everybody has an answer");
}

#[test]
fn one_without_an_answer_is_not_waited_for_any_more() {
    let mut talk = Talk::up();
    talk.ask(10);
    talk.passes(Millis(20_000));
    talk.ask(11);
    assert_eq!(talk.hears(&told(1, "fwd")), brought(11, 1));
}

#[test]
fn of_another_link_it_means_nothing() {
    let mut talk = Talk::up();
    talk.ask(10);
    talk.session.handle(talk.now, Input::Closed, &mut talk.out);
    let login = Login::default();
    let (encryption, took) = (Encryption::Settled, Millis(1));
    talk.session.handle(talk.now, Input::Opened { login: &login, encryption, took, random: [8; 8] }, &mut talk.out);
    talk.hears(b"INFO {\"headers\":true,\"max_payload\":1000} \r\nPONG\r\n");
    assert!(talk.hears(&told(1, "fwd")).is_empty());
}

proptest! {
    #[test]
    fn wherever_the_bytes_are_cut(cuts in proptest::collection::vec(1usize..40, 1..60)) {
        let mut talk = Talk::up();
        for wait in 10..14 {
            talk.ask(wait);
        }
        let bytes = [told(1, "fwd"), told(2, "fwd"), told(9, "other"), told(3, "fwd"), nothing("d")].concat();
        let mut answers = Vec::new();
        let mut rest = bytes.as_slice();
        for cut in cuts.into_iter().cycle() {
            let (now, then) = rest.split_at(cut.min(rest.len()));
            answers.extend(talk.hears(now));
            rest = then;
            if rest.is_empty() {
                break;
            }
        }
        let seen: Vec<_> = answers.iter().map(|(wait, status, ..)| (*wait, *status)).collect();
        prop_assert_eq!(seen, [(10, 0), (11, 0), (12, 0), (13, 404)]);
    }
}
