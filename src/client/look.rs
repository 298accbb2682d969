//! Looking at what is stored, partition by partition, a page at a time.
//!
//! Knows no broker and no promise; nothing on the broker knows of a look.

use super::options::Browse;
use crate::base::error::Error;
use crate::base::limits;
use crate::brokers::Ops;
use crate::brokers::terms::{Stored, Walk};
use std::collections::VecDeque;

/// One look through a station.
#[derive(Debug)]
pub struct Look {
    walks: VecDeque<Walk>,
    /// How many messages more are wanted.
    left: u64,
}

impl Look {
    /// Begin: what is there now is what will be read.
    pub async fn begin(ops: &Ops, station: &str, options: &Browse) -> Result<Look, Error> {
        let walks = ops.walks(station, options.start, options.partition).await?;
        Ok(Look { walks: walks.into(), left: options.limit })
    }

    /// The next messages; none where it is over.
    pub async fn next(&mut self, ops: &Ops) -> Result<Vec<Stored>, Error> {
        while let Some(walk) = self.walks.front_mut().filter(|_| self.left > 0) {
            let most = u32::try_from(self.left).unwrap_or(u32::MAX).min(limits::PAGE_MESSAGES);
            let found = ops.page(walk, most).await?;
            if walk.is_over() {
                self.walks.pop_front();
            }
            if !found.is_empty() {
                self.left = self.left.saturating_sub(found.len() as u64);
                return Ok(found);
            }
        }
        Ok(Vec::new())
    }
}
