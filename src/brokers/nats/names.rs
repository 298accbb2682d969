//! What things are called on the server (jetstream.md section 2.2).

/// Prefix of the API's subjects in a JetStream domain; the server's own where it is empty (jetstream.md section 8.3).
pub fn api(domain: &str) -> String {
    if domain.is_empty() { super::API.into() } else { format!("$JS.{domain}.API") }
}

/// A name as one token of a subject and as the name of a stream or durable: dots become `#`, which no name of ours has.
pub fn token(name: &str) -> String {
    name.replace('.', "#")
}

/// The name behind a token.
pub fn station(token: &str) -> String {
    token.replace('#', ".")
}

/// The stream of a partition. Partition 1 carries the plain name, so other clients find the station under its own.
pub fn stream(token: &str, partition: u32) -> String {
    if partition == 1 { token.into() } else { format!("{token}${partition}") }
}

/// The one subject of a partition.
pub fn subject(token: &str, partition: u32) -> String {
    format!("stations.{token}.{partition}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_domain_is_part_of_the_prefix() {
        assert_eq!((api(""), api("hub")), ("$JS.API".into(), "$JS.hub.API".into()));
    }

    #[test]
    fn names_map_one_to_one() {
        let t = token("orders.eu");
        assert_eq!(
            (stream(&t, 1), stream(&t, 2), subject(&t, 2)),
            ("orders#eu".into(), "orders#eu$2".into(), "stations.orders#eu.2".into())
        );
    }
}
