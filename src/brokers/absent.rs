//! The session of a broker whose part has not been loaded: it does nothing and says nothing.

use crate::base::error::Error;
use crate::base::time::{Now, Time};
use crate::link::live::{AskId, Live, LiveDraft, SubId};
use crate::link::outbox::Outbox;
use crate::link::session::{
    Ask, Draft, FeedId, FeedSpec, Input, Output, Place, Request, RouteId, ServerFacts, Session, Slot, Verdict, WaitId,
};

/// See the module.
pub struct Absent;

impl Live for Absent {
    fn subscribe(&mut self, _: Now, _: &mut Outbox, _: SubId, _: &str, _: &str) {}

    fn unsubscribe(&mut self, _: Now, _: &mut Outbox, _: SubId) {}

    fn encode(&self, _: &LiveDraft<'_>, _: &mut Vec<u8>) -> Result<u32, Error> {
        Ok(0)
    }

    fn send(&mut self, _: Now, _: &mut Outbox, _: &str, _: Option<AskId>, _: &[u8], _: u32) {}

    fn confirm(&mut self, _: &mut Outbox) {}
}

impl Session for Absent {
    fn handle(&mut self, _: Now, _: Input<'_>, _: &mut Outbox) {}

    fn poll(&mut self) -> Option<Output> {
        None
    }

    fn has_output(&self) -> bool {
        false
    }

    fn deadline(&self) -> Option<Time> {
        None
    }

    fn own(&self) -> &[u8] {
        &[]
    }

    fn server(&self) -> ServerFacts {
        ServerFacts::default()
    }

    fn watch_registry(&mut self, _: &mut Outbox) {}

    fn probe(&mut self, _: Now, _: &mut Outbox) {}

    fn open_route(&mut self, _: &Place) -> RouteId {
        RouteId(0)
    }

    fn close_route(&mut self, _: RouteId) {}

    fn encode(&self, _: &Draft<'_>, _: &mut Vec<u8>) -> Result<u32, Error> {
        Ok(0)
    }

    fn header<'a>(&self, _head: &'a [u8], _name: &str) -> Option<&'a [u8]> {
        None
    }

    fn publish(&mut self, _: Now, _: &mut Outbox, _: RouteId, _: Slot, _: &[u8], _: u32) {}

    fn forget(&mut self, _: Slot) {}

    fn open_feed(&mut self, _: Now, _: &mut Outbox, _: &FeedSpec) -> FeedId {
        FeedId(0)
    }

    fn close_feed(&mut self, _: Now, _: &mut Outbox, _: FeedId) {}

    fn ask(&mut self, _: Now, _: &mut Outbox, _: FeedId, _: Ask) {}

    fn asked(&self, _: FeedId) -> u32 {
        0
    }

    fn withdraw(&mut self, _: Now, _: &mut Outbox, _: FeedId) {}

    fn settle(&mut self, _: Now, _: &mut Outbox, _: FeedId, _: &[u8], _: &Verdict, _: Option<WaitId>) {}

    fn live(&mut self) -> &mut dyn Live {
        self
    }

    fn unconfirmed(&self) -> u64 {
        0
    }

    fn request(&mut self, _: Now, _: &mut Outbox, _: WaitId, _: &Request) {}
}
