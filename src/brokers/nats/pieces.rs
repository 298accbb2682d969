//! Dead letters that are too large: with the headers that say where it comes from, a message may be larger than the server
//! takes, or its header block longer.
//!
//! Among the station's dead such a letter lies in pieces, none of which is lost when the message itself goes. Put together
//! they are its header block and its payload:
//!
//! ```text
//! n    X-Dead-Piece: 1                                               the end
//! n+1  X-Dead-Reason ... X-Dead-Head: <bytes of the block>, X-Dead-Rest: n   the beginning; this one is the letter
//! ```
//!
//! In the station named for dead letters, which others read, a copy is one message: it goes without what fits least.

use super::api::Api;
use super::browse;
use super::dead::Target;
use super::head;
use crate::base::bytes::parse_decimal;
use crate::base::error::{Error, Kind};
use crate::base::limits;
use crate::base::time::Time;
use crate::brokers::dead::{self, Death, Kept, Letter};
use crate::brokers::terms::{Done, Stored, Walk};
use crate::link::session::Draft;

/// Into how many pieces it is cut, and how many bytes of the text given stay: one after the other, until it fits. Two do,
/// unless the server takes little.
const CUTS: [(usize, usize); 4] = [(2, limits::REASON_MAX), (4, SHORT), (8, SHORT), (32, 0)];

/// What is left of the text where there is little room.
const SHORT: usize = 100;

/// Store a letter in pieces.
pub(super) async fn store(api: &Api, target: &Target<'_>, death: &Death, id: &str, until: Time) -> Done<()> {
    let own = death.own();
    let headers: Vec<_> = own.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
    let (whole, head) = head::copy(&Draft {
        producer: "",
        headers: &headers,
        msg_id: None,
        data: &death.data,
        times: Default::default(),
    });
    let mut last = None;
    for (count, text) in CUTS {
        let mut rest = None;
        let mut failed = None;
        let size = whole.len().div_ceil(count).max(1);
        // The end first: each piece names the one after it, and without the first there is no letter.
        for (index, piece) in whole.chunks(size).enumerate().rev() {
            let mut headers = match index {
                0 => death.place(text),
                _ => vec![(dead::PIECE.into(), index.to_string())],
            };
            if index == 0 {
                headers.push((dead::HEAD.into(), head.to_string()));
            }
            headers.extend(rest.map(|rest: u64| (dead::REST.into(), rest.to_string())));
            let id = if index == 0 { id.into() } else { format!("{id}:{index}/{count}") };
            match target.store(api, &headers, Some(&id), piece, until).await {
                Ok((sequence, _)) => rest = Some(sequence),
                Err(error) if error.kind == Kind::TooLarge => failed = Some(error),
                Err(error) => return Err(error),
            }
            if failed.is_some() {
                break;
            }
        }
        match failed {
            None => return Ok(()),
            failed => last = failed,
        }
    }
    Err(last.unwrap_or_else(|| Error::new(Kind::TooLarge, "the dead letter does not fit in pieces either")))
}

/// Store a copy that lacks what does not fit: the text, the application's headers, the payload, in this order.
pub(super) async fn store_less(api: &Api, target: &Target<'_>, death: &Death, id: &str, until: Time) -> Done<()> {
    let cuts: [(&str, bool, &[u8]); 3] =
        [("text", true, &death.data), ("text, headers", false, &death.data), ("text, headers, payload", false, b"")];
    let mut last = None;
    for (cut, keeps, data) in cuts {
        let mut headers = death.place(SHORT);
        headers.push((dead::CUT.into(), cut.into()));
        if keeps {
            headers.extend(death.own());
        }
        match target.store(api, &headers, Some(id), data, until).await {
            Err(error) if error.kind == Kind::TooLarge => last = Some(error),
            other => return other.map(|_| ()),
        }
    }
    last.map_or(Ok(()), Err)
}

/// What lies among the dead as the letter it is; `None` if it is a piece of another one, or one of its own pieces is gone.
pub(super) async fn letter(api: &Api, walk: &Walk, stored: Stored, station: &str) -> Done<Option<Letter>> {
    let mut headers = head::visible(&stored.head);
    let mut data = stored.data;
    let mut rest = Vec::new();
    if text(&headers, dead::PIECE).is_some() {
        return Ok(None);
    }
    if let Some(block) = number(&headers, dead::HEAD) {
        let mut next = number(&headers, dead::REST);
        while let Some(sequence) = next.filter(|sequence| *sequence < stored.sequence && rest.len() < 64) {
            let mut one = Walk { next: sequence, last: sequence, ..walk.clone() };
            let Some(piece) = browse::page(api, &mut one, 1).await?.into_iter().next() else { return Ok(None) };
            let said = head::visible(&piece.head);
            if text(&said, dead::PIECE).is_none() {
                return Ok(None);
            }
            data.extend_from_slice(&piece.data);
            rest.push(sequence);
            next = number(&said, dead::REST);
        }
        let Some((own, payload)) = usize::try_from(block).ok().and_then(|block| data.split_at_checked(block)) else {
            return Ok(None);
        };
        headers.extend(head::visible(own));
        data = payload.to_vec();
    }
    let kept = Kept { number: stored.sequence, stamp: stored.stamp, headers, data };
    Ok(Some(Letter { rest, ..Letter::read(kept, station) }))
}

fn text<'a>(headers: &'a [(String, String)], name: &str) -> Option<&'a str> {
    headers.iter().find(|(other, _)| other == name).map(|(_, value)| value.as_str())
}

fn number(headers: &[(String, String)], name: &str) -> Option<u64> {
    parse_decimal(text(headers, name)?.as_bytes())
}
