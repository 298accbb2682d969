//! Logging in with a key: what stands in a seed, a JWT and a `.creds` file, and the signature that proves who we are.
//!
//! Source: jetstream.md section 1.4. No error shows anything of a seed. What is decoded here is overwritten when it goes.
//!
//! Knows no session. Everything in here is used by those who log in with a key only: it must have been loaded (see
//! [`ready`]) before [`prove`] is called.

use crate::base::error::Error;
use crate::base::secret::Secret;
use crate::base::value::{JsonReader, Value};
use crate::link::session::Login;
use ed25519_dalek::{Signer, SigningKey};
use zeroize::Zeroizing;

/// What `CONNECT` says to prove the login; empty where the login needs no proof.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Proof {
    /// The public key, where there is no JWT that says it.
    pub key: Option<String>,
    /// The signature over the server's nonce.
    pub signature: Option<String>,
}

/// The prefix byte of a seed, and of the public keys of which a seed may be the private half, with what they are called.
const SEED: u8 = 18 << 3;
const USER: u8 = 20 << 3;
const KINDS: [(u8, &str); 6] = [
    (USER, "a user"),
    (0, "an account"),
    (14 << 3, "an operator"),
    (13 << 3, "a server"),
    (2 << 3, "a cluster"),
    (23 << 3, "a curve key"),
];

const SEED_HINT: &str = "A user's seed is 58 characters long and begins with SU; nsc and nk print it, and a .creds file has it in its second block.";

/// Check what the application gave and bring it into the form in which [`prove`] takes it: the text of a `.creds` file
/// becomes JWT and seed.
#[inline(never)]
pub fn ready(mut login: Login, json: JsonReader) -> Result<Login, Error> {
    if let Some(creds) = login.creds.take() {
        let (jwt, seed) = split(creds.reveal())?;
        login.jwt = Some(jwt);
        login.seed = Some(seed);
    }
    let public = match &login.seed {
        Some(seed) => Some(public_key(&key(seed.reveal())?)),
        None => None,
    };
    if let Some(jwt) = &mut login.jwt {
        *jwt = jwt.trim_ascii().into();
        let claims = claims(jwt, json)?;
        let subject = claims.get("sub").text().unwrap_or_default();
        if !subject.starts_with('U') {
            return Err(Error::argument("the JWT is not a user's")
                .hint("Give the JWT of a user; those of accounts and operators belong to the server."));
        }
        if public.is_some_and(|public| public != subject) {
            return Err(Error::argument("the JWT and the seed are not of the same user")
                .hint("The seed has to be the one the JWT was made for: take both from one .creds file."));
        }
    }
    Ok(login)
}

/// Prove that the seed is ours, by signing what the server came up with. A server that asks for no proof gives no nonce.
#[inline(never)]
pub fn prove(login: &Login, nonce: Option<&str>) -> Result<Proof, Error> {
    let (Some(seed), Some(nonce)) = (&login.seed, nonce) else { return Ok(Proof::default()) };
    let key = key(seed.reveal())?;
    let signature = base64url(&key.sign(nonce.as_bytes()).to_bytes());
    Ok(Proof { key: login.jwt.is_none().then(|| public_key(&key)), signature: Some(signature) })
}

/// The two blocks of a `.creds` file.
fn split(text: &str) -> Result<(String, Secret), Error> {
    let hint =
        "creds is the text of a .creds file: a user JWT and a user's seed, each between its BEGIN and END lines.";
    let wrong = |what: &str| Err(Error::argument(format!("creds {what}")).hint(hint));
    let (mut jwt, mut seed) = (None, None);
    let mut lines = text.lines().map(str::trim_ascii).filter(|line| !line.is_empty()).peekable();
    while let Some(line) = lines.next() {
        let Some(title) = line.strip_prefix("-----BEGIN ") else { continue };
        let title = title.trim_end_matches('-');
        let body = lines.next_if(|line| !line.starts_with("---"));
        // The last line end, and even the last line, may be missing: what stands in the block tells whether it is whole.
        let closed = lines.peek().is_none_or(|line| line.starts_with("---"));
        match body {
            None => return wrong("has an empty block in it, or ends in the middle of one"),
            Some(_) if !closed => return wrong("has a block of several lines in it"),
            Some(body) if title.ends_with("JWT") => jwt = Some(body.to_string()),
            Some(body) if title.ends_with("SEED") => seed = Some(Secret::new(body.into())),
            Some(_) => {}
        }
    }
    match (jwt, seed) {
        (Some(jwt), Some(seed)) => Ok((jwt, seed)),
        (Some(_), None) => wrong("has no seed in it: its second block is missing"),
        (None, Some(_)) => wrong("has no JWT in it: its first block is missing"),
        (None, None) => wrong("has no BEGIN line in it: it is not the text of a .creds file"),
    }
}

/// What a JWT says. The server checks its signature; here it only has to be a JWT.
fn claims(jwt: &str, json: JsonReader) -> Result<Value, Error> {
    let wrong = || {
        Error::argument("the JWT is not one, or not a whole one")
            .hint("A JWT is three parts of letters, digits, '-' and '_' with dots between; the text of a .creds file goes into creds.")
    };
    let mut parts = jwt.split('.');
    let (Some(_), Some(body), Some(signature), None) = (parts.next(), parts.next(), parts.next(), parts.next()) else {
        return Err(wrong());
    };
    // Of an Ed25519 signature, that is: one that was cut is shorter.
    if unbase64url(signature).is_none_or(|bytes| bytes.len() != 64) {
        return Err(wrong());
    }
    let value = unbase64url(body).and_then(|body| json.read(&body));
    value.filter(|value| matches!(value, Value::Map(_))).ok_or_else(wrong)
}

/// The key behind a user's seed.
fn key(seed: &str) -> Result<SigningKey, Error> {
    let wrong = |what: String| Error::argument(format!("the seed {what}")).hint(SEED_HINT);
    let text = seed.trim_ascii();
    if !text.starts_with('S') {
        let what = match text.chars().next() {
            Some('P') => "is a private key in another form",
            Some('U' | 'A' | 'O' | 'N' | 'C' | 'X') if text.len() == 56 => "is a public key",
            _ => "does not begin with SU",
        };
        return Err(wrong(what.into()));
    }
    if text.len() != 58 {
        return Err(wrong(format!("is {} characters long, not 58", text.len())));
    }
    let Some(bytes) = unbase32(text.as_bytes()) else {
        return Err(wrong("has characters in it that are none of A to Z and 2 to 7".into()));
    };
    let parts = (bytes.get(..34), bytes.get(34..36), bytes.get(2..34).and_then(|raw| <&[u8; 32]>::try_from(raw).ok()));
    let (Some(all), Some(&[low, high]), Some(raw)) = parts else {
        return Err(wrong("is not 36 bytes long".into()));
    };
    if crc16(all) != u16::from_le_bytes([low, high]) {
        return Err(wrong("is misspelt: its checksum is wrong".into()));
    }
    let (top, bottom) = (bytes.first().copied().unwrap_or(0), bytes.get(1).copied().unwrap_or(0));
    let kind = (top & 7) << 5 | bottom >> 3;
    if top & 0xf8 != SEED || kind != USER {
        let kind = KINDS.iter().find(|(byte, _)| *byte == kind).map_or("something else", |(_, kind)| kind);
        return Err(wrong(format!("is that of {kind}, not of a user")));
    }
    Ok(SigningKey::from_bytes(raw))
}

/// A user's public key as text.
fn public_key(key: &SigningKey) -> String {
    let mut bytes = vec![USER];
    bytes.extend_from_slice(key.verifying_key().as_bytes());
    bytes.extend_from_slice(&crc16(&bytes).to_le_bytes());
    base32(&bytes)
}

/// CRC-16/XMODEM.
fn crc16(bytes: &[u8]) -> u16 {
    let mut crc = 0u16;
    for byte in bytes {
        crc ^= u16::from(*byte) << 8;
        for _ in 0..8 {
            crc = if crc & 0x8000 == 0 { crc << 1 } else { crc << 1 ^ 0x1021 };
        }
    }
    crc
}

/// The digits of a text in groups of `width` bits, as bytes; `None` if one is no digit. Overwritten when dropped.
fn gather(text: &[u8], width: u32, digit: fn(u8) -> Option<u8>) -> Option<Zeroizing<Vec<u8>>> {
    let mut bytes = Zeroizing::new(Vec::with_capacity(text.len()));
    let (mut held, mut count) = (0u32, 0u32);
    for letter in text {
        held = held << width | u32::from(digit(*letter)?);
        count = count.saturating_add(width);
        if count >= 8 {
            count = count.saturating_sub(8);
            bytes.push((held >> count) as u8);
            held &= (1u32 << count).saturating_sub(1);
        }
    }
    Some(bytes)
}

/// Bytes as digits of `width` bits, the last one filled up with zeros.
fn spread(bytes: &[u8], width: u32, digits: &[u8]) -> String {
    let mut text = String::new();
    let (mut held, mut count) = (0u32, 0u32);
    let mut push = |digit: u32| text.push(char::from(digits.get(digit as usize).copied().unwrap_or(b'?')));
    for byte in bytes {
        held = held << 8 | u32::from(*byte);
        count = count.saturating_add(8);
        while count >= width {
            count = count.saturating_sub(width);
            push(held >> count);
            held &= (1u32 << count).saturating_sub(1);
        }
    }
    if count > 0 {
        push(held << width.saturating_sub(count));
    }
    text
}

const BASE32: &[u8; 32] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZ234567";
const BASE64URL: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";

fn base32(bytes: &[u8]) -> String {
    spread(bytes, 5, BASE32)
}

fn base64url(bytes: &[u8]) -> String {
    spread(bytes, 6, BASE64URL)
}

fn unbase32(text: &[u8]) -> Option<Zeroizing<Vec<u8>>> {
    gather(text, 5, |letter| match letter {
        b'A'..=b'Z' => Some(letter.wrapping_sub(b'A')),
        b'2'..=b'7' => Some(letter.wrapping_sub(b'2').wrapping_add(26)),
        _ => None,
    })
}

fn unbase64url(text: &str) -> Option<Zeroizing<Vec<u8>>> {
    gather(text.as_bytes(), 6, |letter| match letter {
        b'A'..=b'Z' => Some(letter.wrapping_sub(b'A')),
        b'a'..=b'z' => Some(letter.wrapping_sub(b'a').wrapping_add(26)),
        b'0'..=b'9' => Some(letter.wrapping_sub(b'0').wrapping_add(52)),
        b'-' => Some(62),
        b'_' => Some(63),
        _ => None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::error::Kind;
    use proptest::prelude::*;

    /// The first test of RFC 8032, section 7.1: the empty message.
    const RAW: &str = "9d61b19deffd5a60ba844af492ec2cc44449c5697b326919703bac031cae7f60";
    const SIGNED: &str = "e5564300c360ac729086e2cc806e828a84877f1eb8e5d974d873e065224901555fb8821590a33bacc61e39701cf9b46bd25bf5f0595bbe24655141438e7a100b";
    /// The same key as nkeys writes it.
    const SEED: &str = "SUAJ2YNRTXX72WTAXKCEV5ES5QWMIRCJYVUXWMTJDFYDXLADDSXH6YALCA";
    const PUBLIC: &str = "UDLVVGABQKYQVN6VJP7NHSLEA45A5YLS6PNKMIZFV4BBU2HXA5IRUVAL";
    const NONCE: &str = "abcDEF-_0123456";
    const NONCE_SIGNED: &str = "yD1RG9KZLxQs6hBoW9L4FixtMP3UOXtlHOQzMJKQRzYPfu4ZKMOgfiQf-3W0VgY9xHAEQw7mzvdAlGSLRNghDA";

    const JSON: JsonReader = JsonReader(|text| serde_json::from_slice(text).ok());

    fn hex(text: &str) -> Vec<u8> {
        (0..text.len()).step_by(2).map(|at| u8::from_str_radix(&text[at..at + 2], 16).unwrap()).collect()
    }

    /// A JWT as the server would take it, but for the signature.
    fn jwt(subject: &str) -> String {
        let part = |text: &str| base64url(text.as_bytes());
        let claims = format!("{{\"sub\":\"{subject}\",\"nats\":{{\"type\":\"user\"}}}}");
        format!("{}.{}.{}", part("{\"alg\":\"ed25519-nkey\"}"), part(&claims), base64url(&[7; 64]))
    }

    fn creds() -> String {
        format!(
            "-----BEGIN NATS USER JWT-----\n{}\n------END NATS USER JWT------\n\n*** IMPORTANT ***\nNKEYs are secret.\n\n-----BEGIN USER NKEY SEED-----\n{SEED}\n------END USER NKEY SEED------\n***\n",
            jwt(PUBLIC)
        )
    }

    fn login(jwt: Option<&str>, seed: Option<&str>, creds: Option<&str>) -> Login {
        let secret = |text: Option<&str>| text.map(|text| Secret::new(text.into()));
        Login { jwt: jwt.map(String::from), seed: secret(seed), creds: secret(creds), ..Login::default() }
    }

    fn refused(login: Login) -> Error {
        let error = ready(login, JSON).unwrap_err();
        assert_eq!((error.kind, error.retryable), (Kind::InvalidArgument, false), "{error}");
        assert!(error.hint.is_some());
        assert!(!format!("{error:?}").contains(&SEED[10..30]), "the seed is in the error: {error:?}");
        error
    }

    #[test]
    fn rfc_8032() {
        for (raw, message, signed) in [
            (RAW, "", SIGNED),
            (
                "4ccd089b28ff96da9db6c346ec114e0f5b8a319f35aba624da8cf6ed4fb8a6fb",
                "72",
                "92a009a9f0d4cab8720e820b5f642540a2b27b5416503f8fb3762223ebdb69da085ac1e43e15996e458f3613d0f11d8c387b2eaeb4302aeeb00d291612bb0c00",
            ),
            (
                "c5aa8df43f9f837bedb7442f31dcb7b166d38535076f094b85ce3a2e0b4458f7",
                "af82",
                "6291d657deec24024827e69c3abe01a30ce548a284743a445e3680d7db5ac3ac18ff9b538d16f290ae67f760984dc6594a7c15e9716ed28dc027beceea1ec40a",
            ),
        ] {
            let key = SigningKey::from_bytes(&hex(raw).try_into().unwrap());
            assert_eq!(key.sign(&hex(message)).to_bytes().to_vec(), hex(signed), "{raw}");
        }
    }

    #[test]
    fn what_nkeys_writes_is_read() {
        let key = key(SEED).unwrap();
        assert_eq!(key.to_bytes().to_vec(), hex(RAW));
        assert_eq!(public_key(&key), PUBLIC);
        let proof = prove(&login(None, Some(SEED), None), Some(NONCE)).unwrap();
        assert_eq!((proof.key.as_deref(), proof.signature.as_deref()), (Some(PUBLIC), Some(NONCE_SIGNED)));
        let proof = prove(&login(Some("a.b.c"), Some(SEED), None), Some(NONCE)).unwrap();
        assert_eq!((proof.key, proof.signature.as_deref()), (None, Some(NONCE_SIGNED)));
        assert_eq!(prove(&login(None, Some(SEED), None), None), Ok(Proof::default()));
    }

    #[test]
    fn checksums_and_digits() {
        assert_eq!(crc16(b"123456789"), 0x31c3);
        for (bytes, text) in
            [("", ""), ("f", "MY"), ("fo", "MZXQ"), ("foo", "MZXW6"), ("foob", "MZXW6YQ"), ("fooba", "MZXW6YTB")]
        {
            assert_eq!(base32(bytes.as_bytes()), text);
            assert_eq!(unbase32(text.as_bytes()).unwrap().as_slice(), bytes.as_bytes());
        }
        assert_eq!(base64url(&[0xfb, 0xff]), "-_8");
        assert!(unbase32(b"A1").is_none() && unbase32(b"a").is_none() && unbase64url("A+").is_none());
    }

    #[test]
    fn a_creds_file_is_split() {
        let text = creds();
        for text in [
            text.clone(),
            text.replace('\n', "\r\n"),
            text.trim_end().into(),
            text[..text.find("------END USER").unwrap()].into(),
            text[..text.find("\n------END USER").unwrap()].into(),
        ] {
            let login = ready(login(None, None, Some(&text)), JSON).unwrap();
            assert_eq!((login.jwt, login.creds), (Some(jwt(PUBLIC)), None));
            assert_eq!(login.seed.as_ref().map(Secret::reveal), Some(SEED));
        }
    }

    #[test]
    fn half_a_file_is_refused() {
        let text = creds();
        let says = |text: &str, what: &str| {
            let error = refused(login(None, None, Some(text)));
            assert!(error.text.contains(what), "{error}");
        };
        says("", "no BEGIN line");
        says("/home/me/.nsc/app.creds", "no BEGIN line");
        says(&text[..text.find("-----BEGIN USER").unwrap()], "no seed");
        says(&text[text.find("-----BEGIN USER").unwrap()..], "no JWT");
        says(&text[..text.find(SEED).unwrap()], "middle");
        says(&text[..text.find(SEED).unwrap() + 30], "30 characters");
        says(&text[..200], "no seed");
        says(&text.replace(&jwt(PUBLIC), "x"), "JWT");
        says(&text.replace(SEED, &SEED.replace('J', "K")), "checksum");
        says(&text.replace(SEED, &format!("{}\n{}", &SEED[..29], &SEED[29..])), "several lines");
        // Cut anywhere, it is good or refused, and the seed is never shown.
        for end in 0..text.len() {
            if ready(login(None, None, Some(&text[..end])), JSON).is_err() {
                refused(login(None, None, Some(&text[..end])));
            }
        }
    }

    #[test]
    fn the_wrong_key_is_named() {
        for (seed, what) in [
            ("SAAJ2YNRTXX72WTAXKCEV5ES5QWMIRCJYVUXWMTJDFYDXLADDSXH6YHY3Q", "that of an account"),
            ("SOAJ2YNRTXX72WTAXKCEV5ES5QWMIRCJYVUXWMTJDFYDXLADDSXH6YFUVY", "that of an operator"),
            ("SNAJ2YNRTXX72WTAXKCEV5ES5QWMIRCJYVUXWMTJDFYDXLADDSXH6YFXBM", "that of a server"),
            ("SCAJ2YNRTXX72WTAXKCEV5ES5QWMIRCJYVUXWMTJDFYDXLADDSXH6YH2DI", "that of a cluster"),
            ("SXAJ2YNRTXX72WTAXKCEV5ES5QWMIRCJYVUXWMTJDFYDXLADDSXH6YAIWU", "that of a curve key"),
            (PUBLIC, "a public key"),
            (
                "PCOWDMM5576VUYF2QRFPJEXMFTCEISOFNF5TE2IZOA52YAY4VZ7WBV22TAAYFMIKW7KUX7WTZFSAOOQO4FZPHWVGEMS26AQ2ND3QOUI2TPMQ",
                "a private key",
            ),
            ("", "begin with SU"),
            ("SU", "2 characters"),
            (&SEED.to_lowercase(), "begin with SU"),
            (&SEED.replace('2', "1"), "characters in it"),
            (&SEED.replace("YALCA", "YBLCA"), "checksum"),
        ] {
            let error = refused(login(None, Some(seed), None));
            assert!(error.text.contains(what), "{error}, not {what}");
        }
        assert!(ready(login(None, Some(&format!(" {SEED}\r\n")), None), JSON).is_ok());
    }

    #[test]
    fn a_jwt_has_to_be_the_users_own() {
        assert!(ready(login(Some(&jwt(PUBLIC)), Some(SEED), None), JSON).is_ok());
        assert!(ready(login(Some(&jwt("UABC")), None, None), JSON).is_ok());
        assert!(refused(login(Some(&jwt("UABC")), Some(SEED), None)).text.contains("same user"));
        assert!(refused(login(Some(&jwt("AABC")), None, None)).text.contains("not a user's"));
        let whole = jwt(PUBLIC);
        for cut in ["", "a.b", "a.b.c", "a.b.c.d", &whole[..whole.len() - 9], &whole[..90]] {
            assert!(refused(login(Some(cut), None, None)).text.contains("JWT"), "{cut}");
        }
    }

    proptest! {
        #[test]
        fn digits_round_trip(bytes: Vec<u8>) {
            prop_assert_eq!(unbase32(base32(&bytes).as_bytes()).unwrap().to_vec(), bytes.clone());
            prop_assert_eq!(unbase64url(&base64url(&bytes)).unwrap().to_vec(), bytes);
        }

        #[test]
        fn no_text_is_too_odd(text in "(-----BEGIN [A-Z ]{0,9}(JWT|SEED)-----[\r\n]{1,2})?[ -~\n]{0,80}") {
            let _ = ready(login(None, None, Some(&text)), JSON);
            let _ = ready(login(Some(&text), Some(&text), None), JSON);
        }
    }
}
