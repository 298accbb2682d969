//! Which memory brokers there are: one for each name, for as long as the wasm instance lives.
//!
//! Knows nothing of what a broker does.

use super::store::Store;
use std::cell::RefCell;
use std::rc::Rc;

thread_local! {
    static BROKERS: RefCell<Vec<(String, Rc<RefCell<Store>>)>> = const { RefCell::new(Vec::new()) };
}

/// The broker of this name, made at the first call.
pub(super) fn broker(name: &str) -> Rc<RefCell<Store>> {
    BROKERS.with_borrow_mut(|brokers| {
        if let Some((_, store)) = brokers.iter().find(|(other, _)| other == name) {
            return Rc::clone(store);
        }
        let store = Rc::new(RefCell::new(Store::new()));
        brokers.push((name.into(), Rc::clone(&store)));
        store
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_broker_a_name() {
        assert!(Rc::ptr_eq(&broker(""), &broker("")));
        assert!(Rc::ptr_eq(&broker("a"), &broker("a")));
        assert!(!Rc::ptr_eq(&broker(""), &broker("a")));
    }
}
