//! Storing: sequences, receipts, the window of ids, retention, the broker's limit.

#![cfg(test)]

use super::*;
use crate::base::error::Kind;

#[test]
fn a_message_arrives_as_it_was_sent() {
    let (rig, mut client, route, feed) = simple(&usual());
    let draft = Draft {
        producer: "p",
        headers: &[("Kind", "order"), ("note", "hello")],
        msg_id: Some("a-1"),
        data: b"hello",
        times: Default::default(),
    };
    assert_eq!(client.send(&rig, route, &draft), Said::Stored(7, 1, false));
    let got = client.take(&rig, feed, 10);
    assert_eq!(got.len(), 1);
    assert_eq!((got[0].sequence, got[0].deliveries, got[0].text.as_str()), (1, 1, "hello"));
    assert_eq!(got[0].headers, [("Kind".into(), "order".into()), ("note".into(), "hello".into())]);
    assert_eq!(got[0].msg_id.as_deref(), Some("a-1"));
    assert_eq!(got[0].stamp, rig.now().wall);
    client.session.handle(rig.now(), Input::Tick, &mut client.out);
    assert!(client.session.own().is_empty(), "the buffer is good until the next call");
}

#[test]
fn sequences_rise_in_each_partition() {
    let rig = Rig::new();
    let facts = rig.station("s", &StationSpec { partitions: 3, ..usual() });
    assert_eq!(facts.places.iter().map(|place| place.partition).collect::<Vec<_>>(), [1, 2, 3]);
    let mut client = rig.client();
    let routes: Vec<_> = facts.places.iter().map(|place| client.session.open_route(place)).collect();
    for round in 1..=3 {
        for route in &routes {
            assert_eq!(client.put(&rig, *route, "x"), round);
        }
    }
    let report = rig.ops.report(rig.now(), "s").unwrap();
    assert_eq!((report.partitions, report.messages, report.bytes), (vec![1, 2, 3], 9, 9));
    assert_eq!((report.first, report.last), (None, None), "several partitions have no common sequence");
}

#[test]
fn an_id_is_stored_once_within_the_window() {
    let (mut rig, mut client, route, _) = simple(&StationSpec { window: Millis(500), ..usual() });
    assert_eq!(client.put_id(&rig, route, "a"), (1, false));
    assert_eq!(client.put_id(&rig, route, "b"), (2, false));
    rig.pass(499);
    assert_eq!(client.put_id(&rig, route, "a"), (1, true), "the repeat has the first one's sequence");
    assert_eq!(rig.messages(), 2);
    rig.pass(1);
    assert_eq!(client.put_id(&rig, route, "a"), (3, false), "the window counts from the first copy");
}

#[test]
fn an_id_is_remembered_though_its_message_is_gone() {
    let (rig, mut client, route, _) = simple(&keeping(Retention::Messages(1)));
    assert_eq!(client.put_id(&rig, route, "a"), (1, false));
    assert_eq!(client.put_id(&rig, route, "b"), (2, false));
    assert_eq!(client.put_id(&rig, route, "a"), (1, true));
}

#[test]
fn an_id_counts_in_its_partition_only() {
    let rig = Rig::new();
    rig.station("s", &StationSpec { partitions: 2, ..usual() });
    let mut client = rig.client();
    let (one, two) = (client.route("s", 1), client.route("s", 2));
    assert_eq!(client.put_id(&rig, one, "a"), (1, false));
    assert_eq!(client.put_id(&rig, two, "a"), (1, false));
}

#[test]
fn without_a_window_no_id_is_remembered() {
    let (rig, mut client, route, _) = simple(&StationSpec { window: Millis(0), ..usual() });
    assert_eq!(client.put_id(&rig, route, "a"), (1, false));
    assert_eq!(client.put_id(&rig, route, "a"), (2, false));
}

#[test]
fn age_removes_the_oldest() {
    let (mut rig, mut client, route, feed) = simple(&keeping(Retention::Age(10)));
    client.put(&rig, route, "old");
    rig.pass(5000);
    client.put(&rig, route, "new");
    rig.pass(4999);
    assert_eq!(rig.messages(), 2);
    rig.pass(1);
    let report = rig.ops.report(rig.now(), "s").unwrap();
    assert_eq!((report.messages, report.bytes, report.first, report.last), (1, 3, Some(2), Some(2)));
    assert_eq!(sequences(&client.take(&rig, feed, 10)), [2]);
    rig.pass(5000);
    let report = rig.ops.report(rig.now(), "s").unwrap();
    assert_eq!((report.messages, report.first, report.last), (0, None, Some(2)));
    assert_eq!(client.put(&rig, route, "next"), 3, "a sequence is never given twice");
}

#[test]
fn numbers_and_bytes_are_limited_in_each_partition() {
    for (retention, left) in [(Retention::Messages(3), 3), (Retention::Bytes(10), 2)] {
        let rig = Rig::new();
        rig.station("s", &StationSpec { partitions: 2, ..keeping(retention) });
        let mut client = rig.client();
        let (one, two) = (client.route("s", 1), client.route("s", 2));
        for _ in 0..5 {
            client.put(&rig, one, "12345");
        }
        client.put(&rig, two, "12345");
        let facts = rig.group("s", &named("g"));
        let feed = client.feed(&rig, &facts);
        assert_eq!(client.take(&rig, feed, 10).len(), left, "{retention:?}");
        assert_eq!(rig.messages(), left as u64 + 1);
    }
}

#[test]
fn a_message_larger_than_the_byte_limit_goes_at_once() {
    let (rig, mut client, route, feed) = simple(&keeping(Retention::Bytes(3)));
    assert_eq!(client.put(&rig, route, "1234"), 1);
    assert_eq!((client.take(&rig, feed, 1).len(), rig.messages()), (0, 0));
    assert_eq!(client.put(&rig, route, "123"), 2);
    assert_eq!(sequences(&client.take(&rig, feed, 1)), [2]);
}

#[test]
fn ack_based_without_a_group_keeps_nothing_but_counts() {
    let rig = Rig::new();
    rig.station("s", &keeping(Retention::Acked));
    let mut client = rig.client();
    let route = client.route("s", 1);
    assert_eq!(client.put_id(&rig, route, "a"), (1, false));
    assert_eq!(client.put_id(&rig, route, "a"), (1, true));
    assert_eq!(client.put(&rig, route, "b"), 2);
    assert_eq!(rig.messages(), 0);
    let facts = rig.group("s", &named("g"));
    let feed = client.feed(&rig, &facts);
    assert_eq!(client.put(&rig, route, "c"), 3);
    assert_eq!(rig.messages(), 1);
    assert_eq!(sequences(&client.take(&rig, feed, 10)), [3]);
}

#[test]
fn ack_based_goes_when_every_group_is_done() {
    let (rig, mut client, route, feed) = simple(&keeping(Retention::Acked));
    let second = rig.group("s", &named("h"));
    let other = client.feed(&rig, &second);
    client.put_all(&rig, route, &["a", "b", "c"]);
    let first = client.take(&rig, feed, 3);
    let again = client.take(&rig, other, 3);
    for got in &first {
        client.settle(&rig, got, &Verdict::Ack);
    }
    assert_eq!(rig.messages(), 3, "the other group has not answered");
    let used = rig.store.borrow().used.get();
    client.settle(&rig, &again[1], &Verdict::Ack);
    assert_eq!(rig.store.borrow().used.get(), used - 1, "its byte is free at once");
    assert_eq!(rig.messages(), 2, "one in the middle may go first");
    client.settle(&rig, &again[0], &Verdict::Bury("broken".into()));
    let report = rig.ops.report(rig.now(), "s").unwrap();
    assert_eq!((report.messages, report.bytes, report.first), (1, 1, Some(3)));
    client.settle(&rig, &again[2], &Verdict::Nack);
    assert_eq!(rig.messages(), 1, "a nack is no end");
    assert!(rig.remove("s", "h", false));
    assert_eq!(rig.messages(), 0, "nobody is left who needs it");
}

#[test]
fn ack_based_goes_with_the_last_delivery_and_with_auto_ack() {
    let (mut rig, mut client, route, feed) = simple(&keeping(Retention::Acked));
    client.put(&rig, route, "a");
    for delivery in 1..=3 {
        assert_eq!(client.take(&rig, feed, 1)[0].deliveries, delivery);
        assert_eq!(rig.messages(), 1);
        rig.pass(1000);
    }
    assert_eq!(rig.messages(), 0);

    let rig = Rig::new();
    rig.station("s", &keeping(Retention::Acked));
    let facts = rig.group("s", &GroupSpec { auto_ack: true, ..named("g") });
    let mut client = rig.client();
    let (route, feed) = (client.route("s", 1), client.feed(&rig, &facts));
    client.put(&rig, route, "a");
    assert_eq!(rig.messages(), 1);
    assert_eq!(client.take(&rig, feed, 1).len(), 1);
    assert_eq!(rig.messages(), 0);
}

#[test]
fn a_full_broker_refuses_until_something_goes() {
    let (mut rig, mut client, route, _) = simple(&StationSpec { window: Millis(1000), ..keeping(Retention::Age(10)) });
    rig.store.borrow_mut().limit = 1000;
    let draft = Draft { producer: "p", headers: &[], msg_id: None, data: &[0; 300], times: Default::default() };
    let mut stored = 0;
    let error = loop {
        match client.send(&rig, route, &draft) {
            Said::Stored(..) => stored += 1,
            Said::Refused(7, error) => break error,
            other => panic!("{other:?}"),
        }
    };
    assert_eq!(stored, 2);
    assert_eq!((error.kind, error.retryable), (Kind::Rejected, true));
    assert!(error.hint.is_some());
    assert_eq!(rig.messages(), 2, "what was refused is not stored");
    rig.pass(10_000);
    assert_eq!(client.send(&rig, route, &draft), Said::Stored(7, 3, false));
    rig.ops.destroy("s").unwrap();
    assert_eq!(rig.store.borrow().used.get(), 0, "the sum falls back to nothing");
}

#[test]
fn empty_messages_and_ids_count_towards_the_limit() {
    let (rig, mut client, route, _) = simple(&usual());
    rig.store.borrow_mut().limit = 10_000;
    let mut stored = 0;
    while let Said::Stored(..) = client.send(
        &rig,
        route,
        &Draft { producer: "p", headers: &[], msg_id: None, data: b"", times: Default::default() },
    ) {
        stored += 1;
        assert!(stored < 1000);
    }
    rig.ops.destroy("s").unwrap();
    assert_eq!(rig.store.borrow().used.get(), 0);

    rig.station("s", &keeping(Retention::Acked));
    let route = client.route("s", 1);
    client.drain();
    let mut ids = 0;
    while let Said::Stored(..) = client.send(
        &rig,
        route,
        &Draft { producer: "p", headers: &[], msg_id: Some(&ids.to_string()), data: b"", times: Default::default() },
    ) {
        ids += 1;
        assert!(ids < 1000);
    }
    assert!(ids > 10);
}

#[test]
fn forgetting_a_slot_takes_its_receipt_back() {
    let (rig, mut client, route, _) = simple(&usual());
    client.session.publish(rig.now(), &mut client.out, route, Slot(1), b"x", 0);
    client.session.publish(rig.now(), &mut client.out, route, Slot(2), b"y", 0);
    client.session.forget(Slot(1));
    assert_eq!(client.drain(), [Said::Stored(2, 2, false)]);
}
