//! The stream beside a station's own in which its dead letters lie: what it is called, whether it is there, its end.
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

/// Its one subject.
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

/// Remove it, along with its station.
pub async fn remove(api: &Api, station: &str) -> Done<()> {
    if look(api, station).await?.is_none() {
        return Ok(());
    }
    match api.ask(&format!("STREAM.DELETE.{}", stream(station)), Vec::new()).await {
        Err(refusal) if refusal.code() != 10059 => Err(refusal.error(station)),
        _ => Ok(()),
    }
}
