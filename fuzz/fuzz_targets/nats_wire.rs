#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| stationmaster::brokers::nats::wire::fuzz(bytes));
