//! What a `REDIS_URL` means.

use thiserror::Error;

/// Why a `REDIS_URL` is none.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("{0}")]
pub struct RedisUrlError(pub(super) String);

/// Which servers a URL means.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Topology {
    Single(String),
    Cluster(Vec<String>),
    /// The login is the master's; the Sentinels themselves are asked without one.
    Sentinel {
        sentinels: Vec<String>,
        master: String,
        login: Option<Login>,
    },
}

/// Who we are to a server.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Login {
    pub user: Option<String>,
    pub password: Option<String>,
}

impl Login {
    /// `user:password`, either part percent-encoded where it needs to be.
    fn parse(login: &str) -> Result<Self, RedisUrlError> {
        let client = ::redis::Client::open(format!("redis://{login}@host"));
        let client = client.map_err(|_| RedisUrlError("not a Redis URL".to_owned()))?;
        let settings = client.get_connection_info().redis_settings();
        let owned = |text: &str| text.to_owned();
        Ok(Self {
            user: settings.username().map(owned),
            password: settings.password().map(owned),
        })
    }
}

impl Topology {
    pub(super) fn parse(url: &str) -> Result<Self, RedisUrlError> {
        let refuse = |why: &str| Err(RedisUrlError(why.to_owned()));
        if let Some(rest) = url.strip_prefix("redis+sentinel://") {
            let Some((hosts, master)) = rest.split_once('/') else {
                return refuse("a Sentinel URL ends in /master-name");
            };
            let (login, hosts) = match hosts.rsplit_once('@') {
                Some((login, hosts)) => (Some(Login::parse(login)?), hosts),
                None => (None, hosts),
            };
            if master.is_empty() || master.contains(['/', '?']) {
                return refuse("a Sentinel URL ends in /master-name");
            }
            let sentinels = hosts
                .split(',')
                .map(|host| checked(&format!("redis://{}", host.trim())));
            return Ok(Self::Sentinel {
                sentinels: sentinels.collect::<Result<_, _>>()?,
                master: master.to_owned(),
                login,
            });
        }
        match url
            .split(',')
            .map(|part| checked(part.trim()))
            .collect::<Result<Vec<_>, _>>()?
        {
            nodes if nodes.len() > 1 => Ok(Self::Cluster(nodes)),
            mut one => Ok(Self::Single(one.remove(0))),
        }
    }
}

fn checked(url: &str) -> Result<String, RedisUrlError> {
    if !["redis://", "rediss://"]
        .iter()
        .any(|scheme| url.starts_with(scheme))
    {
        return Err(RedisUrlError(
            "a Redis URL begins with redis://, rediss:// or redis+sentinel://".to_owned(),
        ));
    }
    // The error of the crate is not repeated: it may show the password.
    ::redis::Client::open(url).map_err(|_| RedisUrlError("not a Redis URL".to_owned()))?;
    Ok(url.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_url_says_which_servers_it_means() {
        let single = Topology::parse("redis://127.0.0.1:6379/2").unwrap();
        assert_eq!(single, Topology::Single("redis://127.0.0.1:6379/2".to_owned()));
        let cluster = Topology::parse("redis://a:1, redis://b:2").unwrap();
        assert_eq!(
            cluster,
            Topology::Cluster(vec!["redis://a:1".to_owned(), "redis://b:2".to_owned()])
        );
        let sentinel = Topology::parse("redis+sentinel://user:p%20w@a:1,b:2/main").unwrap();
        let expected = Topology::Sentinel {
            sentinels: vec!["redis://a:1".to_owned(), "redis://b:2".to_owned()],
            master: "main".to_owned(),
            login: Some(Login {
                user: Some("user".to_owned()),
                password: Some("p w".to_owned()),
            }),
        };
        assert_eq!(sentinel, expected);
    }

    #[test]
    fn a_faulty_url_is_refused_without_showing_it() {
        for url in [
            "",
            "http://x",
            "redis+sentinel://a:1",
            "redis+sentinel://a:1/",
            "redis://",
            "redis://u:hush@:x/",
        ] {
            let error = Topology::parse(url).unwrap_err().to_string();
            assert!(!error.contains("hush"), "{error}");
        }
    }
}
