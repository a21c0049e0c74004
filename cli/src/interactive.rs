//! How does the shell talk with a person at a terminal?
//!
//! A statement may take several lines; it runs at its semicolon, and Ctrl-C cancels it. The history is kept from one session to the next, in
//! `$SPECTRADB_HISTORY` or `~/.spectradb_history`.

use crate::args::Args;
use crate::complete::Assistant;
use crate::shell::{End, Origin, Shell};
use rustyline::config::Configurer as _;
use rustyline::error::ReadlineError;
use rustyline::history::FileHistory;
use rustyline::{CompletionType, Config, Editor};
use spectradb::embed::{Database, Error, Splitter};
use std::path::PathBuf;

/// Statements that the history keeps.
const HISTORY_ENTRIES_MAX: usize = 5_000;

/// Reads and runs until the person leaves.
pub(crate) fn run(shell: &mut Shell, args: &Args, db: &Database) -> Result<(), End> {
    let mut editor = match editor() {
        Ok(editor) => editor,
        Err(error) => {
            return shell.fail(&Error::new("58030", format!("could not use the terminal: {error}")));
        }
    };
    println!("SpectraDB {}", env!("CARGO_PKG_VERSION"));
    match args.path.to_str() {
        Some(":memory:") => println!("A database in memory: it is gone when you leave. Name a folder to keep one."),
        _ => println!("{} at commit {}", args.path.display(), db.current_commit()),
    }
    println!("SQL ends with a semicolon; .help lists the commands, .quit leaves.");
    let history = history_path();
    if let Some(path) = &history
        && path.exists()
        && let Err(error) = editor.load_history(path)
    {
        eprintln!("note: could not read the history {}: {error}", path.display());
    }
    // At the prompt the editor sees Ctrl-C itself; a signal comes only while a statement runs.
    let canceller = shell.canceller();
    if let Err(error) = ctrlc::set_handler(move || canceller.cancel()) {
        eprintln!("note: Ctrl-C will end the shell rather than a statement: {error}");
    }
    let ended = talk(shell, &mut editor);
    if let Some(path) = &history
        && let Err(error) = editor.append_history(path)
    {
        eprintln!("note: could not keep the history {}: {error}", path.display());
    }
    ended
}

fn editor() -> rustyline::Result<Editor<Assistant, FileHistory>> {
    let no_colour = std::env::var_os("NO_COLOR").is_some_and(|value| !value.is_empty());
    let config = Config::builder().completion_type(CompletionType::List).build();
    let mut editor = Editor::with_history(config, FileHistory::default())?;
    editor.set_helper(Some(Assistant::new(!no_colour)));
    editor.set_max_history_size(HISTORY_ENTRIES_MAX)?;
    editor.set_auto_add_history(true);
    Ok(editor)
}

fn talk(shell: &mut Shell, editor: &mut Editor<Assistant, FileHistory>) -> Result<(), End> {
    loop {
        if let Some(assistant) = editor.helper_mut() {
            assistant.learn(shell);
        }
        let prompt = if shell.in_transaction() { "spectradb*> " } else { "spectradb> " };
        match editor.readline(prompt) {
            Ok(text) => run_text(shell, &text)?,
            Err(ReadlineError::Interrupted) => {}
            Err(ReadlineError::Eof) => return Ok(()),
            Err(error) => {
                return shell.fail(&Error::new("58030", format!("could not read from the terminal: {error}")));
            }
        }
    }
}

fn run_text(shell: &mut Shell, text: &str) -> Result<(), End> {
    if text.trim_start().starts_with('.') {
        return shell.dot(text.trim(), 0);
    }
    let mut splitter = Splitter::new();
    splitter.push(text);
    while let Some(piece) = splitter.next_piece().or_else(|| splitter.finish()) {
        match piece {
            Ok(piece) => shell.statement(&piece, Origin::Statement)?,
            Err(diag) => shell.fail(&Error::from_diag(diag, ""))?,
        }
    }
    Ok(())
}

fn history_path() -> Option<PathBuf> {
    let named = std::env::var_os("SPECTRADB_HISTORY").map(PathBuf::from);
    named.or_else(|| std::env::var_os("HOME").map(|home| PathBuf::from(home).join(".spectradb_history")))
}
