#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    stationmaster::brokers::nats::fuzz::heads(bytes);
    stationmaster::brokers::nats::fuzz::frames(bytes);
});
