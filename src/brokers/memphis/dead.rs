//! Dead letters: the delivery is ended, then the broker is told, which keeps the letter (memphis.md section 2.11).

use super::{Ops, control, names};
use crate::base::bytes::lossy;
use crate::base::error::{Error, Kind};
use crate::base::limits;
use crate::base::time::Millis;
use crate::brokers::dead::Death;
use crate::brokers::terms::Done;
use crate::policy::redelivery::Cause;

/// Record a death.
pub async fn bury(ops: &Ops, death: &Death) -> Done<()> {
    let reason = match &death.cause {
        Cause::Rejected(reason) => reason.as_str(),
        Cause::Deliveries => "max deliveries",
        Cause::Schema(_) => return super::schemas::failed(ops, death).await,
    };
    end(ops, death).await?;
    // A report without a partition ends the broker.
    if death.partition == 0 || !is_partitioned(death) {
        return Ok(());
    }
    let whole = |value: u64| i64::try_from(value).unwrap_or(i64::MAX);
    let body = super::super::nats::api::Body::default()
        .text("station_name", &names::internal(&death.station))
        .text("error", reason)
        .number("partition", i64::from(death.partition))
        .text("cg_name", &death.group)
        .number("seq", whole(death.sequence));
    control::tell(ops, "nacked_dls", body).await
}

/// The delivery's token names the stream it came from.
fn is_partitioned(death: &Death) -> bool {
    let token = lossy(&death.token);
    token.split('.').any(|part| part == names::stream(&death.station, death.partition))
}

/// Have the broker deliver it never again, and say so.
async fn end(ops: &Ops, death: &Death) -> Done<()> {
    let to = lossy(&death.token);
    let exchange = ops.api.exchange();
    let until = exchange.0.now().mono + death.limit;
    let mut pause = limits::NOT_NOW_FIRST;
    loop {
        let failed = match ops.api.publish(&to, b"+TERM".to_vec(), 0, limits::REQUEST).await {
            Ok(reply) if reply.status == 0 => return Ok(()),
            Ok(_) => Error::new(Kind::Timeout, "the broker did not record the dead letter in time")
                .hint("The message comes again when its ack time is over."),
            Err(error) => error,
        };
        if failed.kind != Kind::Timeout || exchange.0.now().mono + pause >= until {
            return Err(failed.at(&death.station));
        }
        exchange.pause(pause).await;
        pause = Millis(pause.0.saturating_mul(2)).min(limits::NOT_NOW_MAX);
    }
}
