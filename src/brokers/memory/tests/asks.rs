//! Asking: how long, how many, how large, and what is told when an ask ends.

#![cfg(test)]

use super::*;

#[test]
fn no_wait_brings_what_is_there_and_ends() {
    let (rig, mut client, route, feed) = simple(&usual());
    assert_eq!(client.take(&rig, feed, 5), []);
    client.put_all(&rig, route, &["a", "b"]);
    client.ask(&rig, feed, 5, Wait::No);
    assert_eq!(client.session.asked(feed), 2, "what lies in the inbox has not come yet");
    let (got, said) = client.turn(&rig);
    assert_eq!((sequences(&got), said), (vec![1, 2], vec![Said::Over(feed)]));
    assert_eq!(client.session.asked(feed), 0);
    client.ask(&rig, feed, 0, Wait::No);
    assert_eq!(client.turn(&rig).1, [Said::Over(feed)], "an ask for nothing ends too");
}

#[test]
fn an_ask_that_is_served_is_over_once() {
    let (rig, mut client, route, feed) = simple(&usual());
    client.put_all(&rig, route, &["a", "b", "c"]);
    client.ask(&rig, feed, 2, Wait::No);
    let (got, said) = client.turn(&rig);
    assert_eq!((got.len(), said), (2, vec![Said::Over(feed)]));
    client.ask(&rig, feed, 1, Wait::For(Millis(50)));
    let (got, said) = client.turn(&rig);
    assert_eq!((got.len(), said), (1, vec![Said::Over(feed)]));
    assert_eq!(client.turn(&rig), (vec![], vec![]));
}

#[test]
fn a_timed_ask_ends_when_its_time_is_over() {
    let (mut rig, mut client, route, feed) = simple(&usual());
    client.ask(&rig, feed, 3, Wait::For(Millis(200)));
    assert_eq!(client.session.deadline(), Some(Time(1200)));
    client.put(&rig, route, "a");
    assert_eq!(client.texts(&rig), ["a"]);
    assert_eq!(client.session.asked(feed), 2);
    rig.pass(199);
    assert_eq!(client.turn(&rig), (vec![], vec![]));
    rig.pass(1);
    assert_eq!(client.turn(&rig), (vec![], vec![Said::Over(feed)]));
    assert_eq!((client.session.asked(feed), client.session.deadline()), (0, None));
    client.put(&rig, route, "b");
    assert_eq!(client.turn(&rig), (vec![], vec![]), "nobody has asked for it");
}

#[test]
fn the_end_of_one_ask_does_not_hide_that_of_another() {
    let (mut rig, mut client, _, feed) = simple(&usual());
    let facts = rig.group("s", &named("h"));
    let other = client.feed(&rig, &facts);
    client.ask(&rig, feed, 1, Wait::For(Millis(100)));
    client.ask(&rig, other, 1, Wait::For(Millis(300)));
    rig.pass(100);
    assert_eq!(client.turn(&rig).1, [Said::Over(feed)]);
    assert_eq!(client.session.deadline(), Some(Time(1300)));
    rig.pass(200);
    assert_eq!(client.turn(&rig).1, [Said::Over(other)]);
}

#[test]
fn what_is_due_at_the_last_moment_still_comes() {
    let (mut rig, mut client, route, feed) = simple(&usual());
    client.put(&rig, route, "a");
    client.take(&rig, feed, 1);
    client.ask(&rig, feed, 3, Wait::For(Millis(1000)));
    rig.pass(1000);
    let (got, said) = client.turn(&rig);
    assert_eq!((got.len(), said), (1, vec![Said::Over(feed)]));
}

#[test]
fn a_standing_ask_stays_until_served() {
    let (mut rig, mut client, route, feed) = simple(&usual());
    client.ask(&rig, feed, 2, Wait::Standing);
    rig.pass(3_600_000);
    assert_eq!(client.turn(&rig), (vec![], vec![]));
    client.put(&rig, route, "a");
    assert_eq!(client.woken.get(), 1);
    assert_eq!(client.turn(&rig).1, []);
    client.put(&rig, route, "b");
    let (got, said) = client.turn(&rig);
    assert_eq!((got[0].text.as_str(), said), ("b", vec![Said::Room(feed)]));
}

#[test]
fn asks_add_up() {
    let (rig, mut client, route, feed) = simple(&usual());
    client.ask(&rig, feed, 2, Wait::Standing);
    client.ask(&rig, feed, 3, Wait::Standing);
    assert_eq!(client.session.asked(feed), 5);
    client.put_all(&rig, route, &["a", "b", "c", "d", "e", "f"]);
    assert_eq!(client.session.asked(feed), 5);
    let (got, said) = client.turn(&rig);
    assert_eq!((got.len(), said), (5, vec![Said::Room(feed), Said::Room(feed)]));
    assert_eq!(client.session.asked(feed), 0);
}

#[test]
fn bytes_end_an_ask_before_its_number_does() {
    let (rig, mut client, route, feed) = simple(&usual());
    client.put_all(&rig, route, &["12345", "12345", "12345"]);
    client.session.ask(rig.now(), &mut client.out, feed, Ask { messages: 9, bytes: 12, wait: Wait::Standing });
    let (got, said) = client.turn(&rig);
    assert_eq!((got.len(), said), (2, vec![Said::Room(feed)]));
    assert_eq!(client.session.asked(feed), 0);
    client.session.ask(rig.now(), &mut client.out, feed, Ask { messages: 9, bytes: 3, wait: Wait::For(Millis(10)) });
    let (got, _) = client.turn(&rig);
    assert_eq!(got.len(), 1, "one that would never fit comes alone");
    client.put(&rig, route, "1");
    assert_eq!(client.turn(&rig), (vec![], vec![Said::Over(feed)]));
}

#[test]
fn withdrawing_forgets_the_asks_and_what_was_ready_for_them() {
    let (mut rig, mut client, route, feed) = simple(&usual());
    client.put(&rig, route, "a");
    client.ask(&rig, feed, 2, Wait::No);
    client.ask(&rig, feed, 2, Wait::For(Millis(100)));
    client.ask(&rig, feed, 2, Wait::Standing);
    client.session.withdraw(rig.now(), &mut client.out, feed);
    assert_eq!(client.session.asked(feed), 0);
    client.put(&rig, route, "b");
    rig.pass(100);
    assert_eq!(client.turn(&rig), (vec![], vec![]), "no end of an ask that nobody waits for");
    let got = client.take(&rig, feed, 2);
    assert_eq!(got.iter().map(|got| (got.sequence, got.deliveries)).collect::<Vec<_>>(), [(1, 1), (2, 1)]);
}

#[test]
fn withdrawing_passes_on_to_another_member() {
    let (rig, mut client, route, feed) = simple(&usual());
    let facts = rig.group("s", &named("g"));
    let mut other = rig.client();
    let others = other.feed(&rig, &facts);
    client.put(&rig, route, "a");
    client.ask(&rig, feed, 1, Wait::Standing);
    other.ask(&rig, others, 1, Wait::Standing);
    client.session.withdraw(rig.now(), &mut client.out, feed);
    assert_eq!((other.woken.get(), other.texts(&rig)), (1, vec!["a".to_string()]));
    assert_eq!(client.turn(&rig), (vec![], vec![]));
}

#[test]
fn withdrawing_leaves_what_is_done_by_being_delivered() {
    let rig = Rig::new();
    rig.station("s", &usual());
    let facts = rig.group("s", &GroupSpec { auto_ack: true, ..named("g") });
    let mut client = rig.client();
    let (route, feed) = (client.route("s", 1), client.feed(&rig, &facts));
    client.put(&rig, route, "a");
    client.ask(&rig, feed, 2, Wait::No);
    client.session.withdraw(rig.now(), &mut client.out, feed);
    assert_eq!(client.session.asked(feed), 1);
    let (got, said) = client.turn(&rig);
    assert_eq!((sequences(&got), said), (vec![1], vec![]));
}

#[test]
fn a_large_delivery_is_spread_over_turns() {
    let (rig, mut client, route, feed) = simple(&usual());
    let large = "x".repeat(1024 * 1024);
    for _ in 0..10 {
        client.put(&rig, route, &large);
    }
    client.ask(&rig, feed, 10, Wait::Standing);
    let mut turns = 0;
    let mut seen = Vec::new();
    while seen.len() < 10 {
        let woken = client.woken.get();
        let (got, _) = client.turn(&rig);
        assert!(!got.is_empty() && got.len() < 10);
        seen.extend(sequences(&got));
        turns += 1;
        assert!(seen.len() == 10 || client.woken.get() > woken, "there is more: it must be told");
    }
    assert!(turns > 1);
    assert_eq!(seen, (1..=10).collect::<Vec<_>>());
}

#[test]
fn an_idle_turn_wakes_nobody() {
    let (rig, mut client, route, feed) = simple(&usual());
    client.put(&rig, route, "a");
    client.take(&rig, feed, 1);
    let woken = client.woken.get();
    for _ in 0..3 {
        assert_eq!(client.turn(&rig), (vec![], vec![]));
    }
    assert_eq!(client.woken.get(), woken);
}
