//! The contract's options: their names, defaults and ranges, and the plans they become. The one place where option names
//! stand; a type and a reader that disagree fail a test.

use super::consumer::{FetchSpec, Prefetch, Scope, Spec};
use super::filter;
use super::reader::{Reader, SAFE, whole};
use super::usual::{ATTEMPTS, Connect, PRODUCE_DEFAULTS, Produce, both};
use crate::base::error::{Error, Kind};
use crate::base::id::{check_name, shown};
use crate::base::limits;
use crate::base::secret::Secret;
use crate::base::time::{Millis, Now, Wall};
use crate::base::value::Value;
use crate::brokers::terms::{GroupSpec, Retention, Start, StationSpec};
use crate::brokers::{Kind as Broker, Setting};
use crate::link::machine::Plan;
use crate::link::session::Login;
use crate::link::url::{Scheme, Url};
use crate::policy::partition;

/// Names of `ConnectOptions`.
pub const CONNECT: &[&str] = &[
    "broker",
    "url",
    "host",
    "port",
    "tls",
    "username",
    "password",
    "connectionToken",
    "accountId",
    "jwt",
    "nkeySeed",
    "creds",
    "domain",
    "inboxPrefix",
    "vhost",
    "credentials",
    "reconnect",
    "maxReconnect",
    "reconnectIntervalMs",
    "timeoutMs",
    "pingIntervalMs",
    "name",
    "socket",
    "resolveAddress",
    "maxPendingMessages",
    "maxPendingBytes",
    "signal",
    "logger",
];
/// Names of `Credentials`.
pub const CREDENTIALS: &[&str] = &["username", "password", "connectionToken", "accountId", "jwt", "nkeySeed"];
/// Names of `StationOptions`.
pub const STATION: &[&str] = &[
    "retentionType",
    "retentionValue",
    "storageType",
    "replicas",
    "idempotencyWindowMs",
    "schemaName",
    "sendPoisonMsgToDls",
    "sendSchemaFailedMsgToDls",
    "tieredStorageEnabled",
    "partitionsNumber",
    "dlsStation",
    "partitionKeys",
    "extra",
];
/// Names of `ProducerOptions`.
pub const PRODUCER: &[&str] = &["producerName", "autoMsgId", "deduplicate", "routing"];
/// Names of `ProduceOptions`.
pub const PRODUCE: &[&str] = &[
    "headers",
    "msgId",
    "partitionKey",
    "partitionNumber",
    "ackWaitMs",
    "waitForAck",
    "limitConcurrentTasks",
    "expirationMs",
    "delayMs",
    "maxMsgDeliveries",
    "deadLetterStation",
    "filterValue",
    "publishingId",
    "amqp",
    "metadata",
    "signal",
];
/// Names that `BatchOptions` adds.
pub const BATCH: &[&str] = &["compression", "onProgress"];
/// Names of `ConsumerOptions`.
pub const CONSUMER: &[&str] = &[
    "consumerName",
    "consumerGroup",
    "pullIntervalMs",
    "batchSize",
    "batchMaxTimeToWaitMs",
    "maxAckTimeMs",
    "maxMsgDeliveries",
    "startConsumeFromSequence",
    "lastMessages",
    "start",
    "autoAck",
    "filter",
    "broadcast",
    "onActive",
];
/// Names of the members of a consumer's `filter`.
pub const FILTER: &[&str] = &["values", "matchUnfiltered", "predicate"];
/// Names of `ConsumeOptions`.
pub const CONSUME: &[&str] = &["partitionKey", "partitionNumber", "prefetchMessages", "prefetchBytes", "signal"];
/// Names of `FetchOptions`.
pub const FETCH: &[&str] =
    &["batchSize", "batchMaxTimeToWaitMs", "partitionKey", "partitionNumber", "noWait", "prefetch", "signal"];

/// Names of the options of `browse`.
pub const BROWSE: &[&str] = &["start", "partitionNumber", "limit", "signal"];

/// Longest `inboxPrefix`, in bytes.
const PREFIX_MAX: usize = 200;

/// The least `expirationMs`: brokers count seconds.
const EXPIRATION_LEAST: u64 = 1000;
/// The most of `expirationMs` and `delayMs`: a hundred years, which every broker's clock holds.
const SPAN_MOST: u64 = 100 * 365 * 86_400_000;

const OTHER: &str = "This option belongs to another broker.";

/// Read `ConnectOptions`. `asks`: there is a `credentials` function. `secure_page`: the page was loaded over TLS.
pub fn connect(options: &Value, asks: bool, secure_page: bool) -> Result<Connect, Error> {
    let read = Reader::new("connect", options, &[CONNECT])?;
    let words = ["memphis", "nats", "rabbitmq", "kubemq", "memory"];
    if !read.has("broker") {
        return Err(Error::argument("the connect option broker is missing")
            .hint(format!("It is one of: {}.", words.join(", "))));
    }
    let broker = Broker::by_name(words.get(read.word("broker", &words, 0)?).copied().unwrap_or_default())?;
    read.only_default("vhost", &Value::Text("/".into()), OTHER)?;
    read.only_default("resolveAddress", &Value::Nothing, OTHER)?;
    let attempts = match read.value("maxReconnect") {
        Value::Whole(-1) => None,
        Value::Number(value) if *value == -1.0 => None,
        _ => Some(read.whole("maxReconnect", u64::from(ATTEMPTS), 0, u64::from(u32::MAX))? as u32),
    };
    let (urls, memory) = urls(broker, &read, secure_page)?;
    let (domain, inbox) = subjects(broker, &read)?;
    let mut login = credentials(&read, broker)?;
    login.name = read.text("name")?;
    Ok(Connect {
        broker,
        plan: Plan {
            urls,
            reconnect: read.flag("reconnect", true)?,
            most_attempts: attempts,
            pause: Millis(read.whole("reconnectIntervalMs", 1500, 0, SAFE)?),
            limit: Millis(read.whole("timeoutMs", 2000, 1, SAFE)?),
            ping: Millis(read.whole("pingIntervalMs", 20_000, 1, SAFE)?),
            asks: asks || broker.readier(&login).is_some(),
            renews: asks,
        },
        login,
        pending_messages: read.whole(
            "maxPendingMessages",
            u64::from(limits::PENDING_MESSAGES),
            1,
            u64::from(u32::MAX),
        )? as u32,
        pending_bytes: read.whole("maxPendingBytes", limits::PENDING_BYTES, 1, SAFE)?,
        setting: Setting { memory, domain, inbox },
    })
}

/// Read what a `credentials` function answered.
pub fn answered_credentials(options: &Value, name: Option<String>, broker: Broker) -> Result<Login, Error> {
    let read = Reader::new("credentials", options, &[CREDENTIALS])?;
    Ok(Login { name, ..credentials(&read, broker)? })
}

fn credentials(read: &Reader<'_>, broker: Broker) -> Result<Login, Error> {
    if broker != Broker::Nats {
        for name in ["jwt", "nkeySeed", "creds"] {
            read.only_default(name, &Value::Nothing, OTHER)?;
        }
    }
    let tenants = broker == Broker::Memphis;
    if !tenants {
        read.only_default("accountId", &Value::Whole(1), OTHER)?;
    }
    let secret = |name| read.text(name).map(|text| text.map(Secret::new));
    let login = Login {
        username: read.text("username")?,
        password: read.text("password")?,
        token: read.text("connectionToken")?,
        name: None,
        account: read.whole("accountId", 1, 1, u64::from(u32::MAX))? as u32,
        jwt: read.text("jwt")?,
        seed: secret("nkeySeed")?,
        creds: secret("creds")?,
    };
    if login.creds.is_some() && (login.jwt.is_some() || login.seed.is_some()) {
        return Err(Error::argument("creds and jwt or nkeySeed exclude each other")
            .hint("Give the text of a .creds file, or JWT and seed by themselves."));
    }
    if login.has_key() && (login.username.is_some() || login.token.is_some()) {
        return Err(Error::argument("a key or JWT and username or connectionToken exclude each other")
            .hint("Give one kind of credentials: the one this server is configured for."));
    }
    if tenants {
        // Memphis wants a user name in either case: its own side reads what was given.
        return Ok(login);
    }
    if login.username.is_some() != login.password.is_some() {
        return Err(Error::argument("username and password belong together").hint("Give both, or neither."));
    }
    if login.token.is_some() && login.username.is_some() {
        return Err(Error::argument("username and connectionToken exclude each other")
            .hint("Give username and password, or connectionToken."));
    }
    Ok(login)
}

/// `domain` and `inboxPrefix`: both become part of subjects, so that a character with a meaning there would change it.
fn subjects(broker: Broker, read: &Reader<'_>) -> Result<(String, String), Error> {
    if broker != Broker::Nats {
        read.only_default("domain", &Value::Text(String::new()), OTHER)?;
        read.only_default("inboxPrefix", &Value::Text("_INBOX".into()), OTHER)?;
        return Ok((String::new(), String::new()));
    }
    let domain = read.text("domain")?.unwrap_or_default();
    if let Some(wrong) = domain.chars().find(|c| *c == '.' || !in_subject(*c)) {
        return Err(Error::argument(format!("domain has the character '{}' in it", shown(&String::from(wrong))))
            .hint("A JetStream domain is one word, without dots, blanks, '*' and '>'."));
    }
    let inbox = read.text("inboxPrefix")?;
    let hint = "It is a subject such as _INBOX or _INBOX.me, without blanks, '*' and '>' and without a dot at its end.";
    for token in inbox.iter().flat_map(|inbox| inbox.split('.')) {
        if token.is_empty() {
            return Err(
                Error::argument("inboxPrefix is empty, or begins or ends with a dot, or has two in a row").hint(hint)
            );
        }
        if let Some(wrong) = token.chars().find(|c| !in_subject(*c)) {
            let wrong = shown(&String::from(wrong));
            return Err(Error::argument(format!("inboxPrefix has the character '{wrong}' in it")).hint(hint));
        }
    }
    // Prefix, random part and slot go into each publish: a longer one leaves no room in the protocol's line.
    if inbox.as_ref().is_some_and(|inbox| inbox.len() > PREFIX_MAX) {
        return Err(Error::argument(format!("inboxPrefix is longer than {PREFIX_MAX} bytes")).hint(hint));
    }
    Ok((domain, inbox.unwrap_or_default()))
}

/// A character that means nothing but itself in a subject.
fn in_subject(c: char) -> bool {
    c > ' ' && c != '\u{7f}' && c != '*' && c != '>'
}

fn urls(broker: Broker, read: &Reader<'_>, secure_page: bool) -> Result<(Vec<Url>, String), Error> {
    let parts = ["host", "port", "tls"];
    if read.has("url") && parts.iter().any(|part| read.has(part)) {
        return Err(Error::argument("url and host, port or tls exclude each other")
            .hint("Give url, or host with port and tls."));
    }
    let mut texts: Vec<String> = match read.value("url") {
        Value::Nothing => Vec::new(),
        Value::Text(text) => vec![text.clone()],
        Value::List(list) => {
            let texts = list.iter().map(|url| url.text().map(String::from)).collect::<Option<Vec<_>>>();
            texts.filter(|texts| !texts.is_empty()).ok_or_else(|| Error::argument("url is not a list of strings"))?
        }
        _ => return Err(Error::argument("url is neither a string nor a list of strings")),
    };
    let memory = broker == Broker::Memory;
    if texts.is_empty() {
        if memory {
            texts.push("memory:".into());
        } else {
            let port = read.whole("port", u64::from(broker.port()), 1, 65_535)?;
            let host = read.text("host")?.ok_or_else(|| {
                Error::argument("there is neither url nor host").hint("Give url, such as ws://localhost:8080.")
            })?;
            let word = if read.flag("tls", secure_page)? { "wss" } else { "ws" };
            texts.push(format!("{word}://{host}:{port}"));
        }
    } else if memory && parts.iter().any(|part| read.has(part)) {
        return Err(Error::argument("the memory broker has no host"));
    }
    let mut urls = Vec::new();
    let mut name = String::new();
    for text in texts {
        let url = Url::parse(&text, broker.tcp_port())?;
        match (url.scheme, memory) {
            (Scheme::Memory, true) => {
                if !url.text.is_empty() {
                    check_name("memory broker", &url.text, false)?;
                }
                name = url.text.clone();
            }
            (Scheme::Memory, false) | (_, true) => {
                let hint = "broker \"memory\" goes with memory: or memory:NAME, and memory: with nothing else.";
                return Err(Error::argument(format!("the url \"{text}\" does not fit the broker")).hint(hint));
            }
            _ => {}
        }
        urls.push(url);
    }
    Ok((urls, name))
}

/// Read `StationOptions`.
pub fn station(options: &Value, broker: Broker) -> Result<StationSpec, Error> {
    let read = Reader::new("station", options, &[STATION])?;
    let kinds = ["max_message_age_seconds", "messages", "bytes", "ack_based"];
    let kind = read.word("retentionType", &kinds, 0)?;
    let value = read.whole("retentionValue", 604_800, 1, SAFE)?;
    let retention = match kind {
        0 => Retention::Age(value),
        1 => Retention::Messages(value),
        2 => Retention::Bytes(value),
        _ => Retention::Acked,
    };
    let mut extra = read.value("extra").entries().to_vec();
    if broker == Broker::Nats {
        read.only_default("tieredStorageEnabled", &Value::Bool(false), "This broker has no second tier of storage.")?;
    } else if read.flag("tieredStorageEnabled", false)? && broker == Broker::Memphis {
        extra.push(("tiered_storage_enabled".into(), Value::Bool(true)));
    }
    let schema = read.text("schemaName")?.unwrap_or_default();
    if !schema.is_empty() {
        // The rule that is right on every broker: a schema may have to move.
        check_name("schema", &schema, false)?;
    }
    let dls_station = read.text("dlsStation")?.unwrap_or_default().to_string();
    if !dls_station.is_empty() {
        check_name("dlsStation", &dls_station, broker.capitals())?;
    }
    read.only_default("partitionKeys", &Value::Nothing, OTHER)?;
    let memory = broker == Broker::Memory;
    if memory && !read.value("extra").entries().is_empty() {
        return Err(Error::new(Kind::NotSupported, "extra cannot be honoured here")
            .hint("The memory broker has no further options."));
    }
    if read.has("extra") && !matches!(read.value("extra"), Value::Map(_)) {
        return Err(Error::argument("extra is not an object"));
    }
    let most = if memory { 64 } else { 5 };
    Ok(StationSpec {
        retention,
        in_memory: read.word("storageType", &["disk", "memory"], 0)? == 1,
        replicas: read.whole("replicas", 1, 1, most)? as u32,
        window: Millis(read.whole("idempotencyWindowMs", 120_000, 100, SAFE)?),
        partitions: read.whole("partitionsNumber", 1, 1, u64::from(limits::PARTITIONS_MAX))? as u32,
        poison_to_dls: read.flag("sendPoisonMsgToDls", true)?,
        schema_failed_to_dls: read.flag("sendSchemaFailedMsgToDls", true)?,
        dls_station,
        schema,
        extra,
        given: STATION.iter().copied().filter(|name| read.has(name)).collect(),
    })
}

/// What a producer was made with.
#[derive(Debug, PartialEq, Eq)]
pub struct Producer {
    /// Its name, if it was given.
    pub name: Option<String>,
    /// Every message gets an id.
    pub auto_id: bool,
}

/// Read `ProducerOptions`, which may stand among those of a produce.
pub fn producer(options: &Value, mixed: bool, broker: Broker) -> Result<Producer, Error> {
    let known: &[&[&str]] = if mixed { &[PRODUCER, PRODUCE] } else { &[PRODUCER] };
    let read = Reader::new("producer", options, known)?;
    read.only_default("deduplicate", &Value::Bool(false), OTHER)?;
    if read.word("routing", &["hash", "key"], 0)? == 1 {
        return Err(Error::new(Kind::NotSupported, "routing \"key\" cannot be honoured here").hint(OTHER));
    }
    let name = read.text("producerName")?;
    if let Some(name) = &name {
        check_name("producer", name, broker.capitals())?;
    }
    Ok(Producer { name, auto_id: read.flag("autoMsgId", false)? })
}

/// Read `ProduceOptions` as the application wrote them: the cold path, for errors and unusual types. `batch` and `mixed`
/// say which other names may stand among them.
pub fn produce(options: &Value, batch: bool, mixed: bool, broker: Broker) -> Result<Produce, Error> {
    let known = [PRODUCE, if batch { BATCH } else { &[] }, if mixed { PRODUCER } else { &[] }];
    let read = Reader::new("produce", options, &known)?;
    read.whole("expirationMs", EXPIRATION_LEAST, EXPIRATION_LEAST, SPAN_MOST)?;
    read.whole("delayMs", 0, 0, SPAN_MOST)?;
    if read.text("filterValue")?.is_some() && read.value("headers").get(filter::HEADER) != &Value::Nothing {
        return Err(Error::argument(format!("filterValue and the header {} exclude each other", filter::HEADER))
            .hint("filterValue travels as that header; give one of them."));
    }
    if broker == Broker::Memphis {
        read.only_default("filterValue", &Value::Nothing, OTHER)?;
    }
    for name in ["maxMsgDeliveries", "deadLetterStation", "publishingId", "amqp", "metadata"] {
        read.only_default(name, &Value::Nothing, OTHER)?;
    }
    read.only_default("compression", &Value::Text("none".into()), OTHER)?;
    if let Value::Map(headers) = read.value("headers") {
        if let Some((name, _)) = headers.iter().find(|(_, value)| value.text().is_none()) {
            return Err(Error::argument(format!("the header \"{}\" is not a string", shown(name))));
        }
    } else if read.has("headers") {
        return Err(Error::argument("headers is not an object of strings"));
    }
    let id = read.text("msgId")?;
    if batch && id.is_some() {
        return Err(Error::argument("one msgId cannot serve a batch")
            .hint("Make the producer with autoMsgId, or produce the messages singly."));
    }
    let key = read.text("partitionKey")?;
    let partition = read
        .has("partitionNumber")
        .then(|| whole("partitionNumber", read.value("partitionNumber"), 1, u64::from(u32::MAX)))
        .transpose()?;
    if key.is_some() && partition.is_some() {
        return Err(both());
    }
    Ok(Produce {
        partition: partition.map(|number| number as u32),
        ack_wait: Millis(read.whole("ackWaitMs", PRODUCE_DEFAULTS.ack_wait.0, 1, SAFE)?),
        limit: read.whole("limitConcurrentTasks", u64::from(PRODUCE_DEFAULTS.limit), 1, u64::from(u32::MAX))? as u32,
        wants_receipt: read.flag("waitForAck", true)?,
    })
}

/// Read `ConsumerOptions`, which may stand among those of a fetch or a consume. `random` makes the name of a group that has
/// none.
pub fn consumer(
    options: &Value,
    station: &str,
    among: &[&str],
    now: Now,
    random: &str,
    broker: Broker,
) -> Result<(Spec, String), Error> {
    let read = Reader::new("consumer", options, &[CONSUMER, among])?;
    read.only_default("broadcast", &Value::Bool(false), OTHER)?;
    read.only_default("onActive", &Value::Nothing, OTHER)?;
    let name = read.text("consumerName")?;
    let group = read.text("consumerGroup")?;
    for (what, name) in [("consumer", &name), ("group", &group)] {
        if let Some(name) = name {
            check_name(what, name, broker.capitals())?;
        }
    }
    if broker == Broker::Memphis {
        read.only_default(
            "filter",
            &Value::Nothing,
            "Memphis has no filters; look at the messages, and ack those that do not fit.",
        )?;
    }
    let nameless = name.is_none() && group.is_none();
    let own = name.clone().unwrap_or_else(|| format!("c-{random}"));
    let spec = Spec {
        station: station.into(),
        group: GroupSpec {
            name: group.or(name).unwrap_or_else(|| format!("g-{random}")),
            member: own.clone(),
            nameless,
            start: start(&read, now)?,
            again: false,
            resume: Vec::new(),
            ack_time: Millis(read.whole("maxAckTimeMs", 30_000, 1, SAFE)?),
            max_deliveries: read.whole("maxMsgDeliveries", 10, 1, u64::from(u32::MAX))? as u32,
            auto_ack: read.flag("autoAck", false)?,
        },
        batch: read.whole("batchSize", 10, 1, u64::from(limits::BATCH_MAX))? as u32,
        wait: Millis(read.whole("batchMaxTimeToWaitMs", 5000, 1, SAFE)?),
        pull_interval: Millis(read.whole("pullIntervalMs", 1000, 0, SAFE)?),
        filter: filter::read(read.value("filter"))?,
    };
    Ok((spec, own))
}

fn start(read: &Reader<'_>, now: Now) -> Result<Start, Error> {
    // A default that is written out takes nothing away from the others.
    let says = |name: &str, default: i64| match read.value(name) {
        Value::Nothing => false,
        Value::Whole(value) => *value != default,
        Value::Number(value) => *value != default as f64,
        Value::Text(text) => name != "start" || text != "first",
        _ => true,
    };
    let (sequence, last) = (says("startConsumeFromSequence", 1), says("lastMessages", -1));
    if [says("start", 0), sequence, last].iter().filter(|says| **says).count() > 1 {
        return Err(Error::argument("start, startConsumeFromSequence and lastMessages exclude each other")
            .hint("Give one of them."));
    }
    if sequence {
        return Ok(Start::Sequence(read.whole("startConsumeFromSequence", 1, 1, SAFE)?));
    }
    if last {
        return Ok(Start::LastMessages(whole("lastMessages", read.value("lastMessages"), 0, SAFE)?));
    }
    let hint = "It is \"first\", \"last\", \"next\", { sequence }, { time }, { sinceMs } or { lastMessages }.";
    match read.value("start") {
        Value::Nothing => Ok(Start::First),
        Value::Text(word) => match word.as_str() {
            "first" => Ok(Start::First),
            "last" => Ok(Start::Last),
            "next" => Ok(Start::Next),
            _ => Err(Error::argument(format!("start is \"{}\"", shown(word))).hint(hint)),
        },
        Value::Map(entries) => match entries.as_slice() {
            [(key, value)] => match key.as_str() {
                "sequence" => Ok(Start::Sequence(whole("start.sequence", value, 1, u64::MAX)?)),
                "lastMessages" => Ok(Start::LastMessages(whole("start.lastMessages", value, 0, SAFE)?)),
                "time" => match value {
                    Value::Date(ms) => Ok(Start::Time(Wall(
                        whole("start.time", &Value::Number(ms.floor()), 0, SAFE / 1000)?.saturating_mul(1_000_000),
                    ))),
                    _ => Err(Error::argument("start.time is not a Date")
                        .hint("Give a Date; milliseconds before now go into start.sinceMs.")),
                },
                "sinceMs" => {
                    let since = whole("start.sinceMs", value, 0, SAFE)?.saturating_mul(1_000_000);
                    Ok(Start::Time(Wall(now.wall.0.saturating_sub(since))))
                }
                _ => Err(Error::argument(format!("start has the member \"{}\"", shown(key))).hint(hint)),
            },
            _ => Err(Error::argument("start has not exactly one member").hint(hint)),
        },
        _ => Err(Error::argument("start is neither a word nor an object").hint(hint)),
    }
}

/// What `browse` was given.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Browse {
    /// `start`
    pub start: Start,
    /// `partitionNumber`
    pub partition: Option<u32>,
    /// `limit`
    pub limit: u64,
}

/// Read the options of `browse`.
pub fn browse(options: &Value, now: Now) -> Result<Browse, Error> {
    let read = Reader::new("browse", options, &[BROWSE])?;
    let partition = match scope(&read)? {
        Scope::Number(number) => Some(number),
        Scope::All | Scope::Hash(_) => None,
    };
    Ok(Browse { start: start(&read, now)?, partition, limit: read.whole("limit", u64::MAX, 1, SAFE)? })
}

fn scope(read: &Reader<'_>) -> Result<Scope, Error> {
    match (read.text("partitionKey")?, read.has("partitionNumber")) {
        (Some(_), true) => Err(both()),
        (Some(key), false) => Ok(Scope::Hash(partition::hash(&key))),
        (None, true) => {
            Ok(Scope::Number(whole("partitionNumber", read.value("partitionNumber"), 1, u64::from(u32::MAX))? as u32))
        }
        (None, false) => Ok(Scope::All),
    }
}

/// Read `FetchOptions`, which may stand among those of a consumer.
pub fn fetch(options: &Value, spec: &Spec, among: &[&str]) -> Result<FetchSpec, Error> {
    let read = Reader::new("fetch", options, &[FETCH, among])?;
    Ok(FetchSpec {
        messages: read.whole("batchSize", u64::from(spec.batch), 1, u64::from(limits::BATCH_MAX))? as u32,
        wait: Millis(read.whole("batchMaxTimeToWaitMs", spec.wait.0, 1, SAFE)?),
        no_wait: read.flag("noWait", false)?,
        ahead: read.flag("prefetch", false)?,
        scope: scope(&read)?,
    })
}

/// Read `ConsumeOptions`, which may stand among those of a consumer.
pub fn consume(options: &Value, auto_ack: bool, among: &[&str]) -> Result<(Scope, Prefetch), Error> {
    let read = Reader::new("consume", options, &[CONSUME, among])?;
    let messages = if auto_ack { 2000 } else { 500 };
    let prefetch = Prefetch {
        messages: read.whole("prefetchMessages", messages, 1, 1_000_000)? as u32,
        bytes: read.whole("prefetchBytes", limits::FETCH_BYTES, 1, SAFE)?,
    };
    Ok((scope(&read)?, prefetch))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::time::Time;

    fn json(text: &str) -> Value {
        serde_json::from_str(text).unwrap()
    }

    const NOW: Now = Now { mono: Time(0), wall: Wall(1_000_000_000_000_000_000) };

    fn kind<T: std::fmt::Debug>(result: Result<T, Error>) -> Kind {
        result.unwrap_err().kind
    }

    #[test]
    fn connect_defaults_are_the_contracts() {
        let options = connect(&json(r#"{"broker":"nats","url":"ws://localhost:9"}"#), false, false).unwrap();
        assert_eq!(
            (options.plan.most_attempts, options.plan.pause, options.plan.limit),
            (Some(10), Millis(1500), Millis(2000))
        );
        assert_eq!(
            (options.plan.ping, options.pending_messages, options.pending_bytes),
            (Millis(20_000), 10_000, 67_108_864)
        );
        let host = connect(&json(r#"{"broker":"nats","host":"h"}"#), false, false).unwrap();
        assert_eq!(host.plan.urls[0].text, "ws://h:8080");
    }

    #[test]
    fn connect_refuses_what_excludes_each_other() {
        for text in [
            r#"{}"#,
            r#"{"broker":"kafka"}"#,
            r#"{"broker":"nats"}"#,
            r#"{"broker":"nats","url":"ws://a","host":"b"}"#,
            r#"{"broker":"nats","url":[]}"#,
            r#"{"broker":"nats","url":"memory:"}"#,
            r#"{"broker":"memory","url":"ws://a"}"#,
            r#"{"broker":"nats","url":"ws://a","username":"u"}"#,
            r#"{"broker":"nats","url":"ws://a","username":"u","password":"p","connectionToken":"t"}"#,
            r#"{"broker":"nats","url":"ws://a","timeoutMs":-1}"#,
            r#"{"broker":"nats","url":"ws://a","name":7}"#,
        ] {
            assert_eq!(kind(connect(&json(text), false, false)), Kind::InvalidArgument, "{text}");
        }
        for text in [r#"{"broker":"rabbitmq","url":"ws://a"}"#, r#"{"broker":"nats","url":"ws://a","vhost":"x"}"#] {
            assert_eq!(kind(connect(&json(text), false, false)), Kind::NotSupported, "{text}");
        }
        let written = r#"{"broker":"nats","url":"ws://a","accountId":1,"vhost":"/","domain":"","inboxPrefix":"_INBOX","maxReconnect":-1}"#;
        assert_eq!(
            connect(&json(written), false, false).unwrap().plan.most_attempts,
            None,
            "defaults written out are fine"
        );
    }

    #[test]
    fn station_options() {
        let spec = station(
            &json(
                r#"{"retentionType":"messages","retentionValue":5,"partitionsNumber":3,"tieredStorageEnabled":false}"#,
            ),
            Broker::Nats,
        )
        .unwrap();
        assert_eq!((spec.retention, spec.partitions), (Retention::Messages(5), 3));
        assert_eq!(spec.given, ["retentionType", "retentionValue", "tieredStorageEnabled", "partitionsNumber"]);
        for broker in [Broker::Nats, Broker::Memory] {
            assert_eq!(station(&Value::Nothing, broker).unwrap(), StationSpec::default());
        }
        assert_eq!(kind(station(&json(r#"{"partitionsNumber":0}"#), Broker::Nats)), Kind::InvalidArgument);
        assert_eq!(kind(station(&json(r#"{"tieredStorageEnabled":true}"#), Broker::Nats)), Kind::NotSupported);
        assert_eq!(kind(station(&json(r#"{"partitionKeys":["a"]}"#), Broker::Nats)), Kind::NotSupported);
    }

    #[test]
    fn beginnings() {
        let begin =
            |text: &str| consumer(&json(text), "s", &[], NOW, "r", Broker::Nats).map(|(spec, _)| spec.group.start);
        assert_eq!(begin("{}"), Ok(Start::First));
        assert_eq!(begin(r#"{"start":"next"}"#), Ok(Start::Next));
        assert_eq!(begin(r#"{"start":{"sinceMs":1000}}"#), Ok(Start::Time(Wall(999_999_999_000_000_000))));
        assert_eq!(begin(r#"{"lastMessages":-1}"#), Ok(Start::First));
        assert_eq!(begin(r#"{"lastMessages":3}"#), Ok(Start::LastMessages(3)));
        let defaults = r#""start":"first","startConsumeFromSequence":1,"lastMessages":-1"#;
        assert_eq!(begin(&format!("{{{defaults}}}")), Ok(Start::First));
        assert_eq!(begin(&format!("{{{}}}", defaults.replace("first", "next"))), Ok(Start::Next));
        assert_eq!(begin(&format!("{{{}}}", defaults.replace(":1", ":7"))), Ok(Start::Sequence(7)));
        assert_eq!(begin(&format!("{{{}}}", defaults.replace("-1", "2"))), Ok(Start::LastMessages(2)));
        for text in [
            r#"{"start":"next","lastMessages":1}"#,
            r#"{"start":"x"}"#,
            r#"{"start":{}}"#,
            r#"{"start":{"sequence":0}}"#,
            r#"{"lastMessages":-2}"#,
        ] {
            assert_eq!(kind(begin(text)), Kind::InvalidArgument, "{text}");
        }
    }

    #[test]
    fn filters() {
        use crate::client::filter::Filter;
        let read = |text: &str| consumer(&json(text), "s", &[], NOW, "r", Broker::Nats).map(|(spec, _)| spec.filter);
        assert_eq!(read("{}"), Ok(None));
        let filter = Filter { values: vec!["a".into()], unfiltered: true, judged: true };
        assert_eq!(read(r#"{"filter":{"values":["a"],"matchUnfiltered":true,"predicate":[]}}"#), Ok(Some(filter)));
        assert!(read(r#"{"filter":{"values":[],"matchUnfiltered":true}}"#).is_ok());
        for text in [
            r#"{"filter":"a"}"#,
            r#"{"filter":{}}"#,
            r#"{"filter":{"values":[]}}"#,
            r#"{"filter":{"values":[1]}}"#,
            r#"{"filter":{"values":"a"}}"#,
            r#"{"filter":{"value":["a"]}}"#,
            r#"{"filter":{"values":["a"],"predicate":5}}"#,
            r#"{"filter":{"values":["a"],"matchUnfiltered":"yes"}}"#,
        ] {
            assert_eq!(kind(read(text)), Kind::InvalidArgument, "{text}");
        }
    }

    #[test]
    fn groups_and_names() {
        let read = |text: &str| consumer(&json(text), "s", &[], NOW, "r", Broker::Nats).unwrap();
        let (spec, name) = read(r#"{"consumerName":"n"}"#);
        assert_eq!((spec.group.name.as_str(), name.as_str(), spec.group.nameless), ("n", "n", false));
        let (spec, name) = read(r#"{"consumerGroup":"g"}"#);
        assert_eq!((spec.group.name.as_str(), name.as_str(), spec.group.nameless), ("g", "c-r", false));
        assert!(read("{}").0.group.nameless);
    }

    #[test]
    fn produce_options() {
        assert_eq!(produce(&Value::Nothing, false, false, Broker::Nats), Ok(PRODUCE_DEFAULTS));
        for text in [
            r#"{"headers":{"a":1}}"#,
            r#"{"headers":"x"}"#,
            r#"{"partitionKey":"k","partitionNumber":1}"#,
            r#"{"ackWaitMs":0}"#,
            r#"{"msgid":"x"}"#,
        ] {
            assert_eq!(kind(produce(&json(text), false, false, Broker::Nats)), Kind::InvalidArgument, "{text}");
        }
        for text in [
            r#"{"expirationMs":999}"#,
            r#"{"expirationMs":"1000"}"#,
            r#"{"delayMs":-1}"#,
            r#"{"delayMs":1.5}"#,
            r#"{"delayMs":1e15}"#,
            r#"{"filterValue":5}"#,
            r#"{"filterValue":"a","headers":{"X-Filter":"b"}}"#,
        ] {
            assert_eq!(kind(produce(&json(text), false, false, Broker::Nats)), Kind::InvalidArgument, "{text}");
        }
        assert!(
            produce(&json(r#"{"expirationMs":1000,"delayMs":0,"filterValue":"a"}"#), false, false, Broker::Nats)
                .is_ok()
        );
        assert_eq!(kind(produce(&json(r#"{"publishingId":5}"#), false, false, Broker::Nats)), Kind::NotSupported);
    }
}
