//! One socket: the platform's WebSocket, or whatever the application's factory gives: a WebSocket of another kind, or a
//! pair of byte streams.
//!
//! Knows no protocol. Bytes are sent from one buffer that JavaScript owns and that is used again and again; a socket of
//! the application's own gets a copy, since it may keep what it is given.

use super::{Hooks, WebRuntime, get};
use crate::base::error::{Error, Kind};
use crate::runtime::Event;
use js_sys::{Function, Promise, Uint8Array};
use std::cell::RefCell;
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
    Streams {
        writer: JsValue,
        reader: JsValue,
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
    /// What comes in is copied here, to be read.
    scratch: RefCell<Vec<u8>>,
    opened: std::cell::Cell<bool>,
}

/// Buffers larger than this are given back after use.
const KEEP: usize = 1 << 20;

impl Socket {
    pub(super) fn open(runtime: Rc<WebRuntime>, generation: u32, url: &str, hooks: &Hooks) -> Socket {
        let inner = Rc::new(Inner {
            runtime: Rc::downgrade(&runtime),
            generation,
            url: url.into(),
            pipe: RefCell::new(Pipe::Opening),
            out: RefCell::new(Uint8Array::new_with_length(64 * 1024)),
            scratch: RefCell::new(Vec::new()),
            opened: std::cell::Cell::new(false),
        });
        let factory = hooks.socket.dyn_ref::<Function>().cloned();
        match factory {
            None => {
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
            Some(factory) => inner.clone().ask(factory),
        }
        Socket { inner }
    }

    pub(super) fn send(&self, bytes: &[u8]) {
        self.inner.send(bytes);
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
        let text = get(error, "message").and_then(|text| text.as_string()).unwrap_or_default();
        let name = get(error, "name").and_then(|name| name.as_string()).unwrap_or_default();
        let kind = if name == "SyntaxError" { Kind::InvalidArgument } else { Kind::ConnectFailed };
        Error::new(kind, format!("{} could not be opened: {text}", self.url))
            .hint("Check the URL; a page loaded over TLS needs wss:.")
    }

    /// Ask the application's factory.
    fn ask(self: Rc<Self>, factory: Function) {
        spawn_local(async move {
            let made = match factory.call1(&JsValue::UNDEFINED, &self.url.as_str().into()) {
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
                Ok(made) if get(&made, "readable").is_some() && get(&made, "writable").is_some() => {
                    self.streams(&made).await
                }
                Ok(made) if get(&made, "send").is_some() => self.attach(made.unchecked_into(), false),
                Ok(_) => self.fail(Error::argument("socket gave neither a WebSocket nor a pair of byte streams")),
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
        let (code, reason) = (
            get(event, "code").and_then(|code| code.as_f64()).unwrap_or(1006.0) as u32,
            get(event, "reason").and_then(|reason| reason.as_string()).unwrap_or_default(),
        );
        let mut error = if self.opened.get() {
            Error::new(
                Kind::ConnectionLost,
                format!("the socket was closed with code {code} {reason}").trim_end().to_string(),
            )
        } else {
            Error::new(Kind::ConnectFailed, format!("no connection to {}", self.url))
                .hint("Is the broker running there, with its WebSocket listener on? A page cannot see more than that it failed.")
        };
        error = error.code(code);
        self.fail(error);
    }

    /// Read from a pair of byte streams until it ends.
    async fn streams(self: &Rc<Self>, made: &JsValue) {
        let part = |side: &str, method: &str| {
            let side = get(made, side)?;
            let method = get(&side, method)?.dyn_into::<Function>().ok()?;
            method.call0(&side).ok()
        };
        let (Some(reader), Some(writer)) = (part("readable", "getReader"), part("writable", "getWriter")) else {
            return self.fail(Error::argument("socket gave streams that are locked"));
        };
        self.live(&reader);
        *self.pipe.borrow_mut() = Pipe::Streams { writer, reader: reader.clone() };
        self.opened();
        let error = loop {
            let read = match call(&reader, "read", &JsValue::UNDEFINED) {
                Some(promise) => JsFuture::from(promise).await,
                None => break None,
            };
            match read {
                Err(error) => break Some(error),
                Ok(result) => match get(&result, "value").map(|value| value.dyn_into::<Uint8Array>()) {
                    // A view of its own buffer: what the application keeps must not pin more.
                    Some(Ok(bytes)) => self.chunk(&bytes.slice(0, bytes.length())),
                    _ if get(&result, "done").is_some_and(|done| done.is_truthy()) => break None,
                    _ => break None,
                },
            }
            if matches!(*self.pipe.borrow(), Pipe::Closed) {
                return;
            }
        };
        let text = error
            .and_then(|error| get(&error, "message"))
            .and_then(|text| text.as_string())
            .unwrap_or_else(|| "it ended".into());
        self.fail(Error::new(Kind::ConnectionLost, format!("the stream was closed: {text}")));
    }

    fn send(&self, bytes: &[u8]) {
        let length = bytes.len() as u32;
        let mut out = self.out.borrow_mut();
        if out.length() < length {
            *out = Uint8Array::new_with_length(length.next_power_of_two());
        }
        let view = out.subarray(0, length);
        view.copy_from(bytes);
        match &*self.pipe.borrow() {
            // A failure shows as the socket's close event.
            Pipe::Web { socket, own: true, .. } => drop(socket.send_with_js_u8_array(&view)),
            Pipe::Web { socket, .. } => drop(socket.send_with_js_u8_array(&view.slice(0, length))),
            Pipe::Streams { writer, .. } => {
                if let Some(promise) = call(writer, "write", &view.slice(0, length)) {
                    // A write that fails shows as the end of the readable side.
                    spawn_local(async move { drop(JsFuture::from(promise).await) });
                }
            }
            Pipe::Opening | Pipe::Closed => {}
        }
        if out.length() as usize > KEEP {
            *out = Uint8Array::new_with_length(64 * 1024);
        }
    }

    fn close(&self) {
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
            Pipe::Streams { writer, reader } => {
                for promise in
                    [call(&reader, "cancel", &JsValue::UNDEFINED), call(&writer, "close", &JsValue::UNDEFINED)]
                        .into_iter()
                        .flatten()
                {
                    spawn_local(async move { drop(JsFuture::from(promise).await) });
                }
            }
            Pipe::Opening | Pipe::Closed => {}
        }
    }
}

/// Call a method that gives a promise.
fn call(object: &JsValue, method: &str, argument: &JsValue) -> Option<Promise> {
    get(object, method)?.dyn_into::<Function>().ok()?.call1(object, argument).ok()?.dyn_into().ok()
}
