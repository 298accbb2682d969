//! The core in a real browser, as the wasm32 it ships as: 32-bit sizes, 64-bit numbers, and agreement with the platform's
//! own JSON, dates, texts and numbers. Run by `wasm-pack test --headless --chrome tests/browser`.
#![cfg(all(test, target_arch = "wasm32"))]

use js_sys::{BigInt, Date, JSON, JsString};
use stationmaster::base::bytes::{parse_decimal, push_decimal, push_json_string};
use stationmaster::base::id::{check_name, parse_base36, push_base36, random_id};
use stationmaster::base::time::{Wall, parse_rfc3339, rfc3339};
use stationmaster::brokers::nats::wire::{Deframer, Frame, Home, dump, parse, push_pub};
use stationmaster::link::url::{Scheme, Url};
use stationmaster::policy::partition::{Choice, choose, hash};
use stationmaster::runtime::Facts;
use wasm_bindgen::JsValue;
use wasm_bindgen_test::{wasm_bindgen_test, wasm_bindgen_test_configure};

wasm_bindgen_test_configure!(run_in_browser);

/// Where numbers of 53, 63 and 64 bits begin and end.
const NUMBERS: [u64; 9] = [0, 9, 10, 4_294_967_296, (1 << 53) - 1, 1 << 53, (1 << 53) + 1, 1 << 63, u64::MAX];

#[wasm_bindgen_test]
fn this_is_a_browser() {
    let window = js_sys::Reflect::get(&js_sys::global(), &"window".into()).unwrap();
    assert!(window.is_object(), "these rows are about a page");
    assert_eq!(usize::BITS, 32, "and about 32-bit sizes");
}

#[wasm_bindgen_test]
fn decimals_agree_with_bigint() {
    for number in NUMBERS {
        let mut text = Vec::new();
        push_decimal(&mut text, number);
        let theirs = BigInt::from(number).to_string(10).unwrap();
        assert_eq!(String::from_utf8(text.clone()).unwrap(), String::from(theirs));
        assert_eq!(parse_decimal(&text), Some(number));
    }
    assert_eq!(parse_decimal(b"18446744073709551616"), None, "one more than 64 bits hold");
}

#[wasm_bindgen_test]
fn base_36_agrees_with_bigint() {
    for number in NUMBERS {
        let mut text = Vec::new();
        push_base36(&mut text, number);
        let theirs = BigInt::from(number).to_string(36).unwrap();
        assert_eq!(String::from_utf8(text.clone()).unwrap(), String::from(theirs));
        assert_eq!(parse_base36(&text), Some(number));
    }
}

#[wasm_bindgen_test]
fn json_texts_are_what_the_platform_reads_back() {
    for text in [
        "",
        "plain",
        "quote \" and \\ back",
        "line\r\n\ttab",
        "\u{0}\u{1}\u{1f}\u{7f}",
        "straße 駅 🚂",
        "\u{2028}\u{feff}",
    ] {
        let mut json = Vec::new();
        push_json_string(&mut json, text);
        let parsed = JSON::parse(std::str::from_utf8(&json).unwrap()).unwrap();
        assert_eq!(parsed.as_string().as_deref(), Some(text));
    }
}

#[wasm_bindgen_test]
fn times_agree_with_the_platforms_dates() {
    for millis in [0u64, 951_782_400_000, 1_709_164_800_000, 1_795_219_200_123, 4_102_444_799_999] {
        let ours = rfc3339(Wall(millis * 1_000_000));
        let theirs = Date::new(&JsValue::from_str(&ours));
        assert_eq!(theirs.get_time(), millis as f64, "{ours}");
        let iso = String::from(theirs.to_iso_string());
        assert_eq!(parse_rfc3339(&iso), Some(Wall(millis * 1_000_000)), "{iso}");
    }
}

#[wasm_bindgen_test]
fn keys_choose_the_same_partition_as_on_64_bits() {
    // Computed with an independent implementation of MurmurHash3 x86 32.
    for (key, expected) in
        [("", 0x4af6_b95b), ("a", 0xc9ed_3207), ("straße", 0x573e_1ff7), ("orders:12345", 0x7053_2318)]
    {
        assert_eq!(hash(key), expected, "{key}");
        let mut turn = 0;
        let index = choose(Choice::Hash(hash(key)), &[1, 2, 3], &mut turn);
        assert_eq!(index, Some((expected % 3) as usize), "{key}");
    }
}

#[wasm_bindgen_test]
fn random_ids_differ_and_are_names() {
    let ids: Vec<String> = (0..64)
        .map(|_| {
            let mut seed = [0; 8];
            getrandom::fill(&mut seed).unwrap();
            random_id(seed)
        })
        .collect();
    for (at, id) in ids.iter().enumerate() {
        assert!(check_name("group", id, false).is_ok(), "{id}");
        assert_eq!(id.len(), 12, "{id}");
        assert!(!ids[..at].contains(id), "{id} came twice");
    }
}

#[wasm_bindgen_test]
fn every_cut_of_a_stream_gives_the_same_frames() {
    let mut stream = b"INFO {\"max_payload\":1048576}\r\nPING\r\n+OK\r\n-ERR 'Slow Consumer'\r\n".to_vec();
    stream.extend_from_slice("MSG orders 7 11\r\nZug 🚂 ab\r\nMSG a 1 _R.1 0\r\n\r\n".as_bytes());
    stream.extend_from_slice(b"HMSG orders 8 $JS.ACK.x 30 33\r\nNATS/1.0\r\nNats-Msg-Id: one\r\n\r\nabc\r\nPONG\r\n");
    let whole = dump(&[&stream]);
    assert_eq!(whole.len(), 8);
    assert!(whole.iter().all(Option::is_some), "no fault in {whole:?}");
    for cut in 1..stream.len() {
        let (left, right) = stream.split_at(cut);
        assert_eq!(dump(&[left, right]), whole, "cut at {cut}");
    }
    let bytes: Vec<&[u8]> = stream.chunks(1).collect();
    assert_eq!(dump(&bytes), whole, "byte by byte");
}

#[wasm_bindgen_test]
fn lengths_beyond_32_bits_are_faults_and_reserve_nothing() {
    for length in
        ["2147483648", "4294967295", "4294967296", "4294967301", "18446744073709551615", "99999999999999999999"]
    {
        let line = format!("MSG a 1 {length}\r\n");
        assert!(parse(line.as_bytes()).is_err(), "{length}");
        let with_head = format!("HMSG a 1 12 {length}\r\n");
        assert!(parse(with_head.as_bytes()).is_err(), "{length}");
    }
}

#[wasm_bindgen_test]
fn a_frame_in_one_chunk_stays_where_the_socket_put_it() {
    let chunk = b"PING\r\nMSG a 1 3\r\nabc\r\n";
    let mut deframer = Deframer::default();
    let mut at = 0;
    assert!(matches!(deframer.next(chunk, &mut at), Ok(Some((Home::Chunk(0), Frame::Ping, 6)))));
    let (home, frame, _) = deframer.next(chunk, &mut at).unwrap().unwrap();
    assert!(matches!(home, Home::Chunk(6)));
    let Frame::Msg(msg) = frame else { panic!("a message: {frame:?}") };
    assert_eq!(&chunk[6..][msg.data], b"abc");
    assert!(deframer.assembled().is_empty(), "nothing was copied");
}

#[wasm_bindgen_test]
fn what_we_write_the_platform_reads_as_text() {
    let mut out = Vec::new();
    push_pub(&mut out, &[b"stations.", b"orders", b".1"], &[b"_R.", b"7"], "Zug 🚂".as_bytes(), 0);
    let text = String::from_utf8(out).unwrap();
    assert_eq!(text, "PUB stations.orders.1 _R.7 8\r\nZug 🚂\r\n");
    assert_eq!(JsString::from(text.as_str()).length() as usize, text.encode_utf16().count());
}

#[wasm_bindgen_test]
fn a_page_over_tls_may_not_use_plain_sockets() {
    let secure = Facts { secure_page: true, offline: false };
    let plain = Url::parse("ws://broker.example.org", 8080).unwrap();
    assert!(matches!(plain.scheme, Scheme::Ws), "ws: is a WebSocket");
    let error = plain.check_page(secure).unwrap_err();
    assert!(error.hint.is_some(), "{error}");
    assert!(Url::parse("wss://broker.example.org", 443).unwrap().check_page(secure).is_ok());
    assert!(plain.check_page(Facts { secure_page: false, ..secure }).is_ok());
}
