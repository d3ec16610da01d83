//! The program in a folder of its own, with nothing of this process's environment.

use std::{
    fmt::Write,
    io::{BufRead, BufReader, Read},
    os::unix::process::ExitStatusExt,
    path::{Path, PathBuf},
    process::{Child, Command, Output, Stdio},
    sync::{Arc, Mutex},
    thread::JoinHandle,
    time::{Duration, Instant},
};

use ringback::entropy::{Entropy, SystemEntropy};
use serde_json::Value;

use crate::{Answer, Provider, program};

/// Longer than the program takes for anything but a shutdown.
const PATIENCE: Duration = Duration::from_secs(30);

/// An empty folder, removed at the end.
pub struct Folder(PathBuf);

impl Folder {
    pub fn new() -> Self {
        let name = (&SystemEntropy as &dyn Entropy).uuid().simple().to_string();
        let path = std::env::temp_dir().join(format!("ringback-binary-{name}"));
        std::fs::create_dir(&path).unwrap();
        Self(path)
    }

    pub fn path(&self) -> &Path {
        &self.0
    }

    /// Writes a file, and the folders that it is in.
    pub fn write(&self, name: &str, text: &str) -> PathBuf {
        let path = self.0.join(name);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(&path, text).unwrap();
        path
    }

    /// The program, here, with this environment and no other.
    pub fn command(&self, arguments: &[&str], variables: &[(&str, &str)]) -> Command {
        let mut command = Command::new(program("ringback"));
        command.args(arguments).current_dir(&self.0);
        command.env_clear().envs(variables.iter().copied());
        command
    }

    /// Runs it to its end: exit code, standard output, standard error.
    pub fn run(&self, arguments: &[&str], variables: &[(&str, &str)]) -> (i32, String, String) {
        let Output {
            status,
            stdout,
            stderr,
        } = self.command(arguments, variables).output().unwrap();
        let text = |bytes| String::from_utf8(bytes).unwrap();
        (
            status.code().expect("an exit, not a signal"),
            text(stdout),
            text(stderr),
        )
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

/// The program while it serves; killed when it is dropped.
pub struct Service {
    child: Child,
    said: Arc<Mutex<String>>,
    readers: Vec<JoinHandle<()>>,
    /// `http://host:port` of the API.
    pub address: String,
    pub client: reqwest::Client,
}

/// On ports that are free.
pub const FREE_PORTS: [(&str, &str); 3] = [
    ("RINGBACK__SERVER__BIND", "127.0.0.1:0"),
    ("RINGBACK__SERVER__OPS_BIND", "127.0.0.1:0"),
    ("RINGBACK__ADMIN__BIND", "127.0.0.1:0"),
];

impl Service {
    /// Serves on free ports, and waits until it says that it does.
    pub fn start(folder: &Folder, variables: &[(&str, &str)]) -> Self {
        let variables = [&FREE_PORTS, variables].concat();
        Self::spawn(folder.command(&["serve"], &variables))
    }

    /// Starts it, and waits until it says that it serves.
    pub fn spawn(command: Command) -> Self {
        let mut service = Self::launch(command);
        service.address = service.wait_for("its address", |said| {
            let development = said.split_once("  API      ").map(|(_, rest)| rest);
            let production = said
                .split_once("\"server.bind\":\"")
                .map(|(_, rest)| format!("http://{rest}"));
            let rest = development.map(str::to_owned).or(production)?;
            let end = rest.find(['"', '\n'])?;
            Some(rest[..end].trim_end_matches("/openapi.json").to_owned())
        });
        service
    }

    /// Starts it, and waits for nothing.
    pub fn launch(mut command: Command) -> Self {
        let mut child = command
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let said = Arc::new(Mutex::new(String::new()));
        let listen = |stream: Box<dyn Read + Send>| {
            let said = Arc::clone(&said);
            std::thread::spawn(move || {
                for line in BufReader::new(stream).lines() {
                    let _ = writeln!(said.lock().unwrap(), "{}", line.unwrap());
                }
            })
        };
        let readers = vec![
            listen(Box::new(child.stdout.take().unwrap())),
            listen(Box::new(child.stderr.take().unwrap())),
        ];
        Self {
            child,
            said,
            readers,
            address: String::new(),
            client: reqwest::Client::new(),
        }
    }

    /// All that it has said, on both of its outputs.
    pub fn said(&self) -> String {
        self.said.lock().unwrap().clone()
    }

    /// Waits until what it said has something.
    pub fn wait_for<T>(&mut self, what: &str, find: impl Fn(&str) -> Option<T>) -> T {
        let began = Instant::now();
        loop {
            if let Some(found) = find(&self.said()) {
                return found;
            }
            let ended = self.child.try_wait().unwrap();
            assert!(
                ended.is_none() && began.elapsed() < PATIENCE,
                "no {what}, {ended:?}: {}",
                self.said()
            );
            std::thread::sleep(Duration::from_millis(10));
        }
    }

    /// Sends a signal, by its name.
    pub fn signal(&self, name: &str) {
        let kill = format!("kill -{name} {}", self.child.id());
        assert!(Command::new("sh").args(["-c", &kill]).status().unwrap().success());
    }

    /// Waits for its end: exit code, how long it took, and all that it ever said.
    pub fn end(mut self) -> (i32, Duration, String) {
        let began = Instant::now();
        let status = loop {
            match self.child.try_wait().unwrap() {
                Some(status) => break status,
                None => assert!(began.elapsed() < 2 * PATIENCE, "it does not end: {}", self.said()),
            }
            std::thread::sleep(Duration::from_millis(10));
        };
        let took = began.elapsed();
        for reader in self.readers.drain(..) {
            reader.join().unwrap();
        }
        assert_eq!(status.signal(), None, "{}", self.said());
        (status.code().unwrap(), took, self.said())
    }

    pub async fn get(&self, path: &str) -> Answer {
        Answer::of(self.client.get(format!("{}{path}", self.address))).await
    }

    /// The same with a token.
    pub async fn get_as(&self, path: &str, token: &str) -> Answer {
        let request = self.client.get(format!("{}{path}", self.address));
        Answer::of(request.bearer_auth(token)).await
    }

    /// Posts a body as it is, with a token.
    pub async fn post_as(&self, path: &str, body: impl Into<String>, token: &str) -> Answer {
        let request = self.client.post(format!("{}{path}", self.address));
        let request = request.header("content-type", "application/json");
        Answer::of(request.body(body.into()).bearer_auth(token)).await
    }

    /// Posts a body as it is.
    pub async fn post(&self, path: &str, body: impl Into<String>) -> Answer {
        let request = self.client.post(format!("{}{path}", self.address));
        Answer::of(
            request
                .header("content-type", "application/json")
                .body(body.into()),
        )
        .await
    }

    /// The code in the newest SMS to this phone, once it is there.
    pub async fn code(&self, phone: &str, provider: Option<&Provider>) -> String {
        for _ in 0..1000 {
            let messages = match provider {
                Some(provider) => provider.messages(),
                None => {
                    let inbox = self.get("/dev/inbox.json").await;
                    let text = |message: &Value, field: &str| message[field].as_str().unwrap().to_owned();
                    let messages = inbox.body.as_array().unwrap().iter().rev();
                    messages
                        .map(|message| (text(message, "to"), text(message, "body")))
                        .collect()
                }
            };
            if let Some((_, body)) = messages.iter().rfind(|(to, _)| to == phone) {
                let mut runs = body.split(|character: char| !character.is_ascii_digit());
                return runs.find(|run| run.len() == 6).unwrap().to_owned();
            }
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        panic!("no SMS came");
    }
}

impl Drop for Service {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
