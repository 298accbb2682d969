//! Who we are: what the application's credentials become in `CONNECT` (memphis.md sections 1.5 and 1.6).

use super::shared::Shared;
use crate::base::bytes::find;
use crate::base::error::Error;
use crate::brokers::terms::Done;
use crate::link::session::Login;

/// What of the credentials is wrong shows here, before anything is sent.
#[inline(never)]
pub fn ready(login: Login) -> Done<Login> {
    if login.password.is_some() == login.token.is_some() {
        return Err(Error::argument(match login.token {
            Some(_) => "password and connectionToken exclude each other",
            None => "there is neither password nor connectionToken",
        })
        .hint(
            "Give username with password, or username with connectionToken: the one this broker is configured for.",
        ));
    }
    match login.username.as_deref() {
        None | Some("") => Err(Error::argument("the username is missing")
            .hint("Memphis wants to know who makes a producer or a consumer, with a connectionToken as well.")),
        Some(name) if find(name, "::").or(find(name, "$")).is_some() => {
            Err(Error::argument("the username has '$' or '::' in it")
                .hint("Give the name alone; the tenant goes into accountId."))
        }
        Some(_) => Ok(login),
    }
}

/// How these credentials go over the wire. `bare`: without the tenant, for brokers that have none.
pub fn wire(login: &Login, shared: &Shared, bare: bool) -> Login {
    let user = login.username.as_deref().unwrap_or_default();
    let account = login.account.max(1);
    Login {
        // With a token the user is only named; the name of the connection tells the broker's liveness job who we are.
        username: login.password.as_ref().map(|_| if bare { user.into() } else { format!("{user}${account}") }),
        password: login.password.clone(),
        token: login.token.clone(),
        name: Some(format!("{}::{}", shared.id, user.to_ascii_lowercase())),
        ..Login::default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::error::Kind;

    fn login(user: Option<&str>, password: Option<&str>, token: Option<&str>) -> Login {
        let text = |text: Option<&str>| text.map(String::from);
        Login { username: text(user), password: text(password), token: text(token), account: 1, ..Login::default() }
    }

    #[test]
    fn one_of_password_and_token() {
        for wrong in [
            login(Some("root"), None, None),
            login(Some("root"), Some("p"), Some("t")),
            login(None, Some("p"), None),
            login(Some(""), None, Some("t")),
            login(Some("root$1"), Some("p"), None),
        ] {
            assert_eq!(ready(wrong).unwrap_err().kind, Kind::InvalidArgument);
        }
        assert!(ready(login(Some("root"), Some("p"), None)).is_ok());
        assert!(ready(login(Some("root"), None, Some("t"))).is_ok());
    }

    #[test]
    fn the_wire_has_tenant_and_connection_id() {
        let shared = Shared::new("c", "a");
        let sent = wire(&login(Some("Root"), Some("p"), None), &shared, false);
        assert_eq!((sent.username.as_deref(), sent.name.as_deref()), (Some("Root$1"), Some("c::root")));
        let bare = wire(&login(Some("root"), Some("p"), None), &shared, true);
        assert_eq!(bare.username.as_deref(), Some("root"));
        let token = wire(&login(Some("root"), None, Some("t")), &shared, false);
        assert_eq!((token.username, token.token.as_deref()), (None, Some("t")));
    }
}
