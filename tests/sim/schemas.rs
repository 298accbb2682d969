//! What a station's messages have to fit, from the broker to the application's side: producers wait for it, consumers only
//! for a while, and after any changes by anybody each connection has bound what counts.

use crate::app::{App, Outcome, json_reader};
use serde_json::json;
use stationmaster::base::error::Kind;
use stationmaster::base::time::Millis;
use stationmaster::brokers::terms::Schema;
use stationmaster::client::producer::Message;
use stationmaster::client::turn::{Binding, CallId};
use stationmaster::runtime::sim::{Random, World};
use std::collections::BTreeMap;

fn schema(name: &str, definition: &str) -> Schema {
    Schema { name: name.into(), kind: "json".into(), version: 0, definition: definition.into(), message: String::new() }
}

fn message(data: &str) -> Message<'_> {
    Message {
        times: Default::default(),
        headers: &[("a", "b")],
        msg_id: None,
        key: None,
        partition: None,
        data: data.as_bytes(),
        ack_wait: Millis(60_000),
        limit: 500,
        wants_receipt: true,
    }
}

struct Stage {
    world: World,
    url: String,
}

impl Stage {
    fn new(name: &str) -> Stage {
        Stage { world: World::new(7, json_reader()), url: format!("memory:schemas-{name}") }
    }

    fn connect(&self) -> App {
        let app = App::connect(&self.world, json!({ "broker": "memory", "url": self.url }));
        assert!(self.world.wait(Millis(100), || app.log.borrow().connected == 1), "not connected");
        app
    }

    fn create(&self, app: &App, name: &str, definition: &str) {
        let (driver, schema) = (app.driver.clone(), schema(name, definition));
        self.world.run(Millis(30_000), async move { driver.create_schema(&schema).await }).expect("no end").unwrap();
    }

    fn station(&self, app: &App, name: &str, schema: &str) {
        let ops = app.driver.ops().unwrap();
        let options = serde_json::from_value(json!({ "schemaName": schema })).unwrap();
        let spec = stationmaster::client::options::station(&options, app.driver.broker()).unwrap();
        let name = name.to_string();
        self.world.run(Millis(100), async move { ops.station(&name, &spec).await }).expect("no end").unwrap();
    }

    /// The oldest binding that waits.
    fn binding(&self, app: &App) -> Binding {
        assert!(self.world.wait(Millis(100), || !app.log.borrow().bindings.is_empty()), "nothing to bind");
        app.log.borrow_mut().bindings.remove(0)
    }
}

fn outcomes(app: &App) -> Vec<Result<u64, Kind>> {
    let outcome = |outcome: &Option<Outcome>| match outcome.as_ref()? {
        Outcome::Stored { sequence, .. } => Some(Ok(*sequence)),
        Outcome::Failed(error) => Some(Err(error.kind)),
    };
    app.log.borrow().sent.iter().filter_map(|sent| outcome(&sent.outcome)).collect()
}

#[test]
fn calls_wait_until_they_are_checked() {
    let stage = Stage::new("waiting");
    let app = stage.connect();
    stage.create(&app, "person", "{}");
    stage.station(&app, "s", "person");
    let producer = app.producer("s", false);
    for data in ["one", "two", "three"] {
        app.produce(producer, &message(data), None);
    }
    let binding = stage.binding(&app);
    assert_eq!((binding.station.as_str(), binding.name.as_str()), ("s", "person"));
    assert_eq!(binding.schema.as_ref().map(|schema| schema.version), Some(1));
    stage.world.run_for(Millis(5_000));
    assert_eq!(outcomes(&app), [], "nothing is sent before the application has answered");
    let calls = app.call(|core, _| core.producers.unchecked(producer));
    assert_eq!(calls.len(), 3);
    app.call(|core, now| {
        let (producers, _, _, mut ctx) = core.parts(now);
        assert_eq!(producers.payload(calls[0]), Some(b"one".as_slice()));
        assert!(producers.head(calls[0]).is_some_and(|head| !head.is_empty()));
        let error = stationmaster::base::error::Error::new(Kind::SchemaViolation, "no");
        producers.fail(&mut ctx, calls[1], error);
        assert_eq!(producers.recode(calls[2], &[b'x'; 2000], Some(100)).unwrap_err().kind, Kind::TooLarge);
        producers.recode(calls[2], b"another", Some(1000)).unwrap();
        assert_eq!(producers.payload(calls[2]), Some(b"another".as_slice()));
        assert_eq!(producers.payload(CallId(99)), None);
    });
    app.driver.bound(binding.ticket.0, String::new());
    assert!(stage.world.wait(Millis(100), || outcomes(&app).len() == 3));
    assert_eq!(outcomes(&app), [Ok(1), Err(Kind::SchemaViolation), Ok(2)]);
    assert!(app.call(|core, _| core.producers.unchecked(producer)).is_empty());
    assert_eq!(app.pending(), (0, 0), "the bytes of what was changed are counted right");
}

#[test]
fn without_an_answer_a_producer_ends_and_a_consumer_begins() {
    let stage = Stage::new("silence");
    let app = stage.connect();
    stage.create(&app, "person", "{}");
    stage.station(&app, "s", "person");
    let producer = app.producer("s", false);
    app.produce(producer, &message("one"), None);
    let consumer = app.consumer("s", json!({}));
    let opened = app.when_open(consumer);
    stage.world.run_for(Millis(9_000));
    assert_eq!((outcomes(&app).len(), app.log.borrow().ended(opened)), (0, None));
    stage.world.run_for(Millis(2_000));
    assert_eq!(outcomes(&app), [Err(Kind::SchemaViolation)], "not sent unchecked");
    assert_eq!(app.log.borrow().ended(opened), Some(true));
}

#[test]
fn an_application_that_cannot_bind_says_why() {
    let stage = Stage::new("failure");
    let app = stage.connect();
    stage.create(&app, "person", "{}");
    stage.station(&app, "s", "person");
    let producer = app.producer("s", false);
    app.produce(producer, &message("one"), None);
    let binding = stage.binding(&app);
    app.driver.bound(binding.ticket.0, "no engine".into());
    assert!(stage.world.wait(Millis(100), || outcomes(&app).len() == 1));
    let log = app.log.borrow();
    let Some(Outcome::Failed(error)) = &log.sent[0].outcome else { panic!("stored") };
    assert_eq!((error.kind, error.retryable, error.station.as_deref()), (Kind::SchemaViolation, true, Some("s")));
}

#[test]
fn an_engine_that_cannot_be_had_is_asked_for_every_few_seconds_at_most() {
    let stage = Stage::new("again");
    let app = stage.connect();
    stage.create(&app, "person", "{}");
    stage.station(&app, "s", "person");
    app.producer("s", false);
    let mut ticket = stage.binding(&app).ticket.0;
    let mut asked = 0;
    for _ in 0..120 {
        app.driver.bound(ticket, String::new());
        app.driver.bind_again("s");
        stage.world.run_for(Millis(100));
        let again = app.log.borrow_mut().bindings.pop();
        asked += u32::from(again.is_some());
        ticket = again.map_or(ticket, |binding| binding.ticket.0);
    }
    assert_eq!(asked, 3, "in 12 seconds");
}

#[test]
fn a_station_without_schema_waits_for_nobody() {
    let stage = Stage::new("free");
    let (app, other) = (stage.connect(), stage.connect());
    stage.create(&other, "person", "{}");
    stage.station(&app, "s", "");
    let producer = app.producer("s", false);
    app.produce(producer, &message("one"), None);
    assert!(stage.world.wait(Millis(100), || outcomes(&app) == [Ok(1)]));
    stage.create(&other, "person", "true");
    stage.world.run_for(Millis(10_000));
    assert!(app.log.borrow().bindings.is_empty() && app.log.borrow().schemas.is_empty());
}

/// Somebody changes this and that, applications answer late and in their own time: in the end every connection has bound
/// what counts, and `status()` has told it last.
#[test]
fn in_the_end_everybody_has_bound_what_counts() {
    for seed in 0..120 {
        let mut random = Random::new(seed);
        let stage = Stage::new(&format!("seed-{seed}"));
        let apps: Vec<App> = (0..3).map(|_| stage.connect()).collect();
        for name in ["a", "b"] {
            stage.create(&apps[0], name, "{}");
        }
        for station in ["s", "t"] {
            stage.station(&apps[0], station, "");
        }
        let mut bound: Vec<BTreeMap<String, (String, u64)>> = vec![BTreeMap::new(); apps.len()];
        let mut told = vec![BTreeMap::new(); apps.len()];
        for (index, app) in apps.iter().enumerate() {
            if index > 0 || random.chance(500) {
                app.producer("s", false);
                app.consumer("t", json!({}));
            }
        }
        let answer = |app: &App, bound: &mut BTreeMap<String, (String, u64)>| {
            for binding in std::mem::take(&mut app.log.borrow_mut().bindings) {
                let version = binding.schema.as_ref().map_or(0, |schema| schema.version);
                bound.insert(binding.station.clone(), (binding.name.clone(), version));
                app.driver.bound(binding.ticket.0, String::new());
            }
        };
        for step in 0..30 {
            let app = &apps[random.between(0, 2) as usize];
            let driver = app.driver.clone();
            let (station, name) =
                (["s", "t"][random.between(0, 1) as usize], ["a", "b", ""][random.between(0, 2) as usize]);
            if random.chance(300) && !name.is_empty() {
                let schema = schema(name, &format!("{{\"const\":{step}}}"));
                app.driver.spawn(async move { driver.create_schema(&schema).await.unwrap() });
            } else {
                app.driver.spawn(async move { driver.enforce(station, name).await.unwrap() });
            }
            stage.world.run_for(Millis(random.between(0, 40)));
            for (index, app) in apps.iter().enumerate() {
                if random.chance(500) {
                    answer(app, &mut bound[index]);
                }
            }
        }
        for _ in 0..200 {
            for (index, app) in apps.iter().enumerate() {
                answer(app, &mut bound[index]);
                for (station, schema) in std::mem::take(&mut app.log.borrow_mut().schemas) {
                    told[index].insert(station, schema.unwrap_or_default());
                }
            }
            stage.world.run_for(Millis(50));
        }
        for station in ["s", "t"] {
            let ops = apps[0].driver.ops().unwrap();
            let (name, version) = stage
                .world
                .run(Millis(100), async move {
                    let name = ops.find(station).await.unwrap().unwrap().schema;
                    let version = ops.schema(&name).await.unwrap().map_or(0, |schema| schema.version);
                    (name, version)
                })
                .unwrap();
            for index in 1..apps.len() {
                let has = bound[index].get(station).cloned().unwrap_or_default();
                assert_eq!(has, (name.clone(), version), "seed {seed}, connection {index}, station {station}");
                let last = told[index].get(station).cloned().unwrap_or_default();
                assert_eq!(last, name, "seed {seed}, connection {index}, station {station}: status()");
            }
        }
    }
}
