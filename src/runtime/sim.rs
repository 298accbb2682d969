//! The simulated outside world: a virtual clock, seeded randomness, an executor, and a network that can be cut,
//! slowed down, frozen and halved. Everything that happens follows from the seed, so a failure can be repeated.
//!
//! Knows no broker: what answers at the other end is a [`Host`] that the test brings along. Used by tests only; the
//! package never contains it.

mod random;
mod tasks;
mod world;

pub use random::Random;
pub use world::{Host, Network, Said, World};

use super::{Dial, Facts, Loading, Part, Runtime, Task};
use crate::base::time::{Now, Time};
use crate::base::value::JsonReader;
use std::cell::RefCell;
use std::rc::Rc;
use world::Inner;

/// One connection's view of the simulated world.
///
/// Without a [`World`] around it (see [`SimRuntime::new`]) nothing answers: dials, sends and the timer are recorded,
/// and the test plays the outside world by handing events to the connection itself.
#[derive(Clone)]
pub struct SimRuntime {
    inner: Rc<RefCell<Inner>>,
    port: usize,
}

impl SimRuntime {
    /// A runtime of its own, with a clock that only [`SimRuntime::advance`] moves. The reader of JSON is an argument,
    /// since the library itself contains none for native code.
    pub fn new(json: JsonReader) -> SimRuntime {
        World::new(1, json).runtime()
    }

    pub(crate) fn at(inner: Rc<RefCell<Inner>>, port: usize) -> SimRuntime {
        SimRuntime { inner, port }
    }

    /// The number of this connection in its world.
    pub fn port(&self) -> usize {
        self.port
    }

    /// The world it belongs to.
    pub fn world(&self) -> World {
        World::of(self.inner.clone())
    }

    /// Move both clocks forward, without delivering anything.
    pub fn advance(&self, millis: u64) {
        self.inner.borrow_mut().advance(millis);
    }

    /// Set what the platform says about itself.
    pub fn set_facts(&self, facts: Facts) {
        self.inner.borrow_mut().ports[self.port].facts = facts;
    }

    /// Every dial so far: generation and address.
    pub fn dials(&self) -> Vec<(u32, String)> {
        self.inner.borrow().ports[self.port].dials.clone()
    }

    /// What was sent since the last call, one element a send.
    pub fn take_sent(&self) -> Vec<Vec<u8>> {
        std::mem::take(&mut self.inner.borrow_mut().ports[self.port].sent)
    }

    /// How many sends there were so far, and how many bytes they had.
    pub fn sent(&self) -> (u64, u64) {
        let inner = self.inner.borrow();
        (inner.ports[self.port].sends, inner.ports[self.port].sent_bytes)
    }

    /// How often the socket has been closed from this side.
    pub fn hang_ups(&self) -> u64 {
        self.inner.borrow().ports[self.port].hang_ups
    }

    /// When the timer fires.
    pub fn timer(&self) -> Option<Time> {
        self.inner.borrow().ports[self.port].timer
    }

    /// Whether the end of the turn has to be announced; asking takes the wish back.
    pub fn take_deferred(&self) -> bool {
        std::mem::take(&mut self.inner.borrow_mut().ports[self.port].deferred)
    }

    /// Run every task that is ready, without letting time pass.
    pub fn run_tasks(&self) {
        self.world().run_tasks();
    }
}

impl Runtime for SimRuntime {
    fn now(&self) -> Now {
        self.inner.borrow().now
    }

    fn random(&self, into: &mut [u8]) {
        let mut inner = self.inner.borrow_mut();
        for byte in into {
            *byte = inner.random.below(256) as u8;
        }
    }

    fn facts(&self) -> Facts {
        self.inner.borrow().ports[self.port].facts
    }

    fn json(&self) -> JsonReader {
        self.inner.borrow().json
    }

    fn dial(&self, dial: Dial<'_>) {
        self.inner.borrow_mut().dial(self.port, dial.generation, dial.url);
    }

    fn send(&self, generation: u32, bytes: &[u8], _more: bool) {
        self.inner.borrow_mut().send(self.port, generation, bytes);
    }

    fn encrypt(&self, generation: u32) {
        self.inner.borrow_mut().encrypt(self.port, generation);
    }

    fn hang_up(&self, generation: u32) {
        self.inner.borrow_mut().hang_up(self.port, generation);
    }

    fn arm(&self, at: Option<Time>) {
        self.inner.borrow_mut().ports[self.port].timer = at;
    }

    fn defer(&self) {
        self.inner.borrow_mut().ports[self.port].deferred = true;
    }

    fn spawn(&self, task: Task) {
        self.inner.borrow_mut().tasks.add(task.0);
    }

    fn part(&self, _: Part) -> Option<Loading> {
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::time::Millis;
    use crate::runtime::Event;

    /// Sends everything back, twice if asked, and hangs up on "bye".
    #[derive(Default)]
    struct Echo {
        said: Vec<Said>,
        gone: Vec<u32>,
    }

    impl Host for Echo {
        fn opened(&mut self, _: Now, link: u32) {
            self.said.push(Said::Bytes { link, bytes: b"hello".to_vec() });
        }
        fn bytes(&mut self, _: Now, link: u32, bytes: &[u8]) {
            self.said.push(if bytes == b"bye" {
                Said::HangUp { link, reason: "bye".into() }
            } else {
                Said::Bytes { link, bytes: bytes.to_vec() }
            });
        }
        fn gone(&mut self, _: Now, link: u32) {
            self.gone.push(link);
        }
        fn tick(&mut self, _: Now) {}
        fn deadline(&self) -> Option<Time> {
            None
        }
        fn poll(&mut self) -> Option<Said> {
            (!self.said.is_empty()).then(|| self.said.remove(0))
        }
    }

    fn no_json() -> JsonReader {
        JsonReader(|_| None)
    }

    /// A connection to an echo, with what it is told.
    struct Stage {
        world: World,
        runtime: SimRuntime,
        log: Rc<RefCell<Vec<String>>>,
        echo: Rc<RefCell<Echo>>,
    }

    fn stage(seed: u64, network: Network) -> Stage {
        let world = World::new(seed, no_json());
        world.set_network(network);
        let echo = Rc::new(RefCell::new(Echo::default()));
        world.listen("ws://echo", echo.clone());
        let runtime = world.runtime();
        let log = Rc::new(RefCell::new(Vec::new()));
        let seen = log.clone();
        let clock = runtime.clone();
        world.attach(&runtime, move |event| {
            let text = match event {
                Event::Opened { generation } => format!("opened {generation}"),
                Event::Encrypted { generation } => format!("encrypted {generation}"),
                Event::Chunk { bytes, .. } => format!("{}", String::from_utf8_lossy(bytes)),
                Event::Closed { generation, .. } => format!("closed {generation}"),
                Event::Timer => format!("timer {}", clock.now().mono.0),
                Event::Deferred => "deferred".into(),
                Event::Awake => "awake".into(),
            };
            seen.borrow_mut().push(text);
        });
        Stage { world, runtime, log, echo }
    }

    fn dial(runtime: &SimRuntime, generation: u32, url: &str) {
        runtime.dial(Dial { generation, url, name: "", encrypted: false });
    }

    #[test]
    fn a_dial_an_answer_and_a_turn() {
        let Stage { world, runtime, log, .. } = stage(1, Network::default());
        dial(&runtime, 1, "ws://echo/x");
        runtime.defer();
        world.run_for(Millis(10));
        runtime.send(1, b"one", false);
        runtime.arm(Some(Time(runtime.now().mono.0 + 500)));
        world.run_for(Millis(1000));
        runtime.send(1, b"bye", false);
        world.run_for(Millis(10));
        let timer = format!("timer {}", 1_000_510);
        assert_eq!(*log.borrow(), ["deferred", "opened 1", "hello", "one", &timer, "closed 1"]);
        assert_eq!(runtime.sent(), (2, 6));
    }

    #[test]
    fn nobody_listens() {
        let Stage { world, runtime, log, .. } = stage(1, Network::default());
        dial(&runtime, 7, "ws://elsewhere");
        world.run_for(Millis(10));
        assert_eq!(*log.borrow(), ["closed 7"]);
    }

    #[test]
    fn half_a_link_is_silent_and_a_cut_one_tells_both() {
        let Stage { world, runtime, log, echo } = stage(3, Network::default());
        dial(&runtime, 1, "ws://echo");
        world.run_for(Millis(10));
        world.half_open(&runtime);
        runtime.send(1, b"lost", false);
        world.run_for(Millis(60_000));
        assert_eq!(*log.borrow(), ["opened 1", "hello"]);
        world.cut(&runtime);
        world.run_for(Millis(10));
        assert_eq!(log.borrow().last().map(String::as_str), Some("closed 1"));
        assert_eq!(echo.borrow().gone, [1]);
    }

    #[test]
    fn chunks_are_cut_but_whole_and_in_order() {
        let Stage { world, runtime, log, .. } = stage(5, Network { latency: (0, 9), cuts: 900, ..Network::default() });
        dial(&runtime, 1, "ws://echo");
        world.run_for(Millis(100));
        for text in ["abcdefghij", "klmnopqrst", "uvwxyz"] {
            runtime.send(1, text.as_bytes(), false);
        }
        world.run_for(Millis(1000));
        let all: String = log.borrow().iter().skip(1).map(String::as_str).collect();
        assert_eq!(all, "helloabcdefghijklmnopqrstuvwxyz");
        assert!(log.borrow().len() > 5, "nothing was cut");
    }

    #[test]
    fn frozen_pages_hear_everything_afterwards() {
        let Stage { world, runtime, log, .. } = stage(5, Network::default());
        dial(&runtime, 1, "ws://echo");
        world.run_for(Millis(10));
        runtime.arm(Some(runtime.now().mono + Millis(100)));
        world.freeze(&runtime, Millis(5000));
        runtime.send(1, b"x", false);
        world.run_for(Millis(4000));
        assert_eq!(log.borrow().len(), 2);
        world.run_for(Millis(2000));
        assert_eq!(log.borrow()[2..], ["awake".to_string(), "x".into(), format!("timer {}", 1_005_010)]);
    }

    #[test]
    fn futures_run_on_virtual_time() {
        let world = World::new(5, no_json());
        let runtime = world.runtime();
        let waiting: Rc<RefCell<Option<std::task::Waker>>> = Rc::default();
        let fired = Rc::new(std::cell::Cell::new(false));
        let (waker, flag) = (waiting.clone(), fired.clone());
        world.attach(&runtime, move |_| {
            flag.set(true);
            waker.take().unwrap().wake();
        });
        runtime.arm(Some(runtime.now().mono + Millis(50)));
        let future = std::future::poll_fn(move |context| {
            *waiting.borrow_mut() = Some(context.waker().clone());
            if fired.get() { std::task::Poll::Ready(7) } else { std::task::Poll::Pending }
        });
        let done = world.run(Millis(1000), future);
        assert_eq!(done, Some(7));
        assert_eq!(runtime.now().mono, Time(1_000_050));
    }

    #[test]
    fn two_links_of_one_connection() {
        let Stage { world, runtime, log, echo } = stage(1, Network::default());
        dial(&runtime, 1, "ws://echo");
        dial(&runtime, 2, "ws://echo");
        world.run_for(Millis(10));
        runtime.send(1, b"one", false);
        runtime.send(2, b"two", false);
        world.run_for(Millis(10));
        runtime.encrypt(2);
        runtime.hang_up(1);
        runtime.send(1, b"lost", false);
        runtime.send(2, b"three", false);
        world.run_for(Millis(10));
        assert_eq!(log.borrow()[4..], ["one", "two", "encrypted 2", "three"]);
        assert_eq!(echo.borrow().gone, [1]);
    }
}
