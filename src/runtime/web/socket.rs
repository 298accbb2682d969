//! One socket: the platform's WebSocket, or what the shell opens, in the shape of a WebSocket: raw TCP, or whatever the
//! application's factory gives.
//!
//! Knows no protocol. Bytes are sent from one buffer that JavaScript owns and that is used again and again; a socket of
//! the application's own gets a copy, since it may keep what it is given.

use super::{Hooks, WebRuntime, get};
use crate::base::error::{Error, Kind};
use crate::runtime::{Dial, Event};
use js_sys::{Function, Promise, Uint8Array};
use std::cell::{Cell, RefCell};
use std::rc::{Rc, Weak};
use wasm_bindgen::JsCast;
use wasm_bindgen::prelude::*;
use wasm_bindgen_futures::{JsFuture, spawn_local};
use web_sys::{BinaryType, CloseEvent, MessageEvent, WebSocket};

/// Where the bytes go.
enum Pipe {
    /// Not yet known.
    Opening,
    Web {
        socket: WebSocket,
        own: bool,
        closures: [Closure<dyn FnMut(JsValue)>; 4],
    },
    Closed,
}

/// A socket, open or being opened.
pub(super) struct Socket {
    inner: Rc<Inner>,
}

struct Inner {
    runtime: Weak<WebRuntime>,
    generation: u32,
    url: String,
    pipe: RefCell<Pipe>,
    /// What is sent is copied here first.
    out: RefCell<Uint8Array>,
    /// How many bytes of it have not been sent.
    held: Cell<u32>,
    /// Until the end of this turn writes are gathered.
    gathers: Cell<bool>,
    /// What comes in is copied here, to be read.
    scratch: RefCell<Vec<u8>>,
    opened: Cell<bool>,
}

/// Buffers larger than this are given back after use.
const KEEP: usize = 1 << 20;

/// Bytes in one send where a turn writes that much: a page is done with them a quarter sooner than with sends of 128 KiB.
const GATHERED: u32 = 1 << 20;

impl Socket {
    pub(super) fn open(runtime: Rc<WebRuntime>, dial: Dial<'_>, hooks: &Hooks) -> Socket {
        let url = dial.url;
        let inner = Rc::new(Inner {
            runtime: Rc::downgrade(&runtime),
            generation: dial.generation,
            url: url.into(),
            pipe: RefCell::new(Pipe::Opening),
            out: RefCell::new(Uint8Array::new_with_length(64 * 1024)),
            held: Cell::new(0),
            gathers: Cell::new(false),
            scratch: RefCell::new(Vec::new()),
            opened: Cell::new(false),
        });
        match hooks.own || !url.starts_with("ws") {
            false => {
                let result = if super::global("WebSocket").is_none() {
                    Err(Error::new(Kind::NotSupported, "this platform has no WebSocket")
                        .hint("Use Node 22 or newer, or give the option socket, such as (url) => new WebSocket(url) from the package ws."))
                } else {
                    WebSocket::new(url).map_err(|error| inner.refused(&error))
                };
                match result {
                    Ok(socket) => inner.attach(socket, true),
                    Err(error) => inner.fail_later(error),
                }
            }
            true => inner.clone().ask(&hooks.open, dial),
        }
        Socket { inner }
    }

    pub(super) fn send(&self, bytes: &[u8], more: bool) {
        self.inner.send(bytes, more);
    }

    pub(super) fn encrypt(&self) {
        self.inner.clone().encrypt();
    }

    pub(super) fn close(self) {
        self.inner.close();
    }
}

impl Inner {
    fn tell(&self, event: Event<'_>, chunk: &JsValue) {
        if let Some(runtime) = self.runtime.upgrade() {
            runtime.tell(event, chunk);
        }
    }

    /// Should the wasm fail, somebody else has to close it.
    fn live(&self, socket: &JsValue) {
        if let Some(runtime) = self.runtime.upgrade() {
            let _ = runtime.hooks.live.call1(&JsValue::UNDEFINED, socket);
        }
    }

    fn opened(&self) {
        self.opened.set(true);
        self.tell(Event::Opened { generation: self.generation }, &JsValue::UNDEFINED);
    }

    fn fail(&self, error: Error) {
        self.tell(Event::Closed { generation: self.generation, error }, &JsValue::UNDEFINED);
    }

    /// A failure that is known before anybody can hear of it.
    fn fail_later(self: &Rc<Self>, error: Error) {
        let inner = self.clone();
        spawn_local(async move { inner.fail(error) });
    }

    fn refused(&self, error: &JsValue) -> Error {
        let text = |name: &str| get(error, name).and_then(|text| text.as_string()).unwrap_or_default();
        let kind = match (text("name").as_str(), text("code").as_str()) {
            ("SyntaxError", _) => Kind::InvalidArgument,
            (_, "not_supported") => Kind::NotSupported,
            _ => Kind::ConnectFailed,
        };
        let hint = Some(text("hint")).filter(|hint| !hint.is_empty());
        let failed = Error::new(kind, format!("{} could not be opened: {}", self.url, text("message")));
        match hint {
            Some(hint) => failed.hint(hint),
            None => failed.hint("Check the URL; a page loaded over TLS needs wss:."),
        }
    }

    /// Ask the shell, or the application's factory behind it.
    #[inline(never)]
    fn ask(self: Rc<Self>, open: &Function, dial: Dial<'_>) {
        let made = open.call3(&JsValue::UNDEFINED, &dial.url.into(), &dial.name.into(), &dial.encrypted.into());
        spawn_local(async move {
            let made = match made {
                Ok(made) => JsFuture::from(Promise::resolve(&made)).await,
                Err(error) => Err(error),
            };
            if matches!(*self.pipe.borrow(), Pipe::Closed) {
                // Given up meanwhile: what comes late is closed at once.
                if let Ok(socket) = made {
                    let _ = socket.unchecked_into::<WebSocket>().close();
                }
                return;
            }
            match made {
                Err(error) => self.fail(self.refused(&error)),
                Ok(made) if get(&made, "send").is_some() => self.attach(made.unchecked_into(), false),
                Ok(_) => self.fail(Error::argument("socket gave neither a WebSocket nor a pair of byte streams")),
            }
        });
    }

    /// Encrypt what is open.
    #[inline(never)]
    fn encrypt(self: Rc<Self>) {
        let done = match &*self.pipe.borrow() {
            Pipe::Web { socket, .. } => call(socket, "encrypt"),
            Pipe::Opening | Pipe::Closed => return,
        };
        spawn_local(async move {
            let done = match done {
                Some(promise) => JsFuture::from(promise).await,
                None => Err(JsValue::UNDEFINED),
            };
            match done {
                _ if matches!(*self.pipe.borrow(), Pipe::Closed) => {}
                Ok(_) => self.tell(Event::Encrypted { generation: self.generation }, &JsValue::UNDEFINED),
                Err(error) => self.fail(self.refused(&error)),
            }
        });
    }

    fn attach(self: &Rc<Self>, socket: WebSocket, own: bool) {
        socket.set_binary_type(BinaryType::Arraybuffer);
        let handler = |work: fn(&Inner, JsValue)| {
            let inner = Rc::downgrade(self);
            let closure = Closure::<dyn FnMut(JsValue)>::new(move |event: JsValue| {
                if let Some(inner) = inner.upgrade() {
                    work(&inner, event);
                }
            });
            let guarded = self.runtime.upgrade().map(|runtime| runtime.guarded(closure.as_ref()));
            (closure, guarded)
        };
        let (open, on_open) = handler(|inner, _| inner.opened());
        let (message, on_message) =
            handler(|inner, event| inner.message(&event.unchecked_into::<MessageEvent>().data()));
        let (close, on_close) = handler(|inner, event| inner.closed(&event));
        // An error event says nothing that the close event after it does not say better.
        let (error, on_error) = handler(|_, _| {});
        socket.set_onopen(on_open.as_ref());
        socket.set_onmessage(on_message.as_ref());
        socket.set_onclose(on_close.as_ref());
        socket.set_onerror(on_error.as_ref());
        self.live(&socket);
        let is_open = socket.ready_state() == WebSocket::OPEN;
        *self.pipe.borrow_mut() = Pipe::Web { socket, own, closures: [open, message, close, error] };
        if is_open {
            self.opened();
        }
    }

    fn message(&self, data: &JsValue) {
        // Text frames are allowed by the protocol; their bytes are its UTF-8.
        let chunk = match data.as_string() {
            Some(text) => Uint8Array::from(text.as_bytes()),
            None if data.is_instance_of::<js_sys::ArrayBuffer>() => Uint8Array::new(data),
            None => match data.dyn_ref::<Uint8Array>() {
                Some(bytes) => bytes.slice(0, bytes.length()),
                None => return self.fail(Error::new(Kind::Protocol, "the socket gave something that is not bytes")),
            },
        };
        self.chunk(&chunk);
    }

    fn chunk(&self, chunk: &Uint8Array) {
        let length = chunk.length() as usize;
        let mut scratch = self.scratch.take();
        if scratch.len() < length {
            scratch.resize(length, 0);
        }
        let bytes = &mut scratch[..length];
        chunk.copy_to(bytes);
        self.tell(Event::Chunk { generation: self.generation, bytes }, chunk);
        if scratch.capacity() <= KEEP {
            self.scratch.replace(scratch);
        }
    }

    fn closed(&self, event: &JsValue) {
        let event = event.unchecked_ref::<CloseEvent>();
        if let Some(error) = get(event, "error").filter(|_| !self.opened.get()) {
            return self.fail(self.refused(&error));
        }
        // Raw TCP has no codes.
        let code = get(event, "code").and_then(|code| code.as_f64()).map(|code| code as u32);
        let mut text = String::from("the socket was closed");
        if let Some(code) = code {
            text.push_str(" with code ");
            text.push_str(&code.to_string());
        }
        if let Some(reason) = get(event, "reason").and_then(|reason| reason.as_string()).filter(|text| !text.is_empty())
        {
            text.push_str(": ");
            text.push_str(&reason);
        }
        let mut error = if self.opened.get() {
            Error::new(Kind::ConnectionLost, text)
        } else {
            Error::new(Kind::ConnectFailed, format!("no connection to {}", self.url))
                .hint("Is the broker running there, with its WebSocket listener on? A page cannot see more than that it failed.")
        };
        if let Some(code) = code {
            error = error.code(code);
        }
        self.fail(error);
    }

    /// With `more`, this turn is not over. The first write leaves at once, and gives the platform something to do; it does not
    /// do much before the task is over, so what follows is gathered into fewer sends.
    fn send(&self, bytes: &[u8], more: bool) {
        let gathers = self.gathers.replace(more) && more;
        let length = bytes.len() as u32;
        if self.held.get() + length > GATHERED {
            self.write();
        }
        let held = self.held.replace(self.held.get() + length);
        let (room, wanted) = (self.out.borrow().length(), if gathers { length.max(GATHERED) } else { length });
        if held == 0 && (room < wanted || room > GATHERED) {
            self.out.replace(Uint8Array::new_with_length(wanted.next_power_of_two()));
        }
        self.out.borrow().subarray(held, held + length).copy_from(bytes);
        if !gathers {
            self.write();
        }
    }

    /// Send what is held.
    fn write(&self) {
        let held = self.held.take();
        if held == 0 {
            return;
        }
        let view = self.out.borrow().subarray(0, held);
        match &*self.pipe.borrow() {
            // A failure shows as the socket's close event.
            Pipe::Web { socket, own: true, .. } => drop(socket.send_with_js_u8_array(&view)),
            Pipe::Web { socket, .. } => drop(socket.send_with_js_u8_array(&view.slice(0, held))),
            Pipe::Opening | Pipe::Closed => {}
        }
    }

    fn close(&self) {
        self.write();
        match self.pipe.replace(Pipe::Closed) {
            Pipe::Web { socket, closures, .. } => {
                // Some sockets throw an error event that nobody listens to: it goes to a function that does nothing.
                let nothing = super::global("Boolean").and_then(|function| function.dyn_into::<Function>().ok());
                socket.set_onerror(nothing.as_ref());
                for set in [WebSocket::set_onopen, WebSocket::set_onmessage, WebSocket::set_onclose] {
                    set(&socket, None);
                }
                let _ = socket.close();
                drop(closures);
            }
            Pipe::Opening | Pipe::Closed => {}
        }
    }
}

/// Call a method that gives a promise.
fn call(object: &JsValue, method: &str) -> Option<Promise> {
    get(object, method)?.dyn_into::<Function>().ok()?.call0(object).ok()?.dyn_into().ok()
}
