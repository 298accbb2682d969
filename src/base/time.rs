//! Time as values. Nothing in this crate above `runtime` reads a clock: the time is always an argument.

use std::ops::Add;

/// A moment on the monotonic clock, in milliseconds since an arbitrary beginning.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Time(pub u64);

/// A span of time in milliseconds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Millis(pub u64);

/// A moment on the wall clock, in nanoseconds since 1970-01-01T00:00:00Z; brokers stamp messages with it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Wall(pub u64);

/// Both clocks at one moment: one for waiting, one for time stamps.
#[derive(Clone, Copy, Debug)]
pub struct Now {
    /// The monotonic clock.
    pub mono: Time,
    /// The wall clock.
    pub wall: Wall,
}

impl Time {
    /// The span from `earlier` to here, or nothing if `earlier` is later.
    pub fn since(self, earlier: Time) -> Millis {
        Millis(self.0.saturating_sub(earlier.0))
    }
}

impl Add<Millis> for Time {
    type Output = Time;
    fn add(self, span: Millis) -> Time {
        Time(self.0.saturating_add(span.0))
    }
}

impl Millis {
    /// Half of the span.
    pub fn half(self) -> Millis {
        Millis(self.0 >> 1)
    }

    /// The same span in nanoseconds, the unit of JetStream's JSON (jetstream.md section 0).
    pub fn nanos(self) -> u64 {
        self.0.saturating_mul(1_000_000)
    }
}

/// The earlier of two optional moments, where `None` means never.
pub fn earliest(a: Option<Time>, b: Option<Time>) -> Option<Time> {
    match (a, b) {
        (Some(a), Some(b)) => Some(a.min(b)),
        (a, b) => a.or(b),
    }
}

/// RFC 3339 text in UTC with nanosecond digits, as JetStream's `opt_start_time` wants it.
pub fn rfc3339(at: Wall) -> String {
    let nanos = at.0 % 1_000_000_000;
    let seconds = at.0 / 1_000_000_000;
    let (days, of_day) = (seconds / 86_400, seconds % 86_400);
    let (year, month, day) = civil(days);
    format!("{year:04}-{month:02}-{day:02}T{:02}:{:02}:{:02}.{nanos:09}Z", of_day / 3600, of_day / 60 % 60, of_day % 60)
}

/// The moment of an RFC 3339 text in UTC, to the nanosecond; `None` if it is not one.
pub fn parse_rfc3339(text: &str) -> Option<Wall> {
    let number = |from: usize, to: usize| text.get(from..to)?.parse::<u64>().ok();
    let (year, month, day) = (number(0, 4)?, number(5, 7)?, number(8, 10)?);
    let (hour, minute, second) = (number(11, 13)?, number(14, 16)?, number(17, 19)?);
    if !text.ends_with('Z') || !(1..=12).contains(&month) || !(1..=31).contains(&day) || year < 1970 {
        return None;
    }
    let fraction = text.get(19..text.len().saturating_sub(1))?;
    let nanos = match fraction.strip_prefix('.') {
        Some(digits) => {
            let mut value = 0;
            for at in 0..9 {
                let digit = digits.as_bytes().get(at).copied().unwrap_or(b'0');
                value = value * 10 + u64::from(digit.checked_sub(b'0').filter(|d| *d < 10)?);
            }
            value
        }
        None if fraction.is_empty() => 0,
        None => return None,
    };
    let days = (1970..year).map(|y| if leap(y) { 366 } else { 365 }).sum::<u64>()
        + (1..month).map(|m| month_days(year, m)).sum::<u64>()
        + day
        - 1;
    let seconds = days.checked_mul(86_400)?.checked_add(hour * 3600 + minute * 60 + second)?;
    seconds.checked_mul(1_000_000_000)?.checked_add(nanos).map(Wall)
}

/// Year, month and day of a count of days since 1970-01-01.
fn civil(mut days: u64) -> (u64, u64, u64) {
    let mut year = 1970;
    loop {
        let length = if leap(year) { 366 } else { 365 };
        if days < length {
            break;
        }
        days -= length;
        year += 1;
    }
    let mut month = 1;
    while days >= month_days(year, month) {
        days -= month_days(year, month);
        month += 1;
    }
    (year, month, days + 1)
}

fn leap(year: u64) -> bool {
    year.is_multiple_of(4) && !year.is_multiple_of(100) || year.is_multiple_of(400)
}

fn month_days(year: u64, month: u64) -> u64 {
    match month {
        2 if leap(year) => 29,
        2 => 28,
        4 | 6 | 9 | 11 => 30,
        _ => 31,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn writes_and_reads_moments() {
        let at = Wall(1_795_243_580_360_822_863);
        assert_eq!(rfc3339(at), "2026-11-21T06:46:20.360822863Z");
        assert_eq!(parse_rfc3339(&rfc3339(at)), Some(at));
        assert_eq!(
            parse_rfc3339("2026-11-21T06:46:20.3614Z"),
            Some(Wall(1_795_243_580_361_400_000)),
            "no zeros at the end"
        );
        assert_eq!(parse_rfc3339("2024-02-29T23:59:59Z"), Some(Wall(1_709_251_199_000_000_000)));
        assert_eq!(parse_rfc3339("2026-11-21 06:46"), None);
        assert_eq!(parse_rfc3339("9999-01-01T00:00:00Z"), None, "beyond what nanoseconds hold");
    }

    #[test]
    fn earliest_takes_none_as_never() {
        assert_eq!(earliest(None, Some(Time(3))), Some(Time(3)));
        assert_eq!(earliest(Some(Time(2)), Some(Time(3))), Some(Time(2)));
        assert_eq!(earliest(None, None), None);
    }
}
