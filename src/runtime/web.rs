//! The package's runtime: the platform's WebSocket, timer, clocks and randomness, in a page, a Worker, Node, Deno or Bun.
//!
//! Every closure that the platform calls is made once a connection or once a socket, never once a message, and goes
//! through the shell's `guard`, which notices a trap.

pub(crate) mod plain;
mod socket;

use super::{Dial, Event, Facts, Loading, Part, Runtime, Task};
use crate::base::error::{Error, Kind};
use crate::base::time::{Now, Time, Wall};
use crate::base::value::JsonReader;
use gloo_timers::callback::Timeout;
use js_sys::{Function, Promise, Reflect};
use socket::Socket;
use std::cell::{Cell, OnceCell, RefCell};
use std::rc::{Rc, Weak};
use wasm_bindgen::prelude::*;
use wasm_bindgen_futures::JsFuture;

/// The allocator of the module: faster than the standard library's, in half of its code. (Its smaller sibling takes 0.6 KB less
/// and a tenth longer.)
#[global_allocator]
static MEMORY: rlsf::GlobalTlsf = rlsf::GlobalTlsf::new();

#[wasm_bindgen]
extern "C" {
    #[wasm_bindgen(js_name = queueMicrotask)]
    fn queue_microtask(task: &Function);
}

/// Who gets the events; the chunk is the platform's own buffer, for views of it.
pub(crate) type Listener = Box<dyn Fn(Event<'_>, &JsValue)>;

/// What the application gave along.
pub(crate) struct Hooks {
    /// Wraps a function so that a trap in it is noticed.
    pub guard: Function,
    /// Is told of every socket that is used.
    pub live: Function,
    /// `open(url, name, encrypted)` opens what is not the platform's WebSocket: raw TCP, or whatever the application's
    /// factory makes.
    pub open: Function,
    /// The application has a factory.
    pub own: bool,
    /// Loads the part of this name: a promise, or undefined if it is there.
    pub part: Function,
}

/// One connection's outside world.
pub(crate) struct WebRuntime {
    hooks: Hooks,
    listener: OnceCell<Listener>,
    me: Weak<WebRuntime>,
    /// By generation.
    sockets: RefCell<Vec<(u32, Socket)>>,
    timer: RefCell<Option<Timeout>>,
    fire: OnceCell<Callback>,
    defer: OnceCell<Callback>,
    awake: RefCell<Option<Callback>>,
    over: Cell<bool>,
    /// The global of that name is a getter on every platform: held, it costs a third.
    clock: web_sys::Performance,
    /// Wall clock less the monotonic one, and when that was read last.
    offset: Cell<(f64, f64)>,
}

/// A function that the platform calls, and the closure behind it, which has to live as long.
struct Callback {
    function: Function,
    _closure: Closure<dyn FnMut()>,
}

const PAGE_EVENTS: [&str; 4] = ["online", "pageshow", "visibilitychange", "resume"];

impl WebRuntime {
    pub(crate) fn new(hooks: Hooks) -> Rc<WebRuntime> {
        Rc::new_cyclic(|me: &Weak<WebRuntime>| WebRuntime {
            hooks,
            listener: OnceCell::new(),
            me: me.clone(),
            sockets: RefCell::new(Vec::new()),
            timer: RefCell::new(None),
            fire: OnceCell::new(),
            defer: OnceCell::new(),
            awake: RefCell::new(None),
            over: Cell::new(false),
            clock: global("performance").unwrap_or_default().unchecked_into(),
            offset: Cell::new((0.0, f64::NEG_INFINITY)),
        })
    }

    /// Say who gets the events. Page events are listened to from now on.
    pub(crate) fn listen(&self, listener: Listener) {
        let _ = self.listener.set(listener);
        let call = |event: fn() -> Event<'static>| {
            let me = self.me.clone();
            let closure = Closure::<dyn FnMut()>::new(move || {
                if let Some(me) = me.upgrade() {
                    me.tell(event(), &JsValue::UNDEFINED);
                }
            });
            Callback { function: self.guarded(closure.as_ref()), _closure: closure }
        };
        let _ = self.fire.set(call(|| Event::Timer));
        let _ = self.defer.set(call(|| Event::Deferred));
        let awake = call(|| Event::Awake);
        if on_line().is_some() {
            each_target("addEventListener", &awake.function);
        }
        *self.awake.borrow_mut() = Some(awake);
    }

    fn guarded(&self, closure: &JsValue) -> Function {
        self.hooks
            .guard
            .call1(&JsValue::UNDEFINED, closure)
            .ok()
            .and_then(|function| function.dyn_into().ok())
            .unwrap_or_default()
    }

    pub(super) fn tell(&self, event: Event<'_>, chunk: &JsValue) {
        if self.over.get() {
            return;
        }
        if let Event::Awake = event {
            let hidden = global("document")
                .and_then(|document| get(&document, "visibilityState"))
                .and_then(|state| state.as_string());
            if hidden.as_deref() == Some("hidden") {
                return;
            }
        }
        if let Some(listener) = self.listener.get() {
            listener(event, chunk);
        }
    }

    /// The connection is over: nothing calls back any more.
    pub(crate) fn release(&self) {
        self.over.set(true);
        self.timer.borrow_mut().take();
        for (_, socket) in self.sockets.take() {
            socket.close();
        }
        if let Some(awake) = self.awake.borrow_mut().take() {
            each_target("removeEventListener", &awake.function);
        }
    }
}

impl Runtime for WebRuntime {
    fn now(&self) -> Now {
        let mono = self.clock.now();
        let (mut offset, read) = self.offset.get();
        // The wall clock may be set, and does not stand still in sleep: looked at again once a second.
        if mono - read > 1000.0 {
            offset = js_sys::Date::now() - mono;
            self.offset.set((offset, mono));
        }
        Now { mono: Time(mono as u64), wall: Wall(((offset + mono) * 1e6) as u64) }
    }

    fn random(&self, into: &mut [u8]) {
        // Every platform this runs on has getRandomValues; without it ids would only be less random.
        let _ = getrandom::fill(into);
    }

    fn facts(&self) -> Facts {
        let protocol =
            global("location").and_then(|location| get(&location, "protocol")).and_then(|text| text.as_string());
        Facts { secure_page: protocol.as_deref() == Some("https:"), offline: on_line() == Some(false) }
    }

    fn json(&self) -> JsonReader {
        JsonReader(plain::json)
    }

    fn dial(&self, dial: Dial<'_>) {
        let Some(me) = self.me.upgrade() else { return };
        let socket = Socket::open(me, dial, &self.hooks);
        self.sockets.borrow_mut().push((dial.generation, socket));
    }

    fn send(&self, generation: u32, bytes: &[u8], more: bool) {
        if let Some((_, socket)) = self.sockets.borrow().iter().find(|(number, _)| *number == generation) {
            socket.send(bytes, more);
        }
    }

    fn encrypt(&self, generation: u32) {
        if let Some((_, socket)) = self.sockets.borrow().iter().find(|(number, _)| *number == generation) {
            socket.encrypt();
        }
    }

    fn hang_up(&self, generation: u32) {
        let mut sockets = self.sockets.borrow_mut();
        let socket = sockets.iter().position(|(number, _)| *number == generation).map(|at| sockets.swap_remove(at));
        drop(sockets);
        if let Some((_, socket)) = socket {
            socket.close();
        }
    }

    fn arm(&self, at: Option<Time>) {
        let timer = at.zip(self.fire.get()).filter(|_| !self.over.get()).map(|(at, fire)| {
            let left = at.since(self.now().mono).0.saturating_add(1).min(i32::MAX as u64);
            let fire = fire.function.clone();
            Timeout::new(left as u32, move || {
                let _ = fire.call0(&JsValue::UNDEFINED);
            })
        });
        // Dropping the old one clears it; one that is just firing has been forgotten by then.
        if let Some(old) = std::mem::replace(&mut *self.timer.borrow_mut(), timer) {
            old.cancel();
        }
    }

    fn defer(&self) {
        if let Some(defer) = self.defer.get() {
            queue_microtask(&defer.function);
        }
    }

    fn spawn(&self, task: Task) {
        wasm_bindgen_futures::spawn_local(task.0);
    }

    fn part(&self, part: Part) -> Option<Loading> {
        let loading: Promise = self.hooks.part.call1(&JsValue::UNDEFINED, &part.name().into()).ok()?.dyn_into().ok()?;
        Some(Box::pin(async move {
            JsFuture::from(loading).await.map(|_| ()).map_err(|error| {
                let text = |name| get(&error, name).and_then(|text| text.as_string()).unwrap_or_default();
                Error::new(Kind::NotSupported, text("message")).hint(text("hint")).retryable(true)
            })
        }))
    }
}

/// A member of an object, if it is there.
pub(crate) fn get(object: &JsValue, name: &str) -> Option<JsValue> {
    Reflect::get(object, &name.into()).ok().filter(|value| !value.is_undefined() && !value.is_null())
}

fn global(name: &str) -> Option<JsValue> {
    get(&js_sys::global(), name)
}

/// What the platform says of the network; `None` where it says nothing, as outside pages.
fn on_line() -> Option<bool> {
    get(&global("navigator")?, "onLine")?.as_bool()
}

/// Page events come to the window or the document; Workers know some of them.
fn each_target(method: &str, function: &Function) {
    for target in [Some(JsValue::from(js_sys::global())), global("document")].into_iter().flatten() {
        if let Some(method) = get(&target, method).and_then(|method| method.dyn_into::<Function>().ok()) {
            for event in PAGE_EVENTS {
                let _ = method.call2(&target, &event.into(), function);
            }
        }
    }
}
