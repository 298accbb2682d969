//! A text that must not be seen: the seed of a key. It shows itself to nobody, is shared rather than copied, and is
//! overwritten when the last holder lets go.

use std::fmt;
use std::rc::Rc;
use zeroize::Zeroizing;

/// The text. Equal to another one with the same text; printed as three asterisks.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret(Rc<Zeroizing<String>>);

impl Secret {
    /// Take a text over.
    pub fn new(text: String) -> Secret {
        Secret(Rc::new(Zeroizing::new(text)))
    }

    /// The text itself: not to be kept, printed or put into an error.
    pub fn reveal(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("***")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_is_not_printed() {
        let secret = Secret::new("SUAM".into());
        assert_eq!((format!("{secret:?}"), secret.reveal()), ("***".into(), "SUAM"));
        assert_eq!(secret, secret.clone());
    }
}
