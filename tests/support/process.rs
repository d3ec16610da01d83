//! The service as its own process: for what only its output can tell.

use std::{
    fs::{self, File},
    path::PathBuf,
    process::{Child, Command, ExitStatus},
    sync::Arc,
};

use ringback::clock::{ShiftedClock, SystemClock};

use crate::{Prepared, TestApp, eventually, program};

/// A running binary; it is killed with the test.
pub struct Process {
    child: Child,
    log: PathBuf,
}

impl Prepared {
    /// Runs the binary, and waits until it says where it serves.
    pub async fn spawn(self) -> (Process, TestApp) {
        let log = self.folder.0.join("output");
        let output = File::create(&log).unwrap();
        let child = Command::new(program("ringback"))
            .env_clear()
            .envs(&self.environment)
            .stdout(output.try_clone().unwrap())
            .stderr(output)
            .spawn()
            .unwrap();
        let announced = async |what: &str| {
            eventually(what, async || {
                let output = fs::read_to_string(&log).unwrap();
                let line = output.lines().find(|line| line.trim_start().starts_with(what))?;
                let url = line.split_whitespace().nth(1).unwrap();
                let (scheme, rest) = url.split_once("://").unwrap();
                Some(format!("{scheme}://{}", rest.split('/').next().unwrap()))
            })
            .await
        };
        let (address, ops) = (announced("API").await, announced("Metrics").await);
        let app = TestApp {
            address,
            ops,
            admin: announced("Admin").await,
            client: reqwest::Client::new(),
            provider: self.provider,
            running: None,
            folder: self.folder,
            environment: self.environment,
            clock: ShiftedClock::new(Arc::new(SystemClock)),
            redis_clock: Arc::default(),
        };
        (Process { child, log }, app)
    }
}

impl Process {
    /// All that it has written.
    pub fn output(&self) -> String {
        String::from_utf8_lossy(&fs::read(&self.log).unwrap()).into_owned()
    }

    /// Asks it to end, and waits until it has.
    pub async fn terminate(&mut self) -> ExitStatus {
        let pid = self.child.id().to_string();
        assert!(
            Command::new("kill")
                .args(["-TERM", &pid])
                .status()
                .unwrap()
                .success()
        );
        eventually("its end", async || self.child.try_wait().unwrap()).await
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
