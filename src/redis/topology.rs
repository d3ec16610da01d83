//! What a `REDIS_URL` means.

use thiserror::Error;
use url::Url;

/// Why a `REDIS_URL` is none.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("{why}")]
pub struct RedisUrlError {
    /// Of the configuration.
    pub key: &'static str,
    why: String,
}

impl RedisUrlError {
    pub(super) fn new(why: impl Into<String>) -> Self {
        Self::of("redis.url", why)
    }

    pub(super) fn of(key: &'static str, why: impl Into<String>) -> Self {
        Self { key, why: why.into() }
    }
}

/// Which servers a URL means.
#[derive(Clone, PartialEq, Eq)]
pub(super) enum Topology {
    Single(String),
    Cluster(Vec<String>),
    Sentinel {
        /// With the Sentinels' own login, where they have one.
        sentinels: Vec<String>,
        master: String,
        /// Whether the master, and those that follow it, are reached by TLS, as the Sentinels are.
        tls: bool,
        /// The master's.
        login: Option<Login>,
    },
}

/// Who we are to a server.
#[derive(Clone, PartialEq, Eq)]
pub(super) struct Login {
    pub user: Option<String>,
    pub password: Option<String>,
}

impl Login {
    /// `user:password`, either part percent-encoded where it needs to be.
    fn parse(login: &str) -> Result<Self, RedisUrlError> {
        let client = ::redis::Client::open(format!("redis://{login}@host"));
        let client = client.map_err(|_| RedisUrlError::new("not a Redis URL"))?;
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
        for (scheme, tls) in [("redis+sentinel://", false), ("rediss+sentinel://", true)] {
            if let Some(rest) = url.strip_prefix(scheme) {
                return Self::sentinel(rest, tls);
            }
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

    /// `user:password@host:26379,host/master-name?sentinel_user=…&sentinel_password=…`: the login in front is the
    /// master's, the one in the query the Sentinels' own.
    fn sentinel(rest: &str, tls: bool) -> Result<Self, RedisUrlError> {
        let refuse = |why: &str| Err(RedisUrlError::new(why));
        let Some((hosts, behind)) = rest.split_once('/') else {
            return refuse("a Sentinel URL ends in /master-name");
        };
        let (master, query) = behind.split_once('?').unwrap_or((behind, ""));
        if master.is_empty() || master.contains(['/', '#']) {
            return refuse("a Sentinel URL ends in /master-name");
        }
        let (mut user, mut password) = (None, None);
        for (key, value) in url::form_urlencoded::parse(query.as_bytes()) {
            match &*key {
                "sentinel_user" => user = Some(value.into_owned()),
                "sentinel_password" => password = Some(value.into_owned()),
                _ => {
                    return refuse(
                        "the query of a Sentinel URL has sentinel_user and sentinel_password alone",
                    );
                }
            }
        }
        if user.is_some() && password.is_none() {
            return refuse("sentinel_user needs sentinel_password beside it");
        }
        let (login, hosts) = match hosts.rsplit_once('@') {
            Some((login, hosts)) => (Some(Login::parse(login)?), hosts),
            None => (None, hosts),
        };
        let scheme = if tls { "rediss" } else { "redis" };
        let sentinels = hosts.split(',').map(|host| {
            let url = checked(&format!("{scheme}://{}", host.trim()))?;
            with_login(&url, user.as_deref(), password.as_deref())
        });
        Ok(Self::Sentinel {
            sentinels: sentinels.collect::<Result<_, _>>()?,
            master: master.to_owned(),
            tls,
            login,
        })
    }

    /// The hosts that are reached without TLS.
    pub(super) fn plaintext_hosts(&self) -> Vec<String> {
        let urls = match self {
            Self::Single(url) => std::slice::from_ref(url),
            Self::Cluster(urls) | Self::Sentinel { sentinels: urls, .. } => urls,
        };
        let plain = urls.iter().filter(|url| url.starts_with("redis://"));
        let hosts = plain.filter_map(|url| Url::parse(url).ok()?.host_str().map(str::to_owned));
        hosts.collect()
    }
}

/// A URL with a login in it, percent-encoded where it needs to be.
fn with_login(url: &str, user: Option<&str>, password: Option<&str>) -> Result<String, RedisUrlError> {
    let refuse = || RedisUrlError::new("not a Redis URL");
    let Some(password) = password else {
        return Ok(url.to_owned());
    };
    let mut url = Url::parse(url).map_err(|_| refuse())?;
    url.set_username(user.unwrap_or_default())
        .map_err(|()| refuse())?;
    url.set_password(Some(password)).map_err(|()| refuse())?;
    Ok(url.into())
}

fn checked(url: &str) -> Result<String, RedisUrlError> {
    if !["redis://", "rediss://"]
        .iter()
        .any(|scheme| url.starts_with(scheme))
    {
        return Err(RedisUrlError::new(
            "a Redis URL begins with redis://, rediss://, redis+sentinel:// or rediss+sentinel://",
        ));
    }
    // The error of the crate is not repeated: it may show the password.
    ::redis::Client::open(url).map_err(|_| RedisUrlError::new("not a Redis URL"))?;
    Ok(url.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_url_says_which_servers_it_means() {
        let single = Topology::parse("redis://127.0.0.1:6379/2").unwrap();
        assert!(single == Topology::Single("redis://127.0.0.1:6379/2".to_owned()));
        let cluster = Topology::parse("redis://a:1, redis://b:2").unwrap();
        assert!(cluster == Topology::Cluster(vec!["redis://a:1".to_owned(), "redis://b:2".to_owned()]));
        let sentinel = Topology::parse("redis+sentinel://user:p%20w@a:1,b:2/main").unwrap();
        let expected = Topology::Sentinel {
            sentinels: vec!["redis://a:1".to_owned(), "redis://b:2".to_owned()],
            master: "main".to_owned(),
            tls: false,
            login: Some(Login {
                user: Some("user".to_owned()),
                password: Some("p w".to_owned()),
            }),
        };
        assert!(sentinel == expected);
    }

    #[test]
    fn sentinels_may_have_tls_and_a_login_of_their_own() {
        let url = "rediss+sentinel://user:pw@a:1,b/main?sentinel_user=watch&sentinel_password=p%2Fw%40";
        let Topology::Sentinel {
            sentinels,
            master,
            tls,
            login,
        } = Topology::parse(url).unwrap()
        else {
            panic!("Sentinel")
        };
        assert_eq!(
            sentinels,
            ["rediss://watch:p%2Fw%40@a:1", "rediss://watch:p%2Fw%40@b"]
        );
        for sentinel in &sentinels {
            let client = ::redis::Client::open(sentinel.as_str()).unwrap();
            let settings = client.get_connection_info().redis_settings();
            assert_eq!(
                (settings.username(), settings.password()),
                (Some("watch"), Some("p/w@"))
            );
        }
        assert_eq!((master.as_str(), tls), ("main", true));
        assert_eq!(login.unwrap().password.as_deref(), Some("pw"));
        let alone = Topology::parse("redis+sentinel://a/main?sentinel_password=x").unwrap();
        assert!(
            matches!(alone, Topology::Sentinel { sentinels, tls: false, .. } if sentinels == ["redis://:x@a"])
        );
    }

    #[test]
    fn the_hosts_without_tls_are_told() {
        for (url, hosts) in [
            ("redis://a:1/2", vec!["a"]),
            ("rediss://a", vec![]),
            ("redis://u:p@a, rediss://b, redis://[::1]:3", vec!["a", "[::1]"]),
            ("redis+sentinel://a,b:2/main", vec!["a", "b"]),
            ("rediss+sentinel://a,b:2/main", vec![]),
        ] {
            assert_eq!(Topology::parse(url).unwrap().plaintext_hosts(), hosts, "{url}");
        }
    }

    #[test]
    fn a_faulty_url_is_refused_without_showing_it() {
        for url in [
            "",
            "http://x",
            "redis+sentinel://a:1",
            "redis+sentinel://a:1/",
            "redis+sentinel://a:1/main?typo=hush",
            "redis+sentinel://a:1/main?sentinel_user=hush",
            "redis+sentinel://a:1/main#hush",
            "redis://",
            "redis://u:hush@:x/",
        ] {
            let error = Topology::parse(url).err().unwrap().to_string();
            assert!(!error.contains("hush"), "{error}");
        }
    }
}
