#![no_main]

use stationmaster::base::value::JsonReader;

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    stationmaster::link::url::fuzz(bytes);
    stationmaster::brokers::nats::fuzz::keys(JsonReader(|text| serde_json::from_slice(text).ok()), bytes);
});
