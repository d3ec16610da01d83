//! A Redis whose instructions are counted: callgrind's, in user space, which other work on the machine doesn't change.

use std::{
    fs,
    net::{Ipv4Addr, TcpListener, TcpStream},
    path::PathBuf,
    process::{Child, Command, Stdio},
    time::{Duration, Instant},
};

/// How long it may take to start.
const PATIENCE: Duration = Duration::from_secs(60);

pub struct CountedRedis {
    server: Child,
    folder: PathBuf,
    pub url: String,
}

impl CountedRedis {
    pub fn start() -> Self {
        let free = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        let port = free.local_addr().unwrap().port();
        drop(free);
        let folder = std::env::temp_dir().join(format!("ringback-bench-{}", std::process::id()));
        fs::create_dir_all(&folder).unwrap();
        let out = folder.join("out");
        let server = Command::new("valgrind")
            .args(["-q", "--tool=callgrind", "--instr-atstart=no"])
            .arg(format!("--callgrind-out-file={}", out.display()))
            .args(["redis-server", "--bind", "127.0.0.1", "--save", "", "--hz", "1"])
            .args(["--port", &port.to_string()])
            .stdout(Stdio::null())
            .spawn()
            .unwrap_or_else(|error| panic!("valgrind: {error}"));
        let began = Instant::now();
        while TcpStream::connect((Ipv4Addr::LOCALHOST, port)).is_err() {
            assert!(began.elapsed() < PATIENCE, "redis-server does not answer");
            std::thread::sleep(Duration::from_millis(50));
        }
        Self {
            server,
            folder,
            url: format!("redis://127.0.0.1:{port}"),
        }
    }

    /// Counts from now on.
    pub fn begin(&self) {
        self.control(&["-i", "on"]);
        self.control(&["-z"]);
    }

    /// What was counted since.
    pub fn end(&self) -> u64 {
        self.control(&["-d"]);
        self.control(&["-i", "off"]);
        let mut newest: Vec<_> = fs::read_dir(&self.folder)
            .unwrap()
            .flatten()
            .map(|file| file.path())
            .collect();
        newest.sort_by_key(|path| fs::metadata(path).and_then(|about| about.modified()).ok());
        let dumped = fs::read_to_string(newest.pop().unwrap()).unwrap();
        let totals = dumped.lines().find_map(|line| line.strip_prefix("totals: "));
        totals.unwrap().trim().parse().unwrap()
    }

    fn control(&self, arguments: &[&str]) {
        let done = Command::new("callgrind_control")
            .args(arguments)
            .arg(self.server.id().to_string())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .status()
            .unwrap();
        assert!(done.success(), "callgrind_control {arguments:?}");
    }
}

impl Drop for CountedRedis {
    fn drop(&mut self) {
        let _ = self.server.kill();
        let _ = self.server.wait();
        let _ = fs::remove_dir_all(&self.folder);
    }
}
