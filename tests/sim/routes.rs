//! The way between a client's node and the node that leads, in a cluster.
//!
//! Subscriptions, questions and pulls reach the leader late, and what it sends reaches the client's node late. Whoever
//! does not listen there any more by then does not get it, though the leader counts it as delivered. As observed on a
//! cluster of nats-server 2.15.1.

use crate::streams::Parcel;
use stationmaster::base::time::{Millis, Time};
use stationmaster::runtime::sim::Random;
use std::collections::{BTreeMap, VecDeque};

/// A question or a pull on its way to the leader.
pub struct Question {
    pub link: u32,
    pub subject: String,
    pub body: String,
    pub reply: String,
}

/// A subscription, as the leader sees it.
struct Interest {
    link: u32,
    subject: String,
    from: Time,
    until: Option<Time>,
}

/// The ways of all links. Each takes the same time for everything, so nothing overtakes anything.
pub struct Routes {
    longest: u64,
    random: Random,
    ways: BTreeMap<u32, Millis>,
    interest: Vec<Interest>,
    questions: VecDeque<(Time, Question)>,
    parcels: Vec<(Time, Parcel)>,
}

impl Routes {
    /// Ways of up to so many milliseconds.
    pub fn new(seed: u64, longest: u64) -> Routes {
        Routes {
            longest,
            random: Random::new(seed),
            ways: BTreeMap::new(),
            interest: Vec::new(),
            questions: VecDeque::new(),
            parcels: Vec::new(),
        }
    }

    fn way(&mut self, link: u32) -> Millis {
        let (longest, random) = (self.longest, &mut self.random);
        *self.ways.entry(link).or_insert_with(|| Millis(random.below(longest + 1)))
    }

    pub fn subscribed(&mut self, now: Time, link: u32, subject: &str) {
        let from = now + self.way(link);
        self.interest.push(Interest { link, subject: subject.into(), from, until: None });
    }

    /// A subscription of a link has ended, or all of them.
    pub fn unsubscribed(&mut self, now: Time, link: u32, subject: Option<&str>) {
        let until = now + self.way(link);
        self.interest.retain(|interest| interest.until.is_none_or(|until| until > now));
        let meant = |interest: &&mut Interest| {
            interest.link == link && subject.is_none_or(|subject| interest.subject == subject)
        };
        for interest in self.interest.iter_mut().filter(meant).filter(|interest| interest.until.is_none()) {
            interest.until = Some(until);
        }
    }

    /// The links through which the leader believes that somebody listens to this.
    pub fn listeners(&self, now: Time, subject: &str) -> Vec<u32> {
        let heard = |interest: &&Interest| {
            interest.from <= now
                && interest.until.is_none_or(|until| until > now)
                && crate::server::matches(&interest.subject, subject)
        };
        self.interest.iter().filter(heard).map(|interest| interest.link).collect()
    }

    pub fn ask(&mut self, now: Time, question: Question) {
        let at = now + self.way(question.link);
        let place = self.questions.partition_point(|(other, _)| *other <= at);
        self.questions.insert(place, (at, question));
    }

    /// A question that has arrived at the leader.
    pub fn asked(&mut self, now: Time) -> Option<Question> {
        self.questions.front().is_some_and(|(at, _)| *at <= now).then(|| self.questions.pop_front())?.map(|(_, q)| q)
    }

    /// The leader sends these: a copy through each link that listens.
    pub fn send(&mut self, now: Time, parcels: Vec<Parcel>) {
        for parcel in parcels {
            for link in self.listeners(now, &parcel.inbox) {
                let at = now + self.way(link);
                let place = self.parcels.partition_point(|(other, _)| *other <= at);
                self.parcels.insert(place, (at, Parcel { link, ..parcel.clone() }));
            }
        }
    }

    /// What has arrived at the nodes of those it is for.
    pub fn arrived(&mut self, now: Time) -> Vec<Parcel> {
        let count = self.parcels.partition_point(|(at, _)| *at <= now);
        self.parcels.drain(..count).map(|(_, parcel)| parcel).collect()
    }

    pub fn deadline(&self) -> Option<Time> {
        let question = self.questions.front().map(|(at, _)| *at);
        question.into_iter().chain(self.parcels.first().map(|(at, _)| *at)).min()
    }
}
