//! Ack time, nack, delay, more time, dead messages, late and repeated acks.

#![cfg(test)]

use super::*;
use crate::base::error::Kind;

#[test]
fn what_is_not_acked_in_time_comes_again_to_any_member() {
    let (mut rig, mut client, route, feed) = simple(&usual());
    let facts = rig.group("s", &named("g"));
    let mut other = rig.client();
    let others = other.feed(&rig, &facts);
    client.put_all(&rig, route, &["a", "b"]);
    let first = client.take(&rig, feed, 2);
    client.settle(&rig, &first[0], &Verdict::Ack);
    rig.pass(999);
    assert_eq!(other.take(&rig, others, 2), []);
    rig.pass(1);
    let again = other.take(&rig, others, 2);
    assert_eq!((again.len(), again[0].sequence, again[0].deliveries), (1, 2, 2));
}

#[test]
fn a_waiting_member_is_told_when_the_time_will_be_over() {
    let (mut rig, mut client, route, feed) = simple(&usual());
    client.put(&rig, route, "a");
    assert_eq!(client.session.deadline(), None, "nobody waits");
    client.take(&rig, feed, 1);
    client.ask(&rig, feed, 1, Wait::Standing);
    assert_eq!(client.session.deadline(), Some(Time(2000)));
    rig.pass(1000);
    let (got, said) = client.turn(&rig);
    assert_eq!((got.len(), got[0].deliveries), (1, 2));
    assert_eq!(said, [Said::Room(feed)]);
    assert_eq!(client.session.deadline(), None);
}

#[test]
fn in_progress_starts_the_time_again() {
    let (mut rig, mut client, route, feed) = simple(&usual());
    client.put(&rig, route, "a");
    let got = client.take(&rig, feed, 1);
    rig.pass(900);
    client.settle(&rig, &got[0], &Verdict::Extend(None));
    rig.pass(999);
    assert_eq!(client.take(&rig, feed, 1), []);
    rig.pass(1);
    let got = client.take(&rig, feed, 1);
    assert_eq!(got[0].deliveries, 2);
    client.settle(&rig, &got[0], &Verdict::Extend(Some(Millis(5000))));
    rig.pass(4999);
    assert_eq!(client.take(&rig, feed, 1), []);
    rig.pass(1);
    assert_eq!(client.take(&rig, feed, 1).len(), 1);
}

#[test]
fn in_progress_after_the_time_still_helps_while_nobody_else_has_it() {
    let (mut rig, mut client, route, feed) = simple(&usual());
    client.put(&rig, route, "a");
    let got = client.take(&rig, feed, 1);
    rig.pass(1500);
    assert_eq!(rig.position("g"), None, "brings the group up to date: the message is ready");
    client.settle(&rig, &got[0], &Verdict::Extend(None));
    assert_eq!(client.take(&rig, feed, 1), []);
    rig.pass(1000);
    assert_eq!(client.take(&rig, feed, 1)[0].deliveries, 2);
}

#[test]
fn a_nack_brings_it_again_at_once_and_in_front_of_new_ones() {
    let (rig, mut client, route, feed) = simple(&usual());
    client.put_all(&rig, route, &["a", "b", "c", "d"]);
    let got = client.take(&rig, feed, 3);
    client.settle(&rig, &got[2], &Verdict::Nack);
    client.settle(&rig, &got[0], &Verdict::Nack);
    let again = client.take(&rig, feed, 5);
    assert_eq!(sequences(&again), [1, 3, 4], "due at the same moment: in order");
    assert_eq!(again.iter().map(|got| got.deliveries).collect::<Vec<_>>(), [2, 2, 1]);
}

#[test]
fn a_nack_reaches_a_member_that_waits() {
    let (rig, mut client, route, feed) = simple(&usual());
    client.put(&rig, route, "a");
    let got = client.take(&rig, feed, 1);
    let facts = rig.group("s", &named("g"));
    let mut other = rig.client();
    let others = other.feed(&rig, &facts);
    other.ask(&rig, others, 1, Wait::Standing);
    assert_eq!(other.woken.get(), 0);
    client.settle(&rig, &got[0], &Verdict::Nack);
    assert_eq!(other.woken.get(), 1);
    assert_eq!(other.texts(&rig), ["a"]);
}

#[test]
fn a_delay_brings_it_again_but_not_before() {
    let (mut rig, mut client, route, feed) = simple(&usual());
    client.put_all(&rig, route, &["a", "b", "c"]);
    let got = client.take(&rig, feed, 3);
    client.settle(&rig, &got[0], &Verdict::Delay(Millis(700)));
    client.settle(&rig, &got[1], &Verdict::Delay(Millis(300)));
    client.settle(&rig, &got[2], &Verdict::Ack);
    client.ask(&rig, feed, 5, Wait::Standing);
    assert_eq!(client.session.deadline(), Some(Time(1300)));
    rig.pass(299);
    assert_eq!(client.texts(&rig), Vec::<String>::new());
    rig.pass(1);
    assert_eq!(client.texts(&rig), ["b"]);
    assert_eq!(client.session.deadline(), Some(Time(1700)));
    rig.pass(399);
    assert_eq!(client.texts(&rig), Vec::<String>::new());
    rig.pass(1);
    assert_eq!(client.texts(&rig), ["a"]);
}

#[test]
fn repeats_come_by_due_time_then_by_sequence() {
    let (mut rig, mut client, route, feed) = simple(&usual());
    client.put_all(&rig, route, &["a", "b", "c", "d"]);
    let got = client.take(&rig, feed, 4);
    client.settle(&rig, &got[0], &Verdict::Delay(Millis(50)));
    client.settle(&rig, &got[1], &Verdict::Delay(Millis(20)));
    client.settle(&rig, &got[3], &Verdict::Delay(Millis(20)));
    client.settle(&rig, &got[2], &Verdict::Delay(Millis(30)));
    rig.pass(60);
    assert_eq!(sequences(&client.take(&rig, feed, 4)), [2, 4, 3, 1]);
}

#[test]
fn after_the_last_delivery_the_group_never_sees_it_again() {
    for verdict in [None, Some(Verdict::Nack), Some(Verdict::Delay(Millis(10)))] {
        let (mut rig, mut client, route, feed) = simple(&usual());
        client.put_all(&rig, route, &["a", "b"]);
        for delivery in 1..=3 {
            let got = client.take(&rig, feed, 1);
            assert_eq!((got[0].sequence, got[0].deliveries), (1, delivery), "{verdict:?}");
            match &verdict {
                Some(verdict) => client.settle(&rig, &got[0], verdict),
                None => rig.pass(1000),
            }
            rig.pass(10);
        }
        assert_eq!(rig.position("g"), Some(1), "{verdict:?}");
        assert_eq!(sequences(&client.take(&rig, feed, 2)), [2], "{verdict:?}");
        assert_eq!(rig.messages(), 2, "it stays in the station");
    }
}

#[test]
fn a_buried_message_is_dead_at_once() {
    let (mut rig, mut client, route, feed) = simple(&usual());
    client.put(&rig, route, "a");
    let got = client.take(&rig, feed, 1);
    client.settle(&rig, &got[0], &Verdict::Bury("unreadable".into()));
    rig.pass(5000);
    assert_eq!(client.take(&rig, feed, 1), []);
    assert_eq!(rig.position("g"), Some(1));
}

#[test]
fn a_late_ack_settles() {
    let (mut rig, mut client, route, feed) = simple(&usual());
    client.put_all(&rig, route, &["a", "b"]);
    let got = client.take(&rig, feed, 2);
    rig.pass(1000);
    assert_eq!(client.confirm(&rig, &got[0], &Verdict::Ack), Ok(()));
    let again = client.take(&rig, feed, 2);
    assert_eq!(sequences(&again), [2], "acked before it went out again");
    client.settle(&rig, &got[1], &Verdict::Ack);
    assert_eq!(rig.position("g"), Some(2), "acked by the first delivery while the second is out");
    assert_eq!(client.confirm(&rig, &again[0], &Verdict::Ack), Ok(()), "the second one's ack does no harm");
    rig.pass(5000);
    assert_eq!(client.take(&rig, feed, 2), []);
}

#[test]
fn a_late_ack_leaves_the_count_of_what_is_out_right() {
    let (mut rig, mut client, route, feed) = simple(&usual());
    client.put_all(&rig, route, &["a", "b"]);
    let got = client.take(&rig, feed, 2);
    rig.pass(1000);
    let pending = |rig: &Rig| rig.ops.members(rig.now(), "s", "g").unwrap().pending;
    assert_eq!(pending(&rig), 0, "both times are over");
    client.settle(&rig, &got[0], &Verdict::Ack);
    assert_eq!(sequences(&client.take(&rig, feed, 2)), [2]);
    assert_eq!(pending(&rig), 1);
}

#[test]
fn a_late_nack_does_not_touch_what_somebody_else_has() {
    let (mut rig, mut client, route, feed) = simple(&usual());
    client.put(&rig, route, "a");
    let old = client.take(&rig, feed, 1);
    rig.pass(1000);
    assert_eq!(client.take(&rig, feed, 1)[0].deliveries, 2);
    for verdict in [Verdict::Nack, Verdict::Delay(Millis(1)), Verdict::Extend(Some(Millis(60_000)))] {
        client.settle(&rig, &old[0], &verdict);
        rig.pass(10);
        assert_eq!(client.take(&rig, feed, 1), [], "{verdict:?}");
    }
    rig.pass(970);
    assert_eq!(client.take(&rig, feed, 1)[0].deliveries, 3, "its own time counts");
}

#[test]
fn settling_twice_does_no_harm_and_is_confirmed() {
    let (mut rig, mut client, route, feed) = simple(&usual());
    client.put_all(&rig, route, &["a", "b"]);
    let got = client.take(&rig, feed, 2);
    for verdict in [
        Verdict::Ack,
        Verdict::Ack,
        Verdict::Nack,
        Verdict::Delay(Millis(5)),
        Verdict::Extend(None),
        Verdict::Bury("x".into()),
    ] {
        assert_eq!(client.confirm(&rig, &got[0], &verdict), Ok(()));
    }
    assert_eq!(rig.position("g"), Some(1));
    rig.pass(5000);
    assert_eq!(sequences(&client.take(&rig, feed, 5)), [2]);
}

#[test]
fn an_ack_that_fits_nothing_is_answered() {
    let (rig, mut client, route, feed) = simple(&usual());
    client.put(&rig, route, "a");
    let got = client.take(&rig, feed, 1);
    let broken = Got { token: vec![1, 2, 3], ..got[0].clone() };
    assert_eq!(client.confirm(&rig, &broken, &Verdict::Ack).unwrap_err().kind, Kind::Internal);
    assert!(rig.remove("s", "g", false));
    rig.group("s", &named("g"));
    assert_eq!(client.confirm(&rig, &got[0], &Verdict::Ack).unwrap_err().kind, Kind::NoSuchStation);
    assert_eq!(rig.position("g"), None, "a new group of the same name is another one");
    rig.ops.destroy("s").unwrap();
    assert_eq!(client.confirm(&rig, &got[0], &Verdict::Ack).unwrap_err().kind, Kind::NoSuchStation);
}

#[test]
fn auto_ack_means_delivered_is_done() {
    let rig = Rig::new();
    rig.station("s", &usual());
    let facts = rig.group("s", &GroupSpec { auto_ack: true, ..named("g") });
    assert!(facts.feeds[0].auto_ack);
    let mut client = rig.client();
    let (route, feed) = (client.route("s", 1), client.feed(&rig, &facts));
    client.put_all(&rig, route, &["a", "b", "c"]);
    let got = client.take(&rig, feed, 2);
    assert_eq!(rig.position("g"), Some(2));
    assert_eq!(client.confirm(&rig, &got[0], &Verdict::Nack), Ok(()), "there is nothing to settle");
    let mut rig = rig;
    rig.pass(60_000);
    assert_eq!(sequences(&client.take(&rig, feed, 5)), [3]);
}

#[test]
fn retention_takes_from_under_a_group() {
    let (mut rig, mut client, route, feed) = simple(&keeping(Retention::Messages(2)));
    client.put_all(&rig, route, &["a", "b"]);
    let got = client.take(&rig, feed, 2);
    client.put_all(&rig, route, &["c", "d", "e"]);
    client.settle(&rig, &got[0], &Verdict::Nack);
    rig.pass(1000);
    assert_eq!(rig.position("g"), Some(3), "what is gone is done with");
    assert_eq!(sequences(&client.take(&rig, feed, 5)), [4, 5]);
}
