//! The session by itself: what it writes and says that a NATS session would not.

#![cfg(test)]

use super::session::MemphisSession;
use super::shared::{About, Shared};
use crate::base::error::{Error, Kind};
use crate::base::time::{Millis, Now, Time, Wall};
use crate::base::value::JsonReader;
use crate::link::outbox::Outbox;
use crate::link::session::{
    Encryption, FeedId, FeedSpec, Input, Login, News, Output, Request, Session, Source, Verdict, WaitId,
};
use std::rc::Rc;

const NOW: Now = Now { mono: Time(0), wall: Wall(7) };
const INFO: &[u8] = b"INFO {\"headers\":true,\"max_payload\":1000,\"jetstream\":true,\"connection_id\":\"\"} \r\n";

struct Rig {
    session: MemphisSession,
    shared: Rc<Shared>,
    out: Outbox,
}

impl Rig {
    fn new() -> Rig {
        let shared = Rc::new(Shared::new("6f0d", "app"));
        let json = JsonReader(|text| serde_json::from_slice(text).ok());
        Rig { session: MemphisSession::new(json, shared.clone()), shared, out: Outbox::default() }
    }

    fn open(&mut self, login: &Login) -> String {
        let input = Input::Opened { login, encryption: Encryption::Settled, took: Millis(0), random: [7; 8] };
        self.session.handle(NOW, input, &mut self.out);
        self.say(INFO);
        self.written()
    }

    fn say(&mut self, bytes: &[u8]) {
        self.session.handle(NOW, Input::Chunk(bytes), &mut self.out);
    }

    fn up() -> Rig {
        let mut rig = Rig::new();
        rig.open(&root());
        rig.say(b"PONG\r\n");
        assert!(matches!(rig.outputs()[..], [Output::Up]));
        rig
    }

    fn written(&mut self) -> String {
        self.out.release_acks();
        String::from_utf8(self.out.take(Vec::new())).unwrap()
    }

    fn outputs(&mut self) -> Vec<Output> {
        std::iter::from_fn(|| self.session.poll()).collect()
    }

    fn feed(&mut self, partition: u32, auto_ack: bool) -> FeedId {
        let place = super::names::place("or.ders", partition, None);
        let spec = FeedSpec { place, group: "bil.ling".into(), auto_ack, ack_time: Millis(30_000) };
        self.session.open_feed(NOW, &mut self.out, &spec)
    }
}

fn root() -> Login {
    Login { username: Some("Root".into()), password: Some("p".into()), account: 5, ..Login::default() }
}

fn violation(rig: &mut Rig) -> Vec<Output> {
    rig.say(b"-ERR 'Authorization Violation'\r\n");
    let outputs = rig.outputs();
    rig.session.handle(NOW, Input::Closed, &mut rig.out);
    outputs
}

#[test]
fn the_tenant_is_left_out_once() {
    let mut rig = Rig::new();
    let sent = rig.open(&root());
    assert!(sent.contains(r#""name":"6f0d::root""#) && sent.contains(r#""user":"Root$5""#), "{sent}");
    assert!(matches!(violation(&mut rig)[..], [Output::DialAgain]));
    assert!(rig.open(&root()).contains(r#""user":"Root""#));
    let outputs = violation(&mut rig);
    assert!(matches!(&outputs[..], [Output::Broken(error)] if error.kind == Kind::AuthFailed), "{outputs:?}");
    assert!(rig.open(&root()).contains(r#""user":"Root$5""#), "the next attempt begins anew");
}

#[test]
fn the_name_that_went_through_is_used_again() {
    let mut rig = Rig::new();
    rig.open(&root());
    violation(&mut rig);
    rig.open(&root());
    rig.say(b"PONG\r\n");
    rig.session.handle(NOW, Input::Closed, &mut rig.out);
    rig.out.clear();
    assert!(rig.open(&root()).contains(r#""user":"Root""#));
    assert_eq!(*rig.shared.user.borrow(), "root", "requests name him in lower case");
}

#[test]
fn a_token_has_no_other_form() {
    let mut rig = Rig::new();
    let login = Login { username: Some("root".into()), token: Some("t".into()), ..Login::default() };
    let sent = rig.open(&login);
    assert!(sent.contains(r#""auth_token":"t""#) && !sent.contains("\"user\""), "{sent}");
    assert!(matches!(&violation(&mut rig)[..], [Output::Broken(_)]));
}

#[test]
fn subscriptions_come_with_the_link_and_with_who_needs_them() {
    let mut rig = Rig::up();
    assert!(rig.written().contains("SUB $memphis_sdk_clients_updates 4294901760\r\n"));
    rig.shared.listen("$memphis_schema_updates_or#ders".into(), About::Schema("or.ders".into()));
    rig.session.handle(NOW, Input::Tick, &mut rig.out);
    assert_eq!(rig.written(), "SUB $memphis_schema_updates_or#ders 4294901762\r\n");
    rig.session.handle(NOW, Input::Tick, &mut rig.out);
    assert_eq!(rig.written(), "");
    rig.session.handle(NOW, Input::Closed, &mut rig.out);
    rig.open(&root());
    rig.say(b"PONG\r\n");
    let again = rig.written();
    assert!(again.contains("_updates 4294901760\r\n") && again.contains("#ders 4294901762\r\n"), "{again}");
    rig.shared.hush(&About::Schema("or.ders".into()));
    rig.session.handle(NOW, Input::Tick, &mut rig.out);
    assert_eq!(rig.written(), "UNSUB 4294901762\r\n");
}

#[test]
fn updates_reach_whom_they_concern() {
    let mut rig = Rig::up();
    rig.shared.listen("$memphis_schema_updates_or#ders".into(), About::Schema("or.ders".into()));
    let place = super::names::place("or.ders", 1, None);
    let route = rig.session.open_route(&place);
    let feed = rig.feed(1, false);
    let schema = br#"{"UpdateType":2,"init":{"schema_name":"","type":""}}"#;
    // The broker's own words have two blanks before the length.
    let told = |subject: &str, sid: u32, body: &[u8]| {
        [format!("MSG {subject} {sid}  {}\r\n", body.len()).as_bytes(), body, b"\r\n"].concat()
    };
    rig.say(&told("$memphis_schema_updates_or#ders", 4_294_901_762, schema));
    let outputs = rig.outputs();
    assert!(
        matches!(&outputs[..], [Output::Registry(News::Station { name, schema })] if name == "or.ders" && schema.is_empty()),
        "{outputs:?}"
    );
    rig.say(&told(
        "$memphis_sdk_clients_updates",
        4_294_901_760,
        br#"{"station_name":"","type":"send_notification","update":true}"#,
    ));
    assert!(rig.shared.notify.get() && rig.outputs().is_empty());
    for nothing in [&b"?"[..], b"[]", b"{}", br#"{"type":"remove_station"}"#, br#"{"station_name":7,"type":7}"#] {
        rig.say(&told("$memphis_sdk_clients_updates", 4_294_901_760, nothing));
        assert!(rig.outputs().is_empty());
    }
    let removed = br#"{"station_name":"or#ders","type":"remove_station","update":null}"#;
    rig.say(&told("$memphis_sdk_clients_updates", 4_294_901_760, removed));
    let gone = |error: &Error| error.kind == Kind::NoSuchStation && error.station.as_deref() == Some("or.ders");
    let outputs = rig.outputs();
    assert!(
        matches!(&outputs[..], [Output::RouteLost(lost, a), Output::FeedLost(fed, b)] if *lost == route && *fed == feed && gone(a) && gone(b)),
        "{outputs:?}"
    );
}

#[test]
fn a_group_without_acks_is_acked_as_it_comes() {
    let mut rig = Rig::up();
    let feed = rig.feed(1, true);
    rig.session.ask(
        NOW,
        &mut rig.out,
        feed,
        crate::link::session::Ask { messages: 5, bytes: 0, wait: crate::link::session::Wait::Standing },
    );
    let sent = rig.written();
    let sub = sent.lines().find(|line| line.starts_with("SUB _INBOX")).unwrap();
    let sid = sub.rsplit(' ').next().unwrap();
    let token = "$JS.ACK.or#ders$1.bil#ling.1.4.4.1700000000000000000.0";
    rig.say(format!("MSG or#ders$1.final {sid} {token} 1\r\nx\r\n").as_bytes());
    assert_eq!(rig.written(), format!("PUB {token} 4\r\n+ACK\r\n"));
    let outputs = rig.outputs();
    assert!(matches!(&outputs[..], [Output::Arrived(arrival)] if arrival.sequence == 4), "{outputs:?}");
}

#[test]
fn a_letter_that_comes_again_has_its_own_bytes_and_its_own_ack() {
    let mut rig = Rig::up();
    rig.feed(2, false);
    let first = rig.feed(1, false);
    let subject = "$memphis_dls_or#ders.bil#ling";
    let sent = rig.written();
    assert_eq!(sent.matches(&format!("SUB {subject} {subject} ")).count(), 1, "{sent}");
    let line = sent.lines().find(|line| line.contains(subject)).unwrap();
    let sid = line.rsplit(' ').next().unwrap();
    let head = "NATS/1.0\r\n$memphis_pm_id: 12\r\n$memphis_pm_cg_name: bil.ling\r\nk: v\r\n\r\n";
    let (length, total) = (head.len(), head.len() + 4);
    let frame = format!("HMSG {subject} {sid}  {length} {total}\r\n{head}body\r\n");
    rig.say(frame.as_bytes());
    let Some(Output::Arrived(arrival)) = rig.session.poll() else { panic!("nothing came") };
    assert_eq!((arrival.feed, arrival.sequence, arrival.source), (first, 0, Source::Own));
    let own = rig.session.own().to_vec();
    let part = |span: crate::link::session::Span| &own[span.at as usize..(span.at + span.len) as usize];
    assert_eq!((part(arrival.head), part(arrival.data)), (head.as_bytes(), &b"body"[..]));
    let token = part(arrival.token).to_vec();
    rig.session.settle(NOW, &mut rig.out, first, &token, &Verdict::Nack, None);
    assert_eq!(rig.written(), "");
    rig.session.settle(NOW, &mut rig.out, first, &token, &Verdict::Ack, None);
    assert_eq!(rig.written(), "PUB $memphis_pm_acks 30\r\n{\"id\":12,\"cg_name\":\"bil.ling\"}\r\n");
}

#[test]
fn what_is_only_told_is_not_waited_for() {
    let mut rig = Rig::up();
    rig.written();
    let request = |body: &[u8]| Request { to: "$memphis_nacked_dls".into(), body: body.to_vec(), head: 0, many: false };
    rig.session.request(NOW, &mut rig.out, WaitId(3), &request(b"{}"));
    assert_eq!(rig.written(), "PUB $memphis_nacked_dls 2\r\n{}\r\n");
    assert!(matches!(rig.outputs()[..], [Output::Replied(WaitId(3), Ok(_))]));
    // One that is too large would end the link.
    rig.session.request(NOW, &mut rig.out, WaitId(4), &request(&[b'x'; 1001]));
    assert_eq!(rig.written(), "");
    assert!(matches!(&rig.outputs()[..], [Output::Replied(WaitId(4), Err(error))] if error.kind == Kind::TooLarge));
}

#[test]
fn a_refusal_without_a_subject_is_a_remark() {
    let mut rig = Rig::up();
    rig.say(b"-ERR 'Permissions Violation - cant access the requested station, please contact your Memphis administrator'\r\n");
    let outputs = rig.outputs();
    assert!(
        matches!(&outputs[..], [Output::Remark(error)] if error.kind == Kind::PermissionDenied && error.server.is_some()),
        "{outputs:?}"
    );
    // Nor does it end the link that something of the broker's own may not be listened to.
    rig.say(
        b"-ERR 'Permissions Violation for Subscription to \"$memphis_dls_a.b\" using queue \"$memphis_dls_a.b\"'\r\n",
    );
    assert!(rig.outputs().is_empty());
}
