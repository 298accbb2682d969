//! Where groups begin, who joins, who gets what, and when they go.

#![cfg(test)]

use super::*;
use crate::base::error::Kind;
use crate::base::limits;

fn begins(start: Start) -> Vec<u64> {
    let mut rig = Rig::new();
    rig.station("s", &keeping(Retention::Messages(4)));
    let mut client = rig.client();
    let route = client.route("s", 1);
    for _ in 0..6 {
        client.put(&rig, route, "x");
        rig.pass(1000);
    }
    let facts = rig.group("s", &GroupSpec { start, ..named("g") });
    let feed = client.feed(&rig, &facts);
    assert_eq!(rig.position("g"), None, "nothing yet");
    client.put_all(&rig, route, &["x", "x"]);
    sequences(&client.take(&rig, feed, 100))
}

#[test]
fn a_group_begins_where_it_is_told() {
    // Six were stored, 3 to 6 are left, then 7 and 8 come, which push out 3 and 4.
    let at = |seconds: u64| Wall(1_800_000_000_000_000_000 + (1000 + seconds * 1000) * 1_000_000);
    assert_eq!(begins(Start::First), [5, 6, 7, 8]);
    assert_eq!(begins(Start::Last), [6, 7, 8]);
    assert_eq!(begins(Start::Next), [7, 8]);
    assert_eq!(begins(Start::Sequence(0)), [5, 6, 7, 8]);
    assert_eq!(begins(Start::Sequence(1)), [5, 6, 7, 8], "the next one that exists");
    assert_eq!(begins(Start::Sequence(6)), [6, 7, 8]);
    assert_eq!(begins(Start::Sequence(8)), [8], "one that is still to come");
    assert_eq!(begins(Start::Sequence(9)), Vec::<u64>::new());
    assert_eq!(begins(Start::Time(at(0))), [5, 6, 7, 8]);
    assert_eq!(begins(Start::Time(at(5))), [6, 7, 8]);
    assert_eq!(begins(Start::Time(Wall(at(4).0 + 1))), [6, 7, 8]);
    assert_eq!(begins(Start::Time(at(60))), [7, 8]);
    assert_eq!(begins(Start::LastMessages(0)), [7, 8]);
    assert_eq!(begins(Start::LastMessages(1)), [6, 7, 8]);
    assert_eq!(begins(Start::LastMessages(2)), [5, 6, 7, 8]);
    assert_eq!(begins(Start::LastMessages(100)), [5, 6, 7, 8]);
}

#[test]
fn every_beginning_of_an_empty_station_is_its_first_message() {
    for start in
        [Start::First, Start::Last, Start::Next, Start::Sequence(1), Start::LastMessages(3), Start::Time(Wall(0))]
    {
        let rig = Rig::new();
        rig.station("s", &usual());
        let facts = rig.group("s", &GroupSpec { start, ..named("g") });
        let mut client = rig.client();
        let (route, feed) = (client.route("s", 1), client.feed(&rig, &facts));
        client.put(&rig, route, "a");
        assert_eq!(sequences(&client.take(&rig, feed, 5)), [1], "{start:?}");
    }
}

#[test]
fn the_last_messages_are_counted_in_each_partition() {
    let rig = Rig::new();
    let station = rig.station("s", &StationSpec { partitions: 2, ..usual() });
    let mut client = rig.client();
    for place in &station.places {
        let route = client.session.open_route(place);
        client.put_all(&rig, route, &["a", "b", "c"]);
    }
    let facts = rig.group("s", &GroupSpec { start: Start::LastMessages(2), ..named("g") });
    for spec in &facts.feeds {
        let feed = client.session.open_feed(rig.now(), &mut client.out, spec);
        assert_eq!(sequences(&client.take(&rig, feed, 5)), [2, 3]);
    }
}

#[test]
fn holes_of_an_ack_based_station_do_not_count_as_messages() {
    let (rig, mut client, route, feed) = simple(&keeping(Retention::Acked));
    client.put_all(&rig, route, &["a", "b", "c", "d"]);
    let got = client.take(&rig, feed, 4);
    client.settle(&rig, &got[1], &Verdict::Ack);
    client.settle(&rig, &got[2], &Verdict::Ack);
    for (start, expected) in [
        (Start::LastMessages(2), vec![1, 4]),
        (Start::Last, vec![4]),
        (Start::Sequence(2), vec![4]),
        (Start::First, vec![1, 4]),
    ] {
        let facts = rig.group("s", &GroupSpec { start, ..named("h") });
        let other = client.feed(&rig, &facts);
        assert_eq!(sequences(&client.take(&rig, other, 5)), expected, "{start:?}");
        client.session.close_feed(rig.now(), &mut client.out, other);
        assert!(rig.remove("s", "h", false));
    }
}

#[test]
fn groups_do_not_see_each_other() {
    let (rig, mut client, route, feed) = simple(&usual());
    let facts = rig.group("s", &named("h"));
    let other = client.feed(&rig, &facts);
    client.put_all(&rig, route, &["a", "b"]);
    let got = client.take(&rig, feed, 2);
    client.settle(&rig, &got[0], &Verdict::Ack);
    client.settle(&rig, &got[1], &Verdict::Ack);
    let got = client.take(&rig, other, 2);
    assert_eq!(got.iter().map(|got| got.deliveries).collect::<Vec<_>>(), [1, 1]);
    assert_eq!((rig.position("g"), rig.position("h")), (Some(2), None));
}

#[test]
fn a_later_member_joins_the_group_as_it_is() {
    let (rig, mut client, route, feed) = simple(&usual());
    client.put_all(&rig, route, &["a", "b"]);
    let got = client.take(&rig, feed, 1);
    client.settle(&rig, &got[0], &Verdict::Ack);
    let other = GroupSpec { start: Start::Sequence(1), ack_time: Millis(9), max_deliveries: 9, ..named("g") };
    let facts = rig.group("s", &other);
    assert_eq!((facts.ack_time, facts.max_deliveries, facts.feeds[0].ack_time), (Millis(1000), 3, Millis(1000)));
    assert!(facts.broker_buries);
    let second = client.feed(&rig, &facts);
    assert_eq!(sequences(&client.take(&rig, second, 5)), [2]);
}

#[test]
fn a_group_of_the_other_kind_cannot_be_joined() {
    for auto_ack in [true, false] {
        let rig = Rig::new();
        rig.station("s", &usual());
        rig.group("s", &GroupSpec { auto_ack, ..named("g") });
        let error = rig.ops.group(rig.now(), &at("s"), &GroupSpec { auto_ack: !auto_ack, ..named("g") }).unwrap_err();
        assert_eq!((error.kind, error.station.as_deref(), error.retryable), (Kind::AlreadyExists, Some("s"), false));
        assert!(error.hint.as_ref().is_some_and(|hint| hint.contains("autoAck")));
    }
}

#[test]
fn members_get_one_message_each_in_turn() {
    let (rig, mut one, route, first) = simple(&usual());
    let facts = rig.group("s", &named("g"));
    let mut two = rig.client();
    let second = two.feed(&rig, &facts);
    one.ask(&rig, first, 10, Wait::Standing);
    two.ask(&rig, second, 3, Wait::Standing);
    one.put_all(&rig, route, &["a", "b", "c", "d", "e", "f", "g", "h"]);
    assert_eq!(two.woken.get(), 1, "woken once until it looks");
    assert_eq!(one.texts(&rig), ["a", "c", "e", "g", "h"]);
    let (got, said) = two.turn(&rig);
    assert_eq!(sequences(&got), [2, 4, 6]);
    assert_eq!(said, [Said::Room(second)]);
    assert_eq!(two.woken.get(), 1);
    two.ask(&rig, second, 3, Wait::Standing);
    one.put(&rig, route, "i");
    assert!(two.woken.get() + one.woken.get() >= 2);
    let both = (two.texts(&rig), one.texts(&rig));
    assert!(both == (vec!["i".into()], vec![]) || both == (vec![], vec!["i".into()]), "{both:?}");
}

#[test]
fn position_is_the_end_of_what_is_done_without_a_gap() {
    let (rig, mut client, route, feed) = simple(&usual());
    client.put_all(&rig, route, &["a", "b", "c"]);
    assert_eq!(rig.position("g"), None);
    let got = client.take(&rig, feed, 3);
    assert_eq!(rig.position("g"), None);
    client.settle(&rig, &got[1], &Verdict::Ack);
    assert_eq!(rig.position("g"), None);
    client.settle(&rig, &got[0], &Verdict::Ack);
    assert_eq!(rig.position("g"), Some(2));
    client.settle(&rig, &got[2], &Verdict::Bury(String::new()));
    assert_eq!(rig.position("g"), Some(3));
    let error = rig.ops.position(rig.now(), "s", "g", 2).unwrap_err();
    assert_eq!(error.kind, Kind::InvalidArgument);
    assert_eq!(rig.ops.position(rig.now(), "s", "h", 1).unwrap_err().kind, Kind::NoSuchStation);
    assert_eq!(rig.ops.position(rig.now(), "t", "g", 1).unwrap_err().kind, Kind::NoSuchStation);
}

#[test]
fn closing_a_feed_gives_back_what_it_has_not_seen() {
    let (rig, mut client, route, feed) = simple(&usual());
    let facts = rig.group("s", &named("g"));
    let mut other = rig.client();
    let others = other.feed(&rig, &facts);
    client.put_all(&rig, route, &["a", "b", "c"]);
    client.ask(&rig, feed, 2, Wait::Standing);
    other.ask(&rig, others, 5, Wait::Standing);
    client.session.close_feed(rig.now(), &mut client.out, feed);
    assert_eq!(client.turn(&rig), (vec![], vec![]), "nothing reaches a closed feed");
    let (got, _) = other.turn(&rig);
    assert_eq!(sequences(&got), [3, 1, 2]);
    assert!(got.iter().all(|got| got.deliveries == 1), "what nobody saw does not count");
    assert_eq!(client.session.asked(feed), 0);
}

#[test]
fn a_connection_that_goes_gives_back_too() {
    let (rig, mut client, route, feed) = simple(&usual());
    let facts = rig.group("s", &named("g"));
    let mut other = rig.client();
    let others = other.feed(&rig, &facts);
    client.put_all(&rig, route, &["a", "b"]);
    client.ask(&rig, feed, 2, Wait::Standing);
    other.ask(&rig, others, 5, Wait::Standing);
    drop(client);
    assert!(other.woken.get() > 0);
    let (got, _) = other.turn(&rig);
    assert_eq!(got.iter().map(|got| (got.sequence, got.deliveries)).collect::<Vec<_>>(), [(1, 1), (2, 1)]);
    assert_eq!(rig.ops.members(rig.now(), "s", "g").unwrap().asking, 1);
}

#[test]
fn a_cut_link_gives_back_and_ends_the_asks() {
    let (rig, mut client, route, feed) = simple(&usual());
    client.put(&rig, route, "a");
    client.ask(&rig, feed, 1, Wait::No);
    client.ask(&rig, feed, 1, Wait::Standing);
    client.ask(&rig, feed, 1, Wait::For(Millis(100)));
    client.session.handle(rig.now(), Input::Closed, &mut client.out);
    assert_eq!(client.session.asked(feed), 0);
    let (got, said) = client.turn(&rig);
    assert_eq!(got, []);
    assert_eq!(said, [Said::Over(feed), Said::Room(feed), Said::Over(feed)]);
    assert_eq!(client.take(&rig, feed, 1)[0].deliveries, 1);
}

#[test]
fn a_group_is_removed_only_if_no_other_member_shows() {
    let (mut rig, mut client, route, feed) = simple(&usual());
    client.ask(&rig, feed, 2, Wait::Standing);
    assert!(!rig.remove("s", "g", true), "somebody asks");
    client.put_all(&rig, route, &["a", "b"]);
    let (got, _) = client.turn(&rig);
    client.settle(&rig, &got[0], &Verdict::Ack);
    let members = rig.ops.members(rig.now(), "s", "g").unwrap();
    assert_eq!((members.asking, members.pending), (0, 1));
    assert!(!rig.remove("s", "g", true), "a message is out");
    rig.pass(1000);
    assert!(rig.remove("s", "g", true), "its time is over");
    assert!(!rig.remove("s", "g", true), "it is gone");
    assert!(!rig.remove("t", "g", true));
    assert_eq!(rig.ops.report(rig.now(), "s").unwrap().groups, 0);
}

#[test]
fn what_was_withdrawn_unseen_does_not_keep_a_group() {
    let (rig, mut client, route, feed) = simple(&usual());
    client.put(&rig, route, "a");
    client.ask(&rig, feed, 2, Wait::Standing);
    client.session.withdraw(rig.now(), &mut client.out, feed);
    assert!(rig.remove("s", "g", true));
}

#[test]
fn given_back_messages_do_not_keep_a_group() {
    let (rig, mut client, route, feed) = simple(&usual());
    client.put(&rig, route, "a");
    let got = client.take(&rig, feed, 1);
    client.settle(&rig, &got[0], &Verdict::Nack);
    client.session.close_feed(rig.now(), &mut client.out, feed);
    assert!(rig.remove("s", "g", true));
}

#[test]
fn members_learn_that_their_group_is_gone() {
    let (rig, mut client, route, feed) = simple(&usual());
    let other = rig.group("s", &named("h"));
    let stays = client.feed(&rig, &other);
    client.ask(&rig, feed, 1, Wait::Standing);
    assert!(rig.remove("s", "g", false));
    assert_eq!(client.woken.get(), 1);
    let (_, said) = client.turn(&rig);
    let [Said::FeedLost(lost, error)] = said.as_slice() else { panic!("{said:?}") };
    assert_eq!((*lost, error.kind), (feed, Kind::NoSuchStation));
    assert!(error.hint.as_ref().is_some_and(|hint| hint.contains("group was removed")));
    assert_eq!(client.session.asked(feed), 0);
    client.ask(&rig, feed, 1, Wait::No);
    assert_eq!(client.turn(&rig), (vec![], vec![]), "it has been told");
    client.put(&rig, route, "a");
    assert_eq!(client.take(&rig, stays, 1).len(), 1);
    client.session.close_feed(rig.now(), &mut client.out, feed);
    let again = client.feed(&rig, &other);
    assert_ne!(again, stays);
}

#[test]
fn reading_a_group_that_is_not_there_says_so() {
    let (rig, mut client, _, _) = simple(&usual());
    let facts = rig.group("s", &named("h"));
    assert!(rig.remove("s", "h", false));
    let feed = client.feed(&rig, &facts);
    let (_, said) = client.turn(&rig);
    assert!(matches!(said.as_slice(), [Said::FeedLost(lost, _)] if *lost == feed), "{said:?}");
    let error = rig.ops.group(rig.now(), &at("t"), &named("g")).unwrap_err();
    assert_eq!((error.kind, error.station.as_deref()), (Kind::NoSuchStation, Some("t")));
}

#[test]
fn a_nameless_group_goes_some_minutes_after_its_last_feed() {
    let mut rig = Rig::new();
    rig.station("s", &keeping(Retention::Acked));
    let facts = rig.group("s", &GroupSpec { nameless: true, ..named("x1") });
    rig.group("s", &GroupSpec { nameless: true, ..named("x2") });
    rig.group("s", &named("stays"));
    assert!(rig.remove("s", "stays", false));
    let groups = |rig: &Rig| rig.ops.report(rig.now(), "s").unwrap().groups;
    let mut client = rig.client();
    let feed = client.feed(&rig, &facts);
    let route = client.route("s", 1);
    client.put(&rig, route, "a");
    rig.pass(limits::NAMELESS_GROUP.0);
    assert_eq!(groups(&rig), 1, "the one that nobody reads");
    rig.pass(limits::NAMELESS_GROUP.0 * 3);
    assert_eq!(groups(&rig), 1, "the other one is read");
    client.session.close_feed(rig.now(), &mut client.out, feed);
    rig.pass(limits::NAMELESS_GROUP.0 - 1);
    assert_eq!((groups(&rig), rig.messages()), (1, 1));
    rig.pass(1);
    assert_eq!((groups(&rig), rig.messages()), (0, 0), "with what only it needed");
    rig.group("s", &named("named"));
    rig.pass(limits::NAMELESS_GROUP.0 * 3);
    assert_eq!(groups(&rig), 1, "a named one stays");
}

#[test]
fn a_nameless_group_goes_after_its_connection_was_dropped_without_a_word() {
    let mut rig = Rig::new();
    rig.station("s", &usual());
    let facts = rig.group("s", &GroupSpec { nameless: true, ..named("x") });
    let mut client = rig.client();
    client.feed(&rig, &facts);
    rig.pass(limits::NAMELESS_GROUP.0 * 2);
    drop(client);
    assert_eq!(rig.ops.report(rig.now(), "s").unwrap().groups, 1, "its minutes begin when it is noticed");
    rig.pass(limits::NAMELESS_GROUP.0);
    assert_eq!(rig.ops.report(rig.now(), "s").unwrap().groups, 0);
}
