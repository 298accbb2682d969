//! The streams beside a station's own in which its dead letters lie, and what the server tells of deaths: what they are
//! called, whether they are there, their end.
//!
//! Source: jetstream.md section 5.2. Knows nothing of what lies in it.

use super::api::Api;
use super::names;
use crate::base::value::Value;
use crate::brokers::terms::Done;

/// Name of the stream of a station's dead.
pub fn stream(station: &str) -> String {
    format!("{}$dls", names::token(station))
}

/// Name of the stream of what the server itself tells of deaths.
pub fn notices(station: &str) -> String {
    format!("DLADV_{}", names::token(station))
}

/// The one subject of the station's dead.
pub fn subject(station: &str) -> String {
    format!("stations.{}.dls", names::token(station))
}

/// What the server says about it; `None` if there is none, or it is somebody else's.
pub async fn look(api: &Api, station: &str) -> Done<Option<Value>> {
    match api.ask(&format!("STREAM.INFO.{}", stream(station)), Vec::new()).await {
        Ok(info) => {
            let subject = subject(station);
            let ours = info.get("config").get("subjects").elements().iter().any(|one| one.text() == Some(&subject));
            Ok(ours.then_some(info))
        }
        Err(refusal) if refusal.code() == 10059 => Ok(None),
        Err(refusal) => Err(refusal.error(station)),
    }
}

/// Remove them, along with their station.
pub async fn remove(api: &Api, station: &str) -> Done<()> {
    let told = api.begin(&format!("STREAM.INFO.{}", notices(station)), Vec::new());
    if look(api, station).await?.is_some() {
        match api.ask(&format!("STREAM.DELETE.{}", stream(station)), Vec::new()).await {
            Err(refusal) if refusal.code() != 10059 => return Err(refusal.error(station)),
            _ => {}
        }
    }
    // Few stations have one, and few users the right to ask about it.
    if let Ok(info) = told.answer().await
        && info.get("config").get("metadata").get("stationmaster.dls_of").text() == Some(station)
    {
        match api.ask(&format!("STREAM.DELETE.{}", notices(station)), Vec::new()).await {
            Err(refusal) if refusal.code() != 10059 => return Err(refusal.error(station)),
            _ => {}
        }
    }
    Ok(())
}
