//! The SpectraDB shell: SQL from a terminal, a pipe, a file or the command line.
//!
//! Rooms: `args` (what the command line says), `shell` (runs statements and dot commands, keeps count of failures), `input`
//! (texts that come in pieces), `interactive` (the terminal), `complete` (TAB and colour), `output` (how rows are
//! printed), `bench` (measures instead of being a shell), `ledger` (the commands that verify, prove and restore).
//!
//! Holds: rows go to stdout and nothing else does without a terminal; errors go to stderr; the exit code is 1 if any
//! statement failed that no person saw. A closed pipe ends the shell without a word.

mod args;
mod bench;
mod complete;
mod dot;
mod input;
mod interactive;
mod ledger;
mod output;
mod shell;
mod verb;

use crate::args::{Instead, Task};
use crate::shell::{End, Origin, Shell};
use spectradb::embed::Database;
use std::io::IsTerminal;
use std::process::ExitCode;

fn main() -> ExitCode {
    let mut args = args::parse();
    match args.instead.take() {
        Some(Instead::Bench(bench)) => return bench::run(&bench),
        Some(Instead::Ledger(command)) => return ledger::run(command),
        None => {}
    }
    let db = match Database::open_with(&args.path, args.config.clone()) {
        Ok(db) => db,
        Err(error) => {
            eprintln!("{error}");
            return ExitCode::FAILURE;
        }
    };
    if let Some(why) = db.no_io_uring() {
        eprintln!("io_uring is not used: {why}");
    }
    let mut shell = Shell::new(&db, &args);
    let ended = run(&mut shell, &args, &db);
    let failed = shell.has_failed();
    drop(shell);
    let closed = db.close();
    match (ended, &closed) {
        (Err(End::Pipe), _) => {}
        (_, Err(error)) => eprintln!("{error}"),
        (Ok(()) | Err(End::Quit | End::Bail), Ok(())) => {}
    }
    if failed || closed.is_err() { ExitCode::FAILURE } else { ExitCode::SUCCESS }
}

fn run(shell: &mut Shell, args: &args::Args, db: &Database) -> Result<(), End> {
    for task in &args.tasks {
        match task {
            Task::Command(sql) => input::text(shell, sql)?,
            Task::File(path) => input::file(shell, path, 0)?,
        }
    }
    if args.tasks.is_empty() {
        if std::io::stdin().is_terminal() && std::io::stdout().is_terminal() {
            let ended = interactive::run(shell, args, db);
            if ended != Err(End::Bail) {
                shell.forgive();
            }
            ended?;
        } else {
            input::stream(shell, std::io::stdin().lock(), Origin::Text, 0)?;
        }
    }
    shell.finish()
}
