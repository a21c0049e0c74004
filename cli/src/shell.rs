//! How is one statement or dot command run, and what is told about it?
//!
//! Rows are printed as they come. A failure is told on stderr and counted; whether the shell goes on is `--bail`'s to say.
//! Where the BEGIN of a script is refused, what was to be one transaction is not carried out statement by statement: up to its COMMIT
//! or ROLLBACK everything fails, as in a transaction that failed later.

use crate::args::Args;
use crate::dot;
use crate::output::{Format, Mode, Printer};
use crate::verb::{Verb, verb};
use spectradb::embed::{Canceller, Database, Done, Error, Outcome, Piece, Position, Session, Value, shown_in_zone};
use std::io::{self, BufWriter, IsTerminal, Stdout, Write};
use std::time::Instant;

/// Why nothing more is run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum End {
    /// `.quit`
    Quit,
    /// `--bail` after an error, or output that cannot be written.
    Bail,
    /// Nobody reads the output any more.
    Pipe,
}

/// What do the positions of errors count from?
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Origin {
    /// The beginning of the whole text: a file, a pipe, an argument.
    Text,
    /// The statement itself: whoever typed it sees it above.
    Statement,
}

/// A session with all that printing needs.
pub(crate) struct Shell {
    session: Session,
    db: Database,
    pub(crate) out: BufWriter<Stdout>,
    pub(crate) format: Format,
    pub(crate) timer: bool,
    bail: bool,
    failed: bool,
    /// Is stdout a terminal? Then statements without rows say what they did.
    chatty: bool,
    colour: bool,
    /// On which line a script's BEGIN was refused whose end has not come yet.
    refused: Option<u32>,
}

impl Shell {
    pub(crate) fn new(db: &Database, args: &Args) -> Shell {
        let no_colour = std::env::var_os("NO_COLOR").is_some_and(|value| !value.is_empty());
        Shell {
            session: db.session(),
            db: db.clone(),
            out: BufWriter::with_capacity(64 << 10, io::stdout()),
            format: Format { mode: args.mode, null: args.null.clone(), header: args.header },
            timer: false,
            bail: args.bail,
            failed: false,
            chatty: io::stdout().is_terminal(),
            colour: io::stderr().is_terminal() && !no_colour,
            refused: None,
        }
    }

    /// Did any statement fail?
    pub(crate) fn has_failed(&self) -> bool {
        self.failed
    }

    /// Forgets the failures so far: the person at the terminal has seen them.
    pub(crate) fn forgive(&mut self) {
        self.failed = false;
    }

    /// Is a transaction open?
    pub(crate) fn in_transaction(&self) -> bool {
        self.session.in_transaction()
    }

    /// Runs a statement.
    pub(crate) fn statement(&mut self, piece: &Piece, origin: Origin) -> Result<(), End> {
        let started = Instant::now();
        if origin == Origin::Text
            && let Some(line) = self.refused
        {
            return self.of_refused(piece, line);
        }
        let ran = self.session.execute(&piece.text, ());
        let is_script = origin == Origin::Text && !self.session.in_transaction();
        if is_script && ran.is_err() && verb(&piece.text) == Verb::Begin {
            self.refused = Some(piece.line);
        }
        let printed = match ran {
            Ok(outcome) => self.print(outcome),
            Err(error) => Ok(Err(error)),
        };
        let result = match self.written(printed)? {
            Ok(()) => Ok(()),
            Err(error) => self.fail(&placed(error, piece, origin)),
        };
        self.flush()?;
        if self.timer {
            eprintln!("time: {:.3} ms", started.elapsed().as_secs_f64() * 1e3);
        }
        result
    }

    /// A statement of a script's transaction whose BEGIN was refused.
    fn of_refused(&mut self, piece: &Piece, line: u32) -> Result<(), End> {
        let what = match verb(&piece.text) {
            Verb::Rollback => {
                self.refused = None;
                return Ok(());
            }
            Verb::Commit => {
                self.refused = None;
                "nothing is committed"
            }
            Verb::Begin | Verb::Other => "the statement is not carried out",
        };
        let message = format!("{what}: the BEGIN on line {line} was refused");
        let error = Error::new("25P02", message).with_help("what stands before COMMIT or ROLLBACK belongs to it");
        self.fail(&placed(error, piece, Origin::Text))
    }

    /// Runs a dot command.
    pub(crate) fn dot(&mut self, line: &str, depth: u32) -> Result<(), End> {
        match dot::run(self, line, depth) {
            Ok(()) => self.flush(),
            Err(dot::Fault::End(end)) => Err(end),
            Err(dot::Fault::Error(error)) => self.fail(&error),
            Err(dot::Fault::Io(error)) => self.written(Err(error)),
        }
    }

    /// Tells an error and counts it.
    pub(crate) fn fail(&mut self, error: &Error) -> Result<(), End> {
        self.flush()?;
        self.failed = true;
        let told = error.to_string();
        // One call of the system an error: there may be many.
        let told = match told.split_once(": ").filter(|_| self.colour) {
            Some((head, rest)) => format!("\x1b[1;31m{head}\x1b[0m: {rest}\n"),
            None => format!("{told}\n"),
        };
        // Where stderr is closed there is nobody to tell, but the exit code does.
        if io::stderr().write_all(told.as_bytes()).is_err() {
            return Err(End::Bail);
        }
        if self.bail { Err(End::Bail) } else { Ok(()) }
    }

    /// Runs a query and prints its rows in the shell's format, or in another mode.
    pub(crate) fn query(&mut self, sql: &str) -> io::Result<Result<(), Error>> {
        match self.session.execute(sql, ()) {
            Ok(outcome) => self.print(outcome),
            Err(error) => Ok(Err(error)),
        }
    }

    /// The statement that makes a table.
    pub(crate) fn create_statement(&self, table: &str) -> Result<String, Error> {
        self.session.create_statement(table)
    }

    /// Cancels the statement under way, from any thread.
    pub(crate) fn canceller(&self) -> Canceller {
        self.session.canceller()
    }

    /// All first columns of a query's rows, from a session that no open transaction of the user's disturbs.
    pub(crate) fn names(&self, sql: &str) -> Result<Vec<String>, Error> {
        let rows = self.db.session().query(sql, ())?;
        rows.map(|row| Ok(row?.values().first().map(ToString::to_string).unwrap_or_default())).collect()
    }

    /// At the end of all input.
    pub(crate) fn finish(&mut self) -> Result<(), End> {
        if self.in_transaction() {
            eprintln!("note: the transaction that was open is rolled back");
        }
        self.flush()
    }

    pub(crate) fn flush(&mut self) -> Result<(), End> {
        let flushed = self.out.flush();
        self.written(flushed)
    }

    /// The outer error is of the output, the inner one the database's.
    fn print(&mut self, outcome: Outcome) -> io::Result<Result<(), Error>> {
        let rows = match outcome {
            Outcome::Rows(rows) => rows,
            Outcome::Done(done) => {
                self.tell(&done)?;
                return Ok(Ok(()));
            }
        };
        let done = rows.done().cloned();
        let zone = self.session.time_zone().map(str::to_owned);
        let mut printer = Printer::begin(&self.format, rows.columns(), &mut self.out)?;
        let mut failure = None;
        for row in rows {
            match row {
                Ok(row) => match &zone {
                    None => printer.row(row.values())?,
                    Some(zone) => {
                        let shown: Vec<Value> = row.values().iter().map(|value| shown_in_zone(value, zone)).collect();
                        printer.row(&shown)?;
                    }
                },
                Err(error) => {
                    failure = Some(error);
                    break;
                }
            }
        }
        let row_count = printer.end()?;
        if let Some(done) = done {
            self.tell(&done)?;
        } else if self.chatty && self.format.mode == Mode::Table {
            writeln!(self.out, "({row_count} {})", if row_count == 1 { "row" } else { "rows" })?;
        }
        Ok(failure.map_or(Ok(()), Err))
    }

    /// Says what a statement did, where somebody looks on.
    fn tell(&mut self, done: &Done) -> io::Result<()> {
        if !self.chatty || !matches!(self.format.mode, Mode::Table | Mode::Line) {
            return Ok(());
        }
        match done.commit {
            Some(commit) => writeln!(self.out, "{done} (commit {commit})"),
            None => writeln!(self.out, "{done}"),
        }
    }

    /// What a failed write means: nobody reads any more, or the output's disk is full.
    fn written<T>(&mut self, result: io::Result<T>) -> Result<T, End> {
        result.map_err(|error| {
            if error.kind() == io::ErrorKind::BrokenPipe {
                return End::Pipe;
            }
            self.failed = true;
            eprintln!("error[58030]: could not write the output: {error}");
            End::Bail
        })
    }
}

/// The error with its position in the whole text.
fn placed(error: Error, piece: &Piece, origin: Origin) -> Error {
    match origin {
        Origin::Statement => error,
        Origin::Text => error.placed(&piece.text, Position { line: piece.line, column: piece.column }),
    }
}
