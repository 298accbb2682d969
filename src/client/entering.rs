//! A broker with a part of its own enters when the part is there: its session and its operations take over.
//!
//! One function a part, each in it: so nothing of this is in what a page loads first.

use super::driver::Driver;
use crate::brokers::{self, Ops};
use crate::link::exchange::Exchange;
use crate::link::session::Session;
use std::rc::Rc;

impl Driver {
    /// The broker inside this package.
    #[inline(never)]
    pub(super) fn enter_memory(self: &Rc<Self>) {
        self.take_over(|| brokers::enter_memory(&self.setting, self.runtime.clone(), Exchange(self.clone())));
    }

    /// A Memphis broker.
    #[inline(never)]
    pub(super) fn enter_memphis(self: &Rc<Self>) {
        self.take_over(|| brokers::enter_memphis(&*self.runtime, Exchange(self.clone())));
    }

    #[inline(always)]
    fn take_over(self: &Rc<Self>, make: impl FnOnce() -> (Box<dyn Session>, Ops)) {
        if self.ops.borrow().is_none() && !self.core.borrow().is_over() {
            let (session, ops) = make();
            self.core.borrow_mut().enter(session);
            *self.ops.borrow_mut() = Some(ops);
        }
    }
}
