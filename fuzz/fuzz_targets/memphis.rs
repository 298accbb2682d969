#![no_main]

use stationmaster::base::value::JsonReader;

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    let json = JsonReader(|text| serde_json::from_slice(text).ok());
    stationmaster::brokers::memphis::fuzz::session(json, bytes);
    stationmaster::brokers::memphis::fuzz::updates(json, bytes);
});
