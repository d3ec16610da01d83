//! Redis servers of a test's own: certificates, roles and refusals that no other test may meet.

use std::{
    fs::{self, File},
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    sync::Arc,
    time::Duration,
};

use rcgen::{BasicConstraints, CertificateParams, DnType, IsCa, Issuer, KeyPair, KeyUsagePurpose};
use ringback::{
    entropy::{Entropy, SystemEntropy},
    redis::{ClientCertificate, RedisLink, RedisOptions, RedisSecurity},
};
use support::{Folder, eventually};

pub fn unique() -> String {
    let entropy: Arc<dyn Entropy> = Arc::new(SystemEntropy);
    entropy.uuid().simple().to_string()
}

fn folder() -> Folder {
    let path = std::env::temp_dir().join(format!("ringback-redis-{}", unique()));
    fs::create_dir(&path).unwrap();
    Folder(path, None)
}

/// A CA of one's own, with a certificate for this machine's addresses and one for a client, as PEM files.
pub struct Certificates {
    folder: Folder,
}

impl Certificates {
    pub fn make() -> Self {
        let folder = folder();
        // Each has a name of its own: where subject and issuer are one, OpenSSL takes a certificate for self-signed.
        let named = |name: &str, hosts: Vec<String>| {
            let mut parameters = CertificateParams::new(hosts).unwrap();
            parameters.distinguished_name.push(DnType::CommonName, name);
            parameters
        };
        let mut ca = named("ca", Vec::new());
        ca.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        ca.key_usages = vec![KeyUsagePurpose::KeyCertSign];
        let key = KeyPair::generate().unwrap();
        let root = ca.self_signed(&key).unwrap();
        fs::write(folder.0.join("ca.pem"), root.pem()).unwrap();
        let issuer = Issuer::new(ca, key);
        for (name, of) in [
            ("server", vec!["localhost".to_owned(), "127.0.0.1".to_owned()]),
            ("client", vec!["ringback".to_owned()]),
        ] {
            let key = KeyPair::generate().unwrap();
            let certificate = named(name, of).signed_by(&key, &issuer).unwrap();
            fs::write(folder.0.join(format!("{name}.pem")), certificate.pem()).unwrap();
            fs::write(folder.0.join(format!("{name}.key")), key.serialize_pem()).unwrap();
        }
        Self { folder }
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.folder.0.join(name)
    }

    /// What trusts this CA, without a certificate of its own.
    pub fn trusted(&self) -> RedisSecurity {
        RedisSecurity {
            ca_file: Some(self.path("ca.pem")),
            ..RedisSecurity::default()
        }
    }

    /// The same, with the client's certificate.
    pub fn mutual(&self) -> RedisSecurity {
        RedisSecurity {
            client: Some(ClientCertificate {
                certificate_file: self.path("client.pem"),
                key_file: self.path("client.key"),
            }),
            ..self.trusted()
        }
    }

    /// What a server is told to speak TLS by.
    pub fn options(&self, clients: &str) -> Vec<String> {
        let path = |name| self.path(name).display().to_string();
        [
            ("--tls-cert-file", path("server.pem")),
            ("--tls-key-file", path("server.key")),
            ("--tls-ca-cert-file", path("ca.pem")),
            ("--tls-auth-clients", clients.to_owned()),
            ("--tls-replication", "yes".to_owned()),
            ("--tls-cluster", "yes".to_owned()),
        ]
        .into_iter()
        .flat_map(|(option, value)| [option.to_owned(), value])
        .collect()
    }
}

/// A running redis-server; it ends with the test.
pub struct Server {
    child: Child,
    pub port: u16,
    folder: Folder,
}

impl Server {
    /// A server that speaks in clear.
    pub async fn start(options: &[&str]) -> Self {
        let options: Vec<String> = options.iter().map(|&option| option.to_owned()).collect();
        Self::launch(None, "--port", &options).await
    }

    /// A server that speaks TLS alone.
    pub async fn start_tls(certificates: &Certificates, clients: &str, options: &[&str]) -> Self {
        let mut all = vec!["--port".to_owned(), "0".to_owned()];
        all.extend(certificates.options(clients));
        all.extend(options.iter().map(|&option| option.to_owned()));
        Self::launch(None, "--tls-port", &all).await
    }

    /// A Sentinel that speaks TLS alone, with these lines in its file.
    pub async fn start_sentinel(certificates: &Certificates, lines: &str) -> Self {
        let mut all = vec!["--sentinel".to_owned(), "--port".to_owned(), "0".to_owned()];
        all.extend(certificates.options("no"));
        Self::launch(Some(lines), "--tls-port", &all).await
    }

    async fn launch(file: Option<&str>, port_option: &str, options: &[String]) -> Self {
        let folder = folder();
        // A port that somebody else takes in between ends the server: then the next is tried.
        for _ in 0..20 {
            // Below the range for outgoing connections, and with room for a Cluster's bus 10,000 above.
            let port = 12_000 + u16::try_from((&SystemEntropy as &dyn Entropy).up_to(9_999)).unwrap();
            let log = folder.0.join("log");
            let mut command = Command::new("redis-server");
            if let Some(lines) = file {
                let path = folder.0.join("redis.conf");
                fs::write(&path, lines).unwrap();
                command.arg(path);
            }
            let mut child = command
                .args(["--bind", "127.0.0.1", port_option, &port.to_string()])
                .args(options)
                .args(if file.is_none() {
                    &["--save", "", "--appendonly", "no"][..]
                } else {
                    &[]
                })
                .arg("--dir")
                .arg(&folder.0)
                .stdin(Stdio::null())
                .stdout(File::create(&log).unwrap())
                .stderr(Stdio::null())
                .spawn()
                .unwrap();
            let ended = eventually("redis-server", async || {
                if child.try_wait().unwrap().is_some() {
                    return Some(true);
                }
                let is_up = fs::read_to_string(&log)
                    .unwrap()
                    .contains("eady to accept connections")
                    || (file.is_some() && std::net::TcpStream::connect(("127.0.0.1", port)).is_ok());
                is_up.then_some(false)
            })
            .await;
            if !ended {
                return Self { child, port, folder };
            }
            let said = fs::read_to_string(&log).unwrap();
            assert!(said.contains("in use"), "{said}");
        }
        panic!("no free port");
    }

    pub fn address(&self) -> String {
        format!("127.0.0.1:{}", self.port)
    }

    pub fn url(&self) -> String {
        format!("redis://{}", self.address())
    }

    pub fn tls_url(&self) -> String {
        format!("rediss://localhost:{}", self.port)
    }

    /// Runs a command by redis-cli, which says what came.
    pub fn command(&self, certificates: Option<&Certificates>, words: &[&str]) -> String {
        let mut command = Command::new("redis-cli");
        command.args(["-h", "127.0.0.1", "-p", &self.port.to_string()]);
        if let Some(certificates) = certificates {
            command
                .arg("--tls")
                .arg("--cacert")
                .arg(certificates.path("ca.pem"));
            command.arg("--cert").arg(certificates.path("client.pem"));
            command.arg("--key").arg(certificates.path("client.key"));
        }
        let output = command.args(words).output().unwrap();
        String::from_utf8_lossy(&output.stdout).into_owned()
    }

    pub fn folder(&self) -> &Path {
        &self.folder.0
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// A link with keys that no other has.
pub fn link(url: &str, security: RedisSecurity) -> RedisLink {
    let options = RedisOptions {
        url: url.to_owned(),
        security,
        prefix: unique(),
        lanes: 2,
        timeout: Duration::from_millis(800),
    };
    RedisLink::open(&options).unwrap()
}
