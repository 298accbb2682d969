//! The JetStream API of the simulated server: questions in JSON, answers in JSON.

use crate::server::{Server, matches};
use crate::streams::{Consumer, Pull, Stream, millis};
use serde_json::{Map, Value, json};
use stationmaster::base::time::rfc3339;

impl Server {
    /// Answer a question; `None` where no answer goes to the asker.
    pub fn api(&mut self, link: u32, subject: &str, body: &str, reply: &str) -> Option<Value> {
        let (verb, rest) = verb_of(subject);
        if verb == "CONSUMER.MSG.NEXT" {
            self.pull(link, rest, body, reply);
            return None;
        }
        let asked = match body {
            "" => Value::Null,
            text => match serde_json::from_str(text) {
                Ok(value) => value,
                Err(error) => return Some(refusal(400, 10025, &format!("invalid JSON: {error}"))),
            },
        };
        let mut tokens = rest.splitn(3, '.');
        let (stream, consumer) = (tokens.next().unwrap_or_default(), tokens.next().unwrap_or_default());
        Some(match verb {
            "INFO" => self.account(),
            "STREAM.NAMES" => self.names(&asked),
            "STREAM.CREATE" => self.create_stream(stream, asked),
            "STREAM.UPDATE" => self.update_stream(stream, asked),
            "STREAM.INFO" => self.with(stream, |stream| stream_answer(stream, "stream_info_response")),
            "STREAM.DELETE" => self.delete_stream(stream),
            "STREAM.PURGE" => self.with(stream, |stream| {
                let purged = stream.messages.len();
                stream.messages.clear();
                json!({ "type": "io.nats.jetstream.api.v1.stream_purge_response", "success": true, "purged": purged })
            }),
            "CONSUMER.CREATE" => self.create_consumer(stream, consumer, &asked),
            "CONSUMER.INFO" => self.with(stream, |stream| match stream.consumers.get(consumer) {
                Some(found) => consumer_answer(stream, found, "consumer_info_response"),
                None => refusal(404, 10014, "consumer not found"),
            }),
            "CONSUMER.DELETE" => self.delete_consumer(stream, consumer),
            _ => refusal(400, 10025, "unknown request"),
        })
    }

    fn with(&mut self, stream: &str, act: impl FnOnce(&mut Stream) -> Value) -> Value {
        match self.streams.get_mut(stream) {
            Some(stream) => act(stream),
            None => refusal(404, 10059, "stream not found"),
        }
    }

    fn account(&self) -> Value {
        json!({
            "type": "io.nats.jetstream.api.v1.account_info_response",
            "memory": 0, "storage": 0, "streams": self.streams.len(), "consumers": 0,
            "limits": { "max_memory": -1, "max_storage": -1, "max_streams": -1, "max_consumers": -1 },
            "api": { "level": 5, "total": 1, "errors": 0 }
        })
    }

    fn names(&self, asked: &Value) -> Value {
        let filter = asked["subject"].as_str().unwrap_or(">");
        let wanted = |stream: &&Stream| stream.subjects().any(|subject| matches(filter, subject));
        let names: Vec<&str> = self.streams.values().filter(wanted).map(|stream| stream.name.as_str()).collect();
        json!({ "type": "io.nats.jetstream.api.v1.stream_names_response", "total": names.len(), "offset": 0, "limit": 1024, "streams": names })
    }

    fn create_stream(&mut self, name: &str, asked: Value) -> Value {
        let config = with_defaults(asked, stream_defaults(name));
        if let Some(stream) = self.streams.get(name) {
            return match stream.config == config {
                true => stream_answer(stream, "stream_create_response"),
                false => refusal(400, 10058, "stream name already in use with a different configuration"),
            };
        }
        if config["num_replicas"].as_u64().unwrap_or(1) > 1 {
            return refusal(500, 10074, "replicas > 1 not supported in non-clustered mode");
        }
        let stream = Stream::new(name, config, self.now);
        let overlap = self.streams.values().any(|other| {
            stream.subjects().any(|mine| other.subjects().any(|theirs| matches(theirs, mine) || matches(mine, theirs)))
        });
        if overlap {
            return refusal(400, 10065, "subjects overlap with an existing stream");
        }
        let answer = stream_answer(&stream, "stream_create_response");
        self.streams.insert(name.into(), stream);
        answer
    }

    fn update_stream(&mut self, name: &str, asked: Value) -> Value {
        let config = with_defaults(asked, stream_defaults(name));
        self.with(name, |stream| {
            if stream.config["storage"] != config["storage"] {
                return refusal(500, 10052, "stream configuration update can not change storage type");
            }
            stream.config = config;
            stream_answer(stream, "stream_update_response")
        })
    }

    fn delete_stream(&mut self, name: &str) -> Value {
        let Some(mut stream) = self.streams.remove(name) else { return refusal(404, 10059, "stream not found") };
        for consumer in stream.consumers.values_mut() {
            let parcels = consumer.end_pulls("409 Consumer Deleted", |link, subject| self.heard_by(link, subject));
            self.deliver(parcels);
        }
        json!({ "type": "io.nats.jetstream.api.v1.stream_delete_response", "success": true })
    }

    fn create_consumer(&mut self, stream: &str, name: &str, asked: &Value) -> Value {
        let now = self.now;
        let config = with_defaults(asked["config"].clone(), consumer_defaults());
        if config["name"] != name || config["durable_name"].as_str().is_some_and(|durable| durable != name) {
            return refusal(400, 10017, "consumer name does not match");
        }
        let action = asked["action"].as_str().unwrap_or_default().to_string();
        self.with(stream, |stream| {
            if stream.config["retention"] == "workqueue" && !stream.consumers.is_empty() {
                return refusal(400, 10099, "multiple non-filtered consumers not allowed on workqueue stream");
            }
            if let Some(found) = stream.consumers.get(name)
                && action == "create"
                && found.config != config
            {
                return refusal(400, 10148, "consumer already exists");
            }
            if !stream.consumers.contains_key(name) {
                let consumer = Consumer::new(name, config, stream, now);
                stream.consumers.insert(name.into(), consumer);
            }
            consumer_answer(stream, &stream.consumers[name], "consumer_create_response")
        })
    }

    fn delete_consumer(&mut self, stream: &str, name: &str) -> Value {
        let Some(found) = self.streams.get_mut(stream) else { return refusal(404, 10059, "stream not found") };
        let Some(mut consumer) = found.consumers.remove(name) else {
            return refusal(404, 10014, "consumer not found");
        };
        let parcels = consumer.end_pulls("409 Consumer Deleted", |link, subject| self.heard_by(link, subject));
        self.deliver(parcels);
        json!({ "type": "io.nats.jetstream.api.v1.consumer_delete_response", "success": true })
    }

    fn pull(&mut self, link: u32, rest: &str, body: &str, reply: &str) {
        let asked: Value = serde_json::from_str(if body.is_empty() { "{}" } else { body }).unwrap_or(Value::Null);
        let (stream, consumer) = rest.split_once('.').unwrap_or((rest, ""));
        let now = self.now;
        let consumer = self.streams.get_mut(stream).and_then(|stream| stream.consumers.get_mut(consumer));
        let Some(consumer) = consumer else {
            return self.nobody(&format!("$JS.API.CONSUMER.MSG.NEXT.{rest}"), reply);
        };
        let (expires, heartbeat) = (millis(&asked["expires"]), millis(&asked["idle_heartbeat"]));
        let trouble = if !asked.is_object() {
            Some("400 Bad Request - invalid JSON")
        } else if heartbeat.is_some_and(|beat| expires.is_none_or(|expires| beat.0 * 2 > expires.0)) {
            Some("400 Bad Request - heartbeat value too large")
        } else if consumer.pulls.len() >= 512 {
            Some("409 Exceeded MaxWaiting")
        } else {
            None
        };
        if let Some(text) = trouble {
            self.send(reply, "", format!("NATS/1.0 {text}\r\n\r\n").as_bytes(), b"");
            return;
        }
        consumer.pulls.push_back(Pull {
            link,
            reply: reply.into(),
            left: asked["batch"].as_u64().unwrap_or(1).max(1),
            bytes: asked["max_bytes"].as_u64().filter(|bytes| *bytes > 0),
            expires: expires.map(|span| now.mono + span),
            heartbeat,
            no_wait: asked["no_wait"] == true,
            got: 0,
            last: now.mono,
        });
    }
}

/// The request, and what follows it in the subject.
fn verb_of(subject: &str) -> (&str, &str) {
    let dots: Vec<usize> = subject.match_indices('.').map(|(at, _)| at).collect();
    let count = match subject {
        _ if subject.starts_with("CONSUMER.MSG.NEXT") => 3,
        _ if subject.starts_with("STREAM.") || subject.starts_with("CONSUMER.") => 2,
        _ => 1,
    };
    match dots.get(count - 1) {
        Some(at) => (&subject[..*at], &subject[at + 1..]),
        None => (subject, ""),
    }
}

/// An answer that only says what went wrong.
pub fn refusal(code: u32, err_code: u32, description: &str) -> Value {
    json!({
        "type": "io.nats.jetstream.api.v1.response",
        "error": { "code": code, "err_code": err_code, "description": description }
    })
}

fn stream_answer(stream: &Stream, kind: &str) -> Value {
    let mut config = stream.config.clone();
    if let Some(metadata) = config["metadata"].as_object_mut() {
        metadata.insert("_nats.ver".into(), "2.15.1".into());
        metadata.insert("_nats.level".into(), "5".into());
    }
    json!({
        "type": format!("io.nats.jetstream.api.v1.{kind}"),
        "config": config,
        "created": rfc3339(stream.created.wall),
        "state": {
            "messages": stream.messages.len(), "bytes": stream.bytes(), "first_seq": stream.first(),
            "last_seq": stream.last, "consumer_count": stream.consumers.len()
        },
        "did_create": true
    })
}

fn consumer_answer(stream: &Stream, consumer: &Consumer, kind: &str) -> Value {
    json!({
        "type": format!("io.nats.jetstream.api.v1.{kind}"),
        "stream_name": stream.name,
        "name": consumer.name,
        "created": rfc3339(consumer.created.wall),
        "config": consumer.config,
        "delivered": { "consumer_seq": consumer.delivered, "stream_seq": consumer.next.saturating_sub(1) },
        "ack_floor": { "consumer_seq": 0, "stream_seq": consumer.floor(stream.first()) },
        "num_ack_pending": consumer.pending.len(),
        "num_redelivered": 0,
        "num_waiting": consumer.pulls.len(),
        "num_pending": consumer.waiting(&stream.messages)
    })
}

fn with_defaults(asked: Value, defaults: Value) -> Value {
    let (Value::Object(asked), Value::Object(mut config)) = (asked, defaults) else { return Value::Null };
    for (key, value) in asked {
        // Zero and null mean "the server's default".
        let default = value.is_null() || value == 0;
        if !(default && config.contains_key(&key)) {
            config.insert(key, value);
        }
    }
    Value::Object(config.into_iter().collect::<Map<_, _>>())
}

fn stream_defaults(name: &str) -> Value {
    json!({
        "name": name, "subjects": [], "retention": "limits", "max_consumers": -1, "max_msgs": -1, "max_bytes": -1,
        "max_age": 0, "max_msgs_per_subject": -1, "max_msg_size": -1, "discard": "old", "storage": "file",
        "num_replicas": 1, "duplicate_window": 120_000_000_000_u64, "compression": "none", "allow_direct": false,
        "sealed": false, "metadata": {}
    })
}

fn consumer_defaults() -> Value {
    json!({
        "deliver_policy": "all", "ack_policy": "explicit", "ack_wait": 30_000_000_000_u64, "max_deliver": -1,
        "replay_policy": "instant", "max_waiting": 512, "max_ack_pending": 1000, "num_replicas": 0, "metadata": {}
    })
}
