//! The option names of the reader and of the typings are the same, and every one of them is looked at.

use stationmaster::base::error::Kind;
use stationmaster::base::time::{Now, Time, Wall};
use stationmaster::base::value::Value;
use stationmaster::brokers::terms::StationSpec;
use stationmaster::brokers::{self, Kind as Broker};
use stationmaster::client::{live_options, options};
use std::collections::BTreeSet;
use std::fs;

const NOW: Now = Now { mono: Time(0), wall: Wall(1_795_243_580_000_000_000) };

#[test]
fn the_reader_knows_the_names_of_the_typings() {
    let pairs = [
        ("interface ConnectOptions ", options::CONNECT),
        ("type Credentials ", options::CREDENTIALS),
        ("interface StationOptions ", options::STATION),
        ("interface ProducerOptions ", options::PRODUCER),
        ("interface ProduceOptions ", options::PRODUCE),
        ("interface BatchOptions ", options::BATCH),
        ("interface ConsumerOptions ", options::CONSUMER),
        ("interface ConsumeOptions ", options::CONSUME),
        ("interface FetchOptions ", options::FETCH),
        ("interface PublishOptions ", live_options::PUBLISH),
        ("interface RequestOptions ", live_options::REQUEST),
        ("interface SubscribeOptions ", live_options::SUBSCRIBE),
        ("interface RespondOptions ", live_options::RESPOND),
    ];
    for (declaration, names) in pairs {
        let read: BTreeSet<String> = names.iter().map(|name| name.to_string()).collect();
        assert_eq!(read, members(declaration), "{declaration}");
        assert_eq!(read.len(), names.len(), "{declaration}: a name stands there twice");
    }
}

#[test]
fn what_is_lacking_is_a_feature_of_the_typings() {
    let text = contract();
    let union = text.split("type Feature =").nth(1).unwrap().split(';').next().unwrap();
    let features: BTreeSet<&str> = union.split('"').skip(1).step_by(2).collect();
    assert!(features.len() > 20);
    for broker in [Broker::Nats, Broker::Memory] {
        let all = broker.lacks(&Default::default());
        let lacks: BTreeSet<&str> = all.iter().map(|lack| lack.feature).collect();
        assert_eq!(lacks.len(), all.len(), "{broker:?}: one reason each");
        assert!(lacks.is_subset(&features), "{broker:?}: {:?}", lacks.difference(&features));
        assert!(all.iter().all(|lack| !lack.why.is_empty()), "{broker:?}: each has its reason");
        for promised in ["partitions", "groups", "ack", "nack", "delay", "in_progress", "msg_id", "destroy", "info"] {
            assert!(!lacks.contains(promised), "{broker:?} lacks {promised}");
        }
    }
}

#[test]
fn nonsense_is_refused_in_every_option() {
    let unlike_anything = || Value::List(vec![Value::List(Vec::new())]);
    let station = StationSpec::default();
    assert_eq!(station.partitions, 1);
    let read = |what: &str, name: &str, given: &Value| -> Option<Kind> {
        let error = match what {
            "connect" => options::connect(given, false, false).err(),
            "station" => options::station(given, Broker::Nats).err(),
            "producer" => options::producer(given, false, Broker::Nats).err(),
            "produce" => options::produce(given, false, false, Broker::Nats).err(),
            "consumer" => options::consumer(given, "s", &[], NOW, "r", Broker::Nats).err(),
            "fetch" => {
                let (spec, _) = options::consumer(&Value::Nothing, "s", &[], NOW, "r", Broker::Nats).unwrap();
                options::fetch(given, &spec, &[]).err()
            }
            "consume" => options::consume(given, false, &[]).err(),
            "publish" => live_options::publish(given, false).err(),
            "request" => live_options::publish(given, true).err(),
            "subscribe" => live_options::subscribe("a", given, Broker::Nats).err(),
            "respond" => live_options::respond("a", given, Broker::Nats).err(),
            _ => unreachable!("{name}"),
        };
        error.map(|error| error.kind)
    };
    // Functions and signals never reach Rust as such: the shell keeps them.
    let shells_own = ["credentials", "socket", "resolveAddress", "signal", "logger"];
    let sets: [(&str, &[&str]); 11] = [
        ("connect", options::CONNECT),
        ("station", options::STATION),
        ("producer", options::PRODUCER),
        ("produce", options::PRODUCE),
        ("consumer", options::CONSUMER),
        ("fetch", options::FETCH),
        ("consume", options::CONSUME),
        ("publish", live_options::PUBLISH),
        ("request", live_options::REQUEST),
        ("subscribe", live_options::SUBSCRIBE),
        ("respond", live_options::RESPOND),
    ];
    for (what, names) in sets {
        for name in names.iter().filter(|name| !shells_own.contains(name)) {
            let mut entries = vec![(name.to_string(), unlike_anything())];
            if what == "connect" && *name != "broker" {
                entries.push(("broker".into(), Value::Text("nats".into())));
                if !["url", "host", "port", "tls"].contains(name) {
                    entries.push(("url".into(), Value::Text("ws://a".into())));
                } else if *name != "host" {
                    entries.push(("host".into(), Value::Text("a".into())));
                }
            }
            let kind = read(what, name, &Value::Map(entries));
            let refused = matches!(kind, Some(Kind::InvalidArgument | Kind::NotSupported));
            assert!(refused, "{what} option {name} takes anything: {kind:?}");
        }
    }
}

#[test]
fn every_broker_of_the_contract_has_an_answer() {
    for name in ["memphis", "nats", "rabbitmq", "kubemq", "memory"] {
        match brokers::Kind::by_name(name) {
            Ok(kind) => assert_eq!(kind.name(), name),
            Err(error) => assert!(error.kind == Kind::NotSupported && error.hint.is_some(), "{name}: {error:?}"),
        }
    }
}

/// The members of an interface or type of the contract, one a line.
fn members(declaration: &str) -> BTreeSet<String> {
    let text = contract();
    let body = text.split(declaration).nth(1).unwrap_or_else(|| panic!("no {declaration}"));
    let body = body.split("\n}").next().unwrap();
    let name = |line: &str| {
        let (name, _) = line.strip_prefix("    ")?.split_once(':')?;
        let name = name.trim_end_matches('?');
        name.chars().all(char::is_alphanumeric).then(|| name.to_string())
    };
    body.lines().filter_map(name).collect()
}

fn contract() -> String {
    fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/package/contract.d.ts")).unwrap()
}
