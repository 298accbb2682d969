//! Making, finding, describing and destroying stations.

#![cfg(test)]

use super::*;
use crate::base::error::Kind;
use crate::base::value::Value;

#[test]
fn an_existing_station_is_left_as_it_is() {
    let rig = Rig::new();
    let facts = rig.station("s", &usual());
    assert!(!facts.existed && facts.differs.is_empty());
    assert_eq!((facts.name.as_str(), facts.window), ("s", Millis(120_000)));
    let other = StationSpec {
        retention: Retention::Messages(5),
        window: Millis(1),
        partitions: 4,
        replicas: 3,
        given: vec!["retentionType", "retentionValue", "partitionsNumber", "storageType"],
        ..usual()
    };
    let facts = rig.station("s", &other);
    assert!(facts.existed);
    assert_eq!(
        facts.differs,
        ["retentionType", "retentionValue", "partitionsNumber"],
        "only what was given can differ"
    );
    assert_eq!((facts.places.len(), facts.window), (1, Millis(120_000)));
    let report = rig.ops.report(rig.now(), "s").unwrap();
    assert_eq!(report.options, usual());
    let same = StationSpec { given: vec!["retentionType", "retentionValue", "idempotencyWindowMs"], ..usual() };
    assert_eq!(rig.station("s", &same).differs, Vec::<&str>::new());
}

#[test]
fn the_value_of_a_retention_without_one_does_not_differ() {
    let rig = Rig::new();
    rig.station("s", &keeping(Retention::Acked));
    let asked = StationSpec { given: vec!["retentionType", "retentionValue"], ..usual() };
    assert_eq!(rig.station("s", &asked).differs, ["retentionType"]);
}

#[test]
fn a_station_for_dead_letters_comes_along() {
    let rig = Rig::new();
    rig.station("s", &StationSpec { dls_station: "dead".into(), partitions: 3, ..usual() });
    let dead = rig.ops.find("dead").unwrap().unwrap();
    assert_eq!((dead.places.len(), dead.existed), (1, true));
    assert!(rig.ops.find("other").unwrap().is_none());
}

#[test]
fn impossible_stations_are_refused_with_a_hint() {
    let rig = Rig::new();
    for (spec, kind) in [
        (StationSpec { partitions: 0, ..usual() }, Kind::InvalidArgument),
        (StationSpec { partitions: 65, ..usual() }, Kind::InvalidArgument),
        (StationSpec { schema: "x".into(), ..usual() }, Kind::Rejected),
        (StationSpec { extra: vec![("max_age".into(), Value::Whole(1))], ..usual() }, Kind::NotSupported),
    ] {
        let error = rig.ops.station(rig.now(), "s", &spec).unwrap_err();
        assert_eq!((error.kind, error.station.as_deref()), (kind, Some("s")));
        assert!(error.hint.is_some());
        assert!(rig.ops.find("s").unwrap().is_none());
    }
}

#[test]
fn destroying_ends_producers_and_consumers_everywhere() {
    let (rig, mut client, route, feed) = simple(&usual());
    let facts = rig.group("s", &named("g"));
    let mut other = rig.client();
    let (far_route, far_feed) = (other.route("s", 1), other.feed(&rig, &facts));
    rig.station("t", &usual());
    let stays = other.route("t", 1);
    client.put(&rig, route, "a");
    rig.ops.destroy("s").unwrap();
    for (client, route, feed) in [(&mut client, route, feed), (&mut other, far_route, far_feed)] {
        assert_eq!(client.woken.get(), 1);
        let (got, said) = client.turn(&rig);
        assert_eq!(got, []);
        let [Said::FeedLost(lost, error), Said::RouteLost(gone, same)] = said.as_slice() else { panic!("{said:?}") };
        assert_eq!((*lost, *gone), (feed, route));
        for error in [error, same] {
            assert_eq!(
                (error.kind, error.station.as_deref(), error.retryable),
                (Kind::NoSuchStation, Some("s"), false)
            );
        }
    }
    assert_eq!(rig.ops.destroy("s").unwrap_err().kind, Kind::NoSuchStation);
    assert_eq!(rig.ops.report(rig.now(), "s").unwrap_err().kind, Kind::NoSuchStation);
    other.put(&rig, stays, "x");
}

#[test]
fn an_old_route_does_not_reach_a_new_station_of_the_same_name() {
    let (rig, mut client, route, feed) = simple(&usual());
    rig.ops.destroy("s").unwrap();
    rig.station("s", &usual());
    client.turn(&rig);
    let Said::RouteLost(lost, error) = client.send(
        &rig,
        route,
        &Draft { producer: "p", headers: &[], msg_id: None, data: b"x", times: Default::default() },
    ) else {
        panic!("stored in a station that its producer does not know")
    };
    assert_eq!((lost, error.kind, error.station.as_deref()), (route, Kind::NoSuchStation, Some("s")));
    assert_eq!(rig.messages(), 0);
    client.ask(&rig, feed, 1, Wait::Standing);
    assert_eq!(client.session.asked(feed), 0);
    client.session.close_route(route);
    client.session.close_feed(rig.now(), &mut client.out, feed);
    let route = client.route("s", 1);
    assert_eq!(client.put(&rig, route, "x"), 1);
}

#[test]
fn a_route_to_what_is_not_there_leads_nowhere() {
    let (rig, mut client, _, _) = simple(&usual());
    for place in [place("t", 1), place("s", 2), place("s", 0)] {
        let route = client.session.open_route(&place);
        let said = client.send(
            &rig,
            route,
            &Draft { producer: "p", headers: &[], msg_id: None, data: b"x", times: Default::default() },
        );
        assert!(matches!(said, Said::RouteLost(lost, _) if lost == route), "{place:?}: {said:?}");
    }
}

#[test]
fn a_closed_route_is_not_told_that_its_station_is_gone() {
    let (rig, mut client, route, feed) = simple(&usual());
    client.session.close_feed(rig.now(), &mut client.out, feed);
    rig.ops.destroy("s").unwrap();
    client.session.close_route(route);
    assert_eq!(client.turn(&rig), (vec![], vec![]));
}

#[test]
fn a_report_tells_what_there_is() {
    let (rig, mut client, route, _) = simple(&usual());
    let report = rig.ops.report(rig.now(), "s").unwrap();
    assert_eq!((report.messages, report.bytes, report.first, report.last, report.groups), (0, 0, None, None, 1));
    assert_eq!(report.created, Some(rig.now().wall));
    client.put_all(&rig, route, &["a", "bb", "ccc"]);
    let report = rig.ops.report(rig.now(), "s").unwrap();
    assert_eq!((report.messages, report.bytes, report.first, report.last), (3, 6, Some(1), Some(3)));
}

#[test]
fn brokers_of_other_names_are_other_brokers() {
    let rig = Rig::new();
    let (one, same, two) = (Ops::new("test-one"), Ops::new("test-one"), Ops::new("test-two"));
    one.station(rig.now(), "s", &usual()).unwrap();
    assert!(same.find("s").unwrap().is_some());
    assert!(two.find("s").unwrap().is_none());
    let session = MemorySession::new("test-one", Rc::new(|| {}));
    assert_eq!(session.deadline(), None);
    assert_eq!((session.server().product, session.server().max_payload), ("memory", Some(1024 * 1024)));
}

#[test]
fn what_is_not_offered_has_a_reason() {
    let lacks = crate::brokers::Kind::Memory.lacks(&Default::default());
    for lack in &lacks {
        assert!(!lack.why.is_empty(), "{}", lack.feature);
    }
    for offered in [
        "partitions",
        "groups",
        "ack",
        "nack",
        "delay",
        "in_progress",
        "msg_id",
        "destroy",
        "info",
        "storage_type",
        "replicas",
    ] {
        assert!(lacks.iter().all(|lack| lack.feature != offered), "{offered}");
    }
}
