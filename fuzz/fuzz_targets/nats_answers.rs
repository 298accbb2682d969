#![no_main]

use stationmaster::base::value::JsonReader;

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    stationmaster::brokers::nats::fuzz::answers(JsonReader(|text| serde_json::from_slice(text).ok()), bytes);
});
