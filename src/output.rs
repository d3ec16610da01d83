//! What commands say on the standard output and the standard error. Whoever reads may go at any time, and a disk may be
//! full: a command ends in order then, and never by a panic.

use std::{
    fmt::{self, Display},
    io::{self, ErrorKind, Write},
    process::ExitCode,
    sync::OnceLock,
};

/// Why the standard output took something no more. Nothing is written there from then on.
static ENDED: OnceLock<io::Error> = OnceLock::new();

/// Writes a line to the standard output.
pub(crate) fn say(line: impl Display) {
    write(format_args!("{line}\n"));
}

/// Writes a text as it is to the standard output.
pub(crate) fn print(text: impl Display) {
    write(format_args!("{text}"));
}

fn write(text: fmt::Arguments<'_>) {
    if is_ended() {
        return;
    }
    let mut output = io::stdout().lock();
    if let Err(error) = output.write_fmt(text).and_then(|()| output.flush()) {
        // The first one counts.
        let _ = ENDED.set(error);
    }
}

/// Whether nobody takes any more what is written to the standard output.
pub(crate) fn is_ended() -> bool {
    ENDED.get().is_some()
}

/// Writes a line to the standard error, if somebody takes it: there is nowhere else to say that nobody does.
pub(crate) fn complain(line: impl Display) {
    let _ = writeln!(io::stderr(), "{line}");
}

/// Writes a question to the standard error, without a line's end.
pub(crate) fn ask(question: impl Display) -> io::Result<()> {
    let mut output = io::stderr();
    write!(output, "{question}").and_then(|()| output.flush())
}

/// How a command ends once all is said. A reader who has gone has read enough; what could not be written is a failure.
pub(crate) fn finish(code: ExitCode) -> ExitCode {
    match ENDED.get() {
        Some(error) if error.kind() != ErrorKind::BrokenPipe => {
            complain(format_args!("the output can't be written: {error}"));
            ExitCode::FAILURE
        }
        _ => code,
    }
}
