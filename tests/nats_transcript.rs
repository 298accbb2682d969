//! Conversations with a NATS server, one session against given bytes: what the server says, what must be written, how
//! much time passes, and what comes out. The server's lines are those that nats-server 2.15.1 sent (`tests/vectors`).

use stationmaster::base::error::{Error, Kind, ServerCode};
use stationmaster::base::id::random_id;
use stationmaster::base::time::{Millis, Now, Time, Wall};
use stationmaster::base::value::JsonReader;
use stationmaster::brokers::nats::session::NatsSession;
use stationmaster::link::outbox::Outbox;
use stationmaster::link::session::{
    Arrival, Ask, Draft, Encryption, FeedId, FeedSpec, Input, Login, News, Output, Place, Request, RouteId, Session,
    Slot, Source, Verdict, Wait, WaitId,
};

const INFO: &str = "INFO {\"server_id\":\"S\",\"version\":\"2.15.1\",\"headers\":true,\"max_payload\":1048576,\"jetstream\":true} \r\n";
const HELLO: &str = concat!(
    "CONNECT {\"verbose\":false,\"pedantic\":false,\"protocol\":1,\"echo\":true,\"headers\":true,\"no_responders\":true,",
    "\"lang\":\"stationmaster\",\"version\":\"",
    env!("CARGO_PKG_VERSION"),
    "\",\"tls_required\":false}\r\nSUB _INBOX.X.* 1\r\nPING\r\n"
);

// ---- logging in -------------------------------------------------------------------------------------------------

#[test]
fn without_credentials() {
    let mut talk = Talk::new();
    talk.open(&Login::default());
    assert_eq!(talk.written(), "", "the server speaks first");
    talk.says(INFO);
    assert_eq!(talk.written(), HELLO);
    assert!(talk.told().is_empty(), "not before the PONG");
    talk.says("PONG\r\nINFO {\"headers\":true,\"connect_info\":true,\"remote_account\":\"$G\"} \r\n");
    assert!(matches!(talk.told()[..], [Output::Up]));
    assert_eq!(talk.written(), "");
}

#[test]
fn with_user_or_token() {
    let user = Login { username: Some("anna".into()), password: Some("s\"e".into()), ..Login::default() };
    let token = Login { token: Some("t0".into()), name: Some("ui".into()), ..Login::default() };
    for (login, wanted) in
        [(user, "\"user\":\"anna\",\"pass\":\"s\\\"e\""), (token, "\"name\":\"ui\",\"auth_token\":\"t0\"")]
    {
        let mut talk = Talk::new();
        talk.open(&login);
        talk.says(INFO);
        let written = talk.written();
        assert!(written.contains(wanted), "{written}");
        talk.says("PONG\r\n");
        assert!(matches!(talk.told()[..], [Output::Up]));
    }
}

#[test]
fn refused_credentials_and_full_servers() {
    let cases = [
        ("Authorization Violation", Kind::AuthFailed, false),
        ("User Authentication Expired", Kind::AuthFailed, false),
        ("maximum connections exceeded", Kind::ConnectFailed, true),
        ("Authentication Timeout", Kind::ConnectFailed, true),
        ("Stale Connection", Kind::ConnectionLost, true),
    ];
    for (text, kind, retryable) in cases {
        let mut talk = Talk::new();
        talk.open(&Login::default());
        talk.says(INFO);
        talk.says(&format!("-ERR '{text}'\r\n"));
        let error = talk.broken();
        assert_eq!((error.kind, error.retryable), (kind, retryable), "{text}");
        assert_eq!(error.server, Some(ServerCode::Text(text.into())));
        talk.says("PONG\r\n");
        assert!(talk.told().is_empty(), "a broken session says nothing more");
    }
}

#[test]
fn servers_that_are_none() {
    for bytes in [
        "HTTP/1.1 400 Bad Request\r\n\r\n",
        "INFO not json\r\n",
        "INFO [1]\r\n",
        "MSG a 1 2147483648\r\n",
        "MSG a 1 1\r\nx\r\n",
        "\u{0}\u{0}",
    ] {
        let mut talk = Talk::new();
        talk.open(&Login::default());
        talk.says(bytes);
        let error = talk.broken();
        assert_eq!(error.kind, Kind::Protocol, "{bytes:?}");
        assert!(error.hint.is_some());
    }
    let mut talk = Talk::new();
    talk.open(&Login::default());
    talk.says("INFO {\"headers\":false}\r\n");
    assert_eq!(talk.broken().kind, Kind::NotSupported);
}

#[test]
fn half_a_greeting_is_waited_for() {
    let mut talk = Talk::new();
    talk.open(&Login::default());
    for byte in INFO.as_bytes() {
        assert_eq!(talk.written(), "");
        talk.gets(&[*byte]);
    }
    assert_eq!(talk.written(), HELLO);
}

#[test]
fn garbage_later_ends_the_link() {
    let (mut talk, ..) = up();
    talk.says("\r\n\r\n");
    assert_eq!(talk.broken().kind, Kind::Protocol);
}

#[test]
fn pings_are_answered_and_probes_too() {
    let (mut talk, ..) = up();
    talk.says("PING\r\n");
    assert_eq!(talk.written(), "PONG\r\n");
    let now = talk.now;
    talk.session.probe(now, &mut talk.out);
    assert_eq!(talk.written(), "PING\r\n");
    talk.says("PONG\r\n");
    assert!(matches!(talk.told()[..], [Output::Alive]));
}

#[test]
fn other_servers_and_a_server_that_goes() {
    let (mut talk, ..) = up();
    talk.says("INFO {\"headers\":true,\"connect_urls\":[\"10.0.0.1:8080\",\"10.0.0.2:8080\"]} \r\n");
    let Output::Servers(urls) = talk.told().remove(0) else { panic!("no servers") };
    assert_eq!(urls, ["10.0.0.1:8080", "10.0.0.2:8080"]);
    talk.says("INFO {\"ldm\":true} \r\n");
    assert!(talk.told().iter().any(|output| matches!(output, Output::Leaving)));
}

// ---- raw TCP ----------------------------------------------------------------------------------------------------

const TLS_INFO: &str = "INFO {\"headers\":true,\"max_payload\":1048576,\"tls_required\":true,\"nonce\":\"n\"} \r\n";
const TLS_POSSIBLE: &str = "INFO {\"headers\":true,\"max_payload\":1048576,\"tls_available\":true} \r\n";

fn anna() -> Login {
    Login { username: Some("anna".into()), password: Some("secret".into()), ..Login::default() }
}

#[test]
fn tls_after_info() {
    for (encryption, info) in
        [(Encryption::OnDemand, TLS_INFO), (Encryption::Required, TLS_INFO), (Encryption::Required, TLS_POSSIBLE)]
    {
        for cut in 0..info.len() {
            let mut talk = Talk::new();
            talk.open_raw(&anna(), encryption);
            talk.says(&info[..cut]);
            talk.says(&info[cut..]);
            assert!(matches!(talk.told()[..], [Output::Encrypt]), "{encryption:?} {info} cut at {cut}");
            assert_eq!(talk.written(), "", "nothing before TLS");
            assert_eq!(talk.session.deadline(), None);
            let now = talk.now;
            talk.session.handle(now, Input::Encrypted, &mut talk.out);
            let written = talk.written();
            assert!(written.starts_with("CONNECT ") && written.contains("secret"), "{written}");
            talk.says("PONG\r\n");
            assert!(matches!(talk.told()[..], [Output::Up]), "the server does not greet again");
        }
    }
}

#[test]
fn plain_where_plain_is_asked_for_and_the_sockets_own_tls() {
    for (encryption, info) in
        [(Encryption::OnDemand, INFO), (Encryption::OnDemand, TLS_POSSIBLE), (Encryption::Settled, TLS_INFO)]
    {
        let mut talk = Talk::new();
        talk.open_raw(&Login::default(), encryption);
        talk.says(info);
        assert_eq!(talk.written(), HELLO, "{encryption:?} {info}");
        assert!(talk.told().is_empty());
    }
}

#[test]
fn tls_that_is_not_offered_ends_before_the_credentials_leave() {
    let mut talk = Talk::new();
    talk.open_raw(&anna(), Encryption::Required);
    talk.says(INFO);
    assert_eq!(talk.written(), "");
    let error = talk.broken();
    assert_eq!((error.kind, error.retryable), (Kind::ConnectFailed, false));
}

#[test]
fn what_is_said_in_plain_after_info_is_not_believed() {
    for more in ["PONG\r\n", "-ERR 'x'\r\n", "INFO {\"headers\":true} \r\n", "MSG a 1 1\r\nx\r\n"] {
        let mut talk = Talk::new();
        talk.open_raw(&anna(), Encryption::OnDemand);
        talk.says(&format!("{TLS_INFO}{more}"));
        let told = talk.told();
        let [Output::Encrypt, Output::Broken(error)] = &told[..] else { panic!("{told:?}") };
        assert_eq!(error.kind, Kind::Protocol);
        assert_eq!(talk.written(), "");
    }
    // Half a line in plain is not the beginning of an encrypted one.
    let mut talk = Talk::new();
    talk.open_raw(&anna(), Encryption::OnDemand);
    talk.says(&format!("{TLS_INFO}PO"));
    let now = talk.now;
    talk.session.handle(now, Input::Encrypted, &mut talk.out);
    talk.says("PONG\r\n");
    assert!(matches!(talk.told()[..], [Output::Encrypt, Output::Up]));
}

#[test]
fn a_silent_server_is_dialed_again_with_tls_first() {
    let mut talk = Talk::new();
    talk.open_raw(&anna(), Encryption::Required);
    let until = talk.session.deadline().unwrap();
    assert_eq!(until, talk.now.mono + Millis(150), "a round trip and what INFO may take");
    talk.passes(149);
    assert!(talk.told().is_empty());
    talk.passes(1);
    assert!(matches!(talk.told()[..], [Output::EncryptFirst]));
    assert_eq!(talk.session.deadline(), None);
    talk.says(TLS_INFO);
    assert_eq!(talk.written(), "", "that socket is given up");
    talk.open_raw(&anna(), Encryption::Settled);
    talk.passes(60_000);
    talk.says(TLS_INFO);
    assert!(talk.written().contains("secret"));
    // A server that is waited for without TLS may be as slow as it likes.
    talk.open_raw(&anna(), Encryption::OnDemand);
    assert_eq!(talk.session.deadline(), None);
}

// ---- producing --------------------------------------------------------------------------------------------------

#[test]
fn produce_with_and_without_id() {
    let (mut talk, route, _) = up();
    talk.publish(route, 0, Some("m-1"), b"{\"id\":1}");
    talk.publish(route, 1, None, b"{\"id\":2}");
    assert_eq!(
        talk.written(),
        "HPUB stations.orders.1 _INBOX.X.0 30 38\r\nNATS/1.0\r\nNats-Msg-Id: m-1\r\n\r\n{\"id\":1}\r\n\
         PUB stations.orders.1 _INBOX.X.1 8\r\n{\"id\":2}\r\n"
    );
    talk.answers("0", "{\"stream\":\"orders\",\"seq\":1}");
    assert_eq!(talk.stored(), [(0, 1, false)]);
    talk.answers("1", "{\"stream\":\"orders\",\"seq\":2}");
    assert_eq!(talk.stored(), [(1, 2, false)]);
}

#[test]
fn every_form_of_a_receipt() {
    let (mut talk, route, _) = up();
    let forms = [
        ("{\"stream\":\"orders\",\"seq\":1,\"duplicate\": true}", 1, true),
        ("{\"stream\":\"orders\", \"seq\":7}", 7, false),
        ("{\"stream\":\"one\",\"domain\":\"hub\",\"seq\":21}", 21, false),
        ("{\"stream\":\"one\",\"domain\":\"hub\",\"seq\":21,\"duplicate\": true}", 21, true),
        ("{\"stream\":\"flags\",\"seq\":7,\"batch\":\"B1\",\"count\":3}", 7, false),
        ("{ \"seq\" : 18014398509481984 , \"stream\":\"a\" }", 18_014_398_509_481_984, false),
    ];
    for (text, sequence, duplicate) in forms {
        talk.publish(route, 3, None, b"x");
        talk.answers("3", text);
        assert_eq!(talk.stored(), [(3, sequence, duplicate)], "{text}");
    }
}

#[test]
fn refusals_of_a_message() {
    let (mut talk, route, _) = up();
    let cases = [
        (10054, "message size exceeds maximum allowed", Kind::TooLarge, false),
        (10077, "maximum messages exceeded", Kind::Rejected, true),
        (10071, "wrong last sequence: 6", Kind::Rejected, false),
        (10109, "invalid operation on sealed stream", Kind::Rejected, false),
    ];
    for (code, text, kind, retryable) in cases {
        talk.publish(route, 0, None, b"x");
        let error = format!("{{\"code\":400,\"err_code\":{code},\"description\":\"{text}\"}}");
        talk.answers("0", &format!("{{\"error\":{error},\"stream\":\"orders\",\"seq\":0}}"));
        let error = talk.refused(0);
        assert_eq!((error.kind, error.retryable), (kind, retryable), "{text}");
        assert_eq!(error.server, Some(ServerCode::Number(code)));
    }
    for text in ["{\"seq\":0,\"stream\":\"a\"}", "ok", "", "{}", "{\"stream\":\"a\",\"seq\":-1}"] {
        talk.publish(route, 0, None, b"x");
        talk.answers("0", text);
        assert_eq!(talk.refused(0).kind, Kind::Protocol, "{text}");
    }
}

#[test]
fn not_stored_for_now_asks_once_whether_the_stream_is_there() {
    let (mut talk, route, _) = up();
    talk.publish(route, 0, None, b"x");
    talk.publish(route, 1, None, b"y");
    talk.written();
    talk.status("0", "503\r\nNats-Subject: stations.orders.1");
    assert!(matches!(talk.told()[..], [Output::NotNow(Slot(0))]));
    let asked = talk.written();
    assert!(asked.starts_with("PUB $JS.API.STREAM.INFO.orders _INBOX.X.I1 0"), "{asked}");
    talk.status("1", "503\r\nNats-Subject: stations.orders.1");
    assert!(matches!(talk.told()[..], [Output::NotNow(Slot(1))]));
    assert_eq!(talk.written(), "", "one question at a time");
    talk.answers("I1", "{\"config\":{\"name\":\"orders\"}}");
    assert!(talk.told().is_empty(), "it is there: a matter of patience");
    talk.status("0", "503");
    talk.told();
    assert!(talk.written().contains("STREAM.INFO.orders _INBOX.X.I2"));
    talk.answers("I2", "{\"error\":{\"code\":404,\"err_code\":10059,\"description\":\"stream not found\"}}");
    let told = talk.told();
    let [Output::RouteLost(lost, error)] = &told[..] else { panic!("{told:?}") };
    assert_eq!((*lost, error.kind, error.station.as_deref()), (route, Kind::NoSuchStation, Some("orders")));
}

#[test]
fn a_late_receipt_does_not_settle_the_slots_next_message() {
    let (mut talk, route, _) = up();
    talk.publish(route, 4, None, b"first");
    talk.session.forget(Slot(4));
    talk.publish(route, 4, None, b"second");
    let written = talk.written();
    assert!(written.contains("_INBOX.X.4 5") && written.contains("_INBOX.X.4-1 6"), "{written}");
    talk.answers("4", "{\"stream\":\"orders\",\"seq\":1}");
    assert!(talk.told().is_empty());
    talk.answers("4-1", "{\"stream\":\"orders\",\"seq\":2}");
    assert_eq!(talk.stored(), [(4, 2, false)]);
}

#[test]
fn no_right_to_publish() {
    let (mut talk, route, feed) = up();
    talk.publish(route, 0, None, b"x");
    talk.says("-ERR 'Permissions Violation for Publish to \"stations.orders.1\"'\r\n");
    let told = talk.told();
    let [Output::RouteLost(lost, error)] = &told[..] else { panic!("{told:?}") };
    assert_eq!((*lost, error.kind), (route, Kind::PermissionDenied));
    let now = talk.now;
    talk.session.request(
        now,
        &mut talk.out,
        WaitId(9),
        &Request { to: "$JS.API.INFO".into(), body: Vec::new(), head: 0, many: false },
    );
    talk.says("-ERR 'Permissions Violation for Publish to \"$JS.API.INFO\"'\r\n");
    let told = talk.told();
    let [Output::Replied(WaitId(9), Err(error))] = &told[..] else { panic!("{told:?}") };
    assert_eq!(error.kind, Kind::PermissionDenied);
    talk.ask(feed, 5, Wait::Standing);
    talk.says("-ERR 'Permissions Violation for Publish to \"$JS.API.CONSUMER.MSG.NEXT.orders.billing\"'\r\n");
    let told = talk.told();
    let [Output::FeedLost(lost, error)] = &told[..] else { panic!("{told:?}") };
    assert_eq!((*lost, error.kind), (feed, Kind::PermissionDenied));
}

// ---- consuming --------------------------------------------------------------------------------------------------

#[test]
fn a_standing_pull_and_its_messages() {
    let (mut talk, _, feed) = up();
    talk.ask(feed, 10, Wait::Standing);
    assert_eq!(
        talk.written(),
        "SUB _INBOX.X.0.1.* 3\r\nPUB $JS.API.CONSUMER.MSG.NEXT.orders.billing _INBOX.X.0.1.1 62\r\n\
         {\"batch\":10,\"expires\":30000000000,\"idle_heartbeat\":5000000000}\r\n"
    );
    let two = "HMSG stations.orders.1 3 $JS.ACK.orders.billing.1.1.1.1795243580359806837.3 30 38\r\nNATS/1.0\r\nNats-Msg-Id: m-1\r\n\r\n{\"id\":1}\r\n\
               MSG stations.orders.1 3 $JS.ACK.orders.billing.2.2.2.1795243580360822863.2 8\r\n{\"id\":2}\r\n";
    talk.says(two);
    let told = talk.told();
    let [Output::Arrived(first), Output::Arrived(second)] = &told[..] else { panic!("{told:?}") };
    assert_eq!((first.feed, first.sequence, first.deliveries), (feed, 1, 1));
    assert_eq!(first.stamp, Wall(1_795_243_580_359_806_837));
    assert_eq!((first.source, text(two, first.head)), (Source::Chunk, "NATS/1.0\r\nNats-Msg-Id: m-1\r\n\r\n"));
    assert_eq!((text(two, second.data), second.deliveries, second.head.len), ("{\"id\":2}", 2, 0));
    assert_eq!(text(two, second.token), "$JS.ACK.orders.billing.2.2.2.1795243580360822863.2");
    assert_eq!(talk.session.asked(feed), 8);
}

#[test]
fn a_message_cut_in_two_lies_in_the_sessions_own_bytes() {
    let whole = "MSG stations.orders.1 3 $JS.ACK.orders.billing.1.1.1.1795243580359806837.3 8\r\n{\"id\":1}\r\n";
    for cut in 1..whole.len() {
        let (mut talk, _, feed) = up();
        talk.ask(feed, 1, Wait::Standing);
        talk.says(&whole[..cut]);
        assert!(talk.told().is_empty());
        talk.says(&whole[cut..]);
        let told = talk.told();
        let Output::Arrived(Arrival { source: Source::Own, data, token, .. }) = told[0] else { panic!("{told:?}") };
        let own = talk.session.own();
        assert_eq!(&own[data.at as usize..][..data.len as usize], b"{\"id\":1}", "cut at {cut}");
        assert_eq!(&own[token.at as usize..][..7], b"$JS.ACK");
    }
}

#[test]
fn what_ends_a_pull() {
    let (mut talk, _, feed) = up();
    talk.ask(feed, 10, Wait::Standing);
    talk.status("0.1.1", "100 Idle Heartbeat\r\nNats-Last-Consumer: 6\r\nNats-Last-Stream: 4");
    assert!(talk.told().is_empty());
    talk.status("0.1.1", "408 Request Timeout\r\nNats-Pending-Messages: 10\r\nNats-Pending-Bytes: 0");
    assert!(matches!(talk.told()[..], [Output::Room(room)] if room == feed));
    assert_eq!(talk.session.asked(feed), 0);
    talk.ask(feed, 4, Wait::For(Millis(500)));
    talk.status("0.1.2", "408 Request Timeout\r\nNats-Pending-Messages: 4\r\nNats-Pending-Bytes: 0");
    assert!(talk.told().iter().any(|output| matches!(output, Output::AskOver(over) if *over == feed)));
    talk.written();
    talk.ask(feed, 4, Wait::No);
    assert!(talk.written().ends_with("{\"batch\":4,\"no_wait\":true}\r\n"));
    talk.status("0.1.3", "404 No Messages");
    assert!(talk.told().iter().any(|output| matches!(output, Output::AskOver(over) if *over == feed)));
    assert_eq!(talk.session.asked(feed), 0);
}

#[test]
fn silence_is_looked_into_and_the_pull_made_again() {
    let (mut talk, _, feed) = up();
    talk.ask(feed, 10, Wait::Standing);
    talk.written();
    talk.passes(9_999);
    assert_eq!(talk.written(), "");
    talk.passes(1);
    assert_eq!(talk.written(), "PUB $JS.API.CONSUMER.INFO.orders.billing _INBOX.X.I1 0\r\n\r\n");
    talk.answers("I1", "{\"name\":\"billing\",\"num_waiting\":0}");
    assert_eq!(talk.written(), "UNSUB 3\r\nPING\r\n");
    talk.passes(1);
    assert_eq!(talk.written(), "", "not before the server knows that the old pull is given up");
    talk.says("PONG\r\n");
    let written = talk.written();
    assert!(written.contains("MSG.NEXT.orders.billing _INBOX.X.0.") && written.contains("\"batch\":10,"), "{written}");
    assert_eq!(talk.session.asked(feed), 10, "nothing was asked for twice");
}

#[test]
fn a_question_about_silence_that_stays_unanswered_is_put_again() {
    let (mut talk, _, feed) = up();
    talk.ask(feed, 10, Wait::Standing);
    talk.passes(10_000);
    assert!(talk.written().contains("CONSUMER.INFO"));
    let mut again = String::new();
    for _ in 0..60 {
        talk.passes(1_000);
        let written = talk.written();
        if written.contains("PING") {
            talk.says("PONG\r\n");
        }
        again += &written;
    }
    assert!(again.contains("CONSUMER.INFO") || again.contains("MSG.NEXT"), "it gave up: {again:?}");
}

#[test]
fn another_leader() {
    let (mut talk, _, feed) = up();
    talk.ask(feed, 10, Wait::Standing);
    talk.written();
    talk.status("0.1.1", "409 Leadership Change");
    assert!(talk.told().is_empty());
    assert_eq!(talk.written(), "UNSUB 3\r\nPING\r\n");
    // What the old subscription still brings is one of the ten.
    talk.says("MSG stations.orders.1 3 $JS.ACK.orders.billing.1.1.1.1795243580359806837.3 1\r\nx\r\nPONG\r\n");
    talk.passes(250);
    assert!(talk.written().contains("{\"batch\":9,"), "the rest again within a quarter of a second");
    assert_eq!(talk.session.asked(feed), 9);
}

#[test]
fn a_group_that_is_gone() {
    for (code, status) in
        [(10014, "409 Consumer Deleted"), (10059, "503\r\nNats-Subject: $JS.API.CONSUMER.MSG.NEXT.orders.billing")]
    {
        let (mut talk, _, feed) = up();
        talk.ask(feed, 10, Wait::Standing);
        talk.written();
        talk.status("0.1.1", status);
        assert!(talk.written().contains("CONSUMER.INFO.orders.billing _INBOX.X.I1"), "{status}");
        talk.answers(
            "I1",
            &format!("{{\"error\":{{\"code\":404,\"err_code\":{code},\"description\":\"not found\"}}}}"),
        );
        let told = talk.told();
        let Some(Output::FeedLost(lost, error)) = told.last() else { panic!("{told:?}") };
        assert_eq!(
            (*lost, error.kind, error.server.clone()),
            (feed, Kind::NoSuchStation, Some(ServerCode::Number(code)))
        );
        assert_eq!(talk.session.asked(feed), 0);
    }
}

#[test]
fn everything_one_can_say_about_a_message() {
    let (mut talk, _, feed) = up();
    let token = b"$JS.ACK.orders.billing.1.4.4.1795243580361498761.0";
    let now = talk.now;
    let verdicts = [
        (Verdict::Ack, "+ACK"),
        (Verdict::Nack, "-NAK"),
        (Verdict::Delay(Millis(500)), "-NAK {\"delay\":500000000}"),
        (Verdict::Bury("not an\r\norder".into()), "+TERM not an  order"),
        (Verdict::Extend(None), "+WPI"),
    ];
    for (verdict, body) in verdicts {
        talk.session.settle(now, &mut talk.out, feed, token, &verdict, None);
        let text = String::from_utf8_lossy(token);
        assert_eq!(talk.written(), format!("PUB {text} {}\r\n{body}\r\n", body.len()));
    }
    talk.session.settle(now, &mut talk.out, feed, token, &Verdict::Ack, Some(WaitId(11)));
    assert!(talk.written().contains(" _INBOX.X.Rb 4\r\n+ACK"));
    talk.answers("Rb", "");
    let told = talk.told();
    assert!(matches!(&told[..], [Output::Replied(WaitId(11), Ok(reply))] if reply.status == 0), "{told:?}");
}

#[test]
fn nothing_reaches_a_closed_feed_and_late_messages_go_back() {
    let (mut talk, _, feed) = up();
    talk.ask(feed, 10, Wait::Standing);
    let now = talk.now;
    talk.session.close_feed(now, &mut talk.out, feed);
    assert!(talk.written().ends_with("UNSUB 3\r\nPING\r\n"));
    let late = "MSG stations.orders.1 3 $JS.ACK.orders.billing.1.1.1.1795243580359806837.3 1\r\nx\r\n";
    talk.says(late);
    assert!(talk.told().is_empty());
    assert_eq!(talk.written(), "PUB $JS.ACK.orders.billing.1.1.1.1795243580359806837.3 4\r\n-NAK\r\n");
    // The next feed with the same number is another one: its subscription too.
    let again = talk.session.open_feed(now, &mut talk.out, &spec());
    assert_eq!(again, feed);
    talk.ask(again, 1, Wait::Standing);
    let written = talk.written();
    assert!(written.starts_with("SUB _INBOX.X.0.") && !written.contains("* 3\r\n"), "{written}");
    talk.says(late);
    assert!(talk.told().is_empty(), "meant for the feed before");
}

#[test]
fn a_new_link_starts_from_nothing() {
    let (mut talk, route, feed) = up();
    talk.ask(feed, 10, Wait::Standing);
    talk.publish(route, 0, None, b"x");
    talk.written();
    let now = talk.now;
    talk.session.handle(now, Input::Closed, &mut talk.out);
    talk.told();
    assert_eq!(talk.session.asked(feed), 0, "the pulls died with the link");
    talk.random = [9; 8];
    talk.open(&Login::default());
    talk.says(&format!("{INFO}PONG\r\n"));
    assert!(talk.written().contains("SUB _INBOX.X.* 1"), "with an inbox of its own");
    let told = talk.told();
    assert!(matches!(told[..], [Output::Up, Output::Room(room)] if room == feed), "{told:?}");
    talk.ask(feed, 10, Wait::Standing);
    assert!(talk.written().starts_with("SUB _INBOX.X.0."));
}

#[test]
fn questions_and_answers() {
    let (mut talk, ..) = up();
    let now = talk.now;
    let question = Request { to: "$JS.API.STREAM.INFO.orders".into(), body: b"{}".to_vec(), head: 0, many: false };
    talk.session.request(now, &mut talk.out, WaitId(36), &question);
    assert_eq!(talk.written(), "PUB $JS.API.STREAM.INFO.orders _INBOX.X.R10 2\r\n{}\r\n");
    talk.status("R10", "503\r\nNats-Subject: $JS.API.STREAM.INFO.orders");
    let told = talk.told();
    assert!(matches!(&told[..], [Output::Replied(WaitId(36), Ok(reply))] if reply.status == 503), "{told:?}");
}

#[test]
fn what_there_is_no_code_for_yet_is_put_off() {
    const DENIED: &str = "-ERR 'Permissions Violation for Publish to \"elsewhere\"'\r\n";
    let begun = || {
        let (mut talk, route, _) = up();
        talk.session.begin_plain();
        for slot in 0..3 {
            talk.publish(route, slot, None, b"x");
        }
        talk.status("0", "503");
        talk.answers("1", r#"{"error":{"code":503,"err_code":10077,"description":"maximum messages exceeded"}}"#);
        talk.answers("2", r#"{"stream":"orders","seq":1}"#);
        talk.says(DENIED);
        let told = talk.told();
        assert!(matches!(told[..], [Output::Odd, Output::Stored { slot: Slot(2), .. }]), "said once: {told:?}");
        talk
    };
    let go_on = |talk: &mut Talk| {
        let now = talk.now;
        talk.session.odd(now, &mut talk.out);
        talk.told()
    };
    let mut talk = begun();
    let told = go_on(&mut talk);
    assert!(matches!(told[..], [Output::NotNow(Slot(0)), Output::Refused(Slot(1), _), Output::Remark(_)]), "{told:?}");
    talk.says(DENIED);
    assert!(matches!(talk.told()[..], [Output::Remark(_)]), "from then on at once");
    // Of a link that is gone it means nothing.
    let mut talk = begun();
    let now = talk.now;
    talk.session.handle(now, Input::Closed, &mut talk.out);
    assert!(go_on(&mut talk).is_empty());
    // The code could not be had: what comes next asks for it again. A server that says it for ever fills nothing.
    let mut talk = begun();
    talk.session.begin_plain();
    talk.says(&DENIED.repeat(100_000));
    assert!(matches!(talk.told()[..], [Output::Odd]));
    assert!((10_000..50_000).contains(&go_on(&mut talk).len()));
}

// ---- the registry of schemas ------------------------------------------------------------------------------------

const WATCH: &str = "SUB $KV.stationmaster_schemas.> 0\r\n";

#[test]
fn the_registry_is_listened_to_once_a_link_and_only_where_somebody_wants_to_know() {
    let (mut talk, ..) = up();
    let watch = |talk: &mut Talk| talk.session.watch_registry(&mut talk.out);
    assert!(!talk.written().contains("$KV"));
    watch(&mut talk);
    watch(&mut talk);
    assert_eq!(talk.written(), WATCH);
    // A user who may not listen does without.
    talk.says("-ERR 'Permissions Violation for Subscription to \"$KV.stationmaster_schemas.>\"'\r\n");
    assert!(talk.told().is_empty(), "the link lives");
    let now = talk.now;
    talk.session.handle(now, Input::Closed, &mut talk.out);
    talk.written();
    talk.open(&Login::default());
    talk.says(INFO);
    assert!(!talk.written().contains("$KV"), "not before the login");
    talk.says("PONG\r\n");
    assert_eq!(talk.written(), WATCH);
}

#[test]
fn news_of_the_registry_wherever_the_bytes_are_cut() {
    let said = "MSG $KV.stationmaster_schemas.person 0 _INBOX.Z.1 7\r\n{\"v\":3}\r\n\
                HMSG $KV.stationmaster_schemas.person 0 31 31\r\nNATS/1.0\r\nKV-Operation: DEL\r\n\r\n\r\n\
                MSG $KV.stationmaster_schemas._station.a#b 0 6\r\nperson\r\n\
                MSG $KV.stationmaster_schemas._station.a 0 0\r\n\r\n";
    let person = |version| News::Schema { name: "person".into(), version };
    let station = |name: &str, schema: &str| News::Station { name: name.into(), schema: schema.into() };
    let wanted = vec![person(3), person(0), station("a.b", "person"), station("a", "")];
    for cut in 0..=said.len() {
        let (mut talk, ..) = up();
        talk.session.watch_registry(&mut talk.out);
        let (first, second) = said.split_at(cut);
        let mut news = Vec::new();
        for part in [first, second] {
            talk.says(part);
            for output in talk.told() {
                let Output::Registry(heard) = output else { panic!("{output:?}") };
                news.push(heard);
            }
        }
        assert_eq!(news, wanted, "cut at {cut}");
    }
}

// ---- the stage --------------------------------------------------------------------------------------------------

struct Talk {
    session: NatsSession,
    out: Outbox,
    now: Now,
    random: [u8; 8],
}

fn place() -> Place {
    Place { station: "orders".into(), partition: 1, store: "orders".into(), address: "stations.orders.1".into() }
}

fn spec() -> FeedSpec {
    FeedSpec { place: place(), group: "billing".into(), auto_ack: false, ack_time: Millis(30_000) }
}

/// A session that is logged in, with a route and a feed.
fn up() -> (Talk, RouteId, FeedId) {
    let mut talk = Talk::new();
    talk.open(&Login::default());
    talk.says(&format!("{INFO}PONG\r\n"));
    talk.written();
    talk.told();
    let route = talk.session.open_route(&place());
    let now = talk.now;
    let feed = talk.session.open_feed(now, &mut talk.out, &spec());
    assert_eq!(talk.written(), "", "reading begins with the first ask");
    (talk, route, feed)
}

impl Talk {
    fn new() -> Talk {
        let json = JsonReader(|bytes| serde_json::from_slice(bytes).ok());
        Talk {
            session: NatsSession::new(json, "$JS.API"),
            out: Outbox::default(),
            now: Now { mono: Time(50_000), wall: Wall(1_795_243_580_000_000_000) },
            random: [7; 8],
        }
    }

    fn open(&mut self, login: &Login) {
        self.open_raw(login, Encryption::Settled);
    }

    /// The same on a socket of raw TCP, a round trip of 30 ms away.
    fn open_raw(&mut self, login: &Login, encryption: Encryption) {
        let input = Input::Opened { login, encryption, took: Millis(30), random: self.random };
        self.session.handle(self.now, input, &mut self.out);
    }

    fn gets(&mut self, bytes: &[u8]) {
        self.session.handle(self.now, Input::Chunk(bytes), &mut self.out);
    }

    /// The server's words, with this link's inbox in place of `_INBOX.X`.
    fn says(&mut self, text: &str) {
        let text = text.replace("_INBOX.X", &self.inbox());
        self.gets(text.as_bytes());
    }

    fn answers(&mut self, name: &str, body: &str) {
        self.says(&format!("MSG _INBOX.X.{name} 1 {}\r\n{body}\r\n", body.len()));
    }

    fn status(&mut self, name: &str, text: &str) {
        // What goes to a feed's pulls comes by the feed's subscription.
        let sid = if name.contains('.') { 3 } else { 1 };
        let head = format!("NATS/1.0 {text}\r\n\r\n");
        self.says(&format!("HMSG _INBOX.X.{name} {sid} {len} {len}\r\n{head}\r\n", len = head.len()));
    }

    fn passes(&mut self, millis: u64) {
        self.now.mono = self.now.mono + Millis(millis);
        self.session.handle(self.now, Input::Tick, &mut self.out);
    }

    /// What has been written since the last look.
    fn written(&mut self) -> String {
        self.out.release_acks();
        String::from_utf8(self.out.take(Vec::new())).unwrap().replace(&self.inbox(), "_INBOX.X")
    }

    fn told(&mut self) -> Vec<Output> {
        std::iter::from_fn(|| self.session.poll()).collect()
    }

    fn inbox(&self) -> String {
        format!("_INBOX.{}", random_id(self.random))
    }

    fn publish(&mut self, route: RouteId, slot: u32, msg_id: Option<&str>, data: &[u8]) {
        let mut message = Vec::new();
        let head = self
            .session
            .encode(&Draft { producer: "p", headers: &[], msg_id, data, times: Default::default() }, &mut message)
            .unwrap();
        self.session.publish(self.now, &mut self.out, route, Slot(slot), &message, head);
    }

    fn ask(&mut self, feed: FeedId, messages: u32, wait: Wait) {
        self.session.ask(self.now, &mut self.out, feed, Ask { messages, bytes: 0, wait });
    }

    fn stored(&mut self) -> Vec<(u32, u64, bool)> {
        let receipt = |output| match output {
            Output::Stored { slot, sequence, duplicate } => (slot.0, sequence, duplicate),
            other => panic!("{other:?}"),
        };
        self.told().into_iter().map(receipt).collect()
    }

    fn refused(&mut self, slot: u32) -> Error {
        match self.told().pop() {
            Some(Output::Refused(found, error)) if found == Slot(slot) => error,
            other => panic!("{other:?}"),
        }
    }

    fn broken(&mut self) -> Error {
        let mut told = self.told();
        match (told.pop(), told.len()) {
            (Some(Output::Broken(error)), 0) => error,
            other => panic!("{other:?}"),
        }
    }
}

fn text(bytes: &str, span: stationmaster::link::session::Span) -> &str {
    &bytes[span.at as usize..][..span.len as usize]
}
