//! A load generator that takes next to nothing of the machine it shares with the service: some 22 µs a request, where k6
//! takes 400. At ten times what two cores carry, k6 would be most of what is measured.
//!
//! `flood HOST:PORT < PLAN` plays a JSON list of parts ([`Part`]), each from its own moment on, and prints a line for each
//! answer: the part's name, when it was asked (Unix time in ms), ms until the whole answer was there, its status (0: none
//! came), and the seconds of `Retry-After` (0: none). Connecting counts as waiting.

mod connection;

use std::{cell::RefCell, error::Error, io::Write, rc::Rc, time::Duration};

use connection::{Answer, Connection};
use ringback::clock::{Clock, SystemClock};
use serde::Deserialize;
use tokio::{
    task::{JoinSet, LocalSet},
    time::{Instant, sleep_until, timeout},
};

/// What comes at the same time as other parts.
#[derive(Deserialize)]
struct Part {
    name: String,
    /// Seconds from the start.
    from: f64,
    #[serde(default)]
    seconds: f64,
    way: Way,
    count: usize,
    /// Whole requests, sent in turn.
    requests: Vec<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "lowercase")]
enum Way {
    /// `count` a second, however slow the answers are, on as many connections as it takes.
    Rate,
    /// `count` clients that ask again as soon as they are answered.
    Loop,
    /// `count` at one moment, each on a connection of its own.
    Crowd,
}

/// Connections to stay below the usual limit on open files.
const MAX_OPEN: usize = 900;
const PATIENCE: Duration = Duration::from_secs(20);

/// One line of what is printed.
struct Line {
    part: Rc<Part>,
    asked: Instant,
    took: Duration,
    answer: Answer,
}

type Lines = Rc<RefCell<Vec<Line>>>;

fn main() -> Result<(), Box<dyn Error>> {
    let address = std::env::args().nth(1).ok_or("flood HOST:PORT < PLAN")?;
    let parts: Vec<Part> = serde_json::from_reader(std::io::stdin().lock())?;
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?;
    let (began, began_ms) = (Instant::now(), SystemClock.now().timestamp_millis());
    let lines = Lines::default();
    LocalSet::new().block_on(&runtime, async {
        let mut playing = JoinSet::new();
        for part in parts {
            let client = Client {
                address: address.clone(),
                part: Rc::new(part),
                free: Rc::default(),
                lines: Rc::clone(&lines),
            };
            playing.spawn_local(client.play(began));
        }
        playing.join_all().await;
    });
    let mut out = std::io::BufWriter::new(std::io::stdout().lock());
    for line in lines.borrow().iter() {
        let at = (line.asked - began).as_secs_f64() * 1000.0 + began_ms as f64;
        let took = line.took.as_secs_f64() * 1000.0;
        let Answer { status, retry_after } = line.answer;
        writeln!(out, "{} {at:.1} {took:.3} {status} {retry_after}", line.part.name)?;
    }
    Ok(())
}

/// Whoever plays one part.
#[derive(Clone)]
struct Client {
    address: String,
    part: Rc<Part>,
    /// Connections that nobody uses just now.
    free: Rc<RefCell<Vec<Connection>>>,
    lines: Lines,
}

impl Client {
    async fn play(self, began: Instant) {
        let begin = began + Duration::from_secs_f64(self.part.from);
        let end = begin + Duration::from_secs_f64(self.part.seconds);
        sleep_until(begin).await;
        let mut asking = JoinSet::new();
        let count = self.part.count;
        match self.part.way {
            Way::Crowd => {
                for number in 0..count {
                    asking.spawn_local(self.clone().ask(number));
                }
            }
            Way::Loop => {
                for first in 0..count {
                    let this = self.clone();
                    asking.spawn_local(async move {
                        let mut number = first;
                        while Instant::now() < end {
                            this.clone().ask(number).await;
                            number += count;
                        }
                    });
                }
            }
            Way::Rate => {
                for number in 0.. {
                    let due = begin + Duration::from_secs_f64(number as f64 / count as f64);
                    if due >= end {
                        break;
                    }
                    sleep_until(due).await;
                    while asking.try_join_next().is_some() {}
                    match asking.len() < MAX_OPEN {
                        true => drop(asking.spawn_local(self.clone().ask(number))),
                        false => self.note(Instant::now(), Answer::NONE),
                    }
                }
            }
        }
        asking.join_all().await;
    }

    async fn ask(self, number: usize) {
        let asked = Instant::now();
        let request = &self.part.requests[number % self.part.requests.len()];
        let exchange = async {
            let kept = self.free.borrow_mut().pop();
            if let Some(mut connection) = kept
                && let Ok(answer) = connection.ask(request.as_bytes()).await
            {
                self.free.borrow_mut().push(connection);
                return Ok::<_, std::io::Error>(answer);
            }
            // There was none, or the service had closed it, as it may when nothing is asked for a while.
            let mut connection = Connection::open(&self.address).await?;
            let answer = connection.ask(request.as_bytes()).await?;
            self.free.borrow_mut().push(connection);
            Ok(answer)
        };
        let answer = timeout(PATIENCE, exchange).await;
        self.note(asked, answer.ok().and_then(Result::ok).unwrap_or(Answer::NONE));
    }

    fn note(&self, asked: Instant, answer: Answer) {
        self.lines.borrow_mut().push(Line {
            part: Rc::clone(&self.part),
            asked,
            took: asked.elapsed(),
            answer,
        });
    }
}
